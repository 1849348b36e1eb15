//! One row judged: what Cedar says with all policies, with tiers set aside and with every gate open, and what follows.

use super::asking::{Answer, Slice, ask};
use super::closed::may_read_the_time;
use super::contexts::Contexts;
use super::held::{Held, Precondition};
use super::{Basis, DecisionRow};
use crate::facts::{FactRead, Reader};
use crate::plan::IntendedAction;
use crate::policy::annotations::Tier;
use crate::policy::{BundlePolicy, PolicyBundle};
use crate::problem::Problem;
use crate::request::{Moment, Requests, RunState, Stage};
use cedar_policy::{Authorizer, Entities, EntityUid, PolicySet};
use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// One row, and the gaps that will be asked for at the moment of use.
pub type Judged = (DecisionRow, Vec<String>);

/// Judges rows, each at a moment.
pub struct Judge<'a> {
    requests: &'a Requests<'a>,
    authorizer: Authorizer,
    contexts: Contexts<'a>,
    slices: HashMap<EntityUid, Slice>,
    /// The policies by which approvals are judged.
    judging: OnceCell<Vec<Slice>>,
    /// Rows that ask the same get the same answer; long plans repeat themselves.
    judged: HashMap<Question, Judged>,
    /// By action, whether its policies may read the time.
    timed: HashMap<EntityUid, bool>,
}

/// Principal, action, resource, the row's own parameters and the state of the runtime.
type Question = (EntityUid, EntityUid, EntityUid, String, RunState);

impl<'a> Judge<'a> {
    pub fn new(requests: &'a Requests<'a>) -> Self {
        Self {
            requests,
            authorizer: Authorizer::new(),
            contexts: Contexts::new(requests),
            slices: HashMap::new(),
            judging: OnceCell::new(),
            judged: HashMap::new(),
            timed: HashMap::new(),
        }
    }

    /// The row, and the gaps that will be asked for at the moment of use.
    pub fn row(&mut self, action: &IntendedAction, moment: &Moment) -> Result<Judged, Problem> {
        let state = self.requests.state(action, moment);
        let (principal, resource) = (action.principal.clone(), action.resource.clone());
        let key = (principal, action.action.clone(), resource, action.parameters_text(), state);
        if let Some(known) = self.judged.get(&key) {
            return Ok(known.clone());
        }
        let judged = self.judge(action, &key.4)?;
        self.judged.insert(key, judged.clone());
        Ok(judged)
    }

    /// Whether a policy that can match the action may read the time.
    pub fn reads_the_time(&mut self, action: &IntendedAction) -> bool {
        if let Some(known) = self.timed.get(&action.action) {
            return *known;
        }
        let (bundle, facts) = (self.requests.bundle(), self.requests.facts().entities());
        let slice =
            self.slices.entry(action.action.clone()).or_insert_with(|| Slice::of(bundle, &action.action, facts));
        let reads = slice.full.policies().any(|policy| may_read_the_time(&policy.to_string()));
        self.timed.insert(action.action.clone(), reads);
        reads
    }

    fn judging(bundle: &PolicyBundle, entities: &Entities) -> Vec<Slice> {
        let actions = ["vote", "open_gate"].into_iter().filter_map(|name| bundle.schema().prelude_action(name));
        actions.map(|action| Slice::of(bundle, &action, entities)).collect()
    }

