//! Everything that looks at a database and its host, over [`crate::db`]: it makes records of evidence and gives facts, and
//! decides nothing.

mod capture;
mod catalog;
mod counters;
mod database;
pub mod facts;
mod flag;
mod host;
mod relation;
mod scope;
mod service;
mod sessions;
mod tree;
pub mod witness;

pub use capture::{Task, capture};
