//! The permission to run one action now: only a live plan under the trust root, decided at the moment of use, has it.

use crate::authorization::Authorization;
use crate::decision::DecisionRow;
use crate::plan::{IntendedAction, Mode, Work};
use crate::problem::Problems;
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
    /// The clock differs from the ledger's by more than the configuration allows.
    ClockDiffers {
        /// What the clock shows.
        now: Timestamp,
        /// What the ledger's shows, or what its latest record bears.
        ledger: Timestamp,
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
        let journal = authorization.journal();
        if let Some(ledger) = journal.clock_apart(now, inputs.config.ledger.clock_skew()) {
            return Ok(Err(Refusal::ClockDiffers { now, ledger }));
        }
        let before = action.after.iter().filter(|_| !action.finally).filter_map(|index| plan.actions.get(*index));
        let waiting =
            before.map(|before| before.id.clone()).filter(|id| !journal.ended_well(&plan.run, plan.digest, id));
        let waiting: Vec<String> = waiting.collect();
        if !waiting.is_empty() {
            return Ok(Err(Refusal::Waiting(waiting)));
        }
        Ok(Ok(Self { authorization, action, row, work }))
    }
}
