//! The judgment: each row's decision and its basis, found by asking Cedar, and the verdict over all rows. Pure.

use crate::plan::IntendedAction;
use crate::policy::annotations::Tier;
use crate::policy::{BundlePolicy, PolicyBundle};
use crate::problem::{Problem, Problems};
use crate::request::{Moment, Requests, Stage};
use cedar_policy::{ActionConstraint, Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Why a row is what it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// A permit covers it and no ban stands before it, without any approval.
    Permitted,
    /// It is allowed because an approval opened a gate.
    Approved,
    /// A ban stands before it that nothing lifts.
    Forbidden,
    /// No permit covers it.
    NotPermitted,
    /// It would be allowed if every gate it needs were opened and every gap closed; an approval is missing.
    ApprovalRequired,
    /// It would be allowed if every gap were closed.
    Precondition,
    /// Cedar allows it, but a row it comes after is denied.
    BlockedBy,
    /// Something erred, or two ways of asking disagree.
    Indeterminate,
}

impl Basis {
    /// The basis as people read it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Permitted => "permitted",
            Self::Approved => "approved",
            Self::Forbidden => "forbidden",
            Self::NotPermitted => "not permitted",
            Self::ApprovalRequired => "approval required",
            Self::Precondition => "precondition",
            Self::BlockedBy => "blocked by",
            Self::Indeterminate => "indeterminate",
        }
    }

    /// Whether a row of this basis is allowed.
    pub fn allows(self) -> bool {
        matches!(self, Self::Permitted | Self::Approved)
    }
}

/// The state of a whole plan; a later one is worse.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    /// Every row is allowed.
    Authorized,
    /// Approvals are there, but a named gap is open.
    Blocked,
    /// Approvals are missing and nothing is final.
    ReadyForSovereignApproval,
    /// A row is denied for good.
    Denied,
    /// A row could not be judged.
    Indeterminate,
}

impl Verdict {
    /// The verdict as scripts and people see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Authorized => "AUTHORIZED",
            Self::Blocked => "BLOCKED",
            Self::ReadyForSovereignApproval => "READY_FOR_SOVEREIGN_APPROVAL",
            Self::Denied => "DENIED",
            Self::Indeterminate => "INDETERMINATE",
        }
    }

    /// What a plan of one row of this basis is worth.
    pub fn of(basis: Basis) -> Self {
        match basis {
            // What a blocked row is worth is counted at its blocker.
            Basis::Permitted | Basis::Approved | Basis::BlockedBy => Self::Authorized,
            Basis::Precondition => Self::Blocked,
            Basis::ApprovalRequired => Self::ReadyForSovereignApproval,
            Basis::Forbidden | Basis::NotPermitted => Self::Denied,
            Basis::Indeterminate => Self::Indeterminate,
        }
    }
}

/// One row of the table of decisions.
#[derive(Clone, Debug)]
pub struct DecisionRow {
    /// Why it is what it is; [`Basis::allows`] is the decision.
    pub basis: Basis,
    /// The whole context of its request.
    pub context: Context,
    /// The policies that decided it, sorted.
    pub policies: Vec<String>,
    /// The one of them that is shown first: of the tier that decides, in the order of the files.
    pub decided_by: Option<String>,
    /// One line for people.
    pub reason: String,
    /// Gates that approvals must open, or, where it is approved, did open.
    pub needs: Vec<String>,
    /// The bans that approvals lifted, where it is approved, sorted.
    pub lifted: Vec<String>,
    /// Gaps that must be closed.
    pub gaps: Vec<String>,
    /// The rows before it that are denied, as indices into the table.
    pub blocked_by: Vec<usize>,
    /// What erred, sorted.
    pub errors: Vec<String>,
}

/// The decisions over a whole plan, in the plan's order.
#[derive(Clone, Debug)]
pub struct DecisionTable {
    /// One row for each of the plan's.
    pub rows: Vec<DecisionRow>,
    /// The worst of the rows.
    pub verdict: Verdict,
    /// Gaps that are open now.
    pub open_gaps: Vec<String>,
    /// Gaps that will be asked for at the moment of use, and that earlier rows of the run are to close.
    pub deferred_gaps: Vec<String>,
}

