//! Judging approvals: form, signatures and ledger here; who may open which gate, from when and how long by Cedar.

use super::document::ApprovalDocument;
use super::reasons::Reasons;
use super::row;
use super::{ApprovalFile, Approvals, JudgedApproval, RejectReason};
use crate::decision::{Answer, DecisionTable, Slice, ask};
use crate::digest::Digest;
use crate::policy::annotations::{RejectCode, Tier};
use crate::problem::Problem;
use crate::request::{Moment, Requests};
use crate::signature::{
    APPROVAL, AllowedSigners, Fingerprint, REJECT, RejectionCode, Revocations, Signer, verify_one_of,
};
use crate::time::Timestamp;
use cedar_policy::{Authorizer, Context, EntityId, EntityUid, Request};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What signatures and single use are judged against.
pub struct Authority<'a> {
    /// Who may sign.
    pub signers: &'a AllowedSigners,
    /// Who has lost the right.
    pub revocations: &'a Revocations,
    /// The id of the ledger in use, if there is one.
    pub ledger: Option<&'a str>,
    /// The evidence that approvals may be bound to.
    pub baseline: Option<Digest>,
    /// The keys of those who made the plan, each with who that is: whatever name they are listed under, they are parties.
    pub party_keys: &'a BTreeMap<Fingerprint, String>,
    /// Whether the ledger knows a use of this document for this row.
    pub is_used: &'a dyn Fn(Digest, &str) -> Result<bool, Problem>,
}

/// The rows that each gate bars, from a table that was decided with every gate closed.
pub fn barred(requests: &Requests<'_>, closed: &DecisionTable) -> BTreeMap<String, BTreeSet<String>> {
    let mut barred: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (action, row) in requests.plan().actions.iter().zip(&closed.rows) {
        for gate in &row.needs {
            barred.entry(gate.clone()).or_default().insert(action.id.clone());
        }
    }
    barred
}

/// Judges every document for this plan at this moment.
///
/// A bad document is a rejected row, never an error; the error is a ledger that cannot be read.
pub fn judge(
    files: &[ApprovalFile],
    requests: &Requests<'_>,
    barred: &BTreeMap<String, BTreeSet<String>>,
    authority: &Authority<'_>,
    moment: &Moment,
) -> Result<Approvals, Problem> {
    let bench = Bench { requests, barred, authority, moment, authorizer: Authorizer::new() };
    let mut approvals = Approvals::default();
    let mut spent: Vec<(usize, BTreeSet<String>)> = Vec::new();
    for file in files {
        let (judged, rows) = bench.judge(file)?;
        spent.push((approvals.judged.len(), rows));
        approvals.judged.push(judged);
    }
    for gate in barred.keys() {
        let matches = |judged: &JudgedApproval| judged.is_accepted() && judged.gate == *gate;
        let matching = approvals.judged.iter().filter(|judged| matches(judged)).count();
        if matching > 1 {
            for judged in approvals.judged.iter_mut().filter(|judged| matches(judged)) {
                judged.faults.push(fault(RejectCode::Ambiguous, format!("{matching} documents open `{gate}`")));
            }
        }
        if !approvals.judged.iter().any(|judged| judged.gate == *gate) {
            approvals.judged.push(JudgedApproval {
                file: String::new(),
                id: String::new(),
                gate: gate.clone(),
                faults: vec![fault(RejectCode::Missing, format!("no document opens `{gate}`"))],
                signers: Vec::new(),
                expires_at: None,
                digest: None,
            });
        }
    }
    approvals.gates = approvals.judged.iter().filter(|j| j.is_accepted()).map(|judged| judged.gate.clone()).collect();
    for (at, rows) in spent {
        let Some(judged) = approvals.judged.get(at).filter(|judged| judged.is_accepted()) else { continue };
        for row in rows {
            approvals.spent.entry(row).or_default().insert(judged.gate.clone());
        }
    }
    Ok(approvals)
}

