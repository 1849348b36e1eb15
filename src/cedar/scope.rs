//! What the scope of a policy leaves room for: actions by name or group, principals and resources by type.

use cedar_policy::{
    ActionConstraint, Entities, EntityTypeName, EntityUid, Policy, PrincipalConstraint, ResourceConstraint, Schema,
};

/// Whether the action is this one or in this group; `actions` are the schema's.
pub fn is_in(action: &EntityUid, group: &EntityUid, actions: &Entities) -> bool {
    action == group || actions.is_ancestor_of(group, action)
}

/// Whether the scope names the action, one of its groups, or every action.
pub fn covers_action(policy: &Policy, action: &EntityUid, actions: &Entities) -> bool {
    match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => uid == *action,
        ActionConstraint::In(uids) => uids.iter().any(|uid| is_in(action, uid, actions)),
    }
}

/// Whether the scope leaves room for principals of this type.
pub fn covers_principal(policy: &Policy, kind: &EntityTypeName, schema: &Schema) -> bool {
    match policy.principal_constraint() {
        PrincipalConstraint::Any => true,
        PrincipalConstraint::Eq(uid) => uid.type_name() == kind,
        PrincipalConstraint::In(group) => can_be_in(kind, &group, schema),
        PrincipalConstraint::Is(name) => name == *kind,
        PrincipalConstraint::IsIn(name, group) => name == *kind && can_be_in(kind, &group, schema),
    }
}

/// Whether the scope leaves room for resources of this type.
pub fn covers_resource(policy: &Policy, kind: &EntityTypeName, schema: &Schema) -> bool {
    match policy.resource_constraint() {
        ResourceConstraint::Any => true,
        ResourceConstraint::Eq(uid) => uid.type_name() == kind,
        ResourceConstraint::In(group) => can_be_in(kind, &group, schema),
        ResourceConstraint::Is(name) => name == *kind,
        ResourceConstraint::IsIn(name, group) => name == *kind && can_be_in(kind, &group, schema),
    }
}

/// Whether an entity of this type can be the group or below it.
fn can_be_in(kind: &EntityTypeName, group: &EntityUid, schema: &Schema) -> bool {
    let mut above = schema.ancestors(kind).into_iter().flatten();
    group.type_name() == kind || above.any(|name| name == group.type_name())
}
