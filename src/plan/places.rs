//! Where in its file something of a plan stands. Looked up again only once something is wrong with it.

use super::{IntendedAction, RunPlan};
use crate::json;
use cedar_policy::EntityUid;
use jsonc_parser::ast::Value;
use std::ops::Range;

/// The plan's file as JSON with positions.
#[derive(Debug)]
pub struct Places<'a> {
    plan: &'a RunPlan,
    value: Option<Value<'a>>,
}

impl<'a> Places<'a> {
    /// Reads the plan's file once more.
    pub fn of(plan: &'a RunPlan) -> Self {
        Self { plan, value: json::parse(&plan.source).ok() }
    }

    /// The value of one of the plan's own fields; its opening brace where there is none.
    pub fn field(&self, name: &str) -> Range<usize> {
        let found = self.value.as_ref().and_then(|plan| json::member(plan, name)).map(json::span);
        let start = self.plan.source.text().find('{').unwrap_or(0);
        found.unwrap_or(start..start + 1)
    }

    /// The value of a row's field, or of the plan's where the row leaves it to the plan.
    pub fn row_field(&self, row: &IntendedAction, name: &str) -> Range<usize> {
        let own = self.row(row).and_then(|row| json::member(row, name)).map(json::span);
        own.unwrap_or_else(|| self.field(name))
    }

    /// Where an entity stands among the parameters of a row; the row's opening brace where it is not found.
    pub fn parameter(&self, row: &IntendedAction, uid: &EntityUid) -> Range<usize> {
        let context = self.row(row).and_then(|row| json::member(row, "context"));
        let found = context.and_then(|context| entity(context, &uid.type_name().to_string(), uid.id().unescaped()));
        found.unwrap_or(row.span.start..row.span.start + 1)
    }

    fn row(&self, row: &IntendedAction) -> Option<&Value<'a>> {
        let Value::Array(rows) = json::member(self.value.as_ref()?, "actions")? else { return None };
        rows.elements.iter().find(|element| json::span(element).start == row.span.start)
    }
}

/// The object that names an entity, `{"type": ..., "id": ...}`, in or below a value.
fn entity(value: &Value<'_>, type_name: &str, id: &str) -> Option<Range<usize>> {
    let is = |field: &str, text: &str| matches!(json::member(value, field), Some(Value::StringLit(found)) if found.value == text);
    match value {
        Value::Object(_) if is("type", type_name) && is("id", id) => Some(json::span(value)),
        Value::Object(object) => object.properties.iter().find_map(|property| entity(&property.value, type_name, id)),
        Value::Array(array) => array.elements.iter().find_map(|element| entity(element, type_name, id)),
        _ => None,
    }
}
