//! The single conditions of policies and invariants, and the changes of a case that bring one to its edge and to either side.

use super::lab::World;
use super::places::{self, Place, TAG, decimal, locate, number, of_number, to_json, uid_json, with_uid};
use crate::cedar::expression::path;
use crate::subject::Subject;
use crate::subject::counterexample::Case;
use crate::testing::matching::{atoms, text};
use cedar_policy::{
    EntityId, EntityTypeName, EntityUid, EvalResult, Expression, Policy, PrincipalConstraint, ResourceConstraint,
    eval_expression,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::str::FromStr as _;

/// One condition, ready to be looked at in many cases.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    expression: Value,
    /// Both sides of a comparison, or what is looked into and what for.
    sides: Vec<Side>,
    /// Every path that it reads.
    pub(crate) paths: BTreeSet<String>,
}

/// One side of a comparison.
#[derive(Clone, Debug)]
struct Side {
    expression: Value,
    parsed: Option<Expression>,
    /// The same as a number, in each way in which it may be one.
    numbers: Vec<Expression>,
    paths: Vec<String>,
}

impl Side {
    fn of(expression: &Value) -> Self {
        let text = text(expression).unwrap_or_default();
        let parse = |text: &str| Expression::from_str(text).ok();
        let ways = [
            format!("({text}).durationSince(datetime(\"1970-01-01\")).toMilliseconds()"),
            format!("({text}).toMilliseconds()"),
        ];
        let mut paths = Vec::new();
        crate::cedar::expression::visit(expression, &mut |part| {
            paths.extend(path(part).or_else(|| tag(part, "getTag")))
        });
        // A path is also visited as the beginning of a longer one.
        let all = paths.clone();
        paths.retain(|path| !all.iter().any(|other| other.starts_with(&format!("{path}."))));
        Self {
            expression: expression.clone(),
            parsed: parse(&text),
            numbers: ways.iter().filter_map(|text| parse(text)).collect(),
            paths,
        }
    }

    fn value(&self, world: &World) -> Option<EvalResult> {
        eval_expression(&world.request, &world.entities, self.parsed.as_ref()?).ok()
    }

    fn number(&self, world: &World) -> Option<i64> {
        match self.value(world)? {
            EvalResult::Long(number) => Some(number),
            EvalResult::ExtensionValue(text) if text.starts_with("decimal(") => {
                decimal(text.strip_prefix("decimal(\"")?.strip_suffix("\")")?)
            }
            EvalResult::ExtensionValue(_) => {
                self.numbers.iter().find_map(|way| match eval_expression(&world.request, &world.entities, way) {
                    Ok(EvalResult::Long(number)) => Some(number),
                    _ => None,
                })
            }
            _ => None,
        }
    }
}

/// Every condition of a policy, those of its scope included.
pub(crate) fn of_policy(policy: &Policy) -> Vec<Condition> {
    let entity = |uid: &EntityUid| json!({ "Value": { "__entity": uid_json(uid) } });
    let compared = |op: &str, variable: &str, uid: &EntityUid| json!({ op: { "left": { "Var": variable }, "right": entity(uid) } });
    let mut all = atoms(policy);
    all.extend(match policy.principal_constraint() {
        PrincipalConstraint::Eq(uid) => Some(compared("==", "principal", &uid)),
        PrincipalConstraint::In(uid) | PrincipalConstraint::IsIn(_, uid) => Some(compared("in", "principal", &uid)),
        _ => None,
    });
    all.extend(match policy.resource_constraint() {
        ResourceConstraint::Eq(uid) => Some(compared("==", "resource", &uid)),
        ResourceConstraint::In(uid) | ResourceConstraint::IsIn(_, uid) => Some(compared("in", "resource", &uid)),
        _ => None,
    });
    all.into_iter().map(Condition::of).collect()
}

impl Condition {
    fn of(expression: Value) -> Self {
        let members = |name: &str| {
            let parts = expression.get(name)?;
            let pair = [parts.get("left").or(parts.get(0))?, parts.get("right").or(parts.get(1))?];
            Some(pair.map(Side::of).to_vec())
        };
        let sides = OPERATORS.iter().find_map(|name| members(name));
        let sides = sides.unwrap_or_else(|| vec![Side::of(&expression)]);
        let mut paths: BTreeSet<String> = sides.iter().flat_map(|side| side.paths.iter().cloned()).collect();
        if let Some(has) = expression.get("has") {
            let base = has.get("left").and_then(path).unwrap_or_default();
            paths.insert(format!("{base}.{}", has.get("attr").and_then(Value::as_str).unwrap_or_default()));
        }
        paths.extend(tag(&expression, "hasTag"));
        Self { expression, sides, paths }
    }

