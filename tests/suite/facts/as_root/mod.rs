//! What `exec` does by facts of each source.

pub mod backup;
pub mod billing;
mod measured;
mod produced;
mod stated;
