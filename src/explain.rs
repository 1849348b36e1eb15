//! Why one row is what it is: the deciding policies, the facts they looked at, and what would change it.

use crate::cedar::expression::{conditions, path};
use crate::decision::Basis;
use crate::plan::IntendedAction;
use crate::policy::annotations::Tier;
use crate::policy::{BundlePolicy, PolicyBundle};
use crate::problem::{Problem, Problems, Source};
use crate::record::{BundleTrust, Decisions, FactRecord, RecordedRow};
use crate::request::Requests;
use cedar_policy::{Context, Entities, Expression, Request, eval_expression};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::str::FromStr as _;

/// The explanation of one row.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The version of this form, 1.
    pub version: u32,
    /// Whether the bundle is signed under a trust root.
    #[serde(flatten)]
    pub bundle: BundleTrust,
    /// The row.
    pub row: RecordedRow,
    /// The policies that decided it, in the order of the files.
    pub policies: Vec<ExplainedPolicy>,
    /// Preconditions that hold for it, with the facts by which they do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldPrecondition>,
    /// What would change the row, the smallest step first.
    pub changes: Vec<String>,
}

/// A precondition that holds.
#[derive(Clone, Debug, Serialize)]
pub struct HeldPrecondition {
    /// The ban's `@id`.
    pub id: String,
    /// Its `@title`, or its id.
    pub title: String,
    /// The facts that keep it from firing.
    pub facts: Vec<FactRecord>,
}

/// One deciding policy.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainedPolicy {
    /// Its `@id`.
    pub id: String,
    /// Its `@title`, or its id.
    pub title: String,
    /// Its tier, or `permit`.
    pub tier: String,
    /// The file it stands in.
    pub file: String,
    /// The line it begins at.
    pub line: usize,
    /// The facts it looked at.
    pub facts: Vec<Fact>,
    /// The file's text.
    #[serde(skip)]
    pub source: Source,
    /// The bytes of it from `permit` or `forbid` on.
    #[serde(skip)]
    pub span: Range<usize>,
}

/// A fact that a policy looked at.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Fact {
    /// Where it lies: `context.run.facts.switch.enabled`.
    pub path: String,
    /// Its value, or `absent`.
    pub value: String,
    /// What says it, when and who, and where it must come from; nothing where it is no fact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<FactRecord>,
}

/// Explains the row of this name.
pub fn explain(requests: &Requests<'_>, decisions: &Decisions, id: &str) -> Result<Explanation, Problems> {
    let action = requests.plan().named(id)?;
    let undecided = || Problem::failure(format!("the plan action `{id}` was not decided"));
    let row = decisions.decisions.iter().find(|row| row.id == id).ok_or_else(undecided)?;
    let policies: Vec<&BundlePolicy> =
        requests.bundle().policies().iter().filter(|policy| row.policies.iter().any(|id| id == policy.id())).collect();
    let explained = policies.iter().map(|policy| explain_policy(requests, decisions, action, row, policy)).collect();
    let changes = changes(decisions, row, &policies);
    let facts = |names: &Vec<String>| {
        let is_named = |fact: &&FactRecord| names.contains(&fact.fact);
        decisions.facts_read.iter().filter(is_named).cloned().collect()
    };
    let held = requests.bundle().policies().iter().filter_map(|policy| {
        let facts = facts(row.held.get(policy.id())?);
        Some(HeldPrecondition { id: policy.id().to_owned(), title: policy.title().to_owned(), facts })
    });
    let held = held.collect();
    Ok(Explanation {
        version: 1,
        bundle: decisions.bundle.clone(),
        row: row.clone(),
        policies: explained,
        held,
        changes,
    })
}

fn explain_policy(
    requests: &Requests<'_>,
    decisions: &Decisions,
    action: &IntendedAction,
    row: &RecordedRow,
    policy: &BundlePolicy,
) -> ExplainedPolicy {
    let tier = match &policy.annotations.tier {
        None => "permit".to_owned(),
        Some(Tier::Absolute) => "absolute".to_owned(),
        Some(Tier::Approval(gate)) => format!("approval, gate {gate}"),
        Some(Tier::Precondition(gap)) => format!("precondition, gap {gap}"),
        Some(Tier::Gate(code)) => format!("gate, code {}", code.name()),
    };
    let context = Context::from_json_value(row.context.clone(), None).ok();
    let mut facts = context.map(|context| looked_at(requests, action, &context, policy)).unwrap_or_default();
    for fact in &mut facts {
        let name = fact.path.strip_prefix("context.").map(str::to_owned);
        let of = |variable: &str, uid: &str| Some(format!("{uid}.{}", fact.path.strip_prefix(variable)?));
        let name = name.or_else(|| of("resource.", &row.resource)).or_else(|| of("principal.", &row.principal));
        fact.record = decisions.facts_read.iter().find(|record| Some(&record.fact) == name.as_ref()).cloned();
    }
    // The annotations are told apart; what is underlined begins with the effect.
    let text = policy.source.text().get(policy.span.clone()).unwrap_or_default();
    let effect = ["\npermit", "\nforbid"].into_iter().filter_map(|word| text.find(word)).min().map_or(0, |at| at + 1);
    ExplainedPolicy {
        id: policy.id().to_owned(),
        title: policy.title().to_owned(),
        tier,
        file: policy.source.name().to_owned(),
        line: policy.source.position(policy.span.start).0,
        facts,
        source: policy.source.clone(),
        span: policy.span.start + effect..policy.span.end,
    }
}

/// What a policy looks at in the request of a row with this context, and what it finds there.
pub fn looked_at(
    requests: &Requests<'_>,
    action: &IntendedAction,
    context: &Context,
    policy: &BundlePolicy,
) -> Vec<Fact> {
    let request = requests.request(action, context.clone()).ok();
    request.map(|request| looked_at_in(&request, requests.facts().entities(), policy)).unwrap_or_default()
}

