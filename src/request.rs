//! One Cedar request for each intended action: its own parameters, and `context.run` as the runtime established it.

use crate::facts::{Facts, collect};
use crate::plan::{IntendedAction, Places, RunPlan};
use crate::policy::PolicyBundle;
use crate::problem::{Code, Coded as _, Problem, Problems, nearest};
use crate::schema::RunSchema;
use crate::time::Timestamp;
use cedar_policy::{Context, EntityUid, Request, RestrictedExpression, Schema, validate_scope_variables};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// When a request is asked: before anything ran, or at the moment of use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stage {
    /// The plan is judged as a whole.
    Plan,
    /// One action is about to run.
    Use,
}

/// What changes from one asking to the next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moment {
    /// The time of the decision.
    pub now: Timestamp,
    /// Before anything ran, or at the moment of use.
    pub stage: Stage,
    /// The gates opened by approvals.
    pub gates: BTreeSet<String>,
    /// Gates that are not open for single rows, by row: their approval was used for it.
    pub spent: BTreeMap<String, BTreeSet<String>>,
}

impl Moment {
    /// A moment at which no gate is open.
    pub fn closed(now: Timestamp, stage: Stage) -> Self {
        Self { now, stage, gates: BTreeSet::new(), spent: BTreeMap::new() }
    }

    /// The gates open for one row.
    pub fn gates_for(&self, row: &str) -> BTreeSet<String> {
        match self.spent.get(row) {
            Some(spent) => self.gates.difference(spent).cloned().collect(),
            None => self.gates.clone(),
        }
    }
}

/// All that `context.run` depends on beside the plan and its facts.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RunState {
    /// The time of the decision.
    pub now: Timestamp,
    /// Before anything ran, or at the moment of use.
    pub stage: Stage,
    /// The gates that are open.
    pub gates: BTreeSet<String>,
    /// Whether a `finally` row does the same action on the same resource with other parameters.
    pub finally_counterpart: bool,
}

/// `context.run` in one state, made once for all requests of that state.
#[derive(Clone, Debug)]
pub struct RunRecord {
    expression: RestrictedExpression,
    /// The context of rows without parameters of their own.
    alone: Context,
}

/// A plan whose every entity is among the facts, ready to be asked about.
#[derive(Debug)]
pub struct Requests<'a> {
    plan: &'a RunPlan,
    bundle: &'a PolicyBundle,
    facts: &'a Facts,
    run_entity: Option<EntityUid>,
    run_facts: RestrictedExpression,
    finally_rows: HashMap<(&'a EntityUid, &'a EntityUid), Vec<String>>,
}

impl<'a> Requests<'a> {
    /// Checks that every entity a row reaches is among the facts, and that the facts of the run are recorded.
    pub fn new(plan: &'a RunPlan, bundle: &'a PolicyBundle, facts: &'a Facts) -> Result<Self, Problems> {
        let schema = bundle.schema();
        let places = std::cell::OnceCell::new();
        let places = || places.get_or_init(|| Places::of(plan));
        let mut problems = refuse_absent(plan, bundle, facts, &places);
        let held = ["Agent", "Person"].map(|name| schema.prelude_entity(name, "").map(|uid| uid.type_name().clone()));
        for uid in plan.parties() {
            if !held.iter().flatten().any(|name| name == uid.type_name()) {
                let message = format!("`{uid}` is a party to the plan that `context.run.parties` cannot hold");
                problems.push(Problem::invalid(message).help("principals are of `Cutter::Agent` or `Cutter::Person`"));
            }
        }
        let run_facts = match run_facts(plan, schema, facts) {
            Ok(recorded) => recorded,
            Err(problem) => {
                problems.push(problem.at(&plan.source, places().field("run")));
                return Err(problems);
            }
        };
        let run_entity = schema.prelude_entity("Run", &plan.run);
        problems.or(Self { plan, bundle, facts, run_entity, run_facts, finally_rows: plan.finally_rows() })
    }

