//! The decisions as a versioned document: what every face shows and what is signed. A copy of our types, not the types.

mod facts;
mod row;

pub use facts::{FactRecord, gathered, unmeasured};
pub use row::{FactText, RecordedRow, RowDecision, UseDecision};

use crate::approval::{Approvals, JudgedApproval};
use crate::decision::{DecisionTable, Verdict};
use crate::digest::Digest;
use crate::facts::Origin;
use crate::plan::Mode;
use crate::policy::PolicyBundle;
use crate::policy::annotations::RejectCode;
use crate::problem::Problem;
use crate::request::{Moment, Requests};
use crate::settings::Config;
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The decisions over one plan, version 1.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Decisions {
    /// The version of this form, 1.
    pub version: u32,
    /// The worst of the rows.
    pub verdict: Verdict,
    /// Where the time comes from.
    pub clock: Clock,
    /// The time of the decision, RFC 3339.
    pub time: Timestamp,
    /// Whether the bundle is signed under a trust root; it decides the same in any case.
    #[serde(flatten)]
    pub bundle: BundleTrust,
    /// The plan that was judged.
    pub plan: PlanSummary,
    /// The bundle that judged it.
    pub policies: JudgedBy,
    /// The facts it was judged by.
    pub facts: FactsSummary,
    /// Every fact that policies read which can match a row, each once, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts_read: Vec<FactRecord>,
    /// The names of facts by which rows are allowed although they do not come from where the schema says they must:
    /// at the moment of use such a row is not run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmeasured: Vec<String>,
    /// Every approval document, and every needed gate without one.
    pub approvals: Vec<ApprovalRow>,
    /// What must not be overlooked: an emergency gate that is open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<String>,
    /// Gaps that are open now, sorted.
    pub open_gaps: Vec<String>,
    /// Gaps that will be asked for at the moment of use, sorted.
    pub deferred_gaps: Vec<String>,
    /// One row for each of the plan's, in its order.
    pub decisions: Vec<RecordedRow>,
}

/// Where the time of a decision comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// The system's clock.
    System,
    /// `--now`.
    Given,
}

/// Whether the bundle is signed, by whom, and if the signature is not accepted, why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "bundle", rename_all = "snake_case")]
pub enum BundleTrust {
    /// There is no signature.
    Unsigned,
    /// There is a signature, and no trust root to check it by.
    Unverified,
    /// The trust root vouches for it.
    Signed {
        /// The signer's name in the trust root.
        #[serde(rename = "bundle_signer")]
        signer: String,
    },
    /// There is a signature that is not accepted.
    Untrusted {
        /// Why not.
        #[serde(rename = "bundle_faults")]
        faults: Vec<String>,
    },
}

/// Something identified by the sha-256 of its bytes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Hashed {
    /// 64 lower-case hexadecimal digits.
    pub sha256: Digest,
}

/// The bundle that judged, and the prelude it judged within.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct JudgedBy {
    /// Sha-256 over its listing, the prelude included.
    pub sha256: Digest,
    /// The version of the prelude.
    pub prelude: u32,
}

impl JudgedBy {
    /// Names a bundle.
    pub fn of(bundle: &PolicyBundle) -> Self {
        Self { sha256: bundle.digest(), prelude: bundle.prelude().version }
    }
}

/// The plan that was judged.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PlanSummary {
    /// Its name.
    pub name: String,
    /// The task it belongs to.
    #[serde(rename = "macro", skip_serializing_if = "Option::is_none")]
    pub macro_name: Option<String>,
    /// The run's id.
    pub run: String,
    /// `live` or `dry_run`.
    pub mode: Mode,
    /// Who wrote it.
    pub author: String,
    /// Sha-256 over the exact bytes of the file.
    pub sha256: Digest,
    /// Free text that no policy reads.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// The facts a plan was judged by.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FactsSummary {
    /// `entities` or `postgres`.
    pub source: Origin,
    /// Sha-256 over them.
    pub sha256: Digest,
}

/// What became of one approval document.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalRow {
    /// Its id; empty where it has none.
    pub id: String,
    /// The gate it is for.
    pub gate: String,
    /// Whether it opens the gate.
    pub status: ApprovalStatus,
    /// The first reason why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<RejectCode>,
    /// Every reason why not, in the order of the codes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<RejectCode>,
    /// The reasons, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// The people whose yes was counted, sorted.
    pub signers: Vec<String>,
    /// The file it stands in; empty where a gate has none.
    pub file: String,
    /// Until when the document says that it is valid, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Sha-256 of the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
}

