//! A string in a policy or schema that looks like a secret.
//!
//! ## What it finds
//!
//! A string or a comment that begins like a key of a well-known service, holds a private key or a password in a URL, gives a
//! password, token or key by its name (`api_key=...`), or is a long run of random letters and digits; digests and public keys
//! excepted, and what stands in the path of a URL. Escapes in a string (`\u{67}`) are read as what they stand for.
//!
//! ## Why it matters
//!
//! Policies are read by everybody, signed, copied into reports and kept for ever.
//!
//! ## Examples
//!
//! ```text
//! finding: `context.token == "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"`
//! none:    the name of the variable that holds it
//! ```

use crate::cedar::tokens::{TokenKind, tokens, unescaped};
use crate::findings::Finding;
use crate::findings::Place;
use crate::findings::rule::{Rule, rule};
use crate::subject::Subject;
use regex::Regex;
use std::ops::Range;
use std::sync::LazyLock;

/// The rule.
pub const RULE: Rule = rule!("L12", "secret-in-policy", Error, "secret_in_policy.rs");

/// Looks at every string and comment of policies, invariants and schema, annotations included.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    for source in super::texts(subject) {
        let text = source.text();
        let (mut found, mut end) = (Vec::new(), 0);
        for token in tokens(text) {
            found.extend(secrets(text, end..token.span.start));
            end = token.span.end;
            if matches!(token.kind, TokenKind::Text | TokenKind::OpenText) {
                let inner = token.span.start + 1..token.span.end - usize::from(token.kind == TokenKind::Text);
                found.extend(in_string(text, inner));
            }
        }
        found.extend(secrets(text, end..text.len()));
        for at in found {
            findings.push(
                Finding::new(&RULE, super::about(subject, &source, at.start), "a text in it looks like a secret")
                    .at(Place::new(&source, at))
                    .help("take it out, revoke it, and compare with a fact or a name instead"),
            );
        }
    }
}

/// What looks like a secret in what stands between two quotes; as a whole where it is written with escapes.
fn in_string(text: &str, inner: Range<usize>) -> Vec<Range<usize>> {
    let written = text.get(inner.clone()).unwrap_or_default();
    let plain = unescaped(written);
    let is_hidden = || plain != written && (looks_secret(&plain) || !secrets(&plain, 0..plain.len()).is_empty());
    if looks_secret(written) {
        return vec![inner];
    }
    let found = secrets(text, inner.clone());
    if found.is_empty() && is_hidden() { vec![inner] } else { found }
}

