//! What a driver that is gone left open: each row is ended by what its server, or the journal itself, knows of it.

use crate::authorization::Inputs;
use crate::cli::shared::connection::role_access;
use crate::ledger::{Finished, Journal, Ledger, Started};
use crate::plan::{FlagPlace, FlagTask, Task};
use crate::problem::Problems;
use crate::runtime::{Fate, Who, fate};
use crate::settings::effects::Builtin;
use std::collections::BTreeMap;

/// Ends what can be known of the starts of this very plan; what cannot stays open, and what another plan meant stays as it is.
pub fn settle(ledger: &dyn Ledger, inputs: &Inputs, journal: &Journal) -> Result<(), Problems> {
    let of_plan = |(_, started): &(_, &Started)| started.plan == inputs.plan.digest;
    for (entry, started) in journal.open(&inputs.plan.run).filter(of_plan) {
        let Some((exit_status, note)) = known(inputs, started)? else { continue };
        let Some(mut held) = ledger.hold(&started.run)? else { continue };
        held.finish(&Finished {
            run: started.run.clone(),
            action: started.action.clone(),
            started: entry.sequence,
            exit_status: Some(exit_status),
            note: Some(note.to_owned()),
            produced: BTreeMap::new(),
            output: None,
        })?;
    }
    Ok(())
}

/// How a row ended whose beginner is gone, where that can be known.
fn known(inputs: &Inputs, started: &Started) -> Result<Option<(i32, &'static str)>, Problems> {
    let Some(task) = inputs.plan.action(&started.action).and_then(|(_, row)| Some(&row.work.as_ref()?.task)) else {
        return Ok(None);
    };
    let role = match task {
        // Nothing but the journal is their work.
        Task::Builtin(Builtin::Start | Builtin::Pause | Builtin::Resume | Builtin::End, _) => {
            return Ok(Some((0, "found begun, and nothing but that was to be done")));
        }
        // That a probe was rolled back does not say that it was called.
        Task::Sql(task) if task.rolls_back => return Ok(None),
        Task::Sql(task) => &task.role,
        Task::Flag(FlagTask { place: FlagPlace::Row { role, .. }, .. }) => role,
        Task::Backup(..) | Task::Builtin(..) | Task::Program(_) | Task::Flag(_) => return Ok(None),
    };
    let Some(transaction) = &started.transaction else { return Ok(None) };
    let who = Who { role: role.clone(), database: inputs.plan.database().map(str::to_owned) };
    Ok(match fate(&role_access(&inputs.config, role)?, transaction, &who)? {
        Fate::Committed => Some((0, "found committed, as its server says")),
        Fate::Aborted => Some((1, "found rolled back, as its server says")),
        Fate::Unknown => None,
    })
}
