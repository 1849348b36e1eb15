//! The `allowed_signers` file of OpenSSH, read more strictly than OpenSSH does: what is not fully understood is refused.

use super::key::{Fingerprint, KeyKind, PublicKey, shown};
use super::lines::{Part, contents};
use super::options::{self, Options};
use super::rejection::{RejectionCode, RejectionReason};
use crate::problem::{Problem, Problems, Source};
use crate::time::Timestamp;
use std::collections::HashMap;

/// Who may sign: exact names, each with keys, namespaces and times.
///
/// Each line is `NAME namespaces="NAMESPACE,..."[,valid-after="TIME"][,valid-before="TIME"] TYPE KEY [COMMENT]`.
/// A name or namespace is no pattern, a key belongs to one name only, and a time is in UTC.
///
/// ```
/// use cutter::problem::Source;
/// use cutter::signature::AllowedSigners;
/// let source = Source::new("allowed_signers", "*@example.com ssh-rsa AAAA\n");
/// let problems = AllowedSigners::parse(&source).unwrap_err();
/// assert_eq!(problems.iter().count(), 3);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AllowedSigners {
    name: String,
    signers: Vec<AllowedSigner>,
}

impl AllowedSigners {
    /// Reads a whole file; if anything in it is wrong, nobody may sign.
    pub fn parse(source: &Source) -> Result<Self, Problems> {
        let mut problems = Problems::new();
        let lines = contents(source, &mut problems);
        let signers: Vec<AllowedSigner> =
            lines.into_iter().filter_map(|line| read_line(source, line, &mut problems)).collect();
        refuse_shared_keys(source, &signers, &mut problems);
        problems.or(Self { name: source.name().to_owned(), signers })
    }

    /// A file without signers: nobody may sign.
    pub fn nobody() -> Self {
        Self { name: "allowed_signers".to_owned(), signers: Vec::new() }
    }

    /// The name of the file, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The lines of the file, in their order.
    pub fn iter(&self) -> std::slice::Iter<'_, AllowedSigner> {
        self.signers.iter()
    }

    /// The lines that name this key: none, or some of one principal.
    pub(super) fn of_key<'a>(&'a self, key: &'a PublicKey) -> impl Iterator<Item = &'a AllowedSigner> {
        self.signers.iter().filter(move |signer| signer.key == *key)
    }
}

/// One line of the file: a name, a key, and what and when it may sign.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AllowedSigner {
    principal: String,
    start: usize,
    options: Options,
    key: PublicKey,
}

impl AllowedSigner {
    /// The name, exactly as it stands in the file.
    pub fn principal(&self) -> &str {
        &self.principal
    }

    /// The namespaces it may sign in.
    pub fn namespaces(&self) -> &[String] {
        &self.options.namespaces
    }

    /// The first moment its signatures count, if it is limited.
    pub fn valid_after(&self) -> Option<Timestamp> {
        self.options.valid_after
    }

    /// The last moment its signatures count, if it is limited.
    pub fn valid_before(&self) -> Option<Timestamp> {
        self.options.valid_before
    }

    /// The byte of the file that its line begins at, with its name.
    pub fn start(&self) -> usize {
        self.start
    }

    /// The fingerprint of its key.
    pub fn fingerprint(&self) -> Fingerprint {
        self.key.fingerprint()
    }

    pub(super) fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Why none of the lines of this one's key lets it sign in a namespace, where one is asked about, at this time.
    pub(super) fn fault(&self, lines: &[&Self], namespace: Option<&str>, at: Timestamp) -> Option<RejectionReason> {
        let whose = format!("the key `{}` of `{}`", self.fingerprint(), self.principal);
        let mut relevant =
            lines.iter().filter(|line| namespace.is_none_or(|namespace| line.may_sign_in(namespace))).peekable();
        if relevant.peek().is_none() {
            let detail = format!("{whose} may not sign for `{}`", shown(namespace.unwrap_or_default()));
            return Some(RejectionReason { code: RejectionCode::UnknownSigner, detail });
        }
        let valid = relevant.any(|line| line.is_valid_at(at));
        (!valid).then(|| RejectionReason {
            code: RejectionCode::SignerExpired,
            detail: format!("{whose} is not valid at {at}"),
        })
    }

