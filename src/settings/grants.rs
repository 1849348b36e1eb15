//! `[grants]` of `cutter.toml`: what each role may do, and which rights nobody may hold together. Data; nothing knows a domain.

use crate::problem::{Problem, Problems};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// What a right is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ObjectKind {
    /// The database itself.
    Database,
    /// A schema.
    Schema,
    /// A table, view, materialised view, partitioned or foreign table.
    Table,
    /// A column of one.
    Column,
    /// A sequence.
    Sequence,
    /// A function or procedure.
    Function,
}

impl ObjectKind {
    /// How messages call it.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Schema => "schema",
            Self::Table => "table",
            Self::Column => "column",
            Self::Sequence => "sequence",
            Self::Function => "function",
        }
    }

    /// The privileges there are.
    pub fn privileges(self) -> &'static [&'static str] {
        match self {
            Self::Database => &["CONNECT", "CREATE", "TEMPORARY"],
            Self::Schema => &["CREATE", "USAGE"],
            Self::Table => &["DELETE", "INSERT", "MAINTAIN", "REFERENCES", "SELECT", "TRIGGER", "TRUNCATE", "UPDATE"],
            Self::Column => &["INSERT", "REFERENCES", "SELECT", "UPDATE"],
            Self::Sequence => &["SELECT", "UPDATE", "USAGE"],
            Self::Function => &["EXECUTE"],
        }
    }

    /// How a name of it is written.
    pub fn form(self) -> &'static str {
        match self {
            Self::Database => "",
            Self::Schema => "schema",
            Self::Table | Self::Sequence | Self::Function => "schema.name",
            Self::Column => "schema.table.column",
        }
    }

    /// The kind that the server calls so.
    pub fn parse(noun: &str) -> Option<Self> {
        [Self::Database, Self::Schema, Self::Table, Self::Sequence, Self::Function]
            .into_iter()
            .find(|kind| kind.noun() == noun)
    }
}

/// The expected matrix, and what must not come together.
#[derive(Clone, Default, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GrantsSettings {
    /// The schemas whose objects are audited, and the database itself.
    pub schemas: Vec<String>,
    /// What each role may do, and no more; `public` is everybody. A role that is not named may do nothing.
    pub roles: BTreeMap<String, RoleSettings>,
    /// Rights that nobody may hold together, by the name of the conflict.
    pub conflicts: BTreeMap<String, ConflictSettings>,
}

/// What one role may do. Lists are by privilege; `schema.*` is every object of that kind in the schema.
#[derive(Clone, Default, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoleSettings {
    /// Whether it is a superuser, whose rights are not compared.
    pub superuser: bool,
    /// What it may be: `CREATEDB`, `CREATEROLE`, `REPLICATION`, `BYPASSRLS`.
    pub attributes: BTreeSet<String>,
    /// Schemas whose objects it may own; the schema itself is one, and an empty name is the database.
    pub owns: BTreeSet<String>,
    /// Roles that it is a member of; each is named under `roles` as well.
    pub member_of: BTreeSet<String>,
    /// Privileges on the database.
    pub database: Vec<String>,
    /// Schemas.
    pub schemas: BTreeMap<String, Vec<String>>,
    /// Tables, views and the like, by `schema.name`.
    pub tables: BTreeMap<String, Vec<String>>,
    /// Columns, by `schema.table.column`.
    pub columns: BTreeMap<String, Vec<String>>,
    /// Sequences, by `schema.name`.
    pub sequences: BTreeMap<String, Vec<String>>,
    /// Functions and procedures, by `schema.name(types)`, or `schema.name` where there is only one of that name.
    pub functions: BTreeMap<String, Vec<String>>,
}

/// Rights that nobody may hold together.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConflictSettings {
    /// What whoever holds all of them could do.
    pub why: String,
    /// The rights.
    pub rights: Vec<ConflictRight>,
    /// Roles of which it is known and accepted, and by what ruling.
    #[serde(default)]
    pub accepted: BTreeMap<String, String>,
}

/// One right of a conflict: on exactly one thing. A right on one column is a right on the table.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConflictRight {
    /// Such as `INSERT`.
    pub privilege: String,
    /// A table, by `schema.name`.
    pub table: Option<String>,
    /// A function, by `schema.name` for each of that name, or `schema.name(types)`.
    pub function: Option<String>,
}

impl RoleSettings {
    /// Everything it names: kind, privilege, name.
    pub fn rights(&self) -> impl Iterator<Item = (ObjectKind, &str, &str)> {
        let lists = [
            (ObjectKind::Schema, &self.schemas),
            (ObjectKind::Table, &self.tables),
            (ObjectKind::Column, &self.columns),
            (ObjectKind::Sequence, &self.sequences),
            (ObjectKind::Function, &self.functions),
        ];
        let named = lists.into_iter().flat_map(|(kind, list)| {
            list.iter().flat_map(move |(privilege, names)| {
                names.iter().map(move |name| (kind, privilege.as_str(), name.as_str()))
            })
        });
        self.database.iter().map(|privilege| (ObjectKind::Database, privilege.as_str(), "")).chain(named)
    }
}

