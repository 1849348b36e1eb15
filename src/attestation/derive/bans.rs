//! The forbidden-action table: what became of each ban, by its own observations, what it denied, and what was done.

use super::Input;
use super::change::{grown, moved, observation_of};
use super::disclose;
use crate::attestation::report::{
    Ban, BanTier, EvidenceRow, ForbiddenRow, ForbiddenStatus, ObservedRow, ObservedStatus, RowBasis,
};
use crate::evidence::{Capture, Observation, ObservationId, ObservationKind};
use crate::record::RowDecision;
use crate::schema::FactSource;
use std::collections::BTreeMap;

/// One row for each ban.
pub fn rows(
    input: &Input<'_>,
    observed: &[ObservedRow],
    captures: Option<(&Capture, &Capture)>,
    basis: RowBasis,
) -> Vec<ForbiddenRow> {
    let mut rows: Vec<ForbiddenRow> = input.bans.iter().map(|ban| row(input, ban, observed, captures, basis)).collect();
    // A ban that presupposes another is judged last: nothing could be left on that was never on.
    let statuses: BTreeMap<String, ForbiddenStatus> = rows.iter().map(|row| (row.ban.id.clone(), row.status)).collect();
    for row in &mut rows {
        let Some(other) = &row.ban.presupposes else { continue };
        let was_not_broken = statuses.get(other).is_some_and(|status| status.is_fine());
        if was_not_broken && matches!(row.status, ForbiddenStatus::NotAttempted | ForbiddenStatus::NotDone) {
            row.status = ForbiddenStatus::NotApplicable;
            row.basis = RowBasis::Derived;
            row.because = format!("`{other}` was not broken; {}", row.because);
        }
    }
    rows
}

fn row(
    input: &Input<'_>,
    ban: &Ban,
    observed: &[ObservedRow],
    captures: Option<(&Capture, &Capture)>,
    basis: RowBasis,
) -> ForbiddenRow {
    let names = |id: &&String| id.as_str() == ban.id;
    let is_done = |id: &str| input.done.iter().any(|done| done.id == id);
    let rows = &input.decisions.decisions;
    let intended: Vec<String> = rows
        .iter()
        .filter(|row| row.decision == RowDecision::Deny && row.policies.iter().any(|id| names(&id)))
        .map(|row| row.id.clone())
        .collect();
    let lifted: Vec<String> = rows
        .iter()
        .filter(|row| row.lifted.iter().any(|id| names(&id)) && is_done(&row.id))
        .map(|row| row.id.clone())
        .collect();
    // Conduct that could not be derived is nobody's observation; anything else that was not observed is unknown.
    let is_shown = |name: &&String| {
        let is_conduct = kind(name).is_some_and(ObservationKind::is_conduct);
        name.as_str() != "none" && (!is_conduct || observed.iter().any(|row| row.id.as_str() == name.as_str()))
    };
    let named: Vec<&String> = ban.observations.iter().filter(is_shown).collect();
    let nothing_observes = named.is_empty() && !ban.observations.is_empty();
    let evidence: Vec<EvidenceRow> = named.iter().map(|name| evidence(name, observed, captures)).collect();
    let with = |status| evidence.iter().filter(move |row| row.status == status).map(|row| row.observation.as_str());
    let changed: Vec<&str> = with(ObservedStatus::Changed).collect();
    // What changed without a bound may be anything.
    let unknown: Vec<&str> = with(ObservedStatus::Unknown).chain(with(ObservedStatus::ExpectedUnbounded)).collect();
    let against_denial: Vec<&String> = intended.iter().filter(|id| is_done(id)).collect();
    // An unexplained change refutes every ban that it could come from; a precondition only where it barred something.
    let is_refuted = !changed.is_empty() && (ban.tier != BanTier::Precondition || !intended.is_empty());
    let own_word = if named.iter().all(|name| kind(name) == Some(ObservationKind::Secrets)) {
        // What programs wrote is in the records of their ends; anything else is the word of whoever makes the report.
        if disclose::is_searched(input) { RowBasis::Derived } else { RowBasis::SelfReported }
    } else if named.iter().all(|name| kind(name).is_some_and(ObservationKind::is_conduct)) {
        RowBasis::Derived
    } else {
        basis
    };
    let shown: Vec<String> = evidence.iter().map(|row| format!("{} {}", row.observation, row.status.name())).collect();
    let shown = shown.join(", ");
    let (status, basis, because) = if let Some(id) = against_denial.first() {
        (ForbiddenStatus::Done, RowBasis::Derived, format!("`{id}` was denied, and the journal says that it was done"))
    } else if is_refuted {
        let text = format!("{} changed, and nothing that was allowed explains it", changed.join(", "));
        (ForbiddenStatus::Done, own_word, text)
    } else if !unknown.is_empty() || !changed.is_empty() || (evidence.is_empty() && !nothing_observes) {
        let which = if unknown.is_empty() { changed } else { unknown };
        let text = match which.is_empty() {
            true => "it names no observation".to_owned(),
            false => format!("not known: {}", which.join(", ")),
        };
        (ForbiddenStatus::Unknown, RowBasis::Absent, text)
    } else if !lifted.is_empty() {
        (ForbiddenStatus::DoneWithApproval, own_word, format!("by {}; {shown}", lifted.join(", ")))
    } else {
        let (status, basis, observed) = match nothing_observes {
            true => (ForbiddenStatus::NotAttempted, RowBasis::SelfReported, "nothing shows it".to_owned()),
            false => (ForbiddenStatus::NotDone, own_word, shown),
        };
        match (held(input, &ban.id), intended.is_empty()) {
            (Some(by), true) => (ForbiddenStatus::Held, RowBasis::Measured, by),
            (None, true) => (status, basis, observed),
            (_, false) => (status, basis, format!("denied: {}; {observed}", intended.join(", "))),
        }
    };
    ForbiddenRow { ban: ban.clone(), status, basis, intended, lifted, evidence, because }
}

