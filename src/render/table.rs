//! The terminal form of decisions: verdict and needs first, then one line a row, then what to do and what was judged.

use crate::decision::{Basis, Verdict};
use crate::digest::Digest;
use crate::facts::Origin;
use crate::layout::lines::{Cell, Fit, Lines, Tone, flow};
use crate::layout::{Style, short};
use crate::plan::WorkRecord;
use crate::record::{ApprovalRow, ApprovalStatus, Clock, Decisions, RecordedRow};
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// What is shown beside decisions and does not stand in them.
#[derive(Clone, Default, Debug)]
pub struct Guide {
    /// What closes each open gap, by its name.
    pub closes: BTreeMap<String, Vec<String>>,
    /// The commands to run next, in order.
    pub next: Vec<String>,
    /// The command that measures facts that are only stated.
    pub measure: Option<String>,
}

/// One thing that the plan needs, or that opened.
pub(super) struct Item {
    pub label: &'static str,
    pub name: String,
    /// The rows it concerns.
    pub rows: String,
    pub state: String,
    tone: Tone,
}

/// The decisions for terminals.
pub fn decisions(decisions: &Decisions, guide: &Guide, style: Style) -> String {
    let plan = &decisions.plan;
    let named = Cell::new(format!("{} ({})", plan.name, plan.mode));
    let heading = [Cell::new("authorize"), verdict(decisions.verdict), named, Cell::new(counts(decisions))];
    let mut text = flow(&heading, LABEL + 2, style);
    text.push_str(&loud(decisions).text(style));
    text.push_str(&stated(decisions).text(style));
    text.push_str(&measuring(guide).text(style));
    text.push_str(&needs(decisions, guide, style));
    text.push('\n');
    let (rows, works) = (rows(decisions).text(style), works(decisions).text(style));
    for ((row, work), decided) in rows.lines().zip(works.lines()).zip(&decisions.decisions) {
        text.push_str(&format!("{row}\n"));
        if decided.work.is_some() {
            text.push_str(&format!("{work}\n"));
        }
    }
    text.push('\n');
    text.push_str(&commands(&guide.next).text(style));
    text.push_str(&identity(decisions, style));
    text
}

/// Verdict, needs and gaps as lines, for reports that show the rows by themselves.
pub fn summary(decisions: &Decisions) -> String {
    let style = Style { width: u16::MAX, color: false };
    let heading = [verdict(decisions.verdict), Cell::new(counts(decisions))];
    let stated = stated(decisions).text(style);
    flow(&heading, 0, style) + &loud(decisions).text(style) + &stated + &needs(decisions, &Guide::default(), style)
}

/// The word that begins a decided row, and how loudly it speaks.
pub fn mark(basis: Basis) -> (&'static str, Tone) {
    match basis {
        Basis::Permitted | Basis::Approved => ("ok", Tone::Good),
        Basis::ApprovalRequired | Basis::Precondition => ("DENY", Tone::Open),
        Basis::Forbidden | Basis::NotPermitted | Basis::NoWork => ("DENY", Tone::Bad),
        Basis::BlockedBy => ("wait", Tone::Dim),
        Basis::Indeterminate => ("ERR", Tone::Bad),
    }
}

/// The verdict in its colour.
fn verdict(verdict: Verdict) -> Cell {
    let tone = match verdict {
        Verdict::Authorized => Tone::Good,
        Verdict::Blocked | Verdict::ReadyForSovereignApproval => Tone::Open,
        Verdict::Denied | Verdict::Indeterminate => Tone::Bad,
    };
    Cell::toned(verdict.name(), tone)
}

/// How many rows are what; only of what is there.
pub(super) fn counts(decisions: &Decisions) -> String {
    let count = |wanted: &[Basis]| decisions.decisions.iter().filter(|row| wanted.contains(&row.basis)).count();
    let all = [
        (count(&[Basis::Indeterminate]), "not judged"),
        (count(&[Basis::Forbidden, Basis::NotPermitted, Basis::NoWork]), "denied for good"),
        (count(&[Basis::Permitted, Basis::Approved]), "allow"),
        (count(&[Basis::ApprovalRequired]), "need approval"),
        (count(&[Basis::Precondition]), "need a gap closed"),
        (count(&[Basis::BlockedBy]), "wait"),
    ];
    let there = all.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    there.collect::<Vec<_>>().join(", ")
}

/// What must not be overlooked.
fn loud(decisions: &Decisions) -> Lines {
    let mut lines = Lines::new([Fit::Words]);
    for mark in &decisions.marks {
        lines.row([Cell::toned(format!("!!! {mark} !!!"), Tone::Bad)]);
    }
    for fault in decisions.bundle.faults() {
        lines.row([Cell::toned(format!("UNTRUSTED {fault}"), Tone::Bad)]);
    }
    lines
}

