//! Whatever text a file holds, reading it ends with problems and never with a crash: the shipped texts cut, joined and corrupted, and
//! words of Cedar in any order, and the texts of `fuzz/corpus/`: one for each way to fall over that was found, and those by which
//! `cargo fuzz` reaches further. `PROPTEST_CASES=100000` makes it long.

use crate::support::world::root;
use proptest::prelude::*;

/// The functions that the fuzz targets call.
#[path = "../../../fuzz/reading.rs"]
mod reading;

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

/// Reads a text as everything that it could be meant to be.
fn read_as_all(text: &str) {
    for (_, read) in KINDS {
        read(text);
    }
}

/// Reads a text of some kind.
type Reads = fn(&str);

/// Each kind of text, as its folder below the corpus is called, and how it is read.
const KINDS: [(&str, Reads); 5] = [
    ("policy", reading::policy),
    ("schema", reading::schema),
    ("entities", reading::entities),
    ("plan", reading::plan),
    ("config", reading::config),
];

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
    for (kind, read) in KINDS {
        let texts: Vec<_> = std::fs::read_dir(root().join("fuzz/corpus").join(kind)).unwrap().collect();
        assert!(!texts.is_empty(), "{kind}");
        for text in texts {
            read(&String::from_utf8_lossy(&std::fs::read(text.unwrap().path()).unwrap()));
        }
    }
}

#[test]
fn a_text_that_is_one_sign_many_times_is_read_or_refused_in_time() {
    for word in WORDS {
        read_as_all(&format!("{word} ").repeat(2_000));
    }
}