/// Judges every row of a plan at a moment.
///
/// The problems are faults of the inputs: a row that makes no request of the schema.
pub fn decide(requests: &Requests<'_>, moment: &Moment) -> Result<DecisionTable, Problems> {
    decide_rest(requests, moment, &BTreeMap::new())
}

/// The same, where some rows were decided before, at their own moments of use; they are given by their index.
pub fn decide_rest(
    requests: &Requests<'_>,
    moment: &Moment,
    decided: &BTreeMap<usize, DecisionRow>,
) -> Result<DecisionTable, Problems> {
    let mut judge = Judge::new(requests, moment);
    tabulate(requests, &mut |index, action| match decided.get(&index) {
        Some(row) => Ok((row.clone(), Vec::new())),
        None => judge.row(action),
    })
}

/// Judges every row at a moment of its own; there are as many moments as rows.
pub fn decide_each(requests: &Requests<'_>, moments: &[Moment]) -> Result<DecisionTable, Problems> {
    let mut judges: Vec<Judge<'_, '_>> = Vec::new();
    tabulate(requests, &mut |index, action| {
        let moment = moments.get(index).ok_or_else(|| Problem::failure("a row has no moment"))?;
        let at = judges.iter().position(|judge| judge.moment == moment).unwrap_or_else(|| {
            judges.push(Judge::new(requests, moment));
            judges.len() - 1
        });
        judges.get_mut(at).map_or_else(|| Err(Problem::failure("a row has no moment")), |judge| judge.row(action))
    })
}

/// One row, and the gaps that will be asked for at the moment of use.
type Judged = (DecisionRow, Vec<String>);

