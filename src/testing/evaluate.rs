//! Asking one case: its facts patched, its plan changed, its row decided, and what came of it compared with what must.

use super::coverage::{Coverage, Tally};
use super::{Asked, Case, CaseResult, Decider, Expected, direct, properties, world};
use crate::decision::{DecisionRow, decide, decide_one};
use crate::explain::looked_at;
use crate::facts::{Facts, RawFacts};
use crate::plan::{IntendedAction, RunPlan, Work};
use crate::policy::PolicyBundle;
use crate::problem::{Problem, Problems, Source, nearest};
use crate::request::{Moment, Requests};
use crate::settings::Config;
use crate::subject::{self, Subject};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What every case is asked of.
pub struct Inputs<'a> {
    /// The policies.
    pub bundle: &'a PolicyBundle,
    /// The same with its invariants.
    pub subject: &'a Subject,
    /// The configuration, where there is one.
    pub config: Option<&'a Config>,
    /// The recorded facts.
    pub facts: &'a RawFacts,
    /// Reads a plan by the path that a case names.
    pub plan: &'a dyn Fn(&str) -> Result<Source, Problems>,
}

/// Asks cases, one after the other.
pub struct Evaluator<'a> {
    inputs: Inputs<'a>,
    /// The recorded entities, file by file.
    entities: Vec<Vec<Value>>,
    plans: BTreeMap<String, Source>,
    /// What all cases reach, where that is asked for.
    tally: Option<Tally>,
}

impl<'a> Evaluator<'a> {
    /// Reads the recorded facts once.
    pub fn new(inputs: Inputs<'a>) -> Result<Self, Problems> {
        let mut problems = Problems::new();
        let mut entities = Vec::new();
        for source in &inputs.facts.sources {
            let value = problems.absorb(crate::json::parse(source)).map(|value| crate::json::to_serde(&value));
            entities.push(value.and_then(|value| value.as_array().cloned()).unwrap_or_default());
        }
        problems.or(Self { inputs, entities, plans: BTreeMap::new(), tally: None })
    }

    /// From here on, counts what cases reach.
    pub fn cover(&mut self) {
        self.tally = Some(Tally::new(self.inputs.bundle));
    }

    /// What cases reached since then.
    pub fn coverage(&mut self) -> Option<Coverage> {
        self.tally.take().map(Tally::finish)
    }

    /// Asks one case; the problems are those of a case that cannot be asked.
    pub fn evaluate(&mut self, case: &Case) -> Result<CaseResult, Problems> {
        let wrong = |message: String| Problems::from(Problem::invalid(message).at(&case.source, case.at.clone()));
        self.check_names(case).map_err(wrong)?;
        let mut result = CaseResult {
            name: case.name.clone(),
            file: case.source.name().to_owned(),
            line: case.source.position(case.at.start).0,
            passed: true,
            differences: Vec::new(),
            decided_by: Vec::new(),
        };
        if let Asked::Cedar(asked) = &case.asked {
            let (request, entities) = direct::request(case, asked, self.inputs.bundle, &self.entities)?;
            direct::compare(&case.expected, &request, &entities, self.inputs.bundle, &mut result);
            if let Some(name) = &case.expected.property {
                let subject_case = subject::counterexample::Case::of(&request, &entities);
                match subject_case.and_then(|of| properties::holds(self.inputs.subject, name, of)) {
                    Some(true) => {}
                    Some(false) => result.differences.push(format!("property: `{name}` does not hold of it")),
                    None => return Err(wrong(format!("the bundle has no property `{name}`"))),
                }
            }
            if let Some(tally) = &mut self.tally {
                tally.add(case, self.inputs.bundle, &request, &entities);
            }
            result.passed = result.differences.is_empty();
            return Ok(result);
        }
        let mut plan = self.plan_of(case).map_err(|problems| problems.of(&case.source))?;
        spell_out(&mut plan, self.inputs.config);
        let (row, run) = change(case, &mut plan).map_err(wrong)?;
        let mut plan = RunPlan::parse(
            &Source::new(case.source.name(), plan.to_string()),
            self.inputs.bundle.schema(),
            self.inputs.config,
            &|_| None,
        )
        .map_err(|problems| placed(&problems, case))?;
        // A case asks what policies say of a row, not what it would run.
        plan.actions.iter_mut().for_each(|action| action.work = Some(Work::stand_in()));
        let action = plan.action(&row).map(|(_, action)| action);
        let raw = self.patched(case, action, &run).map_err(wrong)?;
        let facts = Facts::admit(&raw, self.inputs.bundle).map_err(|problems| placed(&problems, case))?;
        // A case says what the policies make of facts, not where they come from.
        let facts = facts.into_measured();
        let requests = Requests::new(&plan, self.inputs.bundle, &facts).map_err(|problems| placed(&problems, case))?;
        let moment = Moment { gates: case.gates.clone(), ..Moment::closed(case.now, case.stage) };
        match action {
            Some(action) => {
                let row = decide_one(&requests, action, &moment).map_err(Problems::from)?;
                self.count(case, &requests, action, &row);
                result.differences = self.differences(&case.expected, &row);
                if !result.differences.is_empty() {
                    result.decided_by = deciders(&requests, action, &row);
                }
            }
            None => {
                let table = decide(&requests, &moment)?;
                for (action, row) in plan.actions.iter().zip(&table.rows) {
                    self.count(case, &requests, action, row);
                }
                let found = document(&plan, &table);
                let expected = case.expected.document.as_ref().unwrap_or(&Value::Null);
                compare("", expected, &found, &mut result.differences);
            }
        }
        result.passed = result.differences.is_empty();
        Ok(result)
    }

