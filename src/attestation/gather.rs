//! What a report is made from, gathered: the bans of a bundle, and what the journal says was done under a plan.

use super::report::{Ban, BanTier, DoneOutcome, DoneRow, UsedApproval};
use crate::decision::{Basis, DecisionRow};
use crate::ledger::{Entry, Finished, Journal, Started};
use crate::plan::{IntendedAction, RunPlan, Work};
use crate::policy::PolicyBundle;
use crate::policy::annotations::Tier;
use crate::record::{self, Decisions, RecordedRow, UseDecision};
use crate::schema::RunSchema;
use crate::settings::{Amount, Config};
use cedar_policy::Context;
use serde_json::Value;
use std::collections::BTreeMap;

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
    let mut done = Done::default();
    for (entry, started) in journal.starts().filter(|(_, started)| started.run == plan.run) {
        let sequence = entry.sequence;
        if started.plan != plan.digest {
            done.faults.push(format!("record {sequence} is of this run under another plan, sha256 {}", started.plan));
            continue;
        }
        let decision: Option<UseDecision> = serde_json::from_value(started.decision.clone()).ok();
        let action = plan.action(&started.action);
        match (&decision, action) {
            (Some(decision), Some((index, action))) => match recorded(decision, action, schema) {
                Ok(row) => drop(done.decided.insert(index, row)),
                Err(cause) => done.faults.push(format!("record {sequence}: {cause}")),
            },
            (None, Some(_)) => done.faults.push(format!("record {sequence} says nothing of its decision")),
            (_, None) => {}
        }
        let end = journal.end_of(sequence);
        done.rows.push(began(
            started,
            end,
            decision.as_ref(),
            action.map(|(_, action)| action),
            config,
            &mut done.faults,
        ));
    }
    done
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

fn began(
    started: &Started,
    end: Option<(&Entry, &Finished)>,
    decision: Option<&UseDecision>,
    action: Option<&IntendedAction>,
    config: &Config,
    faults: &mut Vec<String>,
) -> DoneRow {
    let approvals = started.approvals.iter().map(|used| UsedApproval {
        id: used.id.clone(),
        gate: used.gate.clone(),
        sha256: used.sha256,
    });
    DoneRow {
        id: started.action.clone(),
        principal: started.principal.clone(),
        started_at: started.decided_at,
        finished_at: end.map(|(entry, _)| entry.time),
        outcome: match end.map(|(_, finished)| finished.exit_status) {
            None => DoneOutcome::Interrupted,
            Some(Some(0)) => DoneOutcome::Finished,
            Some(_) => DoneOutcome::Failed,
        },
        exit_status: end.and_then(|(_, finished)| finished.exit_status),
        argv: started.argv.clone(),
        approvals: approvals.collect(),
        policies_sha256: decision.map(|decision| decision.policies.sha256),
        facts_sha256: decision.map(|decision| decision.facts.sha256),
        expects: action
            .map(|action| expects(action, decision.map(|decision| &decision.row.context), config, faults))
            .unwrap_or_default(),
    }
}

/// What the row's effect declares to change, with numbers from the context in which it was decided.
pub fn expects(
    action: &IntendedAction,
    context: Option<&Value>,
    config: &Config,
    faults: &mut Vec<String>,
) -> BTreeMap<String, BTreeMap<String, i64>> {
    let Some(Work::Effect(name)) = &action.work else { return BTreeMap::new() };
    let Some(effect) = config.effects.get(name) else { return BTreeMap::new() };
    let number = |path: &str| context?.pointer(&format!("/{}", path.replace('.', "/")))?.as_i64();
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
    })
}
