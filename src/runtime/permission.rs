//! The permission to run one action now: only a live plan under the trust root, decided at the moment of use, has it.

use crate::authorization::Authorization;
use crate::decision::DecisionRow;
use crate::ledger::Ledger;
use crate::plan::{IntendedAction, Mode, Work};
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::request::Stage;
use crate::time::Timestamp;
use crate::trust::Trusted;

/// An action that may run now, with exactly the work that was judged.
///
/// INVARIANT: [`Permission::new`] is the only way to make one, and everything that runs takes one.
#[derive(Debug)]
pub struct Permission<'a> {
    pub(super) authorization: &'a Authorization<'a>,
    pub(super) action: &'a IntendedAction,
    pub(super) row: DecisionRow,
    pub(super) work: &'a Work,
}

/// Why an action may not run now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The trust root vouches for another bundle, plan or principal, or nothing is decided for use.
    NotTrusted,
    /// The plan is a dry run.
    DryRun,
    /// The row is denied.
    Denied,
    /// The row names nothing that would run.
    NoWork,
    /// The clock shows a time before the last record of the journal.
    ClockRunsBack {
        /// What the clock shows.
        now: Timestamp,
        /// What the last record bears.
        last: Timestamp,
    },
    /// Rows that it comes after have not ended well in this run.
    Waiting(Vec<String>),
}

impl<'a> Permission<'a> {
    /// The permission, or why there is none. The row is decided here, at the moment of use.
    pub fn new(
        trusted: &Trusted,
        authorization: &'a Authorization<'a>,
        action: &'a IntendedAction,
        ledger: &dyn Ledger,
    ) -> Result<Result<Self, Refusal>, Problems> {
        let inputs = authorization.inputs();
        let (plan, now) = (&inputs.plan, authorization.moment().now);
        let vouched = (trusted.policies(), trusted.plan(), trusted.principal());
        if vouched != (inputs.bundle.digest(), plan.digest, &action.principal)
            || authorization.moment().stage != Stage::Use
        {
            return Ok(Err(Refusal::NotTrusted));
        }
        if plan.mode != Mode::Live {
            return Ok(Err(Refusal::DryRun));
        }
        let row = authorization.row(action)?;
        if !row.basis.allows() {
            return Ok(Err(Refusal::Denied));
        }
        let Some(work) = &action.work else { return Ok(Err(Refusal::NoWork)) };
        let (waiting, last) = before(authorization, action, ledger)?;
        if let Some(last) = last.filter(|last| *last > now) {
            return Ok(Err(Refusal::ClockRunsBack { now, last }));
        }
        if !waiting.is_empty() {
            return Ok(Err(Refusal::Waiting(waiting)));
        }
        Ok(Ok(Self { authorization, action, row, work }))
    }
}

/// The rows before this one that have not ended well in this run, and the latest time of the journal.
fn before(
    authorization: &Authorization<'_>,
    action: &IntendedAction,
    ledger: &dyn Ledger,
) -> Result<(Vec<String>, Option<Timestamp>), Problems> {
    let plan = &authorization.inputs().plan;
    if action.finally || action.after.is_empty() {
        return Ok((Vec::new(), ledger.last_time()?));
    }
    let (journal, last) = ledger.journal_and_last_time(Some(&plan.run))?;
    // A clock that runs backwards is said first: it does not hang on what the journal holds.
    if last.is_some_and(|last| last > authorization.moment().now) {
        return Ok((Vec::new(), last));
    }
    if !journal.damages.is_empty() {
        let places = journal.damages.len();
        return Err(Problem::failure(format!("the journal of {} is damaged in {places} places", ledger.name()))
            .help("what ran before cannot be known; a person must look at it")
            .coded(Code::LedgerDamaged)
            .into());
    }
    let before = action.after.iter().filter_map(|index| plan.actions.get(*index));
    Ok((before.map(|before| before.id.clone()).filter(|id| !journal.ended_well(plan.digest, id)).collect(), last))
}
