//! What a policy reads, found in its text: chains of attributes, and tests of membership.

use super::expression::conditions;
use cedar_policy::{EntityUid, Policy, PrincipalConstraint, ResourceConstraint};
use serde_json::Value;
use std::collections::BTreeSet;
use std::str::FromStr as _;

/// Where a chain of attributes begins.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Base {
    /// `principal`.
    Principal,
    /// `resource`.
    Resource,
    /// `context`.
    Context,
    /// An entity that the policy names.
    Entity(EntityUid),
}

/// One thing that a policy reads.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Read {
    /// An attribute, or whether it is there.
    Attribute(Base, Vec<String>),
    /// What the entity at the end of the chain is in.
    Membership(Base, Vec<String>),
    /// An attribute of this name, of an entity that only evaluation would find.
    AnyAttribute(String),
    /// What some entity is in that only evaluation would find.
    AnyMembership,
}

/// Everything that a policy reads, its scope included; whether it would be evaluated is not looked at.
pub fn reads(policy: &Policy) -> BTreeSet<Read> {
    let mut found = BTreeSet::new();
    if matches!(policy.principal_constraint(), PrincipalConstraint::In(_) | PrincipalConstraint::IsIn(..)) {
        found.insert(Read::Membership(Base::Principal, Vec::new()));
    }
    if matches!(policy.resource_constraint(), ResourceConstraint::In(_) | ResourceConstraint::IsIn(..)) {
        found.insert(Read::Membership(Base::Resource, Vec::new()));
    }
    conditions(policy).iter().for_each(|(_, body)| gather(body, &mut found));
    found
}

/// Everything that an expression reads.
pub fn reads_of(expression: &Value) -> BTreeSet<Read> {
    let mut found = BTreeSet::new();
    gather(expression, &mut found);
    found
}

fn gather(expression: &Value, found: &mut BTreeSet<Read>) {
    if let Some((base, path)) = chain(expression) {
        // A variable by itself is no fact.
        if !path.is_empty() {
            found.insert(Read::Attribute(base, path));
        }
        return;
    }
    let Value::Object(members) = expression else {
        if let Value::Array(elements) = expression {
            elements.iter().for_each(|element| gather(element, found));
        }
        return;
    };
    for (operator, operands) in members {
        let left = operands.get("left").unwrap_or(&Value::Null);
        match operator.as_str() {
            // A literal reads nothing.
            "Value" => continue,
            "." | "has" | "getTag" | "hasTag" => {
                let name = operands.get("attr").and_then(Value::as_str).unwrap_or(TAGS);
                found.insert(Read::AnyAttribute(name.to_owned()));
            }
            "in" => found.extend(membership(left)),
            "is" => {
                let group = operands.get("in");
                found.extend(group.and_then(|_| membership(left)));
                gather(left, found);
                group.into_iter().for_each(|group| gather(group, found));
                continue;
            }
            // Its members are names, whatever they are called.
            "Record" => {
                operands.as_object().into_iter().flatten().for_each(|(_, member)| gather(member, found));
                continue;
            }
            _ => {}
        }
        gather(operands, found);
    }
}

/// What a test of membership reads; an action's groups are the schema's.
fn membership(left: &Value) -> Option<Read> {
    if left.get("Var").and_then(Value::as_str) == Some("action") {
        return None;
    }
    Some(chain(left).map_or(Read::AnyMembership, |(base, path)| Read::Membership(base, path)))
}

/// `context.run.facts.x`, or `context has run`, as where it begins and the attributes that follow.
fn chain(expression: &Value) -> Option<(Base, Vec<String>)> {
    if let Some(variable) = expression.get("Var").and_then(Value::as_str) {
        let base = match variable {
            "principal" => Base::Principal,
            "resource" => Base::Resource,
            "context" => Base::Context,
            _ => return None,
        };
        return Some((base, Vec::new()));
    }
    if let Some(entity) = expression.pointer("/Value/__entity") {
        let word = |key: &str| entity.get(key).and_then(Value::as_str);
        let name = cedar_policy::EntityTypeName::from_str(word("type")?).ok()?;
        let uid = EntityUid::from_type_name_and_id(name, cedar_policy::EntityId::new(word("id")?));
        return Some((Base::Entity(uid), Vec::new()));
    }
    let access = expression.get(".").or_else(|| expression.get("has"))?;
    let (base, mut path) = chain(access.get("left")?)?;
    path.push(access.get("attr")?.as_str()?.to_owned());
    Some((base, path))
}

/// The name under which tags are an attribute.
pub const TAGS: &str = "tags";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Vec<String> {
        let policy = Policy::parse(None, body).unwrap();
        let text = |base: &Base, path: &[String]| {
            let base = match base {
                Base::Principal => "principal".to_owned(),
                Base::Resource => "resource".to_owned(),
                Base::Context => "context".to_owned(),
                Base::Entity(uid) => uid.to_string(),
            };
            [&[base], path].concat().join(".")
        };
        let shown = |read: &Read| match read {
            Read::Attribute(base, path) => text(base, path),
            Read::Membership(base, path) => format!("{} in", text(base, path)),
            Read::AnyAttribute(name) => format!("?.{name}"),
            Read::AnyMembership => "? in".to_owned(),
        };
        reads(&policy).iter().map(shown).collect()
    }

    #[test]
    fn everything_that_a_policy_could_read_is_found_wherever_it_stands() {
        let cases: [(&str, &[&str]); 9] = [
            (
                "permit(principal in G::\"a\", action in Action::\"b\", resource is R in T::\"c\");",
                &["principal in", "resource in"],
            ),
            ("permit(principal, action, resource) when { action in Action::\"b\" && principal == P::\"x\" };", &[]),
            (
                "forbid(principal, action, resource) when { false && context.run.facts has a && context.run.facts.a.b };",
                &["context.run.facts.a", "context.run.facts.a.b"],
            ),
            (
                "permit(principal, action, resource) unless { resource.d.registered || resource.d in C::\"x\" };",
                &["resource.d.registered", "resource.d in", "resource.d"],
            ),
            ("permit(principal, action, resource) when { P::\"x\".pinned == \"y\" };", &["P::\"x\".pinned"]),
            (
                "permit(principal, action, resource) when { (if context.a then resource else R::\"x\").b };",
                &["context.a", "?.b"],
            ),
            ("permit(principal, action, resource) when { resource is R in context.t };", &["resource in", "context.t"]),
            ("permit(principal, action, resource) when { resource.hasTag(\"x\") };", &["?.tags"]),
            (
                "permit(principal, action, resource) when { {a: context.b.c}.a && [context.e].contains(1) };",
                &["context.b.c", "context.e", "?.a"],
            ),
        ];
        for (policy, expected) in cases {
            let mut expected: Vec<String> = expected.iter().map(|&text| text.to_owned()).collect();
            let mut found = read(policy);
            expected.sort();
            found.sort();
            assert_eq!(found, expected, "{policy}");
        }
    }
}