/// The table of all rows, and what follows for those that come after a denied one.
fn tabulate(
    requests: &Requests<'_>,
    row: &mut dyn FnMut(usize, &IntendedAction) -> Result<Judged, Problem>,
) -> Result<DecisionTable, Problems> {
    let mut problems = Problems::new();
    let mut rows = Vec::new();
    let mut deferred = BTreeSet::new();
    for (index, action) in requests.plan().actions.iter().enumerate() {
        match row(index, action) {
            Ok((row, gaps)) => {
                rows.push(row);
                deferred.extend(gaps);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    block(requests, &mut rows);
    let verdict = rows.iter().map(|row| Verdict::of(row.basis)).max().unwrap_or(Verdict::Indeterminate);
    let open: BTreeSet<String> = rows.iter().flat_map(|row| row.gaps.iter().cloned()).collect();
    let deferred_gaps = deferred.difference(&open).cloned().collect();
    Ok(DecisionTable { rows, verdict, open_gaps: open.into_iter().collect(), deferred_gaps })
}

/// Judges one row by itself, whatever comes before it in the plan.
///
/// The problem is a fault of the inputs: the row makes no request of the schema.
pub fn decide_one(requests: &Requests<'_>, action: &IntendedAction, moment: &Moment) -> Result<DecisionRow, Problem> {
    Ok(Judge::new(requests, moment).row(action)?.0)
}

/// What one asking of Cedar answered.
pub(crate) struct Answer {
    pub(crate) allow: bool,
    /// Policies that decided, sorted.
    pub(crate) policies: Vec<String>,
    pub(crate) errors: Vec<String>,
}

/// The policies that can match one action: all of them, and with tiers set aside.
pub(crate) struct Slice {
    pub(crate) full: PolicySet,
    /// Without the approval and the precondition tier.
    bare: PolicySet,
    /// Without the precondition tier.
    approvals: PolicySet,
}

struct Judge<'a, 'm> {
    requests: &'a Requests<'a>,
    moment: &'m Moment,
    authorizer: Authorizer,
    slices: HashMap<EntityUid, Slice>,
    /// Rows that ask the same get the same answer; long plans repeat themselves.
    judged: HashMap<Question, Judged>,
}

/// Principal, action, resource and the row's own parameters.
type Question = (EntityUid, EntityUid, EntityUid, String);

impl<'a, 'm> Judge<'a, 'm> {
    fn new(requests: &'a Requests<'a>, moment: &'m Moment) -> Self {
        Self { requests, moment, authorizer: Authorizer::new(), slices: HashMap::new(), judged: HashMap::new() }
    }

    /// The row, and the gaps that will be asked for at the moment of use.
    fn row(&mut self, action: &IntendedAction) -> Result<Judged, Problem> {
        let parameters = action.parameters_text();
        let gates = self.moment.gates_for(&action.id);
        let asked = format!("{parameters}{gates:?}");
        let key = (action.principal.clone(), action.action.clone(), action.resource.clone(), asked);
        if let Some(known) = self.judged.get(&key) {
            return Ok(known.clone());
        }
        let judged = self.judge(action)?;
        self.judged.insert(key, judged.clone());
        Ok(judged)
    }

    fn judge(&mut self, action: &IntendedAction) -> Result<Judged, Problem> {
        let mut deferred = Vec::new();
        let bundle = self.requests.bundle();
        let facts = self.requests.facts().entities();
        let slice = self
            .slices
            .entry(action.action.clone())
            .or_insert_with(|| Slice::of(bundle, &action.action, self.requests.facts().entities()));
        let ask = |moment: &Moment, policies: &PolicySet| -> Result<(Answer, Context), Problem> {
            let context = self.requests.context(action, moment)?;
            let request = self.requests.request(action, context.clone())?;
            Ok((ask(&self.authorizer, &request, policies, facts), context))
        };
        let (full, context) = ask(self.moment, &slice.full)?;
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
        };
        if !row.errors.is_empty() {
            row.reason = "a policy could not be evaluated".to_owned();
            return Ok((row, deferred));
        }
        if full.allow {
            row.basis = Basis::Permitted;
            if !self.moment.gates.is_empty() {
                let (closed, _) = ask(&Moment::closed(self.moment.now, self.moment.stage), &slice.full)?;
                row.errors = closed.errors;
                if !closed.allow {
                    row.basis = Basis::Approved;
                    row.needs = gates(bundle, &closed.policies);
                    row.lifted = closed.policies;
                }
            }
        } else {
            let every_gate = bundle.schema().gates().iter().cloned().collect();
            let (bare, _) = ask(self.moment, &slice.bare)?;
            let (opened, _) = ask(
                &Moment { gates: every_gate, ..Moment::closed(self.moment.now, self.moment.stage) },
                &slice.approvals,
            )?;
            row.errors = [bare.errors, opened.errors].concat();
            if bare.allow != opened.allow {
                row.errors.push(
                    "setting the approval tier aside and opening every gate do not give the same decision".to_owned(),
                );
            }
            row.basis = match bare.allow {
                true => {
                    row.needs = gates(bundle, &row.policies);
                    row.gaps = gaps(bundle, &row.policies);
                    if row.needs.is_empty() { Basis::Precondition } else { Basis::ApprovalRequired }
                }
                false if row.policies.iter().any(|id| bars_for_good(bundle.tier(id))) => Basis::Forbidden,
                false => Basis::NotPermitted,
            };
        }
        if self.moment.stage == Stage::Plan && !matches!(row.basis, Basis::Forbidden | Basis::NotPermitted) {
            let (at_use, _) = ask(&Moment { stage: Stage::Use, ..self.moment.clone() }, &slice.full)?;
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
        }
        let deciding = deciding(bundle, &row);
        row.decided_by = deciding.map(|policy| policy.id().to_owned());
        row.reason = match (row.basis, deciding) {
            (Basis::Indeterminate, _) => "it could not be judged".to_owned(),
            (Basis::NotPermitted, _) | (_, None) => "no permit covers it".to_owned(),
            (basis, Some(policy)) if basis.allows() => format!("allowed by `{}`", policy.id()),
            (_, Some(policy)) => policy.title().to_owned(),
        };
        Ok((row, deferred))
    }
}

impl Slice {
    pub(crate) fn of(bundle: &PolicyBundle, action: &EntityUid, entities: &Entities) -> Self {
        let matching: Vec<&BundlePolicy> = bundle
            .policies()
            .iter()
            .filter(|policy| match policy.policy.action_constraint() {
                ActionConstraint::Any => true,
                ActionConstraint::Eq(uid) => uid == *action,
                ActionConstraint::In(uids) => {
                    uids.iter().any(|uid| uid == action || entities.is_ancestor_of(uid, action))
                }
            })
            .collect();
        let set = |keep: &dyn Fn(Option<&Tier>) -> bool| {
            let kept = matching.iter().filter(|policy| keep(policy.annotations.tier.as_ref()));
            // The bundle joined the same policies before, so that ids cannot collide.
            PolicySet::from_policies(kept.map(|policy| policy.policy.clone())).unwrap_or_default()
        };
        Self {
            full: set(&|_| true),
            bare: set(&|tier| !matches!(tier, Some(Tier::Approval(_) | Tier::Precondition(_)))),
            approvals: set(&|tier| !matches!(tier, Some(Tier::Precondition(_)))),
        }
    }
}

pub(crate) fn ask(authorizer: &Authorizer, request: &Request, policies: &PolicySet, entities: &Entities) -> Answer {
    let response = authorizer.is_authorized(request, policies, entities);
    let mut deciding: Vec<String> = response.diagnostics().reason().map(ToString::to_string).collect();
    let mut errors: Vec<String> = response.diagnostics().errors().map(ToString::to_string).collect();
    deciding.sort();
    errors.sort();
    Answer { allow: response.decision() == Decision::Allow, policies: deciding, errors }
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

/// Denies each row that comes after a denied one, however far; `finally` rows excepted.
fn block(requests: &Requests<'_>, rows: &mut [DecisionRow]) {
    let actions = &requests.plan().actions;
    let mut followers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, action) in actions.iter().enumerate().filter(|(_, action)| !action.finally) {
        for before in &action.after {
            followers.entry(*before).or_default().push(index);
        }
    }
    let mut denied: Vec<usize> =
        (0..rows.len()).filter(|at| rows.get(*at).is_some_and(|r| !r.basis.allows())).collect();
    while let Some(index) = denied.pop() {
        for follower in followers.get(&index).into_iter().flatten() {
            let Some(row) = rows.get_mut(*follower) else { continue };
            if row.basis.allows() {
                row.basis = Basis::BlockedBy;
                denied.push(*follower);
            }
            if row.basis == Basis::BlockedBy && !row.blocked_by.contains(&index) {
                row.blocked_by.push(index);
            }
        }
    }
    for row in rows.iter_mut().filter(|row| row.basis == Basis::BlockedBy) {
        row.blocked_by.sort_unstable();
        let names: Vec<&str> = row.blocked_by.iter().filter_map(|at| actions.get(*at)).map(|a| a.id.as_str()).collect();
        row.reason = format!("comes after {}, which is denied", crate::json::in_backticks(&names));
    }
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
                Basis::NotPermitted | Basis::Indeterminate => false,
            }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cedar_policy::{Context, Schema};

    #[test]
    fn a_ban_that_reads_a_missing_attribute_is_an_error_and_no_silence() {
        let schema =
            Schema::from_cedarschema_str("entity A; action a appliesTo { principal: A, resource: A };").unwrap().0;
        let policies: PolicySet =
            "permit (principal, action, resource); forbid (principal, action, resource) when { context.nothing };"
                .parse()
                .unwrap();
        let (a, action) = ("A::\"a\"".parse::<EntityUid>().unwrap(), "Action::\"a\"".parse::<EntityUid>().unwrap());
        let request = Request::new(a.clone(), action, a, Context::empty(), Some(&schema)).unwrap();
        let answer = ask(&Authorizer::new(), &request, &policies, &Entities::empty());
        // Cedar allows; the error is what makes such a row indeterminate.
        assert!(answer.allow && answer.errors.len() == 1, "{:?}", answer.errors);
    }
}