    /// Counts what a row of a case reaches, where that is asked for.
    fn count(&mut self, case: &Case, requests: &Requests<'_>, action: &IntendedAction, row: &DecisionRow) {
        if let Some(tally) = &mut self.tally
            && let Ok(request) = requests.checked_request(action, row.context.clone())
        {
            tally.add(case, self.inputs.bundle, &request, requests.facts().entities());
        }
    }

    /// Policies and gates that a case names must exist: a misspelt name would expect nothing.
    fn check_names(&self, case: &Case) -> Result<(), String> {
        let ids: Vec<&str> = self.inputs.bundle.policies().iter().map(|policy| policy.id()).collect();
        // Cedar's own form may name what is not there: then that did not decide.
        let is_cedar = matches!(case.asked, Asked::Cedar(_));
        let named = case.expected.policies.iter().chain(&case.expected.only).flatten().filter(|_| !is_cedar);
        let gates: Vec<&str> = self.inputs.bundle.schema().gates().iter().map(String::as_str).collect();
        for (what, name, known) in named
            .map(|id| ("policy", id, &ids))
            .chain(case.gates.iter().chain(case.expected.needs.iter().flatten()).map(|gate| ("gate", gate, &gates)))
        {
            if !known.contains(&name.as_str()) {
                let hint = nearest(name, known.iter().copied());
                let hint = hint.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
                return Err(format!("the bundle has no {what} `{name}`{hint}"));
            }
        }
        Ok(())
    }

    /// The plan's JSON: of the file that the case names, or one of a single row.
    fn plan_of(&mut self, case: &Case) -> Result<Value, Problems> {
        if let Asked::Request(request) = &case.asked {
            return Ok(self.single(request));
        }
        let path = case.plan.clone().unwrap_or_default();
        let source = match self.plans.get(&path) {
            Some(source) => source.clone(),
            None => (self.inputs.plan)(&path)?,
        };
        self.plans.insert(path, source.clone());
        crate::json::parse(&source).map(|value| crate::json::to_serde(&value))
    }

    /// A plan of one row; the run is the one that is named, else the only one that is recorded.
    fn single(&self, request: &Value) -> Value {
        let member = |name: &str| request.get(name).cloned();
        let runs: Vec<&Value> = self
            .entities
            .iter()
            .flatten()
            .filter_map(world::uid)
            .filter(|uid| uid.get("type").and_then(Value::as_str).is_some_and(|name| name.ends_with("::Run")))
            .filter_map(|uid| uid.get("id"))
            .collect();
        let only = if let [only] = runs.as_slice() { (*only).clone() } else { json!("") };
        let mut row = json!({ "id": SINGLE });
        for name in ROW_OF_REQUEST {
            if let (Some(value), Some(row)) = (member(name), row.as_object_mut()) {
                row.insert(name.to_owned(), value);
            }
        }
        json!({
            "version": 1,
            "plan": "request",
            "run": member("run").unwrap_or(only),
            "mode": member("mode").unwrap_or_else(|| json!("live")),
            "author": member("author").or_else(|| member("principal")).unwrap_or_default(),
            "principal": member("principal").unwrap_or_default(),
            "target": member("target").unwrap_or_else(|| json!({})),
            "actions": [row],
        })
    }