    fn may_sign_in(&self, namespace: &str) -> bool {
        self.options.namespaces.iter().any(|allowed| allowed == namespace)
    }

    /// Both ends included, as OpenSSH does.
    fn is_valid_at(&self, at: Timestamp) -> bool {
        self.valid_after().is_none_or(|after| after <= at) && self.valid_before().is_none_or(|before| at <= before)
    }
}

fn read_line(source: &Source, line: Part<'_>, problems: &mut Problems) -> Option<AllowedSigner> {
    let (principal, rest) = line.word();
    if KeyKind::is_type(principal.text) {
        let problem = Problem::invalid("the line begins with a key, not with the name of a signer");
        problems.push(problem.at(source, principal.span()).help("write the signer's name before the key"));
        return None;
    }
    let sound_name = check_principal(source, principal, problems);
    let rest = rest.trim_start();
    let (options, key) = if KeyKind::is_type(rest.word().0.text) {
        let message = format!("the signer `{}` has no `namespaces`", shown(principal.text));
        problems.push(Problem::invalid(message).at(source, principal.span()).help(options::NAMESPACES));
        (None, rest)
    } else if let Some(length) = options::length(rest.text).filter(|length| *length > 0) {
        let (found, key) = rest.split(length);
        (options::parse(source, found, problems), key)
    } else {
        let at = if rest.text.is_empty() { principal } else { rest };
        let what = if rest.text.is_empty() { "the line ends after the name" } else { "a quote is never closed" };
        problems.push(Problem::invalid(what).at(source, at.span()).help(FORM));
        return None;
    };
    let (kind, rest) = key.word();
    let (base64, _comment) = rest.word();
    if base64.text.is_empty() {
        problems.push(Problem::invalid("the line has no key").at(source, line.span()).help(FORM));
        return None;
    }
    match PublicKey::parse(kind.text, base64.text) {
        Ok(key) if sound_name => {
            let principal = principal.text.to_owned();
            options.map(|options| AllowedSigner { principal, start: line.start, options, key })
        }
        Ok(_) => None,
        Err(error) => {
            let at = kind.start..base64.span().end;
            problems.push(Problem::invalid(error.to_string()).at(source, at).help(error.help()));
            None
        }
    }
}

fn check_principal(source: &Source, principal: Part<'_>, problems: &mut Problems) -> bool {
    let help = match principal.text {
        text if text.contains(['*', '?', '!']) => "name one signer exactly; a pattern would let others sign as well",
        text if text.contains(',') => "name one signer; a key of two people does not show who signed",
        text if !options::is_name(text) => "use at most 255 visible ASCII characters, without quotes and backslashes",
        _ => return true,
    };
    let message = format!("`{}` is not the name of one signer", shown(principal.text));
    problems.push(Problem::invalid(message).at(source, principal.span()).help(help));
    false
}

/// A key of two principals would leave open who signed.
fn refuse_shared_keys(source: &Source, signers: &[AllowedSigner], problems: &mut Problems) {
    let mut owners = HashMap::new();
    for signer in signers {
        let first = *owners.entry(signer.fingerprint()).or_insert(signer);
        if first.principal != signer.principal {
            let (line, _) = source.position(first.start);
            let message = format!("the key of `{}` is also the key of `{}`", signer.principal, first.principal);
            let at = signer.start..signer.start + signer.principal.len();
            let help = format!("first defined at line {line}; give every signer a key of their own");
            problems.push(Problem::invalid(message).at(source, at).help(help));
        }
    }
}

