//! One decision as a document: who would do what, why it is so, by which facts, and exactly what would run.

use super::{FactRecord, FactsSummary, JudgedBy};
use crate::decision::{Basis, DecisionRow};
use crate::plan::{IntendedAction, Work, WorkRecord};
use crate::problem::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One decision; its request can be handed to `cedar authorize --request-json` as it stands.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RecordedRow {
    /// The row's name in the plan.
    pub id: String,
    /// Who would do it.
    pub principal: String,
    /// What would be done.
    pub action: String,
    /// To what.
    pub resource: String,
    /// The whole context, `run` included, in Cedar's explicit JSON form.
    pub context: serde_json::Value,
    /// The decision.
    pub decision: RowDecision,
    /// Why.
    pub basis: Basis,
    /// The policies that decided, sorted.
    pub policies: Vec<String>,
    /// The one of them that is shown first, whose title is the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// The title of the deciding policy, or one line that says why.
    pub reason: String,
    /// What approvals must open; where it is approved, what they did open.
    pub needs: Vec<Need>,
    /// The bans that approvals lifted, sorted; only where it is approved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lifted: Vec<String>,
    /// Gaps that must be closed, sorted.
    pub gaps: Vec<String>,
    /// Denied rows that come before it.
    pub blocked_by: Vec<String>,
    /// Evaluation errors, sorted.
    pub errors: Vec<String>,
    /// The facts that the policies read which can match it, by their names in `facts_read`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<String>,
    /// The same in full, where it was decided at the moment of use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts_at_use: Vec<FactRecord>,
    /// Exactly what would run; absent where the row names nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<WorkRecord>,
    /// The preconditions that hold for it, where it is allowed: ban, and the names of the facts that keep it from firing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub held: BTreeMap<String, Vec<String>>,
    /// Free text that no policy reads.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// One decision at the moment of use, and what it was made by.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct UseDecision {
    /// The bundle that judged it.
    pub policies: JudgedBy,
    /// The facts it was judged by.
    pub facts: FactsSummary,
    /// Those facts themselves, where no earlier record of the run holds them; so that anybody can decide it again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<FactText>,
    /// The decision.
    pub row: RecordedRow,
}

/// A text of the facts, under the name that their digest lists it by.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct FactText {
    /// Its name.
    pub name: String,
    /// All of it.
    pub text: String,
}

/// Whether a row may run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowDecision {
    /// It may.
    Allow,
    /// It may not.
    Deny,
}

impl RowDecision {
    /// The decision of a row of this basis.
    pub fn of(basis: Basis) -> Self {
        if basis.allows() { Self::Allow } else { Self::Deny }
    }

    /// The decision as people read it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "DENY",
        }
    }
}

/// A gate that an approval must open.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Need {
    /// The gate's name.
    pub gate: String,
}

impl RecordedRow {
    /// Writes down one decision by itself, whatever comes before it in the plan.
    pub fn new(action: &IntendedAction, row: &DecisionRow) -> Result<Self, Problem> {
        let context = row.context.to_json_value().map_err(|error| {
            Problem::failure(format!("the context of plan action `{}` has no JSON form: {error}", action.id))
        })?;
        Ok(Self {
            id: action.id.clone(),
            principal: action.principal.to_string(),
            action: action.action.to_string(),
            resource: action.resource.to_string(),
            context,
            decision: RowDecision::of(row.basis),
            basis: row.basis,
            policies: row.policies.clone(),
            decided_by: row.decided_by.clone(),
            reason: row.reason.clone(),
            needs: row.needs.iter().map(|gate| Need { gate: gate.clone() }).collect(),
            lifted: row.lifted.clone(),
            gaps: row.gaps.clone(),
            blocked_by: Vec::new(),
            errors: row.errors.clone(),
            facts: if row.at_use { Vec::new() } else { row.facts.iter().map(|fact| fact.fact.clone()).collect() },
            facts_at_use: if row.at_use { row.facts.iter().map(FactRecord::from).collect() } else { Vec::new() },
            held: row.held.iter().map(|held| (held.policy.clone(), held.facts.clone())).collect(),
            work: action.work.as_ref().map(Work::record),
            labels: action.labels.clone(),
        })
    }

    /// What it still needs, for people: gates, gaps, blockers or errors, then the reason.
    pub fn because(&self) -> String {
        let mut parts = Vec::new();
        let gates: Vec<&str> = self.needs.iter().map(|need| need.gate.as_str()).collect();
        if !gates.is_empty() {
            let verb = if self.decision == RowDecision::Allow { "opened" } else { "needs" };
            parts.push(format!("{verb} {}", gates.join(", ")));
        }
        if !self.gaps.is_empty() {
            parts.push(format!("gaps {}", self.gaps.join(", ")));
        }
        parts.extend(self.errors.iter().cloned());
        match parts.is_empty() {
            true => self.reason.clone(),
            false => format!("{}: {}", parts.join("; "), self.reason),
        }
    }
}
