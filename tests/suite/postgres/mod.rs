//! What needs a real PostgreSQL: each test starts its own, on a Unix socket, and leaves nothing.

mod as_root {
    mod exchanged;
    mod signed;
}
mod companion;
mod database;
mod evidence;
mod facts;
mod generator;
mod grants;
mod held_back;
mod host;
mod mutations;
mod pins;
mod progress;
mod relations;
mod scene;
mod screens;
mod secrets;
mod signed;
mod sources;
mod targets;
mod versions;
mod watching;
mod witness;
