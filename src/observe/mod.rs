//! Everything that looks at a database and its host, over [`crate::db`]: it makes records of evidence, and decides
//! nothing.

mod capture;
pub(crate) mod catalog;
mod counters;
mod database;
pub(crate) mod flag;
mod git;
mod host;
mod path;
mod programs;
mod reads;
mod relation;
mod scope;
mod service;
mod sessions;
pub(crate) mod tree;
pub mod witness;

pub use capture::{Task, capture, host as this_host};
