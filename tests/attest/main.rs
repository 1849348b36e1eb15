//! The after-run report on a real database, its signatures, its chain, and everything that must not pass for it.
#![cfg(test)]

mod as_root {
    mod approved;
    mod chain;
    mod faces;
    mod mutations;
    mod report;
    mod secrets;
    mod verify;
}
#[path = "../support/guarded.rs"]
mod guarded;
#[path = "../support/judging.rs"]
mod judging;
mod scene;
#[path = "../support/scrubbed.rs"]
mod scrubbed;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/tree.rs"]
mod tree;
