//! The security review of a bundle: every rule by its number, validation, the matrix, and the difference of two bundles. It reads
//! and judges; it prints nothing.

pub mod catalogue;
pub mod committed;
pub mod diff;
pub mod matrix;
pub mod validate;
