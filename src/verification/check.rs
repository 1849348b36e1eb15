//! Whether a statement follows from its own grounds: everything derived is derived again, and each difference is named.

use super::journal;
use crate::attestation::derive::{Input, derive, texts};
use crate::attestation::report::{Ban, DoneOutcome, Report};
use crate::attestation::{Statement, decision_subjects, report_subjects};
use crate::decision::{Basis, Verdict};
use crate::digest::Digest;
use crate::plan::RUN_PROGRAM;
use crate::problem::Problems;
use crate::record::{ApprovalStatus, Clock, Decisions, RecordedRow, RowDecision};
use crate::time::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a report's own grounds contradict; each a sentence that begins with the field.
pub fn report(statement: &Statement<Report>) -> Vec<String> {
    let report = &statement.predicate;
    let mut differences = texts(&report.decisions, &report.grounds);
    if statement.subject != report_subjects(report) {
        differences.push("subject: it is not what the predicate is about".to_owned());
    }
    let used: BTreeSet<&str> =
        report.done.iter().flat_map(|done| done.approvals.iter().map(|used| used.gate.as_str())).collect();
    differences.extend(decisions(&report.decisions, &used));
    let plan: Value = serde_json::from_str(&report.grounds.plan).unwrap_or_default();
    differences.extend(intended(&report.decisions, &plan));
    differences.extend(aimed(report, &plan));
    done(report, &mut differences);
    journal::recorded(report, &mut differences);
    header(report, &mut differences);
    match rederived(report) {
        Ok(derived) => compare("predicate", report, &derived, &mut differences),
        Err(problems) => {
            differences.extend(problems.iter().map(|problem| format!("predicate.grounds: {}", problem.message)));
        }
    }
    differences
}

/// What the decisions of a statement made before a run contradict.
pub fn decision_statement(statement: &Statement<super::DecisionPredicate>) -> Vec<String> {
    let mut differences = decisions(&statement.predicate.decisions, &BTreeSet::new());
    if statement.subject != decision_subjects(&statement.predicate.decisions) {
        differences.push("subject: it is not what the predicate is about".to_owned());
    }
    differences
}

/// What of a report is always so: its form, its clock, the order of its times, and the program that made it.
fn header(report: &Report, differences: &mut Vec<String>) {
    let decisions = &report.decisions;
    let is_last = |time: Timestamp| time <= report.time;
    let captured = report.grounds.last.as_ref().is_none_or(|record| is_last(record.capture.finished_at));
    for (holds, text) in [
        (report.tool.is_known(), "predicate.tool: this cutter does not know it; verify with the version that it names"),
        (decisions.version == 1, "predicate.decisions.version: it is not 1"),
        (decisions.clock == Clock::System, "predicate.decisions.clock: a report is made by the system's clock"),
        (decisions.time == report.time, "predicate.time: it is not that of the decisions"),
        (captured, "predicate.time: it is before the final capture"),
        (
            report.done.iter().all(|done| is_last(done.finished_at.unwrap_or(done.started_at))),
            "predicate.time: it is before the end of what was done",
        ),
        (
            report.previous.as_deref().is_none_or(|text| Digest::parse(text).is_some()),
            "predicate.previous: it is not a digest",
        ),
    ] {
        if !holds {
            differences.push(text.to_owned());
        }
    }
}

/// Whether what was done fits how it ended and the rows of the decisions.
fn done(report: &Report, differences: &mut Vec<String>) {
    let rows = &report.decisions.decisions;
    for (index, done) in report.done.iter().enumerate() {
        let mut say = |field: &str, text: &str| differences.push(format!("predicate.done[{index}].{field}: {text}"));
        let fits = match done.outcome {
            DoneOutcome::Finished => done.finished_at.is_some() && done.exit_status == Some(0),
            DoneOutcome::Failed => done.finished_at.is_some() && done.exit_status != Some(0),
            DoneOutcome::Interrupted => done.finished_at.is_none() && done.exit_status.is_none(),
        };
        if !fits {
            say("outcome", "it does not follow from how the command ended");
        }
        let Some(row) = rows.iter().find(|row| row.id == done.id) else { continue };
        if done.principal != row.principal {
            say("principal", "it is not that of the row");
        }
        let is_last = !report.done.iter().skip(index + 1).any(|later| later.id == done.id);
        if is_last && decided_at(row).is_some_and(|decided| decided != done.started_at) {
            say("started_at", "it is not when the row was decided");
        }
        let gates: BTreeSet<&str> = done.approvals.iter().map(|used| used.gate.as_str()).collect();
        if is_last && row.basis == Basis::Approved && row.needs.iter().any(|need| !gates.contains(need.gate.as_str())) {
            say("approvals", "a gate that the row needed was opened by none of them");
        }
    }
    let journal = &report.grounds.journal;
    for (index, row) in rows.iter().enumerate().filter(|_| journal.faults.is_empty()) {
        if is_for_use(row) != report.done.iter().any(|done| done.id == row.id)
            && row.context.pointer("/run/stage").is_some()
        {
            differences.push(format!(
                "predicate.decisions.decisions[{index}].context: it was decided for use (`{}`) if and only if it was done",
                row.id
            ));
        }
    }
}

