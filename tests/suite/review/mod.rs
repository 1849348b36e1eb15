//! The review finds what was seeded, agrees with random requests, and is never loaded for a decision.

mod cases;
mod command;
mod differential;
mod faults;
pub mod fixture;
mod folder;
mod forms;
mod ignored;
mod lints;
mod proposals;
mod requests;
mod robust;
mod screens;
mod spared;
mod standing;
mod world;

use cutter::progress::Silent;
use cutter::project;
use cutter::review::catalogue;
use fixture::{Fixture, options};
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn the_shipped_bundle_is_clean() {
    let subject = Fixture::shipped().subject().unwrap();
    let cache = tempfile::tempdir().unwrap();
    let lint = cutter::lint::lint(&subject);
    let proof = cutter::prove::prove(&subject, &options(cache.path()), &Silent).unwrap();
    let coverage = cutter::prove::coverage::coverage(&subject, &options(cache.path()), &Silent).unwrap();
    for part in [&lint, &proof, &coverage] {
        assert!(part.findings.is_empty(), "{:?}", part.findings);
        assert!(part.checks.iter().all(|check| check.outcome == cutter::findings::Outcome::Held), "{}", part.summary);
    }
    // What did not change costs no question.
    let again = cutter::prove::prove(&subject, &options(cache.path()), &Silent).unwrap();
    assert!(again.summary.ends_with("from the cache"), "{}", again.summary);
}

#[test]
fn an_invariant_that_is_taken_away_leaves_its_ban_uncovered() {
    let mut fixture = Fixture::shipped();
    fixture.drop_policy("invariants/preconditions.cedar", "start-needs-tests");
    let cache = tempfile::tempdir().unwrap();
    let part = cutter::prove::coverage::coverage(&fixture.subject().unwrap(), &options(cache.path()), &Silent).unwrap();
    let found: Vec<&str> = part.findings.iter().map(|finding| finding.about.as_str()).collect();
    assert_eq!(found, ["start-needs-full-suite", "start-needs-tests-of-deployed-commit"]);
}

#[test]
fn a_solver_that_is_missing_or_says_nothing_proves_nothing() {
    let subject = Fixture::shipped().subject().unwrap();
    let cache = tempfile::tempdir().unwrap();
    for program in ["/nonexistent/cvc5", "/bin/true", "/bin/cat"] {
        let mut options = options(cache.path());
        options.solver.program = program.into();
        let problem = cutter::prove::prove(&subject, &options, &Silent).unwrap_err();
        assert!(problem.help.unwrap().contains("install cvc5"), "{program}");
    }
}

#[test]
fn a_solver_without_time_leaves_properties_undecided() {
    let folder = tempfile::tempdir().unwrap();
    // It answers the two known queries, then sleeps.
    let slow = folder.path().join("slow");
    let script = "#!/bin/sh\n\
        case \"$1\" in --version) echo 'This is cvc5 version 1.3.1'; exit;; esac\n\
        while read -r line; do case \"$line\" in\n\
        '(assert (= x \"a\"))') echo sat;; '(assert (< x x))') echo unsat;; *datatype*) exec sleep 60;;\n\
        esac; done\n";
    std::fs::write(&slow, script).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&slow, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut options = options(folder.path());
    options.solver.program = slow.into();
    // Enough for a shell to start and answer on a machine that has much else to do.
    options.solver.limit = std::time::Duration::from_secs(2);
    options.cache = None;
    let mut fixture = Fixture::shipped();
    fixture.keep_invariants(&["off-is-always-allowed"]);
    fixture.keep_policies(&["anyone-turns-switches-off", "no-switch-on-without-approval"]);
    let part = cutter::prove::prove(&fixture.subject().unwrap(), &options, &Silent).unwrap();
    assert!(part.checks.iter().any(|check| matches!(check.outcome, cutter::findings::Outcome::Undecided(_))));
    let review = cutter::findings::Review { parts: vec![part], ..Default::default() };
    assert_eq!(review.verdict(), cutter::findings::ReviewVerdict::Undecided);
}

#[test]
fn nothing_under_invariants_is_loaded_for_a_decision() {
    let sources = project::read_bundle(Path::new("policies"), None).unwrap();
    assert!(sources.policies.iter().all(|source| !source.name().contains("invariants")));
    let bundle = cutter::policy::PolicyBundle::parse(&sources).unwrap();
    let shipped: BTreeSet<&str> = bundle.policies().iter().map(|policy| policy.id()).collect();
    for invariant in &Fixture::shipped().subject().unwrap().invariants {
        assert!(!shipped.contains(invariant.id.as_str()), "{}", invariant.id);
    }
    // Only the review reads that folder.
    for path in [
        "src/cli/authorize.rs",
        "src/cli/explain.rs",
        "src/cli/shared/inputs.rs",
        "src/authorization.rs",
        "src/decision/judge.rs",
        "src/decision/table.rs",
    ] {
        assert!(!std::fs::read_to_string(path).unwrap().contains("invariants"), "{path}");
    }
}

#[test]
fn every_rule_has_a_page_under_the_fixed_headings_and_a_number_of_its_own() {
    let all = catalogue::all();
    let numbers: BTreeSet<&str> = all.iter().map(|rule| rule.number).collect();
    assert_eq!(numbers.len(), all.len());
    for rule in all {
        let text = rule.documentation();
        for heading in ["## What it finds", "## Why it matters", "## Examples", "finding:", "none:"] {
            assert!(text.contains(heading), "{} lacks {heading}", rule.number);
        }
        assert!(catalogue::find(rule.name).is_some() && !rule.summary().is_empty());
    }
}
