//! From inputs to decisions, the way of every command that judges a plan: the table with every gate closed, the approvals judged by
//! what it bars, and the table with the gates that they open. It reads no file and asks no clock.

use crate::approval::judge::{Authority, barred, judge};
use crate::approval::{ApprovalFile, Approvals};
use crate::decision::{DecisionRow, DecisionTable, decide, decide_one, decide_rest};
use crate::digest::Digest;
use crate::facts::Facts;
use crate::ledger::Ledger;
use crate::plan::{IntendedAction, RunPlan};
use crate::policy::PolicyBundle;
use crate::problem::{Problem, Problems};
use crate::record::{BundleTrust, Clock, Decisions};
use crate::request::{Moment, Requests, Stage};
use crate::settings::Config;
use crate::signature::Revocations;
use crate::time::Timestamp;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Everything a decision is made from, apart from approvals.
#[derive(Debug)]
pub struct Inputs {
    /// What judges.
    pub bundle: PolicyBundle,
    /// What it judges by.
    pub facts: Facts,
    /// What is judged.
    pub plan: RunPlan,
    /// What the domain tells the runtime.
    pub config: Config,
    /// When.
    pub now: Timestamp,
    /// Where the time comes from.
    pub clock: Clock,
    /// How the bundle stands under the trust root; it judges in any case.
    pub trust: BundleTrust,
    /// Keys that lost the right to sign.
    pub revocations: Revocations,
}

/// The approval documents as they were found, and the evidence that they may be bound to.
#[derive(Debug, Default)]
pub struct Documents {
    /// Every document, with the signatures beside it.
    pub approvals: Vec<ApprovalFile>,
    /// Sha-256 over the baseline, where one was given.
    pub baseline: Option<Digest>,
}

/// A plan decided with every gate closed, its approvals judged, and what they open.
#[derive(Debug)]
pub struct Authorization<'a> {
    inputs: &'a Inputs,
    requests: Requests<'a>,
    closed: DecisionTable,
    found: Vec<ApprovalFile>,
    approvals: Approvals,
    moment: Moment,
    ran: Option<&'a BTreeMap<usize, DecisionRow>>,
    has_ledger: bool,
}

impl<'a> Authorization<'a> {
    /// Judges a plan at a stage; it only looks.
    ///
    /// Rows that `ran` stay as they were decided then, and what the run used up for them is not held against it.
    pub fn new(
        inputs: &'a Inputs,
        requests: Requests<'a>,
        documents: Documents,
        ledger: &dyn Ledger,
        stage: Stage,
        ran: Option<&'a BTreeMap<usize, DecisionRow>>,
    ) -> Result<Self, Problems> {
        let id = ledger.id()?.map(|id| id.to_string());
        let is_done = |row: &str| {
            let index = inputs.plan.action(row).map(|(index, _)| index);
            index.zip(ran).is_some_and(|(index, ran)| ran.contains_key(&index))
        };
        let authority = Authority {
            signers: inputs.bundle.signers(),
            revocations: &inputs.revocations,
            ledger: id.as_deref(),
            baseline: documents.baseline,
            is_used: &|approval, row| match ledger.used(approval, row)? {
                // What was used and is not recorded as done stays used.
                Some(used) => Ok(used.run != inputs.plan.run || !is_done(row)),
                None => Ok(false),
            },
        };
        let found = documents.approvals;
        let mut moment = Moment::closed(inputs.now, stage);
        let (closed, approvals) = judge_approvals(&requests, &found, &authority, &moment)?;
        moment.gates.clone_from(&approvals.gates);
        moment.spent.clone_from(&approvals.spent);
        Ok(Self { inputs, requests, closed, found, approvals, moment, ran, has_ledger: id.is_some() })
    }

    /// What it is made from.
    pub fn inputs(&self) -> &'a Inputs {
        self.inputs
    }

    /// The plan, ready to be evaluated.
    pub fn requests(&self) -> &Requests<'a> {
        &self.requests
    }

    /// The decisions with every gate closed, before anything ran.
    pub fn closed(&self) -> &DecisionTable {
        &self.closed
    }

    /// The documents as they were found.
    pub fn found(&self) -> &[ApprovalFile] {
        &self.found
    }

    /// The approvals, judged.
    pub fn approvals(&self) -> &Approvals {
        &self.approvals
    }

    /// When, and what is open then.
    pub fn moment(&self) -> &Moment {
        &self.moment
    }

    /// Whether there is a ledger.
    pub fn has_ledger(&self) -> bool {
        self.has_ledger
    }

    /// One row by itself, whatever comes before it in the plan.
    pub fn row(&self, action: &IntendedAction) -> Result<DecisionRow, Problem> {
        decide_one(&self.requests, action, &self.moment)
    }

    /// The decisions as a document.
    pub fn document(&self) -> Result<Decisions, Problems> {
        let Inputs { clock, config, trust, .. } = self.inputs;
        let decisions = Decisions::new(&self.requests, &*self.table()?, &self.moment, *clock, &self.approvals, config)?;
        Ok(decisions.under(trust.clone()))
    }

    /// The decisions with the opened gates; where none was opened they are those with every gate closed.
    fn table(&self) -> Result<Cow<'_, DecisionTable>, Problems> {
        Ok(match self.ran {
            Some(rows) => Cow::Owned(decide_rest(&self.requests, &self.moment, rows)?),
            None if self.moment == Moment::closed(self.moment.now, Stage::Plan) => Cow::Borrowed(&self.closed),
            None => Cow::Owned(decide(&self.requests, &self.moment)?),
        })
    }
}

/// The decisions with every gate closed, and the approvals judged by what they bar, at a moment.
fn judge_approvals(
    requests: &Requests<'_>,
    found: &[ApprovalFile],
    authority: &Authority<'_>,
    moment: &Moment,
) -> Result<(DecisionTable, Approvals), Problems> {
    let closed = decide(requests, &Moment::closed(moment.now, Stage::Plan))?;
    let approvals = judge(found, requests, &barred(requests, &closed), authority, moment)?;
    Ok((closed, approvals))
}
