//! From inputs to decisions, the way of every command that judges a plan: the table with every gate closed, the approvals judged by
//! what it bars, and the table with the gates that they open. It reads no file and asks no clock.

use crate::approval::judge::{Authority, barred, judge};
use crate::approval::{ApprovalFile, Approvals, KnownKeys};
use crate::decision::{DecisionRow, DecisionTable, decide, decide_one, decide_rest};
use crate::digest::Digest;
use crate::facts::Facts;
use crate::ledger::{Journal, Vote};
use crate::plan::{IntendedAction, RunPlan};
use crate::policy::PolicyBundle;
use crate::problem::{Problem, Problems};
use crate::record::{BundleTrust, Clock, Decisions};
use crate::request::{Moment, Requests, Stage};
use crate::settings::Config;
use crate::signature::{APPROVAL, REJECT, RejectionCode, Revocations, verify_one_of};
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
    /// Keys of which is known whose they are.
    pub known_keys: KnownKeys,
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
    ran: BTreeMap<usize, DecisionRow>,
    journal: Journal,
}

impl<'a> Authorization<'a> {
    /// Judges a plan at a stage; it only looks.
    ///
    /// Rows that `ran` stay as they were decided then, and what the run used up for them is not held against it.
    pub fn new(
        inputs: &'a Inputs,
        requests: Requests<'a>,
        documents: Documents,
        journal: Journal,
        stage: Stage,
        ran: BTreeMap<usize, DecisionRow>,
    ) -> Result<Self, Problems> {
        let id = journal.id.as_ref().map(ToString::to_string);
        let is_done = |row: &str| inputs.plan.action(row).is_some_and(|(index, _)| ran.contains_key(&index));
        let authority = Authority {
            signers: inputs.bundle.signers(),
            revocations: &inputs.revocations,
            ledger: id.as_deref(),
            baseline: documents.baseline,
            known_keys: &inputs.known_keys,
            // What was used and is not recorded as done stays used.
            is_used: &|approval, row| {
                let used = journal.used(approval, row);
                Ok(used.is_some_and(|(_, started)| started.run != inputs.plan.run || !is_done(row)))
            },
            first_use: &|approval| journal.first_use(approval),
        };
        let mut found = documents.approvals;
        for file in &mut found {
            add_votes(file, &journal, &authority, inputs.now);
        }
        let mut moment = Moment::closed(inputs.now, stage);
        let (closed, approvals) = judge_approvals(&requests, &found, &authority, &moment)?;
        moment.gates.clone_from(&approvals.gates);
        moment.spent.clone_from(&approvals.spent);
        Ok(Self { inputs, requests, closed, found, approvals, moment, ran, journal })
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

    /// The rejections beside the documents that the ledger does not keep yet; whoever may write there keeps them.
    pub fn rejections(&self) -> Vec<Vote> {
        self.found.iter().flat_map(|file| rejections_beside(file, &self.journal, self.inputs)).collect()
    }

    /// The approvals, judged.
    pub fn approvals(&self) -> &Approvals {
        &self.approvals
    }

    /// When, and what is open then.
    pub fn moment(&self) -> &Moment {
        &self.moment
    }

    /// What the ledger says of the run and of the approvals.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Whether there is a ledger.
    pub fn has_ledger(&self) -> bool {
        self.journal.id.is_some()
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
        if !self.ran.is_empty() {
            return Ok(Cow::Owned(decide_rest(&self.requests, &self.moment, &self.ran)?));
        }
        Ok(match self.moment == Moment::closed(self.moment.now, Stage::Plan) {
            true => Cow::Borrowed(&self.closed),
            false => Cow::Owned(decide(&self.requests, &self.moment)?),
        })
    }
}

/// Adds what the ledger keeps of votes on a document: a voice that is taken away beside it stays heard.
///
/// A signature that is nobody's is no voice, so that a stranger's record cannot spoil a document.
fn add_votes(file: &mut ApprovalFile, journal: &Journal, authority: &Authority<'_>, now: Timestamp) {
    let message = file.source.text().as_bytes();
    for (record, vote) in journal.votes(Digest::of(message)) {
        let bytes = vote.signature.as_bytes();
        let (signers, revocations) = (authority.signers, authority.revocations);
        let is_voice = match verify_one_of(&[APPROVAL, REJECT], message, bytes, signers, revocations, now) {
            Ok(_) => true,
            Err(rejection) => matches!(
                rejection.code(),
                RejectionCode::SignerExpired | RejectionCode::Revoked | RejectionCode::NoPresence
            ),
        };
        if is_voice && !file.signatures.iter().any(|(_, known)| known == bytes) {
            file.signatures.push((format!("ledger record {record}"), bytes.to_vec()));
        }
    }
}

/// The rejections beside a document that the ledger does not keep yet.
fn rejections_beside(file: &ApprovalFile, journal: &Journal, inputs: &Inputs) -> Vec<Vote> {
    let message = file.source.text().as_bytes();
    let approval = Digest::of(message);
    let is_kept = |signature: &str| journal.votes(approval).any(|(_, vote)| vote.signature == signature);
    let counts = |text: &String| {
        let (signers, revocations) = (inputs.bundle.signers(), &inputs.revocations);
        verify_one_of(&[REJECT], message, text.as_bytes(), signers, revocations, inputs.now).is_ok()
    };
    let texts = file.signatures.iter().filter_map(|(_, bytes)| String::from_utf8(bytes.clone()).ok());
    texts.filter(|text| !is_kept(text) && counts(text)).map(|signature| Vote { approval, signature }).collect()
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
