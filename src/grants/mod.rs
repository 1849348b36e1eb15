//! The audit of grants: the live matrix beside the expected one, and a package that makes them equal.

mod bridges;
mod expected;
mod matrix;
mod package;
mod reach;

use crate::db::{Access, DatabaseError};
use crate::problem::{Problem, Problems};
use crate::settings::grants::GrantsSettings;
use expected::Expected;
use matrix::{Matrix, PUBLIC, Right, State};
use serde::{Deserialize, Serialize};

/// What the audit found, version 1.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantAudit {
    /// The version of this form, 1.
    pub version: u32,
    /// The database's name.
    pub database: String,
    /// What comes of it.
    pub status: GrantStatus,
    /// Where live and expected matrix differ, sorted by role and right.
    pub differences: Vec<Difference>,
    /// Who holds rights that nobody may hold together, sorted.
    pub conflicts: Vec<Conflict>,
    /// The statements that close what GRANT and REVOKE can close.
    pub package: Vec<String>,
    /// The statements that undo them.
    pub inverse: Vec<String>,
    /// What the audit does not look at, or cannot tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_looked_at: Vec<String>,
    /// Why the matrix could not be read, where it could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// What comes of an audit; a later one is worse.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum GrantStatus {
    /// Live and expected matrix are the same, and nobody holds what must not come together.
    Matches,
    /// They are not, or somebody does.
    Differs,
    /// The live one could not be read.
    Unknown,
}

/// One difference between the live and the expected matrix.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// Whose right it is; `public` is everybody.
    pub role: String,
    /// The right, as GRANT calls it.
    pub right: String,
    /// In which direction.
    pub kind: DifferenceKind,
    /// Whether the package closes it.
    pub closed: bool,
}

/// In which direction a right differs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DifferenceKind {
    /// It is expected, and the role does not have it in any way.
    Missing,
    /// The role has it, and it is not expected.
    Excess,
    /// The matrix names something that is not there.
    Absent,
}

/// A role that holds rights which nobody may hold together.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conflict {
    /// The conflict's name in the configuration.
    pub name: String,
    /// Who holds them.
    pub role: String,
    /// What that one could do.
    pub why: String,
    /// The rights, each with the ways in which it is held.
    pub rights: Vec<HeldRight>,
    /// The ruling by which it is accepted, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
}

/// A right and the ways in which a role holds it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldRight {
    /// The right, as GRANT calls it.
    pub right: String,
    /// Directly, through PUBLIC, as a member, as owner, as superuser.
    pub through: Vec<String>,
}

/// Reads the live matrix, and says where it differs and what would close that. It applies nothing.
pub fn audit(settings: &GrantsSettings, access: &Access) -> Result<GrantAudit, Problems> {
    settings.expect_something()?;
    let failed = |error: &DatabaseError| error.problem("the grants cannot be read");
    let mut session = access.open()?;
    let mut snapshot = session.begin().map_err(|error| failed(&error))?;
    let database = snapshot.text("SELECT current_database()::text").map_err(|error| failed(&error))?;
    let database = database.unwrap_or_default();
    match Matrix::read(&mut snapshot, &settings.schemas) {
        Ok(matrix) => {
            refuse_bare_names(settings, &matrix)?;
            Ok(judge(settings, &matrix, database))
        }
        Err(error) if error.is_final() => Err(failed(&error).into()),
        Err(error) => Ok(GrantAudit {
            version: 1,
            database,
            status: GrantStatus::Unknown,
            differences: Vec::new(),
            conflicts: Vec::new(),
            package: Vec::new(),
            inverse: Vec::new(),
            not_looked_at: Vec::new(),
            unknown: Some(error.to_string()),
        }),
    }
}

/// A name that means several functions would be expected of whichever is made next.
fn refuse_bare_names(settings: &GrantsSettings, matrix: &Matrix) -> Result<(), Problems> {
    let mut problems = Problems::new();
    for (role, name, named) in expected::overloads(settings, matrix) {
        let named: Vec<&str> = named.iter().map(String::as_str).collect();
        problems.push(
            Problem::invalid(format!(
                "`{role}` of `[grants]` names the function `{name}`, of which there are {}",
                named.len()
            ))
            .help(format!("write which is meant, with its arguments: {}", crate::json::in_backticks(&named))),
        );
    }
    problems.or(())
}

fn judge(settings: &GrantsSettings, matrix: &Matrix, database: String) -> GrantAudit {
    let (to, mut differences) = Expected::new(settings, matrix).close();
    differences.sort();
    let conflicts = conflicts(settings, matrix, &matrix.state);
    let is_open = !differences.is_empty() || conflicts.iter().any(|conflict| conflict.accepted.is_none());
    GrantAudit {
        version: 1,
        database,
        status: if is_open { GrantStatus::Differs } else { GrantStatus::Matches },
        differences,
        conflicts,
        package: package::statements(matrix, &matrix.state, &to),
        // What hung on nothing comes back from the owner.
        inverse: package::statements(matrix, &to, &package::supported(matrix, matrix.state.clone())),
        not_looked_at: matrix.not_looked_at.clone(),
        unknown: None,
    }
}

/// Every role, and everybody, that holds all rights of a conflict.
fn conflicts(settings: &GrantsSettings, matrix: &Matrix, state: &State) -> Vec<Conflict> {
    let mut found = Vec::new();
    for (name, conflict) in &settings.conflicts {
        let rights: Vec<Vec<Right>> =
            conflict.rights.iter().map(|right| expected::of_conflict(right, matrix)).collect();
        // The server's own roles act through their members only.
        let roles = matrix.roles.keys().map(String::as_str).filter(|role| !expected::is_built_in(role));
        for role in roles.chain([PUBLIC]) {
            let held: Vec<HeldRight> = rights.iter().filter_map(|any| held(matrix, state, role, any)).collect();
            if !held.is_empty() && held.len() == rights.len() {
                let accepted = conflict.accepted.get(role).cloned();
                let (name, role, why) = (name.clone(), role.to_owned(), conflict.why.clone());
                found.push(Conflict { name, role, why, rights: held, accepted });
            }
        }
    }
    found.sort();
    found
}

/// The first of these rights that a role holds.
fn held(matrix: &Matrix, state: &State, role: &str, any: &[Right]) -> Option<HeldRight> {
    any.iter().find_map(|right| {
        let through = matrix.ways(state, role, right, true);
        (!through.is_empty()).then(|| HeldRight { right: right.to_string(), through })
    })
}
