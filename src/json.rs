//! JSON with positions: strict RFC 8259 text, no key twice, and typed reading of objects that names every fault.

use crate::problem::{Code, Coded as _, Problem, Problems, Source, nearest};
use jsonc_parser::ast::{Object, ObjectProp, Value};
use jsonc_parser::common::Ranged as _;
use std::ops::Range;

/// Reads `source` as one JSON value, strictly: no comments, no trailing commas, no key twice, at most 512 levels deep.
pub fn parse(source: &Source) -> Result<Value<'_>, Problems> {
    // serde_json is the judge of what is JSON; jsonc-parser, which is more lenient, only adds the positions.
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(source.text()) {
        let at = offset(source.text(), error.line(), error.column());
        return Err(not_json(source, at, &cause(&error)).coded(Code::JsonSyntax).into());
    }
    let parsed = jsonc_parser::parse_to_ast(source.text(), &Default::default(), &Default::default());
    let value = match parsed.map(|result| result.value) {
        Ok(Some(value)) => value,
        Ok(None) => {
            return Err(Problem::invalid(format!("`{}` is empty", source.name()))
                .of(source)
                .coded(Code::JsonSyntax)
                .into());
        }
        Err(error) => {
            let at = error.range().start;
            let message = format!("`{}` cannot be read: {}", source.name(), error.kind().to_string().to_lowercase());
            return Err(Problem::invalid(message).at(source, at..at).coded(Code::JsonSyntax).into());
        }
    };
    let mut problems = Problems::new();
    refuse_repeated_keys(&value, source, &mut problems);
    problems.or(value)
}

/// The bytes of the source a value stands in.
pub fn span(value: &Value<'_>) -> Range<usize> {
    value.range().start..value.range().end
}

/// What kind of value it is, with its article, for messages.
pub fn kind(value: &Value<'_>) -> &'static str {
    match value {
        Value::StringLit(_) => "a string",
        Value::NumberLit(_) => "a number",
        Value::BooleanLit(_) => "a Boolean",
        Value::Object(_) => "an object",
        Value::Array(_) => "an array",
        Value::NullKeyword(_) => "null",
    }
}

/// A value in the one form that digests are made over: no blanks, the keys of each object sorted, as `jq -cS` prints it.
pub fn canonical(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Object(members) => {
            let sorted: std::collections::BTreeMap<_, _> = members.iter().collect();
            let text = |(key, value)| format!("{}:{}", serde_json::Value::from(String::clone(key)), canonical(value));
            format!("{{{}}}", sorted.into_iter().map(text).collect::<Vec<_>>().join(","))
        }
        serde_json::Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        plain => plain.to_string(),
    }
}

/// What a path such as `run.facts.backup` leads to.
pub fn at<'a>(value: &'a serde_json::Value, path: &str) -> Option<&'a serde_json::Value> {
    value.pointer(&format!("/{}", path.replace('.', "/")))
}

/// A value in Cedar's JSON form as one word: a text, a number, a truth, the id of an entity, the argument of an extension.
pub fn plain(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        serde_json::Value::Bool(truth) => Some(truth.to_string()),
        value => ["/__entity/id", "/__extn/arg"].iter().find_map(|at| Some(value.pointer(at)?.as_str()?.to_owned())),
    }
}

/// The same value without positions.
pub fn to_serde(value: &Value<'_>) -> serde_json::Value {
    match value {
        Value::StringLit(text) => text.value.clone().into_owned().into(),
        // The text was parsed by serde_json before, so that this cannot fail.
        Value::NumberLit(number) => serde_json::from_str(number.value).unwrap_or_default(),
        Value::BooleanLit(boolean) => boolean.value.into(),
        Value::Object(object) => {
            object.properties.iter().map(|property| (name(property).to_owned(), to_serde(&property.value))).collect()
        }
        Value::Array(array) => array.elements.iter().map(to_serde).collect(),
        Value::NullKeyword(_) => serde_json::Value::Null,
    }
}

/// The value of a member of an object.
pub fn member<'v, 'a>(value: &'v Value<'a>, field: &str) -> Option<&'v Value<'a>> {
    let Value::Object(object) = value else { return None };
    object.properties.iter().find(|property| name(property) == field).map(|property| &property.value)
}

/// Reads the fields of one object and says of each what is wrong with it.
///
/// A field that nobody asked for is reported by [`ObjectReader::finish`].
pub struct ObjectReader<'a, 'p> {
    source: &'a Source,
    object: &'a Object<'a>,
    what: String,
    asked: Vec<&'static str>,
    problems: &'p mut Problems,
}

