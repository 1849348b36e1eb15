//! What people see of a review, at 80 and 140 columns, plain and coloured: golden files.

use crate::support::golden::golden;
use crate::support::screens::screens;
use cutter::findings::rule::{Rule, Severity};
use cutter::findings::{Check, Finding, Outcome, Part, Place, Review, rules};
use cutter::layout::Style;
use cutter::problem::Source;
use cutter::render::review::{human, markdown, matrix};
use cutter::review::catalogue;
use cutter::review::matrix::{Cell, Column, Matrix, MatrixRow};
use cutter::subject::counterexample::Counterexample;
use serde_json::json;
use std::collections::BTreeSet;

fn part(name: &'static str, summary: &str) -> Part {
    Part { name, summary: summary.to_owned(), checks: Vec::new(), findings: Vec::new() }
}

#[test]
fn the_catalogue_of_rules_fits_the_terminal() {
    let all = catalogue::all();
    for width in [80, 140] {
        let style = Style { width, color: false };
        let text = human::rules(&all, style);
        assert!(text.lines().all(|line| line.chars().count() <= usize::from(width)), "{text}");
        assert!(all.iter().all(|rule| text.lines().any(|line| line.trim_start().starts_with(rule.number))), "{text}");
    }
}

/// What runs before a proof, all of it fine.
fn before() -> Vec<Part> {
    vec![part("validate", "25 files read"), part("lint", "15 rules over 128 policies")]
}

fn source() -> Source {
    Source::new(
        "policies/gates.cedar",
        "@id(\"gate-approval-expired\")\nforbid (principal, action, resource)\nwhen { context.approval.expires_at < context.run.now };\n",
    )
}

fn place(line: &str, label: Option<&str>) -> Place {
    let source = source();
    let start = source.text().find(line).unwrap();
    let place = Place::new(&source, start..start + line.len());
    match label {
        Some(label) => place.label(label),
        None => place,
    }
}

fn counterexample(decision: &'static str, expected: &'static str, policies: &[&str]) -> Counterexample {
    Counterexample {
        request: json!({
            "principal": "Cutter::Person::\"sovereign\"", "action": "Cutter::Action::\"open_gate\"",
            "resource": "Cutter::Gate::\"SG_1\"", "context": {},
        }),
        entities: json!([]),
        decision,
        expected,
        policies: policies.iter().map(|id| (*id).to_owned()).collect(),
        essentials: vec![
            "context.approval.expires_at = 2026-05-21T08:15:00.000Z".to_owned(),
            "context.run.now = 2026-05-21T08:15:00.000Z".to_owned(),
        ],
    }
}

fn finding(rule: &'static Rule, about: &str, message: &str) -> Finding {
    Finding::new(rule, about, message)
}

fn with_findings() -> Review {
    let mut parts = before();
    let lint = finding(catalogue::find("L13").unwrap(), "gate-approval-expired", "the window has no beginning")
        .at(place("@id(\"gate-approval-expired\")", None))
        .help("bound the other end as well");
    parts[1].findings.push(lint);
    let mut prove = part(
        "prove",
        "541 of 542 properties hold over 158 request types (2435 queries: 1207 folded, 601 solved by cvc5 1.0.3)",
    );
    let refuted = finding(
        &rules::NEVER,
        "never-opens-not-after-expiry",
        "some of what it names is allowed (Person open_gate Gate)",
    )
    .at(place("context.approval.expires_at < context.run.now", Some("ban `gate-approval-expired`")))
    .help("look at the ban `gate-approval-expired`, or change the invariant if it is meant")
    .shown_by(Some(counterexample("allow", "deny", &["sovereign-opens-gates"])));
    prove.findings.push(refuted);
    let why = "the solver gave no answer within 10 s (Agent start_run Document)".to_owned();
    prove
        .checks
        .push(Check { name: "start-needs-a-fresh-backup is alive".to_owned(), outcome: Outcome::Undecided(why) });
    parts.push(prove);
    let skipped = vec!["coverage: it says something only where everything else holds".to_owned()];
    Review { parts, skipped, ..Default::default() }
}

fn change(allowed: bool) -> Review {
    let label = "changed policy `gate-approval-expired`";
    let at = || place("context.approval.expires_at < context.run.now", Some(label));
    let mut widened = finding(&rules::WIDENED, "Person open_gate Gate", "it allows what was denied")
        .at(at())
        .help("if this is meant, say so with --allow-widening")
        .shown_by(Some(counterexample("allow", "deny", &["sovereign-opens-gates"])));
    if allowed {
        (widened.severity, widened.help) = (Severity::Note, None);
    }
    let narrowed = finding(&rules::NARROWED, "Person vote Gate", "it denies what was allowed")
        .at(at())
        .shown_by(Some(counterexample("deny", "allow", &[])));
    let mut part = part("diff", "157 request types unchanged; 1 policy changed");
    part.findings = vec![widened, narrowed];
    Review { parts: vec![part], ..Default::default() }
}

