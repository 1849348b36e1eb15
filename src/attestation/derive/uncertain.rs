//! What leaves a report without a clean verdict although nothing contradicts: each reason a sentence.

use super::Input;
use crate::attestation::grounds::CaptureRecord;
use crate::attestation::report::{DoneOutcome, DoneRow};
use crate::digest::Digest;
use crate::plan::Mode;
use std::collections::BTreeSet;

/// Every reason, in a steady order.
pub fn reasons(input: &Input<'_>, captures: Option<(&CaptureRecord, &CaptureRecord)>) -> Vec<String> {
    let (grounds, decisions) = (input.grounds, input.decisions);
    let mut reasons = Vec::new();
    if captures.is_none() {
        reasons.push("no two captures were given: nothing was measured".to_owned());
    }
    // A dry run reaches no effect, and needs no ledger.
    if grounds.journal.ledger.is_none() && decisions.plan.mode != Mode::DryRun {
        reasons.push("there is no ledger: nothing says what was done".to_owned());
    }
    reasons.extend(grounds.journal.faults.iter().map(|fault| format!("the journal: {fault}")));
    let recorded: BTreeSet<Digest> =
        grounds.approvals.iter().map(|approval| Digest::of(approval.text.as_bytes())).collect();
    for done in input.done {
        if done.outcome == DoneOutcome::Interrupted {
            reasons.push(format!("`{}` began, and its end is not recorded", done.id));
        }
        if done.policies_sha256.as_ref() != Some(&decisions.policies.sha256) {
            reasons.push(format!("`{}` was decided by another policy bundle", done.id));
        }
        if done.facts_sha256.is_some_and(|sha256| grounds.facts(sha256).is_none()) {
            reasons.push(format!("the facts by which `{}` was decided are not kept", done.id));
        }
        for used in done.approvals.iter().filter(|used| !recorded.contains(&used.sha256)) {
            reasons.push(format!("the approval `{}`, which `{}` used, is not there", used.id, done.id));
        }
        if !captures.is_none_or(|captures| is_within(done, captures)) {
            reasons.push(format!("`{}` ran outside of the observed time", done.id));
        }
    }
    reasons
}

/// Whether an action ran while both ends of its time were observed.
fn is_within(done: &DoneRow, (baseline, last): (&CaptureRecord, &CaptureRecord)) -> bool {
    let ended = done.finished_at.unwrap_or(done.started_at);
    [baseline.capture.finished_at, done.started_at, ended, last.capture.started_at].is_sorted()
}