/// Whether policies would reject this unsigned document with this code, whoever signs it.
///
/// For the proposals of [`super::request`]: how long it may live, and whether it must name a review's decision.
pub fn would_reject(
    document: &ApprovalDocument,
    code: RejectCode,
    requests: &Requests<'_>,
    barred: &BTreeMap<String, BTreeSet<String>>,
    moment: &Moment,
) -> bool {
    let (signers, revocations) = (AllowedSigners::nobody(), Revocations::none());
    let authority = Authority {
        signers: &signers,
        revocations: &revocations,
        ledger: None,
        baseline: None,
        party_keys: &BTreeMap::new(),
        is_used: &|_, _| Ok(false),
    };
    let bench = Bench { requests, barred, authority: &authority, moment, authorizer: Authorizer::new() };
    let Some(gate) = requests.bundle().schema().gate(&document.gate) else { return true };
    // Bans of the gate tier do not depend on who asks, but for those on the parties; the author is an entity that exists.
    let voters = Voters { yes: BTreeSet::from([requests.plan().author.clone()]), no: BTreeSet::new() };
    let mut faults = Vec::new();
    bench.ask_cedar(document, &gate, &voters, false, &mut faults);
    faults.iter().any(|fault| fault.code == code)
}

struct Bench<'a> {
    requests: &'a Requests<'a>,
    barred: &'a BTreeMap<String, BTreeSet<String>>,
    authority: &'a Authority<'a>,
    moment: &'a Moment,
    authorizer: Authorizer,
}

/// The people behind the signatures of one document.
#[derive(Default)]
struct Voters {
    yes: BTreeSet<EntityUid>,
    no: BTreeSet<EntityUid>,
}

