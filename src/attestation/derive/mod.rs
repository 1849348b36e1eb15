//! The derivation: decisions, captures and what was done become tables, contradictions and a verdict. Pure; whoever holds
//! a statement can do it again.

mod bans;
mod change;
mod conduct;
mod disclose;
mod sequences;
mod uncertain;

use super::grounds::{CaptureRecord, Grounds, Vouched, keep_facts};
use super::report::{
    Ban, Contradiction, ContradictionKind, Disclosure, DoneRow, ForbiddenRow, ForbiddenStatus, ObservedRow,
    ObservedStatus, ReportVerdict, RowBasis, Window,
};
use crate::digest::Digest;
use crate::evidence::witness::WitnessRecord;
use crate::evidence::{self, Comparison, ComparisonLimits, add_witness};
use crate::problem::{Problem, Problems, Source};
use crate::record::{Decisions, FactText, RowDecision};
use crate::settings::evidence::Level;
use crate::time::Timestamp;

/// What a report is derived from.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// When the report is made.
    pub now: Timestamp,
    /// What was decided.
    pub decisions: &'a Decisions,
    /// Every ban that is a row of the report, in the order of the files.
    pub bans: &'a [Ban],
    /// What was done.
    pub done: &'a [DoneRow],
    /// Everything else.
    pub grounds: &'a Grounds,
}

/// What follows.
#[derive(Clone, PartialEq, Debug)]
pub struct Derived {
    /// The verdict.
    pub verdict: ReportVerdict,
    /// The level of evidence that was reached.
    pub level: Option<Level>,
    /// The time that was observed.
    pub window: Option<Window>,
    /// One row for each observed thing.
    pub non_mutation: Vec<ObservedRow>,
    /// One row for each ban.
    pub forbidden: Vec<ForbiddenRow>,
    /// What does not fit.
    pub contradictions: Vec<Contradiction>,
    /// What must not be overlooked.
    pub disclosures: Vec<Disclosure>,
}

/// Derives everything that follows, or says why the captures cannot be compared.
pub fn derive(input: &Input<'_>) -> Result<Derived, Problems> {
    let mut contradictions = Vec::new();
    let (comparison, observed) = measured(input, &mut contradictions)?.unzip();
    let mut non_mutation = observed.unwrap_or_default();
    non_mutation.push(disclose::secrets(input, &mut contradictions));
    non_mutation.extend(conduct::rows(input, &mut contradictions));
    non_mutation.sort_by(|a, b| a.id.cmp(&b.id));
    journal(input, &mut contradictions);
    let window = comparison.as_ref().map(|(comparison, ..)| window(input, comparison));
    let uncertain = uncertain::reasons(input, comparison.as_ref().map(|(_, baseline, last)| (*baseline, *last)));
    let basis = window.as_ref().map_or(RowBasis::Absent, |window| window.basis);
    let forbidden =
        bans::rows(input, &non_mutation, comparison.as_ref().map(|(_, a, b)| (&a.capture, &b.capture)), basis);
    let unmeasured = !uncertain.is_empty()
        || non_mutation.iter().any(|row| row.status == ObservedStatus::Unknown)
        || forbidden.iter().any(|row| row.status == ForbiddenStatus::Unknown);
    let verdict = match (contradictions.is_empty(), unmeasured) {
        (false, _) => ReportVerdict::Contradicted,
        (true, true) => ReportVerdict::Indeterminate,
        (true, false) => input.decisions.verdict.into(),
    };
    let level = comparison.as_ref().and_then(|(comparison, ..)| comparison.level.reached);
    let disclosures = disclose::all(input, window.as_ref(), &non_mutation, &forbidden, &uncertain);
    Ok(Derived { verdict, level, window, non_mutation, forbidden, contradictions, disclosures })
}

/// Both captures compared, and one row for each observed thing; what does not fit becomes a contradiction. `None` where a capture is
/// not there.
pub fn measured<'a>(
    input: &Input<'a>,
    contradictions: &mut Vec<Contradiction>,
) -> Result<Option<(Compared<'a>, Vec<ObservedRow>)>, Problems> {
    let Some(compared) = compare(input)? else { return Ok(None) };
    let (comparison, baseline, last) = &compared;
    let rows = change::rows(input, comparison, &baseline.capture, &last.capture, contradictions);
    Ok(Some((compared, rows)))
}