    /// The paths whose presence it asks for.
    pub(crate) fn asked_for(&self) -> Option<String> {
        let Some(has) = self.expression.get("has") else { return tag(&self.expression, "hasTag") };
        Some(format!("{}.{}", path(has.get("left")?)?, has.get("attr")?.as_str()?))
    }

    /// Cases near this one in which the condition is at its edge, or on the other side of it.
    ///
    /// `pool` gives values for a path that is absent.
    pub(crate) fn moves(&self, world: &World, subject: &Subject, pool: &dyn Fn(&str) -> Vec<Value>) -> Vec<Case> {
        let case = &world.case;
        let mut found = Vec::new();
        if let [left, right] = self.sides.as_slice() {
            found.extend(edges(left, right, world));
            for (side, other) in [(left, right), (right, left)] {
                found.extend(self.related(side, other, world, subject));
            }
        }
        if let Some(asked) = self.asked_for()
            && let Some(place) = locate(case, &asked)
        {
            match places::read(case, &place) {
                Some(_) => found.extend(places::with(case, &place, None)),
                None => found.extend(pool(&asked).into_iter().filter_map(|v| places::with(case, &place, Some(v)))),
            }
        } else if let Some(path) = path(&self.expression)
            && let Some(place) = locate(case, &path)
            && let Some(flag) = places::read(case, &place).and_then(Value::as_bool)
        {
            found.extend(places::with(case, &place, Some(json!(!flag))));
        }
        if let Some(pattern) = self.expression.pointer("/like/pattern").and_then(Value::as_array)
            && let Some(place) = self.expression.pointer("/like/left").and_then(path).and_then(|p| locate(case, &p))
        {
            let literal: String = pattern.iter().filter_map(|part| part.get("Literal")?.as_str()).collect();
            let texts = [literal.clone(), format!("{literal}x"), format!("x{literal}"), String::new()];
            found.extend(texts.into_iter().filter_map(|text| places::with(case, &place, Some(json!(text)))));
        }
        found.retain(|other| other != case);
        found
    }

    /// Cases in which a side that can be changed stands in another relation to the other one: equal, different, in, not in.
    fn related(&self, side: &Side, other: &Side, world: &World, subject: &Subject) -> Vec<Case> {
        let (case, name) = (&world.case, self.expression.as_object().and_then(|op| op.keys().next()));
        let Some(wanted) = other.value(world).as_ref().and_then(to_json) else { return Vec::new() };
        let mut found = Vec::new();
        let variable = side.expression.get("Var").and_then(Value::as_str);
        let place = path(&side.expression).filter(|path| path.contains('.')).and_then(|path| locate(case, &path));
        match name.map(String::as_str) {
            Some("==" | "!=") => {
                if let Some(place) = &place {
                    let others = different(&wanted, case, subject);
                    let values = std::iter::once(wanted.clone()).chain(others.iter().map(|(value, _)| value.clone()));
                    found.extend(values.filter_map(|value| places::with(case, place, Some(value))));
                    let fresh = others
                        .iter()
                        .filter_map(|(value, base)| places::with(base.as_ref()?, place, Some(value.clone())));
                    found.extend(fresh);
                } else if let (Some(which), Some(uid)) = (place_of(variable), uid_of(&wanted)) {
                    found.extend(with_uid(case, which, &uid));
                    let fresh = different(&wanted, case, subject);
                    let uids = fresh.iter().filter_map(|(value, _)| uid_of(value));
                    found.extend(uids.filter_map(|uid| with_uid(case, which, &uid)));
                }
            }
            Some("in") => {
                let groups: Vec<Value> = match &wanted {
                    Value::Array(elements) => elements.clone(),
                    single => vec![single.clone()],
                };
                let child = side.value(world).as_ref().and_then(to_json);
                let child = child.as_ref().and_then(|child| child.get("__entity"));
                if let Some(index) = child.and_then(|child| places::entity(case, child)) {
                    found.extend(in_and_out(case, index, &groups));
                }
            }
            Some("contains" | "containsAll" | "containsAny") => {
                found.extend(place.iter().flat_map(|place| sets(case, place, &wanted, &side.expression, self)));
            }
            _ => {}
        }
        found
    }
}

/// The path of a tag that an expression reads or asks for by its name.
fn tag(expression: &Value, operator: &str) -> Option<String> {
    let parts = expression.get(operator)?;
    let key = parts.pointer("/right/Value")?.as_str()?;
    Some(format!("{}.{TAG}{key}", path(parts.get("left")?)?))
}

