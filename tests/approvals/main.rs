//! Approvals as a person makes them, with real keys, and every way in which one is none.
#![cfg(test)]

mod as_root {
    mod exec;
}
mod codes;
#[path = "../support/golden.rs"]
mod golden;
mod golden_output;
#[path = "../support/guarded.rs"]
mod guarded;
#[path = "../support/judging.rs"]
mod judging;
mod office;
mod printable;
mod properties;
mod scenarios;
#[path = "../support/tree.rs"]
mod tree;
#[path = "../authorize/world.rs"]
mod world;
