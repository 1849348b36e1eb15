//! `cutter` decides by Cedar policies what an automated run may do to a production database, and proves what it did.
//!
//! The rooms, lowest first; imports go down only:
//! bytes, time, text and problems ([`digest`], [`time`], [`text`], [`problem`], [`progress`], [`json`], [`signature`]); nouns ([`schema`], [`policy`], [`config`],
//! [`plan`], [`facts`]); the judgment ([`request`], [`decision`]); what follows from it ([`document`], [`explain`]); the review
//! of policies ([`review`]); files and revisions ([`files`], [`git`]), databases ([`db`]), what is observed ([`evidence`]), what
//! was used and done ([`ledger`], [`runtime`]), who is trusted ([`trust`]), what is stated of it all ([`attestation`]); faces
//! ([`render`]); the door ([`cli`]).

pub mod approval;
pub mod attestation;
pub mod cli;
pub mod config;
pub mod db;
pub mod decision;
pub mod digest;
pub mod document;
pub mod evidence;
pub mod explain;
pub mod facts;
pub mod files;
pub mod git;
pub mod json;
pub mod ledger;
pub mod plan;
pub mod policy;
pub mod problem;
pub mod progress;
pub mod render;
pub mod request;
pub mod review;
pub mod runtime;
pub mod schema;
pub mod signature;
pub mod text;
pub mod time;
pub mod trust;
