//! Reading a plan: its own fields, then each row, then the order of the rows.

use super::order::connect;
use super::row::{PlanRow, Vocabulary, labels, principal};
use super::{Mode, RunPlan, Target};
use crate::digest::Digest;
use crate::json::{self, ObjectReader};
use crate::problem::{Problem, Problems, Source};
use crate::schema::RunSchema;
use crate::settings::Config;
use jsonc_parser::ast::Value;
use std::collections::BTreeMap;

impl RunPlan {
    /// Reads a plan against the schema; all that is wrong with it is reported together.
    ///
    /// Rows are built from the effects of the configuration; `programs` gives the digest of the program of a path, for rows
    /// with a command of their own.
    pub fn parse(
        source: &Source,
        schema: &RunSchema,
        config: Option<&Config>,
        programs: &dyn Fn(&str) -> Option<Digest>,
    ) -> Result<Self, Problems> {
        let value = json::parse(source)?;
        refuse_other_documents(source, &value)?;
        let mut problems = Problems::new();
        let mut vocabulary = Vocabulary::new(schema, config, programs);
        let Some(mut reader) = ObjectReader::new(source, &value, "the plan", &mut problems) else {
            return Err(problems);
        };
        reader.version_one();
        let name = non_empty(&mut reader, "plan");
        let macro_name = reader.optional_string("macro").map(|(text, _)| text.to_owned());
        let run = non_empty(&mut reader, "run");
        let mode = parse_mode(&mut reader);
        let author = reader.string("author").and_then(|text| principal(&mut reader, "author", text, &vocabulary));
        let default = reader
            .string("principal")
            .and_then(|(text, at)| Some((principal(&mut reader, "principal", (text, at.clone()), &vocabulary)?, at)));
        let target = reader.optional("target");
        vocabulary.inputs = inputs(&mut reader);
        let labels = labels(&mut reader);
        let rows = reader.required("actions");
        reader.finish();
        let fields = schema.target();
        let parse = |value| Target::parse(value, Some(&fields), source, "the plan's target", &mut problems);
        let target = target.map(parse).unwrap_or_default();
        let elements = match rows {
            Some(Value::Array(array)) if !array.elements.is_empty() => array.elements.as_slice(),
            Some(Value::Array(array)) => {
                let at = array.range.start..array.range.end;
                problems.push(
                    Problem::invalid("the plan has no actions")
                        .at(source, at)
                        .help("an empty plan would be authorized trivially; state what is intended"),
                );
                &[]
            }
            Some(other) => {
                let message = format!("`actions` of the plan is {}, not an array", json::kind(other));
                problems.push(Problem::invalid(message).at(source, json::span(other)));
                &[]
            }
            None => &[],
        };
        let mut rows = Vec::new();
        for (index, element) in elements.iter().enumerate() {
            rows.push(PlanRow::parse(source, element, index, default.as_ref(), &mut vocabulary, &mut problems));
        }
        let actions = connect(source, rows, &mut problems);
        match (name, run, mode, author, default, problems.is_empty()) {
            (Some(name), Some(run), Some(mode), Some(author), Some(_), true) => Ok(Self {
                name,
                macro_name,
                run,
                mode,
                author,
                target,
                labels,
                actions,
                digest: Digest::of(source.text().as_bytes()),
                source: source.clone(),
            }),
            _ => Err(problems),
        }
    }
}

/// Each field that another kind of document lacks would only hide that it is one.
fn refuse_other_documents(source: &Source, value: &Value<'_>) -> Result<(), Problem> {
    let has = |field: &str| json::member(value, field).is_some();
    if !matches!(value, Value::Object(_)) || has("plan") || has("mode") {
        return Ok(());
    }
    let help = match has("gate") {
        true => "it is an approval; name the plan that it is for",
        false => "`cutter schema plan` prints what a plan has",
    };
    let message = format!("`{}` is not a plan: it has neither `plan` nor `mode`", source.name());
    Err(Problem::invalid(message).of(source).help(help))
}

fn non_empty(reader: &mut ObjectReader<'_, '_>, field: &'static str) -> Option<String> {
    let (text, at) = reader.string(field)?;
    if text.is_empty() || text.chars().any(char::is_control) {
        reader.problem(format!("`{field}` of {} is empty or unprintable", reader.what()), at, None);
        return None;
    }
    Some(text.to_owned())
}

fn parse_mode(reader: &mut ObjectReader<'_, '_>) -> Option<Mode> {
    let (text, at) = reader.string("mode")?;
    let mode = [Mode::Live, Mode::DryRun].into_iter().find(|mode| mode.name() == text);
    if mode.is_none() {
        reader.problem(
            format!("the plan has the unknown mode `{text}`"),
            at,
            Some("the modes are `live` and `dry_run`"),
        );
    }
    mode
}

fn inputs(reader: &mut ObjectReader<'_, '_>) -> BTreeMap<String, Digest> {
    let mut inputs = BTreeMap::new();
    for (name, (text, at)) in reader.string_map("inputs") {
        match Digest::parse(text) {
            Some(digest) => drop(inputs.insert(name.to_owned(), digest)),
            None => {
                let message = format!("the input `{name}` of the plan is not given by a sha-256 digest");
                reader.problem(message, at, Some("write 64 lower-case hexadecimal digits"));
            }
        }
    }
    inputs
}