impl Bench<'_> {
    /// The document judged, and the rows it was used for already.
    fn judge(&self, file: &ApprovalFile) -> Result<(JudgedApproval, BTreeSet<String>), Problem> {
        let digest = Digest::of(file.source.text().as_bytes());
        let mut judged = JudgedApproval {
            file: file.source.name().to_owned(),
            id: String::new(),
            gate: String::new(),
            faults: Vec::new(),
            signers: Vec::new(),
            expires_at: None,
            digest: Some(digest),
        };
        if let Some(cause) = &file.unreadable {
            judged.faults.push(fault(RejectCode::Malformed, cause.clone()));
            return Ok((judged, BTreeSet::new()));
        }
        let document = match ApprovalDocument::parse(&file.source) {
            Ok(document) => document,
            Err(problems) => {
                let detail = problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>().join("; ");
                judged.faults.push(fault(RejectCode::Malformed, detail));
                return Ok((judged, BTreeSet::new()));
            }
        };
        judged.id.clone_from(&document.id);
        judged.gate.clone_from(&document.gate);
        judged.expires_at = Some(document.expires_at.clone());
        let faults = &mut judged.faults;
        let unfilled = document.unfilled();
        if !unfilled.is_empty() {
            faults.push(fault(RejectCode::Placeholder, unfilled.join("; ")));
        }
        if document.is_generic() {
            faults.push(fault(RejectCode::GenericScope, "its scope is a wildcard or nothing"));
        }
        if self.authority.ledger != Some(document.ledger.as_str()) {
            let ours = self.authority.ledger.map_or("there is none".to_owned(), |id| format!("this one is `{id}`"));
            faults.push(fault(RejectCode::WrongLedger, format!("it names the ledger `{}`; {ours}", document.ledger)));
        }
        let fields = self.requests.bundle().schema().target();
        for name in document.target.0.keys().filter(|name| fields.iter().all(|(known, _)| known != name)) {
            faults.push(fault(
                RejectCode::WrongTarget,
                format!("its target has `{name}`, which this bundle does not know"),
            ));
        }
        let voters = self.voters(file, faults);
        let Some(gate) = self.requests.bundle().schema().gate(&document.gate) else {
            faults.push(fault(RejectCode::WrongGate, format!("the schema has no gate `{}`", document.gate)));
            return Ok((judged, BTreeSet::new()));
        };
        let mut used = BTreeSet::new();
        for row in &document.actions() {
            if (self.authority.is_used)(digest, row)? {
                used.insert(row.clone());
            }
        }
        let all_used = !used.is_empty() && used.len() == document.rows.len();
        judged.signers = self.ask_cedar(&document, &gate, &voters, all_used, &mut judged.faults);
        if judged.is_accepted() && !used.is_empty() {
            // Whether a use spends the approval for its row is asked, too.
            let mut spending = Vec::new();
            self.ask_cedar(&document, &gate, &voters, true, &mut spending);
            if spending.is_empty() {
                used.clear();
            }
        }
        judged.faults.sort();
        judged.faults.dedup();
        Ok((judged, used))
    }

    /// Verifies every signature; each that does not verify rejects the document.
    fn voters(&self, file: &ApprovalFile, faults: &mut Vec<RejectReason>) -> Voters {
        let mut voters = Voters::default();
        if file.signatures.is_empty() {
            faults.push(fault(RejectCode::Unsigned, "no signature lies beside it"));
        }
        for (name, signature) in &file.signatures {
            let message = file.source.text().as_bytes();
            let (signers, revocations) = (self.authority.signers, self.authority.revocations);
            match verify_one_of(&[APPROVAL, REJECT], message, signature, signers, revocations, self.moment.now) {
                Ok(signer) if self.authority.party_keys.contains_key(&signer.key) => {
                    let whose = self.authority.party_keys.get(&signer.key).map_or("", String::as_str);
                    faults.push(fault(RejectCode::SelfApproval, format!("`{name}` is made with the key of {whose}")));
                }
                Ok(signer) if self.is_shared(&signer) => {
                    let detail = format!("`{name}` is made with a key that several names are listed with");
                    faults.push(fault(RejectCode::SelfApproval, detail));
                }
                Ok(signer) => match self.person(&signer.principal) {
                    Ok(person) if signer.namespace == APPROVAL => drop(voters.yes.insert(person)),
                    Ok(person) => drop(voters.no.insert(person)),
                    Err(detail) => faults.push(fault(RejectCode::UnknownSigner, detail)),
                },
                Err(rejection) => {
                    for found in rejection.faults() {
                        let code = reject_code(found.code);
                        faults.push(fault(code, format!("`{name}`: {}", found.detail)));
                    }
                }
            }
        }
        if voters.yes.is_empty() && !voters.no.is_empty() {
            faults.push(fault(RejectCode::Unsigned, "the only signatures beside it say no"));
        }
        voters
    }

    /// Whether another name is listed with the same key, so that one person could be two.
    fn is_shared(&self, signer: &Signer) -> bool {
        let mut lines = self.authority.signers.iter().filter(|line| line.fingerprint() == signer.key);
        lines.any(|line| line.principal() != signer.principal)
    }

    /// The entity of a signer: of a type that opens gates, and among the facts.
    fn person(&self, name: &str) -> Result<EntityUid, String> {
        let schema = self.requests.bundle().schema();
        let types =
            schema.prelude_action("open_gate").map(|action| schema.principal_types(&action)).unwrap_or_default();
        let mut found: Vec<EntityUid> = types
            .into_iter()
            .map(|name_of_type| EntityUid::from_type_name_and_id(name_of_type, EntityId::new(name)))
            .filter(|uid| self.requests.facts().is_of_bundle(uid))
            .collect();
        match (found.pop(), found.is_empty()) {
            (Some(person), true) => Ok(person),
            (None, _) => Err(format!("the signer `{name}` is nobody among the bundle's people")),
            (Some(_), false) => Err(format!("the signer `{name}` is several of the bundle's people")),
        }
    }

    /// Asks who is admitted, then whether the gate opens; gives the people counted.
    fn ask_cedar(
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
                    Ok(answer) if answer.allow && answer.errors.is_empty() => true,
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
                Ok(answer) if answer.allow && answer.errors.is_empty() => opened = yes.contains(person),
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
        let says = |error: &dyn std::fmt::Display| format!("`{action}` makes no request of the schema: {error}");
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

/// What a signature that does not count does to the document beside it.
fn reject_code(code: RejectionCode) -> RejectCode {
    match code {
        RejectionCode::BadSignature => RejectCode::BadSignature,
        RejectionCode::WrongNamespace => RejectCode::WrongNamespace,
        RejectionCode::UnknownSigner => RejectCode::UnknownSigner,
        RejectionCode::SignerExpired => RejectCode::SignerExpired,
        RejectionCode::NoPresence => RejectCode::NoPresence,
        RejectionCode::Revoked => RejectCode::Revoked,
    }
}

fn fault(code: RejectCode, detail: impl Into<String>) -> RejectReason {
    RejectReason { code, detail: detail.into() }
}

fn miette_message(error: &dyn miette::Diagnostic) -> String {
    crate::cedar::diagnostics::problem(error, "its context", &crate::problem::Source::new("", "")).message
}