/// Whether the captures are of the database that the plan is aimed at.
fn aimed(report: &Report, plan: &Value) -> Vec<String> {
    let Some(target) = plan.pointer("/target/database").and_then(Value::as_str) else { return Vec::new() };
    let captures = [("baseline", &report.grounds.baseline), ("final", &report.grounds.last)];
    let elsewhere = captures.into_iter().filter(|(_, record)| {
        record.as_ref().is_some_and(|record| record.capture.database.system_identifier != target)
    });
    elsewhere
        .map(|(name, _)| format!("predicate.grounds.{name}: it is not of the plan's database `{target}`"))
        .collect()
}

/// Whether a row was decided at the moment of use, as its context says.
pub(super) fn is_for_use(row: &RecordedRow) -> bool {
    row.context.pointer("/run/stage/__entity/id").and_then(Value::as_str) == Some("use")
}

/// When a row was decided, as its context says.
pub(super) fn decided_at(row: &RecordedRow) -> Option<Timestamp> {
    Timestamp::parse(row.context.pointer("/run/now/__extn/arg").and_then(Value::as_str)?)
}

/// The same report with everything derived again.
fn rederived(report: &Report) -> Result<Report, Problems> {
    let bans: Vec<Ban> = report.forbidden.iter().map(|row| row.ban.clone()).collect();
    let now = report.time;
    let input = Input { now, decisions: &report.decisions, bans: &bans, done: &report.done, grounds: &report.grounds };
    let derived = derive(&input)?;
    Ok(Report {
        verdict: derived.verdict,
        level: derived.level,
        window: derived.window,
        non_mutation: derived.non_mutation,
        forbidden: derived.forbidden,
        contradictions: derived.contradictions,
        disclosures: derived.disclosures,
        ..report.clone()
    })
}

/// Whether rows, verdict, gaps and approvals of a table of decisions fit each other.
fn decisions(decisions: &Decisions, used: &BTreeSet<&str>) -> Vec<String> {
    let mut differences = Vec::new();
    let accepted = decisions.approvals.iter().filter(|row| row.status == ApprovalStatus::Accepted);
    let open: BTreeSet<&str> = accepted.map(|row| row.gate.as_str()).chain(used.iter().copied()).collect();
    for (index, row) in decisions.decisions.iter().enumerate() {
        let mut say = |field: &str, text: &str| {
            differences.push(format!("predicate.decisions.decisions[{index}].{field}: {text} (`{}`)", row.id));
        };
        if (row.decision == RowDecision::Allow) != row.basis.allows() {
            say("decision", "it does not follow from the basis");
        }
        if (row.basis == Basis::BlockedBy) == row.blocked_by.is_empty() {
            say("blocked_by", "it does not follow from the basis");
        }
        if (row.basis == Basis::Indeterminate) == row.errors.is_empty() {
            say("errors", "they do not follow from the basis");
        }
        if matches!(row.basis, Basis::Approved | Basis::ApprovalRequired) && row.needs.is_empty() {
            say("needs", "no gate is named");
        }
        if row.work.as_ref().is_some_and(|work| work.sha256 != Some(work.digest())) {
            say("work", "its digest is another");
        }
        if row.basis == Basis::Approved && row.needs.iter().any(|need| !open.contains(need.gate.as_str())) {
            say("needs", "no approval that is recorded opens the gate");
        }
        if gates(row).iter().any(|gate| !open.contains(gate.as_str())) {
            say("context", "a gate is open for which no approval is recorded");
        }
    }
    let rows = &decisions.decisions;
    let verdict = rows.iter().map(|row| Verdict::of(row.basis)).max();
    if verdict != Some(decisions.verdict) {
        differences.push("predicate.decisions.verdict: it does not follow from the rows".to_owned());
    }
    let gaps: BTreeSet<&String> = rows.iter().flat_map(|row| &row.gaps).collect();
    if !decisions.open_gaps.iter().eq(gaps) {
        differences.push("predicate.decisions.open_gaps: they do not follow from the rows".to_owned());
    }
    differences
}