/// Whether an approval opens its gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalStatus {
    /// It does.
    Accepted,
    /// It does not.
    Rejected,
}

impl ApprovalRow {
    /// Writes down one judged document.
    pub fn new(judged: &JudgedApproval) -> Self {
        let mut codes: Vec<RejectCode> = judged.faults.iter().map(|fault| fault.code).collect();
        codes.dedup();
        Self {
            id: judged.id.clone(),
            gate: judged.gate.clone(),
            status: if judged.is_accepted() { ApprovalStatus::Accepted } else { ApprovalStatus::Rejected },
            code: codes.first().copied(),
            codes,
            details: judged.faults.iter().map(|fault| fault.detail.clone()).collect(),
            signers: judged.signers.clone(),
            file: judged.file.clone(),
            expires_at: judged.expires_at.clone(),
            sha256: judged.digest,
        }
    }
}

impl Decisions {
    /// Writes down a table of decisions.
    pub fn new(
        requests: &Requests<'_>,
        table: &DecisionTable,
        moment: &Moment,
        clock: Clock,
        approvals: &Approvals,
        config: &Config,
    ) -> Result<Self, Problem> {
        let (plan, judged_by) = (requests.plan(), requests.facts());
        let rows: Vec<ApprovalRow> = approvals.judged.iter().map(ApprovalRow::new).collect();
        let name = |index: &usize| plan.actions.get(*index).map(|action| action.id.clone());
        let mut decisions = Vec::new();
        for (action, row) in plan.actions.iter().zip(&table.rows) {
            let blocked_by = row.blocked_by.iter().filter_map(name).collect();
            decisions.push(RecordedRow { blocked_by, ..RecordedRow::new(action, row)? });
        }
        Ok(Self {
            version: 1,
            verdict: table.verdict,
            clock,
            time: moment.now,
            bundle: BundleTrust::Unsigned,
            plan: PlanSummary {
                name: plan.name.clone(),
                macro_name: plan.macro_name.clone(),
                run: plan.run.clone(),
                mode: plan.mode,
                author: plan.author.to_string(),
                sha256: plan.digest,
                labels: plan.labels.clone(),
            },
            policies: JudgedBy::of(requests.bundle()),
            facts: FactsSummary { source: judged_by.origin(), sha256: judged_by.digest() },
            facts_read: gathered(&table.rows),
            unmeasured: unmeasured(&table.rows),
            marks: marks(&rows, config),
            approvals: rows,
            open_gaps: table.open_gaps.clone(),
            deferred_gaps: table.deferred_gaps.clone(),
            decisions,
        })
    }

    /// The facts of `unmeasured`.
    pub fn lacking(&self) -> Vec<FactRecord> {
        let is_named = |fact: &&FactRecord| self.unmeasured.contains(&fact.fact);
        self.facts_read.iter().filter(is_named).cloned().collect()
    }

    /// The same decisions, by a bundle that stands like this under the trust root.
    #[must_use]
    pub fn under(self, bundle: BundleTrust) -> Self {
        Self { bundle, ..self }
    }
}

impl BundleTrust {
    /// The trust root's signer who vouches for it.
    pub fn signer(&self) -> Option<&str> {
        match self {
            Self::Signed { signer } => Some(signer),
            _ => None,
        }
    }

    /// Why its signature is not accepted.
    pub fn faults(&self) -> &[String] {
        match self {
            Self::Untrusted { faults } => faults,
            _ => &[],
        }
    }

    /// It in words, for people.
    pub fn words(&self) -> String {
        match self {
            Self::Unsigned => "unsigned".to_owned(),
            Self::Unverified => "unverified (there is no trust root here)".to_owned(),
            Self::Signed { signer } => format!("signed by {signer}"),
            Self::Untrusted { .. } => "UNTRUSTED".to_owned(),
        }
    }
}

/// The marks of open gates that the configuration gives one, with who opened them.
pub(crate) fn marks(approvals: &[ApprovalRow], config: &Config) -> Vec<String> {
    let accepted = approvals.iter().filter(|row| row.status == ApprovalStatus::Accepted);
    let marked = accepted.filter_map(|row| Some((row, config.mark(&row.gate)?)));
    marked.map(|(row, mark)| format!("{mark}: {} opened by {}", row.gate, row.signers.join(", "))).collect()
}
