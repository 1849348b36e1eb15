//! Where JSON does not have the type that the schema declares, value by value. Cedar judges; this only says where and why.

use super::joined::{attributes, resolve};
use super::{RunSchema, base};
use crate::json::{self, in_backticks};
use crate::problem::nearest;
use cedar_policy::{Context, EntityUid, RestrictedExpression};
use jsonc_parser::ast::{Object, Value};
use jsonc_parser::common::Ranged as _;
use serde_json::Value as Shape;
use std::ops::Range;

/// One value that does not have its declared type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Misfit {
    /// A sentence about it, lower case, no full stop.
    pub message: String,
    /// The bytes of the file it stands in.
    pub at: Range<usize>,
    /// What to do, where that is known.
    pub help: Option<String>,
}

impl RunSchema {
    /// What does not fit in the parameters of an action, which messages call `what`; `start` is where the row begins.
    pub fn misfits(&self, action: &EntityUid, context: Option<&Value<'_>>, start: usize, what: &str) -> Vec<Misfit> {
        let shape = self.contexts.get(action);
        Finder { schema: self, what, noun: "parameter", container: "context", found: Vec::new() }
            .find(shape, context, start)
    }

    /// What to do about a type of entity that the schema does not know; `None` for one that it knows.
    pub fn unknown_type(&self, name: &str) -> Option<String> {
        if self.attributes.contains_key(name) {
            return None;
        }
        let known: Vec<&str> = self.attributes.keys().map(|name| base(name)).collect();
        let meant = nearest(base(name), known.iter().copied());
        Some(match meant.and_then(|meant| self.attributes.keys().find(|known| base(known) == meant)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the schema knows {}", in_backticks(&known)),
        })
    }

    /// What does not fit in the attributes of an entity, which messages call `what`; `start` is where it begins.
    pub fn attribute_misfits(
        &self,
        type_name: &str,
        attrs: Option<&Value<'_>>,
        start: usize,
        what: &str,
    ) -> Vec<Misfit> {
        let shape = self.attributes.get(type_name);
        Finder { schema: self, what, noun: "attribute", container: "attrs", found: Vec::new() }
            .find(shape, attrs, start)
    }
}

struct Finder<'a> {
    schema: &'a RunSchema,
    what: &'a str,
    /// What messages call a member, and the field they stand in.
    noun: &'static str,
    container: &'static str,
    found: Vec<Misfit>,
}