    /// The recorded facts with what the case replaces.
    fn patched(&self, case: &Case, action: Option<&IntendedAction>, run: &str) -> Result<RawFacts, String> {
        let mut entities = self.entities.clone();
        let text = |uid: &cedar_policy::EntityUid| (uid.type_name().to_string(), uid.id().unescaped().to_owned());
        // Where single cases put something, each by the name that it was given.
        let mut put: Vec<(String, String, Vec<String>, &str)> = Vec::new();
        for (at, (path, value)) in case.patches.iter().enumerate() {
            let mut value = value.clone();
            world::resolve_times(&mut value, case.now);
            if path.is_empty() {
                replace(&mut entities, value);
                continue;
            }
            let (owner, steps) = world::path(path)?;
            let (name, id) = match owner {
                world::Owner::Entity(name, id) => (name, id),
                world::Owner::Run => {
                    let name = self.inputs.bundle.schema().entity_type("Run").map(|name| name.to_string());
                    (name.unwrap_or_default(), run.to_owned())
                }
                world::Owner::Principal => action.map(|action| text(&action.principal)).unwrap_or_default(),
                world::Owner::Resource => action.map(|action| text(&action.resource)).unwrap_or_default(),
            };
            let is_same = |(of, at, within, _): &&(String, String, Vec<String>, &str)| {
                (of, at) == (&name, &id) && (within.starts_with(&steps) || steps.starts_with(within))
            };
            // By one name the inner comes after the outer, and refines it.
            if let Some((.., other)) = put.iter().find(is_same).filter(|(.., other)| !path.starts_with(*other)) {
                return Err(format!("`{other}` and `{path}` are the same fact; take one of them out"));
            }
            let entity = world::find(&mut entities, &name, &id)?;
            world::put(entity, &steps, &value).map_err(|message| format!("`{path}`: {message}"))?;
            if at >= case.of_world {
                put.push((name, id, steps, path));
            }
        }
        let mut raw = self.inputs.facts.clone();
        let texts = entities.into_iter().map(|all| Value::Array(all).to_string());
        raw.sources = raw.sources.iter().zip(texts).map(|(source, text)| Source::new(source.name(), text)).collect();
        Ok(raw)
    }

    fn differences(&self, expected: &Expected, row: &DecisionRow) -> Vec<String> {
        let mut found = Vec::new();
        let basis = serde_json::to_value(row.basis).ok().and_then(|name| name.as_str().map(str::to_owned));
        let basis = basis.unwrap_or_default();
        let decision = if row.basis.allows() { "allow" } else { "deny" };
        let mut differ = |what: &str, expected: String, got: String| {
            if expected != got {
                found.push(format!("{what}: expected {expected}, got {got}"));
            }
        };
        if let Some(expected) = &expected.basis {
            differ("basis", expected.clone(), basis);
        }
        if let Some(expected) = &expected.decision {
            differ("decision", expected.clone(), decision.to_owned());
        }
        let bans = |id: &&String| self.inputs.bundle.tier(id).is_some();
        let bans: BTreeSet<&String> = row.policies.iter().filter(bans).collect();
        let set = |names: &mut dyn Iterator<Item = &String>| {
            let names: BTreeSet<&str> = names.map(String::as_str).collect();
            if names.is_empty() { "none".to_owned() } else { names.into_iter().collect::<Vec<_>>().join(", ") }
        };
        if let Some(expected) = &expected.only {
            differ("bans", set(&mut expected.iter()), set(&mut bans.into_iter()));
        }
        if let Some(expected) = &expected.needs {
            differ("needs", set(&mut expected.iter()), set(&mut row.needs.iter()));
        }
        if let Some(expected) = &expected.gaps {
            differ("gaps", set(&mut expected.iter()), set(&mut row.gaps.iter()));
        }
        let missing: Vec<String> =
            expected.policies.iter().flatten().filter(|id| !row.policies.contains(id)).cloned().collect();
        if !missing.is_empty() {
            found.push(format!("policies: {} did not decide", crate::json::in_backticks(&missing)));
        }
        if !found.is_empty() {
            found.extend(row.errors.iter().map(|error| format!("error: {error}")));
        }
        found
    }
}

/// Writes what effects fix into their rows, so that a case can change it.
fn spell_out(plan: &mut Value, config: Option<&Config>) {
    let rows = plan.get_mut("actions").and_then(Value::as_array_mut).into_iter().flatten();
    for row in rows.filter_map(Value::as_object_mut) {
        let name = row.get("effect").and_then(Value::as_str);
        let Some(effect) = name.and_then(|name| config?.effects.get(name)) else { continue };
        row.entry("action").or_insert_with(|| json!(effect.action));
        row.entry("resource").or_insert_with(|| json!(effect.resource));
        let context = row.entry("context").or_insert_with(|| json!({}));
        for (parameter, value) in &effect.context {
            context.as_object_mut().map(|context| context.entry(parameter).or_insert_with(|| value.clone()));
        }
        row.remove("effect");
    }
}

