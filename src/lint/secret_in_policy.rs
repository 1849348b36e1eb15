//! A string in a policy or schema that looks like a secret.
//!
//! ## What it finds
//!
//! A literal that begins like a key of a well-known service, holds a private key or a password in a URL, or is a long run of
//! random letters and digits; digests of 64 hexadecimal digits excepted.
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

use super::found;
use crate::findings::Finding;
use crate::findings::Place;
use crate::findings::rule::{Rule, rule};
use crate::subject::Subject;

/// The rule.
pub const RULE: Rule = rule!("L12", "secret-in-policy", Error, "secret_in_policy.rs");

/// Looks at every string literal, annotations included.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    for policy in subject.bundle.own() {
        let Some(text) = policy.source.text().get(policy.span.clone()) else { continue };
        for (offset, literal) in strings(text) {
            if looks_secret(literal) {
                let start = policy.span.start + offset;
                let mut finding = found(&RULE, policy, "a string in it looks like a secret");
                finding.places = vec![Place::new(&policy.source, start..start + literal.len())];
                findings.push(finding.help("take it out, revoke it, and compare with a fact or a name instead"));
            }
        }
    }
}

/// Every text between quotes, with its place.
fn strings(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut offset = 0;
    text.split('"').enumerate().filter_map(move |(index, part)| {
        let at = offset;
        offset += part.len() + 1;
        (index % 2 == 1).then_some((at, part))
    })
}

fn looks_secret(text: &str) -> bool {
    let known =
        ["ghp_", "gho_", "github_pat_", "glpat-", "AKIA", "ASIA", "xoxb-", "xoxp-", "sk_live_", "sk-", "eyJhbGci"];
    if known.iter().any(|start| text.starts_with(start) && text.len() >= 20) || text.contains("PRIVATE KEY-----") {
        return true;
    }
    if text
        .split_once("://")
        .is_some_and(|(_, rest)| rest.split('@').next().is_some_and(|user| rest.contains('@') && user.contains(':')))
    {
        return true;
    }
    let word = text.len() >= 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=_-".contains(&byte));
    let digest = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let has = |kind: fn(&u8) -> bool| text.bytes().filter(kind).count() >= 4;
    word && !digest && has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase)
}
