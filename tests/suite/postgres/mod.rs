//! What needs a real PostgreSQL: each test starts its own, on a Unix socket, and leaves nothing.

mod as_root {
    mod signed;
}
mod companion;
mod database;
mod evidence;
mod facts;
mod grants;
mod host;
mod mutations;
mod progress;
mod scene;
mod screens;
mod secrets;
mod signed;
mod targets;
mod watching;
mod witness;
