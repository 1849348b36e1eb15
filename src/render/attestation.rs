//! The faces of a report, each drawn from its statement alone; no face drops a row.

pub use super::page_forms::{markdown, table};
use crate::attestation::Statement;
use crate::attestation::report::{
    DisclosureKind, DoneOutcome, DoneRow, ForbiddenStatus, ObservedRow, ObservedStatus, Report, ReportVerdict,
};
use crate::evidence::{ObservationId, ObservationKind};
use crate::layout::escape;

use crate::layout::lines::{self, Tone};
use crate::layout::{Style, colored, grid, printable, short};
use crate::plan::WorkRecord;
use comfy_table::Cell as TableCell;
use std::fmt::Write as _;

pub(super) fn tone(verdict: ReportVerdict) -> Tone {
    match verdict {
        ReportVerdict::Authorized => Tone::Good,
        ReportVerdict::Blocked | ReportVerdict::ReadyForSovereignApproval => Tone::Open,
        ReportVerdict::Denied | ReportVerdict::Indeterminate | ReportVerdict::Contradicted => Tone::Bad,
    }
}

/// A whole report for terminals, the verdict first; no row is left out.
pub fn full_table(statement: &Statement<Report>, style: Style) -> String {
    let report = &statement.predicate;
    let plan = &report.decisions.plan;
    let mut text = lines::head(
        "attest",
        report.verdict.name(),
        tone(report.verdict),
        &format!("{} ({})", plan.name, plan.mode),
        style,
    );
    for line in said(report) {
        let _ = writeln!(text, "{line}");
    }
    let mut observed = grid(style, &["observation", "baseline", "final", "status"]);
    for row in &report.non_mutation {
        observed.add_row([
            TableCell::new(printable(&row.id)),
            TableCell::new(printable(&row.baseline)),
            TableCell::new(printable(&row.last)),
            colored(&observed_words(row), observed_tone(row.status), style),
        ]);
    }
    let mut forbidden = grid(style, &["forbidden", "status", "basis", "because"]);
    for row in &report.forbidden {
        forbidden.add_row([
            TableCell::new(printable(&row.ban.title)),
            colored(row.status.words(), forbidden_tone(row.status), style),
            TableCell::new(row.basis.words()),
            TableCell::new(printable(&row.because)),
        ]);
    }
    let mut done = grid(style, &["done", "from", "to", "outcome", "approvals"]);
    for row in &report.done {
        done.add_row([
            format!("{}\nby {}", printable(&row.id), printable(short(&row.principal))),
            row.started_at.to_string(),
            ended(row),
            outcome(row),
            approvals(row),
        ]);
    }
    let _ = writeln!(text, "{observed}\n{forbidden}\n{done}");
    for line in grounds(report) {
        let _ = writeln!(text, "{line}");
    }
    text
}

