//! The commands that reach an effect: one row, all rows, and the switches turned off.

pub mod backup;
mod drive;
pub mod exec;
pub mod guard;
mod moment;
mod observed;
mod off;
mod proposals;
mod rehearsal;
mod resume;
mod switch;
pub mod whole;

pub use switch::lease_of_run;

use crate::runtime;
use std::ffi::OsString;

/// Whether this process was started to watch over a program; it does so first.
pub fn watches(words: &[OsString]) -> bool {
    let is_watcher = words.first().is_some_and(|name| name == runtime::WATCHER);
    if is_watcher {
        runtime::watch();
    }
    is_watcher
}
