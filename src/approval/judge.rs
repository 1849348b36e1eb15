//! Judging approvals: form, signatures and ledger here; who may open which gate, from when and how long is Cedar's to say.

use super::document::ApprovalDocument;
use super::keys::KnownKeys;
use super::{ApprovalFile, Approvals, JudgedApproval, RejectReason};
use crate::decision::DecisionTable;
use crate::digest::Digest;
use crate::policy::annotations::RejectCode;
use crate::problem::Problem;
use crate::request::{Moment, Requests};
use crate::signature::{APPROVAL, AllowedSigners, REJECT, RejectionCode, Revocations, Signer, verify_one_of};
use cedar_policy::{Authorizer, EntityId, EntityUid};
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
    /// Keys that the trust root or the plan's signature knows: whatever name they are listed under, they are whose they are.
    pub known_keys: &'a KnownKeys,
    /// Whether the ledger knows a use of this document for this row.
    pub is_used: &'a dyn Fn(Digest, &str) -> Result<bool, Problem>,
    /// The number of the ledger's first record that uses this document, where one does.
    pub first_use: &'a dyn Fn(Digest) -> Option<u64>,
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
        let began = |judged: &JudgedApproval| judged.digest.and_then(authority.first_use).unwrap_or(u64::MAX);
        let last = approvals.judged.iter().filter(|judged| matches(judged)).map(began).max();
        let newest = |judged: &JudgedApproval| Some(began(judged)) == last;
        if matching > 1 && approvals.judged.iter().filter(|judged| matches(judged) && newest(judged)).count() == 1 {
            // Another document takes the place of one that the run has begun to use up.
            for judged in approvals.judged.iter_mut().filter(|judged| matches(judged) && !newest(judged)) {
                let why = format!("it was used, and another document opens `{gate}` from there on");
                judged.faults.push(fault(RejectCode::AlreadyConsumed, why));
            }
        } else if matching > 1 {
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
        known_keys: &KnownKeys::default(),
        is_used: &|_, _| Ok(false),
        first_use: &|_| None,
    };
    let bench = Bench { requests, barred, authority: &authority, moment, authorizer: Authorizer::new() };
    let Some(gate) = requests.bundle().schema().gate(&document.gate) else { return true };
    // Bans of the gate tier do not depend on who asks, but for those on the parties; the author is an entity that exists.
    let voters = Voters { yes: BTreeSet::from([requests.plan().author.clone()]), no: BTreeSet::new() };
    let mut faults = Vec::new();
    bench.ask_cedar(document, &gate, &voters, false, &mut faults);
    faults.iter().any(|fault| fault.code == code)
}

/// What every document is judged against.
pub(super) struct Bench<'a> {
    pub(super) requests: &'a Requests<'a>,
    pub(super) barred: &'a BTreeMap<String, BTreeSet<String>>,
    pub(super) authority: &'a Authority<'a>,
    pub(super) moment: &'a Moment,
    pub(super) authorizer: Authorizer,
}

/// The people behind the signatures of one document.
#[derive(Default)]
pub(super) struct Voters {
    pub(super) yes: BTreeSet<EntityUid>,
    pub(super) no: BTreeSet<EntityUid>,
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
                let detail = problems.in_one_line();
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
            faults.push(fault(RejectCode::Unsigned, "there is no signature beside it"));
        }
        for (name, signature) in &file.signatures {
            let message = file.source.text().as_bytes();
            let (signers, revocations) = (self.authority.signers, self.authority.revocations);
            match verify_one_of(&[APPROVAL, REJECT], message, signature, signers, revocations, self.moment.now) {
                Ok(signer) if self.holder(&signer).is_some() => {
                    let whose = self.holder(&signer).unwrap_or_default();
                    faults.push(fault(RejectCode::SelfApproval, format!("`{name}` is made with the key of {whose}")));
                }
                Ok(signer) if self.is_shared(&signer) => {
                    let detail = format!("`{name}` is made with a key that several names are listed with");
                    faults.push(fault(RejectCode::SelfApproval, detail));
                }
                Ok(signer) => match self.person(&signer.principal) {
                    Ok(person) if signer.namespace == APPROVAL => drop(voters.yes.insert(person)),
                    Ok(person) => drop(voters.no.insert(person)),
                    Err(detail) => {
                        let detail =
                            format!("`{name}`: {detail}; without that file it does not count against the others");
                        faults.push(fault(RejectCode::UnknownSigner, detail));
                    }
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
            faults.push(fault(RejectCode::Unsigned, "the only signatures beside it are rejections"));
        }
        voters
    }

    /// Who holds the key of a signer, where that is known to be somebody who may not vote by this name.
    fn holder(&self, signer: &Signer) -> Option<&str> {
        let holder = self.authority.known_keys.holder(&signer.key)?;
        let may_vote = holder.entity.as_ref().is_some_and(|entity| {
            !self.is_party(entity) && self.person(&signer.principal).is_ok_and(|person| person == *entity)
        });
        (!may_vote).then_some(holder.whose.as_str())
    }

    /// Whether an entity made the plan or does one of its rows.
    fn is_party(&self, entity: &EntityUid) -> bool {
        let plan = self.requests.plan();
        plan.author == *entity || plan.actions.iter().any(|action| action.principal == *entity)
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
            (None, _) => Err(format!("the signer `{name}` is not a person in the bundle")),
            (Some(_), false) => Err(format!("the signer `{name}` is several of the bundle's people")),
        }
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

pub(super) fn fault(code: RejectCode, detail: impl Into<String>) -> RejectReason {
    RejectReason { code, detail: detail.into() }
}
