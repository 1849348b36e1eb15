//! The tests of the whole program and of what it is made of, in one binary: it is linked once.
#![cfg(test)]

mod approvals;
mod attest;
mod authorize;
mod documents;
mod examples;
mod facts;
mod ledger;
mod library;
mod package;
mod postgres;
mod prelude;
mod review;
mod run;
mod signatures;
mod support;
mod testing;
mod trust;