/// A whole report in five sections: decision, non-mutation, forbidden actions, what was done, verdict.
pub fn full_markdown(statement: &Statement<Report>) -> String {
    let report = &statement.predicate;
    let decisions = &report.decisions;
    let plan = &decisions.plan;
    let mut text = format!("# Attestation of a run: {}\n\n", escape(&plan.name));
    if let Some(name) = &plan.macro_name {
        let _ = writeln!(text, "- macro: {}", escape(name));
    }
    let _ = writeln!(text, "- date_utc: {}", report.time.to_string().split('T').next().unwrap_or_default());
    for (name, label) in &plan.labels {
        let _ = writeln!(text, "- {}: {}", escape(name), escape(label));
    }
    let _ = writeln!(text, "- run: `{}` ({})", escape(&plan.run), plan.mode);
    let _ = writeln!(text, "- result: {}", super::page::result(report));
    let _ = writeln!(
        text,
        "\n## 1. Decision\n\n| Row | Action | Work | Decision | Basis | Because |\n|---|---|---|---|---|---|"
    );
    for row in &decisions.decisions {
        let work = row.work.as_ref().map_or_else(|| "none".to_owned(), WorkRecord::line);
        let cells =
            [&row.id, short(&row.action), &work, row.decision.words(), row.basis.words(), &row.because()].map(escape);
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    let summary = super::table::summary(decisions);
    let _ = writeln!(text, "\n```\n{summary}```\n\n## 2. Non-mutation attestation\n\n```");
    for line in window(report).into_iter().chain(facts(report)) {
        let _ = writeln!(text, "{line}");
    }
    let _ = writeln!(text, "```\n\n| Observed | Baseline | Final | Status |\n|---|---|---|---|");
    for row in &report.non_mutation {
        let cells = [row.id.as_str(), &row.baseline, &row.last, &observed_words(row)].map(escape);
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text.push_str(
        "\n## 3. Forbidden-action attestation\n\n| Forbidden | Status | Basis | Evidence |\n|---|---|---|---|\n",
    );
    for row in &report.forbidden {
        let cells = [&row.ban.title, row.status.words(), row.basis.words(), &row.because].map(escape);
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text.push_str("\n## 4. What was done\n\n");
    if report.done.is_empty() {
        text.push_str("Nothing is in the journal of this run.\n");
    }
    for row in &report.done {
        let used = approvals(row);
        let used = if used.is_empty() { String::new() } else { format!(", by {used}") };
        let until = ended(row);
        let _ = writeln!(
            text,
            "- {}: {}, {} to {until}, by {}{}",
            escape(&row.id),
            outcome(row),
            row.started_at,
            escape(short(&row.principal)),
            escape(&used)
        );
        let decided = decisions.decisions.iter().find(|decided| decided.id == row.id);
        if let Some(work) = decided.and_then(|decided| decided.work.as_ref()) {
            let _ = writeln!(text, "  {}", escape(&work.line()));
        }
    }
    text.push_str("\nDisclosed:\n\n");
    for disclosure in &report.disclosures {
        let _ = writeln!(text, "- {}: {}", kind(disclosure.kind), escape(&disclosure.text));
    }
    for contradiction in &report.contradictions {
        let _ = writeln!(text, "- CONTRADICTED: {}", escape(&contradiction.text));
    }
    let _ = writeln!(text, "\n## 5. Verdict\n\n```");
    for line in verdict(report) {
        let _ = writeln!(text, "{line}");
    }
    text.push_str("```\n");
    text
}

/// A report in one line, for logs.
pub fn line(statement: &Statement<Report>) -> String {
    let report = &statement.predicate;
    let counted = |status| report.non_mutation.iter().filter(|row| row.status == status).count();
    format!(
        "{} plan={} run={} observed={} changed={} unknown={} forbidden={} done={} contradictions={} at={}\n",
        report.verdict.name(),
        word(&report.decisions.plan.name),
        word(&report.decisions.plan.run),
        report.non_mutation.len(),
        counted(ObservedStatus::Changed),
        counted(ObservedStatus::Unknown),
        report.forbidden.len(),
        report.done.len(),
        report.contradictions.len(),
        report.time,
    )
}

/// A name that stays one word of a line.
fn word(text: &str) -> String {
    printable(text).replace(' ', "_")
}

/// What it rests on.
fn grounds(report: &Report) -> Vec<String> {
    let decisions = &report.decisions;
    let mut lines = vec![
        format!("sha256    {}", decisions.plan.sha256),
        format!("run       {}", printable(&decisions.plan.run)),
        format!("time      {}", report.time),
        format!("policies  sha256 {} ({})", decisions.policies.sha256, printable(&decisions.bundle.words())),
        format!("facts     sha256 {} ({})", decisions.facts.sha256, decisions.facts.source),
    ];
    lines.extend(window(report));
    lines
}

fn window(report: &Report) -> Vec<String> {
    let Some(window) = &report.window else { return vec!["observed  nothing: no two captures were given".to_owned()] };
    let quiet = match window.quiet {
        true => "proven: no writing transaction completed in the whole cluster",
        false => "not proven: transactions completed in the cluster; each row says what it shows",
    };
    vec![
        format!("database  {}", printable(&window.database)),
        format!("observed  {} to {}, {}", window.baseline_at, window.final_at, window.basis.words()),
        format!("quiet     {quiet}"),
        format!("level     {}", report.level.map_or("none", crate::settings::evidence::Level::name)),
    ]
}

/// State, whether production was mutated, and where switches stand.
pub(super) fn verdict(report: &Report) -> Vec<String> {
    let of_production = |status| -> Vec<&str> {
        with(&report.non_mutation, status).filter(|id| id.kind().is_of_database()).map(ObservationId::as_str).collect()
    };
    let changed = of_production(ObservedStatus::Changed);
    let unknown = of_production(ObservedStatus::Unknown);
    let expected = of_production(ObservedStatus::Expected);
    let tolerated = of_production(ObservedStatus::Tolerated);
    let mutation = if !changed.is_empty() {
        format!("SEEN in {}", changed.join(", "))
    } else if !unknown.is_empty() {
        format!("NOT KNOWN in {}", unknown.join(", "))
    } else {
        let parts = [("AS DECLARED in", &expected), ("TOLERATED in", &tolerated)];
        let said =
            parts.iter().filter(|(_, ids)| !ids.is_empty()).map(|(words, ids)| format!("{words} {}", ids.join(", ")));
        let said: Vec<String> = said.collect();
        if said.is_empty() { "NONE".to_owned() } else { said.join("; ") }
    };
    let mutation = if report.window.is_some() { printable(&mutation) } else { "NOT KNOWN".to_owned() };
    let mut lines = vec![format!("state: {}", report.verdict.name()), format!("production_mutation: {mutation}")];
    for row in report.non_mutation.iter().filter(|row| report.grounds.rules.resting.contains_key(row.id.as_str())) {
        let name = row.id.name();
        lines.push(format!("{}: {}", printable(name), printable(&row.last)));
    }
    lines
}

/// Section 2 in lines: the facts of report 07, each from its rows.
fn facts(report: &Report) -> Vec<String> {
    let mut lines = verdict(report).split_off(1);
    for (what, kind) in [
        ("called", ObservationKind::Function),
        ("rows", ObservationKind::Relation),
        ("tree", ObservationKind::Tree),
        ("service", ObservationKind::Service),
        ("host", ObservationKind::Host),
        ("secrets", ObservationKind::Secrets),
    ] {
        for row in report.non_mutation.iter().filter(|row| row.id.kind() == kind) {
            let name = row.id.name();
            lines.push(printable(&format!("{what} {name}: {} - {}", row.last, row.status.name())));
        }
    }
    lines
}

fn with(rows: &[ObservedRow], status: ObservedStatus) -> impl Iterator<Item = &ObservationId> {
    rows.iter().filter(move |row| row.status == status).map(|row| &row.id)
}

/// What a reader must know beside the verdict.
fn said(report: &Report) -> Vec<String> {
    let mut lines: Vec<String> =
        report.contradictions.iter().map(|found| format!("CONTRADICTED  {}", printable(&found.text))).collect();
    lines.extend(report.disclosures.iter().map(|found| format!("{:<13} {}", kind(found.kind), printable(&found.text))));
    lines
}

pub(super) fn kind(kind: DisclosureKind) -> &'static str {
    match kind {
        DisclosureKind::Mark => "!!!",
        DisclosureKind::Voided => "VOIDED",
        DisclosureKind::OpenGap => "open gap",
        DisclosureKind::DeferredGap => "gap at use",
        DisclosureKind::Unknown => "unknown",
        DisclosureKind::Tolerated => "tolerated",
        DisclosureKind::Failed => "failed",
        DisclosureKind::Unbounded => "unbounded",
        DisclosureKind::SelfReported => "self-reported",
        DisclosureKind::Unsigned => "unsigned",
    }
}

pub(super) fn observed_words(row: &ObservedRow) -> String {
    let mut text = row.status.name().to_owned();
    if !row.explained_by.is_empty() {
        let _ = write!(text, " by {}", row.explained_by.join(", "));
    } else if !row.because.is_empty() {
        let _ = write!(text, ": {}", row.because.join("; "));
    }
    printable(&text)
}

pub(super) fn outcome(row: &DoneRow) -> String {
    match (row.outcome, row.exit_status) {
        (DoneOutcome::Finished, _) => "finished".to_owned(),
        (DoneOutcome::Failed, Some(status)) => format!("failed with {status}"),
        (DoneOutcome::Failed, None) => "ended by a signal".to_owned(),
        (DoneOutcome::Interrupted, _) => "its end is not recorded".to_owned(),
    }
}

/// When it ended, as far as that is recorded.
pub(super) fn ended(row: &DoneRow) -> String {
    row.finished_at.map_or("not recorded".to_owned(), |time| time.to_string())
}

pub(super) fn approvals(row: &DoneRow) -> String {
    let used: Vec<String> = row.approvals.iter().map(|used| format!("{} {}", used.gate, used.id)).collect();
    printable(&used.join(", "))
}

fn observed_tone(status: ObservedStatus) -> Tone {
    match status {
        ObservedStatus::Unchanged | ObservedStatus::Tolerated | ObservedStatus::Expected => Tone::Good,
        ObservedStatus::Unknown | ObservedStatus::ExpectedUnbounded => Tone::Open,
        ObservedStatus::Changed => Tone::Bad,
    }
}

fn forbidden_tone(status: ForbiddenStatus) -> Tone {
    match status {
        ForbiddenStatus::NotDone
        | ForbiddenStatus::NotAttempted
        | ForbiddenStatus::Held
        | ForbiddenStatus::NotApplicable => Tone::Good,
        ForbiddenStatus::Unknown | ForbiddenStatus::DoneWithApproval => Tone::Open,
        ForbiddenStatus::Done => Tone::Bad,
    }
}