/// The words of a part of the text that look like secrets: of comments, and of strings of several words.
fn secrets(text: &str, part: Range<usize>) -> Vec<Range<usize>> {
    let inside = text.get(part.clone()).unwrap_or_default();
    // What stands between two words of a policy is mostly blank.
    if inside.trim().len() < LEAST {
        return Vec::new();
    }
    if let Some(at) = inside.find("PRIVATE KEY-----") {
        let key = part.start + at..part.start + at + "PRIVATE KEY-----".len();
        return [key].into();
    }
    let mut found: Vec<Range<usize>> = NAMED
        .iter()
        .flatten()
        .flat_map(|named| named.captures_iter(inside))
        .filter_map(|found| found.get(1))
        .filter(|value| is_value(value.as_str()))
        .map(|value| part.start + value.start()..part.start + value.end())
        .collect();
    let mut start = part.start;
    for word in inside.split(|letter: char| letter.is_whitespace() || "\"'`,;()<>[]{}".contains(letter)) {
        // `token=ghp_...` is about what stands behind the sign, in a URL the whole is looked at.
        let value = if word.contains("://") {
            word
        } else {
            word.rsplit(['=', ':']).find(|end| !end.is_empty()).unwrap_or(word)
        };
        if looks_secret(value) {
            let at = start + word.rfind(value).unwrap_or_default();
            if !found.iter().any(|known| known.start <= at && at < known.end) {
                found.push(at..at + value.len());
            }
        }
        start +=
            word.len() + text.get(start + word.len()..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    }
    found
}

fn looks_secret(text: &str) -> bool {
    let is_known = |(start, least): &(&str, usize)| {
        let rest = text.strip_prefix(start).filter(|_| text.len() >= *least);
        // Names begin so, too; keys have digits.
        rest.is_some_and(|rest| !AS_NAMES.contains(start) || rest.contains(|letter: char| letter.is_ascii_digit()))
    };
    if KNOWN.iter().any(is_known) || text.contains("PRIVATE KEY-----") || is_token(text) {
        return true;
    }
    has_password(text) || text.split(['/', '.']).any(is_random)
}

/// A password in the part of a URL that names who asks: what follows the host is no secret for its signs.
fn has_password(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#', ' ']).next().unwrap_or_default();
    let Some((user, _)) = authority.rsplit_once('@') else { return false };
    user.split_once(':').is_some_and(|(_, password)| {
        // What is filled in later is none.
        !password.is_empty() && !password.starts_with(['$', '<', '{', '*', '%'])
    })
}

/// Whether what a text gives as a password or key is one: what is filled in later, a digest and a plain word are none.
fn is_value(text: &str) -> bool {
    let has = |kind: fn(char) -> bool| text.chars().any(kind);
    let is_named = text.starts_with(['$', '<', '{', '*', '%'])
        || ["sha", "arn:", "vault:"].iter().any(|start| text.starts_with(start))
        || text.contains("::");
    !is_named && has(|letter| letter.is_ascii_digit()) && has(|letter| letter.is_ascii_alphabetic())
}

/// Three parts of base64, of which the first is a JSON object: a JWT.
fn is_token(text: &str) -> bool {
    text.starts_with("eyJ") && text.len() >= 40 && text.split('.').count() >= 2
}

/// A long run of letters and digits of all kinds, mixed as no name is; digests are none.
fn is_random(text: &str) -> bool {
    let word = text.len() >= 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=_-".contains(&byte));
    let digest = text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let has = |kind: fn(&u8) -> bool| text.bytes().filter(kind).count() >= 4;
    let bytes = text.as_bytes();
    let changes =
        bytes.windows(2).filter(|pair| matches!(pair, [a, b] if a.is_ascii_digit() != b.is_ascii_digit())).count();
    // How the keys of SSH begin that everybody may know.
    let is_public = ["AAAAB3NzaC", "AAAAC3NzaC", "AAAAE2VjZHNh", "AAAAGnNr", "AAAAInNr"];
    word && !digest
        && !is_public.iter().any(|start| text.starts_with(start))
        && changes >= 6
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
}

/// No secret is shorter.
const LEAST: usize = 8;
/// A value that is given by its name, or after `Bearer` or `Basic`.
static NAMED: LazyLock<[Option<Regex>; 3]> = LazyLock::new(|| {
    [
        // What is named by a colon alone is often no value: `secret:database-2` is a reference.
        r#"(?i)(?:(?:passw(?:or)?d|passwd|pwd)["']?\s*[:=]|(?:secret|token|credential|(?:api|access|account|private|signing|encryption)[_-]?key)["']?(?:\s*=|:\s+))\s*["']?([^\s"'`,;()<>\[\]{}]{8,})"#,
        r"(?i)\bbearer\s+([a-z0-9._~+/=-]{20,})",
        r"(?i)\bauthorization:\s*basic\s+([a-z0-9+/=]{12,})",
    ]
    .map(|pattern| Regex::new(pattern).ok())
});

/// Beginnings of keys that names have, too.
const AS_NAMES: [&str; 7] = ["AKIA", "ASIA", "sk-", "npm_", "pypi-", "hf_", "dapi"];

/// How keys of well-known services begin, and how long they are at least.
const KNOWN: [(&str, usize); 36] = [
    ("ghp_", 20),
    ("gho_", 20),
    ("ghs_", 20),
    ("ghu_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 20),
    ("gldt-", 20),
    ("AKIA", 20),
    ("ASIA", 20),
    ("AIza", 35),
    ("ya29.", 20),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("xoxa-", 20),
    ("xoxr-", 20),
    ("xapp-", 20),
    ("sk_live_", 20),
    ("sk_test_", 20),
    ("rk_live_", 20),
    ("sk-", 24),
    ("SG.", 40),
    ("npm_", 30),
    ("pypi-", 30),
    ("hf_", 24),
    ("dop_v1_", 24),
    ("shpat_", 24),
    ("lin_api_", 24),
    ("eyJhbGci", 20),
    ("AGE-SECRET-KEY-", 24),
    ("ATATT3", 24),
    ("sq0csp-", 24),
    ("PMAK-", 24),
    ("hvs.", 24),
    ("dapi", 36),
    ("dckr_pat_", 24),
];
