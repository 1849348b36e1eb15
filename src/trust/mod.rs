//! The trust root: who may sign bundles, plans and evidence, and which operating-system user is which principal.
//!
//! It lies outside the reach of whoever writes or runs a plan: [`guarded`] reads it, `judgment` judges by it.

mod bindings;
mod evidence;
pub mod guarded;
mod judgment;
mod signature_file;
mod signed;
mod user;
mod vouched;

pub use evidence::judge_evidence;
pub use judgment::{Claims, Trusted, judge, judge_bundle};
pub use signature_file::SignatureFile;
pub use user::RunningUser;
pub use vouched::Vouched;

use crate::files;
use crate::problem::{Code, Coded as _, Problem, Problems, Source};
use crate::signature::{self, AllowedSigners, Fingerprint, Revocations};
use bindings::{Binding, Kind};
use cedar_policy::EntityUid;
use std::collections::BTreeMap;
use std::path::Path;

/// Where the trust root lies if nobody says otherwise.
pub const DEFAULT_PATH: &str = "/etc/cutter/trusted_signers";

/// The keys that lost the right to sign, by the list beside a trust root and by this machine's, whichever root was named.
pub fn revoked(trust_root: &Path) -> Result<Revocations, Problems> {
    Ok(revoked_beside(trust_root)?.joined(revoked_beside(Path::new(DEFAULT_PATH))?))
}

/// By the list beside this trust root; none where there is no list.
fn revoked_beside(trust_root: &Path) -> Result<Revocations, Problems> {
    let path = trust_root.with_file_name("revoked_keys");
    if !files::is_there(&path) {
        return Ok(Revocations::none());
    }
    let source = guarded::read(&path, "the list of revoked keys");
    source
        .and_then(|source| Revocations::parse(&source))
        .map_err(Problems::into_untrusted)
        .coded(Code::TrustRootInvalid)
}

/// An `allowed_signers` file whose comments also say who is who.
///
/// Comments of these two forms, which OpenSSH passes over, bind names to Cedar entities:
/// `# cutter-user: USER = ENTITY` for a user of the operating system, `# cutter-signer: NAME = ENTITY` for a name of the
/// file itself. Whoever may sign plans needs one, since a plan is signed by its author.
///
/// ```
/// use cutter::problem::Source;
/// use cutter::trust::TrustRoot;
/// let source = Source::new("trusted_signers", "# cutter-user: deploy = Cutter::Agent::\"builder\"\n");
/// let trust = TrustRoot::parse(&source).unwrap();
/// assert_eq!(trust.principal_of_user("deploy").unwrap().to_string(), "Cutter::Agent::\"builder\"");
/// assert_eq!(trust.principal_of_user("mallory"), None);
/// ```
#[derive(Clone, Debug)]
pub struct TrustRoot {
    signers: AllowedSigners,
    users: BTreeMap<String, EntityUid>,
    entities: BTreeMap<String, EntityUid>,
}

impl TrustRoot {
    /// Reads the file of this path, if nobody but root can change it. Whatever is wrong is a reason not to trust.
    pub fn read(path: &Path) -> Result<Self, Problems> {
        guarded::read(path, "the trust root").and_then(|source| Self::parse(&source)).map_err(Problems::into_untrusted)
    }

    /// Reads a whole file; if anything in it is wrong, nobody is trusted.
    pub fn parse(source: &Source) -> Result<Self, Problems> {
        let mut problems = Problems::new();
        let signers = problems.absorb(AllowedSigners::parse(source));
        let bindings = bindings::read(source, &mut problems);
        let users = collect(source, &bindings, Kind::User, &mut problems);
        let entities = collect(source, &bindings, Kind::Signer, &mut problems);
        if let Some(signers) = &signers {
            refuse_strangers(source, &bindings, signers, &mut problems);
            refuse_nameless_authors(source, signers, &entities, &mut problems);
        }
        refuse_shared_entities(source, &bindings, &mut problems);
        match signers {
            Some(signers) => problems.or(Self { signers, users, entities }),
            None => Err(problems),
        }
    }

    /// The name of the file, for messages.
    pub fn name(&self) -> &str {
        self.signers.name()
    }

    /// Who may sign what.
    pub fn signers(&self) -> &AllowedSigners {
        &self.signers
    }

    /// The principal that a user of the operating system is.
    pub fn principal_of_user(&self, user: &str) -> Option<&EntityUid> {
        self.users.get(user)
    }

    /// The users of the operating system that are this principal.
    pub fn users_of(&self, principal: &EntityUid) -> impl Iterator<Item = &str> {
        self.users.iter().filter(move |(_, is)| *is == principal).map(|(user, _)| user.as_str())
    }

    /// The keys that are bound to entities.
    pub fn bound_keys(&self) -> impl Iterator<Item = (Fingerprint, &EntityUid)> {
        let bound = |name: &str| self.entities.get(name);
        self.signers.iter().filter_map(move |signer| Some((signer.fingerprint(), bound(signer.principal())?)))
    }

