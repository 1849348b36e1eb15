//! Whether a live run may begin at all: bundle and plan are signed under the trust root, and by whom; who is running.

use super::signed::Signed;
use super::{RunningUser, SignatureFile, TrustRoot};
use crate::digest::{Digest, Listing};
use crate::plan::RunPlan;
use crate::policy::PolicyBundle;
use crate::problem::{Problem, Problems};
use crate::signature::{self, Revocations, Signer};
use crate::time::Timestamp;
use cedar_policy::EntityUid;

/// What is to be judged: what was loaded, the signatures beside it, and who is running.
#[derive(Clone, Copy, Debug)]
pub struct Claims<'a> {
    /// The bundle that decides.
    pub bundle: &'a PolicyBundle,
    /// The signature beside its folder.
    pub bundle_signature: &'a SignatureFile,
    /// The plan that is to run.
    pub plan: &'a RunPlan,
    /// The signature beside its file.
    pub plan_signature: &'a SignatureFile,
    /// Who is running.
    pub user: &'a RunningUser,
    /// The principals of the rows that are about to run; none if nothing is.
    pub acting: &'a [&'a EntityUid],
}

/// Proof that the trust root vouches for a bundle, a plan and a principal. Only [`judge`] makes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trusted {
    bundle_signer: Signer,
    plan_signer: Signer,
    principal: EntityUid,
    policies: Digest,
    plan: Digest,
}

impl Trusted {
    /// Who signed the bundle.
    pub fn bundle_signer(&self) -> &Signer {
        &self.bundle_signer
    }

    /// Who signed the plan: its author.
    pub fn plan_signer(&self) -> &Signer {
        &self.plan_signer
    }

    /// The principal that the running user is.
    pub fn principal(&self) -> &EntityUid {
        &self.principal
    }

    /// The digest of the bundle that was vouched for.
    pub fn policies(&self) -> Digest {
        self.policies
    }

    /// The digest of the plan that was vouched for.
    pub fn plan(&self) -> Digest {
        self.plan
    }
}

/// Judges all of it at `now`, the time of use. Every reason not to trust is given, each with what to do.
pub fn judge(
    trust: &TrustRoot,
    claims: &Claims<'_>,
    revocations: &Revocations,
    now: Timestamp,
) -> Result<Trusted, Problems> {
    let mut problems = Problems::new();
    let (bundle, plan) = (claims.bundle, claims.plan);
    let bundle_signer =
        problems.absorb(judge_bundle(trust, bundle.listing(), claims.bundle_signature, revocations, now));
    let text = plan.source.text().as_bytes();
    let signed = Signed { what: "the plan", command: "cutter plan sign", namespace: signature::PLAN, bytes: text };
    let plan_signer = problems.absorb(signed.signer(trust, claims.plan_signature, revocations, now));
    let principal = problems.absorb(principal(trust, claims));
    if let Some(signer) = &plan_signer {
        problems.absorb(check_author(trust, plan, signer));
    }
    if let Some(signer) = &bundle_signer {
        problems.absorb(check_independence(trust, plan, signer, plan_signer.as_ref(), principal));
    }
    match (bundle_signer, plan_signer, principal) {
        (Some(bundle_signer), Some(plan_signer), Some(principal)) if problems.is_empty() => Ok(Trusted {
            bundle_signer,
            plan_signer,
            principal: principal.clone(),
            policies: bundle.digest(),
            plan: plan.digest,
        }),
        _ => Err(problems),
    }
}

/// Whose signature over the listing of a bundle this is, by the trust root, at `now`.
pub fn judge_bundle(
    trust: &TrustRoot,
    listing: &Listing,
    signature: &SignatureFile,
    revocations: &Revocations,
    now: Timestamp,
) -> Result<Signer, Problems> {
    let bytes = listing.text().as_bytes();
    let signed = Signed { what: "the bundle", command: "cutter bundle sign", namespace: signature::BUNDLE, bytes };
    signed.signer(trust, signature, revocations, now)
}

/// The principal that the running user is, if it is the one of every row that is about to run.
fn principal<'a>(trust: &'a TrustRoot, claims: &Claims<'_>) -> Result<&'a EntityUid, Problems> {
    let user = claims.user.name();
    let Some(principal) = trust.principal_of_user(user) else {
        let message = format!("the user `{user}` is not a principal in `{}`", trust.name());
        let help = format!("root can add a line such as `# cutter-user: {user} = Cutter::Agent::\"builder\"`");
        return Err(Problem::untrusted(message).help(help).into());
    };
    let mut problems = Problems::new();
    for other in claims.acting.iter().filter(|acting| **acting != principal) {
        let message = format!("the user `{user}` is `{principal}` and cannot act as `{other}`");
        let users: Vec<String> = trust.users_of(other).map(|user| format!("`{user}`")).collect();
        let help = match users.as_slice() {
            [] => format!("no user is `{other}` in `{}`", trust.name()),
            users => format!("run it as {}", users.join(" or ")),
        };
        problems.push(Problem::untrusted(message).help(help));
    }
    problems.or(principal)
}

/// A plan is signed by its author: the entity that the trust root binds the signer's name to, type and id.
fn check_author(trust: &TrustRoot, plan: &RunPlan, signer: &Signer) -> Result<(), Problems> {
    let (name, author) = (&signer.principal, &plan.author);
    let is = match trust.entity_of_signer(name) {
        Some(entity) if entity == author => return Ok(()),
        Some(entity) => format!("`{name}`, who is `{entity}`"),
        None => format!("`{name}`, who is not an author"),
    };
    let message = format!("the plan is by `{author}` but signed by {is}");
    Err(Problem::untrusted(message).help("a plan is signed by its author, with the author's own key").into())
}

/// Policies must not be signed by those whom they judge, whatever keys those hold.
fn check_independence(
    trust: &TrustRoot,
    plan: &RunPlan,
    signer: &Signer,
    plan_signer: Option<&Signer>,
    principal: Option<&EntityUid>,
) -> Result<(), Problems> {
    let name = &signer.principal;
    let entity = trust.entity_of_signer(name);
    let role = if plan_signer.is_some_and(|other| other.principal == *name) || entity == Some(&plan.author) {
        "signed the plan"
    } else if entity.is_some_and(|entity| Some(entity) == principal || plan.parties().contains(entity)) {
        "acts in the plan"
    } else {
        return Ok(());
    };
    let message = format!("the bundle is signed by `{name}`, who also {role}");
    Err(Problem::untrusted(message).help("have the bundle signed by somebody whom it does not judge").into())
}
