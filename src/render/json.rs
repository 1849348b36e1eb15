//! JSON faces: one document, or one row a line.

use crate::layout::escaped_json;
use crate::record::Decisions;
use serde::Serialize;

/// Any record as indented JSON with a final newline.
pub fn document<T: Serialize>(record: &T) -> Result<String, serde_json::Error> {
    Ok(escaped_json(serde_json::to_string_pretty(record)? + "\n"))
}

/// One row a line; `principal`, `action`, `resource` and `context` of each are a request for `cedar authorize`.
pub fn lines(decisions: &Decisions) -> Result<String, serde_json::Error> {
    decisions.decisions.iter().map(|row| Ok(escaped_json(serde_json::to_string(row)? + "\n"))).collect()
}