/// Facts that carry what is allowed, and do not come from where they must.
fn stated(decisions: &Decisions) -> Lines {
    let mut lines = Lines::new([Fit::Words]);
    if let [first, more @ ..] = decisions.unmeasured.as_slice() {
        let shown: Vec<&str> = std::iter::once(first).chain(more.iter().take(SHOWN - 1)).map(String::as_str).collect();
        let rest = decisions.unmeasured.len() - shown.len();
        let rest = if rest == 0 { String::new() } else { format!(" and {rest} more") };
        let text = format!(
            "STATED some rows are allowed by facts that nothing measured ({}), and are not run on them: {}{rest}",
            decisions.unmeasured.len(),
            shown.join(", ")
        );
        lines.row([Cell::toned(text, Tone::Bad)]);
    }
    lines
}

/// The command that measures such facts, whole on a line of its own.
fn measuring(guide: &Guide) -> Lines {
    let mut lines = Lines::new([Fit::Whole, Fit::Whole]);
    if let Some(command) = &guide.measure {
        lines.row([label("facts", Tone::Plain), Cell::new(command)]);
    }
    lines
}

/// How many facts are named in a line.
const SHOWN: usize = 3;

/// Every gate and every gap, what is missing first.
pub(super) fn items(decisions: &Decisions, guide: &Guide) -> Vec<Item> {
    let mut approvals: Vec<&ApprovalRow> = decisions.approvals.iter().collect();
    approvals.sort_by_key(|row| row.status == ApprovalStatus::Accepted);
    let mut items: Vec<Item> = approvals
        .into_iter()
        .map(|row| Item {
            label: if row.status == ApprovalStatus::Accepted { "opened" } else { "needs" },
            name: if row.gate.is_empty() { row.file.clone() } else { row.gate.clone() },
            rows: concerned(decisions, |decided| needs_gate(decided, row) && !is_used(decided, row)),
            state: state(row, &decisions.time.to_string()),
            tone: if row.status == ApprovalStatus::Accepted { Tone::Good } else { Tone::Open },
        })
        .collect();
    let used = decisions.approvals.iter().filter(|row| decisions.decisions.iter().any(|decided| is_used(decided, row)));
    items.splice(
        0..0,
        used.map(|row| Item {
            label: "needs",
            name: row.gate.clone(),
            rows: concerned(decisions, |decided| is_used(decided, row)),
            state: "USED: its approval opens nothing twice".to_owned(),
            tone: Tone::Open,
        }),
    );
    items.extend(decisions.open_gaps.iter().map(|gap| {
        let state = match guide.closes.get(gap).map(Vec::as_slice) {
            Some([only]) => only.clone(),
            Some(all @ [_, ..]) => format!("{} steps: {}", all.len(), all.join("; ")),
            _ => "open".to_owned(),
        };
        let rows = concerned(decisions, |row| row.gaps.contains(gap));
        Item { label: "gaps", name: gap.clone(), rows, state, tone: Tone::Plain }
    }));
    items
}

fn needs_gate(row: &RecordedRow, approval: &ApprovalRow) -> bool {
    row.needs.iter().any(|need| need.gate == approval.gate)
}

/// Whether an approval that is good for other rows was used for this one: what is accepted names every row that its gate bars.
fn is_used(row: &RecordedRow, approval: &ApprovalRow) -> bool {
    approval.status == ApprovalStatus::Accepted && row.basis == Basis::ApprovalRequired && needs_gate(row, approval)
}

/// `9 rows`, or the one row's name where it is short.
fn concerned(decisions: &Decisions, is_concerned: impl Fn(&RecordedRow) -> bool) -> String {
    let mut rows = decisions.decisions.iter().filter(|row| is_concerned(row));
    match (rows.next(), rows.count()) {
        (None, _) => "no row".to_owned(),
        (Some(only), 0) if only.id.chars().count() <= SHORT_NAME => only.id.clone(),
        (Some(_), 0) => "1 row".to_owned(),
        (Some(_), more) => format!("{} rows", more + 1),
    }
}

/// What became of one approval: `missing`, `accepted by alice until 09:59Z`, `REJECTED placeholder: ...`.
fn state(row: &ApprovalRow, now: &str) -> String {
    match row.code {
        None => format!("accepted by {}{}", row.signers.join(", "), until(row.expires_at.as_deref(), now)),
        Some(_) if row.file.is_empty() => "missing".to_owned(),
        Some(code) => format!("REJECTED {}: {}", code.name(), row.details.join("; ")),
    }
}

/// ` until 09:59Z`, with the day where it is not that of the decision; empty where it has no end.
pub(super) fn until(end: Option<&str>, now: &str) -> String {
    let Some(end) = end.and_then(Timestamp::parse).map(Timestamp::to_cedar) else {
        return String::new();
    };
    let (Some(day), Some(minute)) = (end.get(..10), end.get(11..16)) else { return String::new() };
    match now.starts_with(day) {
        true => format!(" until {minute}Z"),
        false => format!(" until {day} {minute}Z"),
    }
}

