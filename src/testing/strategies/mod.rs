//! Policies under proptest: worlds and requests of a bundle as strategies, and what the bundle decides of them.
//!
//! ```
//! use cutter::testing::strategies::{Bundle, any_request, any_world};
//! use proptest::test_runner::TestRunner;
//!
//! let bundle = Bundle::load("examples/rollout/policies")?;
//! let untested = |context: &serde_json::Value| context.pointer("/run/facts/tests_passed") == Some(&false.into());
//! TestRunner::default().run(&(any_world(&bundle), any_request(&bundle).action("deploy")), |(world, request)| {
//!     assert!(!untested(request.context()) || !bundle.decide(&world, &request).allowed);
//!     Ok(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod pool;
mod shapes;

use self::pool::Pool;
use crate::policy::PolicyBundle;
use crate::problem::Problems;
use crate::subject::Subject;
use crate::subject::counterexample::Case;
use cedar_policy::{Authorizer, Decision, EntityId, EntityTypeName, EntityUid, PolicySet, RequestEnv};
use proptest::strategy::{BoxedStrategy, Just, NewTree, Strategy, Union};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use shapes::Shapes;
use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

/// A policy set that is asked, with everything that its worlds and requests are made of.
#[derive(Clone, Debug)]
pub struct Bundle {
    subject: Arc<Subject>,
    set: Arc<PolicySet>,
    pool: Arc<Pool>,
}

impl Bundle {
    /// A bundle that was read; [`Bundle::load`] reads a folder.
    pub fn new(bundle: PolicyBundle) -> Result<Self, NotLoaded> {
        let policies = bundle.policies().iter().map(|policy| policy.policy.clone());
        let set = PolicySet::from_policies(policies).map_err(|error| NotLoaded(error.to_string()))?;
        let pool = Pool::of(&bundle);
        let subject = Subject::new(bundle, Vec::new()).map_err(Problems::from)?;
        Ok(Self { subject: Arc::new(subject), set: Arc::new(set), pool: Arc::new(pool) })
    }

    /// What the policies say of a request in a world: the prelude's and the bundle's own, every tier alike.
    pub fn decide(&self, world: &World, request: &Request) -> Answer {
        let case = Case { uids: request.uids.clone(), context: request.context.clone(), entities: world.0.clone() };
        let Some((asked, entities)) = case.read(&self.subject) else {
            return Answer {
                allowed: false,
                policies: Vec::new(),
                errors: vec!["it is not a valid request for the schema".into()],
            };
        };
        let response = Authorizer::new().is_authorized(&asked, &self.set, &entities);
        let mut policies: Vec<String> = response.diagnostics().reason().map(ToString::to_string).collect();
        policies.sort();
        let errors: Vec<String> = response.diagnostics().errors().map(ToString::to_string).collect();
        // A policy that fails to evaluate is passed over by Cedar: nothing is allowed by what is left.
        Answer { allowed: response.decision() == Decision::Allow && errors.is_empty(), policies, errors }
    }
}

/// Why there is no bundle to ask: each of its problems on a line.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotLoaded(String);

impl Debug for NotLoaded {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Problems> for NotLoaded {
    fn from(problems: Problems) -> Self {
        let lines: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
        Self(lines.join("\n"))
    }
}

/// The entities that a request is judged among.
#[derive(Clone, PartialEq)]
pub struct World(Value);

impl World {
    /// The entities in Cedar's JSON form.
    pub fn entities(&self) -> &Value {
        &self.0
    }

    /// An attribute of an entity.
    pub fn attribute(&self, of: &EntityUid, name: &str) -> Option<&Value> {
        let named = named(of);
        let entity = self.0.as_array()?.iter().find(|entity| entity.get("uid") == Some(&named))?;
        entity.get("attrs")?.get(name)
    }
}

impl Debug for World {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let entities = self.0.as_array().map(Vec::as_slice).unwrap_or_default();
        let shown = |entity: &&Value| ["attrs", "parents"].iter().any(|part| !shapes::is_plain(entity.get(*part)));
        f.debug_list().entries(entities.iter().filter(shown).map(ToString::to_string)).finish()
    }
}