/// A comparison, and what was compared.
pub type Compared<'a> = (Comparison, &'a CaptureRecord, &'a CaptureRecord);

/// Both captures compared by the recorded rules; `None` where one is not there.
fn compare<'a>(input: &Input<'a>) -> Result<Option<Compared<'a>>, Problems> {
    let grounds = input.grounds;
    let (Some(baseline), Some(last)) = (&grounds.baseline, &grounds.last) else { return Ok(None) };
    for (name, record) in [("baseline", baseline), ("final capture", last)] {
        if !record.holds() {
            let message = format!("the digest of the {name} does not match its content");
            return Err(Problem::invalid(message)
                .help("give the file that `cutter evidence capture --format json` wrote, unchanged")
                .into());
        }
    }
    let limits = ComparisonLimits { now: input.now, config: grounds.rules.config_sha256 };
    let settings = grounds.rules.settings();
    let mut comparison = evidence::compare(&baseline.capture, &last.capture, &settings, &limits)?;
    let witness = match &grounds.witness {
        Some(witness) if Digest::of(witness.text.as_bytes()) == witness.sha256 => {
            Some(WitnessRecord::parse(&Source::new("the witness", witness.text.clone()))?)
        }
        Some(_) => return Err(Problem::invalid("the digest of the witness does not match its content").into()),
        None => None,
    };
    add_witness(&mut comparison, (&baseline.capture, &last.capture), witness.as_ref(), &settings)?;
    Ok(Some((comparison, baseline, last)))
}

/// The observed time, and whose word it is.
fn window(input: &Input<'_>, comparison: &Comparison) -> Window {
    let grounds = input.grounds;
    let parties: Vec<&str> = input.decisions.decisions.iter().map(|row| row.principal.as_str()).collect();
    let independent = |vouched: Option<&Vouched>| {
        let observer = vouched.and_then(|vouched| vouched.observer.as_deref());
        observer.is_some_and(|observer| observer != input.decisions.plan.author && !parties.contains(&observer))
    };
    let captures = [&grounds.baseline, &grounds.last];
    let measured = captures.iter().all(|record| independent(record.as_ref().and_then(|it| it.vouched.as_ref())))
        && grounds.witness.as_ref().is_none_or(|witness| independent(witness.vouched.as_ref()));
    Window {
        baseline_at: comparison.baseline_at,
        final_at: comparison.final_at,
        database: comparison.database.clone(),
        quiet: comparison.quiet.proven,
        basis: if measured { RowBasis::Measured } else { RowBasis::SelfReported },
    }
}

/// What the journal alone contradicts: denied rows that ran, and rows that nobody intended.
fn journal(input: &Input<'_>, contradictions: &mut Vec<Contradiction>) {
    for done in input.done {
        let row = input.decisions.decisions.iter().find(|row| row.id == done.id);
        let (kind, text) = match row {
            None => (ContradictionKind::NotInPlan, format!("`{}` was done, and the plan does not have it", done.id)),
            Some(row) if row.decision == RowDecision::Deny => {
                (ContradictionKind::DeniedAndDone, format!("`{}` was done, and it was denied", done.id))
            }
            Some(_) => continue,
        };
        contradictions.push(Contradiction { kind, about: vec![done.id.clone()], text });
    }
}

/// Whether the recorded texts are those that the decisions name; each difference is a sentence.
pub fn texts(decisions: &Decisions, grounds: &Grounds) -> Vec<String> {
    let mut differences = Vec::new();
    if Digest::of(grounds.plan.as_bytes()) != decisions.plan.sha256 {
        differences.push("grounds.plan is not the plan of decisions.plan.sha256".to_owned());
    }
    if grounds.facts(decisions.facts.sha256).is_none() {
        differences.push("grounds.facts are not the facts of decisions.facts.sha256".to_owned());
    }
    let sets: Vec<Option<Vec<FactText>>> = grounds.facts.iter().map(|set| grounds.facts(set.sha256)).collect();
    let whole: Option<Vec<Vec<FactText>>> = sets.into_iter().collect();
    if whole.is_none_or(|whole| keep_facts(&whole) != (grounds.facts.clone(), grounds.texts.clone())) {
        differences.push("grounds.facts and grounds.texts: their digests do not match their content".to_owned());
    }
    differences
}
