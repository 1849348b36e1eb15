//! What `exec` does by facts of each source.

pub mod backup;
pub mod billing;
mod measured;
pub mod produced;
mod stated;
