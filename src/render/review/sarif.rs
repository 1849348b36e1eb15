//! SARIF 2.1.0, as code scanning loads it: rules with their pages, and a result with its region for each finding.

use super::region;
use crate::findings::rule::{Rule, Severity};
use crate::findings::{Finding, Place, Review};
use crate::review::catalogue;
use serde_json::{Value, json};

/// The review as one run of one tool.
pub fn review(review: &Review) -> Value {
    let rules = catalogue::all();
    let results: Vec<Value> = review.findings().map(|finding| result(finding, &rules)).collect();
    let undecided: Vec<Value> = review
        .undecided()
        .map(|(part, name, why)| format!("{part}: {name}: {why}"))
        .chain(review.skipped.iter().cloned())
        .map(|text| json!({ "level": "error", "message": { "text": text } }))
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "cutter",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|rule| descriptor(rule)).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            // What could not be judged is no result, and no success either.
            "invocations": [{
                "executionSuccessful": undecided.is_empty(),
                "toolExecutionNotifications": undecided,
            }],
            "results": results,
        }],
    })
}

fn descriptor(rule: &Rule) -> Value {
    json!({
        "id": rule.number,
        "name": rule.name,
        "shortDescription": { "text": rule.summary() },
        "fullDescription": { "text": rule.summary() },
        "help": { "text": rule.documentation(), "markdown": rule.documentation() },
        "defaultConfiguration": { "level": rule.severity.name() },
        "properties": { "tags": ["security", "policy"], "security-severity": score(rule.severity) },
    })
}

fn result(finding: &Finding, rules: &[&Rule]) -> Value {
    let mut text = format!("{}: {}", finding.about, finding.message);
    if let Some(help) = &finding.help {
        text = format!("{text}\nhelp: {help}");
    }
    if let Some(shown) = &finding.counterexample {
        text = format!("{text}\nshown by {} ({})", shown.request_line(), shown.essentials.join("; "));
    }
    let (first, rest) = finding.places.split_first().map_or((None, &[][..]), |(first, rest)| (Some(first), rest));
    let related: Vec<Value> = rest.iter().enumerate().map(|(id, place)| labelled(place, id)).collect();
    json!({
        "ruleId": finding.rule.number,
        "ruleIndex": rules.iter().position(|rule| **rule == *finding.rule),
        "level": finding.severity.name(),
        "message": { "text": text },
        "locations": first.iter().map(|place| location(place)).collect::<Vec<_>>(),
        "relatedLocations": related,
        // Lines move; the rule and what it is about do not.
        "partialFingerprints": { "ruleAndPolicy/v1": format!("{}:{}", finding.rule.number, finding.about) },
    })
}

fn labelled(place: &Place, id: usize) -> Value {
    let mut location = location(place);
    if let Some(map) = location.as_object_mut() {
        map.insert("id".to_owned(), json!(id));
        map.insert("message".to_owned(), json!({ "text": place.label.as_deref().unwrap_or("see also") }));
    }
    location
}

fn location(place: &Place) -> Value {
    let ((line, column), (end_line, end_column)) = region(place);
    json!({ "physicalLocation": {
        "artifactLocation": { "uri": uri(place.source.name()) },
        "region": { "startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column },
    } })
}

/// A relative path as a URI reference.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.trim_start_matches("./").bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}

/// What code scanning sorts by.
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "8.0",
        Severity::Warning => "5.0",
        Severity::Note => "1.0",
    }
}
