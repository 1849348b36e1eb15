//! Whatever text a file holds, reading it ends with problems and never with a crash: the shipped texts cut, joined and spoilt, and
//! words of Cedar in any order, and the texts of `corpus/`, one for each way to fall over that was found. `PROPTEST_CASES=100000` makes it
//! long.

use super::fixture::Fixture;
use crate::support::world::root;
use cutter::digest::{Digest, Listing};
use cutter::facts::{Facts, RawFacts};
use cutter::plan::RunPlan;
use cutter::policy::{BundleSources, PolicyBundle};
use cutter::problem::{Problems, Source};
use cutter::review::validate;
use cutter::schema::RunSchema;
use cutter::settings::Config;
use cutter::subject::Subject;
use cutter::{json, lint};
use proptest::prelude::*;
use std::sync::OnceLock;

/// Words from which texts are made that are nearly Cedar, TOML or JSON.
const WORDS: &[&str] = &[
    "permit",
    "forbid",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    "principal",
    "action",
    "resource",
    "context",
    ",",
    ";",
    "==",
    "in",
    "is",
    "when",
    "unless",
    "&&",
    "||",
    "!",
    "has",
    "like",
    ".",
    "@id",
    "\"x\"",
    "\"*\"",
    "\"",
    "\\\"",
    "//",
    "\n",
    "if",
    "then",
    "else",
    "User",
    "::",
    "Action",
    "1",
    "-",
    "5.0",
    "9223372036854775808",
    "decimal",
    "entity",
    "namespace",
    "type",
    "enum",
    "appliesTo",
    "?principal",
    "\u{feff}",
    "\u{202e}",
    "\r\n",
    "=",
    "?",
    ":",
    "null",
    "true",
    "#",
    "'",
    "\u{0}",
    "é",
];

/// A shipped text of each kind that is read.
fn shipped() -> Vec<(&'static str, String)> {
    let read = |name: &str| std::fs::read_to_string(root().join(name)).unwrap();
    vec![
        ("policies", read("policies/gates.cedar")),
        ("schema", std::fs::read_to_string(schema()).unwrap()),
        ("people", read("policies/people-and-agents.json")),
        ("config", read("cutter.toml")),
        ("plan", read("plans/o9-first-production-run.json")),
        ("entities", read("entities/documents.json")),
    ]
}

fn schema() -> std::path::PathBuf {
    let of_schema = |path: &std::path::PathBuf| path.extension().is_some_and(|of| of == "cedarschema");
    let files = std::fs::read_dir(root().join("policies")).unwrap().map(|entry| entry.unwrap().path());
    files.into_iter().find(of_schema).unwrap()
}

/// How often each property is tried.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").map_or(48, |cases| cases.parse().unwrap())
}

/// The shipped bundle, in whose schema facts and plans are read.
fn shipped_bundle() -> &'static PolicyBundle {
    static BUNDLE: OnceLock<PolicyBundle> = OnceLock::new();
    BUNDLE.get_or_init(|| Fixture::shipped().subject().unwrap().bundle)
}

/// Reads a text as everything that it could be meant to be.
fn read_as_all(text: &str) {
    let source = |name: &str| Source::new(name, text);
    let sources = BundleSources {
        schemas: vec![source("a.cedarschema")],
        policies: vec![source("a.cedar")],
        signers: Some(source("allowed_signers")),
        people: vec![source("a.json")],
        config: None,
        listing: Listing::new([("policies", Digest::of(b""))]),
        name: "policies".to_owned(),
    };
    let mut problems = Problems::new();
    // Facts and plans are JSON; whatever else it is, one look says so.
    if text.trim_start().starts_with(['[', '{']) {
        let bundle = shipped_bundle();
        let (sources, names) = (vec![source("e.json")], vec!["entities/e.json".to_owned()]);
        let raw = RawFacts { sources, names, name: "entities".to_owned() };
        problems.absorb(Facts::admit(&raw, bundle).map(drop));
        problems.absorb(RunPlan::parse(&source("plan.json"), bundle.schema(), None, &|_| None).map(drop));
    }
    let alone = BundleSources { schemas: Vec::new(), ..sources.clone() };
    for set in [&sources, &alone] {
        if let Some(bundle) = PolicyBundle::plain(set, &mut problems)
            && let Ok(subject) = Subject::new(bundle, Vec::new())
        {
            lint::lint(&subject);
        }
        problems.absorb(PolicyBundle::parse(set));
    }
    problems.absorb(RunSchema::fragment(&source("a.cedarschema")));
    problems.absorb(json::parse(&source("a.json")).map(drop));
    problems.absorb(Config::parse(&source("cutter.toml")));
    let part = validate::validate(&sources.policies, &[], &problems);
    assert!(part.findings.iter().all(|finding| !finding.message.is_empty()));
    let _ = validate::fixed(&source("a.cedar"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn words_of_cedar_in_any_order_are_read_or_refused(words in prop::collection::vec(prop::sample::select(WORDS), 0..80)) {
        read_as_all(&words.join(" "));
        read_as_all(&words.concat());
    }

    #[test]
    fn shipped_texts_that_are_cut_joined_and_spoilt_are_read_or_refused(
        kind in 0_usize..6,
        start in any::<prop::sample::Index>(),
        end in any::<prop::sample::Index>(),
        word in prop::sample::select(WORDS),
    ) {
        let (_, text) = shipped().swap_remove(kind);
        let boundary = |index: &prop::sample::Index| text.floor_char_boundary(index.index(text.len()));
        let (start, end) = (boundary(&start), boundary(&end));
        let (start, end) = (start.min(end), start.max(end));
        read_as_all(&text[start..end]);
        read_as_all(&format!("{}{word}{}", &text[..start], &text[end..]));
    }

    #[test]
    fn bytes_of_any_kind_are_read_or_refused(text in "\\PC{0,200}") {
        read_as_all(&text);
    }
}

#[test]
fn each_text_of_the_corpus_is_read_or_refused() {
    let texts: Vec<_> = std::fs::read_dir(root().join("tests/suite/review/corpus")).unwrap().collect();
    assert!(texts.len() > 10);
    for text in texts {
        let text = std::fs::read(text.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&text);
        read_as_all(&text);
    }
}

#[test]
fn a_text_that_is_one_sign_many_times_is_read_or_refused_in_time() {
    for word in WORDS {
        read_as_all(&format!("{word} ").repeat(2_000));
    }
}
