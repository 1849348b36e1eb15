//! Sample contexts from the schema: each parameter in each of its few values, everything else empty.

use crate::problem::Problem;
use crate::schema::RunSchema;
use cedar_policy::{EntityUid, SchemaFragment};
use serde_json::{Map, Value, json};

/// The shapes of all contexts.
#[derive(Debug)]
pub struct Contexts {
    namespace: String,
    body: Value,
}

/// One choice of parameters.
#[derive(Clone, Debug, Default)]
pub struct Variant(Vec<(String, Value, String)>);

impl Variant {
    /// ` to=true`, or nothing where there is no choice.
    pub fn label(&self) -> String {
        self.0.iter().map(|(key, _, shown)| format!(" {key}={shown}")).collect()
    }
}

impl Contexts {
    /// Reads the schema's JSON form.
    pub fn new(schema: &RunSchema) -> Result<Self, Problem> {
        let invalid = |why: String| Problem::invalid(format!("the schema cannot be read: {why}"));
        let (fragment, _) =
            SchemaFragment::from_cedarschema_str(schema.source().text()).map_err(|error| invalid(error.to_string()))?;
        let json = fragment.to_json_value().map_err(|error| invalid(error.to_string()))?;
        let first = json.as_object().and_then(|namespaces| namespaces.iter().next());
        let (namespace, body) = first.ok_or_else(|| invalid("it has no namespace".to_owned()))?;
        Ok(Self { namespace: namespace.clone(), body: body.clone() })
    }

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
        let mode_type = self.resolve(&self.shape(action, "run")).pointer("/attributes/mode/name").cloned();
        if let Some(run) = run.as_object_mut() {
            let name = mode_type.as_ref().and_then(Value::as_str).unwrap_or("Mode");
            run.insert("mode".to_owned(), self.entity(name, mode));
            run.insert("finally_counterpart".to_owned(), json!(true));
        }
        context.insert("run".to_owned(), run);
        Value::Object(context)
    }

    fn parameters(&self, action: &EntityUid) -> Vec<(String, Value)> {
        let context = self.resolve(&self.context_shape(action));
        let attributes = context.get("attributes").and_then(Value::as_object).cloned().unwrap_or_default();
        attributes.into_iter().filter(|(key, _)| key != "run").collect()
    }

    fn shape(&self, action: &EntityUid, key: &str) -> Value {
        let context = self.resolve(&self.context_shape(action));
        context.get("attributes").and_then(|all| all.get(key)).cloned().unwrap_or_default()
    }

    fn context_shape(&self, action: &EntityUid) -> Value {
        let id: &str = action.id().as_ref();
        let declared = self.body.get("actions").and_then(|actions| actions.get(id));
        declared.and_then(|action| action.pointer("/appliesTo/context")).cloned().unwrap_or_default()
    }

    fn choices(&self, shape: &Value) -> Vec<(Value, String)> {
        let name = type_name(shape);
        if matches!(name, "Bool" | "Boolean") {
            return [false, true].into_iter().map(|flag| (json!(flag), flag.to_string())).collect();
        }
        let members = self.members(name).into_iter();
        members.map(|id| (self.entity(name, &id), id)).collect()
    }

    /// The emptiest value of a type; optional attributes are left out.
    fn empty(&self, shape: &Value) -> Value {
        let shape = self.resolve(shape);
        match (shape.get("type").and_then(Value::as_str).unwrap_or_default(), type_name(&shape)) {
            ("Record", _) => {
                let attributes = shape.get("attributes").and_then(Value::as_object).cloned().unwrap_or_default();
                let required = attributes.iter().filter(|(_, of)| of.get("required") != Some(&json!(false)));
                Value::Object(required.map(|(key, of)| (key.clone(), self.empty(of))).collect())
            }
            ("Set", _) => json!([]),
            (_, "Bool" | "Boolean") => json!(false),
            (_, "Long") => json!(0),
            (_, "String") => json!(""),
            (_, "datetime") => json!({ "__extn": { "fn": "datetime", "arg": "2026-01-01" } }),
            (_, "duration") => json!({ "__extn": { "fn": "duration", "arg": "0ms" } }),
            (_, "decimal") => json!({ "__extn": { "fn": "decimal", "arg": "0.0" } }),
            (_, "ipaddr") => json!({ "__extn": { "fn": "ip", "arg": "127.0.0.1" } }),
            (_, name) => {
                let member = self.members(name).into_iter().next();
                self.entity(name, member.as_deref().unwrap_or("any"))
            }
        }
    }

    fn members(&self, name: &str) -> Vec<String> {
        let ids = self.body.get("entityTypes").and_then(|types| types.get(name)).and_then(|of| of.get("enum"));
        let ids = ids.and_then(Value::as_array).into_iter().flatten();
        ids.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    fn entity(&self, name: &str, id: &str) -> Value {
        let full = if name.contains("::") { name.to_owned() } else { format!("{}::{name}", self.namespace) };
        json!({ "__entity": { "type": full, "id": id } })
    }

    /// Follows names of common types, of which Cedar allows no circle.
    fn resolve(&self, shape: &Value) -> Value {
        let common = self.body.get("commonTypes");
        match common.and_then(|types| types.get(type_name(shape))) {
            Some(named) => self.resolve(named),
            None => shape.clone(),
        }
    }
}

fn type_name(shape: &Value) -> &str {
    let name = shape.get("name").or_else(|| shape.get("type")).and_then(Value::as_str).unwrap_or_default();
    name.rsplit("::").next().unwrap_or(name)
}
