//! The facts that a row was judged by, asked of the database once more beside its effect: where one is otherwise now, nothing of the
//! effect lasts.

use super::permission::Permission;
use crate::db::{Access, Session};
use crate::decision::{DecisionRow, decide_one};
use crate::facts::Facts;
use crate::json;
use crate::measure::{Asking, ask_again};
use crate::plan::{FlagPlace, FlagTask, SqlArgument, Task};
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::record::RecordedRow;
use crate::request::Requests;
use serde_json::Value;
use std::collections::BTreeMap;

/// A session beside the effect's, as whoever asked before.
pub struct Judged<'a> {
    permission: &'a Permission<'a>,
    session: Session,
    target: Value,
    before: BTreeMap<String, String>,
}

impl<'a> Judged<'a> {
    /// Opens a session, where the row's work is one transaction, and it was judged by something that the database was asked for.
    pub fn open(
        permission: &'a Permission<'a>,
        facts: &dyn Fn() -> Result<Access, Problem>,
    ) -> Result<Option<Self>, Problems> {
        match &permission.work.task {
            Task::Sql(_) | Task::Flag(FlagTask { place: FlagPlace::Row { .. }, .. }) => {}
            Task::Program(_) | Task::Flag(_) | Task::Backup(..) | Task::Builtin(..) => return Ok(None),
        }
        let target = serde_json::to_value(&permission.plan().target)
            .map_err(|error| Problem::failure(format!("the plan's target has no JSON form: {error}")))?;
        let before = asked(permission, &target, &permission.row)?;
        if before.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self { permission, session: facts()?.open()?, target, before }))
    }

    /// Asks, and judges the row again by what is answered: what it reads must be as it was.
    pub fn look(&mut self) -> Result<(), Problem> {
        let Self { permission, session, target, before } = self;
        let requests = permission.authorization.requests();
        let unread = |problems: Problems| {
            let message = format!("what it was judged by cannot be read again: {}", problems.in_one_line());
            refused(message, "nothing of it lasts; what the effect itself holds locked cannot be looked at beside it")
        };
        let raw = ask_again(&asking(permission, target), session, requests.facts().raw()).map_err(unread)?;
        let facts = Facts::admit(&raw, requests.bundle()).map_err(unread)?;
        let again = Requests::new(permission.plan(), requests.bundle(), &facts).map_err(unread)?;
        let row = decide_one(&again, permission.action, permission.authorization.moment())?;
        let now = asked(permission, target, &row).map_err(unread)?;
        let names = before.keys().chain(now.keys());
        let Some(name) = names.into_iter().find(|name| before.get(*name) != now.get(*name)) else { return Ok(()) };
        let value = |facts: &BTreeMap<String, String>| facts.get(name).map_or("not read", String::as_str).to_owned();
        let message = format!("`{name}` was {} when it was judged, and is {} now", value(before), value(&now));
        Err(refused(message, "nothing of it lasts; find out who changed it, and decide again"))
    }
}

/// What a row was judged by, and works with, that the database was asked for: each fact and its value.
fn asked(permission: &Permission<'_>, target: &Value, row: &DecisionRow) -> Result<BTreeMap<String, String>, Problems> {
    let asking = asking(permission, target);
    let read = row.facts.iter().filter(|fact| asking.asks(&fact.by));
    let mut facts: BTreeMap<String, String> = read.map(|fact| (fact.fact.clone(), fact.value.clone())).collect();
    let Task::Sql(task) = &permission.work.task else { return Ok(facts) };
    let arguments = task.arguments.values().filter_map(|argument| match argument {
        SqlArgument::Fact(path) => Some(path),
        _ => None,
    });
    let run = permission.authorization.requests().run_entity();
    let context = RecordedRow::new(permission.action, row)?.context;
    for path in arguments.chain(task.each.as_ref().map(|(_, path)| path)) {
        let by = run.map(|run| permission.authorization.requests().facts().provenance(run, &format!("facts.{path}")));
        let name = format!("run.facts.{path}");
        if by.is_some_and(|by| asking.asks(&by)) {
            let value = json::at(&context, &name).map_or_else(|| "absent".to_owned(), Value::to_string);
            facts.entry(name).or_insert(value);
        }
    }
    Ok(facts)
}

fn asking<'p>(permission: &'p Permission<'_>, target: &'p Value) -> Asking<'p> {
    let inputs = permission.authorization.inputs();
    Asking {
        settings: &inputs.config.facts,
        evidence: &inputs.config.evidence,
        schema: inputs.bundle.schema(),
        run: &inputs.plan.run,
        target,
        now: inputs.now,
        observer: "",
    }
}

fn refused(message: String, help: &str) -> Problem {
    Problem::failure(message).help(help.to_owned()).coded(Code::FactsChanged)
}
