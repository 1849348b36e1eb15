//! The mutants of one policy: small changes of its conditions, its scope and its annotations, each valid by itself.

use crate::policy::annotations::Tier;
use crate::policy::{BundlePolicy, PolicyBundle};
use crate::subject::Subject;
use crate::testing::matching::{milliseconds, text};
use cedar_policy::{EntityTypeName, Policy, PolicySet, ValidationMode, Validator};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::str::FromStr as _;

/// A policy that was changed.
#[derive(Clone, Debug)]
pub(crate) struct Mutant {
    /// The place of the policy in the bundle.
    pub(crate) at: usize,
    /// What was changed: `context.units <= 3 made context.units <= 4`.
    pub(crate) what: String,
    /// What stands in its place; `None` where it was dropped.
    pub(crate) policy: Option<BundlePolicy>,
    /// Whether it decides by other conditions, and not only by its tier or gate.
    pub(crate) decides: bool,
}

impl Mutant {
    /// What kind of mistake it is; in a policy of this `@code`, one of what the code is about.
    pub(crate) fn kind(&self, code: Option<&str>) -> &'static str {
        match (code, self.what.as_str()) {
            (Some("quorum_not_met"), _) => "quorums",
            (Some("ttl_too_long"), _) => "lives",
            (_, "dropped") => "policies dropped",
            (_, what) if what.starts_with('@') => "annotations",
            (_, what) if what.starts_with("its `") => "conditions dropped",
            (_, what) if what.ends_with("left open") => "scopes widened",
            (_, "`when` made `unless`" | "`unless` made `when`") => "`when` and `unless`",
            (_, what) if !what.starts_with('`') => "scopes moved",
            _ => "expressions",
        }
    }
}

/// Every mutant of a policy; what is not valid, or says the same, is none.
pub(crate) fn mutants(subject: &Subject, at: usize) -> Vec<Mutant> {
    let Some(original) = subject.bundle.policies().get(at) else { return Vec::new() };
    let mut made = vec![Mutant { at, what: "dropped".to_owned(), policy: None, decides: true }];
    let Ok(json) = original.policy.to_json() else { return made };
    let validator = Validator::new(subject.bundle.schema().schema().clone());
    let mut known: BTreeSet<String> = [json.to_string()].into();
    for (what, changed) in changes(subject, &json) {
        let Ok(policy) = Policy::from_json(Some(original.policy.id().clone()), changed.clone()) else { continue };
        let Ok(set) = PolicySet::from_policies([policy.clone()]) else { continue };
        let is_valid = validator.validate(&set, ValidationMode::Strict).validation_passed_without_warnings();
        if is_valid && known.insert(changed.to_string()) {
            let policy = Some(BundlePolicy { policy, ..original.clone() });
            made.push(Mutant { at, what, policy, decides: true });
        }
    }
    made.extend(annotated(&subject.bundle, original).into_iter().map(|(what, policy)| Mutant {
        at,
        what,
        policy: Some(policy),
        decides: false,
    }));
    made
}

/// The policy with another tier, gate or evidence.
fn annotated(bundle: &PolicyBundle, original: &BundlePolicy) -> Vec<(String, BundlePolicy)> {
    let mut made = Vec::new();
    let mut change = |what: String, change: &dyn Fn(&mut BundlePolicy)| {
        let mut policy = original.clone();
        change(&mut policy);
        made.push((what, policy));
    };
    match &original.annotations.tier {
        Some(Tier::Absolute | Tier::Approval(_)) => {
            change("@tier made precondition".to_owned(), &|policy| {
                policy.annotations.tier = Some(Tier::Precondition("MUTANT".to_owned()));
            });
        }
        Some(Tier::Precondition(_)) => change("@tier made absolute".to_owned(), &|policy| {
            policy.annotations.tier = Some(Tier::Absolute);
        }),
        _ => {}
    }
    if let Some(Tier::Approval(gate)) = &original.annotations.tier
        && let Some(other) = bundle.schema().gates().iter().find(|other| *other != gate)
    {
        change(format!("@gate {gate} made {other}"), &|policy| {
            policy.annotations.tier = Some(Tier::Approval(other.clone()));
        });
    }
    if !original.annotations.evidence.is_empty() && original.annotations.evidence != ["none"] {
        change("@evidence made none".to_owned(), &|policy| policy.annotations.evidence = vec!["none".to_owned()]);
    }
    made
}

