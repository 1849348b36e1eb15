//! A row of a plan as an approval lists it: everything that is asked for, and exactly what would run.

use crate::digest::Digest;
use crate::json;
use crate::plan::{IntendedAction, RunPlan, Work, WorkRecord};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A row that an approval is for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct ApprovedRow {
    /// The row's name in the plan.
    pub id: String,
    /// Who would act, as Cedar writes it.
    pub principal: String,
    /// What would be done.
    pub action: String,
    /// To what.
    pub resource: String,
    /// Its own parameters, in Cedar's explicit JSON form.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub parameters: Map<String, Value>,
    /// Exactly what would run, what it is to change, and the digest of both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<WorkRecord>,
}

impl ApprovedRow {
    /// The row of a plan.
    pub fn of(action: &IntendedAction) -> Self {
        Self {
            id: action.id.clone(),
            principal: action.principal.to_string(),
            action: action.action.to_string(),
            resource: action.resource.to_string(),
            parameters: action.parameters_json().as_object().cloned().unwrap_or_default(),
            work: action.work.as_ref().map(Work::record),
        }
    }
}

/// A value in Cedar's explicit JSON form, as Cedar itself writes it.
pub fn cedar_text(value: &Value) -> String {
    let text = |at: &str| value.pointer(at).and_then(Value::as_str);
    match (text("/__entity/type"), text("/__entity/id"), text("/__extn/fn"), value.pointer("/__extn/arg")) {
        (Some(kind), Some(id), ..) => format!("{kind}::{}", Value::from(id)),
        (.., Some(function), Some(argument)) => format!("{function}({argument})"),
        _ => match value {
            Value::Array(items) => format!("[{}]", items.iter().map(cedar_text).collect::<Vec<_>>().join(", ")),
            plain => plain.to_string(),
        },
    }
}

/// The rows of a plan that have these names, in its order.
pub fn rows(plan: &RunPlan, names: &BTreeSet<String>) -> Vec<ApprovedRow> {
    plan.actions.iter().filter(|action| names.contains(&action.id)).map(ApprovedRow::of).collect()
}

/// Sha-256 over rows, in whatever order: who would do what to what, with which parameters, and by which work.
pub fn digest(rows: &[ApprovedRow]) -> Digest {
    let by_name: BTreeMap<&String, &ApprovedRow> = rows.iter().map(|row| (&row.id, row)).collect();
    let value = serde_json::to_value(by_name).unwrap_or_default();
    Digest::of(json::canonical(&value).as_bytes())
}
