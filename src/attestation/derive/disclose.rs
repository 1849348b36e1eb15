//! What a reader must not overlook: open gaps, what is unknown, tolerated or unsigned, and what rests on the run's own word.

use super::Input;
use crate::attestation::outputs::Outputs;
use crate::attestation::report::{
    Contradiction, ContradictionKind, Disclosure, DisclosureKind, DoneOutcome, ForbiddenRow, ForbiddenStatus,
    ObservedRow, ObservedStatus, RowBasis, Window,
};
use crate::evidence::{ObservationId, ObservationKind};
use crate::ledger::{Entry, Record};
use serde::Deserialize as _;

/// The row of what was looked for in outputs: what a program wrote is known by the record of its end. A report that would hold a secret itself
/// is never written.
pub fn secrets(input: &Input<'_>, contradictions: &mut Vec<Contradiction>) -> ObservedRow {
    let scan = &input.grounds.secrets;
    let looked = scan.variables.len() - scan.unset.len().min(scan.variables.len());
    let Outputs { programs, searched, found } = Outputs::of(&input.grounds.journal.records, &scan.variables);
    let id = ObservationId::new(ObservationKind::Secrets, "outputs");
    let mut last = format!(
        "{looked} variables by name, {} shapes, in this report, the records of the journal and {} logs",
        scan.shapes,
        scan.logs.len()
    );
    if programs > 0 {
        last.push_str(&format!("; what {searched} of {programs} programs wrote"));
    }
    let (status, last, because) = if !found.is_empty() {
        let text = format!("{id}: {}", found.join("; "));
        contradictions.push(Contradiction { kind: ContradictionKind::Conduct, about: vec![id.to_string()], text });
        (ObservedStatus::Changed, format!("found: {last}"), found)
    } else if scan.unset.is_empty() {
        (ObservedStatus::Unchanged, format!("none found: {last}"), Vec::new())
    } else {
        let unset = format!("not set here, so not searched for: {}", scan.unset.join(", "));
        (ObservedStatus::Unknown, format!("none found: {last}"), vec![unset])
    };
    ObservedRow { id, status, baseline: "nothing written".to_owned(), last, because, explained_by: Vec::new() }
}

/// Whether programs ran, and all that each of them wrote was looked through for every secret that the configuration names.
pub fn is_searched(input: &Input<'_>) -> bool {
    let Outputs { programs, searched, .. } =
        Outputs::of(&input.grounds.journal.records, &input.grounds.secrets.variables);
    programs > 0 && searched == programs
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
    say_voided(input, &mut say);
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
            "the captures are not signed by an observer who is not a party to the run".to_owned(),
        );
    }
    for row in forbidden.iter().filter(|row| row.evidence.is_empty() && row.basis == RowBasis::SelfReported) {
        say(DisclosureKind::SelfReported, format!("{}: nothing shows it", row.ban.title));
    }
    if decisions.bundle.signer().is_none() {
        say(DisclosureKind::Unsigned, format!("the policy bundle is {}", decisions.bundle.words()));
    }
    if input.grounds.journal.ledger.is_none() {
        say(DisclosureKind::Unsigned, "there is no ledger: the attestation is not chained".to_owned());
    }
    found.sort_by_key(|disclosure| disclosure.kind);
    found
}

/// That somebody ended the run for good, why, and what of it was never done.
fn say_voided(input: &Input<'_>, say: &mut impl FnMut(DisclosureKind, String)) {
    for entry in input.grounds.journal.records.iter().filter_map(|value| Entry::deserialize(value).ok()) {
        let (time, Record::Voided(voided)) = (entry.time, entry.record) else { continue };
        let is_done = |id: &str| input.done.iter().any(|done| done.id == id && done.outcome == DoneOutcome::Finished);
        let left = input.decisions.decisions.iter().map(|row| row.id.as_str()).filter(|id| !is_done(id));
        let left: Vec<&str> = left.collect();
        let left = if left.is_empty() { String::new() } else { format!("; never done: {}", left.join(", ")) };
        say(DisclosureKind::Voided, format!("at {time}: {}{left}", voided.reason));
    }
}
