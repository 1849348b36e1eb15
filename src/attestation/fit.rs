//! Whether a JSON value fits a JSON Schema (draft 2020-12), for the keywords that the published schema uses.
//!
//! A keyword that is not known here is an error, so that no part of a schema is passed over.

use regex::Regex;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// The places (JSON pointers, RFC 6901) in which the value does not fit; an error names what of the schema is not known.
pub fn misfits(schema: &Value, value: &Value) -> Result<Vec<String>, String> {
    let fitting = Fitting { definitions: schema.get("$defs"), patterns: RefCell::default() };
    fitting.value(schema, &At { place: String::new(), value })
}

/// A part of the value, and where it lies.
struct At<'a> {
    place: String,
    value: &'a Value,
}

struct Fitting<'a> {
    definitions: Option<&'a Value>,
    /// Each pattern, made once.
    patterns: RefCell<BTreeMap<String, Regex>>,
}

impl Fitting<'_> {
    fn value(&self, schema: &Value, at: &At<'_>) -> Result<Vec<String>, String> {
        if *schema == Value::Bool(true) {
            return Ok(Vec::new());
        }
        let keywords = schema.as_object().ok_or("a part of it is not an object")?;
        let mut places = Vec::new();
        for (keyword, rule) in keywords {
            places.extend(self.keyword(keywords, keyword, rule, at)?);
        }
        Ok(places)
    }

    fn keyword(
        &self,
        keywords: &Map<String, Value>,
        keyword: &str,
        rule: &Value,
        at: &At<'_>,
    ) -> Result<Vec<String>, String> {
        let fits = match keyword {
            // They say something to people, or hold definitions.
            "$id" | "$schema" | "$defs" | "title" | "description" | "format" | "default" => true,
            "$ref" => return self.value(self.definition(rule)?, at),
            "properties" | "items" | "additionalProperties" => return self.parts(keywords, keyword, rule, at),
            "type" => words(rule)?.iter().any(|name| is_of_type(at.value, name)),
            "required" => match at.value.as_object() {
                Some(object) => words(rule)?.iter().all(|name| object.contains_key(*name)),
                None => true,
            },
            "const" => at.value == rule,
            "enum" => list(rule)?.contains(at.value),
            "minimum" => match (at.value.as_f64(), rule.as_f64()) {
                (_, None) => return Err("`minimum` is not a number".to_owned()),
                (value, Some(least)) => value.is_none_or(|value| value >= least),
            },
            "pattern" => self.matches(&words(rule)?.concat(), at.value)?,
            "anyOf" => self.fitting(rule, at)? > 0,
            "oneOf" => self.fitting(rule, at)? == 1,
            other => return Err(format!("the keyword `{other}` is not known")),
        };
        Ok(if fits { Vec::new() } else { vec![at.place.clone()] })
    }

    /// Whether a text has the form of a pattern; what is no text has any.
    fn matches(&self, pattern: &str, value: &Value) -> Result<bool, String> {
        let mut patterns = self.patterns.borrow_mut();
        if !patterns.contains_key(pattern) {
            let made = Regex::new(pattern).map_err(|_| format!("`{pattern}` is not a valid pattern"))?;
            patterns.insert(pattern.to_owned(), made);
        }
        let made = patterns.get(pattern);
        Ok(value.as_str().is_none_or(|text| made.is_some_and(|made| made.is_match(text))))
    }

    /// What lies in an object or a list, each part under its own schema.
    fn parts(
        &self,
        keywords: &Map<String, Value>,
        keyword: &str,
        rule: &Value,
        at: &At<'_>,
    ) -> Result<Vec<String>, String> {
        let mut places = Vec::new();
        match (keyword, at.value) {
            ("items", Value::Array(items)) => {
                for (index, value) in items.iter().enumerate() {
                    places.extend(self.value(rule, &At { place: format!("{}/{index}", at.place), value })?);
                }
            }
            ("properties", Value::Object(object)) => {
                for (name, schema) in rule.as_object().ok_or("`properties` is not an object")? {
                    if let Some(value) = object.get(name) {
                        places.extend(self.value(schema, &at.member(name, value))?);
                    }
                }
            }
            ("additionalProperties", Value::Object(object)) => {
                let named = keywords.get("properties").and_then(Value::as_object);
                for (name, value) in object {
                    match named.is_some_and(|named| named.contains_key(name)) {
                        true => {}
                        false if *rule == Value::Bool(false) => places.push(at.place.clone()),
                        false => places.extend(self.value(rule, &at.member(name, value))?),
                    }
                }
            }
            _ => {}
        }
        Ok(places)
    }

    /// How many of the schemas the value fits.
    fn fitting(&self, schemas: &Value, at: &At<'_>) -> Result<usize, String> {
        let mut count = 0;
        for schema in list(schemas)? {
            count += usize::from(self.value(schema, at)?.is_empty());
        }
        Ok(count)
    }

    fn definition(&self, reference: &Value) -> Result<&Value, String> {
        let name = reference.as_str().and_then(|reference| reference.strip_prefix("#/$defs/"));
        let found = name.and_then(|name| self.definitions?.get(name));
        found.ok_or_else(|| format!("{reference} is not among its `$defs`"))
    }
}

