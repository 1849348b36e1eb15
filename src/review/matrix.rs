//! `review matrix`: who may do what to what, in which mode and under which gates.
//!
//! Preconditions are set aside: they are about facts, and the table is about policies.

use crate::cedar::expression::{conditions, paths};
use crate::facts::Facts;
use crate::policy::BundlePolicy;
use crate::policy::annotations::Tier;
use crate::problem::{Problem, Problems};
use crate::progress::{Observer, Phase};
use crate::review::register;
use crate::settings::Config;
use crate::subject::Subject;
use crate::subject::sample::{Contexts, Variant};
use cedar_policy::{
    Authorizer, Context, Decision, EntityId, EntityTypeName, EntityUid, Policy, PolicyId, PolicySet, Request,
    RequestEnv,
};
use std::collections::{BTreeMap, BTreeSet};

/// Who may do what: one column for each principal, or for all those who are alike.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Matrix {
    /// Sorted by type and name.
    pub columns: Vec<Column>,
    /// `live` and `dry_run`, each with its rows.
    pub modes: Vec<(&'static str, Vec<MatrixRow>)>,
    /// What policies, invariants and effects are besides what is decided, in lines.
    pub register: Vec<(&'static str, Vec<String>)>,
}

/// Principals of one type and the same groups, who may do the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Column {
    /// The name of the only one, or of the first with a star.
    pub label: String,
    /// Their type, without its namespace.
    pub kind: String,
    /// Their groups, sorted.
    pub groups: Vec<String>,
    /// The names of all of them, sorted.
    pub names: Vec<String>,
}

/// What may be done: an action, with the parameters that matter, and a type of resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MatrixRow {
    /// The action, its parameters and the type of resource.
    pub what: String,
    /// The resources, where those of the type are not all treated alike.
    pub of: Vec<String>,
    /// For each column: who may.
    pub cells: Vec<Cell>,
}

/// Whether the principals of a column may do what the row says.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Cell {
    /// There is no such request.
    NoRequest,
    /// Denied.
    Denied,
    /// Allowed.
    Allowed,
    /// Allowed once these gates are open.
    Needs(BTreeSet<String>),
    /// A policy fails to evaluate.
    Error,
}

impl MatrixRow {
    /// Whether nobody may.
    pub fn is_for_nobody(&self) -> bool {
        self.cells.iter().all(|cell| matches!(cell, Cell::NoRequest | Cell::Denied))
    }
}

/// The table; the same inputs give the same one.
pub fn matrix(
    subject: &Subject,
    config: Option<&Config>,
    facts: &Facts,
    observer: &dyn Observer,
) -> Result<Matrix, Problems> {
    let contexts = Contexts(subject.bundle.schema());
    let principals = principals(subject, facts);
    let actions = subject.actions();
    let judges: Vec<Judge> = (0..subject.request_types.len()).map(|at| Judge::new(subject, at)).collect();
    let resources: BTreeSet<&EntityTypeName> = subject.request_types.iter().map(RequestEnv::resource).collect();
    let resources = resources.into_iter().map(|name| (name, candidates(subject, facts, name))).collect();
    let asked = Asking { subject, facts, contexts: &contexts, principals: &principals, judges, resources };
    let phase = Phase::new(observer, "matrix", actions.len() * MODES.len());
    let mut modes = Vec::new();
    for mode in MODES {
        let mut rows = Vec::new();
        for action in &actions {
            for variant in contexts.variants(action) {
                rows.extend(asked.rows(action, &variant, mode)?);
            }
            phase.advance();
        }
        modes.push((mode, rows));
    }
    Ok(Matrix { columns: merge(&principals, &mut modes), modes, register: register::register(subject, config) })
}

