//! The faces of a record. They translate; they never decide and never drop a row.

pub mod approvals;
pub mod attestation;
pub mod evidence;
pub mod explanation;
pub mod grants;
pub mod journal;
pub mod json;
pub mod markdown;
pub mod problems;
pub mod review;
pub mod table;
pub mod targets;
pub mod witness;

pub use crate::text::printable;

/// How the terminal wants it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    /// Columns there are.
    pub width: u16,
    /// Whether colour is wanted.
    pub color: bool,
}

/// The id of an entity or action written as `Namespace::Type::"id"`, where the type is plain from what surrounds it.
pub fn short(uid: &str) -> &str {
    let after = uid.find("::\"").map_or(uid, |at| uid.get(at + 3..).unwrap_or(uid));
    after.strip_suffix('"').unwrap_or(after)
}
