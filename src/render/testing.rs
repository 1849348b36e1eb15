//! What became of cases: for terminals, as JUnit's XML, and as GitHub's annotations. A case that failed is always shown.

use super::review::github;
use super::review::junit::escape as xml;
use crate::layout::entries::{Entry, entries};
use crate::layout::lines::{Tone, head};
use crate::layout::{Style, printable};
use crate::testing::coverage::{Coverage, Share};
use crate::testing::properties::{PropertyOutcome, PropertyReport};
use crate::testing::replay::{Flip, Replay};
use crate::testing::{CaseResult, Decider, Report};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The report for people: the result first, then each case that failed with what decided it.
pub fn table(report: &Report, style: Style) -> String {
    let files: BTreeSet<&str> = report.cases.iter().map(|case| case.file.as_str()).collect();
    let (result, tone) = match (report.failed, report.passed) {
        (0, 0) => ("NOTHING TO TEST", Tone::Open),
        (0, _) => ("PASSED", Tone::Good),
        _ => ("FAILED", Tone::Bad),
    };
    let rest = format!(
        "{} of {} cases hold, in {} {}",
        report.passed,
        report.cases.len(),
        files.len(),
        if files.len() == 1 { "file" } else { "files" }
    );
    let mut text = match (&report.properties, report.cases.is_empty()) {
        (Some(_), true) => String::new(),
        _ => head("test", result, tone, &rest, style),
    };
    let failed = report.cases.iter().filter(|case| !case.passed);
    let failed: Vec<Entry> = failed
        .map(|case| Entry::new("FAILED", Tone::Bad, &format!("{}:{}", case.file, case.line), told(case)))
        .collect();
    text.push_str(&entries(&failed, style));
    if let Some(coverage) = &report.coverage {
        text.push_str(&reached(coverage, style));
    }
    if let Some(properties) = &report.properties {
        text.push_str(&tried(properties, style));
    }
    text
}

/// What cases reach: the shares, then each policy of which something was not reached.
fn reached(coverage: &Coverage, style: Style) -> String {
    let share = |share: Share| format!("{} of {} ({} %)", share.of, share.all, share.percent());
    let rest = format!(
        "policies fired {}, decisive {}; conditions seen true {}, false {}",
        share(coverage.fired),
        share(coverage.decisive),
        share(coverage.seen_true),
        share(coverage.seen_false)
    );
    let least = [coverage.fired, coverage.decisive, coverage.seen_true, coverage.seen_false];
    let least = least.into_iter().map(Share::percent).min().unwrap_or_default();
    let tone = if least == 100 { Tone::Good } else { Tone::Open };
    let mut text = head("coverage", &format!("{least} %"), tone, &rest, style);
    let missed = coverage.policies.iter().filter_map(|policy| {
        let file = policy.place.rsplit_once(':').map_or("", |(file, _)| file);
        let mut said = Vec::new();
        match (policy.fired, policy.decisive) {
            (0, _) => said.push("it never fired".to_owned()),
            (_, 0) => said.push("it fired, and no case comes out differently without it".to_owned()),
            _ => {}
        }
        for condition in &policy.conditions {
            let never = match (condition.seen_true, condition.seen_false) {
                (0, 0) => "never looked at",
                (0, _) => "never true",
                (_, 0) => "never false",
                _ => continue,
            };
            said.push(format!("{never}: {} ({file}:{})", condition.text, condition.line));
        }
        (!said.is_empty()).then(|| Entry::new("missed", Tone::Open, &format!("{} {}", policy.id, policy.place), said))
    });
    text.push_str(&entries(&missed.collect::<Vec<_>>(), style));
    text
}

/// What became of properties: the counts, then each that failed with a request, and each that starved.
fn tried(report: &PropertyReport, style: Style) -> String {
    let count = |outcome| report.count(outcome);
    let (result, tone) = match (count(PropertyOutcome::Failed), count(PropertyOutcome::Starved)) {
        (0, 0) => ("HELD", Tone::Good),
        (0, _) => ("STARVED", Tone::Open),
        _ => ("FAILED", Tone::Bad),
    };
    let rest = format!(
        "{} of {} properties hold of {} requests, near {} that the solver found (--seed {})",
        count(PropertyOutcome::Held),
        report.properties.len(),
        report.requests,
        report.witnesses,
        report.seed
    );
    let mut text = head("properties", result, tone, &rest, style);
    let told = report.properties.iter().filter_map(|property| match (property.outcome, &property.found) {
        (PropertyOutcome::Held, _) => None,
        (PropertyOutcome::Starved, _) | (_, None) => {
            let said = ["no request that it is about was reached: it says nothing".to_owned()];
            Some(Entry::new("STARVED", Tone::Open, &property.name, said))
        }
        (PropertyOutcome::Failed, Some(found)) => {
            let mut said = vec![format!("e.g. {}", found.request)];
            said.extend((!found.essentials.is_empty()).then(|| format!("where {}", found.essentials.join("; "))));
            let policies = if found.policies.is_empty() { "no policy".to_owned() } else { found.policies.join(", ") };
            said.push(format!("it is decided {} by {policies}", found.decision));
            Some(Entry::new("FAILED", Tone::Bad, &property.name, said))
        }
    });
    text.push_str(&entries(&told.collect::<Vec<_>>(), style));
    text
}

