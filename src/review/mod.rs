//! The security review of a bundle: every rule by its number, validation, the matrix, and the difference of two bundles. It reads
//! and judges; it prints nothing.

pub mod acceptance;
pub mod catalogue;
pub mod changes;
pub mod committed;
pub mod configured;
pub mod diff;
pub mod effects;
pub mod facts;
pub mod matrix;
pub(crate) mod pinned;
pub(crate) mod register;
pub mod validate;