impl<'a> At<'a> {
    fn member(&self, name: &str, value: &'a Value) -> At<'a> {
        At { place: format!("{}/{}", self.place, name.replace('~', "~0").replace('/', "~1")), value }
    }
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match (name, value) {
        ("null", Value::Null)
        | ("boolean", Value::Bool(_))
        | ("string", Value::String(_))
        | ("array", Value::Array(_))
        | ("object", Value::Object(_))
        | ("number", Value::Number(_)) => true,
        ("integer", Value::Number(number)) => {
            !number.is_f64() || number.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        _ => false,
    }
}

/// A word, or a list of them.
fn words(rule: &Value) -> Result<Vec<&str>, String> {
    let word = |value: &'_ Value| value.as_str().ok_or_else(|| format!("{value} is not a word")).map(|_| ());
    match rule {
        Value::Array(words) => {
            words.iter().try_for_each(word)?;
            Ok(words.iter().filter_map(Value::as_str).collect())
        }
        single => word(single).map(|()| single.as_str().into_iter().collect()),
    }
}

fn list(rule: &Value) -> Result<&Vec<Value>, String> {
    rule.as_array().ok_or_else(|| format!("{rule} is not a list"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeSet;

    const PUBLISHED: &str = include_str!("../../schemas/attestation.schema.json");

    /// A value that fits, with one item in each list; `choice` picks among alternatives.
    fn example(root: &Value, schema: &Value, choice: usize, depth: usize) -> Value {
        let pick = |list: &Value| list.as_array().map(|list| list[choice % list.len()].clone());
        if let Some(reference) = schema["$ref"].as_str() {
            return example(root, &root["$defs"][reference.strip_prefix("#/$defs/").unwrap()], choice, depth + 1);
        }
        if let Some(chosen) = pick(&schema["anyOf"]).or_else(|| pick(&schema["oneOf"])) {
            let mut value = example(root, &chosen, choice, depth + 1);
            // Members of its own beside the alternatives: those of every form.
            if let (Value::Object(value), Some(own)) = (&mut value, schema["properties"].as_object()) {
                let own = own.iter().map(|(name, own)| (name.clone(), example(root, own, choice, depth + 1)));
                value.extend(own);
            }
            return value;
        }
        if let Some(value) = schema.get("const").cloned().or_else(|| pick(&schema["enum"])) {
            return value;
        }
        let Some(names) = schema.get("type") else { return json!({"any": ["thing"]}) };
        match names.as_str().or_else(|| names[choice % names.as_array().map_or(1, Vec::len)].as_str()).unwrap() {
            "null" => Value::Null,
            "boolean" => json!(choice.is_multiple_of(2)),
            "string" => match schema["pattern"].as_str() {
                None => json!("a"),
                Some("^[0-9a-f]{64}$") => json!("0".repeat(64)),
                Some("Z$") => json!("2026-05-21T08:15:00Z"),
                Some("^[^:]+:.") => json!("relation:a"),
                Some(other) => panic!("nothing is known that fits `{other}`"),
            },
            "integer" => json!(choice),
            "array" if depth > 12 => json!([]),
            "array" => json!([example(root, &schema["items"], choice, depth + 1)]),
            _ => {
                let mut object = Map::new();
                for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
                    object.insert(name.clone(), example(root, schema, choice, depth + 1));
                }
                if let Some(schema @ Value::Object(_)) = schema.get("additionalProperties") {
                    object.insert("b/~".to_owned(), example(root, schema, choice, depth + 1));
                }
                Value::Object(object)
            }
        }
    }

    /// Every pointer into a value.
    fn pointers(place: &str, value: &Value, into: &mut Vec<String>) {
        into.push(place.to_owned());
        let escape = |name: &str| name.replace('~', "~0").replace('/', "~1");
        match value {
            Value::Array(items) => {
                (0..items.len()).for_each(|index| pointers(&format!("{place}/{index}"), &items[index], into));
            }
            Value::Object(object) => {
                object.iter().for_each(|(name, value)| pointers(&format!("{place}/{}", escape(name)), value, into));
            }
            _ => {}
        }
    }

    /// The value with one place changed in every way: another value there, a member more, a member less.
    fn changed(value: &Value, place: &str) -> Vec<Value> {
        let others = [json!(null), json!(true), json!(-1), json!(1.0), json!(1.5), json!("x"), json!([]), json!({})];
        let mut made: Vec<Value> = Vec::new();
        let mut change = |change: &dyn Fn(&mut Value)| {
            let mut copy = value.clone();
            change(copy.pointer_mut(place).unwrap());
            made.push(copy);
        };
        others.iter().for_each(|other| change(&|at| *at = other.clone()));
        if let Some(object) = value.pointer(place).unwrap().as_object() {
            change(&|at| at["no such member"] = json!(1));
            for name in object.keys() {
                change(&|at| drop(at.as_object_mut().unwrap().remove(name)));
            }
        }
        made
    }

    #[test]
    fn every_change_of_a_fitting_value_is_judged_as_a_whole_validator_judges_it() {
        let schema: Value = PUBLISHED.parse().unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let mut refused = 0;
        for choice in 0..4 {
            let value = example(&schema, &schema, choice, 0);
            assert_eq!(misfits(&schema, &value), Ok(Vec::new()), "{value}");
            let mut places = Vec::new();
            pointers("", &value, &mut places);
            for place in &places {
                for value in changed(&value, place) {
                    let ours: BTreeSet<String> = misfits(&schema, &value).unwrap().into_iter().collect();
                    let theirs: BTreeSet<String> =
                        validator.iter_errors(&value).map(|error| error.instance_path().to_string()).collect();
                    assert_eq!(ours, theirs, "after a change at {place}");
                    refused += usize::from(!ours.is_empty());
                }
            }
        }
        assert!(refused > 1000, "{refused}");
    }

    #[test]
    fn a_schema_with_a_keyword_that_is_not_known_is_an_error() {
        for (schema, about) in [
            (json!({"maxLength": 3}), "`maxLength`"),
            (json!({"properties": {"a": {"minLength": 1}}}), "`minLength`"),
            (json!({"pattern": "("}), "not a valid pattern"),
            (json!({"$ref": "#/$defs/none"}), "#/$defs/none"),
            (json!(false), "object"),
        ] {
            let error = misfits(&schema, &json!({"a": 1})).unwrap_err();
            assert!(error.contains(about), "{error}");
        }
    }
}