/// Every change of scope and conditions, and what it is called.
fn changes(subject: &Subject, json: &Value) -> Vec<(String, Value)> {
    let mut made = Vec::new();
    let with = |pointer: &str, value: Value| {
        let mut changed = json.clone();
        *changed.pointer_mut(pointer)? = value;
        Some(changed)
    };
    for part in ["principal", "action", "resource"] {
        let Some(scope) = json.get(part).filter(|scope| scope.get("op") != Some(&json!("All"))) else { continue };
        let pointer = format!("/{part}");
        made.extend(with(&pointer, json!({ "op": "All" })).map(|new| (format!("{part} left open"), new)));
        for (what, other) in other_scopes(subject, part, scope) {
            made.extend(with(&pointer, other).map(|new| (what, new)));
        }
    }
    let conditions = json.get("conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    for (index, condition) in conditions.iter().enumerate() {
        let rest = conditions.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, one)| one.clone());
        let kind = condition.get("kind").and_then(Value::as_str).unwrap_or_default();
        made.extend(with("/conditions", rest.collect()).map(|new| (format!("its `{kind}` dropped"), new)));
        let other = if kind == "when" { "unless" } else { "when" };
        let pointer = format!("/conditions/{index}/kind");
        made.extend(with(&pointer, json!(other)).map(|new| (format!("`{kind}` made `{other}`"), new)));
        let mut pointers = Vec::new();
        below(condition.get("body").unwrap_or(&Value::Null), format!("/conditions/{index}/body"), &mut pointers);
        for pointer in pointers {
            let Some(expression) = json.pointer(&pointer) else { continue };
            for other in others(subject, expression) {
                let shown = |value: &Value| text(value).unwrap_or_else(|| value.to_string());
                let what = format!("`{}` made `{}`", shown(expression), shown(&other));
                made.extend(with(&pointer, other).map(|new| (what, new)));
            }
        }
    }
    made
}

/// Other entities in the place of the one that a scope names.
fn other_scopes(subject: &Subject, part: &str, scope: &Value) -> Vec<(String, Value)> {
    let Some(uid) = scope.get("entity").or_else(|| scope.pointer("/entities/0")) else { return Vec::new() };
    let policies = subject.bundle.own().iter().map(|policy| &policy.policy);
    let alike = |other: &Value| other != uid && other.get("type") == uid.get("type");
    let key = if scope.get("entity").is_some() { "/entity" } else { "/entities/0" };
    let mut found: Vec<Value> = Vec::new();
    for policy in policies {
        let json = policy.to_json().unwrap_or_default();
        let named = json.pointer(&format!("/{part}/entity")).cloned();
        found.extend(named.filter(|other| alike(other) && !found.contains(other)));
    }
    let other = |other: Value| {
        let id = |uid: &Value| uid.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let what = format!("{part} {} made {}", id(uid), id(&other));
        let mut changed = scope.clone();
        *changed.pointer_mut(key)? = other;
        Some((what, changed))
    };
    found.into_iter().take(OTHERS).filter_map(other).collect()
}

/// Every pointer at and below an expression.
fn below(expression: &Value, at: String, pointers: &mut Vec<String>) {
    pointers.push(at.clone());
    match expression {
        Value::Object(members) => {
            for (key, member) in members.iter().filter(|(key, _)| *key != "Value" && *key != "pattern") {
                below(member, format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), pointers);
            }
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                below(element, format!("{at}/{index}"), pointers);
            }
        }
        _ => {}
    }
}

/// What could stand in the place of an expression by mistake.
fn others(subject: &Subject, expression: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    let part = |name: &str, side: &str| expression.get(name).and_then(|parts| parts.get(side)).cloned();
    for name in ["&&", "||"] {
        found.extend([part(name, "left"), part(name, "right")].into_iter().flatten());
        if let Some(parts) = expression.get(name) {
            let other = if name == "&&" { "||" } else { "&&" };
            found.push(json!({ other: parts }));
        }
    }
    found.extend(expression.pointer("/!/arg").cloned());
    for (name, other) in SWAPPED {
        found.extend(expression.get(name).map(|parts| json!({ *other: parts })));
    }
    let is_flag = expression.get(".").is_some() || expression.get("contains").is_some();
    found.extend(is_flag.then(|| json!({ "!": { "arg": expression } })));
    if let Some(number) = expression.get("Value").and_then(Value::as_i64) {
        found.extend(
            [number.checked_add(1), number.checked_sub(1)].into_iter().flatten().map(|n| json!({ "Value": n })),
        );
    }
    if let Some(text) = expression.pointer("/duration/0/Value").and_then(Value::as_str)
        && let Some(length) = milliseconds(text)
    {
        let other = |length: i64| json!({ "duration": [{ "Value": format!("{length}ms") }] });
        found.extend([other(length + 1), other(length - 1)]);
    }
    if let Some(elements) = expression.get("Set").and_then(Value::as_array).filter(|all| all.len() > 1) {
        for index in 0..elements.len() {
            let rest = elements.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, element)| element);
            found.push(json!({ "Set": rest.collect::<Vec<_>>() }));
        }
    }
    if let Some(uid) = expression.pointer("/Value/__entity") {
        let name = uid.get("type").and_then(Value::as_str).unwrap_or_default();
        let kind = EntityTypeName::from_str(name).ok();
        let members = kind.and_then(|kind| subject.bundle.schema().members(&kind)).unwrap_or_default();
        let others = members.iter().filter(|id| uid.get("id").and_then(Value::as_str) != Some(id));
        found.extend(others.take(OTHERS).map(|id| json!({ "Value": { "__entity": { "type": name, "id": id } } })));
    }
    found
}

/// Comparisons, and what is written for them by mistake.
const SWAPPED: &[(&str, &str)] =
    &[("<", "<="), ("<=", "<"), (">", ">="), (">=", ">"), ("==", "!="), ("!=", "=="), ("containsAll", "containsAny")];
/// How many other names are tried in one place.
const OTHERS: usize = 2;