const FORM: &str = "a line is `NAME namespaces=\"NAMESPACE\" TYPE KEY`";

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";

    fn problems(text: &str) -> Vec<String> {
        match AllowedSigners::parse(&Source::new("allowed_signers", text)) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(|problem| problem.message.clone()).collect(),
        }
    }

    #[test]
    fn a_line_gives_a_name_exactly_and_its_key() {
        let text = format!("\tPresident@Example.com \t namespaces=\"a,b\" {KEY} a comment — with dashes");
        let signers = AllowedSigners::parse(&Source::new("x", text)).unwrap();
        let [signer] = signers.iter().as_slice() else { panic!("{signers:?}") };
        assert_eq!((signer.principal(), signer.namespaces()), ("President@Example.com", &["a".into(), "b".into()][..]));
        assert_eq!(signer.fingerprint().to_string(), "SHA256:UCUiLr7Pjs9wFFJMDByLgc3NrtdU344OgUM45wZPcIQ");
    }

    #[test]
    fn a_name_that_others_could_match_is_refused() {
        for name in ["*", "*@example.com", "a?", "!a", "a,b", "\"a\"", "a\"", "a\\b", "đ", &"x".repeat(256)] {
            assert_eq!(problems(&format!("{name} namespaces=\"a\" {KEY}")).len(), 1, "{name}");
        }
    }

    #[test]
    fn a_line_that_is_not_understood_is_refused() {
        for line in [
            KEY.to_owned(),
            format!("a {KEY}"),
            "a".to_owned(),
            "a namespaces=\"a\"".to_owned(),
            "a namespaces=\"a\" ssh-ed25519".to_owned(),
            format!("a namespaces=\"a {KEY}"),
            format!("a namespaces=\"a\"{KEY}"),
            format!("a namespaces=\"a\", {KEY}"),
            format!("a namespaces=\"a\" {}", KEY.replace("qti", "qt")),
            format!("a namespaces=\"a\" {}", KEY.replace("ssh-ed25519", "ssh-ED25519")),
            format!("a cert-authority,namespaces=\"a\" {KEY}"),
            format!("a namespaces=\"a\" b {KEY}"),
        ] {
            assert!(!problems(&line).is_empty(), "{line}");
        }
    }

    #[test]
    fn other_kinds_of_key_are_refused_by_name() {
        for kind in ["ssh-rsa", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-dss"] {
            let said = problems(&format!("a namespaces=\"a\" {kind} AAAA"));
            assert_eq!(said, [format!("a key of type `{kind}` may not sign")]);
        }
        let said = problems("a namespaces=\"a\" ssh-ed25519-cert-v01@openssh.com AAAA");
        assert_eq!(said, ["`ssh-ed25519-cert-v01@openssh.com` is a certificate, and certificates may not sign"]);
    }

    #[test]
    fn one_key_of_two_names_is_refused_and_two_lines_of_one_name_are_not() {
        let two_names = format!("a namespaces=\"x\" {KEY}\n\nb namespaces=\"y\" {KEY}\n");
        assert_eq!(problems(&two_names), ["the key of `b` is also the key of `a`"]);
        assert_eq!(problems(&format!("a namespaces=\"x\" {KEY}\na namespaces=\"y\" {KEY}")), Vec::<String>::new());
        assert_eq!(problems(&format!("a namespaces=\"x\" {KEY}\na namespaces=\"y\" {OTHER}")), Vec::<String>::new());
    }

    #[test]
    fn all_problems_of_a_file_are_said_together_with_their_places() {
        let text = format!("* {KEY}\nb namespace=\"x\" ssh-rsa AAAA\n");
        let source = Source::new("allowed_signers", text);
        let problems = AllowedSigners::parse(&source).unwrap_err();
        let places: Vec<_> =
            problems.iter().map(|problem| source.position(problem.span.clone().unwrap().start)).collect();
        assert_eq!(places, [(1, 1), (1, 1), (2, 3), (2, 17)]);
        assert!(problems.iter().all(|problem| problem.help.is_some()));
    }
}
