//! One row judged: what Cedar says with all policies, with tiers set aside and with every gate open, and what follows.

use super::asking::{Answer, Slice, ask};
use super::{Basis, DecisionRow};
use crate::plan::IntendedAction;
use crate::policy::annotations::Tier;
use crate::policy::{BundlePolicy, PolicyBundle};
use crate::problem::Problem;
use crate::request::{Moment, Requests, Stage};
use cedar_policy::{Authorizer, Context, EntityUid, PolicySet};
use std::collections::{BTreeSet, HashMap};

/// One row, and the gaps that will be asked for at the moment of use.
pub type Judged = (DecisionRow, Vec<String>);

/// Judges rows at one moment.
pub struct Judge<'a, 'm> {
    requests: &'a Requests<'a>,
    pub moment: &'m Moment,
    authorizer: Authorizer,
    slices: HashMap<EntityUid, Slice>,
    /// Rows that ask the same get the same answer; long plans repeat themselves.
    judged: HashMap<Question, Judged>,
}

/// Principal, action, resource and the row's own parameters.
type Question = (EntityUid, EntityUid, EntityUid, String);

impl<'a, 'm> Judge<'a, 'm> {
    pub fn new(requests: &'a Requests<'a>, moment: &'m Moment) -> Self {
        Self { requests, moment, authorizer: Authorizer::new(), slices: HashMap::new(), judged: HashMap::new() }
    }

    /// The row, and the gaps that will be asked for at the moment of use.
    pub fn row(&mut self, action: &IntendedAction) -> Result<Judged, Problem> {
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
                Basis::NotPermitted | Basis::Indeterminate => false,
            }
    })
}
