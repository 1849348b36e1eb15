//! Definitions of a catalog: what of one is another, what a mark says that moved, and which counters that explains.

use super::super::Observation;
use super::super::comparison::RowStatus;
use super::window::short;
use crate::settings::evidence::{SELDOM, tables_of};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The columns that differ between two definitions.
pub(super) fn change(before: &str, after: &str) -> String {
    let columns = |text: &str| serde_json::from_str::<Map<String, Value>>(text).ok();
    let (Some(a), Some(b)) = (columns(before), columns(after)) else {
        return format!("{} -> {}", short(before), short(after));
    };
    let shown = |value: Option<&Value>| value.map_or("none".to_owned(), |value| short(value.as_str().unwrap_or("?")));
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let names = names.into_iter().filter(|name| a.get(*name) != b.get(*name));
    let all: Vec<String> =
        names.map(|name| format!("{name} {} -> {}", shown(a.get(name)), shown(b.get(name)))).collect();
    all.join(", ")
}

/// What it says that the mark of a definition moved and its value did not.
///
/// A mark is the transaction that wrote the row last, then what else of the row may have been the reason.
pub(super) fn moved(name: &str, value: &str, before: &str, after: &str) -> (RowStatus, String) {
    let part = |mark: &str, name: &str| -> Option<String> {
        mark.split(' ').find_map(|part| part.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
    };
    let differs = |name: &str| part(before, name) != part(after, name);
    if differs("beside") {
        let text =
            format!("{name}: its row was written for something else, and what was put back with that does not show");
        return (RowStatus::Unknown, text);
    }
    if differs("storage") {
        return match is_kept_beside(value) {
            true => (RowStatus::Unchanged, format!("{name}: rebuilt")),
            false => {
                (RowStatus::Changed, format!("{name}: its rows were rewritten, or it was changed and changed back"))
            }
        };
    }
    let hides = value.contains(": \"set\"");
    let words = if hides { "written; whether its secret is the same is not shown" } else { "written, and put back" };
    (RowStatus::Changed, format!("{name}: {words}"))
}

/// Whether what is seen to have been rebuilt accounts for every row that was counted.
pub(super) fn explains(a: &Observation, b: &Observation, moved: &BTreeMap<String, i64>) -> bool {
    if a.id.name() != STORED || a.values != b.values {
        return false;
    }
    let rebuilt = a.traces.iter().filter(|(name, before)| {
        let is_another = b.traces.get(*name).is_some_and(|after| after != *before);
        is_another && a.values.get(*name).is_some_and(|value| is_kept_beside(value))
    });
    let rebuilt = i64::try_from(rebuilt.count()).unwrap_or(0);
    moved.len() == 1 && moved.get("pg_class updated") == Some(&rebuilt)
}

/// Whether all that a family is counted by is written by nobody who does not mean it.
pub(super) fn is_seldom(family: &str) -> bool {
    tables_of(family).iter().all(|table| SELDOM.contains(table))
}

/// An index, or what is kept beside a table.
fn is_kept_beside(value: &str) -> bool {
    ["i", "I", "t"].iter().any(|kind| value.contains(&format!("\"relkind\": \"{kind}\"")))
}

/// The family whose marks also say where rows lie.
const STORED: &str = "relations";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_columns_that_differ_are_shown() {
        let (before, after) = (r#"{"relname": "t", "relacl": "{a=r/b}"}"#, r#"{"relname": "t", "relowner": "x"}"#);
        assert_eq!(change(before, after), "relacl {a=r/b} -> none, relowner none -> x");
        assert_eq!(change("sha256 a", "sha256 b"), "sha256 a -> sha256 b");
    }
}