impl<'a, 'p> ObjectReader<'a, 'p> {
    /// Begins to read `value`, which messages call `what`; anything but an object is a problem.
    pub fn new(
        source: &'a Source,
        value: &'a Value<'a>,
        what: impl Into<String>,
        problems: &'p mut Problems,
    ) -> Option<Self> {
        let what = what.into();
        match value {
            Value::Object(object) => Some(Self { source, object, what, asked: Vec::new(), problems }),
            other => {
                let message = format!("{what} is {}, not an object", kind(other));
                problems.push(Problem::invalid(message).at(source, span(other)));
                None
            }
        }
    }

    /// Changes what messages call the object, once its own name is known.
    pub fn rename(&mut self, what: impl Into<String>) {
        self.what = what.into();
    }

    /// What messages call the object.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Adds a problem found by the caller.
    pub fn problem(&mut self, message: impl Into<String>, at: Range<usize>, help: Option<&str>) {
        let problem = Problem::invalid(message).at(self.source, at);
        self.problems.push(match help {
            Some(help) => problem.help(help),
            None => problem,
        });
    }

    /// The bytes the whole object stands in.
    pub fn span(&self) -> Range<usize> {
        self.object.range.start..self.object.range.end
    }

    /// The value of a field that may be absent.
    pub fn optional(&mut self, field: &'static str) -> Option<&'a Value<'a>> {
        if !self.asked.contains(&field) {
            self.asked.push(field);
        }
        self.object.properties.iter().find(|property| name(property) == field).map(|property| &property.value)
    }

    /// The value of a field that must be there.
    pub fn required(&mut self, field: &'static str) -> Option<&'a Value<'a>> {
        let value = self.optional(field);
        if value.is_none() {
            // The opening brace is enough to show where; the whole object may be long.
            let start = self.object.range.start;
            self.problem(format!("{} has no `{field}`", self.what), start..start + 1, None);
        }
        value
    }

    /// A string that must be there, with its place.
    pub fn string(&mut self, field: &'static str) -> Option<(&'a str, Range<usize>)> {
        let value = self.required(field)?;
        self.as_string(field, value)
    }

    /// A string that may be absent, with its place.
    pub fn optional_string(&mut self, field: &'static str) -> Option<(&'a str, Range<usize>)> {
        let value = self.optional(field)?;
        self.as_string(field, value)
    }

    /// A Boolean that may be absent, and then is false.
    pub fn flag(&mut self, field: &'static str) -> bool {
        match self.optional(field) {
            None => false,
            Some(Value::BooleanLit(boolean)) => boolean.value,
            Some(other) => {
                self.wrong_kind(field, other, "true or false");
                false
            }
        }
    }