/// Gates, gaps and what is decided at use, one line each.
fn needs(decisions: &Decisions, guide: &Guide, style: Style) -> String {
    let mut lines = Lines::new([Fit::Whole, Fit::Middle, Fit::Middle, Fit::End]);
    let mut last = "";
    for item in items(decisions, guide) {
        let said = if item.label == last { "" } else { item.label };
        last = item.label;
        let cells = [label(said, Tone::Plain), Cell::new(item.name), Cell::new(item.rows)];
        lines.row(cells.into_iter().chain([Cell::toned(item.state, item.tone)]));
    }
    let mut deferred = Lines::new([Fit::Whole, Fit::Words]);
    if !decisions.deferred_gaps.is_empty() {
        deferred.row([label("at use", Tone::Plain), Cell::new(decisions.deferred_gaps.join(" "))]);
    }
    lines.text(style) + &deferred.text(style)
}

/// One line a row.
fn rows(decisions: &Decisions) -> Lines {
    let mut lines = Lines::new([Fit::Whole, Fit::Middle, Fit::Middle, Fit::End]);
    for row in &decisions.decisions {
        let (word, tone) = mark(row.basis);
        let rest = if tone == Tone::Dim { tone } else { Tone::Plain };
        let why = if tone == Tone::Bad { tone } else { rest };
        lines.row([
            label(word, tone),
            Cell::toned(&row.id, rest),
            Cell::named(short(&row.action), short(&row.resource), rest),
            Cell::toned(because(row), why),
        ]);
    }
    lines
}

/// What each row would run, as much of it as a line holds; whole it is in `explain` and in JSON.
fn works(decisions: &Decisions) -> Lines {
    let mut lines = Lines::new([Fit::Whole, Fit::End]);
    for row in &decisions.decisions {
        let line = row.work.as_ref().map(WorkRecord::line).unwrap_or_default();
        lines.row([Cell::new(" ".repeat(LABEL + 2)), Cell::toned(line, Tone::Dim)]);
    }
    lines
}

/// Why a row is what it is, as short as it can be said.
pub(super) fn because(row: &RecordedRow) -> String {
    let gates = row.needs.iter().map(|need| need.gate.as_str()).collect::<Vec<_>>().join(" ");
    match row.basis {
        Basis::Permitted => String::new(),
        Basis::Approved => format!("by {gates}"),
        Basis::ApprovalRequired if row.gaps.is_empty() => gates,
        Basis::ApprovalRequired => format!("{gates}  {}", row.gaps.join(" ")),
        Basis::Precondition => row.gaps.join(" "),
        Basis::Forbidden | Basis::NotPermitted | Basis::NoWork => row.reason.clone(),
        Basis::BlockedBy => match row.blocked_by.as_slice() {
            [first, more @ ..] if !more.is_empty() => format!("after {first} and {} more", more.len()),
            rows => format!("after {}", rows.join(", ")),
        },
        Basis::Indeterminate => row.errors.first().unwrap_or(&row.reason).clone(),
    }
}

/// Commands to run, each whole on a line of its own.
pub fn commands(next: &[String]) -> Lines {
    let mut lines = Lines::new([Fit::Whole, Fit::Whole]);
    for (index, command) in next.iter().enumerate() {
        lines.row([label(if index == 0 { "next" } else { "then" }, Tone::Plain), Cell::new(command)]);
    }
    lines
}

/// What was judged by what, short; whole in JSON.
fn identity(decisions: &Decisions, style: Style) -> String {
    let digest = |name: &str, sha256: Digest| format!("{name} {}", sha256.short());
    let facts = match decisions.facts.source {
        Origin::Entities => String::new(),
        source @ (Origin::Evidence | Origin::Postgres) => format!(" ({source})"),
    };
    let mut cells = vec![
        digest("plan", decisions.plan.sha256),
        digest("policies", decisions.policies.sha256),
        digest("facts", decisions.facts.sha256) + &facts,
        format!("bundle {}", decisions.bundle.words()),
    ];
    if decisions.clock == Clock::Given {
        cells.push(format!("at {} (given)", decisions.time));
    }
    flow(&cells.into_iter().map(|cell| Cell::toned(cell, Tone::Dim)).collect::<Vec<_>>(), 0, style)
}

/// The word in front of a line, of one width.
pub fn label(word: &str, tone: Tone) -> Cell {
    Cell::toned(format!("{word:<LABEL$}"), tone)
}

/// As wide as the widest label.
const LABEL: usize = 6;

/// A name of more letters is not shown in place of a count.
const SHORT_NAME: usize = 16;
