//! Values of every type of a schema, as strategies; each becomes smaller towards the plainest value of its type.

use super::pool::{FIRST, Pool};
use super::{just, named};
use crate::schema::RunSchema;
use crate::subject::shrink::datetime;
use cedar_policy::EntityUid;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::any;
use proptest::sample::{select, subsequence};
use proptest::strategy::{BoxedStrategy, Strategy as _};
use serde_json::{Map, Value, json};

/// The types of a schema, and what their values are made of.
pub(super) struct Shapes<'a> {
    pub(super) schema: &'a RunSchema,
    pub(super) pool: &'a Pool,
}

impl Shapes<'_> {
    /// An entity with any attributes, and any of its possible parents.
    pub(super) fn entity(&self, uid: &EntityUid, pool: &Pool) -> BoxedStrategy<Value> {
        let kind = uid.type_name();
        let above = self.schema.schema().ancestors(kind).into_iter().flatten();
        let place = |of: &EntityUid| pool.of_type(&of.type_name().to_string()).iter().position(|other| other == of);
        // Of its own type only those before it, so that none is above itself.
        let may_be = |parent: &EntityUid| parent.type_name() != kind || place(parent) < place(uid);
        let parents: Vec<Value> =
            above.flat_map(|kind| pool.of_type(&kind.to_string())).filter(|parent| may_be(parent)).map(named).collect();
        let most = parents.len().min(PARENTS);
        let attributes = self.value(self.schema.attributes(kind));
        let named = named(uid);
        (attributes, subsequence(parents, 0..=most))
            .prop_map(move |(attrs, parents)| json!({ "uid": named, "attrs": attrs, "parents": parents }))
            .boxed()
    }

    /// Any value of a type.
    pub(super) fn value(&self, shape: &Value) -> BoxedStrategy<Value> {
        let shape = self.schema.resolved(shape);
        let kind = shape.get("type").and_then(Value::as_str).unwrap_or_default();
        let name = shape.get("name").and_then(Value::as_str).unwrap_or(kind).trim_start_matches("__cedar::");
        let pool = self.pool;
        let call = |name: &'static str, argument: String| json!({ "__extn": { "fn": name, "arg": argument } });
        match (kind, name) {
            ("Record", _) => self.record(shape),
            ("Set", _) => self.set(shape.get("element").unwrap_or(&Value::Null)),
            (_, "Bool" | "Boolean") => any::<bool>().prop_map(Value::from).boxed(),
            (_, "Long") => select(pool.longs.clone()).prop_map(Value::from).boxed(),
            (_, "String") => select(pool.strings.clone()).prop_map(Value::from).boxed(),
            (_, "datetime") => select(pool.times.clone())
                .prop_map(|time| datetime(time).or_else(|| datetime(FIRST)).unwrap_or_default())
                .boxed(),
            (_, "duration") => {
                select(pool.durations.clone()).prop_map(move |span| call("duration", format!("{span}ms"))).boxed()
            }
            (_, "decimal") => select(pool.decimals.clone()).prop_map(move |text| call("decimal", text)).boxed(),
            (_, "ipaddr") => {
                select(vec!["127.0.0.1", "10.0.0.1", "::1"]).prop_map(move |text| call("ip", text.to_owned())).boxed()
            }
            (_, name) => match name.parse() {
                Ok(kind) => pool.any_of(&kind).prop_map(|uid| json!({ "__entity": named(&uid) })).boxed(),
                Err(_) => just(json!({})),
            },
        }
    }

    fn record(&self, shape: &Value) -> BoxedStrategy<Value> {
        let attributes = shape.get("attributes").and_then(Value::as_object).cloned().unwrap_or_default();
        let member = |(name, of): (String, Value)| {
            let value = self.value(&of);
            let is_optional = of.get("required") == Some(&json!(false));
            let value = if is_optional { option::of(value).boxed() } else { value.prop_map(Some).boxed() };
            value.prop_map(move |value| (name.clone(), value)).boxed()
        };
        let members: Vec<BoxedStrategy<(String, Option<Value>)>> = attributes.into_iter().map(member).collect();
        let record = |members: Vec<(String, Option<Value>)>| {
            members.into_iter().filter_map(|(name, value)| Some((name, value?))).collect::<Map<_, _>>().into()
        };
        members.prop_map(record).boxed()
    }

    fn set(&self, element: &Value) -> BoxedStrategy<Value> {
        let distinct = |mut elements: Vec<Value>| {
            elements.sort_by_cached_key(ToString::to_string);
            elements.dedup();
            Value::Array(elements)
        };
        vec(self.value(element), 0..=ELEMENTS).prop_map(distinct).boxed()
    }
}

/// Whether nothing of a value is other than the plainest of its type.
pub(super) fn is_plain(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null | Value::Bool(false)) => true,
        Some(Value::Bool(true)) => false,
        Some(Value::Number(number)) => number.as_i64() == Some(0),
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(elements)) => elements.is_empty(),
        Some(Value::Object(members)) => members.values().all(|member| is_plain(Some(member))),
    }
}

/// How many parents an entity has at most.
const PARENTS: usize = 3;
/// How many elements a set has at most.
const ELEMENTS: usize = 4;