/// Whether the rows are those of the plan's text: names, principals, actions, resources, in its order.
fn intended(decisions: &Decisions, plan: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let summary = &decisions.plan;
    for (field, stated) in [
        ("plan", summary.name.as_str()),
        ("run", &summary.run),
        ("mode", summary.mode.name()),
        ("author", &summary.author),
    ] {
        if text(plan, field).as_deref() != Some(stated) {
            differences.push(format!("predicate.decisions.plan: its `{field}` is not that of the plan's text"));
        }
    }
    let labels: BTreeMap<String, String> =
        plan.get("labels").and_then(|labels| serde_json::from_value(labels.clone()).ok()).unwrap_or_default();
    if labels != summary.labels || text(plan, "macro") != summary.macro_name {
        differences.push("predicate.decisions.plan: its labels are not those of the plan's text".to_owned());
    }
    let principal = text(plan, "principal");
    let actions = plan.get("actions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    // A row whose work says what it is may repeat that or not; a command of its own is one whatever the row says.
    let intended = |action: &Value, row: &RecordedRow| {
        let own = text(action, "principal").or_else(|| principal.clone());
        let is = |key: &str, decided: &str| text(action, key).is_none_or(|own| own == decided);
        let is_program = action.get("argv").is_some() && row.action == RUN_PROGRAM;
        text(action, "id").as_deref() == Some(&row.id)
            && own.as_deref() == Some(&row.principal)
            && (is_program || is("action", &row.action) && is("resource", &row.resource))
            && text(action, "effect") == row.work.as_ref().and_then(|work| work.effect.clone())
    };
    let rows = actions.iter().zip(&decisions.decisions);
    let all = actions.len() == decisions.decisions.len() && rows.into_iter().all(|(action, row)| intended(action, row));
    if !all {
        differences.push("predicate.decisions.decisions: the rows are not those of the plan's text".to_owned());
    }
    differences
}

/// The gates that were open for a row, as its context says.
pub(super) fn gates(row: &RecordedRow) -> BTreeSet<String> {
    let gates = row.context.pointer("/run/gates").and_then(Value::as_array);
    let id = |gate: &Value| gate.pointer("/__entity/id").and_then(Value::as_str).map(str::to_owned);
    gates.into_iter().flatten().filter_map(id).collect()
}

/// Names every place in which two records differ.
pub(super) fn compare<T: serde::Serialize>(place: &str, recorded: &T, again: &T, differences: &mut Vec<String>) {
    match (serde_json::to_value(recorded), serde_json::to_value(again)) {
        (Ok(recorded), Ok(again)) => differ(place, &recorded, &again, differences),
        _ => differences.push(format!("{place}: it cannot be compared")),
    }
}

fn differ(place: &str, recorded: &Value, again: &Value, differences: &mut Vec<String>) {
    match (recorded, again) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let null = Value::Null;
                differ(
                    &format!("{place}.{key}"),
                    a.get(key).unwrap_or(&null),
                    b.get(key).unwrap_or(&null),
                    differences,
                );
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter()
                .zip(b)
                .enumerate()
                .for_each(|(index, (a, b))| differ(&format!("{place}[{index}]"), a, b, differences));
        }
        (Value::Array(a), Value::Array(b)) => {
            differences.push(format!("{place}: it has {} entries, and {} follow", a.len(), b.len()));
        }
        (a, b) if a == b => {}
        (a, b) => differences.push(format!("{place}: it says {}, and {} follows", shown(a), shown(b))),
    }
}

/// A value that is short enough to be read.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 60 { text } else { text.chars().take(57).chain("...".chars()).collect() }
}