    /// The elements of an array that may be absent, and then is empty.
    pub fn array(&mut self, field: &'static str) -> &'a [Value<'a>] {
        match self.optional(field) {
            None => &[],
            Some(Value::Array(array)) => &array.elements,
            Some(other) => {
                self.wrong_kind(field, other, "an array");
                &[]
            }
        }
    }

    /// The strings of an array that may be absent, with their places.
    pub fn strings(&mut self, field: &'static str) -> Vec<(&'a str, Range<usize>)> {
        let elements = self.array(field);
        elements.iter().filter_map(|element| self.as_string(field, element)).collect()
    }

    /// The string-valued members of an object that may be absent, with the places of the values.
    pub fn string_map(&mut self, field: &'static str) -> Vec<(&'a str, (&'a str, Range<usize>))> {
        match self.optional(field) {
            None => Vec::new(),
            Some(Value::Object(object)) => object
                .properties
                .iter()
                .filter_map(|property| Some((name(property), self.as_string(field, &property.value)?)))
                .collect(),
            Some(other) => {
                self.wrong_kind(field, other, "an object of strings");
                Vec::new()
            }
        }
    }

    /// Every member of the object, each a string, with the places of the values.
    pub fn all_strings(&mut self) -> Vec<(&'a str, (&'a str, Range<usize>))> {
        let properties = self.object.properties.iter();
        properties.filter_map(|member| Some((name(member), self.as_string(name(member), &member.value)?))).collect()
    }

    /// Reports the version unless it is 1, the only one there is.
    pub fn version_one(&mut self) {
        match self.required("version") {
            Some(Value::NumberLit(number)) if number.value == "1" => {}
            Some(other) => self.wrong_kind("version", other, "1, the only version there is"),
            None => {}
        }
    }

    /// Reports every field that nobody asked for.
    pub fn finish(self) {
        for property in &self.object.properties {
            let name = name(property);
            if !self.asked.contains(&name) {
                let at = property.name.range().start..property.name.range().end;
                let help = match nearest(name, self.asked.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("it may have {}", in_backticks(&self.asked)),
                };
                let message = format!("{} has an unknown field `{name}`", self.what);
                self.problems
                    .push(Problem::invalid(message).at(self.source, at).help(help).coded(Code::JsonUnknownField));
            }
        }
    }

    fn as_string(&mut self, field: &str, value: &'a Value<'a>) -> Option<(&'a str, Range<usize>)> {
        match value {
            Value::StringLit(text) => Some((text.value.as_ref(), span(value))),
            other => {
                self.wrong_kind(field, other, "a string");
                None
            }
        }
    }

    fn wrong_kind(&mut self, field: &str, value: &Value<'_>, wanted: &str) {
        let found = match value {
            Value::NumberLit(number) => number.value,
            other => kind(other),
        };
        self.problem(format!("`{field}` of {} is {found}, not {wanted}", self.what), span(value), None);
    }
}

/// The decoded name of a property.
pub fn name<'a>(property: &'a ObjectProp<'_>) -> &'a str {
    property.name.as_str()
}

/// Names in backticks, joined by commas.
pub fn in_backticks<S: AsRef<str>>(names: &[S]) -> String {
    names.iter().map(|name| format!("`{}`", name.as_ref())).collect::<Vec<_>>().join(", ")
}

fn refuse_repeated_keys(value: &Value<'_>, source: &Source, problems: &mut Problems) {
    match value {
        Value::Object(object) => {
            let mut seen = std::collections::HashMap::new();
            for property in &object.properties {
                let at = property.name.range().start..property.name.range().end;
                if let Some(first) = seen.insert(name(property), at.start).filter(|_| !problems.is_full()) {
                    let (line, column) = source.position(first);
                    let message = format!("the key `{}` is defined twice in one object", name(property));
                    let help = format!("first defined at line {line}, column {column}; keep one of the two");
                    problems.push(Problem::invalid(message).at(source, at).help(help).coded(Code::JsonDuplicateKey));
                }
                refuse_repeated_keys(&property.value, source, problems);
            }
        }
        Value::Array(array) => {
            array.elements.iter().for_each(|element| refuse_repeated_keys(element, source, problems));
        }
        _ => {}
    }
}

/// The byte offset of a line and column as serde_json counts them: lines from 1, columns in bytes.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let line_start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let mut at = (line_start + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// What is wrong with text that is no JSON, and what to do about the usual mistakes.
fn not_json(source: &Source, at: usize, cause: &str) -> Problem {
    let (name, text) = (source.name(), source.text());
    if text.trim().is_empty() {
        return Problem::invalid(format!("`{name}` is empty")).of(source);
    }
    if text.starts_with('\u{feff}') {
        let problem = Problem::invalid(format!("`{name}` is not JSON: it begins with a byte order mark")).of(source);
        return problem.help("save it as UTF-8 without one");
    }
    let problem = Problem::invalid(format!("`{name}` is not JSON: {cause}")).at(source, at..at);
    let here = text.get(at..).unwrap_or_default();
    let before = text.get(..at).unwrap_or_default().trim_end();
    if here.starts_with('/') || here.starts_with('#') {
        problem.help("JSON has no comments; remove it")
    } else if here.starts_with('\'') {
        problem.help("strings and keys are in double quotes")
    } else if cause.contains("trailing comma") || before.ends_with(',') && here.starts_with(['}', ']']) {
        problem.help("remove the comma before it")
    } else if cause.contains("key must be a string") {
        problem.help("keys are in double quotes")
    } else if cause.starts_with("expected `,`") {
        problem.help("a comma is missing before it")
    } else {
        problem
    }
}

/// serde_json's message without the position it ends with.
fn cause(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text.get(..end).unwrap_or(&text).replace("EOF", "the file ends")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_strict_json_is_read() {
        for text in
            ["", "{", "[1,]", "{'a':1}", "// c\n1", "0x10", "{\"a\":1,\"a\":2}", "\u{feff}1", "[1 2]", "+1", "NaN"]
        {
            assert!(parse(&Source::new("x", text)).is_err(), "{text}");
        }
    }

    #[test]
    fn keys_that_differ_only_in_their_escapes_are_the_same_key() {
        let source = Source::new("x", r#"{"a":1,"\u0061":2}"#);
        assert!(parse(&source).is_err());
    }

    #[test]
    fn nesting_of_100000_levels_is_an_error_and_not_a_crash() {
        let text = "[".repeat(100_000) + &"]".repeat(100_000);
        assert!(parse(&Source::new("x", text)).is_err());
    }

    #[test]
    fn numbers_keep_their_exact_value() {
        let source = Source::new("x", "[9223372036854775807, -1]");
        assert_eq!(to_serde(&parse(&source).unwrap()), serde_json::json!([i64::MAX, -1]));
    }
}
