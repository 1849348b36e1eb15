//! `review matrix`: who may do what to what, in which mode and under which gates, small enough to be read in a diff.
//!
//! Preconditions are set aside: they are about facts, and the table is about policies.

use super::lint::reading::{conditions, paths};
use super::subject::Subject;
use crate::facts::Facts;
use crate::policy::BundlePolicy;
use crate::policy::annotations::Tier;
use crate::problem::{Problem, Problems};
use crate::review::sample::{Contexts, Variant};
use cedar_policy::{
    Authorizer, Context, Decision, EntityId, EntityTypeName, EntityUid, Policy, PolicyId, PolicySet, Request,
    RequestEnv,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The table as text; the same inputs give the same bytes.
pub fn matrix(subject: &Subject, facts: &Facts) -> Result<String, Problems> {
    let contexts = Contexts::new(subject.bundle.schema())?;
    let principals = principals(subject, facts);
    let mut text = String::from(HEAD);
    for (at, (principal, lanes)) in principals.iter().enumerate() {
        let _ = writeln!(text, "#   {}  {principal}: {}", letter(at), lanes.join(", "));
    }
    for mode in ["live", "dry_run"] {
        let mut rows = Vec::new();
        for action in subject.actions() {
            for variant in contexts.variants(action) {
                rows.extend(self::rows(subject, facts, &contexts, &principals, action, &variant, mode)?);
            }
        }
        write(&mut text, mode, principals.len(), rows);
    }
    Ok(text)
}

/// One line: what, and a cell for each principal.
struct Row {
    what: String,
    cells: Vec<String>,
}

fn rows(
    subject: &Subject,
    facts: &Facts,
    contexts: &Contexts,
    principals: &[(EntityUid, Vec<String>)],
    action: &EntityUid,
    variant: &Variant,
    mode: &str,
) -> Result<Vec<Row>, Problem> {
    let types: Vec<&RequestEnv> = subject.request_types.iter().filter(|of| of.action() == action).collect();
    let schema = subject.bundle.schema().schema();
    let json = contexts.context(action, variant, mode);
    let refused =
        |why: String| Problem::invalid(format!("no sample request of `{}` can be made: {why}", action.id().escaped()));
    let context = Context::from_json_value(json, Some((schema, action))).map_err(|error| refused(error.to_string()))?;
    let judges: BTreeMap<&EntityTypeName, Judge> =
        types.iter().map(|of| (of.principal(), Judge::new(subject, of))).collect();
    let resources: BTreeSet<&EntityTypeName> = types.iter().map(|of| of.resource()).collect();
    let mut rows = Vec::new();
    for name in resources {
        let candidates = candidates(subject, facts, name);
        // Resources that are treated alike stand in one row.
        let mut alike: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
        for resource in &candidates {
            let mut cells = Vec::new();
            for (principal, _) in principals {
                let applies = types.iter().any(|of| of.principal() == principal.type_name() && of.resource() == name);
                cells.push(match judges.get(principal.type_name()).filter(|_| applies) {
                    None => String::new(),
                    Some(judge) => {
                        let request = Request::new(
                            principal.clone(),
                            action.clone(),
                            resource.clone(),
                            context.clone(),
                            Some(schema),
                        );
                        judge.cell(&request.map_err(|error| refused(error.to_string()))?, facts)
                    }
                });
            }
            alike.entry(cells).or_default().push(resource.id().escaped().to_string());
        }
        let only = alike.len() == 1;
        for (cells, ids) in alike {
            let of = if only { String::new() } else { format!(" {}", ids.join(" ")) };
            let what = format!("{}{} {}{of}", action.id().escaped(), variant.label(), name.basename());
            rows.push(Row { what, cells });
        }
    }
    Ok(rows)
}

/// The policies of one request type, by what they are asked for.
struct Judge {
    /// Permits and the bans that nothing lifts.
    bare: PolicySet,
    /// Approval bans beside a permit-all.
    approvals: PolicySet,
    gates: BTreeMap<String, String>,
}

impl Judge {
    fn new(subject: &Subject, request_type: &RequestEnv) -> Self {
        let all = subject.matching(request_type).into_iter().filter_map(|at| subject.bundle.policies().get(at));
        let (mut bare, mut approvals, mut gates) = (Vec::new(), Vec::new(), BTreeMap::new());
        for policy in all {
            match &policy.annotations.tier {
                Some(Tier::Approval(gate)) => {
                    gates.insert(policy.id().to_owned(), gate.clone());
                    approvals.push(policy.policy.clone());
                }
                Some(Tier::Precondition(_)) => {}
                Some(Tier::Gate(_)) if judges_document(policy) => {}
                _ => bare.push(policy.policy.clone()),
            }
        }
        let all = Policy::parse(Some(PolicyId::new("permit all")), "permit (principal, action, resource);");
        approvals.extend(all);
        // The ids are those of the bundle, which are unique.
        let set = |policies: Vec<Policy>| PolicySet::from_policies(policies).unwrap_or_default();
        Self { bare: set(bare), approvals: set(approvals), gates }
    }

    fn cell(&self, request: &Request, facts: &Facts) -> String {
        let bare = Authorizer::new().is_authorized(request, &self.bare, facts.entities());
        let needs = Authorizer::new().is_authorized(request, &self.approvals, facts.entities());
        let erred = bare.diagnostics().errors().chain(needs.diagnostics().errors()).next().is_some();
        if erred {
            return "error".to_owned();
        }
        if bare.decision() == Decision::Deny {
            return "-".to_owned();
        }
        let gates: BTreeSet<&String> =
            needs.diagnostics().reason().filter_map(|id| self.gates.get(AsRef::<str>::as_ref(id))).collect();
        if gates.is_empty() { "yes".to_owned() } else { gates.into_iter().cloned().collect::<Vec<_>>().join("+") }
    }
}

/// Whether a gate ban is about the approval document, which the table has none of.
fn judges_document(policy: &BundlePolicy) -> bool {
    let conditions = conditions(&policy.policy);
    conditions
        .iter()
        .flat_map(|(_, body)| paths(body))
        .any(|path| path.starts_with("context.approval") || path.starts_with("context.expected"))
}

/// Every principal of the facts with its lanes; the first of those with the same lanes stands for them all.
fn principals(subject: &Subject, facts: &Facts) -> Vec<(EntityUid, Vec<String>)> {
    let types: BTreeSet<&EntityTypeName> = subject.request_types.iter().map(RequestEnv::principal).collect();
    let mut seen = BTreeSet::new();
    let mut principals: Vec<(EntityUid, Vec<String>)> = facts
        .entities()
        .iter()
        .map(cedar_policy::Entity::uid)
        .filter(|uid| types.contains(uid.type_name()))
        .map(|uid| {
            let lanes = facts.entities().ancestors(&uid).into_iter().flatten();
            let mut lanes: Vec<String> = lanes.map(|lane| lane.id().escaped().to_string()).collect();
            lanes.sort();
            (uid, lanes)
        })
        .collect();
    principals.sort();
    principals.retain(|(uid, lanes)| seen.insert((uid.type_name().clone(), lanes.clone())));
    principals
}

/// Entities of the type in the facts, or one that stands for any.
fn candidates(subject: &Subject, facts: &Facts, name: &EntityTypeName) -> Vec<EntityUid> {
    let uid = |id: &str| EntityUid::from_type_name_and_id(name.clone(), EntityId::new(id));
    if let Some(members) = subject.bundle.schema().members(name) {
        return members.iter().map(|id| uid(id)).collect();
    }
    let known = facts.entities().iter().map(cedar_policy::Entity::uid).filter(|uid| uid.type_name() == name);
    let mut known: Vec<EntityUid> = known.collect();
    known.sort();
    if known.is_empty() { vec![uid("any")] } else { known }
}

fn write(text: &mut String, mode: &str, columns: usize, rows: Vec<Row>) {
    let denied = |row: &Row| row.cells.iter().all(|cell| cell.is_empty() || cell == "-");
    let (nobody, rows): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(denied);
    let cells = rows.iter().flat_map(|row| &row.cells);
    // One width for all, and the same from day to day: a change of one cell is a difference of one line.
    let width = cells.map(String::len).max().unwrap_or_default().max(USUAL_WIDTH);
    let line = |cells: Vec<String>, what: &str| {
        let padded = cells.iter().map(|cell| format!("{cell:<width$} "));
        format!("{}{what}\n", padded.collect::<String>())
    };
    let _ = write!(text, "\n== {mode}\n{}", line((0..columns).map(|at| letter(at).to_string()).collect(), "action"));
    for row in rows {
        text.push_str(&line(row.cells, &row.what));
    }
    text.push_str("\nnobody:\n");
    for row in nobody {
        let _ = writeln!(text, "  {}", row.what);
    }
}

fn letter(at: usize) -> char {
    ('A'..='Z').nth(at).unwrap_or('?')
}

/// Room for most cells.
const USUAL_WIDTH: usize = 11;

const HEAD: &str = "\
# Who may do what, by the policies alone: preconditions are set aside, the plan has its turn-off.
# yes: allowed. FLIP+SG_1: allowed once these gates are open. -: denied. blank: makes no request.
# `cutter review matrix --check FILE` compares; `cutter review matrix --output FILE` writes it anew.
";
