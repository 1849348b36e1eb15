//! From one state of rights to another by GRANT and REVOKE statements; nothing is applied.

use super::matrix::{Grant, Matrix, Membership, PUBLIC, Right, State};
use crate::db::identifier;
use crate::text::printable;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// The statements that lead from one state to another, to be run by a superuser in one transaction.
///
/// A superuser gives and takes in the name of an object's owner; what somebody else gave is taken in that one's name.
pub fn statements(matrix: &Matrix, from: &State, to: &State) -> Vec<String> {
    let mut sql = Vec::new();
    for membership in from.members.difference(&to.members) {
        let with = |admin: bool| Membership { admin, ..membership.clone() };
        if to.members.contains(&with(!membership.admin)) {
            if membership.admin {
                sql.push(format!("REVOKE ADMIN OPTION FOR {}{};", named(membership, "FROM"), granted_by(membership)));
            }
            continue;
        }
        sql.push(format!("REVOKE {}{};", named(membership, "FROM"), granted_by(membership)));
    }
    let mut now = from.clone();
    let mut revoked: Vec<(usize, &Grant, bool)> = Vec::new();
    for grant in from.grants.difference(&to.grants) {
        let without_option = Grant { option: false, ..grant.clone() };
        let keeps = grant.option && to.grants.contains(&without_option);
        if !grant.option && to.grants.contains(&Grant { option: true, ..grant.clone() }) {
            // The option is added to what is there.
            continue;
        }
        revoked.push((depth(matrix, from, grant), grant, keeps));
        now.grants.remove(grant);
        if keeps {
            now.grants.insert(without_option);
        } else if grant.right.column.is_none() {
            // What is taken on a table is taken on each of its columns.
            now.grants.retain(|other| !is_column_of(other, grant));
        }
    }
    // What somebody gave on goes before that one's own right, and what hangs on nothing before what its giver has.
    let place = |depth: usize, grant: &Grant| (Reverse(depth), !hangs(matrix, from, grant));
    revoked.sort_by(|a, b| {
        let order = place(a.0, a.1).cmp(&place(b.0, b.1));
        order.then_with(|| statement_order(a.1, a.2).cmp(&statement_order(b.1, b.2)))
    });
    let revoked: Vec<(&Grant, bool)> = revoked.into_iter().map(|(_, grant, keeps)| (grant, keeps)).collect();
    let hanging: BTreeSet<&Grant> =
        revoked.iter().map(|(grant, _)| *grant).filter(|grant| hangs(matrix, from, grant)).collect();
    // Each giver's option once, whomever he gave to; those on columns are taken back first.
    let lent: BTreeSet<Grant> = hanging.iter().map(|grant| lent(matrix, grant)).collect();
    let mut open = false;
    for run in runs(&revoked) {
        let Some((first, keeps)) = run.first().copied() else { continue };
        let hangs = run.iter().any(|(grant, _)| hanging.contains(grant));
        if hangs && !open {
            sql.extend(lent.iter().map(|option| lend(matrix, option)));
            open = true;
        } else if open && !hangs {
            sql.extend(lent.iter().rev().map(|option| take_back(matrix, from, option)));
            open = false;
        }
        let option = if keeps { "GRANT OPTION FOR " } else { "" };
        let (what, whom) = (rights(matrix, &run), grantee(&first.grantee));
        in_name(matrix, first, format!("REVOKE {option}{what} FROM {whom};"), &mut sql);
    }
    if open {
        sql.extend(lent.iter().rev().map(|option| take_back(matrix, from, option)));
    }
    // What is taken back on a table is taken on each of its columns.
    for option in lent.iter().filter(|option| option.right.column.is_none()) {
        now.grants.retain(|other| {
            from.grants.contains(&Grant { option: false, ..option.clone() }) || !is_column_of(other, option)
        });
    }
    let mut given: Vec<(usize, &Grant, bool)> =
        to.grants.difference(&now.grants).map(|grant| (depth(matrix, to, grant), grant, grant.option)).collect();
    given.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| statement_order(a.1, a.2).cmp(&statement_order(b.1, b.2))));
    let given: Vec<(&Grant, bool)> = given.into_iter().map(|(_, grant, option)| (grant, option)).collect();
    for run in runs(&given) {
        let Some((first, option)) = run.first().copied() else { continue };
        let option = if option { " WITH GRANT OPTION" } else { "" };
        let (what, whom) = (rights(matrix, &run), grantee(&first.grantee));
        in_name(matrix, first, format!("GRANT {what} TO {whom}{option};"), &mut sql);
    }
    for membership in to.members.difference(&from.members) {
        let without = !membership.admin && from.members.contains(&Membership { admin: true, ..membership.clone() });
        if without {
            continue;
        }
        let options = match (membership.admin, membership.options.as_str()) {
            (false, "") => String::new(),
            (true, "") => " WITH ADMIN OPTION".to_owned(),
            (admin, options) => format!(" WITH ADMIN {}, {options}", if admin { "TRUE" } else { "FALSE" }),
        };
        let joined = named(membership, "TO");
        sql.push(format!("GRANT {joined}{options}{};", granted_by(membership)));
    }
    sql.iter().map(|statement| shown(statement)).collect()
}