/// Changes mode and row of a plan as the case says; the row that is asked for, and the run.
fn change(case: &Case, plan: &mut Value) -> Result<(String, String), String> {
    let run = plan.get("run").and_then(Value::as_str).unwrap_or_default().to_owned();
    let row = match &case.asked {
        Asked::Row(row) => row.clone(),
        Asked::Request(_) => SINGLE.to_owned(),
        Asked::Plan | Asked::Cedar(_) => return Ok((String::new(), run)),
    };
    for (name, value) in &case.replaced {
        let mut value = value.clone();
        world::resolve_times(&mut value, case.now);
        if name == "mode" {
            plan.as_object_mut().map(|plan| plan.insert(name.clone(), value));
            continue;
        }
        let rows = plan.get_mut("actions").and_then(Value::as_array_mut);
        let found = rows
            .into_iter()
            .flatten()
            .find(|action| action.get("id").and_then(Value::as_str) == Some(&row))
            .and_then(Value::as_object_mut)
            .ok_or_else(|| format!("the plan has no row `{row}`"))?;
        match name.strip_prefix("context.") {
            Some(parameter) => {
                let context = found.entry("context").or_insert_with(|| json!({}));
                context.as_object_mut().map(|context| context.insert(parameter.to_owned(), value));
            }
            None => drop(found.insert(name.clone(), value)),
        }
    }
    let rows = plan.get("actions").and_then(Value::as_array).into_iter().flatten();
    let ids: Vec<&str> = rows.filter_map(|action| action.get("id").and_then(Value::as_str)).collect();
    if !ids.contains(&row.as_str()) {
        let hint =
            nearest(&row, ids.iter().copied()).map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
        return Err(format!("the plan has no row `{row}`{hint}"));
    }
    Ok((row, run))
}

/// Puts an entity in the place of the one of its type and id, or beside all others.
fn replace(entities: &mut Vec<Vec<Value>>, entity: Value) {
    let uid = world::uid(&entity).cloned().unwrap_or_default();
    let member = |name: &str| uid.get(name).and_then(Value::as_str).unwrap_or_default();
    match world::find(entities, member("type"), member("id")) {
        Ok(place) => *place = entity,
        Err(_) => match entities.first_mut() {
            Some(first) => first.push(entity),
            None => entities.push(vec![entity]),
        },
    }
}

/// Problems of a plan or of facts that a case made, at the case.
fn placed(problems: &Problems, case: &Case) -> Problems {
    let mut all = Problems::new();
    for problem in problems.iter() {
        let mut own = Problem::invalid(problem.message.clone()).at(&case.source, case.at.clone());
        own.help.clone_from(&problem.help);
        all.push(own);
    }
    all
}

/// The members of the decisions document that a folder may expect.
fn document(plan: &RunPlan, table: &crate::decision::DecisionTable) -> Value {
    let id = |index: &usize| plan.actions.get(*index).map(|action| action.id.clone());
    let rows = plan.actions.iter().zip(&table.rows).map(|(action, row)| {
        let row = json!({
            "basis": row.basis,
            "decided_by": row.decided_by,
            "policies": row.policies,
            "needs": row.needs,
            "gaps": row.gaps,
            "blocked_by": row.blocked_by.iter().filter_map(id).collect::<Vec<_>>(),
        });
        (action.id.clone(), row)
    });
    json!({
        "verdict": table.verdict,
        "open_gaps": table.open_gaps,
        "deferred_gaps": table.deferred_gaps,
        "rows": rows.collect::<serde_json::Map<_, _>>(),
    })
}

/// Every member that is expected must be as found; a plan's rows must be those that are expected.
fn compare(path: &str, expected: &Value, found: &Value, differences: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (name, value) in expected {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match found.get(name) {
                    Some(found) => compare(&path, value, found, differences),
                    None => differences.push(format!("{path}: expected {value}, and there is none")),
                }
            }
            if path == "rows" {
                let others = found.keys().filter(|name| !expected.contains_key(*name));
                differences.extend(others.map(|name| format!("rows.{name}: it is decided, and not expected")));
            }
        }
        _ if expected == found => {}
        _ => differences.push(format!("{path}: expected {expected}, got {found}")),
    }
}

/// The policies that decided, with what they looked at.
fn deciders(requests: &Requests<'_>, action: &IntendedAction, row: &DecisionRow) -> Vec<Decider> {
    let decided = requests.bundle().policies().iter().filter(|policy| row.policies.iter().any(|id| id == policy.id()));
    let decider = |policy: &crate::policy::BundlePolicy| Decider {
        id: policy.id().to_owned(),
        place: format!("{}:{}", policy.source.name(), policy.source.position(policy.span.start).0),
        facts: looked_at(requests, action, &row.context, policy),
    };
    decided.map(decider).collect()
}

/// What a request of its own says of its row, and of the plan that the row would stand in.
pub(super) const ROW_OF_REQUEST: [&str; 5] = ["action", "resource", "context", "effect", "argv"];
pub(super) const PLAN_OF_REQUEST: [&str; 5] = ["principal", "run", "mode", "author", "target"];

/// The name of the row that a request of its own is asked as.
const SINGLE: &str = "request";
