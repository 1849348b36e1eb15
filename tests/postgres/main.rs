//! What needs a real PostgreSQL: each test starts its own, on a Unix socket, and leaves nothing.

#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;

#[cfg(test)]
#[path = "../support/guarded.rs"]
mod guarded;

#[cfg(test)]
mod as_root {
    mod signed;
}
#[cfg(test)]
mod companion;
#[cfg(test)]
mod database;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod facts;
#[cfg(test)]
#[path = "../support/golden.rs"]
mod golden;
#[cfg(test)]
mod grants;
#[cfg(test)]
mod host;
#[cfg(test)]
mod mutations;
#[cfg(test)]
mod progress;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod screens;
#[cfg(test)]
#[path = "../support/screens.rs"]
mod screens_of;
#[path = "../support/scrubbed.rs"]
mod scrubbed;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod signed;
#[cfg(test)]
mod targets;
#[cfg(test)]
#[path = "../support/terminal.rs"]
mod terminal;
#[cfg(test)]
mod watching;
#[cfg(test)]
mod witness;
