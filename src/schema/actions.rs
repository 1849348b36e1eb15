//! What each action of a bundle must have: the runtime's record in its context, and its place in one group of the prelude.

use super::joined::{attributes, resolve};
use super::{RunSchema, closers, own_name};
use crate::cedar::scope;
use crate::json::in_backticks;
use crate::prelude::{GROUPS, NAMESPACE};
use crate::problem::{Problem, Problems};
use cedar_policy::EntityUid;
use serde_json::Value;

impl RunSchema {
    /// Whether each action of the bundle carries the runtime's record, and is in one of the groups.
    pub(super) fn check_actions(&self) -> Result<(), Problems> {
        let mut problems = Problems::new();
        let groups: Vec<(&str, Option<EntityUid>)> =
            GROUPS.into_iter().map(|name| (name, self.prelude_action(name))).collect();
        let run = self.common_types.get(&own_name("RunFacts")).unwrap_or(&Value::Null);
        let entities = self
            .schema
            .action_entities()
            .map_err(|error| Problem::invalid(format!("the schema's actions cannot be read: {error}")))?;
        for (action, context) in &self.contexts {
            if action.type_name().namespace() == NAMESPACE {
                continue;
            }
            let name = action.id().unescaped();
            let wrong = |message: String, help: &str| {
                Problem::invalid(message).at(&self.source, self.place(name)).help(help.to_owned())
            };
            let found = attributes(context).find(|(key, _)| *key == "run").map(|(_, run)| run);
            let is_record = |shape: &Value| {
                resolve(shape, &self.common_types) == run && shape.get("required") != Some(&Value::Bool(false))
            };
            if !found.is_some_and(is_record) {
                problems.push(wrong(
                    format!("the action `{name}` does not have the runtime's record as `run` in its context"),
                    "give it `context: { run: Cutter::RunFacts }`; parameters are beside `run`",
                ));
            }
            let is_in =
                |group: &Option<EntityUid>| group.as_ref().is_some_and(|group| scope::is_in(action, group, &entities));
            let within: Vec<&str> = groups.iter().filter(|(_, group)| is_in(group)).map(|(name, _)| *name).collect();
            if is_in(&self.prelude_action("judging")) || within.len() != 1 {
                problems.push(wrong(
                    match within.as_slice() {
                        [] => format!("the action `{name}` is in none of {}", in_backticks(&GROUPS)),
                        [_] => format!("the action `{name}` is in `judging`, which is the prelude's"),
                        several => format!("the action `{name}` is in {}, not in one of them", in_backticks(several)),
                    },
                    "put it into exactly one: for instance `in [Cutter::Action::\"mutating\"]`",
                ));
            }
            let to = attributes(context).find(|(key, _)| *key == "to").map(|(_, to)| to);
            let is_bool = |to: &Value| closers::is_type(resolve(to, &self.common_types), &["Bool", "Boolean"]);
            if is_in(&self.prelude_action("switching")) && !to.is_some_and(|to| is_bool(to) && closers::required(to)) {
                problems.push(wrong(
                    format!("the action `{name}` is in `switching` and has no `to: Bool` in its context"),
                    "give it `context: { to: Bool, run: Cutter::RunFacts }`: on is true, off is false",
                ));
            }
        }
        problems.or(())
    }
}
