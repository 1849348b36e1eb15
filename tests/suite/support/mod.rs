//! What the tests share.

pub mod golden;
pub mod guarded;
pub mod judging;
pub mod postgres;
pub mod ran;
pub mod screens;
pub mod scrubbed;
pub mod terminal;
pub mod tree;
pub mod waiting;
pub mod world;
