//! The after-run report on a real database, its signatures, its chain, and everything that must not pass for it.

mod as_root {
    mod approved;
    mod chain;
    mod enforced;
    mod faces;
    mod function;
    mod mutations;
    mod mutator;
    mod report;
    mod secrets;
    mod verify;
}
pub mod scene;
