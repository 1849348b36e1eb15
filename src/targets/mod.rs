//! The audit of targets: every candidate judged by the policies of each criterion, and what a safe one must bring.

use crate::cedar::scope;
use crate::decision::{DecisionRow, decide_one};
use crate::digest::Digest;
use crate::plan::IntendedAction;
use crate::policy::annotations::Tier;
use crate::policy::{BundlePolicy, PolicyBundle};
use crate::problem::{Problem, Problems};
use crate::request::{Moment, Requests};
use crate::settings::targets::{FieldSettings, TargetSettings};
use crate::time::Timestamp;
use cedar_policy::Effect;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What the audit found, version 1.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetAudit {
    /// The version of this form, 1.
    pub version: u32,
    /// When it was judged.
    pub time: Timestamp,
    /// The gap that stays open for lack of a safe target.
    pub gap: String,
    /// The best of the candidates; lacking where there is none.
    pub status: TargetStatus,
    /// Sha-256 over the facts.
    pub facts_sha256: Digest,
    /// Sha-256 over the policies.
    pub policies_sha256: Digest,
    /// Candidates, sorted by entity.
    pub candidates: Vec<Candidate>,
    /// What a target must bring, in the order of the configuration.
    pub fields: Vec<FieldSettings>,
}

/// How a candidate or criterion stands; a later one is worse.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TargetStatus {
    /// Nothing is lacking.
    Met,
    /// It cannot be known.
    Unknown,
    /// Something is lacking.
    Lacking,
}

impl TargetStatus {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Met => "MET",
            Self::Unknown => "UNKNOWN",
            Self::Lacking => "LACKING",
        }
    }
}

/// One entity that could be the target.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// The entity.
    pub entity: String,
    /// The worst of its criteria.
    pub status: TargetStatus,
    /// Criteria by name; what the policies of the gap ask beside them stands last.
    pub criteria: Vec<Criterion>,
}

/// One criterion of one candidate.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// Its name.
    pub name: String,
    /// What it asks.
    pub what: String,
    /// Whether the candidate meets it.
    pub status: TargetStatus,
    /// The policies that bar the candidate, sorted, or why it is not known.
    pub because: Vec<String>,
    /// What to do about it.
    pub advice: Vec<String>,
}

/// Judges every candidate among the facts. No approval is taken into account: each would be given for one target only.
pub fn audit(settings: &TargetSettings, requests: &Requests<'_>, moment: &Moment) -> Result<TargetAudit, Problems> {
    let bundle = requests.bundle();
    let row = check(settings, requests)?;
    let kind = bundle.schema().entity_type(&settings.entity);
    let mut problems = Problems::new();
    let mut candidates = BTreeMap::new();
    let entities = requests.facts().entities().iter().map(cedar_policy::Entity::uid);
    for uid in entities.filter(|uid| Some(uid.type_name()) == kind.as_ref()) {
        let asked = IntendedAction { id: format!("candidate {uid}"), resource: uid.clone(), ..row.clone() };
        match decide_one(requests, &asked, moment) {
            Ok(decided) => drop(candidates.insert(uid.to_string(), judge(settings, bundle, &decided))),
            Err(problem) => problems.push(problem),
        }
    }
    let candidates: Vec<Candidate> = candidates
        .into_iter()
        .map(|(entity, criteria)| {
            let status = criteria.iter().map(|criterion| criterion.status).max().unwrap_or(TargetStatus::Unknown);
            Candidate { entity, status, criteria }
        })
        .collect();
    problems.or(TargetAudit {
        version: 1,
        time: moment.now,
        gap: settings.gap.clone(),
        status: candidates.iter().map(|candidate| candidate.status).min().unwrap_or(TargetStatus::Lacking),
        facts_sha256: requests.facts().digest(),
        policies_sha256: bundle.digest(),
        candidates,
        fields: settings.fields.clone(),
    })
}

