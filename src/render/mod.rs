//! The forms of a record. They translate; they never decide and never drop a row.

pub mod approval_page;
pub mod approvals;
pub mod attestation;
pub mod enforce;
pub mod evidence;
pub mod exec;
pub mod explanation;
pub mod grants;
pub mod journal;
pub mod json;
pub mod markdown;
pub mod package;
mod page;
mod page_facts;
mod page_forms;
pub mod problems;
pub mod review;
pub mod run;
pub mod table;
pub mod targets;
pub mod testing;
pub mod witness;
mod work;
