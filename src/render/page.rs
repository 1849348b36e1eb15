//! The one page of a report: what happened and why, the facts, the first bans, what was done, what is open. Whatever is not fine is on
//! it, always; how many fine rows are not is said.

use crate::attestation::Statement;
use crate::attestation::report::{DisclosureKind, DoneOutcome, DoneRow, ForbiddenRow, ForbiddenStatus, Report};
use crate::digest::Digest;
use crate::evidence::Observation;
use crate::layout::lines::middle;
use crate::layout::short;
use crate::record::{ApprovalRow, ApprovalStatus, RowDecision};
use serde_json::Value;
use std::collections::BTreeMap;

/// The page, section by section, in text that is not escaped yet.
pub struct Page {
    /// What happened, in a few words.
    pub title: String,
    /// What and when it is about, `name: value`.
    pub head: Vec<String>,
    /// What does not fit; nothing where all does.
    pub contradictions: Vec<String>,
    /// Which approvals were looked for, what was found, and therefore what was done.
    pub decision: Vec<String>,
    /// The title of the facts: whether something was meant to change.
    pub facts_title: &'static str,
    /// The facts, `name: value`.
    pub facts: Vec<String>,
    /// Bans: title, status, and whether somebody intended it.
    pub forbidden: Vec<[String; 3]>,
    /// What was done, each with what it left.
    pub done: Vec<(String, Vec<String>)>,
    /// Open gaps, approvals, and what else must not be overlooked.
    pub open: Vec<String>,
    /// State, digests, and how to verify it.
    pub verdict: Vec<String>,
    /// How much is not on it.
    pub more: String,
}

impl Page {
    /// The page of a report, which lies in this file.
    pub fn of(statement: &Statement<Report>, file: Option<&str>) -> Self {
        let report = &statement.predicate;
        let plan = &report.decisions.plan;
        let what = happened(report);
        let date = report.time.to_string();
        let date = date.split('T').next().unwrap_or_default();
        let labels = plan.labels.iter().map(|(name, label)| format!("{name}: {label}"));
        let first = [format!("date_utc: {date}")].into_iter().chain(labels).collect::<Vec<_>>().join(" · ");
        let mut head: Vec<String> = plan.macro_name.iter().map(|name| format!("macro: {name}")).collect();
        head.extend([
            first,
            format!("run: {} ({})", plan.run, plan.mode),
            format!("result: {} State = {}.", what.sentence, report.verdict.name()),
        ]);
        let shown = rows_on_page(report);
        let forbidden: Vec<[String; 3]> = shown.iter().map(|row| ban(row)).collect();
        let observed = report.non_mutation.len();
        let bans = report.forbidden.len() - shown.len();
        Self {
            title: format!("{}: {}", what.title, plan.name),
            head,
            contradictions: report.contradictions.iter().map(|found| found.text.clone()).collect(),
            decision: decision(report),
            facts_title: if what.executed { "What changed" } else { "Non-mutation attestation" },
            facts: super::page_facts::facts(report),
            forbidden,
            done: report.done.iter().map(|row| (done(row), artefacts(report, row))).collect(),
            open: open(report),
            verdict: verdict(report, file),
            more: format!(
                "Not on this page: {bans} bans that are fine, the {observed} rows of what was observed, the {} decisions; \
                 `cutter attest --full` and the JSON have them.",
                report.decisions.decisions.len()
            ),
        }
    }
}

/// What happened.
struct Happened {
    title: &'static str,
    sentence: String,
    executed: bool,
}

fn happened(report: &Report) -> Happened {
    let is_allowed =
        |id: &str| report.decisions.decisions.iter().any(|row| row.id == id && row.decision == RowDecision::Allow);
    let barred = report.done.iter().filter(|done| !is_allowed(&done.id)).count();
    let approved = report.done.iter().filter(|done| !done.approvals.is_empty()).count();
    let is_known = report.grounds.journal.ledger.is_some() && report.grounds.journal.faults.is_empty();
    let (title, executed, sentence) = match (barred, approved, report.done.len()) {
        (1.., _, all) => ("EXECUTED", true, format!("EXECUTED: {all} actions, {barred} of them not allowed.")),
        (0, 1.., all) => ("EXECUTED", true, format!("EXECUTED: {all} actions, {approved} of them under approvals.")),
        _ if !is_known => ("NOT KNOWN", false, "NOT KNOWN what was executed.".to_owned()),
        (0, 0, 0) => ("NOT EXECUTED", false, "NOT EXECUTED. Nothing was run.".to_owned()),
        (0, 0, free) => {
            ("NOT EXECUTED", false, format!("NOT EXECUTED. {free} actions that need no approval were run."))
        }
    };
    Happened { title, sentence, executed }
}

