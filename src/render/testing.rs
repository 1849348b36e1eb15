//! What became of cases: for terminals, as JUnit's XML, and as GitHub's annotations. A case that failed is always shown.

use super::review::github;
use super::review::junit::escape as xml;
use crate::layout::entries::{Entry, entries};
use crate::layout::lines::{Tone, head};
use crate::layout::{Style, printable};
use crate::testing::coverage::{Coverage, Share};
use crate::testing::mutants::MutantReport;
use crate::testing::properties::{PropertyOutcome, PropertyReport};
use crate::testing::replay::{Flip, Replay, Unasked};
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
        "{} of {} {}, in {} {}",
        report.passed,
        report.cases.len(),
        if report.cases.len() == 1 { "case holds" } else { "cases hold" },
        files.len(),
        if files.len() == 1 { "file" } else { "files" }
    );
    let mut text = match (report.properties.is_some() || report.mutants.is_some(), report.cases.is_empty()) {
        (true, true) => String::new(),
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
    if let Some(mutants) = &report.mutants {
        text.push_str(&noticed(mutants, style));
    }
    text
}

/// What cases reach: the shares, then each policy of which something was not reached.
fn reached(coverage: &Coverage, style: Style) -> String {
    let [fired, decisive, seen_true, seen_false] = coverage.shares().map(|(_, share)| of(share));
    let mut rest =
        format!("policies fired {fired}, decisive {decisive}; conditions seen true {seen_true}, false {seen_false}");
    let least = coverage.shares().map(|(_, share)| share.percent()).into_iter().min().unwrap_or_default();
    let (mut result, mut tone) = (format!("{least} %"), if least == 100 { Tone::Good } else { Tone::Open });
    if let Some(min) = coverage.min.filter(|_| !coverage.short().is_empty()) {
        (result, tone) = ("TOO LITTLE".to_owned(), Tone::Bad);
        let _ = write!(rest, "; at least {min} % of each was asked for");
    }
    let mut text = head("coverage", &result, tone, &rest, style);
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

fn of(share: Share) -> String {
    format!("{} of {} ({} %)", share.of, share.all, share.percent())
}

/// What became of mutants: the counts, then each that nothing noticed.
fn noticed(report: &MutantReport, style: Style) -> String {
    let (result, tone) = if report.survived.is_empty() { ("NOTICED", Tone::Good) } else { ("SURVIVED", Tone::Bad) };
    let mut text = head("mutants", result, tone, &report.summary, style);
    let survivors =
        report.survived.iter().map(|[about, said]| Entry::new("survived", Tone::Bad, about, [said.clone()]));
    text.push_str(&entries(&survivors.collect::<Vec<_>>(), style));
    text
}

/// What became of properties: the counts, then each that failed with a request, and each that starved.
fn tried(report: &PropertyReport, style: Style) -> String {
    let count = |outcome| report.count(outcome);
    let (failed, starved) = (count(PropertyOutcome::Failed), count(PropertyOutcome::Starved));
    let (result, tone) = match (failed, starved, count(PropertyOutcome::Unmeasured)) {
        (0, 0, 0) => ("HELD", Tone::Good),
        (0, 0, _) => ("NOT FULLY MEASURED", Tone::Open),
        (0, ..) => ("STARVED", Tone::Open),
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
        (PropertyOutcome::Unmeasured, _) => {
            let said =
                format!("it holds of {} requests, and the solver left open whether there are others", property.reached);
            Some(Entry::new("unknown", Tone::Open, &property.name, [said]))
        }
        (PropertyOutcome::Starved, _) | (_, None) => {
            let said = ["no request that it is about was reached: it says nothing".to_owned()];
            Some(Entry::new("STARVED", Tone::Open, &property.name, said))
        }
        (PropertyOutcome::Failed, Some(found)) => {
            let mut said = vec![format!("e.g. {}", found.request)];
            said.extend((!found.essentials.is_empty()).then(|| format!("where {}", found.essentials.join("; "))));
            let policies = if found.policies.is_empty() { "no policy".to_owned() } else { found.policies.join(", ") };
            said.push(format!("it is decided {} by {policies}", found.decision));
            said.extend(
                found.failing_to_evaluate.iter().map(|id| format!("`{id}` fails to evaluate there, and is skipped")),
            );
            Some(Entry::new("FAILED", Tone::Bad, &property.name, said))
        }
    });
    let open = report.unanswered.iter().map(|open| {
        let said = [format!("no request near it is known in {}", open.request_types.join(", ")), open.why.clone()];
        Entry::new("open", Tone::Open, &open.about, said)
    });
    text.push_str(&entries(&told.chain(open).collect::<Vec<_>>(), style));
    text
}

