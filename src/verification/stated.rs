//! What of a report only its attester states: nothing in it, and nothing that was given beside it, can show otherwise.

use super::Verifier;
use crate::attestation::report::Report;
use std::collections::BTreeSet;

/// One part of a report that is its attester's word.
#[derive(Clone, Copy, Debug)]
pub struct Stated {
    /// The places, where `[]` stands for each entry of a list.
    pub places: &'static str,
    /// What it is, and what would show it.
    pub what: &'static str,
}

/// Whether something is stated only, for one report and what was given beside it.
type Applies = fn(&Report, &Verifier) -> bool;

/// All that may be stated only, with when it is.
const STATED: [(Stated, Applies); 10] = [
    (
        Stated {
            places: "predicate.previous",
            what: "which attestation came before it; `--ledger` or `--chain` shows it",
        },
        |_, verifier| verifier.ledger.is_none() && !verifier.is_chain,
    ),
    (
        Stated {
            places: "predicate.grounds.journal.ledger",
            what: "which ledger it was; `--ledger` shows it, or an approval that names it",
        },
        |report, verifier| {
            verifier.ledger.is_none() && !report.decisions.approvals.iter().any(|row| !row.signers.is_empty())
        },
    ),
    (
        Stated {
            places: "predicate.grounds.journal.records",
            what: "that the journal holds these records and no others of the run; `--ledger` shows it",
        },
        |_, verifier| verifier.ledger.is_none(),
    ),
    (
        Stated { places: "predicate.grounds.journal.spent", what: "what other runs used up of the approvals" },
        |report, _| !report.grounds.journal.spent.is_empty(),
    ),
    (
        Stated {
            places: "predicate.grounds.facts, predicate.grounds.texts",
            what: "that the facts were so: a file is whatever was written into it",
        },
        |_, _| true,
    ),
    (Stated { places: "predicate.grounds.secrets.logs", what: "which logs were read" }, |report, _| {
        !report.grounds.secrets.logs.is_empty()
    }),
    (Stated { places: "predicate.grounds.approvals[].text", what: "documents that nobody signed" }, |report, _| {
        report.grounds.approvals.iter().any(|document| document.signatures.is_empty())
    }),
    (
        Stated { places: "predicate.grounds.approvals[].signatures[].name", what: "in which files signatures lay" },
        |report, _| report.grounds.approvals.iter().any(|document| !document.signatures.is_empty()),
    ),
    (
        Stated { places: "predicate.grounds.plan", what: "the plan: nobody whom the trust root knows signed it" },
        |report, _| report.grounds.plan_signed.is_none(),
    ),
    (
        Stated {
            places: "predicate.grounds.baseline, predicate.grounds.final, predicate.grounds.witness",
            what: "a capture or a witness that nobody signed",
        },
        |report, _| {
            let grounds = &report.grounds;
            let captures = [&grounds.baseline, &grounds.last].into_iter().flatten();
            captures.into_iter().any(|record| record.vouched.is_none())
                || grounds.witness.as_ref().is_some_and(|witness| witness.vouched.is_none())
        },
    ),
];

/// What is stated only of this report, checked in this way.
pub(super) fn of(report: &Report, verifier: &Verifier) -> Vec<String> {
    let applying = STATED.iter().filter(|(_, applies)| applies(report, verifier));
    let lines: BTreeSet<String> = applying.map(|(stated, _)| format!("{}: {}", stated.places, stated.what)).collect();
    lines.into_iter().collect()
}
