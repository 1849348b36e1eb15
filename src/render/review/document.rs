//! The review as a versioned JSON document: a copy of our types, not the types.

use super::region;
use crate::findings::{Finding, Outcome, Place, Review};
use serde::Serialize;
use serde_json::Value;

/// A review, version 1.
#[derive(Serialize, Debug)]
pub struct Document<'a> {
    version: u32,
    verdict: &'static str,
    next: String,
    parts: Vec<PartRecord<'a>>,
    findings: Vec<FindingRecord<'a>>,
    undecided: Vec<UndecidedRecord<'a>>,
    skipped: &'a [String],
    /// Problems of reading that were counted and are not among the findings.
    more: usize,
}

#[derive(Serialize, Debug)]
struct PartRecord<'a> {
    name: &'static str,
    summary: &'a str,
    checks: usize,
    held: usize,
    failed: usize,
    undecided: usize,
}

#[derive(Serialize, Debug)]
struct FindingRecord<'a> {
    rule: &'static str,
    name: &'static str,
    severity: &'static str,
    about: &'a str,
    message: &'a str,
    places: Vec<PlaceRecord<'a>>,
    help: Option<&'a str>,
    counterexample: Option<CounterexampleRecord<'a>>,
}

#[derive(Serialize, Debug)]
struct PlaceRecord<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    label: Option<&'a str>,
}

#[derive(Serialize, Debug)]
struct CounterexampleRecord<'a> {
    request: &'a Value,
    entities: &'a Value,
    decision: &'static str,
    expected: &'static str,
    policies: &'a [String],
    essentials: &'a [String],
}

#[derive(Serialize, Debug)]
struct UndecidedRecord<'a> {
    part: &'static str,
    name: &'a str,
    why: &'a str,
}

impl<'a> Document<'a> {
    /// The document of a review.
    pub fn new(review: &'a Review) -> Self {
        let parts = review.parts.iter().map(|part| {
            let failed = part.checks.iter().filter(|check| review.has_failed(part, check)).count();
            let undecided = part.checks.iter().filter(|check| matches!(check.outcome, Outcome::Undecided(_))).count();
            PartRecord {
                name: part.name,
                summary: &part.summary,
                checks: part.checks.len(),
                held: part.checks.len() - failed - undecided,
                failed,
                undecided,
            }
        });
        Self {
            version: 1,
            verdict: review.verdict().name(),
            next: review.next_step(),
            parts: parts.collect(),
            findings: review.findings().map(finding).collect(),
            undecided: review.undecided().map(|(part, name, why)| UndecidedRecord { part, name, why }).collect(),
            skipped: &review.skipped,
            more: review.more,
        }
    }
}

fn finding(finding: &Finding) -> FindingRecord<'_> {
    FindingRecord {
        rule: finding.rule.number,
        name: finding.rule.name,
        severity: finding.severity.name(),
        about: &finding.about,
        message: &finding.message,
        places: finding.places.iter().map(place).collect(),
        help: finding.help.as_deref(),
        counterexample: finding.counterexample.as_ref().map(|shown| CounterexampleRecord {
            request: &shown.request,
            entities: &shown.entities,
            decision: shown.decision,
            expected: shown.expected,
            policies: &shown.policies,
            essentials: &shown.essentials,
        }),
    }
}

fn place(place: &Place) -> PlaceRecord<'_> {
    let ((line, column), (end_line, end_column)) = region(place);
    PlaceRecord { file: place.source.name(), line, column, end_line, end_column, label: place.label.as_deref() }
}