/// By which facts a precondition held for everything that was done and that it is about; none where a fact was only stated.
fn held(input: &Input<'_>, ban: &str) -> Option<String> {
    let mut said = Vec::new();
    for row in input.decisions.decisions.iter().filter(|row| input.done.iter().any(|done| done.id == row.id)) {
        for name in row.held.get(ban).into_iter().flatten() {
            let fact = row.facts_at_use.iter().find(|fact| fact.fact == *name)?;
            if fact.source == FactSource::Stated {
                return None;
            }
            said.push(format!("{name} is {} for `{}`, by {}", fact.value, row.id, fact.read().by.words()));
        }
    }
    (!said.is_empty()).then(|| said.join("; "))
}

/// The kind of what an `@evidence` names.
fn kind(named: &str) -> Option<ObservationKind> {
    ObservationId::parse(named).map(|id| id.kind())
}

/// What became of one observation, or of one counter or value of it: `relation:public.t#deleted`.
fn evidence(named: &str, observed: &[ObservedRow], captures: Option<(&Capture, &Capture)>) -> EvidenceRow {
    let id = observation_of(named);
    let found = observed.iter().find(|row| row.id.as_str() == id);
    let (mut status, last) = match found {
        Some(row) => (row.status, row.last.clone()),
        None => (ObservedStatus::Unknown, "not observed".to_owned()),
    };
    if let (Some((_, aspect)), Some((baseline, last)), true) =
        (named.split_once('#'), captures, status != ObservedStatus::Unknown)
    {
        status = match (baseline.observation(id), last.observation(id)) {
            (Some(baseline), Some(last)) => of_aspect(aspect, baseline, last, status),
            _ => ObservedStatus::Unknown,
        };
    }
    EvidenceRow { observation: named.to_owned(), status, last }
}

/// What became of one counter or value; of what the whole observation came to, nothing else is taken.
fn of_aspect(aspect: &str, baseline: &Observation, last: &Observation, whole: ObservedStatus) -> ObservedStatus {
    // Nothing was done to the whole, so nothing to a part of it.
    if whole == ObservedStatus::Unchanged {
        return whole;
    }
    if let Some((before, after)) = baseline.counters.as_ref().zip(last.counters.as_ref())
        && let Some(by) = moved(&before.opening, &after.closing, aspect)
    {
        let count = |name| moved(&before.opening, &after.closing, name).unwrap_or(0);
        // Rows that are gone without being counted were truncated.
        let balanced = grown(baseline, last).is_none_or(|grown| grown == count("inserted") - count("deleted"));
        return match (by, balanced) {
            (0, true) => ObservedStatus::Unchanged,
            (by, _) if by < 0 => ObservedStatus::Unknown,
            _ if whole == ObservedStatus::Expected => ObservedStatus::Expected,
            _ => ObservedStatus::Changed,
        };
    }
    match (baseline.values.get(aspect), last.values.get(aspect)) {
        (Some(before), Some(after)) if before == after => ObservedStatus::Unchanged,
        (Some(_), Some(_)) => whole,
        _ => ObservedStatus::Unknown,
    }
}
