//! What a report is made from, gathered: the bans of a bundle, and what the journal says was done under a plan.

use super::grounds::SpentApproval;
use super::report::{Ban, BanTier, DoneOutcome, DoneRow, UsedApproval};
use crate::approval::ApprovalFile;
use crate::decision::{Basis, DecisionRow, Held};
use crate::digest::Digest;
use crate::json;
use crate::ledger::{Entry, Journal, Record, Started};
use crate::plan::{IntendedAction, RunPlan};
use crate::policy::PolicyBundle;
use crate::policy::annotations::Tier;
use crate::problem::Problem;
use crate::record::{self, Decisions, FactRecord, FactText, RecordedRow, UseDecision};
use crate::schema::RunSchema;
use crate::settings::Config;
use crate::settings::effects::Amount;
use cedar_policy::Context;
use serde::Deserialize as _;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Every ban that is a row of the report: each `forbid` that is no rule for approvals, in the order of the files.
pub fn bans(bundle: &PolicyBundle) -> Vec<Ban> {
    let ban = |policy: &crate::policy::BundlePolicy| {
        let (tier, lifted_by) = match policy.annotations.tier.as_ref()? {
            Tier::Absolute => (BanTier::Absolute, None),
            Tier::Approval(gate) => (BanTier::Approval, Some(gate.clone())),
            Tier::Precondition(gap) => (BanTier::Precondition, Some(gap.clone())),
            Tier::Gate(_) => return None,
        };
        Some(Ban {
            id: policy.id().to_owned(),
            title: policy.title().to_owned(),
            tier,
            lifted_by,
            observations: policy.annotations.evidence.clone(),
            presupposes: policy.annotations.presupposes.clone(),
        })
    };
    bundle.own().iter().filter_map(ban).collect()
}

/// What was done in a run.
#[derive(Clone, Default, Debug)]
pub struct Done {
    /// Each action that began, in the order of the journal.
    pub rows: Vec<DoneRow>,
    /// The decisions of the moment of use, by the row's index in the plan; the last one of each row.
    pub decided: BTreeMap<usize, DecisionRow>,
    /// What of the journal does not fit the plan, or cannot be read.
    pub faults: Vec<String>,
}

/// Reads what was done under this plan from the records of its run.
pub fn done(plan: &RunPlan, config: &Config, schema: &RunSchema, journal: &Journal) -> Done {
    let (mut rows, mut faults) = rows(&plan.run, plan.digest, journal);
    let mut decided = BTreeMap::new();
    for row in &mut rows {
        let began = journal.starts().find(|(entry, _)| row.records.first() == Some(&entry.sequence));
        let (Some((entry, started)), Some((index, action))) = (began, plan.action(&row.id)) else { continue };
        let decision = UseDecision::deserialize(&started.decision).ok();
        match decision.as_ref().map(|decision| recorded(decision, action, schema)) {
            Some(Ok(row)) => drop(decided.insert(index, row)),
            Some(Err(cause)) => faults.push(format!("record {}: {cause}", entry.sequence)),
            None => faults.push(format!("record {} says nothing of its decision", entry.sequence)),
        }
        row.expects = expects(action, decision.as_ref().map(|decision| &decision.row.context), config, &mut faults);
    }
    Done { rows, decided, faults }
}

