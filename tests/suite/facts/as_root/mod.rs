//! What `exec` does by facts of each source.

mod billing;
mod measured;
mod stated;