/// What is said first of a report, for the whole form, too.
pub fn result(report: &Report) -> String {
    format!("{} State = {}.", happened(report).sentence, report.verdict.name())
}

/// The branch that was taken, and by which approvals.
fn decision(report: &Report) -> Vec<String> {
    let decisions = &report.decisions;
    let mut needed: BTreeMap<&str, usize> = BTreeMap::new();
    for need in decisions.decisions.iter().flat_map(|row| &row.needs) {
        *needed.entry(&need.gate).or_default() += 1;
    }
    let found = |gate: &str| {
        let mut of_gate = decisions.approvals.iter().filter(|row| row.gate == gate).peekable();
        let accepted = |row: &&ApprovalRow| row.status == ApprovalStatus::Accepted;
        let used = report.done.iter().flat_map(|done| &done.approvals).any(|used| used.gate == gate);
        match (of_gate.clone().any(|row| accepted(&row)), of_gate.peek(), used) {
            (true, _, _) => "found".to_owned(),
            (_, _, true) => "used".to_owned(),
            (_, Some(row), _) => row.code.map_or_else(|| "rejected".to_owned(), |code| code.name()),
            (_, None, _) => "missing".to_owned(),
        }
    };
    let documents = report.grounds.approvals.len();
    let looked: Vec<String> = needed.iter().map(|(gate, rows)| format!("{gate} for {rows}: {}", found(gate))).collect();
    let barred = decisions.decisions.iter().filter(|row| row.decision == RowDecision::Deny).count();
    let all = decisions.decisions.len();
    let approvals = match looked.is_empty() {
        true => "approvals: none is needed".to_owned(),
        false => format!(
            "approvals looked for among {documents} documents, by the number of rows that need them: {}",
            looked.join(" · ")
        ),
    };
    let branch = match (happened(report).executed, looked.is_empty(), barred) {
        (true, false, _) => "an explicit valid approval was there: what it covers was run",
        (false, false, 1..) => "no explicit valid approval for what needs one: do NOT mutate",
        (_, true, 1..) => "no approval can lift what is denied: do NOT mutate",
        _ => "nothing is denied",
    };
    vec![approvals, format!("taken branch: {branch}; {barred} of {all} rows denied or waiting")]
}

/// The bans of the page: the first ones of the bundle, and each that is not fine.
fn rows_on_page(report: &Report) -> Vec<&ForbiddenRow> {
    let rows = report.forbidden.iter().enumerate();
    rows.filter(|(index, row)| *index < ALWAYS_SHOWN || !row.status.is_fine()).map(|(_, row)| row).collect()
}

/// How many bans are shown also where they are fine: those that stand first in the bundle.
const ALWAYS_SHOWN: usize = 10;

fn ban(row: &ForbiddenRow) -> [String; 3] {
    let intended = match row.intended.is_empty() {
        true => "intended: no".to_owned(),
        false => format!("denied: {}", row.intended.join(", ")),
    };
    let why = if row.status.is_fine() && !row.evidence.is_empty() { intended } else { row.because.clone() };
    [row.ban.title.clone(), format!("{}, {}", row.status.words(), row.basis.words()), why]
}

fn done(row: &DoneRow) -> String {
    let how = super::attestation::outcome(row);
    let used = super::attestation::approvals(row);
    let used = if used.is_empty() { String::new() } else { format!(", by {used}") };
    let work = row.work.as_ref().map(|work| format!(": {}", middle(work, 90))).unwrap_or_default();
    format!("{}: {how} {}, by {}{used}{work}", row.id, super::attestation::ended(row), short(&row.principal))
}

/// What an action declares to change, with what was measured of it: files with their digests, counters.
fn artefacts(report: &Report, row: &DoneRow) -> Vec<String> {
    if row.outcome != DoneOutcome::Finished {
        return Vec::new();
    }
    let grounds = &report.grounds;
    let last = |id: &str| grounds.last.as_ref().and_then(|record| record.capture.observation(id));
    let closes = report.decisions.decisions.iter().find(|decided| decided.id == row.id);
    let closes = closes.and_then(|decided| decided.labels.get("closes"));
    let mut lines = Vec::new();
    for (id, moves) in &row.expects {
        let status = report.non_mutation.iter().find(|observed| observed.id.as_str() == id);
        let status = status.map_or("not observed", |observed| observed.status.name());
        let moves: Vec<String> = moves
            .iter()
            .map(|(name, by)| match name.split_once(' ') {
                Some((became, path)) => format!("{became} {path}{}", digest(last(id), path)),
                None => format!("{by} {name}"),
            })
            .collect();
        let moves = if moves.is_empty() { "any change".to_owned() } else { moves.join(", ") };
        lines.push(format!("{id} - {moves}: {status}"));
    }
    if let (Some(closes), Some(first)) = (closes, lines.first_mut()) {
        first.push_str(&format!(", for {closes}"));
    }
    lines
}