/// The same statement, and what a terminal would obey in a quoted name written by its number.
fn shown(statement: &str) -> String {
    if printable(statement) == statement {
        return statement.to_owned();
    }
    let mut text = String::new();
    let mut letters = statement.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '"' {
            text.push(letter);
            continue;
        }
        let mut name = String::new();
        while let Some(letter) = letters.next() {
            match letter {
                '"' if letters.next_if_eq(&'"').is_none() => break,
                '"' => name.push_str("\"\""),
                other => name.push(other),
            }
        }
        text.push_str(&quoted(&name));
    }
    text
}

/// A name whose quotes are doubled already, as SQL takes it.
fn quoted(name: &str) -> String {
    if printable(name) == name {
        return format!("\"{name}\"");
    }
    let numbered = |letter: char| match printable(letter.encode_utf8(&mut [0; 4])) {
        same if same == letter.to_string() && letter != '\\' => same,
        _ => format!("\\+{:06X}", u32::from(letter)),
    };
    format!("U&\"{}\"", name.chars().map(numbered).collect::<String>())
}

/// A state in which everything that was given on is held by somebody who may give it.
///
/// What hung on an option that is gone is given by the owner instead, so that nobody else loses anything.
pub fn supported(matrix: &Matrix, mut state: State) -> State {
    loop {
        let hanging = state.grants.iter().find(|grant| hangs(matrix, &state, grant)).cloned();
        let Some(grant) = hanging else { return state };
        state.grants.remove(&grant);
        let owner = matrix.owner(&grant.right).to_owned();
        if owner == grant.grantee {
            continue;
        }
        // One giver gives one right to somebody once, with the option or without.
        let (with, without) = (
            Grant { grantor: owner.clone(), option: true, ..grant.clone() },
            Grant { grantor: owner, option: false, ..grant.clone() },
        );
        if grant.option || state.grants.contains(&with) {
            state.grants.remove(&without);
            state.grants.insert(with);
        } else {
            state.grants.insert(without);
        }
    }
}

/// The grant from which somebody who is not the owner gives this one.
fn giver<'a>(state: &'a State, grant: &Grant) -> Option<&'a Grant> {
    state.grants.iter().find(|other| {
        other.option
            && other.grantee == grant.grantor
            && other.right.object == grant.right.object
            && other.right.privilege == grant.right.privilege
            && (other.right.column.is_none() || other.right.column == grant.right.column)
    })
}

/// Whether a right was given from an option that is gone. The server lets one on a column stand when the option on the
/// table goes, and what was given on from there; then nobody can take it but in the name of its giver, who no longer may.
fn hangs(matrix: &Matrix, state: &State, grant: &Grant) -> bool {
    grant.grantor != matrix.owner(&grant.right) && giver(state, grant).is_none()
}

/// The option with which a giver can take what hangs.
fn lent(matrix: &Matrix, grant: &Grant) -> Grant {
    let (grantee, grantor) = (grant.grantor.clone(), matrix.owner(&grant.right).to_owned());
    Grant { right: grant.right.clone(), grantee, grantor, option: true }
}

