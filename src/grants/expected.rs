//! The expected matrix on the objects that are there, and the state nearest to the live one in which it holds.

use super::matrix::{Grant, Matrix, Membership, Object, PUBLIC, Right, State};
use super::package::supported;
use super::{Difference, DifferenceKind};
use crate::settings::grants::{ConflictRight, GrantsSettings, ObjectKind, RoleSettings};
use std::collections::{BTreeMap, BTreeSet};

/// What is expected of each role, in terms of what is there.
pub struct Expected<'a> {
    settings: &'a GrantsSettings,
    matrix: &'a Matrix,
    rights: BTreeMap<&'a str, BTreeSet<Right>>,
    differences: Vec<Difference>,
}

impl<'a> Expected<'a> {
    /// Finds everything that the settings name.
    pub fn new(settings: &'a GrantsSettings, matrix: &'a Matrix) -> Self {
        let mut expected = Self { settings, matrix, rights: BTreeMap::new(), differences: Vec::new() };
        for (role, own) in &settings.roles {
            let mut rights = BTreeSet::new();
            for (kind, privilege, name) in own.rights() {
                let found = find(matrix, kind, privilege, name);
                if found.is_empty() && !name.ends_with(".*") {
                    expected.note(
                        role,
                        format!("{privilege} on the {} {name}", kind.noun()),
                        DifferenceKind::Absent,
                        false,
                    );
                }
                rights.extend(found);
            }
            if role != PUBLIC && !matrix.roles.contains_key(role) {
                expected.note(role, "the role itself".to_owned(), DifferenceKind::Absent, false);
            }
            expected.rights.insert(role, rights);
        }
        expected.note_what_is_not_covered();
        expected
    }

    /// Schemas that only one side knows, and conflicts whose rights are about nothing that is there.
    fn note_what_is_not_covered(&mut self) {
        let (settings, matrix) = (self.settings, self.matrix);
        let is_there = |name: &str| {
            matrix.objects.values().any(|object| object.kind == ObjectKind::Schema && object.schema == name)
        };
        for name in settings.schemas.iter().filter(|name| !is_there(name)) {
            self.note(PUBLIC, format!("the schema {name} of `schemas`"), DifferenceKind::Absent, false);
        }
        for (name, owner) in &matrix.unaudited {
            let right = format!("everything in the schema {name}, which `schemas` does not list");
            self.note(owner, right, DifferenceKind::Excess, false);
        }
        for (name, conflict) in &settings.conflicts {
            for right in conflict.rights.iter().filter(|right| of_conflict(right, matrix).is_empty()) {
                let Some((kind, of)) = right.object() else { continue };
                let right = format!("{} on the {} {of}", right.privilege, kind.noun());
                self.note(&format!("conflict {name}"), right, DifferenceKind::Absent, false);
            }
        }
    }

    /// The nearest state in which everything expected holds and nothing else, and what keeps the live one from being it.
    pub fn close(mut self) -> (State, Vec<Difference>) {
        let mut to = self.matrix.state.clone();
        // A role that nobody names may do nothing.
        let (none, matrix) = (RoleSettings::default(), self.matrix);
        let named = self.settings.roles.keys().map(String::as_str);
        let roles: BTreeSet<&str> = named.chain(matrix.roles.keys().map(String::as_str)).chain([PUBLIC]).collect();
        for role in roles {
            let own = self.settings.roles.get(role).unwrap_or(&none);
            if own.superuser || (role != PUBLIC && !self.matrix.roles.contains_key(role)) {
                continue;
            }
            // The server's own roles are what they are; who is in them is looked at.
            if !is_built_in(role) {
                self.beyond_grants(role, own);
            }
            self.take(role, own, &mut to);
        }
        to = supported(self.matrix, to);
        for role in self.groups_first() {
            self.give(role, &mut to);
        }
        (to, self.differences)
    }

    /// What a role has by what it is, which no REVOKE takes away.
    fn beyond_grants(&mut self, role: &str, own: &RoleSettings) {
        if self.matrix.is_superuser(role) {
            self.note(role, "everything, as superuser".to_owned(), DifferenceKind::Excess, false);
            return;
        }
        let matrix = self.matrix;
        for attribute in matrix.roles.get(role).into_iter().flatten().filter(|name| !own.attributes.contains(*name)) {
            self.note(role, attribute.clone(), DifferenceKind::Excess, false);
        }
        let owned: Vec<String> = self
            .matrix
            .objects
            .iter()
            .filter(|(_, object)| object.owner == role && !own.owns.contains(&object.schema))
            .map(|(key, _)| format!("everything on {key}, as owner"))
            .collect();
        for right in owned {
            self.note(role, right, DifferenceKind::Excess, false);
        }
    }

    /// Takes away what is given to a role and not expected.
    fn take(&mut self, role: &str, own: &RoleSettings, to: &mut State) {
        let of_role = |membership: &&Membership| membership.member == role && !is_from_the_beginning(membership);
        let joined: Vec<Membership> = to.members.iter().filter(of_role).cloned().collect();
        for membership in joined {
            if !own.member_of.contains(&membership.group) {
                to.members.remove(&membership);
                self.note(role, format!("MEMBER OF {}", membership.group), DifferenceKind::Excess, true);
            } else if membership.admin {
                to.members.remove(&membership);
                let right = format!("MEMBER OF {} WITH ADMIN OPTION", membership.group);
                to.members.insert(Membership { admin: false, ..membership });
                self.note(role, right, DifferenceKind::Excess, true);
            }
        }
        let given: Vec<Grant> = to.grants.iter().filter(|grant| grant.grantee == role).cloned().collect();
        for grant in given.into_iter().filter(|grant| self.matrix.owner(&grant.right) != role) {
            if !self.allows(role, &grant.right) {
                to.grants.remove(&grant);
                self.note(role, grant.right.to_string(), DifferenceKind::Excess, true);
            } else if grant.option {
                to.grants.remove(&grant);
                let right = format!("{} WITH GRANT OPTION", grant.right);
                to.grants.insert(Grant { option: false, ..grant });
                self.note(role, right, DifferenceKind::Excess, true);
            }
        }
    }

