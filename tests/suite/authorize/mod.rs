//! `cutter authorize` and `explain` as a user runs them, on real files, and what must hold for all inputs.

mod cases;
mod cedar;
mod errors;
mod faces;
mod formats;
mod golden_output;
mod mistakes;
mod outlook;
mod plainly;
mod properties;
mod shipped;
mod written;
