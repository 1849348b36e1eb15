//! `cutter` decides by Cedar policies what an automated run may do to a production database, and proves what it did.
//!
//! A program reads a [`Bundle`], has it decide a plan ([`Bundle::decide`], [`Decided`]), explains a row ([`Decided::explain`]), and verifies what
//! others attest ([`verify`]). Each is one call that reads files, and never the environment or the clock: times are given. All that is wrong
//! with an input comes in one [`Error`], each [`Fault`] with a stable code and its place.
//!
//! ```
//! use std::{path::Path, time::SystemTime};
//! let bundle = cutter::Bundle::read(Path::new("policies"), Some(Path::new("cutter.toml")))?;
//! let decided = bundle.decide(Path::new("plans/generic-dryrun.json"), Path::new("entities"), SystemTime::now())?;
//! assert!(decided.rows().iter().all(|row| row.allowed || !row.reason.is_empty()));
//! # Ok::<(), cutter::Error>(())
//! ```
//!
//! Features, all of them on unless told otherwise: `cli` is the command line, and carrying out what is allowed; `postgres` observes, measures
//! and keeps the shared ledger; `prove` reviews and tests policies. What is above needs none of them.
#![cfg_attr(not(feature = "cli"), expect(dead_code, unused_imports, reason = "what only the command line asks for"))]

/// The layers, of which `ARCHITECTURE.md` draws the order and `tests/house.rs` holds the imports.
#[path = "."]
mod layers {
    pub mod approval;
    pub mod attestation;
    pub mod authorization;
    pub mod cedar;
    #[cfg(feature = "cli")]
    pub mod cli;
    #[cfg(feature = "postgres")]
    pub mod db;
    pub mod decision;
    pub mod digest;
    #[cfg(feature = "cli")]
    pub mod enforce;
    pub mod evidence;
    pub mod explain;
    pub mod facts;
    pub mod files;
    #[cfg(feature = "prove")]
    pub mod findings;
    #[cfg(feature = "postgres")]
    pub mod grants;
    pub mod json;
    #[cfg(feature = "cli")]
    pub mod layout;
    pub mod ledger;
    pub mod library;
    #[cfg(feature = "prove")]
    pub mod lint;
    #[cfg(feature = "postgres")]
    pub mod measure;
    #[cfg(feature = "postgres")]
    pub mod observe;
    pub mod plan;
    pub mod policy;
    pub mod prelude;
    pub mod problem;
    pub mod progress;
    pub mod project;
    #[cfg(feature = "prove")]
    pub mod prove;
    pub mod record;
    #[cfg(feature = "cli")]
    pub mod render;
    pub mod request;
    #[cfg(feature = "prove")]
    pub mod review;
    #[cfg(feature = "cli")]
    pub mod runtime;
    pub mod schema;
    pub mod settings;
    pub mod signature;
    #[cfg(feature = "prove")]
    pub mod subject;
    #[cfg(feature = "cli")]
    pub mod targets;
    #[cfg(feature = "prove")]
    pub mod testing;
    pub mod text;
    pub mod time;
    pub mod trust;
    pub mod verification;
}

#[cfg(not(feature = "internals"))]
use layers::*;
/// For this package's own tests and benches: no promise is made of what is in here.
#[cfg(feature = "internals")]
#[doc(hidden)]
pub use layers::*;

/// Policies under proptest.
#[cfg(all(feature = "testing", not(feature = "internals")))]
pub mod testing {
    pub use crate::layers::testing::strategies;
    pub(crate) use crate::layers::testing::*;
}

pub use layers::library::{Because, Bundle, Decided, Error, Explanation, Fault, Row, Verified, verify};

/// The command line: parses these arguments, does what they ask, prints, and gives the exit code.
#[cfg(feature = "cli")]
pub fn main(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> std::process::ExitCode {
    layers::cli::run(arguments).into()
}