impl Finder<'_> {
    fn find(mut self, shape: Option<&Shape>, value: Option<&Value<'_>>, start: usize) -> Vec<Misfit> {
        match (shape.map(|shape| resolve(shape, &self.schema.common_types)), value) {
            (Some(shape), Some(Value::Object(object))) => self.record("", shape, object),
            (Some(shape), None) => self.missing("", shape, &|_| false, start..start + 1),
            _ => {}
        }
        self.found
    }

    fn record(&mut self, path: &str, shape: &Shape, object: &Object<'_>) {
        let known = self.names(path, shape);
        // A name that was probably meant by an unknown one is not said to be missing, too.
        let mut taken: Vec<&str> = object.properties.iter().map(json::name).collect();
        for property in &object.properties {
            let name = json::name(property);
            match attributes(shape).find(|(key, _)| *key == name && known.contains(key)) {
                Some((_, declared)) => self.value(&join(path, name), declared, &property.value),
                None => {
                    let help = match nearest(name, known.iter().copied()) {
                        Some(meant) => {
                            taken.push(meant);
                            format!("did you mean `{meant}`?")
                        }
                        None if known.is_empty() => "it takes none".to_owned(),
                        None => format!("it takes {}", in_backticks(&known)),
                    };
                    let message = format!("{} has no {} `{}`", self.what, self.noun, join(path, name));
                    let at = property.name.range();
                    self.add(message, at.start..at.end, Some(help));
                }
            }
        }
        self.missing(path, shape, &|name| taken.contains(&name), object.range.start..object.range.start + 1);
    }

    /// Every attribute that must be there and is not.
    fn missing(&mut self, path: &str, shape: &Shape, has: &dyn Fn(&str) -> bool, at: Range<usize>) {
        let known = self.names(path, shape);
        for (key, declared) in attributes(shape).filter(|(key, _)| known.contains(key) && !has(key)) {
            if declared.get("required") != Some(&Shape::Bool(false)) {
                let message = format!("{} lacks the {} `{}`", self.what, self.noun, join(path, key));
                let help = format!("add it to `{}`: {}", self.container, self.wanted(declared));
                self.add(message, at.clone(), Some(help));
            }
        }
    }

    fn value(&mut self, path: &str, shape: &Shape, value: &Value<'_>) {
        let shape = resolve(shape, &self.schema.common_types);
        let fits = match (kind(shape), value) {
            (Kind::Bool, Value::BooleanLit(_)) | (Kind::String, Value::StringLit(_)) => true,
            (Kind::Long, Value::NumberLit(number)) => number.value.parse::<i64>().is_ok(),
            (Kind::Record, Value::Object(object)) => return self.record(path, shape, object),
            (Kind::Set(element), Value::Array(array)) => {
                for (index, value) in array.elements.iter().enumerate() {
                    self.value(&format!("{path}[{index}]"), element, value);
                }
                return;
            }
            (Kind::Extension(name), Value::StringLit(text)) => is_readable(name, &text.value),
            (Kind::Extension(name), Value::Object(_)) => match json::member(value, "__extn").unwrap_or(value) {
                call @ Value::Object(_) => match (json::member(call, "fn"), json::member(call, "arg")) {
                    (Some(Value::StringLit(called)), Some(Value::StringLit(text))) => {
                        function(name) == called.value && is_readable(name, &text.value)
                    }
                    _ => false,
                },
                _ => false,
            },
            (Kind::Entity(name), Value::Object(_)) => {
                let entity = json::member(value, "__entity").unwrap_or(value);
                let named = json::member(entity, "type");
                matches!(named, Some(Value::StringLit(text)) if text.value == *name)
                    && matches!(json::member(entity, "id"), Some(Value::StringLit(_)))
            }
            _ => false,
        };
        if let (true, Kind::Entity(name)) = (fits, kind(shape)) {
            self.enumerated(path, name, value);
        }
        if !fits {
            let message = format!("`{path}` of {} must be {}, not {}", self.what, self.wanted(shape), said(value));
            let help = hint(&kind(shape), value).or_else(|| match kind(shape) {
                Kind::Entity(name) => Some(format!(r#"write {{"type": "{}", "id": "..."}}"#, name)),
                Kind::Extension("datetime") => Some("write it as \"2026-05-21T08:15:00Z\"".to_owned()),
                _ => None,
            });
            self.add(message, json::span(value), help);
        }
    }

    /// An entity of a type whose ids the schema lists must be one of them.
    fn enumerated(&mut self, path: &str, name: &str, value: &Value<'_>) {
        let entity = json::member(value, "__entity").unwrap_or(value);
        let (Some(ids), Some(at @ Value::StringLit(id))) =
            (self.schema.enumerations.get(name), json::member(entity, "id"))
        else {
            return;
        };
        if ids.iter().any(|known| *known == id.value) {
            return;
        }
        let help = match nearest(&id.value, ids.iter().map(String::as_str)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the schema knows {}", in_backticks(ids)),
        };
        let message = format!("`{path}` of {} names the unknown {} `{}`", self.what, base(name), id.value);
        self.add(message, json::span(at), Some(help));
    }

    fn add(&mut self, message: String, at: Range<usize>, help: Option<String>) {
        self.found.push(Misfit { message, at, help });
    }

    /// A declared type with its article.
    fn wanted(&self, shape: &Shape) -> String {
        match kind(resolve(shape, &self.schema.common_types)) {
            Kind::Bool => "a Bool".to_owned(),
            Kind::Long => "a Long".to_owned(),
            Kind::String => "a String".to_owned(),
            Kind::Record => "a record".to_owned(),
            Kind::Set(element) => format!("a set, each {}", self.wanted(element)),
            Kind::Extension("ipaddr") => "an ipaddr".to_owned(),
            Kind::Extension(name) => format!("a {name}"),
            Kind::Entity(name) => format!("an entity of type `{}`", name),
        }
    }

    /// The names of a record's attributes; at the top of a context without the runtime's key.
    fn names<'s>(&self, path: &str, shape: &'s Shape) -> Vec<&'s str> {
        let is_runtime = |key: &str| self.container == "context" && path.is_empty() && key == "run";
        attributes(shape).map(|(key, _)| key).filter(|key| !is_runtime(key)).collect()
    }
}

