//! What `exec` does by facts of each source.

mod backup;
pub mod billing;
mod measured;
mod produced;
mod stated;
