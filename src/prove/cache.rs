//! What was proved before, by digest: whole proofs of the same inputs, and single answers of the same solver.
//!
//! The folder lies outside the project by default: whoever could write to it could claim any proof.

use crate::digest::Digest;
use crate::files;
use crate::findings::{Check, Outcome, Part};
use crate::subject::Subject;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The cache of one part of the review over one subject.
#[derive(Debug)]
pub struct Cache {
    folder: Option<PathBuf>,
    part: &'static str,
    inputs: Digest,
    version: String,
    known: HashMap<Digest, bool>,
}

impl Cache {
    /// Opens the cache; without a folder nothing is recalled or kept.
    pub fn open(folder: Option<&Path>, part: &'static str, subject: &Subject, version: &str) -> Self {
        let version: String =
            version.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '.').collect();
        let mut cache = Self {
            folder: folder.map(Path::to_path_buf),
            part,
            inputs: inputs(subject, part, &version),
            version,
            known: HashMap::new(),
        };
        if let Some(text) = cache.answers_file().and_then(|path| files::read(&path).ok()) {
            cache.known = text.text().lines().filter_map(answer).collect();
        }
        cache
    }

    /// The answers of the same solver from before.
    pub fn known(&self) -> HashMap<Digest, bool> {
        self.known.clone()
    }

    /// The whole part, if everything held over the same inputs; the names must be exactly those `expected`.
    pub fn whole(&self, expected: &[String]) -> Option<Part> {
        let source = files::read(&self.whole_file()?).ok()?;
        let mut lines = source.text().lines();
        let summary = lines.next()?.to_owned();
        if expected.is_empty() || !lines.eq(expected.iter().map(String::as_str)) {
            return None;
        }
        let checks = expected.iter().map(|name| Check { name: name.clone(), outcome: Outcome::Held }).collect();
        Some(Part { name: self.part, summary: format!("{summary}, from the cache"), checks, findings: Vec::new() })
    }

    /// Keeps the answers, and the part where everything held. A cache that cannot be written costs time, nothing else.
    pub fn keep(&self, part: &Part, answers: &HashMap<Digest, bool>) {
        let mut lines: Vec<String> = answers
            .iter()
            .map(|(digest, satisfiable)| format!("{digest} {}\n", if *satisfiable { "sat" } else { "unsat" }))
            .collect();
        lines.sort();
        lines.truncate(MOST_ANSWERS);
        let _ = self.answers_file().map(|path| files::write(&path, &lines.concat()));
        let clean = part.findings.is_empty() && part.checks.iter().all(|check| check.outcome == Outcome::Held);
        if clean {
            let mut text = format!("{}\n", part.summary);
            for check in &part.checks {
                let _ = writeln!(text, "{}", check.name);
            }
            let _ = self.whole_file().map(|path| files::write(&path, &text));
        }
    }

    fn answers_file(&self) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(format!("answers-cvc5-{}.txt", self.version)))
    }

    fn whole_file(&self) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(format!("{}-{}.txt", self.part, self.inputs)))
    }
}

/// Everything that the outcome of a part depends on.
fn inputs(subject: &Subject, part: &str, version: &str) -> Digest {
    let policies = subject.bundle.policies().iter().map(|policy| (policy.source.name(), policy.source.text()));
    let invariants = subject.invariants.iter().map(|invariant| (invariant.source.name(), invariant.source.text()));
    let schema = (subject.bundle.schema().source().name(), subject.bundle.schema().source().text());
    let tools = ("tools", concat!(env!("CARGO_PKG_VERSION"), " cedar-policy-symcc 0.8.1"));
    // Many policies stand in one file, whose digest is taken once.
    let all: BTreeSet<(&str, &str)> =
        policies.chain(invariants).chain([schema, tools, ("part", part), ("solver", version)]).collect();
    let mut entries: Vec<(&str, Digest)> =
        all.into_iter().map(|(name, text)| (name, Digest::of(text.as_bytes()))).collect();
    entries.sort_unstable();
    Digest::of_listing(entries)
}

fn answer(line: &str) -> Option<(Digest, bool)> {
    let (digest, word) = line.split_once(' ')?;
    let satisfiable = match word {
        "sat" => true,
        "unsat" => false,
        _ => return None,
    };
    Some((Digest::parse(digest)?, satisfiable))
}

/// More answers than this are not kept.
const MOST_ANSWERS: usize = 100_000;