    fn judge(&mut self, action: &IntendedAction, state: &RunState) -> Result<Judged, Problem> {
        let mut deferred = Vec::new();
        let Self { requests, authorizer, contexts, slices, judging, .. } = self;
        let (bundle, facts) = (requests.bundle(), requests.facts().entities());
        let slice = slices.entry(action.action.clone()).or_insert_with(|| Slice::of(bundle, &action.action, facts));
        let context = contexts.of_new(action, state)?;
        let request = requests.checked_request(action, context.clone())?;
        let full = ask(authorizer, &request, &slice.full, facts);
        let mut ask_in = |state: RunState, policies: &PolicySet| -> Result<Answer, Problem> {
            let context = contexts.of(action, &state)?;
            Ok(ask(authorizer, &requests.checked_request(action, context)?, policies, facts))
        };
        let mut row = DecisionRow {
            basis: Basis::Indeterminate,
            context,
            policies: full.policies,
            decided_by: None,
            reason: String::new(),
            needs: Vec::new(),
            lifted: Vec::new(),
            gaps: Vec::new(),
            blocked_by: Vec::new(),
            errors: full.errors,
            facts: Arc::default(),
            held: Vec::new(),
            at_use: state.stage == Stage::Use,
        };
        if !row.errors.is_empty() {
            row.reason = "a policy could not be evaluated".to_owned();
            return Ok((row, deferred));
        }
        if full.allow {
            row.basis = Basis::Permitted;
            if !state.gates.is_empty() {
                let closed = ask_in(RunState { gates: BTreeSet::new(), ..state.clone() }, &slice.full)?;
                row.errors = closed.errors;
                if !closed.allow {
                    row.basis = Basis::Approved;
                    row.needs = gates(bundle, &closed.policies);
                    row.lifted = closed.policies;
                }
            }
        } else {
            let final_ban = row.policies.iter().any(|id| bars_for_good(bundle.tier(id)));
            // Which bans hold is known from `full`; with the two tiers set aside those that nothing lifts remain.
            let bare_allows = !final_ban && ask(authorizer, &request, &slice.permits, facts).allow;
            let every_gate = bundle.schema().gates().iter().cloned().collect();
            let opened = ask_in(RunState { gates: every_gate, ..state.clone() }, &slice.approvals)?;
            row.errors = opened.errors;
            if bare_allows != opened.allow {
                row.errors.push(
                    "setting the approval tier aside and opening every gate do not give the same decision".to_owned(),
                );
            }
            row.basis = match bare_allows {
                true => {
                    row.needs = gates(bundle, &row.policies);
                    row.gaps = gaps(bundle, &row.policies);
                    if row.needs.is_empty() { Basis::Precondition } else { Basis::ApprovalRequired }
                }
                false if final_ban => Basis::Forbidden,
                false => Basis::NotPermitted,
            };
        }
        let gates = (row.basis == Basis::Approved).then(|| judging.get_or_init(|| Self::judging(bundle, facts)));
        let reader = Reader {
            facts: requests.facts(),
            needed: bundle.schema().needed(),
            principal: &action.principal,
            resource: &action.resource,
            context: &row.context,
            run: requests.run_entity(),
        };
        let own = slice.reads(&action.principal, &action.resource, bundle.schema().schema());
        let reads = own.chain(gates.into_iter().flatten().flat_map(Slice::reads_of_context));
        row.facts = Arc::new(reader.facts(reads));
        if row.basis.allows() {
            let about = slice.preconditions.iter().filter(|ban| ban.is_about(authorizer, &request, facts));
            let named = |ban: &Precondition| reader.facts(&ban.reads).into_iter().map(|fact| fact.fact).collect();
            row.held = about.map(|ban| Held { policy: ban.id.clone(), facts: named(ban) }).collect();
        }
        let mut unmeasured = None;
        if state.stage == Stage::Use && row.basis.allows() {
            // Cedar allows it, by facts whose source is not good enough to do it.
            let lacks: Vec<String> = row.facts.iter().filter(|fact| !fact.suffices()).map(FactRead::lack).collect();
            unmeasured = lacks.first().map(|_| row.basis);
            row.errors.extend(lacks);
        }
        if state.stage == Stage::Plan && !matches!(row.basis, Basis::Forbidden | Basis::NotPermitted) {
            let at_use = ask_in(RunState { stage: Stage::Use, ..state.clone() }, &slice.full)?;
            row.errors.extend(at_use.errors);
            deferred = gaps(bundle, &at_use.policies);
        }
        if !row.errors.is_empty() {
            row.errors.sort();
            row.errors.dedup();
            row.basis = Basis::Indeterminate;
            row.needs.clear();
            row.lifted.clear();
            row.gaps.clear();
            row.held.clear();
        }
        let deciding = deciding(bundle, &row);
        row.decided_by = deciding.map(|policy| policy.id().to_owned());
        row.reason = match (row.basis, deciding) {
            (Basis::Indeterminate, _) if unmeasured.is_some() => {
                let said = unmeasured.map_or("", Basis::words);
                format!("it is {said} by facts that do not come from where they must")
            }
            (Basis::Indeterminate, _) => "it could not be judged".to_owned(),
            (Basis::NotPermitted, _) | (_, None) => "no permit covers it".to_owned(),
            (basis, Some(policy)) if basis.allows() => format!("allowed by `{}`", policy.id()),
            (_, Some(policy)) => policy.reason().to_owned(),
        };
        Ok((row, deferred))
    }
}

/// The gates named by the approval tier among these policies, each once, sorted.
fn gates(bundle: &PolicyBundle, policies: &[String]) -> Vec<String> {
    let gates: BTreeSet<&String> = policies
        .iter()
        .filter_map(|id| match bundle.tier(id) {
            Some(Tier::Approval(gate)) => Some(gate),
            _ => None,
        })
        .collect();
    gates.into_iter().cloned().collect()
}

/// The gaps named by the precondition tier among these policies, each once, sorted.
fn gaps(bundle: &PolicyBundle, policies: &[String]) -> Vec<String> {
    let gaps: BTreeSet<&String> = policies
        .iter()
        .filter_map(|id| match bundle.tier(id) {
            Some(Tier::Precondition(gap)) => Some(gap),
            _ => None,
        })
        .collect();
    gaps.into_iter().cloned().collect()
}

fn bars_for_good(tier: Option<&Tier>) -> bool {
    matches!(tier, Some(Tier::Absolute | Tier::Gate(_)))
}

/// The first policy, in the order of the files, of the tier that decided the row.
fn deciding<'a>(bundle: &'a PolicyBundle, row: &DecisionRow) -> Option<&'a BundlePolicy> {
    bundle.policies().iter().find(|policy| {
        let tier = bundle.tier(policy.id());
        row.policies.binary_search(&policy.annotations.id).is_ok()
            && match row.basis {
                Basis::Forbidden => bars_for_good(tier),
                Basis::ApprovalRequired => matches!(tier, Some(Tier::Approval(_))),
                Basis::Precondition => matches!(tier, Some(Tier::Precondition(_))),
                Basis::Permitted | Basis::Approved | Basis::BlockedBy => tier.is_none(),
                Basis::NotPermitted | Basis::NoWork | Basis::Indeterminate => false,
            }
    })
}