/// What a policy looks at in a request among these entities, and what it finds there.
pub fn looked_at_in(request: &Request, entities: &Entities, policy: &BundlePolicy) -> Vec<Fact> {
    let mut paths = BTreeSet::new();
    for (_, body) in conditions(&policy.policy) {
        collect_paths(&body, &mut paths);
    }
    paths.into_iter().map(|path| Fact { value: look_up(request, entities, &path), record: None, path }).collect()
}

/// Every longest chain of attributes that begins at `principal`, `resource` or `context`, in Cedar's JSON policy form.
fn collect_paths(expression: &Value, paths: &mut BTreeSet<String>) {
    if let Some(path) = path(expression) {
        if path.contains('.') {
            paths.insert(path);
        }
        return;
    }
    match expression {
        Value::Object(members) => {
            // `a has b` looks at `a.b`, whether it is there or not.
            if let Some(has) = members.get("has")
                && let Some(path) = has.get("left").and_then(path)
                && let Some(attribute) = has.get("attr").and_then(Value::as_str)
            {
                paths.insert(format!("{path}.{attribute}"));
                return;
            }
            members.values().for_each(|member| collect_paths(member, paths));
        }
        Value::Array(elements) => elements.iter().for_each(|element| collect_paths(element, paths)),
        _ => {}
    }
}

fn look_up(request: &Request, entities: &Entities, path: &str) -> String {
    let expression = Expression::from_str(path).ok();
    let value = expression.and_then(|expression| eval_expression(request, entities, &expression).ok());
    value.map_or_else(|| "absent".to_owned(), |value| value.to_string())
}

/// What closes each open gap: the advice of the bans that name it and fired, in the order of the files.
pub fn closing(bundle: &PolicyBundle, decisions: &Decisions) -> BTreeMap<String, Vec<String>> {
    let fired: BTreeSet<&str> =
        decisions.decisions.iter().flat_map(|row| row.policies.iter().map(String::as_str)).collect();
    let mut closing: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for policy in bundle.policies().iter().filter(|policy| fired.contains(policy.id())) {
        if let (Some(Tier::Precondition(gap)), Some(advice)) = (&policy.annotations.tier, &policy.annotations.advice) {
            let all = closing.entry(gap.clone()).or_default();
            if !all.contains(advice) {
                all.push(advice.clone());
            }
        }
    }
    closing
}

/// The row that a blocked row waits for in the end.
pub fn blocker<'a>(decisions: &'a Decisions, row: &'a RecordedRow) -> &'a RecordedRow {
    let mut at = row;
    // A plan has no circle, so that there are no more steps than rows.
    for _ in &decisions.decisions {
        let before = at.blocked_by.first().and_then(|id| decisions.decisions.iter().find(|row| row.id == *id));
        match before {
            Some(before) => at = before,
            None => break,
        }
    }
    at
}

/// What would change a row, for people: one line a gate, a gap or a row before it.
fn changes(decisions: &Decisions, row: &RecordedRow, policies: &[&BundlePolicy]) -> Vec<String> {
    match row.basis {
        Basis::Permitted => vec!["nothing needs to: it is allowed".to_owned()],
        Basis::Approved => vec!["it is allowed as long as its approvals are valid and unused".to_owned()],
        Basis::ApprovalRequired | Basis::Precondition => {
            let mut lines = advice(policies, &|tier| matches!(tier, Tier::Approval(_)));
            lines.extend(advice(policies, &|tier| matches!(tier, Tier::Precondition(_))));
            lines
        }
        Basis::Forbidden => {
            let mut lines = vec!["no approval and no closed gap can lift this".to_owned()];
            lines.extend(advice(policies, &|tier| matches!(tier, Tier::Absolute | Tier::Gate(_))));
            lines
        }
        Basis::NotPermitted => vec![
            "no permit covers this principal, action and resource: name another principal, or have a permit reviewed"
                .to_owned(),
        ],
        Basis::NoWork => vec!["name its work in the plan: `effect`, one of cutter.toml".to_owned()],
        Basis::BlockedBy => row
            .blocked_by
            .iter()
            .map(|id| {
                let blocker = decisions.decisions.iter().find(|row| row.id == *id);
                let basis = blocker.map_or("denied", |row| row.basis.words());
                format!("`{id}` must be allowed first ({basis})")
            })
            .collect(),
        Basis::Indeterminate => vec!["fix the evaluation errors; until then it is denied".to_owned()],
    }
}

/// What the policies of a tier advise, all that concerns one gate or gap in one line.
fn advice(policies: &[&BundlePolicy], wanted: &dyn Fn(&Tier) -> bool) -> Vec<String> {
    let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
    for policy in policies.iter().filter(|policy| policy.annotations.tier.as_ref().is_some_and(wanted)) {
        let what = match &policy.annotations.tier {
            Some(Tier::Approval(gate)) => format!("open the gate {gate}"),
            Some(Tier::Precondition(gap)) => format!("close the gap {gap}"),
            _ => "change the plan".to_owned(),
        };
        let known = lines.iter().position(|(known, _)| *known == what);
        let at = known.unwrap_or_else(|| {
            lines.push((what, Vec::new()));
            lines.len() - 1
        });
        let advice = policy.annotations.advice.as_deref();
        if let (Some((_, all)), Some(advice)) = (lines.get_mut(at), advice)
            && !all.contains(&advice)
        {
            all.push(advice);
        }
    }
    let line =
        |(what, all): (String, Vec<&str>)| if all.is_empty() { what } else { format!("{what}: {}", all.join("; ")) };
    lines.into_iter().map(line).collect()
}
