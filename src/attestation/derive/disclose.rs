//! What a reader must not overlook: open gaps, what is unknown, tolerated or unsigned, and what rests on the run's own word.

use super::Input;
use crate::attestation::grounds::SecretScan;
use crate::attestation::report::{
    Disclosure, DisclosureKind, DoneOutcome, ForbiddenRow, ForbiddenStatus, ObservedRow, ObservedStatus, RowBasis,
    Window,
};
use crate::evidence::{ObservationId, ObservationKind};
use crate::record::BundleState;

/// The row of what was looked for in outputs; a report in which a secret was found is never written.
pub fn secrets(scan: &SecretScan) -> ObservedRow {
    let looked = scan.variables.len() - scan.unset.len().min(scan.variables.len());
    let unset = || format!("not set here, so not looked for: {}", scan.unset.join(", "));
    ObservedRow {
        id: ObservationId::new(ObservationKind::Secrets, "outputs"),
        status: if scan.unset.is_empty() { ObservedStatus::Unchanged } else { ObservedStatus::Unknown },
        baseline: "nothing written".to_owned(),
        last: format!(
            "none found: {looked} variables by name, {} shapes, in this report, the records of the journal and {} logs",
            scan.shapes,
            scan.logs.len()
        ),
        because: if scan.unset.is_empty() { Vec::new() } else { vec![unset()] },
        explained_by: Vec::new(),
    }
}

/// All disclosures, sorted by kind.
pub fn all(
    input: &Input<'_>,
    window: Option<&Window>,
    observed: &[ObservedRow],
    forbidden: &[ForbiddenRow],
    uncertain: &[String],
) -> Vec<Disclosure> {
    let decisions = input.decisions;
    let mut found: Vec<Disclosure> = Vec::new();
    let mut say = |kind, text: String| found.push(Disclosure { kind, text });
    decisions.marks.iter().for_each(|mark| say(DisclosureKind::Mark, mark.clone()));
    decisions.open_gaps.iter().for_each(|gap| say(DisclosureKind::OpenGap, gap.clone()));
    decisions.deferred_gaps.iter().for_each(|gap| say(DisclosureKind::DeferredGap, gap.clone()));
    uncertain.iter().for_each(|reason| say(DisclosureKind::Unknown, reason.clone()));
    for row in observed {
        let text = || format!("{}: {}", row.id, row.because.join("; "));
        match row.status {
            ObservedStatus::Unknown => say(DisclosureKind::Unknown, text()),
            ObservedStatus::Tolerated => say(DisclosureKind::Tolerated, text()),
            ObservedStatus::ExpectedUnbounded => {
                let by = row.explained_by.join(", ");
                say(DisclosureKind::Unbounded, format!("{}: {by} declares a change without a bound", row.id));
            }
            _ => {}
        }
    }
    for done in input.done {
        if done.outcome == DoneOutcome::Failed {
            let status = done.exit_status.map_or("by a signal".to_owned(), |status| format!("with {status}"));
            say(DisclosureKind::Failed, format!("`{}` ended {status}", done.id));
        }
        if done.facts_sha256.as_ref() != Some(&decisions.facts.sha256) {
            let text = format!("`{}` was decided by facts that are no longer those of the end", done.id);
            say(DisclosureKind::SelfReported, text);
        }
    }
    for row in forbidden {
        if row.status == ForbiddenStatus::Unknown {
            say(DisclosureKind::Unknown, format!("{}: {}", row.ban.title, row.because));
        }
    }
    if window.is_some_and(|window| window.basis == RowBasis::SelfReported) {
        say(
            DisclosureKind::SelfReported,
            "the captures are not signed by an observer who is no party to the run".to_owned(),
        );
    }
    for row in forbidden.iter().filter(|row| row.evidence.is_empty() && row.basis == RowBasis::SelfReported) {
        say(DisclosureKind::SelfReported, format!("{}: nothing shows it", row.ban.title));
    }
    if decisions.bundle.state != BundleState::Signed {
        say(DisclosureKind::Unsigned, format!("the policy bundle is {}", decisions.bundle.words()));
    }
    if input.grounds.journal.ledger.is_none() {
        say(DisclosureKind::Unsigned, "there is no ledger: the attestation is not chained".to_owned());
    }
    found.sort_by_key(|disclosure| disclosure.kind);
    found
}