#[test]
fn a_clean_review_is_one_line_and_one_more_for_each_part() {
    let mut parts = before();
    parts.push(part("matrix", "169 lines, as committed"));
    parts.push(part(
        "prove",
        "542 of 542 properties hold over 158 request types (2435 queries: 1207 folded, 601 solved by cvc5 1.0.3)",
    ));
    parts.push(part(
        "coverage",
        "128 of 128 policies are noticed when dropped (242 queries: 72 folded, 131 solved by cvc5 1.0.3)",
    ));
    let review = Review { parts, ..Default::default() };
    screens("review/clean", |style| human::review(&review, style));
}

#[test]
fn a_review_says_how_much_was_found_and_the_gravest_first() {
    let review = with_findings();
    screens("review/findings", |style| human::review(&review, style));
    let shown = human::review(&review, Style { width: 80, color: false });
    let first = shown.find("never-opens-not-after-expiry").unwrap();
    assert!(
        first < shown.find("the window has no beginning").unwrap()
            && shown.starts_with("review  2 findings: 1 error, 1 warning")
    );
}

#[test]
fn a_change_says_how_much_it_opens_and_shows_what_widened_first() {
    let review = change(false);
    screens("review/diff-widened", |style| human::review(&review, style));
    let markdown = markdown::review(&review);
    golden("review/diff-widened.md", &markdown);
    assert!(markdown.contains("**diff: 1 WIDENED, 1 narrowed**"));
}

#[test]
fn a_change_that_only_narrows_says_that_none_widened() {
    let mut review = change(false);
    review.parts[0].findings.remove(0);
    screens("review/diff-narrowed", |style| human::review(&review, style));
    assert_eq!(review.headline(), "1 narrowed, none widened");
    assert_eq!(change(true).headline(), "1 widened, which is allowed, 1 narrowed");
}

#[test]
fn a_matrix_is_a_table_where_it_fits_and_else_names_those_who_may() {
    let matrix = sample();
    screens("review/matrix", |style| matrix::terminal(&matrix, style));
    golden("review/matrix-file.txt", &matrix::file(&matrix));
}

fn sample() -> Matrix {
    let column = |label: &str, kind: &str, groups: &[&str], names: &[&str]| Column {
        label: label.to_owned(),
        kind: kind.to_owned(),
        groups: groups.iter().map(|name| (*name).to_owned()).collect(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    let row = |what: &str, of: &[&str], cells: [Cell; 5]| MatrixRow {
        what: what.to_owned(),
        of: of.iter().map(|name| (*name).to_owned()).collect(),
        cells: cells.to_vec(),
    };
    let needs = |gates: &[&str]| Cell::Needs(gates.iter().map(|gate| (*gate).to_owned()).collect::<BTreeSet<_>>());
    use Cell::{Allowed, Denied, Error, NoRequest};
    let paths = ["/var/lib/cutter/backup_runner.py", "/var/lib/cutter/backups/directus.dump"];
    let rows = vec![
        row("author_file File", &paths, [Denied, Allowed, Denied, Denied, Denied]),
        row("cut_leg_a Relation", &[], [Denied, needs(&["FLIP", "SG_1"]), NoRequest, NoRequest, NoRequest]),
        row("flip_flag to=false Flag", &[], [Allowed, Allowed, Allowed, Allowed, Allowed]),
        row("open_gate Gate", &["SG_3"], [Denied, Denied, Allowed, Denied, Allowed]),
        row("survey Container", &[], [Denied, Error, Denied, needs(&["BREAK_GLASS"]), Denied]),
        row("apply_ddl Function", &[], [Denied, Denied, Denied, Denied, Denied]),
        row("restart_service Container", &[], [Denied, Denied, Denied, Denied, Denied]),
    ];
    Matrix {
        columns: vec![
            column("planner", "Agent", &["agents", "planner"], &["planner"]),
            column("run-agent", "Agent", &["agents", "executor", "orchestrator"], &["run-agent"]),
            column("council-1*", "Person", &["council"], &["council-1", "council-2", "council-3"]),
            column("operator", "Person", &["operator"], &["operator"]),
            column("sovereign", "Person", &["sovereign"], &["sovereign"]),
        ],
        modes: vec![("live", rows)],
        register: vec![("policies", vec!["no-wipe: forbid, absolute, critical, evidence none".to_owned()])],
    }
}
