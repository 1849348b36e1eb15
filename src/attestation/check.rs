//! Whether a statement follows from its own grounds: everything derived is derived again, and each difference is named.

use super::derive::{Input, derive, texts};
use super::gather;
use super::grounds::Rules;
use super::report::{Ban, DoneOutcome, Report};
use super::{Statement, decision_subjects, report_subjects};
use crate::config::Config;
use crate::decision::{Basis, Verdict, decide_each};
use crate::document::{ApprovalStatus, Decisions, Row, RowDecision};
use crate::facts::{Facts, RawFacts};
use crate::plan::RunPlan;
use crate::policy::PolicyBundle;
use crate::problem::{Problems, Source};
use crate::request::{Moment, Requests, Stage};
use crate::time::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;

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
    differences.extend(intended(&report.decisions, &report.grounds.plan));
    for (index, done) in report.done.iter().enumerate() {
        let fits = match done.outcome {
            DoneOutcome::Finished => done.finished_at.is_some() && done.exit_status == Some(0),
            DoneOutcome::Failed => done.finished_at.is_some() && done.exit_status != Some(0),
            DoneOutcome::Interrupted => done.finished_at.is_none() && done.exit_status.is_none(),
        };
        if !fits {
            differences.push(format!("predicate.done[{index}].outcome: it does not follow from how the command ended"));
        }
    }
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

/// The same report with everything derived anew.
fn rederived(report: &Report) -> Result<Report, Problems> {
    let Some(now) = Timestamp::parse(&report.time) else {
        return Err(crate::problem::Problem::untrusted("its time cannot be read").into());
    };
    let bans: Vec<Ban> = report.forbidden.iter().map(|row| row.ban.clone()).collect();
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
fn intended(decisions: &Decisions, plan: &str) -> Vec<String> {
    let mut differences = Vec::new();
    let plan: Value = serde_json::from_str(plan).unwrap_or_default();
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let summary = &decisions.plan;
    for (field, stated) in
        [("plan", &summary.name), ("run", &summary.run), ("mode", &summary.mode), ("author", &summary.author)]
    {
        if text(&plan, field).as_ref() != Some(stated) {
            differences.push(format!("predicate.decisions.plan: its `{field}` is not that of the plan's text"));
        }
    }
    let principal = text(&plan, "principal");
    let actions = plan.get("actions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let intended = actions.iter().map(|action| {
        let own = text(action, "principal").or_else(|| principal.clone());
        (text(action, "id"), own, text(action, "action"), text(action, "resource"))
    });
    let decided = decisions.decisions.iter().map(|row| {
        let Row { id, principal, action, resource, .. } = row;
        (Some(id.clone()), Some(principal.clone()), Some(action.clone()), Some(resource.clone()))
    });
    if !intended.eq(decided) {
        differences.push("predicate.decisions.decisions: the rows are not those of the plan's text".to_owned());
    }
    differences
}

/// The gates that were open for a row, as its context says.
fn gates(row: &Row) -> BTreeSet<String> {
    let gates = row.context.pointer("/run/gates").and_then(Value::as_array);
    let id = |gate: &Value| gate.pointer("/__entity/id").and_then(Value::as_str).map(str::to_owned);
    gates.into_iter().flatten().filter_map(id).collect()
}

/// What deciding again by the bundle itself showed.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Redecided {
    /// What differs, each a sentence that begins with the field.
    pub differences: Vec<String>,
    /// Rows that were decided by facts which the statement does not hold.
    pub not_run: Vec<String>,
    /// How many rows were decided again.
    pub run: usize,
}

/// Decides every row again by the bundle, the recorded plan and the recorded facts; compares bans and rules, too.
pub fn redecide(report: &Report, bundle: &PolicyBundle, config: &Config) -> Result<Redecided, Problems> {
    let mut found = Redecided::default();
    let recorded = &report.decisions;
    if bundle.digest().to_string() != recorded.policies.sha256 {
        found.differences.push(format!(
            "predicate.decisions.policies.sha256: the bundle given is {}, not {}",
            bundle.digest(),
            recorded.policies.sha256
        ));
        return Ok(found);
    }
    let bans: Vec<&Ban> = report.forbidden.iter().map(|row| &row.ban).collect();
    if !gather::bans(bundle).iter().eq(bans) {
        found.differences.push("predicate.forbidden: the bans are not those of the bundle, in its order".to_owned());
    }
    let digest = bundle.listing().digest_of("cutter.toml").map(|digest| digest.to_string()).unwrap_or_default();
    compare(
        "predicate.grounds.rules",
        &report.grounds.rules,
        &Rules::of(&config.evidence, digest),
        &mut found.differences,
    );
    let source = Source::new("the recorded plan", report.grounds.plan.clone());
    let plan = RunPlan::parse(&source, bundle.schema(), Some(config))?;
    let raw = RawFacts {
        sources: report.grounds.facts.iter().map(|text| Source::new(text.name.clone(), text.text.clone())).collect(),
        names: report.grounds.facts.iter().map(|text| text.name.clone()).collect(),
        origin: if recorded.facts.source == "postgres" { "postgres" } else { "entities" },
        name: "the recorded facts".to_owned(),
    };
    let facts = Facts::admit(&raw, bundle)?;
    let requests = Requests::new(&plan, bundle, &facts)?;
    let fallback = Timestamp::parse(&recorded.time);
    let moments: Vec<Moment> = recorded.decisions.iter().filter_map(|row| moment(row, fallback)).collect();
    if moments.len() != plan.actions.len() {
        found.differences.push("predicate.decisions.decisions: a row does not say when it was decided".to_owned());
        return Ok(found);
    }
    let table = decide_each(&requests, &moments)?;
    for (index, ((action, decided), row)) in plan.actions.iter().zip(&table.rows).zip(&recorded.decisions).enumerate() {
        let done = report.done.iter().rev().find(|done| done.id == row.id);
        if done.is_some_and(|done| done.facts_sha256.as_ref() != Some(&recorded.facts.sha256)) {
            found.not_run.push(row.id.clone());
            continue;
        }
        found.run += 1;
        let mut again = Row::new(action, decided)?;
        let name = |index: &usize| plan.actions.get(*index).map(|action| action.id.clone());
        again.blocked_by = decided.blocked_by.iter().filter_map(name).collect();
        compare(&format!("predicate.decisions.decisions[{index}]"), row, &again, &mut found.differences);
        if let Some(done) = done {
            let expects = gather::expects(action, Some(&row.context), config, &mut Vec::new());
            compare(&format!("predicate.done `{}` expects", done.id), &done.expects, &expects, &mut found.differences);
        }
    }
    if found.not_run.is_empty() && recorded.deferred_gaps != table.deferred_gaps {
        found.differences.push("predicate.decisions.deferred_gaps: the bundle asks for others".to_owned());
    }
    Ok(found)
}

/// When a row was decided, and what was open then.
fn moment(row: &Row, fallback: Option<Timestamp>) -> Option<Moment> {
    let now = match row.context.pointer("/run/now/__extn/arg").and_then(Value::as_str) {
        Some(text) => Timestamp::parse(text)?,
        None => fallback?,
    };
    let stage = match row.context.pointer("/run/stage/__entity/id").and_then(Value::as_str) {
        Some("use") => Stage::Use,
        _ => Stage::Plan,
    };
    Some(Moment { gates: gates(row), ..Moment::closed(now, stage) })
}

/// Names every place in which two records differ.
fn compare<T: serde::Serialize>(place: &str, recorded: &T, again: &T, differences: &mut Vec<String>) {
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
