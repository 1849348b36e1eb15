//! The walk from inputs to decisions that several subcommands share: closed table, approvals judged, and what they open.

use super::common::{Inputs, LedgerArguments};
use crate::approval::judge::{Authority, barred, judge};
use crate::approval::{ApprovalFile, Approvals};
use crate::decision::{DecisionRow, DecisionTable, decide, decide_rest};
use crate::digest::Digest;
use crate::document::Decisions;
use crate::files;
use crate::problem::{Code, Coded as _, Problems};
use crate::request::{Moment, Requests, Stage};
use clap::Args;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where approvals lie, and what they are judged against.
#[derive(Args, Debug)]
pub struct AuthorityArguments {
    /// The folder of approvals: `X.json` with `X.json.sig` or `X.json.<name>.sig` beside it [default: approvals, where it
    /// exists]
    #[arg(long, value_name = "DIR")]
    approvals: Option<PathBuf>,
    #[command(flatten)]
    pub ledger: LedgerArguments,
    /// The evidence that approvals may be bound to
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
}

/// A plan decided with every gate closed, its approvals judged, and what they open.
#[derive(Debug)]
pub struct Walk<'a> {
    /// The plan, ready to be asked about.
    pub requests: Requests<'a>,
    /// The decisions with every gate closed, before anything ran.
    pub closed: DecisionTable,
    /// The documents as they were found.
    pub found: Vec<ApprovalFile>,
    /// The approvals.
    pub approvals: Approvals,
    /// When, and what is open then.
    pub moment: Moment,
    /// Rows that ran, as they were decided then.
    ran: Option<&'a BTreeMap<usize, DecisionRow>>,
    /// Whether there is a ledger.
    pub has_ledger: bool,
}

/// Walks from inputs to decisions; it only looks.
pub fn walk<'a>(inputs: &'a Inputs, authority: &AuthorityArguments, stage: Stage) -> Result<Walk<'a>, Problems> {
    walk_after(inputs, authority, stage, None)
}

/// The same after a run: rows that ran stay as they were decided then, and what the run used up is not held against it.
pub fn walk_after<'a>(
    inputs: &'a Inputs,
    authority: &AuthorityArguments,
    stage: Stage,
    ran: Option<&'a BTreeMap<usize, DecisionRow>>,
) -> Result<Walk<'a>, Problems> {
    let mut problems = Problems::new();
    let found = problems.absorb(authority.files());
    let baseline = match &authority.baseline {
        Some(path) => {
            problems.absorb(files::read_bytes(path).map(|bytes| Some(Digest::of(&bytes))).map_err(Into::into))
        }
        None => Some(None),
    };
    let requests = problems.absorb(Requests::new(&inputs.plan, &inputs.bundle, &inputs.facts).coded(Code::PlanUnfit));
    let (Some(found), Some(baseline), Some(requests), true) = (found, baseline, requests, problems.is_empty()) else {
        return Err(problems);
    };
    let ledger = authority.ledger.find(&inputs.config)?;
    let ledger = ledger.store();
    let id = ledger.id()?.map(|id| id.to_string());
    let closed = decide(&requests, &Moment::closed(inputs.now, Stage::Plan))?;
    let barred = barred(&requests, &closed);
    let mut moment = Moment::closed(inputs.now, stage);
    let authority = Authority {
        signers: inputs.bundle.signers(),
        revocations: &inputs.revocations,
        ledger: id.as_deref(),
        baseline,
        is_used: &|approval, row| match ledger.used(approval, row)? {
            // What was used and is not recorded as done stays used.
            Some(used) => Ok(used.run != inputs.plan.run || !ran.is_some_and(|ran| is_done(inputs, ran, row))),
            None => Ok(false),
        },
    };
    let approvals = judge(&found, &requests, &barred, &authority, &moment)?;
    moment.gates.clone_from(&approvals.gates);
    moment.spent.clone_from(&approvals.spent);
    Ok(Walk { requests, closed, found, approvals, moment, ran, has_ledger: id.is_some() })
}

/// Whether a row is among those that ran.
fn is_done(inputs: &Inputs, ran: &BTreeMap<usize, DecisionRow>, row: &str) -> bool {
    inputs.plan.action(row).is_some_and(|(index, _)| ran.contains_key(&index))
}

impl Walk<'_> {
    /// The decisions as a document.
    pub fn document(&self, inputs: &Inputs) -> Result<Decisions, Problems> {
        let (requests, moment, table) = (&self.requests, &self.moment, self.table()?);
        Ok(Decisions::new(requests, &table, moment, inputs.clock, &self.approvals, &inputs.config)?
            .under(inputs.trust.clone()))
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

impl AuthorityArguments {
    /// The flags that were not left to their defaults.
    pub fn flags(&self) -> Vec<String> {
        let mut flags = Vec::new();
        if let Some(folder) = &self.approvals {
            flags.extend(["--approvals".to_owned(), folder.to_string_lossy().into_owned()]);
        }
        flags.extend(self.ledger.flags());
        if let Some(path) = &self.baseline {
            flags.extend(["--baseline".to_owned(), path.to_string_lossy().into_owned()]);
        }
        flags
    }

    /// The evidence that approvals may be bound to.
    pub fn baseline(&self) -> Option<&Path> {
        self.baseline.as_deref()
    }

    /// The documents; without the default folder there are none.
    fn files(&self) -> Result<Vec<ApprovalFile>, Problems> {
        match &self.approvals {
            Some(folder) => files::read_approvals(folder),
            None if Path::new(DEFAULT_APPROVALS).exists() => files::read_approvals(Path::new(DEFAULT_APPROVALS)),
            None => Ok(Vec::new()),
        }
    }
}

const DEFAULT_APPROVALS: &str = "approvals";
