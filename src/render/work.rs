//! What a row would run, whole, in lines for people.

use crate::plan::WorkRecord;
use serde_json::Value;

/// Every part of it that says what happens, each in a line; the first is the work itself.
pub fn details(work: Option<&WorkRecord>) -> Vec<String> {
    let Some(work) = work else { return vec!["none: nothing is named that would run".to_owned()] };
    let mut lines = vec![work.line()];
    let mut say = |text: String| lines.push(text);
    match &work.effect {
        Some(effect) => say(format!("effect {effect}: {}", work.does)),
        None => say(work.does.clone()),
    }
    if let Some(pin) = &work.pin {
        let cwd = work.cwd.as_deref().unwrap_or_default();
        let env = if work.env.is_empty() { "nothing".to_owned() } else { work.env.join(", ") };
        let seconds = work.timeout_seconds.unwrap_or_default();
        say(format!("program {pin}; in {cwd}; environment: {env}; at most {seconds} s"));
    }
    if let Some(digest) = &work.interpreter_sha256 {
        say(format!("run by a program of sha256 {digest}"));
    }
    if let Some(function) = &work.function {
        let owner = work.owner.as_deref().unwrap_or_default();
        let digest = work.definition_sha256.map(|digest| digest.to_string()).unwrap_or_default();
        say(format!("{function}, owner {owner}, definition sha256 {digest}"));
    }
    if !work.tables.is_empty() {
        let (role, key) = (work.role.as_deref().unwrap_or_default(), work.key_file.as_deref().unwrap_or_default());
        say(format!("dumps as {role}: {}", work.tables.join(", ")));
        let fingerprint = work.fingerprint.as_deref().filter(|text| !text.is_empty()).unwrap_or("no key: none is set");
        say(format!("for {fingerprint}, in {key}; programs root-owned: {}", work.programs.join(", ")));
    }
    for (field, path) in &work.envelope {
        say(format!("its envelope has {field}: {path}"));
    }
    for (relation, triggers) in &work.triggers {
        let names: Vec<&str> = triggers.keys().map(String::as_str).collect();
        say(format!("triggers of {relation}: {}", if names.is_empty() { "none".to_owned() } else { names.join(", ") }));
    }
    for (name, value) in &work.answers {
        say(format!("it must answer {name}: {}", shown(value)));
    }
    if work.rolls_back {
        say("rolls back all that it did".to_owned());
    }
    for (id, moves) in &work.expects {
        let by: Vec<String> = moves.iter().map(|(counter, by)| format!("{counter} {by}")).collect();
        say(format!("changes {id}: {}", if by.is_empty() { "any change".to_owned() } else { by.join(", ") }));
    }
    for (fact, kind) in &work.produces {
        say(format!("brings about run.facts.{fact}: {kind}"));
    }
    if let Some(digest) = work.sha256 {
        say(format!("sha256 {digest}"));
    }
    lines
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| format!("`{text}`"))
}