fn lend(matrix: &Matrix, option: &Grant) -> String {
    let what = rights(matrix, &[(option, true)]);
    format!("GRANT {what} TO {} WITH GRANT OPTION;", identifier(&option.grantee))
}

/// Leaves the giver what was there before.
fn take_back(matrix: &Matrix, state: &State, option: &Grant) -> String {
    let keeps = state.grants.contains(&Grant { option: false, ..option.clone() });
    let keeps = if keeps { "GRANT OPTION FOR " } else { "" };
    format!("REVOKE {keeps}{} FROM {};", rights(matrix, &[(option, true)]), identifier(&option.grantee))
}

/// How many hands a right went through before; 0 from the owner.
fn depth(matrix: &Matrix, state: &State, grant: &Grant) -> usize {
    let mut depth = 0;
    let mut current = grant;
    while current.grantor != matrix.owner(&current.right) && depth < state.grants.len() {
        let Some(next) = giver(state, current) else { break };
        depth += 1;
        current = next;
    }
    depth
}

fn is_column_of(other: &Grant, table: &Grant) -> bool {
    other.right.column.is_some()
        && other.right.object == table.right.object
        && other.right.privilege == table.right.privilege
        && other.grantee == table.grantee
        && other.grantor == table.grantor
}

/// What stands together in one statement is equal in this.
fn statement_order(grant: &Grant, option: bool) -> (&str, &str, &str, bool, bool, &str) {
    let right = &grant.right;
    (&grant.grantor, &right.object, &grant.grantee, option, right.column.is_some(), &right.privilege)
}

/// Neighbours that make one statement.
fn runs<'a>(grants: &[(&'a Grant, bool)]) -> Vec<Vec<(&'a Grant, bool)>> {
    let same = |a: &(&Grant, bool), b: &(&Grant, bool)| {
        let (a, b) = (statement_order(a.0, a.1), statement_order(b.0, b.1));
        (a.0, a.1, a.2, a.3, a.4) == (b.0, b.1, b.2, b.3, b.4)
    };
    grants.chunk_by(same).map(<[_]>::to_vec).collect()
}

/// `SELECT, UPDATE (a, b) ON TABLE x`.
fn rights(matrix: &Matrix, run: &[(&Grant, bool)]) -> String {
    let privileges: BTreeSet<&str> = run.iter().map(|(grant, _)| grant.right.privilege.as_str()).collect();
    let parts: Vec<String> = privileges
        .into_iter()
        .map(|privilege| {
            let of = run.iter().filter(|(grant, _)| grant.right.privilege == privilege);
            let columns: Vec<String> =
                of.filter_map(|(grant, _)| grant.right.column.as_deref()).map(identifier).collect();
            if columns.is_empty() { privilege.to_owned() } else { format!("{privilege} ({})", columns.join(", ")) }
        })
        .collect();
    let on = run.first().map_or("", |(grant, _)| on(matrix, &grant.right));
    format!("{} ON {on}", parts.join(", "))
}

fn on<'a>(matrix: &'a Matrix, right: &Right) -> &'a str {
    matrix.objects.get(&right.object).map_or("", |object| object.sql.as_str())
}

fn grantee(name: &str) -> String {
    if name == PUBLIC { "PUBLIC".to_owned() } else { identifier(name) }
}

fn in_name(matrix: &Matrix, grant: &Grant, statement: String, sql: &mut Vec<String>) {
    if grant.grantor == matrix.owner(&grant.right) {
        sql.push(statement);
    } else {
        sql.extend([format!("SET LOCAL ROLE {};", identifier(&grant.grantor)), statement, "RESET ROLE;".to_owned()]);
    }
}

fn named(membership: &Membership, word: &str) -> String {
    format!("{} {word} {}", identifier(&membership.group), identifier(&membership.member))
}

fn granted_by(membership: &Membership) -> String {
    match membership.grantor.as_str() {
        "" => String::new(),
        grantor => format!(" GRANTED BY {}", identifier(grantor)),
    }
}