/// A declared type.
enum Kind<'a> {
    Bool,
    Long,
    String,
    Record,
    Set(&'a Shape),
    Extension(&'a str),
    Entity(&'a str),
}

fn kind(shape: &Shape) -> Kind<'_> {
    let text = |key: &str| shape.get(key).and_then(Shape::as_str);
    let name = text("name").or_else(|| text("type")).unwrap_or_default();
    match (text("type").unwrap_or_default(), name.trim_start_matches("__cedar::")) {
        ("Record", _) => Kind::Record,
        ("Set", _) => Kind::Set(shape.get("element").unwrap_or(&Shape::Null)),
        ("Entity", name) => Kind::Entity(name),
        (_, "Bool" | "Boolean") => Kind::Bool,
        (_, "Long") => Kind::Long,
        (_, "String") => Kind::String,
        (_, name @ ("datetime" | "decimal" | "duration" | "ipaddr")) => Kind::Extension(name),
        (_, name) => Kind::Entity(name),
    }
}

/// Whether Cedar can read a value of an extension type from this text.
fn is_readable(name: &str, text: &str) -> bool {
    let expression = match name {
        "datetime" => RestrictedExpression::new_datetime(text),
        "decimal" => RestrictedExpression::new_decimal(text),
        "duration" => RestrictedExpression::new_duration(text),
        _ => RestrictedExpression::new_ip(text),
    };
    Context::from_pairs([("value".to_owned(), expression)]).is_ok()
}

/// The function that makes a value of an extension type.
fn function(name: &str) -> &str {
    if name == "ipaddr" { "ip" } else { name }
}

/// What was found, with its article.
fn said(value: &Value<'_>) -> String {
    match value {
        Value::StringLit(text) if text.value.chars().count() <= 40 => format!("the string `{}`", text.value),
        Value::NumberLit(number) if number.value.len() <= 40 => format!("`{}`", number.value),
        other => json::kind(other).to_owned(),
    }
}

/// What to do about a scalar in quotes that should have none, or the other way round.
fn hint(kind: &Kind<'_>, value: &Value<'_>) -> Option<String> {
    let bare = |text: &str| Some(format!("write {text} without quotes"));
    match (kind, value) {
        (Kind::Bool, Value::StringLit(text)) if text.value == "true" || text.value == "false" => bare(&text.value),
        (Kind::Long, Value::StringLit(text)) if text.value.parse::<i64>().is_ok() => bare(&text.value),
        (Kind::Long, Value::NumberLit(_)) => Some("a Long is a whole number of at most 64 bits".to_owned()),
        (Kind::String, Value::NumberLit(number)) => Some(format!("write \"{}\"", number.value)),
        (Kind::String, Value::BooleanLit(boolean)) => Some(format!("write \"{}\"", boolean.value)),
        (Kind::Set(_), _) if !matches!(value, Value::Object(_)) => Some("put it between `[` and `]`".to_owned()),
        _ => None,
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
