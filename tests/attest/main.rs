//! The after-run report on a real database, its signatures, its chain, and everything that must not pass for it.
#![cfg(test)]

mod approved;
mod chain;
mod faces;
mod mutations;
mod report;
mod scene;
mod secrets;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/tree.rs"]
mod tree;
mod verify;
