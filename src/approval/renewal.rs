//! Renewing an approval: what has changed since a document was written.

use super::document::ApprovalDocument;
use super::row::{ApprovedRow, cedar_text};
use crate::problem::Source;
use std::collections::BTreeSet;

/// A document that lies where a new one for its gate is to go.
pub struct Renewal {
    /// Its gate.
    pub gate: String,
    /// What has changed since it was written, one line each; empty where nothing has, and it stays.
    pub changes: Vec<String>,
}

impl Renewal {
    /// Compares the document that lies there with the one that would be written now.
    pub fn of(old: &Source, new: &ApprovalDocument) -> Self {
        let changes = match ApprovalDocument::parse(old) {
            Ok(old) => changes(&old, new),
            Err(_) => vec!["it is not an approval in the current format".to_owned()],
        };
        Self { gate: new.gate.clone(), changes }
    }
}

/// Everything that an approver of the old document did not see, one line each.
fn changes(old: &ApprovalDocument, new: &ApprovalDocument) -> Vec<String> {
    let mut changes = Vec::new();
    for (what, old, new) in [
        ("run", &old.run, &new.run),
        ("ledger", &old.ledger, &new.ledger),
        ("plan", &old.plan_sha256, &new.plan_sha256),
        ("policies", &old.policies_sha256, &new.policies_sha256),
    ] {
        if old != new {
            changes.push(format!("the {what} was {old}, and is {new}"));
        }
    }
    let names: BTreeSet<&String> = old.target.0.keys().chain(new.target.0.keys()).collect();
    for name in names {
        let (was, is) = (old.target.field(name), new.target.field(name));
        if was != is {
            changes.push(format!("the target's {name} was `{was}`, and is `{is}`"));
        }
    }
    let names: BTreeSet<String> = old.actions().into_iter().chain(new.actions()).collect();
    for name in names {
        let find = |document: &ApprovalDocument| document.rows.iter().find(|row| row.id == name).cloned();
        match (find(old), find(new)) {
            (Some(was), Some(is)) => changes.extend(of_row(&was, &is)),
            (None, _) => changes.push(format!("the row `{name}` was added")),
            (Some(_), None) => changes.push(format!("the row `{name}` was taken away")),
        }
    }
    changes
}

/// What differs between a row and itself.
fn of_row(old: &ApprovedRow, new: &ApprovedRow) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: &str, was: String, is: String| {
        if was != is {
            found.push(format!("the {what} of row `{}` was `{was}`, and is `{is}`", new.id));
        }
    };
    compare("principal", old.principal.clone(), new.principal.clone());
    compare("action", old.action.clone(), new.action.clone());
    compare("resource", old.resource.clone(), new.resource.clone());
    let names: BTreeSet<&String> = old.parameters.keys().chain(new.parameters.keys()).collect();
    for name in names {
        let value = |row: &ApprovedRow| row.parameters.get(name).map_or_else(|| "nothing".to_owned(), cedar_text);
        compare(&format!("parameter `{name}`"), value(old), value(new));
    }
    let line =
        |row: &ApprovedRow| row.work.as_ref().map_or_else(|| "nothing".to_owned(), crate::plan::WorkRecord::line);
    compare("work", line(old), line(new));
    if found.is_empty() && old.work != new.work {
        found.push(format!("the work of row `{}` is declared otherwise: pins, role, or what it changes", new.id));
    }
    found
}