impl RoleSettings {
    /// Whether it may change rows of this table, `schema.name`.
    pub fn may_write(&self, table: &str) -> bool {
        const WRITES: [&str; 4] = ["INSERT", "UPDATE", "DELETE", "TRUNCATE"];
        let schema = table.split('.').next().unwrap_or_default();
        let is_own = |name: &str| match name.rsplit_once('.') {
            Some((table_of, _)) if name.split('.').count() == 3 => table_of == table,
            Some((schema_of, "*")) => schema_of == schema,
            _ => name == table,
        };
        let by_right = self.rights().any(|(kind, privilege, name)| {
            matches!(kind, ObjectKind::Table | ObjectKind::Column) && WRITES.contains(&privilege) && is_own(name)
        });
        by_right || self.owns.contains(schema)
    }
}

impl ConflictRight {
    /// Its kind and name.
    pub fn object(&self) -> Option<(ObjectKind, &str)> {
        match (&self.table, &self.function) {
            (Some(name), None) => Some((ObjectKind::Table, name)),
            (None, Some(name)) => Some((ObjectKind::Function, name)),
            _ => None,
        }
    }
}

impl GrantsSettings {
    /// Refuses settings that expect nothing of anybody: against them everything is an excess.
    pub fn expect_something(&self) -> Result<(), Problem> {
        match self.roles.is_empty() || self.schemas.is_empty() {
            true => Err(Problem::invalid("`[grants]` does not say what is expected")
                .help("add `schemas = [...]` and a `[grants.roles.NAME]` for each role")),
            false => Ok(()),
        }
    }

    /// Says what of it cannot be audited as written.
    pub(super) fn check(&self) -> Result<(), Problems> {
        let mut problems = Problems::new();
        problems.absorb(self.expect_something().map_err(Problems::from));
        let mut wrong = |text: String, help: String| problems.push(Problem::invalid(text).help(help));
        for (role, settings) in &self.roles {
            for (kind, privilege, name) in settings.rights() {
                if !kind.privileges().contains(&privilege) {
                    let known = kind.privileges().join(", ");
                    wrong(
                        format!("`{role}` of `[grants]` has `{privilege}` on a {}", kind.noun()),
                        format!("there {} {known}", if kind.privileges().len() == 1 { "is" } else { "are" }),
                    );
                }
                if kind != ObjectKind::Database && !self.covers(kind, name) {
                    wrong(
                        format!("`{role}` of `[grants]` names the {} `{name}`", kind.noun()),
                        format!("write `{}`, in one of its `schemas`", kind.form()),
                    );
                }
            }
            for group in
                settings.member_of.iter().filter(|group| !self.roles.contains_key(*group) && !group.starts_with("pg_"))
            {
                wrong(
                    format!("`{role}` of `[grants]` is a member of `{group}`, of which nothing is said"),
                    format!("add `[grants.roles.{group}]`"),
                );
            }
        }
        for (name, conflict) in &self.conflicts {
            if conflict.rights.is_empty() || conflict.rights.iter().any(|right| right.object().is_none()) {
                wrong(
                    format!("the conflict `{name}` of `[grants]` is not complete"),
                    "each of its `rights` has a `privilege`, and a `table` or a `function`".to_owned(),
                );
            }
            for right in &conflict.rights {
                let Some((kind, object)) = right.object() else { continue };
                if !kind.privileges().contains(&right.privilege.as_str()) {
                    wrong(
                        format!("the conflict `{name}` of `[grants]` has `{}` on a {}", right.privilege, kind.noun()),
                        format!("write one of {}", kind.privileges().join(", ")),
                    );
                }
                if !self.covers(kind, object) {
                    wrong(
                        format!("the conflict `{name}` of `[grants]` names the {} `{object}`", kind.noun()),
                        format!("write `{}`, in one of its `schemas`", kind.form()),
                    );
                }
            }
        }
        problems.or(())
    }

    /// Whether a name has the form of its kind and lies in an audited schema.
    fn covers(&self, kind: ObjectKind, name: &str) -> bool {
        let parts = if kind == ObjectKind::Function { name.splitn(2, '.').count() } else { name.split('.').count() };
        let wanted = match kind {
            ObjectKind::Schema => 1,
            ObjectKind::Column => 3,
            _ => 2,
        };
        let schema = name.split('.').next().unwrap_or_default();
        parts == wanted && !name.split('.').any(str::is_empty) && self.schemas.iter().any(|known| known == schema)
    }
}