/// Each action that began, without what its effect declares; and what of the records does not fit.
pub fn rows(run: &str, plan: Digest, journal: &Journal) -> (Vec<DoneRow>, Vec<String>) {
    let mut rows: Vec<DoneRow> = Vec::new();
    let mut faults: Vec<String> =
        journal.damages.iter().map(|damage| format!("line {}: {}", damage.line, damage.damage)).collect();
    let mut last = 0;
    let of_run = journal.entries.iter().filter(|entry| entry.record.subject().as_deref() == Some(run));
    for Entry { sequence, time, record, .. } in of_run {
        if *sequence <= last {
            faults.push(format!("record {sequence} comes after record {last}"));
        }
        last = last.max(*sequence);
        match record {
            Record::Started(started) if started.plan != plan => {
                faults.push(format!("record {sequence} is of this run under another plan, sha256 {}", started.plan));
            }
            Record::Started(started) => rows.push(began(*sequence, started)),
            Record::Finished(finished) => {
                let is_open = |row: &&mut DoneRow| {
                    row.records.first() == Some(&finished.started)
                        && row.id == finished.action
                        && row.finished_at.is_none()
                };
                let Some(row) = rows.iter_mut().find(is_open) else {
                    faults.push(format!("record {sequence} ends `{}`, which never began", finished.action));
                    continue;
                };
                row.records.push(*sequence);
                row.finished_at = Some(*time);
                row.exit_status = finished.exit_status;
                row.outcome = if finished.exit_status == Some(0) { DoneOutcome::Finished } else { DoneOutcome::Failed };
            }
            _ => {}
        }
    }
    (rows, faults)
}

/// The rows that have ended well so far, as they were decided.
pub fn ended_well(
    plan: &RunPlan,
    config: &Config,
    schema: &RunSchema,
    journal: &Journal,
) -> BTreeMap<usize, DecisionRow> {
    let mut decided = done(plan, config, schema, journal).decided;
    let is_done = |index: &usize| {
        plan.actions.get(*index).is_some_and(|action| journal.ended_well(&plan.run, plan.digest, &action.id))
    };
    decided.retain(|index, _| is_done(index));
    decided
}

/// The marks of gates that were open at some time of the run: now, or when an action used an approval of them.
pub fn marks(decisions: &Decisions, done: &[DoneRow], config: &Config) -> Vec<String> {
    let used = done.iter().flat_map(|done| done.approvals.iter().map(move |used| (done, used)));
    let then = used.filter_map(|(done, used)| {
        let mark = config.mark(&used.gate)?;
        Some(format!("{mark}: {} used for `{}` at {}", used.gate, done.id, done.started_at))
    });
    record::marks(&decisions.approvals, config).into_iter().chain(then).collect()
}

/// The records of a run as a statement holds them, and the facts that they keep.
pub fn carried(run: &str, journal: &Journal) -> Result<(Vec<Value>, Vec<Vec<FactText>>), Problem> {
    let (mut records, mut facts) = (Vec::new(), Vec::new());
    for entry in journal.entries.iter().filter(|entry| entry.record.subject().as_deref() == Some(run)) {
        let mut entry = entry.clone();
        if let Record::Started(started) = &mut entry.record
            && let Some(texts) = started.decision.as_object_mut().and_then(|decision| decision.remove("texts"))
        {
            let texts = Vec::<FactText>::deserialize(texts);
            facts.push(texts.map_err(|error| Problem::failure(format!("the kept facts cannot be read: {error}")))?);
        }
        let value = serde_json::to_value(&entry);
        records.push(value.map_err(|error| Problem::failure(format!("a record has no JSON form: {error}")))?);
    }
    Ok((records, facts))
}

/// The journal that a statement holds, or why it is none.
pub fn journal(records: &[Value]) -> Result<Journal, String> {
    let mut journal = Journal::default();
    for (index, value) in records.iter().enumerate() {
        let entry = Entry::deserialize(value);
        journal.entries.push(entry.map_err(|error| format!("predicate.grounds.journal.records[{index}]: {error}"))?);
    }
    Ok(journal)
}

/// What was used up of the documents that is no use of a row that this run did.
pub fn spent(run: &str, done: &[DoneRow], found: &[ApprovalFile], journal: &Journal) -> Vec<SpentApproval> {
    let documents: BTreeSet<Digest> = found.iter().map(|file| Digest::of(file.source.text().as_bytes())).collect();
    let mut spent = BTreeSet::new();
    for (_, started) in journal.starts() {
        let is_ours = started.run == run && done.iter().any(|done| done.id == started.action);
        let used = started.approvals.iter().map(|used| used.sha256).filter(|sha256| documents.contains(sha256));
        spent.extend(used.filter(|_| !is_ours).map(|sha256| SpentApproval { sha256, action: started.action.clone() }));
    }
    spent.into_iter().collect()
}

