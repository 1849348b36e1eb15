//! Asking Cedar about one approval: who is admitted, and whether the gate opens for what the document says and what is so.

use super::RejectReason;
use super::document::ApprovalDocument;
use super::judge::{Bench, Voters, fault};
use super::reasons::Reasons;
use super::row;
use crate::decision::{Answer, Slice, ask};
use crate::policy::annotations::{RejectCode, Tier};
use crate::time::Timestamp;
use cedar_policy::{Context, EntityUid, Request};
use serde_json::{Value, json};
use std::collections::BTreeSet;

impl Bench<'_> {
    /// Asks who is admitted, then whether the gate opens; gives the people counted.
    pub(super) fn ask_cedar(
        &self,
        document: &ApprovalDocument,
        gate: &EntityUid,
        voters: &Voters,
        consumed: bool,
        faults: &mut Vec<RejectReason>,
    ) -> Vec<String> {
        let expected = self.expected(document);
        let reasons = |votes| Reasons { document, expected: &expected, now: self.moment.now, votes };
        let mut denied = BTreeSet::new();
        let mut admitted = |people: &BTreeSet<EntityUid>| -> BTreeSet<EntityUid> {
            people
                .iter()
                .filter(|person| match self.ask("vote", person, gate, &json!({})) {
                    Ok(answer) if answer.allows() => true,
                    Ok(answer) => {
                        denied.extend(self.codes(&answer, person, &reasons((0, 0))));
                        false
                    }
                    Err(detail) => {
                        denied.insert(fault(RejectCode::WrongGate, detail));
                        false
                    }
                })
                .cloned()
                .collect()
        };
        let (yes, no) = (admitted(&voters.yes), admitted(&voters.no));
        let context = self.context(document, &expected, (&yes, &no), consumed);
        let reasons = reasons((yes.len(), no.len()));
        // A document without an admitted signer is asked about all the same, so that all its faults are known.
        let askers = if yes.is_empty() { &voters.yes } else { &yes };
        let mut opened = false;
        let mut codes = BTreeSet::new();
        for person in askers {
            match self.ask("open_gate", person, gate, &context) {
                Ok(answer) if answer.allows() => opened = yes.contains(person),
                Ok(answer) => codes.extend(self.codes(&answer, person, &reasons)),
                Err(detail) => drop(codes.insert(fault(RejectCode::Malformed, detail))),
            }
            if opened {
                break;
            }
        }
        if !opened {
            // Those who were not admitted explain why too few were counted.
            faults.extend(codes);
            faults.extend(denied);
        }
        yes.iter().map(|person| person.id().unescaped().to_owned()).collect()
    }

    /// The codes of the gate-tier bans that fired, and why; where none did and no permit covers it, the gate is wrong.
    fn codes(&self, answer: &Answer, person: &EntityUid, reasons: &Reasons<'_>) -> BTreeSet<RejectReason> {
        let bundle = self.requests.bundle();
        let without = RejectCode::WrongGate;
        let explained = |code, id: &String| {
            let why = reasons.explain(code, person.id().unescaped());
            fault(code, why.unwrap_or_else(|| format!("denied by `{id}`")))
        };
        let mut codes: BTreeSet<RejectReason> = answer
            .policies
            .iter()
            .filter_map(|id| match bundle.tier(id) {
                Some(Tier::Gate(code)) => Some(explained(*code, id)),
                Some(_) => Some(fault(without, format!("denied by `{id}`"))),
                None => None,
            })
            .collect();
        for error in &answer.errors {
            codes.insert(fault(RejectCode::Malformed, format!("a policy could not be evaluated: {error}")));
        }
        if codes.is_empty() && !answer.allow {
            codes.insert(fault(without, format!("no permit lets `{person}` sign for this gate")));
        }
        codes
    }

    fn ask(&self, action: &str, person: &EntityUid, gate: &EntityUid, context: &Value) -> Result<Answer, String> {
        let (bundle, facts) = (self.requests.bundle(), self.requests.facts());
        let schema = bundle.schema();
        let uid = schema.prelude_action(action).ok_or_else(|| format!("the prelude has no action `{action}`"))?;
        let says = |error: &dyn std::fmt::Display| format!("`{action}` is not a valid request for the schema: {error}");
        let parameters = Context::from_json_value(context.clone(), Some((schema.parameters(), &uid)))
            .map_err(|error| says(&miette_message(&error)))?;
        let run = self.requests.run_for_approvals(self.moment).map_err(|problem| says(&problem.message))?;
        let whole = parameters.merge([("run".to_owned(), run)]).map_err(|error| says(&error))?;
        let request = Request::new(person.clone(), uid.clone(), gate.clone(), whole, Some(schema.schema()))
            .map_err(|error| says(&error))?;
        let slice = Slice::of(bundle, &uid, facts.entities());
        Ok(ask(&self.authorizer, &request, &slice.full, facts.entities()))
    }

    /// What the document says, what is really so, and the counted votes.
    fn context(
        &self,
        document: &ApprovalDocument,
        expected: &Value,
        (yes, no): (&BTreeSet<EntityUid>, &BTreeSet<EntityUid>),
        consumed: bool,
    ) -> Value {
        let schema = self.requests.bundle().schema();
        let datetime = |text: &str| {
            let time = Timestamp::parse(text).map(Timestamp::to_cedar).unwrap_or_default();
            json!({"__extn": {"fn": "datetime", "arg": time}})
        };
        let mut says = json!({
            "run": document.run,
            "plan_sha256": document.plan_sha256,
            "policies_sha256": document.policies_sha256,
            "work_sha256": row::digest(&document.rows).to_string(),
            "target": document.target.record(&schema.target()),
            "actions": document.actions(),
        });
        let mut approval = json!({
            "allowance": document.allowance,
            "issued_at": datetime(&document.issued_at),
            "expires_at": datetime(&document.expires_at),
            "consumed": consumed,
            "voters": yes.iter().map(|person| json!({"__entity": {"type": person.type_name().to_string(), "id": person.id().unescaped()}})).collect::<Vec<_>>(),
            "rejections": no.len(),
            "votes": self.votes(yes),
        });
        if let Some(baseline) = &document.baseline_sha256 {
            insert(&mut says, "baseline_sha256", json!(baseline));
        }
        if let Some(reference) = &document.reference {
            insert(&mut approval, "reference", json!(reference));
        }
        insert(&mut approval, "says", says);
        json!({ "approval": approval, "expected": expected })
    }

    /// What a document for its gate must name.
    fn expected(&self, document: &ApprovalDocument) -> Value {
        let plan = self.requests.plan();
        let fields = self.requests.bundle().schema().target();
        let barred = self.barred.get(&document.gate).cloned().unwrap_or_default();
        let mut expected = json!({
            "run": plan.run,
            "plan_sha256": plan.digest.to_string(),
            "policies_sha256": self.requests.bundle().digest().to_string(),
            "work_sha256": row::digest(&row::rows(plan, &barred)).to_string(),
            "target": plan.target.record(&fields),
            "actions": barred,
        });
        if let Some(baseline) = self.authority.baseline {
            insert(&mut expected, "baseline_sha256", json!(baseline.to_string()));
        }
        expected
    }

    /// Distinct people admitted to this gate, counted in the group of each attribute's name.
    fn votes(&self, yes: &BTreeSet<EntityUid>) -> Value {
        let schema = self.requests.bundle().schema();
        let entities = self.requests.facts().entities();
        let count = |name: &str| {
            let group = schema.prelude_entity("Group", name);
            let is_in =
                |person: &&EntityUid| group.as_ref().is_some_and(|group| entities.is_ancestor_of(group, person));
            json!(yes.iter().filter(is_in).count())
        };
        schema.votes().into_iter().map(|name| (name.to_owned(), count(name))).collect()
    }
}

fn insert(object: &mut Value, key: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(key.to_owned(), value);
    }
}

fn miette_message(error: &dyn miette::Diagnostic) -> String {
    crate::cedar::diagnostics::problem(error, "its context", &crate::problem::Source::new("", "")).message
}
