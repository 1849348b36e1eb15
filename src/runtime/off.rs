//! Turning a declared switch off: always possible, and nothing else. No approval, no time, no ledger and no fact is asked for.

use super::flag::ReadyFlag;
use super::row::ReadyRow;
use super::work::Outcome;
use crate::db::Access;
use crate::digest::Digest;
use crate::plan::{FlagPlace, FlagTask, IntendedAction, RunPlan, Task};
use crate::problem::{Problem, Problems};
use crate::settings::Config;
use crate::settings::effects::OnOff;
use crate::trust::{Vouched, guarded};
use std::path::Path;

/// The right to set one declared switch to its declared off value.
///
/// INVARIANT: [`SwitchOff::by_bundle`] and [`SwitchOff::by_root`] are the only ways to make one: somebody who may sign bundles, or
/// root, declared where the switch stands and what is off.
#[derive(Debug)]
pub struct SwitchOff<'a> {
    flag: &'a FlagTask,
    database: Option<&'a str>,
}

impl<'a> SwitchOff<'a> {
    /// By the declaration in a bundle that was ever signed: `policies` is its digest, and `config` was read with it.
    pub fn by_bundle(
        plan: &'a RunPlan,
        action: &'a IntendedAction,
        (policies, config): (Digest, &Config),
        vouched: &Vouched,
    ) -> Option<Self> {
        let flag = off(action, config).filter(|_| vouched.policies() == policies)?;
        Some(Self { flag, database: plan.database() })
    }

    /// By the declaration in a file that only root can change: it has the same switch in the same place, and the same off value.
    pub fn by_root(
        plan: &'a RunPlan,
        action: &'a IntendedAction,
        config: &Config,
        path: &Path,
    ) -> Result<Option<Self>, Problems> {
        let Some(flag) = off(action, config) else { return Ok(None) };
        let declared = Config::parse(&guarded::read(path, "the declaration of switches")?)?;
        let settings = |config: &Config| {
            let flag = config.evidence.flags.get(&flag.name)?.clone();
            Some((flag.file, flag.pattern, flag.query, flag.set, flag.off))
        };
        let reached = |config: &Config| match &flag.place {
            FlagPlace::File(..) => None,
            FlagPlace::Row { role, .. } => config.connections.get(role).cloned(),
        };
        let is_same = settings(config) == settings(&declared) && reached(config) == reached(&declared);
        Ok(is_same.then_some(Self { flag, database: plan.database() }))
    }

    /// The switch and its value.
    pub fn flag(&self) -> &FlagTask {
        self.flag
    }

    /// Sets it and reads it again; where somebody else writes meanwhile, once more.
    pub fn run(&self, connection: &dyn Fn(&str) -> Result<Access, Problem>) -> Result<Outcome, Problems> {
        let once = || -> Result<Outcome, Problems> {
            let FlagTask { name, place, to } = self.flag;
            Ok(match place {
                FlagPlace::File(file, pattern) => ReadyFlag::prepare(name, to, (file, pattern))?.run(),
                FlagPlace::Row { query, set, role } => {
                    ReadyRow::prepare((name, to), (query, set, role), self.database, connection)?.run(&mut || Ok(()))
                }
            })
        };
        let mut outcome = once()?;
        for _ in 0..MORE_TRIES {
            if outcome.status() == Some(0) {
                break;
            }
            outcome = once()?;
        }
        Ok(outcome)
    }
}

/// The switch that the row turns off, if that is all that it does.
pub(super) fn off<'a>(action: &'a IntendedAction, config: &Config) -> Option<&'a FlagTask> {
    let work = action.work.as_ref()?;
    let Task::Flag(flag) = &work.task else { return None };
    let change = config.effects.get(work.effect.as_ref()?)?.flag.as_ref()?;
    let declared = config.evidence.flags.get(&flag.name)?.value(OnOff::Off)?;
    (change.to == OnOff::Off && change.name == flag.name && declared == flag.to).then_some(flag)
}

const MORE_TRIES: usize = 2;