/// The plan's row whose resource a candidate takes the place of, if everything that the settings name is there.
fn check<'a>(settings: &TargetSettings, requests: &Requests<'a>) -> Result<&'a IntendedAction, Problems> {
    let (bundle, plan) = (requests.bundle(), requests.plan());
    let mut problems = Problems::new();
    let mut wrong = |text: String, help: &str| problems.push(Problem::invalid(text).help(help));
    if settings.criteria.is_empty() {
        wrong("`[targets]` has no criterion".to_owned(), "add `[targets.criteria.NAME]` with `what` and `policies`");
    }
    let kinds = bundle.schema().schema().entity_types().collect::<Vec<_>>();
    if !bundle.schema().entity_type(&settings.entity).is_some_and(|kind| kinds.contains(&&kind)) {
        wrong(
            format!("`[targets]` names `{}`, which is not an entity type", settings.entity),
            "`entity` is a type of the schema, without its namespace",
        );
    }
    for (name, criterion) in &settings.criteria {
        for id in &criterion.policies {
            match bundle.policy(id) {
                None => wrong(
                    format!("the criterion `{name}` names the policy `{id}`, which is not there"),
                    "write its `@id`",
                ),
                // One that never fires would make the criterion met by every candidate.
                Some(policy) => {
                    if let Some(why) = silent(settings, requests, policy) {
                        wrong(
                            format!("the criterion `{name}` names the policy `{id}`, which {why}"),
                            "name a `forbid` that applies to the action and the entity of `[targets]`",
                        );
                    }
                }
            }
        }
    }
    let carries = |policy: &BundlePolicy| matches!(bundle.tier(policy.id()), Some(Tier::Precondition(gap)) if *gap == settings.gap);
    if !bundle.policies().iter().any(carries) {
        wrong(
            format!("`[targets]` names the gap `{}`, which no policy carries", settings.gap),
            "write the `@gap` of the policies that ask for a safe target",
        );
    }
    for field in &settings.fields {
        for name in field.criteria.iter().filter(|name| !settings.criteria.contains_key(*name)) {
            wrong(
                format!("the field `{}` of `[targets]` is for `{name}`, which is not a criterion", field.name),
                "write a name of `[targets.criteria]`",
            );
        }
    }
    let action = bundle.schema().action(&settings.action);
    let kind = bundle.schema().entity_type(&settings.entity);
    let mut kinds = action.iter().flat_map(|uid| bundle.schema().schema().resources_for_action(uid)).flatten();
    if action.is_some() && !kinds.any(|known| Some(known) == kind.as_ref()) {
        wrong(
            format!("the action `{}` of `[targets]` does not apply to a `{}`", settings.action, settings.entity),
            "`action` is one whose resource is the `entity`",
        );
    }
    let row = plan.actions.iter().find(|row| Some(&row.action) == action.as_ref());
    if row.is_none() {
        wrong(
            format!("the plan has no row with the action `{}`", settings.action),
            "name the plan of the run that wants a target, and the action of `[targets]` in it",
        );
    }
    match row {
        Some(row) => problems.or(row),
        None => Err(problems),
    }
}

/// Why a policy cannot bar any candidate, if it cannot.
fn silent(settings: &TargetSettings, requests: &Requests<'_>, policy: &BundlePolicy) -> Option<String> {
    let schema = requests.bundle().schema();
    let (action, kind) = (schema.action(&settings.action)?, schema.entity_type(&settings.entity)?);
    if policy.policy.effect() != Effect::Forbid {
        return Some("is no `forbid`".to_owned());
    }
    let acts = schema.schema().action_entities().is_ok_and(|all| scope::covers_action(&policy.policy, &action, &all));
    if !acts {
        return Some(format!("does not apply to `{}`", settings.action));
    }
    let fits = scope::covers_resource(&policy.policy, &kind, schema.schema());
    (!fits).then(|| format!("does not apply to a `{}`", settings.entity))
}

/// What the decision over one candidate says of each criterion.
fn judge(settings: &TargetSettings, bundle: &PolicyBundle, decided: &DecisionRow) -> Vec<Criterion> {
    let fired: BTreeSet<&str> = decided.policies.iter().map(String::as_str).collect();
    let mut criteria: Vec<Criterion> = Vec::new();
    for (name, asked) in &settings.criteria {
        let bars = asked.policies.iter().map(String::as_str).filter(|id| fired.contains(id));
        criteria.push(criterion(name, &asked.what, bars, bundle, decided, asked.policies.is_empty()));
    }
    // A policy of the gap that nobody made a criterion bars a candidate all the same.
    let known: BTreeSet<&str> =
        settings.criteria.values().flat_map(|criterion| &criterion.policies).map(String::as_str).collect();
    let of_gap = |id: &&str| matches!(bundle.tier(id), Some(Tier::Precondition(gap)) if *gap == settings.gap);
    let others: Vec<&str> = fired.iter().copied().filter(|id| !known.contains(id)).filter(of_gap).collect();
    if !others.is_empty() {
        let what = format!("what the policies of {} ask beside", settings.gap);
        criteria.push(criterion("beside", &what, others.into_iter(), bundle, decided, false));
    }
    criteria
}

fn criterion<'a>(
    name: &str,
    what: &str,
    bars: impl Iterator<Item = &'a str>,
    bundle: &PolicyBundle,
    decided: &DecisionRow,
    unjudged: bool,
) -> Criterion {
    let bars: Vec<&BundlePolicy> = bars.filter_map(|id| bundle.policy(id)).collect();
    let (status, because) = if unjudged {
        (TargetStatus::Unknown, vec!["no policy judges it".to_owned()])
    } else if !decided.errors.is_empty() {
        // A policy that fails to evaluate is skipped, so that the others' silence says nothing.
        (TargetStatus::Unknown, decided.errors.clone())
    } else if bars.is_empty() {
        (TargetStatus::Met, Vec::new())
    } else {
        (TargetStatus::Lacking, bars.iter().map(|policy| policy.id().to_owned()).collect())
    };
    let advice = bars.iter().filter_map(|policy| policy.annotations.advice.clone()).collect();
    Criterion { name: name.to_owned(), what: what.to_owned(), status, because, advice }
}