    /// Gives what is expected and not reached in any way.
    fn give(&mut self, role: &str, to: &mut State) {
        let Some(own) = self.settings.roles.get(role) else { return };
        if own.superuser || (role != PUBLIC && !self.matrix.roles.contains_key(role)) {
            return;
        }
        for group in &own.member_of {
            let is_in = |membership: &Membership| membership.member == role && membership.group == *group;
            if self.matrix.roles.contains_key(group) && !to.members.iter().any(is_in) {
                let (group, member) = (group.clone(), role.to_owned());
                self.note(role, format!("MEMBER OF {group}"), DifferenceKind::Missing, true);
                let (grantor, options) = (String::new(), String::new());
                to.members.insert(Membership { group, member, grantor, options, admin: false });
            }
        }
        for right in self.rights.get(role).cloned().unwrap_or_default() {
            if self.matrix.ways(to, role, &right, false).is_empty() {
                self.note(role, right.to_string(), DifferenceKind::Missing, true);
                let grantor = self.matrix.owner(&right).to_owned();
                to.grants.insert(Grant { right, grantee: role.to_owned(), grantor, option: false });
            }
        }
    }

    /// Whether a right is expected of a role itself, of what it is in, or of everybody.
    fn allows(&self, role: &str, right: &Right) -> bool {
        let of_table = Right { column: None, ..right.clone() };
        self.circle(role).iter().any(|member| {
            self.rights.get(member).is_some_and(|rights| rights.contains(right) || rights.contains(&of_table))
        })
    }

    /// A role, everybody, and what the settings say that it is in.
    fn circle(&self, role: &'a str) -> BTreeSet<&'a str> {
        let mut found = BTreeSet::from([role, PUBLIC]);
        loop {
            let groups = found.iter().filter_map(|role| self.settings.roles.get(*role)).flat_map(|own| &own.member_of);
            let next: Vec<&str> = groups.map(String::as_str).filter(|group| !found.contains(group)).collect();
            if next.is_empty() {
                return found;
            }
            found.extend(next);
        }
    }

    /// What a group is given its members need not be given.
    fn groups_first(&self) -> Vec<&'a str> {
        let mut roles: Vec<&str> = self.settings.roles.keys().map(String::as_str).collect();
        roles.sort_by_key(|role| (*role != PUBLIC, self.circle(role).len()));
        roles
    }

    fn note(&mut self, role: &str, right: String, kind: DifferenceKind, closed: bool) {
        self.differences.push(Difference { role: role.to_owned(), right, kind, closed });
    }
}

/// Whether the server made a role itself; nobody else can give such a name.
pub fn is_built_in(role: &str) -> bool {
    role.starts_with("pg_")
}

/// Whether initdb made a membership: of the server's own roles, which are in one another from the beginning.
fn is_from_the_beginning(membership: &Membership) -> bool {
    let groups = ["pg_read_all_settings", "pg_read_all_stats", "pg_stat_scan_tables"];
    membership.member == "pg_monitor" && groups.contains(&membership.group.as_str()) && !membership.admin
}

/// The overloads that a function's name without arguments would mean, where there are several.
pub fn overloads(settings: &GrantsSettings, matrix: &Matrix) -> Vec<(String, String, Vec<String>)> {
    let mut found = Vec::new();
    for (role, own) in &settings.roles {
        let bare = own
            .rights()
            .filter(|(kind, _, name)| *kind == ObjectKind::Function && !name.contains('(') && !name.ends_with(".*"));
        for (kind, privilege, name) in bare {
            let named: Vec<String> = find(matrix, kind, privilege, name)
                .into_iter()
                .map(|right| right.object.split_once(' ').map_or("", |(_, name)| name).to_owned())
                .collect();
            if named.len() > 1 {
                found.push((role.clone(), name.to_owned(), named));
            }
        }
    }
    found
}

/// The rights that a conflict means by one of its own: on each function of that name.
pub fn of_conflict(right: &ConflictRight, matrix: &Matrix) -> Vec<Right> {
    right.object().map(|(kind, name)| find(matrix, kind, &right.privilege, name)).unwrap_or_default()
}

/// Every right on what is there under a name.
fn find(matrix: &Matrix, kind: ObjectKind, privilege: &str, name: &str) -> Vec<Right> {
    let (of, column) = match kind {
        ObjectKind::Column => {
            (name.rsplit_once('.').map_or("", |(table, _)| table), name.rsplit_once('.').map(|(_, column)| column))
        }
        _ => (name, None),
    };
    let wanted = if kind == ObjectKind::Column { ObjectKind::Table } else { kind };
    let is_named = |key: &str, object: &Object| {
        let known = key.split_once(' ').map_or("", |(_, name)| name);
        match (kind, of.strip_suffix(".*")) {
            (ObjectKind::Database, _) => true,
            (_, Some(schema)) => object.schema == schema,
            (ObjectKind::Function, None) => known == of || known.split('(').next() == Some(of),
            (_, None) => known == of,
        }
    };
    matrix
        .objects
        .iter()
        .filter(|(key, object)| object.kind == wanted && is_named(key, object))
        .filter(|(_, object)| column.is_none_or(|column| object.columns.contains(column)))
        .map(|(key, _)| Right {
            object: key.clone(),
            column: column.map(str::to_owned),
            privilege: privilege.to_owned(),
        })
        .collect()
}