/// The digest of a file of a tree, as short as people compare it.
fn digest(tree: Option<&Observation>, path: &str) -> String {
    let entry = tree.and_then(|tree| tree.values.get(&format!("entry {path}")));
    let sha256 = entry.and_then(|entry| entry.strip_prefix("sha256 "));
    sha256.map_or(String::new(), |sha256| format!(" ({})", sha256.get(..12).unwrap_or_default()))
}

fn waiting(rows: usize) -> String {
    if rows == 1 { "1 row waits".to_owned() } else { format!("{rows} rows wait") }
}

/// Open gaps, missing approvals, those that were used with their windows and reasons, and what must not be overlooked.
fn open(report: &Report) -> Vec<String> {
    let decisions = &report.decisions;
    let mut lines: Vec<String> = decisions.marks.iter().map(|mark| format!("!!! {mark}")).collect();
    let rows = |gap: &String| decisions.decisions.iter().filter(|row| row.gaps.contains(gap)).count();
    lines.extend(decisions.open_gaps.iter().map(|gap| format!("gap {gap}: open, {} for it", waiting(rows(gap)))));
    if !decisions.deferred_gaps.is_empty() {
        lines.push(format!("asked for at the moment of use: {}", decisions.deferred_gaps.join(", ")));
    }
    for row in &decisions.approvals {
        let document = report.grounds.approvals.iter().find(|document| document.file == row.file);
        let document: Value =
            document.and_then(|document| serde_json::from_str(&document.text).ok()).unwrap_or_default();
        let field = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
        lines.push(match (row.status, row.code) {
            (ApprovalStatus::Accepted, _) => format!(
                "approval {} {}: by {}, {} to {}, \"{}\"",
                row.gate,
                row.id,
                row.signers.join(", "),
                field("issued_at"),
                field("expires_at"),
                field("reason")
            ),
            (_, code) => {
                format!("approval {}: {}", row.gate, code.map_or_else(|| "rejected".to_owned(), |code| code.name()))
            }
        });
    }
    let said = [DisclosureKind::OpenGap, DisclosureKind::DeferredGap, DisclosureKind::Mark];
    let unseen: Vec<&ForbiddenRow> =
        report.forbidden.iter().filter(|row| row.status == ForbiddenStatus::NotAttempted).collect();
    if !unseen.is_empty() {
        lines.push(format!("self-reported: {} bans that nothing can show, which --full names", unseen.len()));
    }
    let is_one_of_them = |text: &str| unseen.iter().any(|row| text == format!("{}: nothing shows it", row.ban.title));
    let rest = report.disclosures.iter().filter(|disclosure| !said.contains(&disclosure.kind));
    let rest = rest.filter(|disclosure| !is_one_of_them(&disclosure.text));
    lines.extend(rest.map(|disclosure| format!("{}: {}", super::attestation::kind(disclosure.kind), disclosure.text)));
    lines
}

/// State, what it rests on with short digests and signers, and the command that verifies it.
fn verdict(report: &Report, file: Option<&str>) -> Vec<String> {
    let (decisions, grounds) = (&report.decisions, &report.grounds);
    let mut lines = super::attestation::verdict(report);
    let short = |digest: &Digest| digest.to_string().get(..12).unwrap_or_default().to_owned();
    let by = |name: Option<&str>| name.map_or("nobody".to_owned(), str::to_owned);
    let plan = by(grounds.plan_signed.as_ref().map(|signed| signed.signer.as_str()));
    lines.push(format!(
        "plan: {} by {plan} · policies: {} ({}) · facts: {} ({})",
        short(&decisions.plan.sha256),
        short(&decisions.policies.sha256),
        decisions.bundle.words(),
        short(&decisions.facts.sha256),
        decisions.facts.source
    ));
    for (name, record) in [("baseline", &grounds.baseline), ("final", &grounds.last)] {
        if let Some(record) = record {
            let by = by(record.vouched.as_ref().map(|vouched| vouched.signer.as_str()));
            lines.push(format!("{name}: {} by {by}", short(&record.sha256)));
        }
    }
    lines.push(format!("verify: cutter verify {} --policies policies", file.unwrap_or("REPORT.json")));
    lines
}

/// Whether a ban's status is good, open or bad news.
pub fn is_bad(status: &str) -> bool {
    status.starts_with(ForbiddenStatus::Done.words()) && !status.starts_with(ForbiddenStatus::DoneWithApproval.words())
}
