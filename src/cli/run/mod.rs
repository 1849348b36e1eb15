//! The commands that reach an effect: one row, all rows, and the switches turned off.

pub mod backup;
mod drive;
pub mod exec;
pub mod guard;
mod moment;
mod resume;
mod switch;
pub mod whole;
