//! Cases in the form of `cedar run-tests`, and single requests: asked of Cedar as they stand, without a plan.

use super::{Asked, Case, CedarCase, Expected};
use crate::json::{self, ObjectReader};
use crate::problem::{Problem, Problems, Source};
use crate::request::Stage;
use crate::time::Timestamp;
use cedar_policy::EntityUid;
use serde_json::{Value, json as value};
use std::collections::BTreeSet;
use std::str::FromStr as _;

/// Whether a document has one of these forms: an array of cases, or one request.
pub(super) fn is_one(document: &Value) -> bool {
    let is_request = |value: &Value| ["principal", "action", "resource"].iter().all(|name| value.get(name).is_some());
    match document {
        Value::Array(cases) => {
            !cases.is_empty() && cases.iter().all(|case| case.get("request").is_some_and(is_request))
        }
        other => is_request(other),
    }
}

/// Every case of a file; `beside` reads a file of entities that a case names.
pub(super) fn read(source: &Source, beside: &dyn Fn(&str) -> Result<Source, Problems>) -> Result<Vec<Case>, Problems> {
    let document = json::parse(source)?;
    let mut problems = Problems::new();
    let mut cases = Vec::new();
    let elements = match &document {
        jsonc_parser::ast::Value::Array(array) => array.elements.iter().collect(),
        other => vec![other],
    };
    if elements.is_empty() {
        problems.push(Problem::invalid(format!("`{}` holds no case", source.name())).of(source));
    }
    for (at, element) in elements.into_iter().enumerate() {
        cases.extend(one(source, element, at, beside, &mut problems));
    }
    problems.or(cases)
}

fn one(
    source: &Source,
    element: &jsonc_parser::ast::Value<'_>,
    at: usize,
    beside: &dyn Fn(&str) -> Result<Source, Problems>,
    problems: &mut Problems,
) -> Option<Case> {
    let before = problems.count();
    let document = json::to_serde(element);
    // A request that stands by itself has what is expected beside principal, action and resource.
    let alone = document.get("request").is_none();
    let mut reader = ObjectReader::new(source, element, "a case", problems)?;
    let span = reader.span();
    let of_request = if alone { &REQUEST[..] } else { &["request"] };
    for name in of_request.iter().copied().chain(["name", "entities", "decision", "reason", "num_errors", "property"]) {
        reader.optional(name);
    }
    reader.finish();
    if let Some(request) = json::member(element, "request") {
        let mut reader = ObjectReader::new(source, request, "its request", problems)?;
        for name in REQUEST {
            reader.optional(name);
        }
        reader.finish();
    }
    let mut wrong = |message: String| problems.push(Problem::invalid(message).at(source, span.start..span.start + 1));
    let request = document.get("request").unwrap_or(&document);
    let mut uid = |name: &str| {
        let text = request.get(name).and_then(Value::as_str);
        let uid = text.and_then(|text| EntityUid::from_str(text).ok());
        if uid.is_none() {
            wrong(format!("`{name}` is an entity, written as `Type::\"id\"`"));
        }
        uid
    };
    let uids = [uid("principal"), uid("action"), uid("resource")];
    let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut expected = Expected { decision: text("decision"), property: text("property"), ..Expected::default() };
    if !expected.decision.as_deref().is_none_or(|decision| ["allow", "deny"].contains(&decision)) {
        wrong("`decision` is `allow` or `deny`".to_owned());
    }
    if let Some(reason) = document.get("reason") {
        let ids = reason.as_array().and_then(|ids| ids.iter().map(|id| id.as_str().map(str::to_owned)).collect());
        match ids {
            Some(ids) => expected.policies = Some(ids).filter(|ids: &BTreeSet<String>| !ids.is_empty()),
            None => wrong("`reason` is an array of the ids of policies".to_owned()),
        }
    }
    if let Some(errors) = document.get("num_errors") {
        match errors.as_u64().and_then(|errors| usize::try_from(errors).ok()) {
            Some(errors) => expected.errors = Some(errors),
            None => wrong("`num_errors` is a number of errors".to_owned()),
        }
    }
    if expected == Expected::default() {
        wrong("it expects nothing: give `decision`, `reason` or `num_errors`".to_owned());
    }
    let entities = match document.get("entities") {
        Some(Value::String(path)) => {
            match beside(path).and_then(|source| json::parse(&source).map(|v| json::to_serde(&v))) {
                Ok(entities) => Some(entities),
                Err(found) => {
                    problems.absorb::<()>(Err(found));
                    None
                }
            }
        }
        other => other.cloned(),
    };
    let [Some(principal), Some(action), Some(resource)] = uids else { return None };
    let context = request.get("context").cloned().unwrap_or_else(|| value!({}));
    let name = text("name").unwrap_or_else(|| format!("case {}", at + 1));
    (problems.count() == before).then_some(())?;
    Some(Case {
        name,
        source: source.clone(),
        at: span,
        plan: None,
        asked: Asked::Cedar(Box::new(CedarCase { uids: [principal, action, resource], context, entities })),
        replaced: Vec::new(),
        patches: Vec::new(),
        of_world: 0,
        // Its time, if it has one, is in its context.
        now: Timestamp::from_milliseconds(0)?,
        stage: Stage::Plan,
        gates: BTreeSet::new(),
        expected,
    })
}

/// What a request has.
const REQUEST: [&str; 4] = ["principal", "action", "resource", "context"];