/// What became of recorded decisions: the counts, then each that comes out otherwise.
pub fn replay(replay: &Replay, style: Style) -> String {
    let (result, tone) = match (replay.deny_to_allow, replay.allow_to_deny, replay.not_asked) {
        _ if replay.decisions == 0 => ("NOTHING TO ASK", Tone::Open),
        (0, 0, 0) => ("THE SAME", Tone::Good),
        (0, 0, _) => ("NOT ALL ASKED", Tone::Open),
        (0, ..) => ("NARROWED", Tone::Open),
        _ => ("WIDENED", Tone::Bad),
    };
    let rest = format!(
        "{} decisions: {} the same, {} from deny to allow, {} from allow to deny, {} not asked",
        replay.decisions, replay.same, replay.deny_to_allow, replay.allow_to_deny, replay.not_asked
    );
    let mut text = head("replay", result, tone, &rest, style);
    let flip = |flip: &Flip| {
        let by = |ids: &[String]| if ids.is_empty() { "no policy".to_owned() } else { ids.join(", ") };
        let tone = if flip.is == "allow" { Tone::Bad } else { Tone::Open };
        let said = [
            flip.place.clone(),
            format!("it was decided {} by {}", flip.was, by(&flip.decided_by)),
            format!("it would be decided {} by {}", flip.is, by(&flip.would_be_by)),
        ];
        Entry::new(&flip.is, tone, &flip.request, said)
    };
    text.push_str(&entries(&replay.flips.iter().map(flip).collect::<Vec<_>>(), style));
    let more = (replay.deny_to_allow + replay.allow_to_deny).saturating_sub(replay.flips.len());
    if more > 0 {
        let _ = writeln!(text, "and {more} more");
    }
    text
}

/// What was written to begin with.
pub fn written(path: &str, cases: usize, without: &[String]) -> String {
    let mut text = format!("{cases} cases written to {}\n", printable(path));
    if !without.is_empty() {
        let _ = writeln!(text, "no request was found for {}", printable(&without.join(", ")));
    }
    text
}

/// What is to be said of a case that failed, a line each.
fn told(case: &CaseResult) -> Vec<String> {
    let mut lines = vec![case.name.clone()];
    lines.extend(case.differences.iter().cloned());
    for Decider { id, place, facts } in &case.decided_by {
        lines.push(format!("decided by {id} ({place})"));
        // A record that is looked into is shown by what was looked at in it.
        let is_whole = |path: &str| facts.iter().all(|other| !other.path.starts_with(&format!("{path}.")));
        let whole = facts.iter().filter(|fact| is_whole(&fact.path));
        lines.extend(whole.map(|fact| format!("  {} is {}", fact.path, fact.value)));
    }
    lines
}

/// The report as one `testsuites` element: one suite a file.
pub fn junit(report: &Report) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"cutter test\">\n");
    let files: BTreeSet<&str> = report.cases.iter().map(|case| case.file.as_str()).collect();
    for file in files {
        let cases: Vec<&CaseResult> = report.cases.iter().filter(|case| case.file == file).collect();
        let failures = cases.iter().filter(|case| !case.passed).count();
        let name = xml(file);
        let _ = writeln!(
            text,
            "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\">",
            cases.len()
        );
        for case in cases {
            let _ = write!(text, "    <testcase classname=\"{name}\" name=\"{}\"", xml(&case.name));
            match case.passed {
                true => text.push_str("/>\n"),
                false => {
                    let message = xml(&told(case).split_off(1).join("; "));
                    let _ = writeln!(text, "><failure message=\"{message}\"/></testcase>");
                }
            }
        }
        text.push_str("  </testsuite>\n");
    }
    if let Some(properties) = &report.properties {
        let of = |outcome| properties.count(outcome);
        let _ = writeln!(
            text,
            "  <testsuite name=\"properties\" tests=\"{}\" failures=\"{}\" errors=\"{}\">",
            properties.properties.len(),
            of(PropertyOutcome::Failed),
            of(PropertyOutcome::Starved)
        );
        for property in &properties.properties {
            let _ = write!(text, "    <testcase classname=\"properties\" name=\"{}\"", xml(&property.name));
            let request = property.found.as_ref().map(|found| xml(&found.request)).unwrap_or_default();
            text.push_str(&match property.outcome {
                PropertyOutcome::Held => "/>\n".to_owned(),
                PropertyOutcome::Failed => format!("><failure message=\"{request}\"/></testcase>\n"),
                PropertyOutcome::Starved => "><error message=\"starved\"/></testcase>\n".to_owned(),
            });
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

/// One annotation for each case that failed, and one line for all.
pub fn annotations(report: &Report) -> String {
    let mut text = String::new();
    for case in report.cases.iter().filter(|case| !case.passed) {
        let file = github::escape(&case.file, true);
        let message = github::escape(&told(case).join("; "), false);
        let _ = writeln!(text, "::error file={file},line={},title=cutter test::{message}", case.line);
    }
    for property in report.properties.iter().flat_map(|report| &report.properties) {
        let request = property.found.as_ref().map_or("starved", |found| found.request.as_str());
        let message = github::escape(&format!("{}: {request}", property.name), false);
        if property.outcome != PropertyOutcome::Held {
            let _ = writeln!(text, "::error title=cutter test::{message}");
        }
    }
    let _ = writeln!(text, "test: {}", printable(&format!("{} passed, {} failed", report.passed, report.failed)));
    text
}