    /// The plan asked about.
    pub fn plan(&self) -> &'a RunPlan {
        self.plan
    }

    /// The bundle that judges.
    pub fn bundle(&self) -> &'a PolicyBundle {
        self.bundle
    }

    /// The facts it judges by.
    pub fn facts(&self) -> &'a Facts {
        self.facts
    }

    /// The entity that the facts of the run are kept on.
    pub fn run_entity(&self) -> Option<&EntityUid> {
        self.run_entity.as_ref()
    }

    /// The state of the runtime for a row at a moment.
    pub fn state(&self, action: &IntendedAction, moment: &Moment) -> RunState {
        let finally_counterpart = self
            .finally_rows
            .get(&(&action.action, &action.resource))
            .is_some_and(|others| others.iter().any(|other| *other != action.parameters_text()));
        RunState { now: moment.now, stage: moment.stage, gates: moment.gates_for(&action.id), finally_counterpart }
    }

    /// `context.run` in a state.
    pub fn run(&self, state: &RunState) -> Result<RunRecord, Problem> {
        let expression = self.run_record(state)?;
        let alone = Context::from_pairs([("run".to_owned(), expression.clone())])
            .map_err(|error| Problem::invalid(format!("the runtime's record cannot be made: {error}")))?;
        Ok(RunRecord { expression, alone })
    }

    /// The whole context of a row: its own parameters, and `run` beside them.
    pub fn context(&self, action: &IntendedAction, run: &RunRecord) -> Result<Context, Problem> {
        if action.parameters.is_empty() {
            return Ok(run.alone.clone());
        }
        let pairs = action.parameters.clone().into_iter().chain([("run".to_owned(), run.expression.clone())]);
        Context::from_pairs(pairs).map_err(|error| self.refused(action, &error.to_string()))
    }

    /// Whether principal, resource and parameters of a row are as the schema has them for its action.
    pub fn conforms(&self, action: &IntendedAction) -> bool {
        let schema = self.bundle.schema();
        let scope = validate_scope_variables(&action.principal, &action.action, &action.resource, schema.schema());
        let parameters = Context::from_pairs(action.parameters.clone()).ok();
        scope.is_ok() && parameters.is_some_and(|own| own.validate(schema.parameters(), &action.action).is_ok())
    }

    /// The request of a row with this context, checked against the schema.
    pub fn request(&self, action: &IntendedAction, context: Context) -> Result<Request, Problem> {
        self.build(action, context, Some(self.bundle.schema().schema()))
    }

    /// The request of a row with a context that is known to conform to the schema.
    pub fn checked_request(&self, action: &IntendedAction, context: Context) -> Result<Request, Problem> {
        self.build(action, context, None)
    }

    fn build(&self, action: &IntendedAction, context: Context, schema: Option<&Schema>) -> Result<Request, Problem> {
        Request::new(action.principal.clone(), action.action.clone(), action.resource.clone(), context, schema)
            .map_err(|error| self.refused(action, &error.to_string()))
    }

    /// `context.run` where no row is judged but an approval: no gate is open, and nothing has a counterpart.
    pub fn run_for_approvals(&self, moment: &Moment) -> Result<RestrictedExpression, Problem> {
        let Moment { now, stage, .. } = *moment;
        self.run_record(&RunState { now, stage, gates: BTreeSet::new(), finally_counterpart: false })
    }

    fn refused(&self, action: &IntendedAction, cause: &str) -> Problem {
        Problem::invalid(format!("plan action `{}` is not a valid request for the schema: {cause}", action.id))
            .at(&self.plan.source, action.span.start..action.span.start + 1)
    }

    /// `context.run`, as the prelude declares it.
    fn run_record(&self, state: &RunState) -> Result<RestrictedExpression, Problem> {
        let schema = self.bundle.schema();
        let enumerated = |name: &str, id: &str| {
            let uid = schema.prelude_entity(name, id);
            uid.map(RestrictedExpression::new_entity_uid)
                .ok_or_else(|| Problem::failure(format!("the prelude has no type `{name}`")))
        };
        let gates: Result<Vec<_>, Problem> = state.gates.iter().map(|gate| enumerated("Gate", gate)).collect();
        let party = |name: &str| {
            let kind = schema.prelude_entity(name, "").map(|uid| uid.type_name().clone());
            let of_kind = self.plan.parties().into_iter().filter(|uid| Some(uid.type_name()) == kind.as_ref());
            let of_kind: BTreeSet<&EntityUid> = of_kind.collect();
            RestrictedExpression::new_set(of_kind.into_iter().cloned().map(RestrictedExpression::new_entity_uid))
        };
        let parties = [("agents".to_owned(), party("Agent")), ("people".to_owned(), party("Person"))];
        let stage = match state.stage {
            Stage::Plan => "plan",
            Stage::Use => "use",
        };
        record_of([
            ("now".to_owned(), RestrictedExpression::new_datetime(state.now.to_cedar())),
            ("mode".to_owned(), enumerated("Mode", self.plan.mode.name())?),
            ("stage".to_owned(), enumerated("Stage", stage)?),
            ("id".to_owned(), RestrictedExpression::new_string(self.plan.run.clone())),
            ("gates".to_owned(), RestrictedExpression::new_set(gates?)),
            ("finally_counterpart".to_owned(), RestrictedExpression::new_bool(state.finally_counterpart)),
            ("parties".to_owned(), record_of(parties)?),
            ("facts".to_owned(), self.run_facts.clone()),
        ])
    }
}

