//! Turning off first: what a row turns off is off before anything else of it is asked, and is written down afterwards.

use super::moment::Used;
use crate::cli::shared::clock::system_time;
use crate::cli::shared::connection::role_access;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::inputs::InputArguments;
use crate::cli::shared::ledger::spool;
use crate::digest::Digest;
use crate::layout::lines::Tone;
use crate::ledger::{Ledger, Record, SwitchedOff};
use crate::plan::{IntendedAction, Mode, RunPlan};
use crate::policy::PolicyBundle;
use crate::problem::Problems;
use crate::runtime::{Outcome, SwitchOff};
use crate::settings::Config;
use crate::settings::ledger::LedgerSettings;
use crate::trust::{RunningUser, SignatureFile, Vouched};
use std::path::PathBuf;

/// By what a row is turned off: what was read of it, and who vouched for that.
#[derive(Clone, Copy)]
pub struct Declared<'a> {
    pub policies: Digest,
    pub config: &'a Config,
    pub plan: &'a RunPlan,
    pub vouched: Option<&'a Vouched>,
}

/// A switch that is off by its declaration alone, and not yet written down.
pub struct TurnedOff {
    /// Where its record waits while the ledger is away.
    spool: PathBuf,
    action: IntendedAction,
    record: SwitchedOff,
}

impl TurnedOff {
    /// Turns off what the row turns off, if that is all that it does and somebody vouched for the declaration. Nothing else is asked.
    ///
    /// Nothing where the row does anything else, where nobody vouched, or where the switch cannot be set: the ordinary way says why.
    pub fn first(arguments: &InputArguments, action: &str) -> Option<Self> {
        let (bundle, config, plan) = arguments.plan_alone().ok()?;
        let (row, vouched) = (plan.named(action).ok()?, vouched(arguments, &bundle));
        let by = Declared { policies: bundle.digest(), config: &config, plan: &plan, vouched: vouched.as_ref() };
        Self::known(arguments, by, row)
    }

    /// The same by what was read before: whatever became of the files since does not keep a switch on.
    pub fn known(arguments: &InputArguments, by: Declared<'_>, row: &IntendedAction) -> Option<Self> {
        let Declared { policies, config, plan, vouched } = by;
        if plan.mode != Mode::Live {
            return None;
        }
        let by_bundle = vouched.and_then(|vouched| SwitchOff::by_bundle(plan, row, (policies, config), vouched));
        // Root declares where a switch is, and not which file to write to.
        let spool = by_bundle.as_ref().map_or(&LedgerSettings::default(), |_| &config.ledger).spool().to_path_buf();
        let off = by_bundle.or_else(|| SwitchOff::by_root(plan, row, config, &arguments.trust.switches()?).ok()?)?;
        let outcome = off.run(&|role| role_access(config, role)).ok()?;
        let Outcome::Done(_) = outcome else { return None };
        let (flag, value) = (off.flag().name.clone(), off.flag().to.clone());
        let (run, action) = (plan.run.clone(), row.id.clone());
        let record = SwitchedOff { run, plan: plan.digest, action, flag, value, note: String::new() };
        Some(Self { spool, action: row.clone(), record })
    }

    /// The row.
    pub fn action(&self) -> &IntendedAction {
        &self.action
    }

    /// What came of the ordinary way, where that wrote it down. Else its record goes into the ledger, or, while that is away, into a file.
    pub fn settle(self, ordinary: Result<Used, Problems>, ledger: Option<&dyn Ledger>) -> Result<Used, Problems> {
        let why = match ordinary {
            Ok(used) if used.exit == Exit::Authorized => return Ok(used),
            Ok(used) => used.what,
            Err(problems) => problems.in_one_line(),
        };
        let mut record = self.record;
        let when = system_time().map_or_else(|_| "at a time that is not known".to_owned(), |time| format!("at {time}"));
        let who =
            RunningUser::of_this_process().map_or_else(|_| "somebody".to_owned(), |user| format!("`{}`", user.name()));
        let note = format!("{when} by {who}, by its declaration alone: {why}");
        record.note = note.chars().take(LONGEST_NOTE).collect();
        let what = format!("{} is {}, by its declaration alone: {why}", record.flag, record.value);
        let record = Record::SwitchedOff(record);
        let path = &self.spool;
        let noted = ledger.is_some_and(|ledger| ledger.note(&record).is_ok());
        let kept = if noted { Ok(()) } else { spool::keep(path, &record) };
        let (tone, what, exit) = match kept {
            Ok(()) if noted => (Tone::Open, what, Exit::Authorized),
            Ok(()) => {
                let what = format!("{what}; its record waits in `{}` for the ledger", path.display());
                (Tone::Open, what, Exit::Authorized)
            }
            // It is off all the same.
            Err(problem) => (Tone::Bad, format!("{what}; no record of it is kept: {}", problem.message), Exit::Failure),
        };
        Ok(Used { basis: None, tone, what, exit, code: None })
    }
}

/// Who vouched for a bundle, ever.
pub fn vouched(arguments: &InputArguments, bundle: &PolicyBundle) -> Option<Vouched> {
    let (trust, revocations) = (arguments.trust.load().ok()?, arguments.trust.revocations().ok()?);
    let signature = SignatureFile::beside(arguments.bundle.folder()).ok()?;
    Vouched::ever(&trust, bundle.listing(), &signature, &revocations)
}

const LONGEST_NOTE: usize = 1000;
