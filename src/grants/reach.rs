//! What a role reaches: by itself, as a member, through PUBLIC, as owner, as superuser.

use super::matrix::{Matrix, PUBLIC, Right, State};
use crate::settings::grants::ObjectKind;
use std::collections::BTreeSet;

impl Matrix {
    /// Every role that somebody can act as: itself and what it is in, directly or not, whoever inherits.
    fn closure<'a>(&'a self, state: &'a State, role: &'a str) -> BTreeSet<&'a str> {
        let mut found = BTreeSet::from([role]);
        if role == PUBLIC {
            return found;
        }
        loop {
            let next: BTreeSet<&str> = state
                .members
                .iter()
                .filter(|known| found.contains(known.member.as_str()) && known.is_usable())
                .map(|known| known.group.as_str())
                .chain(self.owns_database(&found).then_some("pg_database_owner"))
                .filter(|group| !found.contains(group))
                .collect();
            if next.is_empty() {
                return found;
            }
            found.extend(next);
        }
    }

    fn has(&self, role: &str, attribute: &str) -> bool {
        self.roles.get(role).is_some_and(|attributes| attributes.contains(attribute))
    }

    fn owns_database(&self, roles: &BTreeSet<&str>) -> bool {
        self.objects.values().any(|object| object.kind == ObjectKind::Database && roles.contains(object.owner.as_str()))
    }

    /// All the ways in which a role has a right in a state; none if it does not have it.
    ///
    /// With `any_column` a right on one column is one on the table.
    pub fn ways(&self, state: &State, role: &str, right: &Right, any_column: bool) -> Vec<String> {
        let mut ways = Vec::new();
        let given = |grantee: &str| {
            state.grants.iter().any(|grant| {
                grant.grantee == grantee
                    && grant.right.object == right.object
                    && grant.right.privilege == right.privilege
                    && (grant.right.column.is_none() || grant.right.column == right.column || any_column)
            })
        };
        let circle = self.closure(state, role);
        // For a conflict it counts also what a role can make itself a member of.
        if any_column && self.createrole_joins && circle.iter().any(|member| self.has(member, "CREATEROLE")) {
            let joined = self.roles.keys().map(String::as_str).filter(|other| !circle.contains(other));
            for other in joined.filter(|other| !self.is_superuser(other)) {
                let is_over = self.closure(state, other).iter().any(|member| self.is_superuser(member));
                if is_over || self.owner(right) == other || given(other) || self.is_built_in(other, right) {
                    ways.push(format!("by CREATEROLE, as a member of {other}"));
                }
            }
        }
        for member in circle {
            let by = if member == role { String::new() } else { format!("as a member of {member}, ") };
            if self.is_superuser(member) {
                ways.push(format!("{by}as superuser"));
            } else if self.owner(right) == member {
                ways.push(format!("{by}as owner"));
            } else if let Some(what) = self.by_server(member, right).filter(|_| any_column) {
                ways.push(format!("as a member of {member}, {what}"));
            } else if given(member) || self.is_built_in(member, right) {
                ways.push(if by.is_empty() { "directly".to_owned() } else { by.trim_end_matches(", ").to_owned() });
            }
        }
        if role != PUBLIC && given(PUBLIC) {
            ways.push("through PUBLIC".to_owned());
        }
        // For a conflict it counts also what is done in somebody else's name.
        if any_column && ways.is_empty() {
            ways = self.detours(state, role, right);
        }
        ways
    }

    /// What the server's own roles may do without its being written anywhere.
    fn is_built_in(&self, role: &str, right: &Right) -> bool {
        let Some(kind) = self.objects.get(&right.object).map(|object| object.kind) else { return false };
        match (role, kind) {
            ("pg_read_all_data" | "pg_write_all_data", ObjectKind::Schema) => right.privilege == "USAGE",
            ("pg_read_all_data", ObjectKind::Table | ObjectKind::Sequence) => right.privilege == "SELECT",
            ("pg_write_all_data", ObjectKind::Table) => {
                matches!(right.privilege.as_str(), "INSERT" | "UPDATE" | "DELETE")
            }
            ("pg_write_all_data", ObjectKind::Sequence) => matches!(right.privilege.as_str(), "UPDATE" | "USAGE"),
            _ => false,
        }
    }
}
