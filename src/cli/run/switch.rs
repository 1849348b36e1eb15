//! Whether a switch is off now, and whose it is while a run holds it.

use crate::cli::shared::connection::role_access;
use crate::observe::flag::observe;
use crate::plan::{FlagPlace, FlagTask, RunPlan};
use crate::problem::{Problem, Problems};
use crate::runtime::{SESSION, Who, compare};
use crate::settings::Config;
use crate::settings::effects::OnOff;

/// The place in the ledger of whoever may have turned the switch on.
pub fn lease(name: &str) -> String {
    format!("lease of the switch {name}")
}

/// The place in the ledger of whoever drives the run.
pub fn lease_of_run(run: &str) -> String {
    format!("{run} as a whole")
}

/// Whether it stands at its declared off value; one that cannot be read, or not where the plan is aimed at, is an error.
pub fn is_off(plan: &RunPlan, config: &Config, flag: &FlagTask) -> Result<bool, Problems> {
    let name = &flag.name;
    let unknown = |why: &str| {
        Problem::failure(format!("whether the switch `{name}` is off is not known: {why}"))
            .help("nothing begins before that; correct its declaration in [evidence.flags], or what it reads")
    };
    let settings = config.evidence.flags.get(name).ok_or_else(|| unknown("it is not declared"))?;
    let observation = match &flag.place {
        FlagPlace::File(..) => observe(name, settings, None),
        FlagPlace::Row { role, .. } => {
            let mut session = role_access(config, role)?.open()?;
            let mut snapshot = session.begin().map_err(|error| unknown(&error.to_string()))?;
            let who = Who { role: role.clone(), database: plan.database().map(str::to_owned) };
            let rows = snapshot.query(SESSION, &[]).map_err(|error| unknown(&error.to_string()))?;
            compare(&rows, &who).map_err(|why| unknown(&why))?;
            observe(name, settings, Some(&mut snapshot))
        }
    };
    let observation = observation.map_err(|error| unknown(&error.to_string()))?;
    let value = observation.values.get("value").ok_or_else(|| unknown("it has no one value"))?;
    Ok(settings.value(OnOff::Off) == Some(value.as_str()))
}
