//! What approvals are judged against: where they lie, the ledger, the evidence that they may be bound to.

use super::ledger::LedgerArguments;
use crate::approval::ApprovalFile;
use crate::authorization::{Authorization, Documents, Inputs};
use crate::decision::DecisionRow;
use crate::digest::Digest;
use crate::ledger::{Journal, Wanted};
use crate::problem::{Code, Coded as _, Problems};
use crate::request::{Requests, Stage};
use crate::{files, project};
use clap::Args;
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

impl AuthorityArguments {
    /// Judges a plan by the approvals and the ledger that the command line names.
    pub fn authorize<'a>(&self, inputs: &'a Inputs, stage: Stage) -> Result<Authorization<'a>, Problems> {
        self.authorize_rest(inputs, stage, |_| BTreeMap::new())
    }

    /// The same in the middle of a run or after it: rows that `ran` picks from the journal stay as they were decided then.
    pub fn authorize_rest<'a>(
        &self,
        inputs: &'a Inputs,
        stage: Stage,
        ran: impl FnOnce(&Journal) -> BTreeMap<usize, DecisionRow>,
    ) -> Result<Authorization<'a>, Problems> {
        let mut problems = Problems::new();
        let approvals = problems.absorb(self.files());
        let baseline = match &self.baseline {
            Some(path) => {
                problems.absorb(files::read_bytes(path).map(|bytes| Some(Digest::of(&bytes))).map_err(Into::into))
            }
            None => Some(None),
        };
        let requests = Requests::new(&inputs.plan, &inputs.bundle, &inputs.facts).coded(Code::PlanUnfit);
        let (Some(approvals), Some(baseline), Some(requests), true) =
            (approvals, baseline, problems.absorb(requests), problems.is_empty())
        else {
            return Err(problems);
        };
        let ledger = self.ledger.find(&inputs.config)?;
        let digests: Vec<Digest> = approvals.iter().map(|file| Digest::of(file.source.text().as_bytes())).collect();
        let wanted = Wanted::Of { run: &inputs.plan.run, approvals: &digests };
        let journal = ledger.store().read(wanted)?.whole(&ledger.store().name())?;
        let ran = ran(&journal);
        Authorization::new(inputs, requests, Documents { approvals, baseline }, journal, stage, ran)
    }

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

    /// The folder of approvals.
    pub fn folder(&self) -> PathBuf {
        self.approvals.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_APPROVALS))
    }

    /// The documents; without the default folder there are none.
    fn files(&self) -> Result<Vec<ApprovalFile>, Problems> {
        match &self.approvals {
            Some(folder) => project::read_approvals(folder),
            None if files::is_there(Path::new(DEFAULT_APPROVALS)) => {
                project::read_approvals(Path::new(DEFAULT_APPROVALS))
            }
            None => Ok(Vec::new()),
        }
    }
}

const DEFAULT_APPROVALS: &str = "approvals";
