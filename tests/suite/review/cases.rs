//! What the review says of inputs of all kinds: folders of policies that were not written for cutter, files that cannot be read,
//! changes of everything that is no decision. Each case is data: files, a command, and what must be found.

use crate::support::tree::copy;
use crate::support::world::{World, root};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// Whether the files of `cases/app`, a small bundle of cutter's own, lie there, and as `old/` once more.
    #[serde(default)]
    app: bool,
    /// Files by their path.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// Files that are no text, in hexadecimal digits.
    #[serde(default)]
    hex: BTreeMap<String, String>,
    /// Files whose names are no UTF-8: `~` in one stands for a byte that begins no letter.
    #[serde(default)]
    odd_names: BTreeMap<String, String>,
    /// Symbolic links, and what they point to.
    #[serde(default)]
    links: BTreeMap<String, String>,
    /// Edits: a file, what stands there, and what shall.
    #[serde(default)]
    edits: Vec<[String; 3]>,
    /// Files that are taken away.
    #[serde(default)]
    remove: Vec<String>,
    /// What a long file is made of, by its path: what comes first, what is repeated (`#` is the number), how often, and the end.
    #[serde(default)]
    long: BTreeMap<String, (String, String, usize, String)>,
    /// The words behind `cutter review`.
    run: String,
    exit: i32,
    /// `RULE about` of findings that must be there.
    #[serde(default)]
    finds: Vec<String>,
    /// Rules of which nothing may be found.
    #[serde(default)]
    silent: Vec<String>,
    /// What must be said somewhere.
    #[serde(default)]
    says: Vec<String>,
    /// How many findings of V01 there are, where that matters.
    #[serde(default)]
    invalid: Option<usize>,
}

#[test]
fn policies_that_were_not_written_for_cutter_are_reviewed_by_all_that_applies() {
    try_all("foreign");
}

#[test]
fn a_difference_names_everything_that_changed_and_fails_where_something_became_weaker() {
    try_all("differences");
}

#[test]
fn what_cannot_be_read_or_judged_is_a_finding_in_every_form() {
    try_all("robust");
}

#[test]
fn weaknesses_that_only_a_whole_bundle_shows_are_found() {
    try_all("bundles");
}

fn try_all(group: &str) {
    let path = Path::new("tests/suite/review/cases").join(format!("{group}.toml"));
    let cases: Cases = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let tried = cases.case.iter().zip(FORMS.iter().cycle()).map(|(case, form)| (case, try_case(case, form)));
    let failures: Vec<String> =
        tried.filter_map(|(case, result)| Some(format!("{}: {}", case.name, result.err()?))).collect();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), cases.case.len(), failures.join("\n"));
}

fn try_case(case: &Case, form: &str) -> Result<(), String> {
    let world = World::empty();
    if case.app {
        for folder in ["", "old/"] {
            copy(&root().join("tests/suite/review/cases/app"), &world.path(folder));
        }
    }
    for (name, text) in &case.files {
        world.write(name, text);
    }
    for (name, digits) in &case.hex {
        let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        world.write(name, (0..digits.len()).step_by(2).map(byte).collect::<Vec<u8>>());
    }
    for (name, text) in &case.odd_names {
        let bytes = name.bytes().map(|byte| if byte == b'~' { 0xff } else { byte }).collect();
        std::fs::write(world.folder().join(OsString::from_vec(bytes)), text).unwrap();
    }
    for (name, (first, part, times, end)) in &case.long {
        let parts: Vec<String> = (0..*times).map(|number| part.replace('#', &number.to_string())).collect();
        world.write(name, format!("{first}{}{end}", parts.concat()));
    }
    for [name, from, to] in &case.edits {
        world.replace(name, from, to);
    }
    for name in &case.remove {
        std::fs::remove_file(world.path(name)).unwrap();
    }
    for (name, to) in &case.links {
        std::os::unix::fs::symlink(to, world.path(name)).unwrap();
    }
    let words = quoted_words(&case.run);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let run = |form: &str| world.review_in(world.folder(), &[&words, &["--format", form][..]].concat());
    let output = run("json");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let document: Value = serde_json::from_str(&text)
        .map_err(|error| format!("no document ({error}): {}", String::from_utf8_lossy(&output.stderr)))?;
    let findings = document["findings"].as_array().cloned().unwrap_or_default();
    let found: Vec<String> = findings
        .iter()
        .map(|of| format!("{} {}", of["rule"].as_str().unwrap(), of["about"].as_str().unwrap()))
        .collect();
    if output.status.code() != Some(case.exit) {
        return Err(format!("exit {:?}, found {found:?}: {text}", output.status.code()));
    }
    if let Some(missing) = case.finds.iter().find(|wanted| !found.contains(wanted)) {
        return Err(format!("`{missing}` is not among {found:?}"));
    }
    if let Some(wrong) = found.iter().find(|of| case.silent.iter().any(|rule| of.starts_with(rule.as_str()))) {
        return Err(format!("it finds `{wrong}`"));
    }
    let said: Value = serde_json::from_str(&text).unwrap();
    let said = strings(&said);
    if let Some(missing) = case.says.iter().find(|wanted| !said.contains(wanted.as_str())) {
        return Err(format!("it does not say `{missing}`: {said}"));
    }
    let invalid = found.iter().filter(|of| of.starts_with("V01")).count();
    if case.invalid.is_some_and(|wanted| wanted != invalid) {
        return Err(format!("{invalid} findings of V01: {said}"));
    }
    if case.invalid.is_some() {
        return is_document(form, run(form));
    }
    Ok(())
}

/// The forms beside JSON; each case tries one of them, in turn.
const FORMS: [&str; 5] = ["sarif", "junit", "github", "markdown", "table"];

/// Whatever the input, a form of the result is a document of its kind.
fn is_document(form: &str, output: std::process::Output) -> Result<(), String> {
    let text = String::from_utf8(output.stdout).map_err(|error| format!("{form}: {error}"))?;
    let is_valid = match form {
        "sarif" => serde_json::from_str::<Value>(&text).is_ok_and(|of| of["runs"][0]["results"].is_array()),
        "junit" => text.starts_with("<?xml") && text.ends_with("</testsuites>\n"),
        "github" => text.contains("::error"),
        "markdown" => text.contains("| V01 "),
        _ => text.contains("V01"),
    };
    if is_valid { Ok(()) } else { Err(format!("{form}: {text}")) }
}

/// Every string of a document.
fn strings(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text}\n"),
        Value::Array(elements) => elements.iter().map(strings).collect(),
        Value::Object(map) => map.values().map(strings).collect(),
        other => format!("{other}\n"),
    }
}

/// Words parted by blanks; in single quotes a word may have some.
fn quoted_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in line.split('\'').enumerate() {
        match at % 2 {
            1 => words.push(part.to_owned()),
            _ => words.extend(part.split_whitespace().map(str::to_owned)),
        }
    }
    words
}