/// How many decisions that could not be asked are shown.
const MOST_UNASKED: usize = 20;

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
    let unasked = |left: &Unasked| Entry::new("not asked", Tone::Open, &left.place, [left.why.clone()]);
    let shown = replay.unasked.iter().take(MOST_UNASKED).map(unasked);
    text.push_str(&entries(&replay.flips.iter().map(flip).chain(shown).collect::<Vec<_>>(), style));
    if replay.not_asked > MOST_UNASKED {
        let _ = writeln!(text, "and {} more that were not asked", replay.not_asked - MOST_UNASKED);
    }
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

/// What the solver left open, in one line.
fn left_open(report: &PropertyReport) -> String {
    let open = report.unanswered.iter().map(|open| format!("{} ({})", open.about, open.why));
    format!("not fully measured, as the solver left open what is near {}", open.collect::<Vec<_>>().join(", "))
}

/// The report as one `testsuites` element: one suite a file, and one each for coverage and properties.
pub fn junit(report: &Report) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"cutter test\">\n");
    let files: BTreeSet<&str> = report.cases.iter().map(|case| case.file.as_str()).collect();
    for file in files {
        let cases = report.cases.iter().filter(|case| case.file == file).map(|case| {
            let missed = (!case.passed).then(|| (FAILURE, told(case).split_off(1).join("; ")));
            (case.name.as_str(), missed)
        });
        text.push_str(&suite(file, &cases.collect::<Vec<_>>()));
    }
    if let Some((coverage, min)) = report.coverage.as_ref().and_then(|coverage| Some((coverage, coverage.min?))) {
        let short = coverage.short();
        text.push_str(&suite(
            "coverage",
            &coverage.shares().map(|(name, share)| {
                let is_short = short.iter().any(|(other, _)| *other == name);
                (name, is_short.then(|| (FAILURE, format!("{}, of {min} %", of(share)))))
            }),
        ));
    }
    if let Some(properties) = &report.properties {
        let cases = properties.properties.iter().map(|property| {
            let request = || property.found.as_ref().map(|found| found.request.clone()).unwrap_or_default();
            let missed = match property.outcome {
                PropertyOutcome::Held => None,
                PropertyOutcome::Failed => Some((FAILURE, request())),
                PropertyOutcome::Starved => Some((ERROR, "starved".to_owned())),
                PropertyOutcome::Unmeasured => Some((ERROR, left_open(properties))),
            };
            (property.name.as_str(), missed)
        });
        text.push_str(&suite("properties", &cases.collect::<Vec<_>>()));
    }
    text.push_str("</testsuites>\n");
    text
}

/// One `testsuite`: each case by its name, and of one that did not pass the element that says so and the message.
fn suite(name: &str, cases: &[(&str, Option<(&str, String)>)]) -> String {
    let count = |element: &str| {
        cases.iter().filter(|(_, missed)| missed.as_ref().is_some_and(|(of, _)| *of == element)).count()
    };
    let (name, tests, failures, errors) = (xml(name), cases.len(), count(FAILURE), count(ERROR));
    let mut text =
        format!("  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\">\n");
    for (case, missed) in cases {
        let _ = write!(text, "    <testcase classname=\"{name}\" name=\"{}\"", xml(case));
        text.push_str(&match missed {
            None => "/>\n".to_owned(),
            Some((element, message)) => format!("><{element} message=\"{}\"/></testcase>\n", xml(message)),
        });
    }
    text + "  </testsuite>\n"
}

const FAILURE: &str = "failure";
const ERROR: &str = "error";

/// One annotation for each case that failed, and one line for all.
pub fn annotations(report: &Report) -> String {
    let mut text = String::new();
    for case in report.cases.iter().filter(|case| !case.passed) {
        let file = github::escape(&case.file, true);
        let message = github::escape(&told(case).join("; "), false);
        let _ = writeln!(text, "::error file={file},line={},title=cutter test::{message}", case.line);
    }
    for (coverage, (name, share)) in
        report.coverage.iter().flat_map(|all| all.short().into_iter().map(move |one| (all, one)))
    {
        let min = coverage.min.unwrap_or_default();
        let message = github::escape(&format!("{name}: {}, of {min} %", of(share)), false);
        let _ = writeln!(text, "::error title=cutter test::{message}");
    }
    for (report, property) in report.properties.iter().flat_map(|of| of.properties.iter().map(move |p| (of, p))) {
        let said = match (property.outcome, &property.found) {
            (_, Some(found)) => found.request.clone(),
            (PropertyOutcome::Unmeasured, None) => left_open(report),
            (_, None) => "starved".to_owned(),
        };
        let message = github::escape(&format!("{}: {said}", property.name), false);
        if property.outcome != PropertyOutcome::Held {
            let _ = writeln!(text, "::error title=cutter test::{message}");
        }
    }
    let _ = writeln!(text, "test: {}", printable(&format!("{} passed, {} failed", report.passed, report.failed)));
    text
}