/// Every entity that a row reaches and that is not among the facts, each once.
fn refuse_absent<'a: 'p, 'p>(
    plan: &'a RunPlan,
    bundle: &PolicyBundle,
    facts: &Facts,
    places: &dyn Fn() -> &'p Places<'a>,
) -> Problems {
    let mut problems = Problems::new();
    let mut missed = BTreeSet::new();
    let mut is_missing = |uid: &EntityUid| {
        !bundle.schema().is_enumerated(uid.type_name()) && !facts.has(uid) && missed.insert(uid.clone())
    };
    let absent = |message: String, uid: &EntityUid, at: std::ops::Range<usize>| {
        let help = match meant(facts, uid) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "add the entity to the facts, or correct its name".to_owned(),
        };
        Problem::invalid(message).at(&plan.source, at).help(help).coded(Code::EntityMissing)
    };
    if is_missing(&plan.author) {
        let message = format!("the plan's author `{}` is absent from the facts", plan.author);
        problems.push_with(|| absent(message, &plan.author, places().field("author")));
    }
    for action in &plan.actions {
        let message = |uid| format!("plan action `{}` reaches `{uid}`, which is absent from the facts", action.id);
        for (field, uid) in [("principal", &action.principal), ("resource", &action.resource)] {
            if is_missing(uid) {
                problems.push_with(|| absent(message(uid), uid, places().row_field(action, field)));
            }
        }
        let Ok(context) = Context::from_pairs(action.parameters.clone()) else { continue };
        let mut named = BTreeSet::new();
        for key in action.parameters.keys() {
            context.get(key).iter().for_each(|value| collect(value, &mut named));
        }
        for uid in named.iter().filter(|uid| is_missing(uid)) {
            problems.push_with(|| absent(message(uid), uid, places().parameter(action, uid)));
        }
    }
    problems
}

/// The entity of the facts that was probably meant by this one: of the same type.
fn meant(facts: &Facts, uid: &EntityUid) -> Option<EntityUid> {
    let all: Vec<EntityUid> = facts.entities().iter().map(|entity| entity.uid()).collect();
    let alike: Vec<&EntityUid> = all.iter().filter(|known| known.type_name() == uid.type_name()).collect();
    let id = nearest(uid.id().unescaped(), alike.iter().map(|known| known.id().unescaped()));
    alike.iter().find(|known| id == Some(known.id().unescaped())).map(|known| (*known).clone())
}

/// What is recorded of the run; nothing, where the schema has nothing to record.
fn run_facts(plan: &RunPlan, schema: &RunSchema, facts: &Facts) -> Result<RestrictedExpression, Problem> {
    let uid = schema.prelude_entity("Run", &plan.run);
    if let Some(recorded) = uid.as_ref().and_then(|uid| facts.attribute(uid, "facts")) {
        return Ok(recorded);
    }
    if !schema.has_facts() {
        return record_of([]);
    }
    let shown = uid.as_ref().map_or_else(|| plan.run.clone(), ToString::to_string);
    let help = match uid.and_then(|uid| meant(facts, &uid)) {
        Some(meant) => format!("did you mean `{}`?", meant.id().unescaped()),
        None => "record the run's facts as the attribute `facts` of that entity".to_owned(),
    };
    Err(Problem::invalid(format!("no facts are recorded for the run: `{shown}` is absent"))
        .help(help)
        .coded(Code::EntityMissing))
}

fn record_of(
    fields: impl IntoIterator<Item = (String, RestrictedExpression)>,
) -> Result<RestrictedExpression, Problem> {
    RestrictedExpression::new_record(fields)
        .map_err(|error| Problem::invalid(format!("the runtime's record cannot be made: {error}")))
}
