//! `cutter` decides by Cedar policies what an automated run may do to a production database, and proves what it did.
//!
//! The modules are layers, and imports go down only; `ARCHITECTURE.md` draws them, and `tests/house.rs` holds them. From the bottom:
//! bytes, times and errors ([`digest`], [`time`], [`text`], [`problem`], [`progress`], [`json`], [`files`], [`signature`]); what is judged and
//! by what ([`cedar`], [`prelude`], [`schema`], [`db`], [`policy`], [`settings`], [`plan`], [`facts`]); the judgment ([`request`], [`decision`],
//! [`approval`], [`record`], [`trust`]); what is observed and audited ([`evidence`], [`observe`], [`grants`], [`targets`], [`ledger`]); the review of
//! policies ([`subject`], [`findings`], [`lint`], [`prove`], [`review`]); what follows ([`explain`], [`authorization`], [`attestation`],
//! [`verification`], [`runtime`], [`project`]); what people see ([`layout`], [`render`], [`cli`]).

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