    /// The entity that a name among the signers is.
    pub fn entity_of_signer(&self, name: &str) -> Option<&EntityUid> {
        self.entities.get(name)
    }
}

/// The bindings of one kind; a name that is bound twice is a problem.
fn collect(
    source: &Source,
    bindings: &[Binding<'_>],
    kind: Kind,
    problems: &mut Problems,
) -> BTreeMap<String, EntityUid> {
    let mut bound = BTreeMap::new();
    for binding in bindings.iter().filter(|binding| binding.kind == kind) {
        if bound.insert(binding.name.to_owned(), binding.entity.clone()).is_some() {
            let message = format!("the {} `{}` is bound twice", kind.noun(), binding.name);
            problems.push(Problem::invalid(message).at(source, binding.span.clone()).help("keep one of the lines"));
        }
    }
    bound
}

/// A signer that is bound but not listed is a misspelt one.
fn refuse_strangers(source: &Source, bindings: &[Binding<'_>], signers: &AllowedSigners, problems: &mut Problems) {
    let listed = |name: &str| signers.iter().any(|signer| signer.principal() == name);
    for binding in bindings.iter().filter(|binding| binding.kind == Kind::Signer && !listed(binding.name)) {
        let message = format!("the signer `{}` has no key in this file", binding.name);
        let help = "write the name as the line of the key has it";
        problems.push(Problem::invalid(message).at(source, binding.span.clone()).help(help));
    }
}

/// A plan is signed by its author, so that a name alone does not do.
fn refuse_nameless_authors(
    source: &Source,
    signers: &AllowedSigners,
    entities: &BTreeMap<String, EntityUid>,
    problems: &mut Problems,
) {
    let mut names: Vec<&str> = signers
        .iter()
        .filter(|signer| signer.namespaces().iter().any(|namespace| namespace == signature::PLAN))
        .map(|signer| signer.principal())
        .filter(|name| !entities.contains_key(*name))
        .collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let message = format!("`{name}` may sign plans, but no line says which author that is");
        let help = format!("add a line such as `# cutter-signer: {name} = Cutter::Agent::\"author\"`");
        problems.push(Problem::invalid(message).of(source).help(help));
    }
}

/// Two signers that are one entity would leave open who signed. Two users may be one principal, on two hosts.
fn refuse_shared_entities(source: &Source, bindings: &[Binding<'_>], problems: &mut Problems) {
    let mut owners: BTreeMap<&EntityUid, &str> = BTreeMap::new();
    for binding in bindings.iter().filter(|binding| binding.kind == Kind::Signer) {
        let first = *owners.entry(&binding.entity).or_insert(binding.name);
        if first != binding.name {
            let message = format!("the signers `{first}` and `{}` are the same `{}`", binding.name, binding.entity);
            let help = "give each key of one signer a line with the same name";
            problems.push(Problem::invalid(message).at(source, binding.span.clone()).help(help));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";

    fn problems(text: &str) -> Vec<String> {
        match TrustRoot::parse(&Source::new("trusted_signers", text)) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(|problem| problem.message.clone()).collect(),
        }
    }

    #[test]
    fn who_may_sign_plans_must_be_some_author() {
        let line = format!("author@example.com namespaces=\"cutter-plan\" {KEY}\n");
        assert_eq!(problems(&line), ["`author@example.com` may sign plans, but no line says which author that is"]);
        let bound = format!("{line}# cutter-signer: author@example.com = Cutter::Agent::\"author\"\n");
        assert_eq!(problems(&bound), Vec::<String>::new());
        assert_eq!(problems(&format!("root namespaces=\"cutter-bundle\" {KEY}\n")), Vec::<String>::new());
    }

    #[test]
    fn a_user_bound_twice_is_refused_even_to_the_same_principal() {
        let line = "# cutter-user: deploy = Cutter::Agent::\"builder\"\n";
        assert_eq!(problems(&format!("{line}{line}")), ["the user `deploy` is bound twice"]);
        let elsewhere = line.replace("deploy", "deploy-2");
        assert_eq!(problems(&format!("{line}{elsewhere}")), Vec::<String>::new());
    }

    #[test]
    fn a_bound_signer_without_a_key_and_two_signers_of_one_entity_are_refused() {
        let line = "# cutter-signer: a = Cutter::Agent::\"author\"\n";
        assert_eq!(problems(line), ["the signer `a` has no key in this file"]);
        let keys = format!("a namespaces=\"cutter-plan\" {KEY}\nb namespaces=\"cutter-plan\" {OTHER}\n");
        let said = problems(&format!("{keys}{line}{}", line.replace(" a ", " b ")));
        assert_eq!(said, ["the signers `a` and `b` are the same `Cutter::Agent::\"author\"`"]);
    }
}
