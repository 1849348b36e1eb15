//! What `exec` does by facts of each source.

mod measured;
mod stated;
