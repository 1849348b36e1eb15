//! Sample contexts from the schema: each parameter in each of its few values, everything else empty.

use super::shrink::{FIRST_TIME, datetime};
use crate::schema::RunSchema;
use cedar_policy::{EntityTypeName, EntityUid};
use serde_json::{Map, Value, json};
use std::str::FromStr as _;

/// The shapes of all contexts.
#[derive(Debug)]
pub struct Contexts<'a>(pub &'a RunSchema);

/// One choice of parameters.
#[derive(Clone, Debug, Default)]
pub struct Variant(Vec<(String, Value, String)>);

impl Variant {
    /// ` to=true`, or nothing where there is no choice.
    pub fn label(&self) -> String {
        self.0.iter().map(|(key, _, shown)| format!(" {key}={shown}")).collect()
    }
}

impl Contexts<'_> {
    /// Every choice of those parameters that have few values: truth values and enumerations.
    pub fn variants(&self, action: &EntityUid) -> Vec<Variant> {
        let mut variants = vec![Variant::default()];
        for (key, shape) in self.parameters(action) {
            let values = self.choices(&shape);
            if values.len() < 2 {
                continue;
            }
            variants = variants
                .iter()
                .flat_map(|variant| {
                    let chosen = values.iter().map(|(value, shown)| (key.clone(), value.clone(), shown.clone()));
                    chosen.map(|choice| Variant(variant.0.iter().cloned().chain([choice]).collect()))
                })
                .collect();
        }
        variants
    }

    /// The context with these parameters in this mode, with no gate open and nothing measured.
    pub fn context(&self, action: &EntityUid, variant: &Variant, mode: &str) -> Value {
        let mut context = Map::new();
        for (key, shape) in self.parameters(action) {
            let chosen = variant.0.iter().find(|(name, ..)| *name == key).map(|(_, value, _)| value.clone());
            context.insert(key, chosen.unwrap_or_else(|| self.empty(&shape)));
        }
        let mut run = self.empty(&self.shape(action, "run"));
        if let Some(run) = run.as_object_mut() {
            run.insert("mode".to_owned(), entity("Cutter::Mode", mode));
            run.insert("finally_counterpart".to_owned(), json!(true));
        }
        context.insert("run".to_owned(), run);
        Value::Object(context)
    }

    /// The emptiest context of an action; for a schema that was not written for the runtime a record without anything.
    pub fn emptiest(&self, action: &EntityUid) -> Value {
        self.record(self.0.context(action))
    }

    /// The emptiest attributes of an entity of this type.
    pub fn emptiest_entity(&self, kind: &str) -> Value {
        EntityTypeName::from_str(kind).map_or_else(|_| json!({}), |kind| self.record(self.0.attributes(&kind)))
    }

    fn record(&self, shape: &Value) -> Value {
        let is_record = self.0.resolved(shape).get("type").is_some_and(|of| of == "Record");
        if is_record { self.empty(shape) } else { json!({}) }
    }

    fn parameters(&self, action: &EntityUid) -> Vec<(String, Value)> {
        let attributes = self.0.context(action).get("attributes").and_then(Value::as_object).cloned();
        attributes.unwrap_or_default().into_iter().filter(|(key, _)| key != "run").collect()
    }

    fn shape(&self, action: &EntityUid, key: &str) -> Value {
        self.0.context(action).get("attributes").and_then(|all| all.get(key)).cloned().unwrap_or_default()
    }

    fn choices(&self, shape: &Value) -> Vec<(Value, String)> {
        let name = type_name(shape);
        if matches!(name, "Bool" | "Boolean") {
            return [false, true].into_iter().map(|flag| (json!(flag), flag.to_string())).collect();
        }
        let members = self.members(name).into_iter();
        members.map(|id| (entity(name, &id), id)).collect()
    }

    /// The emptiest value of a type; optional attributes are left out.
    fn empty(&self, shape: &Value) -> Value {
        let shape = self.0.resolved(shape);
        match (shape.get("type").and_then(Value::as_str).unwrap_or_default(), type_name(shape)) {
            ("Record", _) => {
                let attributes = shape.get("attributes").and_then(Value::as_object).cloned().unwrap_or_default();
                let required = attributes.iter().filter(|(_, of)| of.get("required") != Some(&json!(false)));
                Value::Object(required.map(|(key, of)| (key.clone(), self.empty(of))).collect())
            }
            ("Set", _) => json!([]),
            (_, "Bool" | "Boolean") => json!(false),
            (_, "Long") => json!(0),
            (_, "String") => json!(""),
            (_, "datetime") => datetime(FIRST_TIME).unwrap_or_default(),
            (_, "duration") => json!({ "__extn": { "fn": "duration", "arg": "0ms" } }),
            (_, "decimal") => json!({ "__extn": { "fn": "decimal", "arg": "0.0" } }),
            (_, "ipaddr") => json!({ "__extn": { "fn": "ip", "arg": "127.0.0.1" } }),
            (_, name) => {
                // Named as a request that is made small names them.
                let plain = || name.rsplit("::").next().unwrap_or(name).to_lowercase();
                entity(name, &self.members(name).into_iter().next().unwrap_or_else(plain))
            }
        }
    }

    fn members(&self, name: &str) -> Vec<String> {
        let name = EntityTypeName::from_str(name).ok();
        name.and_then(|name| self.0.members(&name)).map(<[String]>::to_vec).unwrap_or_default()
    }
}

fn entity(name: &str, id: &str) -> Value {
    json!({ "__entity": { "type": name, "id": id } })
}

/// What a shape is called: an entity type by its whole name, a type of Cedar's own by its last part.
fn type_name(shape: &Value) -> &str {
    let name = shape.get("name").or_else(|| shape.get("type")).and_then(Value::as_str).unwrap_or_default();
    name.trim_start_matches("__cedar::")
}