/// Cases in which a number of either side is such that both are equal, or as near as can be.
fn edges(left: &Side, right: &Side, world: &World) -> Vec<Case> {
    let (Some(l), Some(r)) = (left.number(world), right.number(world)) else { return Vec::new() };
    let case = &world.case;
    let mut found = Vec::new();
    for path in left.paths.iter().chain(&right.paths) {
        let Some(place) = locate(case, path) else { continue };
        let Some((now, like)) = places::read(case, &place).and_then(|value| Some((number(value)?, value))) else {
            continue;
        };
        let Some(distance) = r.checked_sub(l) else { continue };
        let mut values = BTreeSet::new();
        for target in [now.checked_add(distance), now.checked_sub(distance)].into_iter().flatten() {
            values.extend([target.checked_sub(1), Some(target), target.checked_add(1)].into_iter().flatten());
        }
        let changed = values.into_iter().filter_map(|value| places::with(case, &place, Some(of_number(like, value)?)));
        found.extend(changed);
    }
    found
}

/// Cases in which an entity is in each of these groups, and in none.
fn in_and_out(case: &Case, index: usize, groups: &[Value]) -> Vec<Case> {
    let change = |parents: Vec<Value>| {
        let mut changed = case.clone();
        let entity = changed.entities.get_mut(index)?.as_object_mut()?;
        entity.insert("parents".to_owned(), Value::Array(parents));
        Some(changed)
    };
    let parents = case.entities.get(index).and_then(|entity| entity.get("parents")?.as_array().cloned());
    let parents = parents.unwrap_or_default();
    let bare = |uid: &Value| uid.get("__entity").unwrap_or(uid).clone();
    let mut found = Vec::new();
    for group in groups.iter().map(bare) {
        let without: Vec<Value> = parents.iter().map(bare).filter(|parent| *parent != group).collect();
        found.extend(change(without.iter().cloned().chain([group]).collect()));
        found.extend(change(without));
    }
    found.extend(change(Vec::new()));
    found
}

/// Cases in which a set holds what it is asked for, and lacks some of it.
fn sets(case: &Case, place: &Place, wanted: &Value, side: &Value, condition: &Condition) -> Vec<Case> {
    let Some(set) = places::read(case, place).and_then(Value::as_array).cloned() else { return Vec::new() };
    let is_left = condition.sides.first().is_some_and(|left| left.expression == *side);
    let asked: Vec<Value> = match wanted {
        // `contains` asks for one element; the others compare two sets.
        Value::Array(elements) if condition.expression.get("contains").is_none() => elements.clone(),
        single => vec![single.clone()],
    };
    let mut sets = Vec::new();
    let with_all: Vec<Value> = set.iter().filter(|one| !asked.contains(one)).chain(&asked).cloned().collect();
    for missing in &asked {
        sets.push(with_all.iter().filter(|one| *one != missing).cloned().collect());
    }
    sets.extend([with_all, Vec::new(), asked.clone()]);
    if !is_left && let Some(first) = asked.first() {
        sets.push(asked.iter().cloned().chain(another(first)).collect());
    }
    sets.into_iter().filter_map(|set| places::with(case, place, Some(Value::Array(set)))).collect()
}

/// A value that differs from this one, of the same type, where that is simple.
fn another(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(flag) => Some(json!(!flag)),
        Value::String(text) => Some(json!(format!("{text}x"))),
        other => of_number(other, number(other)?.checked_add(1)?),
    }
}

/// Values that differ from this one; an entity that is new comes with a case in which it is.
fn different(value: &Value, case: &Case, subject: &Subject) -> Vec<(Value, Option<Case>)> {
    let Some(uid) = value.get("__entity") else {
        return another(value).into_iter().map(|value| (value, None)).collect();
    };
    let name = uid.get("type").and_then(Value::as_str).unwrap_or_default();
    let Ok(kind) = EntityTypeName::from_str(name) else { return Vec::new() };
    let as_value = |id: &str| json!({ "__entity": { "type": name, "id": id } });
    if let Some(members) = subject.bundle.schema().members(&kind) {
        let others = members.iter().map(|id| as_value(id)).filter(|other| other != value);
        return others.map(|value| (value, None)).collect();
    }
    let fresh = as_value("another");
    let changed = fresh.get("__entity").and_then(|new| places::with_entity(case, uid, new));
    vec![(fresh, changed)]
}

fn place_of(variable: Option<&str>) -> Option<usize> {
    match variable? {
        "principal" => Some(0),
        "resource" => Some(2),
        _ => None,
    }
}

fn uid_of(value: &Value) -> Option<EntityUid> {
    let uid = value.get("__entity")?;
    let name = EntityTypeName::from_str(uid.get("type")?.as_str()?).ok()?;
    Some(EntityUid::from_type_name_and_id(name, EntityId::new(uid.get("id")?.as_str()?)))
}

/// What compares two sides.
const OPERATORS: [&str; 14] = [
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "in",
    "contains",
    "containsAll",
    "containsAny",
    "lessThan",
    "lessThanOrEqual",
    "greaterThan",
    "greaterThanOrEqual",
];
