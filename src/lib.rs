//! `cutter` decides by Cedar policies what an automated run may do to a production database, and proves what it did.

/// The layers, of which `ARCHITECTURE.md` draws the order and `tests/house.rs` holds the imports.
#[path = "."]
mod layers {
    pub mod approval;
    pub mod attestation;
    pub mod authorization;
    pub mod cedar;
    pub mod cli;
    pub mod db;
    pub mod decision;
    pub mod digest;
    pub mod evidence;
    pub mod explain;
    pub mod facts;
    pub mod files;
    pub mod findings;
    pub mod grants;
    pub mod json;
    pub mod layout;
    pub mod ledger;
    pub mod lint;
    pub mod measure;
    pub mod observe;
    pub mod plan;
    pub mod policy;
    pub mod prelude;
    pub mod problem;
    pub mod progress;
    pub mod project;
    pub mod prove;
    pub mod record;
    pub mod render;
    pub mod request;
    pub mod review;
    pub mod runtime;
    pub mod schema;
    pub mod settings;
    pub mod signature;
    pub mod subject;
    pub mod targets;
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

pub use layers::cli::run;
