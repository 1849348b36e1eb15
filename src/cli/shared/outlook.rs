//! What would stop a run later, said before it begins: users that its ledger cannot serve, programs of its own, rows without work,
//! a size that nobody could sign.

use crate::files::LARGEST_FILE;
use crate::json::in_backticks;
use crate::plan::{IntendedAction, Mode, RunPlan};
use crate::problem::{Code, Coded as _, Problem, Problems};
use std::collections::BTreeSet;

/// Warnings about a plan; `is_shared` says whether its ledger serves several users.
pub fn of_plan(plan: &RunPlan, is_shared: bool) -> Problems {
    let mut problems = Problems::new();
    if plan.mode != Mode::Live {
        return problems;
    }
    let can_run = plan.actions.iter().filter(|action| action.work.is_some());
    let principals: BTreeSet<String> = can_run.map(|action| action.principal.to_string()).collect();
    if principals.len() > 1 && !is_shared {
        let names: Vec<&String> = principals.iter().collect();
        let message = format!(
            "rows act as {}, each another user of the system, and the ledger is a folder",
            in_backticks(&names)
        );
        let help = "a folder serves one user: name a shared one with `[ledger.database]` in cutter.toml";
        problems.push(Problem::failure(message).of(&plan.source).help(help));
    }
    let own = named(plan, |action| action.work.as_ref().is_some_and(|work| work.effect.is_none()));
    if !own.is_empty() {
        let message =
            format!("{} run programs that no effect declares: each is judged as `run_program`", in_backticks(&own));
        let help = "declare an effect in cutter.toml and name it in the row; nothing permits other programs by default";
        problems.push(Problem::failure(message).of(&plan.source).help(help));
    }
    problems
}

/// Rows that name nothing that would run: whatever policies say, they are allowed nothing.
pub fn without_work(plan: &RunPlan) -> Problems {
    let mut problems = Problems::new();
    let idle = named(plan, |action| plan.mode == Mode::Live && action.work.is_none());
    if !idle.is_empty() {
        let message = format!("{} name no work: they can be denied, and never allowed", in_backticks(&idle));
        problems.push(Problem::failure(message).of(&plan.source).help("name an effect of cutter.toml in each"));
    }
    problems
}

/// Refuses a plan whose report nobody could sign and read back, before anything is done by it.
pub fn check_size(plan: &RunPlan, statement: usize, facts: usize) -> Result<(), Problem> {
    // Each row stands in the report twice, as it was decided and as it was used.
    let report = statement as u64 * 2 + plan.source.text().len() as u64 + facts as u64;
    if report <= LARGEST_FILE {
        return Ok(());
    }
    let size = report / 1024 / 1024;
    let message = format!(
        "the plan cannot be attested: its report would have {size} MiB, and {} can be signed",
        LARGEST_FILE / 1024 / 1024
    );
    Err(Problem::invalid(message).of(&plan.source).help("split it into several runs").coded(Code::PlanTooLarge))
}

fn named(plan: &RunPlan, is: impl Fn(&IntendedAction) -> bool) -> Vec<&String> {
    plan.actions.iter().filter(|action| is(action)).map(|action| &action.id).take(MOST).collect()
}

/// More rows than this are not named.
const MOST: usize = 20;
