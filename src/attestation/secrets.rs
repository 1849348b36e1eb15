//! Secrets that must not be written: the values behind variables, in every form they may take, and well-known shapes.

mod forms;
mod stream;

pub use stream::Filter;

use crate::problem::{Problem, Problems};
use regex::bytes::{Regex, RegexBuilder};
use serde_json::Value;
use std::collections::BTreeMap;

/// What is looked for. Its `Debug` shows names only.
pub struct Secrets {
    /// The values in every form, by the variable's name.
    values: BTreeMap<String, Sought>,
    unset: Vec<String>,
    shapes: Vec<(&'static str, Regex)>,
}

/// One value that is looked for.
struct Sought {
    search: Regex,
    /// How long the value is, if it has several lines.
    lines: usize,
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
                Some(value) => {
                    let search = built(&forms::pattern(&value))?;
                    let lines = if value.contains('\n') { value.len() } else { 0 };
                    values.insert(name.clone(), Sought { search, lines });
                }
                None => unset.push(name.clone()),
            }
        }
        let shapes = SHAPES.iter().map(|(what, pattern)| Ok((*what, built(&format!("(?-u){pattern}"))?)));
        Ok(Self { values, unset, shapes: shapes.collect::<Result<_, Problem>>()? })
    }

    /// The variables whose values are looked for.
    pub fn names(&self) -> Vec<String> {
        self.values.keys().cloned().collect()
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
        for (variable, sought) in self.values.iter().filter(|(_, sought)| sought.lines > 0) {
            let mut found = sought.search.find_iter(text.as_bytes());
            if found.any(|found| found.as_bytes().contains(&b'\n')) {
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
        for (variable, sought) in &self.values {
            if sought.search.is_match(text.as_bytes()) {
                problems.push(leak(&place(), &format!("the value of `{variable}`")));
            }
        }
        for (what, shape) in &self.shapes {
            if shape.is_match(text.as_bytes()) {
                problems.push(leak(&place(), what));
            }
        }
    }
}

fn leak(place: &str, what: &str) -> Problem {
    Problem::untrusted(format!("{place} holds {what}"))
        .help("nothing was written; take it out at its source, and change the secret: it has been seen")
}

/// A pattern as a search, over bytes: not all that programs write is text.
fn built(pattern: &str) -> Result<Regex, Problem> {
    let search = RegexBuilder::new(pattern).size_limit(LARGEST_SEARCH).build();
    search.map_err(|_| Problem::failure("the patterns of secrets cannot be searched for: a value is too long"))
}

const LARGEST_SEARCH: usize = 1 << 26;

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
            "{\"p\":\"a b\\/\\u0022c\\u00e9\"}",
            "{\"p\":\"\\u0061\\u0020b\\u002F\\\"c\\u00E9\"}",
            "\\\"a b/\\\\\\\"c\\\\u00e9\\\"",
            "p=a%20b%2F%22c%C3%A9",
            "p=a%20b%2f%22c%c3%a9",
            "p=a+b/%22c%c3%a9",
            "p=a%20b/%22c\u{e9}",
            "p=%61%20%62%2F%22%63%C3%A9",
            "p=a%2520b%252F%2522c%25C3%25A9",
            "<p>a b/&quot;c&#233;</p>",
            "<p>a&#x20;b&#x2f;&#34;c&#xe9;</p>",
            "$'a b/\\\"c\\303\\251'",
            "b'a b/\"c\\xc3\\xa9'",
            "6120622f2263c3a9",
            "6120622F2263C3A9",
            "YSBiLyJjw6k=",
            "dXNlcjphIGIvImPDqQ==",
        ] {
            assert_eq!(found(&secret, form), ["log:1 holds the value of `PW`"], "{form}");
        }
        for quoted in [
            "it''s 2",
            "it'\\''s 2",
            "'it'\"'\"'s 2'",
            "it\\'s 2",
            "it&apos;s 2",
            "it&#39;s 2",
            "it\\x27s 2",
            "it%27s+2",
        ] {
            assert_eq!(found(&[("PW", "it's 2")], quoted), ["log:1 holds the value of `PW`"], "{quoted}");
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