/// A request of the schema.
#[derive(Clone, PartialEq)]
pub struct Request {
    uids: [EntityUid; 3],
    context: Value,
}

impl Request {
    /// Who asks.
    pub fn principal(&self) -> &EntityUid {
        &self.uids[0]
    }

    /// What is asked for.
    pub fn action(&self) -> &EntityUid {
        &self.uids[1]
    }

    /// What it is about.
    pub fn resource(&self) -> &EntityUid {
        &self.uids[2]
    }

    /// The context in Cedar's JSON form; `run` is the run.
    pub fn context(&self) -> &Value {
        &self.context
    }
}

impl Debug for Request {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let [principal, action, resource] = &self.uids;
        write!(f, "{principal} {action} {resource} {}", self.context)
    }
}

/// What a bundle says of one request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Whether it is allowed; never where a policy fails to evaluate.
    pub allowed: bool,
    /// The policies that decide, sorted.
    pub policies: Vec<String>,
    /// Evaluation errors.
    pub errors: Vec<String>,
}

/// Every world of a bundle: all entities that its policies name and one of each type besides, with any attributes and parents.
///
/// It becomes smaller by leaving parents and optional attributes out, and by smaller values.
pub fn any_world(bundle: &Bundle) -> BoxedStrategy<World> {
    let shapes = Shapes { schema: bundle.subject.bundle.schema(), pool: &bundle.pool };
    let entities: Vec<BoxedStrategy<Value>> =
        bundle.pool.entities().map(|uid| shapes.entity(uid, &bundle.pool)).collect();
    entities.prop_map(|entities| World(Value::Array(entities))).boxed()
}

/// Every request of a bundle.
pub fn any_request(bundle: &Bundle) -> AnyRequest {
    AnyRequest { bundle: bundle.clone(), action: None }
}

/// Requests of a bundle, all or those of one action.
#[derive(Clone, Debug)]
pub struct AnyRequest {
    bundle: Bundle,
    action: Option<String>,
}

impl AnyRequest {
    /// Only requests of this action, by its id or as Cedar writes it.
    pub fn action(self, name: &str) -> Self {
        Self { action: Some(name.to_owned()), ..self }
    }

    fn requests(&self) -> Option<BoxedStrategy<Request>> {
        let subject = &self.bundle.subject;
        let is_meant = |of: &&RequestEnv| {
            let action = of.action();
            self.action.as_ref().is_none_or(|name| action.id().unescaped() == name || action.to_string() == *name)
        };
        let shapes = Shapes { schema: subject.bundle.schema(), pool: &self.bundle.pool };
        let of_type = |of: &RequestEnv| {
            let (action, pool) = (of.action().clone(), &self.bundle.pool);
            let parts =
                (pool.any_of(of.principal()), pool.any_of(of.resource()), shapes.value(shapes.schema.context(&action)));
            let request =
                move |(principal, resource, context)| Request { uids: [principal, action.clone(), resource], context };
            parts.prop_map(request).boxed()
        };
        let all: Vec<_> = subject.request_types.iter().filter(is_meant).map(of_type).collect();
        (!all.is_empty()).then(|| Union::new(all).boxed())
    }
}

impl Strategy for AnyRequest {
    type Tree = <BoxedStrategy<Request> as Strategy>::Tree;
    type Value = Request;

    /// Fails where the schema has no such action, so that nothing is tested by mistake.
    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let name = || format!("the schema has no action `{}`", self.action.as_deref().unwrap_or_default());
        self.requests().ok_or_else(name)?.new_tree(runner)
    }
}

/// An entity of a type.
fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

/// An entity as JSON names it.
fn named(uid: &EntityUid) -> Value {
    json!({ "type": uid.type_name().to_string(), "id": uid.id().unescaped() })
}

/// One value.
fn just(value: Value) -> BoxedStrategy<Value> {
    Just(value).boxed()
}
