//! Whatever signers file we accept, `ssh-keygen` accepts with the same name; and nothing that is thrown at us is fatal.

use crate::signatures::bench::{Bench, KINDS, saved, time};
use cutter::problem::Source;
use cutter::signature::{AllowedSigners, Revocations, verify};
use proptest::prelude::*;
use std::cell::Cell;

const MESSAGE: &[u8] = b"message";
const NOW: &str = "2026-05-21T08:15:00Z";
const NAMES: [&str; 20] = [
    "a",
    "a",
    "b@example.com",
    "B",
    "a#b",
    "#a",
    "-a",
    "a=b",
    "a'b",
    "a;b",
    "a|b",
    "a~b",
    "a:b",
    "a/b",
    "[a]",
    "a%b",
    "*",
    "a,b",
    "!a",
    "ssh-ops@example.com",
];
const OPTIONS: [&str; 16] = [
    "namespaces=\"n\"",
    "namespaces=\"n\"",
    "NAMESPACES=\"n,m\"",
    "namespaces=\"m,n\",valid-after=\"20260101Z\"",
    "valid-before=\"20270101Z\",namespaces=\"n\"",
    "namespaces=\"n\",Valid-Before=\"20260521081500Z\"",
    "namespaces=\"n\",valid-after=\"202605210815Z\",valid-before=\"99991230Z\"",
    "namespaces=\"n\",valid-before=\"20200101Z\"",
    "namespaces=\"n\",valid-after=\"20260101\"",
    "namespaces=\"n\",valid-after=\"20260230Z\"",
    "namespaces=\"n\",cert-authority",
    "namespaces=\"n*\"",
    "namespaces=\"n;m\"",
    "namespaces=\"N\"",
    "namespaces=n",
    "",
];
const BLANKS: [&str; 5] = [" ", " ", "\t", "  ", ""];
const TAILS: [&str; 6] = ["\n", "\n", " a comment\n", " # \"\n", "\t\n", ""];

/// A line from pieces, at times with one character put in, put over or taken out.
fn line(keys: Vec<String>) -> impl Strategy<Value = String> {
    let piece = |pieces: &'static [&'static str]| prop::sample::select(pieces);
    let blanks = || piece(&BLANKS);
    let parts =
        (blanks(), piece(&NAMES), blanks(), piece(&OPTIONS), blanks(), prop::sample::select(keys), piece(&TAILS));
    let change = prop::option::weighted(0.4, (any::<prop::sample::Index>(), "[ -~\t]", 0..3));
    (parts, change).prop_map(|((lead, name, first, options, second, key, tail), change)| {
        let lead = if lead.is_empty() { "" } else { " " };
        let first = if first.is_empty() { " " } else { first };
        let mut line = format!("{lead}{name}{first}{options}{second}{key}{tail}");
        if let Some((at, text, how)) = change {
            // Mostly in the front: changes of a key only break the key.
            let at = at.index(line.len().min(70));
            match how {
                0 => line.insert_str(at, &text),
                1 => line.replace_range(at..=at, &text),
                _ => line.replace_range(at..=at, ""),
            }
        }
        line
    })
}

#[test]
fn what_we_accept_ssh_keygen_accepts_with_the_same_name() {
    let (bench, now) = (Bench::new(), time(NOW));
    let keys: Vec<String> = KINDS.iter().map(|(name, arguments)| bench.key(name, arguments)).collect();
    let signatures: Vec<Vec<u8>> = KINDS.iter().map(|(name, _)| bench.sign(name, "n", MESSAGE)).collect();
    let mut pool = [keys.clone(), keys.clone(), keys.clone()].concat();
    pool.extend([
        bench.key("rsa", &["rsa"]),
        keys[0].replace("ssh-ed25519 ", "ssh-ed25519  "),
        "ssh-ed25519 AAAA".into(),
    ]);
    let (accepted, names) = (Cell::new(0), Cell::new(0));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(1500));
    let files = prop::collection::vec(line(pool), 1..3).prop_map(|lines| lines.concat());
    let outcome = runner.run(&files, |file| {
        bench.write("signers", &file);
        let Ok(signers) = AllowedSigners::parse(&Source::new("signers", file)) else { return Ok(()) };
        for signer in signers.iter() {
            let name = signer.principal();
            let found = bench.keygen(&["-Y", "match-principals", "-f", "signers", "-I", name], b"");
            let found = String::from_utf8(found.stdout).unwrap();
            prop_assert!(found.lines().any(|line| line == name), "{} is not in {:?}", name, found);
            names.set(names.get() + 1);
        }
        for signature in &signatures {
            if let Ok(signer) = verify("n", MESSAGE, signature, &signers, &Revocations::none(), now) {
                saved(&bench, signature.clone());
                prop_assert!(bench.accepts(&signer.principal, "n", MESSAGE, now));
                accepted.set(accepted.get() + 1);
            }
        }
        Ok(())
    });
    outcome.unwrap();
    let (names, accepted) = (names.get(), accepted.get());
    // Else the property would hold for lack of cases.
    assert!(names > 100 && accepted > 50, "{names} names, {accepted} signatures");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_with_places_inside_it(text in "(?s)(.{0,40}\n?|[a-z\"=,* ]{0,30}\n|a namespaces=\"n\" .*\n){0,6}") {
        let source = Source::new("x", text.clone());
        let outcomes = [AllowedSigners::parse(&source).err(), Revocations::parse(&source).err()];
        for problem in outcomes.iter().flatten().flat_map(|problems| problems.iter()) {
            let span = problem.span.clone().unwrap_or(0..0);
            prop_assert!(text.get(span).is_some() && problem.help.is_some(), "{:?}", problem);
        }
    }

    #[test]
    fn any_bytes_for_a_signature_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..400), armored in any::<bool>()) {
        let bytes = if armored { crate::signatures::bench::armor(&bytes) } else { bytes };
        let nobody = crate::signatures::bench::signers("");
        prop_assert!(verify("n", MESSAGE, &bytes, &nobody, &Revocations::none(), time(NOW)).is_err());
    }
}