/// Puts those who are of one type, in the same groups, and may do the same into one column.
fn merge(principals: &[(EntityUid, Vec<String>)], modes: &mut [(&'static str, Vec<MatrixRow>)]) -> Vec<Column> {
    let names: Vec<&str> = principals.iter().map(|(uid, _)| uid.id().as_ref()).collect();
    let mut columns: Vec<(usize, Column)> = Vec::new();
    for (at, (uid, groups)) in principals.iter().enumerate() {
        let name = uid.id().escaped().to_string();
        let kind = uid.type_name().basename().to_owned();
        let is_alike = |of: &(usize, Column)| {
            let mut rows = modes.iter().flat_map(|(_, rows)| rows);
            of.1.kind == kind && of.1.groups == *groups && rows.all(|row| row.cells.get(of.0) == row.cells.get(at))
        };
        if let Some(at) = columns.iter().position(is_alike) {
            columns.get_mut(at).into_iter().for_each(|(_, column)| column.names.push(name.clone()));
            continue;
        }
        // A name that two types have is told apart by the type.
        let id: &str = uid.id().as_ref();
        let is_only = names.iter().filter(|other| **other == id).count() == 1;
        let label = if is_only { name.clone() } else { format!("{kind}::{name}") };
        columns.push((at, Column { label, kind, groups: groups.clone(), names: vec![name] }));
    }
    for row in modes.iter_mut().flat_map(|(_, rows)| rows) {
        row.cells = columns.iter().filter_map(|(at, _)| row.cells.get(*at).cloned()).collect();
    }
    for (_, column) in &mut columns {
        if column.names.len() > 1 {
            column.label.push('*');
        }
    }
    columns.into_iter().map(|(_, column)| column).collect()
}

/// Who and what is asked about, and by which policies, made ready once.
struct Asking<'a> {
    subject: &'a Subject,
    facts: &'a Facts,
    contexts: &'a Contexts<'a>,
    principals: &'a [(EntityUid, Vec<String>)],
    /// By the place of the request type.
    judges: Vec<Judge>,
    resources: BTreeMap<&'a EntityTypeName, Vec<EntityUid>>,
}

impl Asking<'_> {
    fn rows(&self, action: &EntityUid, variant: &Variant, mode: &str) -> Result<Vec<MatrixRow>, Problem> {
        let Self { subject, facts, .. } = self;
        let types = subject.request_types.iter().zip(&self.judges).filter(|(of, _)| of.action() == action);
        let judges: BTreeMap<(&EntityTypeName, &EntityTypeName), &Judge> =
            types.map(|(of, judge)| ((of.principal(), of.resource()), judge)).collect();
        let schema = subject.bundle.schema().schema();
        let json = self.contexts.context(action, variant, mode);
        let refused = |why: String| {
            Problem::invalid(format!("no sample request of `{}` can be made: {why}", action.id().escaped()))
        };
        let context =
            Context::from_json_value(json, Some((schema, action))).map_err(|error| refused(error.to_string()))?;
        let resources: BTreeSet<&EntityTypeName> = judges.keys().map(|(_, resource)| *resource).collect();
        // Whether a request fits the schema is a question of its types and context: it is asked once for each, not for each entity.
        let mut checked: BTreeSet<(&EntityTypeName, &EntityTypeName)> = BTreeSet::new();
        let mut rows = Vec::new();
        for name in resources {
            // Resources that are treated alike stand in one row.
            let mut alike: BTreeMap<Vec<Cell>, Vec<String>> = BTreeMap::new();
            for resource in self.resources.get(name).into_iter().flatten() {
                let mut cells = Vec::new();
                for (principal, _) in self.principals {
                    cells.push(match judges.get(&(principal.type_name(), name)) {
                        None => Cell::NoRequest,
                        Some(judge) => {
                            let request = Request::new(
                                principal.clone(),
                                action.clone(),
                                resource.clone(),
                                context.clone(),
                                checked.insert((principal.type_name(), name)).then_some(schema),
                            );
                            judge.cell(&request.map_err(|error| refused(error.to_string()))?, facts)
                        }
                    });
                }
                alike.entry(cells).or_default().push(resource.id().escaped().to_string());
            }
            let only = alike.len() == 1;
            for (cells, ids) in alike {
                let what = format!("{}{} {}", action.id().escaped(), variant.label(), name.basename());
                rows.push(MatrixRow { what, of: if only { Vec::new() } else { ids }, cells });
            }
        }
        Ok(rows)
    }
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
    fn new(subject: &Subject, request_type: usize) -> Self {
        let all = subject.matching_at(request_type).iter().filter_map(|at| subject.bundle.policies().get(*at));
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

    fn cell(&self, request: &Request, facts: &Facts) -> Cell {
        let bare = Authorizer::new().is_authorized(request, &self.bare, facts.entities());
        let needs = Authorizer::new().is_authorized(request, &self.approvals, facts.entities());
        let errors = bare.diagnostics().errors().chain(needs.diagnostics().errors()).next().is_some();
        if errors {
            return Cell::Error;
        }
        if bare.decision() == Decision::Deny {
            return Cell::Denied;
        }
        let gates: BTreeSet<String> =
            needs.diagnostics().reason().filter_map(|id| self.gates.get(AsRef::<str>::as_ref(id)).cloned()).collect();
        if gates.is_empty() { Cell::Allowed } else { Cell::Needs(gates) }
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

/// Every principal of the facts with its groups, sorted.
fn principals(subject: &Subject, facts: &Facts) -> Vec<(EntityUid, Vec<String>)> {
    let types: BTreeSet<&EntityTypeName> = subject.request_types.iter().map(RequestEnv::principal).collect();
    let mut principals: Vec<(EntityUid, Vec<String>)> = facts
        .entities()
        .iter()
        .map(cedar_policy::Entity::uid)
        .filter(|uid| types.contains(uid.type_name()))
        .map(|uid| {
            let groups = facts.entities().ancestors(&uid).into_iter().flatten();
            let mut groups: Vec<String> = groups.map(|group| group.id().escaped().to_string()).collect();
            groups.sort();
            (uid, groups)
        })
        .collect();
    principals.sort();
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

/// Both modes of a plan.
const MODES: [&str; 2] = ["live", "dry_run"];
