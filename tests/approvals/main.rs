//! Approvals as a person makes them, with real keys, and every way in which one is none.
#![cfg(test)]

mod codes;
mod exec;
#[path = "../support/golden.rs"]
mod golden;
mod golden_output;
mod office;
mod printable;
mod properties;
mod scenarios;
#[path = "../support/tree.rs"]
mod tree;
#[path = "../authorize/world.rs"]
mod world;
