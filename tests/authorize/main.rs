//! `cutter authorize` and `explain` as a user runs them, on real files, and what must hold for all inputs.
#![cfg(test)]

mod cases;
mod cedar;
mod errors;
mod faces;
mod formats;
#[path = "../support/golden.rs"]
mod golden;
mod golden_output;
#[path = "../support/judging.rs"]
mod judging;
mod mistakes;
mod plainly;
mod properties;
mod shipped;
#[path = "../support/tree.rs"]
mod tree;
mod world;
mod written;
