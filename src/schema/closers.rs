//! The four names that the prelude leaves to a bundle: what may be declared in its namespace, how, and what is so without it.

use super::joined::{attributes, members, resolve};
use super::{RunSchema, own_name, place};
use crate::json::in_backticks;
use crate::prelude::NAMESPACE;
use crate::problem::{Code, Coded as _, Problem, Problems, Source, nearest};
use serde_json::Value;

/// A name that a bundle may declare in the prelude's namespace.
struct Closer {
    name: &'static str,
    /// `entityTypes` or `commonTypes` of the JSON form.
    section: &'static str,
    /// What it looks like.
    shape: &'static str,
    /// What stands for it where the bundle does not declare it.
    default: &'static str,
}

const CLOSERS: [Closer; 4] = [
    Closer {
        name: "Gate",
        section: "entityTypes",
        shape: "entity Gate enum [\"RELEASE\"];",
        default: "entity Gate enum [\"APPROVAL\"];",
    },
    Closer {
        name: "Facts",
        section: "commonTypes",
        shape: "type Facts = { tests_passed: Bool };",
        default: "type Facts = {};",
    },
    Closer {
        name: "Target",
        section: "commonTypes",
        shape: "type Target = { database: String };",
        default: "type Target = {};",
    },
    Closer {
        name: "Votes",
        section: "commonTypes",
        shape: "type Votes = { finance: Long };",
        default: "type Votes = {};",
    },
];

/// Whether the bundle declares everything in a namespace, and in the prelude's nothing but what is left to it.
pub fn check_names(json: &Value, source: &Source) -> Result<(), Problems> {
    let mut problems = Problems::new();
    let sections = ["commonTypes", "entityTypes", "actions"];
    let declared = |namespace: &str| -> Vec<(&'static str, String)> {
        let body = json.get(namespace).unwrap_or(&Value::Null);
        let of = |section| members(body, section).map(move |(name, _)| (section, name.to_owned()));
        sections.into_iter().flat_map(of).collect()
    };
    for (_, name) in declared("") {
        problems.push(
            Problem::invalid(format!("the schema declares `{name}` outside of any namespace"))
                .at(source, place(source, &name))
                .help("put every type and action into a `namespace Name { ... }` of your own"),
        );
    }
    for (section, name) in declared(NAMESPACE) {
        let closer = CLOSERS.iter().find(|closer| closer.name == name);
        let problem = match closer {
            Some(closer) if closer.section == section => continue,
            Some(closer) => Problem::invalid(format!("the schema declares `{NAMESPACE}::{name}` as something else"))
                .help(format!("write `{}`", closer.shape)),
            None => {
                let names = CLOSERS.map(|closer| closer.name);
                let help = match nearest(&name, names).and_then(|meant| CLOSERS.iter().find(|c| c.name == meant)) {
                    Some(meant) => format!("did you mean `{}`?", meant.shape),
                    None => format!(
                        "a bundle declares {} there and nothing else; put it into a namespace of your own",
                        in_backticks(&names)
                    ),
                };
                Problem::invalid(format!("the schema declares `{name}` in `{NAMESPACE}`, which is the prelude's"))
                    .help(help)
            }
        };
        problems.push(problem.at(source, place(source, &name)).coded(Code::NameReserved));
    }
    problems.or(())
}

/// Whether the bundle declares this one.
pub fn declares(json: &Value, name: &str) -> bool {
    let body = json.get(NAMESPACE).unwrap_or(&Value::Null);
    CLOSERS.iter().any(|closer| closer.name == name && members(body, closer.section).any(|(known, _)| known == name))
}

/// The declarations of those that the bundle leaves out.
pub fn defaults(json: &Value) -> String {
    let left_out = CLOSERS.iter().filter(|closer| !declares(json, closer.name));
    let text: String = left_out.map(|closer| closer.default).collect();
    format!("namespace {NAMESPACE} {{ {text} }}")
}

/// Whether each is of the shape that the runtime fills.
pub fn check_shapes(schema: &RunSchema) -> Result<(), Problems> {
    let mut problems = Problems::new();
    let mut wrong = |message: String, word: &str, name: &str| {
        let shape = CLOSERS.iter().find(|closer| closer.name == name).map_or("", |closer| closer.shape);
        let help = format!("write it as in `{shape}`");
        problems.push(Problem::invalid(message).at(&schema.source, schema.place(word)).help(help));
    };
    if schema.gates.is_empty() {
        wrong(format!("`{NAMESPACE}::Gate` does not list its gates"), "Gate", "Gate");
    }
    for name in ["Facts", "Target", "Votes"] {
        let shape = schema.common_types.get(&own_name(name)).unwrap_or(&Value::Null);
        let shape = resolve(shape, &schema.common_types);
        if shape.get("type").and_then(Value::as_str) != Some("Record") {
            wrong(format!("`{NAMESPACE}::{name}` is not a record"), name, name);
        }
        for (attribute, shape) in attributes(shape) {
            let of = resolve(shape, &schema.common_types);
            match name {
                "Target" if !is_type(of, &["String"]) => {
                    wrong(format!("`{attribute}` of `{NAMESPACE}::Target` is not a String"), attribute, name);
                }
                "Votes" if !is_type(of, &["Long"]) || !required(shape) => {
                    wrong(format!("`{attribute}` of `{NAMESPACE}::Votes` is not a Long"), attribute, name);
                }
                _ => {}
            }
        }
    }
    problems.or(())
}

/// Whether a shape is one of these types of Cedar itself.
pub fn is_type(shape: &Value, names: &[&str]) -> bool {
    let name = shape.get("name").or_else(|| shape.get("type")).and_then(Value::as_str).unwrap_or_default();
    names.contains(&name.trim_start_matches("__cedar::"))
}

/// Whether an attribute is always there.
pub fn required(attribute: &Value) -> bool {
    attribute.get("required") != Some(&Value::Bool(false))
}
