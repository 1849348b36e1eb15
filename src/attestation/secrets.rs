//! Secrets that must not be written: the values behind variables, in every form they may take, and well-known shapes.

use crate::db::password_of;
use crate::problem::{Problem, Problems};
use base64ct::{Base64, Base64Unpadded, Base64Url, Base64UrlUnpadded, Encoding as _};
use regex::Regex;
use serde_json::Value;
use std::collections::BTreeMap;

/// What is looked for. Its `Debug` shows names only.
pub struct Secrets {
    /// Every form of each value, by the variable's name.
    values: BTreeMap<String, Vec<String>>,
    unset: Vec<String>,
    shapes: Vec<(&'static str, Regex)>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl Secrets {
    /// The values of these variables; `variable` reads the environment.
    pub fn resolve(names: &[String], variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, Problem> {
        let (mut values, mut unset) = (BTreeMap::new(), Vec::new());
        for name in names {
            match variable(name).filter(|value| !value.is_empty()) {
                Some(value) => drop(values.insert(name.clone(), forms(&value))),
                None => unset.push(name.clone()),
            }
        }
        let shapes = SHAPES.iter().map(|(what, pattern)| Ok((*what, Regex::new(pattern)?)));
        let shapes: Result<Vec<_>, regex::Error> = shapes.collect();
        let shapes = shapes.map_err(|_| Problem::failure("the shapes of secrets cannot be looked for"))?;
        Ok(Self { values, unset, shapes })
    }

    /// The variables that are not set, so that their values cannot be looked for.
    pub fn unset(&self) -> &[String] {
        &self.unset
    }

    /// How many shapes are looked for.
    pub fn shapes(&self) -> usize {
        self.shapes.len()
    }

    /// Looks through a text, line by line; a finding names the place and never the value.
    pub fn look_through(&self, name: &str, text: &str, problems: &mut Problems) {
        for (number, line) in (1..).zip(text.lines()) {
            self.look_at(&|| format!("{name}:{number}"), line, problems);
        }
        // A value may hold line breaks.
        let spans_lines = |form: &&String| form.contains('\n') && text.contains(form.as_str());
        for (variable, forms) in &self.values {
            if forms.iter().any(|form| spans_lines(&form)) {
                problems.push(leak(name, &format!("the value of `{variable}`")));
            }
        }
    }

    /// Looks through every string of a JSON value, as it reads once decoded; places are JSON pointers (RFC 6901).
    pub fn look_through_json(&self, name: &str, value: &Value, problems: &mut Problems) {
        let mut left = vec![(String::new(), value)];
        while let Some((pointer, value)) = left.pop() {
            match value {
                Value::String(text) => self.look_at(&|| format!("{name} at {pointer}"), text, problems),
                Value::Array(elements) => {
                    left.extend(
                        elements.iter().enumerate().map(|(index, element)| (format!("{pointer}/{index}"), element)),
                    );
                }
                Value::Object(members) => {
                    for (index, (key, member)) in members.iter().enumerate() {
                        let before = problems.count();
                        self.look_at(&|| format!("{name} in the name of member {index} at {pointer}"), key, problems);
                        // A name that is a secret itself is not repeated in the places below it.
                        let key = match problems.count() == before {
                            true => key.replace('~', "~0").replace('/', "~1"),
                            false => format!("<member {index}>"),
                        };
                        left.push((format!("{pointer}/{key}"), member));
                    }
                }
                _ => {}
            }
        }
    }

    fn look_at(&self, place: &dyn Fn() -> String, text: &str, problems: &mut Problems) {
        for (variable, forms) in &self.values {
            if forms.iter().any(|form| text.contains(form.as_str())) {
                problems.push(leak(&place(), &format!("the value of `{variable}`")));
            }
        }
        for (what, shape) in &self.shapes {
            if shape.is_match(text) {
                problems.push(leak(&place(), what));
            }
        }
    }
}

fn leak(place: &str, what: &str) -> Problem {
    Problem::untrusted(format!("{place} holds {what}"))
        .help("nothing was written; take it out at its source, and change the secret: it has been seen")
}

/// A value as it stands, and as JSON, URLs and base64 write it; of a connection string, its password as well.
fn forms(value: &str) -> Vec<String> {
    let mut plain = vec![value.to_owned()];
    plain.extend(password_of(value));
    let mut forms = Vec::new();
    for value in plain.into_iter().filter(|value| !value.is_empty()) {
        let quoted = serde_json::to_string(&value).unwrap_or_default();
        forms.push(quoted.trim_matches('"').to_owned());
        forms.push(percent_encoded(&value));
        forms.push(percent_encoded(&value).to_lowercase());
        forms.extend(base64_cores(value.as_bytes()));
        forms.push(value);
    }
    forms.sort();
    forms.dedup();
    forms
}

/// What of a value stays the same in base64 whatever stands around it: its whole groups, at each of the three offsets.
fn base64_cores(value: &[u8]) -> Vec<String> {
    let mut cores = Vec::new();
    for skipped in 0..3_usize {
        let whole = value.get(skipped..).map(|rest| rest.len() / 3 * 3).unwrap_or_default();
        let core = value.get(skipped..skipped + whole).unwrap_or_default();
        // A shorter one would be found in texts that have nothing to do with it.
        if core.len() >= SHORTEST_CORE {
            cores.extend([Base64Unpadded::encode_string(core), Base64UrlUnpadded::encode_string(core)]);
        }
    }
    cores.extend([Base64::encode_string(value), Base64Url::encode_string(value)]);
    cores
}

const SHORTEST_CORE: usize = 6;

/// As in URLs (RFC 3986, section 2.1), every byte but the unreserved.
fn percent_encoded(value: &str) -> String {
    let mut encoded = String::new();
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

/// Shapes that issuers give their secrets so that they can be found.
const SHAPES: [(&str, &str); 12] = [
    ("a private key", r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----"),
    ("an age key", r"AGE-SECRET-KEY-1[0-9A-Z]{20,}"),
    ("an access key of AWS", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    ("a token of GitHub", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})"),
    ("a token of GitLab", r"\bglpat-[A-Za-z0-9_-]{20,}"),
    ("a token of Slack", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    ("a key of Google", r"\bAIza[0-9A-Za-z_-]{35}"),
    ("a key of Stripe", r"\b[rs]k_live_[0-9A-Za-z]{16,}"),
    ("a token of npm", r"\bnpm_[A-Za-z0-9]{36}"),
    ("a key of a language model's vendor", r"\bsk-[A-Za-z0-9_-]{20,}"),
    ("a URL with a password", r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s:/@]*:[^\s/@]+@"),
    ("a JSON Web Token", r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &[(&str, &str)], text: &str) -> Vec<String> {
        let all: Vec<String> = names.iter().map(|(name, _)| (*name).to_owned()).collect();
        let value = |name: &str| names.iter().find(|(found, _)| *found == name).map(|(_, value)| (*value).to_owned());
        let secrets = Secrets::resolve(&all, &value).unwrap();
        let mut problems = Problems::new();
        secrets.look_through("log", text, &mut problems);
        problems.iter().map(|problem| problem.message.clone()).collect()
    }

    #[test]
    fn a_value_is_found_in_every_form_and_never_repeated() {
        let secret = [("PW", "a b/\"c\u{e9}")];
        for form in [
            "x a b/\"c\u{e9} y",
            "{\"p\":\"a b/\\\"c\u{e9}\"}",
            "p=a%20b%2F%22c%C3%A9",
            "p=a%20b%2f%22c%c3%a9",
            "YSBiLyJjw6k=",
            "dXNlcjphIGIvImPDqQ==",
        ] {
            assert_eq!(found(&secret, form), ["log:1 holds the value of `PW`"], "{form}");
        }
        assert_eq!(found(&secret, "nothing of it"), Vec::<String>::new());
        let url = [("URL", "postgres://u:p%40ss-word@db.example/x")];
        assert_eq!(found(&url, "said: p@ss-word"), ["log:1 holds the value of `URL`"]);
        assert_eq!(found(&[("PW", "one\ntwo")], "one\ntwo"), ["log holds the value of `PW`"]);
    }

    #[test]
    fn each_shape_is_found_and_its_like_is_not() {
        let letters = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";
        for (text, what) in [
            ("-----BEGIN OPENSSH PRIVATE KEY-----".to_owned(), "a private key"),
            ("-----BEGIN PGP PRIVATE KEY BLOCK-----".to_owned(), "a private key"),
            (format!("AGE-SECRET-KEY-1{}", letters.to_uppercase()), "an age key"),
            ("AKIAIOSFODNN7EXAMPLE".to_owned(), "an access key of AWS"),
            (format!("ghp_{letters}"), "a token of GitHub"),
            (format!("glpat-{letters}"), "a token of GitLab"),
            (format!("xoxb-{letters}"), "a token of Slack"),
            (format!("AIza{}", &letters[..35]), "a key of Google"),
            (format!("sk_live_{letters}"), "a key of Stripe"),
            (format!("npm_{letters}"), "a token of npm"),
            (format!("sk-{letters}"), "a key of a language model's vendor"),
            ("postgres://u:secret@db/x".to_owned(), "a URL with a password"),
            (format!("eyJ{letters}.eyJ{letters}.{letters}"), "a JSON Web Token"),
        ] {
            assert_eq!(found(&[], &text), [format!("log:1 holds {what}")], "{text}");
        }
        for text in
            ["-----BEGIN PUBLIC KEY-----", "https://example.com:8443/x", "a task-oriented-approach-to-things", "age1x"]
        {
            assert_eq!(found(&[], text), Vec::<String>::new(), "{text}");
        }
    }
}