fn began(sequence: u64, started: &Started) -> DoneRow {
    let decision = UseDecision::deserialize(&started.decision).ok();
    let used = started.approvals.iter();
    let used = used.map(|used| UsedApproval { id: used.id.clone(), gate: used.gate.clone(), sha256: used.sha256 });
    DoneRow {
        id: started.action.clone(),
        principal: started.principal.clone(),
        started_at: started.decided_at,
        finished_at: None,
        records: vec![sequence],
        outcome: DoneOutcome::Interrupted,
        exit_status: None,
        work: decision.as_ref().and_then(|decision| Some(decision.row.work.as_ref()?.line())),
        approvals: used.collect(),
        policies_sha256: decision.as_ref().map(|decision| decision.policies.sha256),
        facts_sha256: decision.as_ref().map(|decision| decision.facts.sha256),
        expects: BTreeMap::new(),
    }
}

/// What the row's effect declares to change, with numbers from the context in which it was decided.
pub fn expects(
    action: &IntendedAction,
    context: Option<&Value>,
    config: &Config,
    faults: &mut Vec<String>,
) -> BTreeMap<String, BTreeMap<String, i64>> {
    let effect = action.work.as_ref().and_then(|work| config.effects.get(work.effect.as_ref()?));
    let Some(effect) = effect else { return BTreeMap::new() };
    let number = |path: &str| json::at(context?, path)?.as_i64();
    let mut expects = BTreeMap::new();
    for (id, moves) in &effect.expects {
        let mut resolved = BTreeMap::new();
        for (counter, amount) in moves {
            let by = match amount {
                Amount::Number(number) => Some(*number),
                Amount::Context(path) => number(path),
            };
            if by.is_none() {
                faults.push(format!("the context of `{}` has no number for the {counter} of {id}", action.id));
            }
            // With nothing left in it, it would allow any change.
            resolved.insert(counter.clone(), by.unwrap_or(0));
        }
        expects.insert(id.clone(), resolved);
    }
    expects
}

/// A recorded decision as one of a table, if it is of this row.
fn recorded(decision: &UseDecision, action: &IntendedAction, schema: &RunSchema) -> Result<DecisionRow, String> {
    let RecordedRow { principal, action: name, resource, context, .. } = &decision.row;
    if decision.row.id != action.id
        || *principal != action.principal.to_string()
        || *name != action.action.to_string()
        || *resource != action.resource.to_string()
    {
        return Err(format!("its decision is not one of `{}`", action.id));
    }
    let context = Context::from_json_value(context.clone(), Some((schema.schema(), &action.action)))
        .map_err(|_| format!("the context of its decision does not fit `{}`", action.id))?;
    let row = &decision.row;
    let held = row.held.iter();
    // What was decided alone at the moment of use never waits for another row.
    if row.basis == Basis::BlockedBy {
        return Err(format!("its decision says that `{}` waits for another row", action.id));
    }
    Ok(DecisionRow {
        basis: row.basis,
        context,
        policies: row.policies.clone(),
        decided_by: row.decided_by.clone(),
        reason: row.reason.clone(),
        needs: row.needs.iter().map(|need| need.gate.clone()).collect(),
        lifted: row.lifted.clone(),
        gaps: row.gaps.clone(),
        blocked_by: Vec::new(),
        errors: row.errors.clone(),
        facts: Arc::new(row.facts_at_use.iter().map(FactRecord::read).collect()),
        held: held.map(|(policy, facts)| Held { policy: policy.clone(), facts: facts.clone() }).collect(),
        at_use: true,
    })
}
