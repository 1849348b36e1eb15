//! What other programs ask: a bundle is read, a plan decided by it, a row explained, an attestation verified. Copies, not our types.

mod error;
mod verified;

pub use error::{Error, Fault};
pub use verified::{Verified, verify};

use crate::authorization::{Authorization, Documents, Inputs};
use crate::facts::Facts;
use crate::ledger::Journal;
use crate::plan::RunPlan;
use crate::policy::PolicyBundle;
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::record::{BundleTrust, Clock, Decisions, RowDecision};
use crate::request::{Requests, Stage};
use crate::settings::Config;
use crate::signature::Revocations;
use crate::time::Timestamp;
use crate::trust::SignatureFile;
use crate::{explain, files, project};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A policy bundle that was read and validated: what judges. It never changes afterwards.
#[derive(Clone, Debug)]
pub struct Bundle {
    policies: PolicyBundle,
    config: Config,
    folder: PathBuf,
}

impl Bundle {
    /// Reads a folder of policies, and the `cutter.toml` that belongs to it, if it has one.
    ///
    /// Each file is read once, and validation is strict: a warning of Cedar's validator is an error.
    pub fn read(policies: &Path, config: Option<&Path>) -> Result<Self, Error> {
        let sources = project::read_bundle(policies, config).coded(Code::BundleInvalid)?;
        let parsed = PolicyBundle::parse(&sources).coded(Code::BundleInvalid)?;
        let config = sources.config.as_ref().map(Config::parse).transpose().coded(Code::ConfigInvalid)?;
        Ok(Self { policies: parsed, config: config.unwrap_or_default(), folder: policies.to_path_buf() })
    }

    /// Sha-256 over all that decides, as 64 hexadecimal digits: what an approval and every result name.
    pub fn digest(&self) -> String {
        self.policies.digest().to_string()
    }

    /// Decides every row of a plan by the facts that the files of a folder state, as of a time.
    ///
    /// It is a preview, as `cutter authorize` without approvals and ledger: nothing is asked, written or run, and every gate is closed.
    pub fn decide(&self, plan: &Path, facts: &Path, now: SystemTime) -> Result<Decided, Error> {
        let source = files::read_plan(plan)?;
        let plan = RunPlan::parse(&source, self.policies.schema(), Some(&self.config), &project::program);
        let facts = Facts::admit(&project::read_entities(facts)?, &self.policies).coded(Code::FactsInvalid)?;
        let inputs = Inputs {
            bundle: self.policies.clone(),
            facts,
            plan: plan.coded(Code::PlanInvalid)?,
            config: self.config.clone(),
            now: timestamp(now)?,
            clock: Clock::Given,
            trust: self.standing()?,
            revocations: Revocations::none(),
            known_keys: Default::default(),
        };
        let decisions = authorize(&inputs)?.document()?;
        Ok(Decided { inputs, decisions })
    }

    /// That there is a signature is said; whose it is, is not looked at.
    fn standing(&self) -> Result<BundleTrust, Problem> {
        let signature = SignatureFile::beside(&self.folder)?;
        Ok(if signature.bytes().is_some() { BundleTrust::Unverified } else { BundleTrust::Unsigned })
    }
}

/// What became of a plan.
#[derive(Debug)]
pub struct Decided {
    inputs: Inputs,
    decisions: Decisions,
}

impl Decided {
    /// The worst of the rows, as results name it: `AUTHORIZED`, `READY_FOR_SOVEREIGN_APPROVAL`, `BLOCKED`, `DENIED`, ...
    pub fn verdict(&self) -> &'static str {
        self.decisions.verdict.name()
    }

    /// Whether every row is allowed.
    pub fn is_authorized(&self) -> bool {
        self.decisions.decisions.iter().all(|row| row.decision == RowDecision::Allow)
    }

    /// The rows, in the order of the plan.
    pub fn rows(&self) -> Vec<Row> {
        let row = |row: &crate::record::RecordedRow| Row {
            id: row.id.clone(),
            allowed: row.decision == RowDecision::Allow,
            basis: serde_json::to_value(row.basis)
                .ok()
                .and_then(|name| Some(name.as_str()?.to_owned()))
                .unwrap_or_default(),
            reason: row.reason.clone(),
            policies: row.policies.clone(),
            gates: row.needs.iter().map(|need| need.gate.clone()).collect(),
            gaps: row.gaps.clone(),
            after: row.blocked_by.clone(),
        };
        self.decisions.decisions.iter().map(row).collect()
    }

    /// Why one row is what it is, and what would change it.
    pub fn explain(&self, row: &str) -> Result<Explanation, Error> {
        let authorization = authorize(&self.inputs)?;
        let explained = explain::explain(authorization.requests(), &self.decisions, row)?;
        let because = |policy: explain::ExplainedPolicy| Because {
            policy: policy.id,
            title: policy.title,
            file: policy.file,
            line: policy.line,
            facts: policy.facts.into_iter().map(|fact| (fact.path, fact.value)).collect(),
        };
        Ok(Explanation { changes: explained.changes, because: explained.policies.into_iter().map(because).collect() })
    }

    /// The whole result as `cutter authorize --format json` prints it: a document with a version.
    pub fn json(&self) -> Result<String, Error> {
        let text = serde_json::to_string_pretty(&self.decisions)
            .map_err(|error| Problem::failure(format!("the decisions have no JSON form: {error}")))?;
        Ok(crate::text::escaped_json(text + "\n"))
    }
}

/// What became of one row of a plan.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Row {
    /// Its name in the plan.
    pub id: String,
    /// Whether it may run, as far as can be said before it does.
    pub allowed: bool,
    /// Why, in one word: `permitted`, `approval_required`, `precondition`, `forbidden`, `blocked_by`, `indeterminate`, ...
    pub basis: String,
    /// Why, in one line.
    pub reason: String,
    /// The `@id` of the policies that decided, sorted.
    pub policies: Vec<String>,
    /// The gates that approvals must open.
    pub gates: Vec<String>,
    /// The gaps that somebody must close.
    pub gaps: Vec<String>,
    /// The denied rows that come before it.
    pub after: Vec<String>,
}

/// Why a row is what it is.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Explanation {
    /// What would change it, the smallest step first.
    pub changes: Vec<String>,
    /// The policies that decided it, in the order of the files.
    pub because: Vec<Because>,
}

/// One deciding policy, and what it looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Because {
    /// Its `@id`.
    pub policy: String,
    /// Its `@title`, or its id.
    pub title: String,
    /// The file it stands in.
    pub file: String,
    /// The line that it begins at, from 1.
    pub line: usize,
    /// The facts it looked at, by path, with their values as Cedar writes them, or `absent`.
    pub facts: Vec<(String, String)>,
}

fn authorize(inputs: &Inputs) -> Result<Authorization<'_>, Problems> {
    let requests = Requests::new(&inputs.plan, &inputs.bundle, &inputs.facts)?;
    Authorization::new(inputs, requests, Documents::default(), Journal::default(), Stage::Plan, BTreeMap::new())
}

fn timestamp(now: SystemTime) -> Result<Timestamp, Problem> {
    Timestamp::from_system(now).ok_or_else(|| Problem::failure("the time is none that can be written as RFC 3339"))
}
