//! Every leaf of a full report changed once, every digest made right again, signed again by the attester: nothing of it passes
//! but what `verify` itself prints as stated.

use crate::attest::as_root::approved::{ONE, UPDATE, run_beside};
use crate::attest::scene::Scene;
use cutter::attestation::envelope::{Envelope, PAYLOAD_TYPE};
use cutter::attestation::report::Report;
use cutter::attestation::{Statement, schema};
use cutter::digest::Digest;
use cutter::policy::PolicyBundle;
use cutter::problem::{Problems, Source};
use cutter::project;
use cutter::settings::Config;
use cutter::signature::{PlainKey, Revocations};
use cutter::time::Timestamp;
use cutter::trust::TrustRoot;
use cutter::verification::{PredicateType, StatementFile, Verified, Verifier};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// One place in a document: its pointer, and below it that of a document that stands there as a text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Leaf(Vec<String>);

/// Every leaf of a value; a text that is a JSON document is gone into.
fn leaves(pointer: &str, value: &Value, outer: &[String], into: &mut Vec<Leaf>) {
    let escape = |name: &str| name.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Array(items) if !items.is_empty() => {
            (0..items.len()).for_each(|at| leaves(&format!("{pointer}/{at}"), &items[at], outer, into));
        }
        Value::Object(members) if !members.is_empty() => {
            members.iter().for_each(|(name, value)| leaves(&format!("{pointer}/{}", escape(name)), value, outer, into));
        }
        Value::String(text) if outer.is_empty() && document(text).is_some() => {
            leaves("", &document(text).unwrap(), &[pointer.to_owned()], into);
        }
        _ => into.push(Leaf(outer.iter().cloned().chain([pointer.to_owned()]).collect())),
    }
}

fn document(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().filter(|value: &Value| value.is_object() || value.is_array())
}

/// Words that stand for each other in the published schema.
fn words() -> Vec<Vec<String>> {
    fn walk(schema: &Value, into: &mut Vec<Vec<String>>) {
        let word = |value: &Value| value.as_str().map(str::to_owned);
        if let Some(list) = schema["enum"].as_array() {
            into.push(list.iter().filter_map(word).collect());
        }
        if let Some(list) = schema["oneOf"].as_array() {
            into.push(list.iter().filter_map(|one| word(&one["const"])).collect());
        }
        match schema {
            Value::Array(items) => items.iter().for_each(|one| walk(one, into)),
            Value::Object(members) => members.values().for_each(|one| walk(one, into)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(&schema::PUBLISHED.parse().unwrap(), &mut found);
    found.retain(|set| set.len() > 1);
    found
}

/// Another value of the same form.
fn another(value: &Value, words: &[Vec<String>]) -> Value {
    match value {
        Value::Null => json!("0".repeat(64)),
        Value::Bool(is) => json!(!is),
        Value::Number(number) => number.as_i64().map_or(json!(1.5), |number| json!(number + 1)),
        Value::String(text) => {
            if let Some(set) = words.iter().find(|set| set.contains(text)) {
                return json!(set.iter().find(|word| *word != text));
            }
            if let Some(time) = Timestamp::parse(text) {
                return json!(Timestamp::from_milliseconds(time.milliseconds() + 1).unwrap());
            }
            if Digest::parse(text).is_some() {
                let last = if text.ends_with('0') { "1" } else { "0" };
                return json!(format!("{}{last}", &text[..63]));
            }
            json!(format!("{text}x"))
        }
        Value::Array(_) => json!(["x"]),
        Value::Object(_) => json!({"x": "x"}),
    }
}

/// The report with this leaf changed; `None` where a change of this kind says the same.
fn changed(report: &Value, leaf: &Leaf, words: &[Vec<String>]) -> Value {
    let mut copy = report.clone();
    let at = copy.pointer_mut(&leaf.0[0]).unwrap();
    match leaf.0.get(1) {
        None => *at = another(at, words),
        Some(inner) => {
            let mut inside = document(at.as_str().unwrap()).unwrap();
            let place = inside.pointer_mut(inner).unwrap();
            *place = another(place, words);
            *at = json!(inside.to_string());
        }
    }
    copy
}

/// Every digest in the file of something that stands in the file.
fn digests(report: &Value, with_captures: bool) -> Vec<String> {
    let grounds = &report["predicate"]["grounds"];
    let of = |text: &Value| Digest::of(text.as_str().unwrap_or_default().as_bytes()).to_string();
    let mut found = vec![of(&grounds["plan"])];
    for (list, name) in [("texts", "text"), ("approvals", "text")] {
        found.extend(grounds[list].as_array().into_iter().flatten().map(|one| of(&one[name])));
    }
    for set in grounds["facts"].as_array().into_iter().flatten() {
        let files = set["files"].as_array().unwrap().iter();
        let listed = files.filter_map(|file| Some((file["name"].as_str()?, Digest::parse(file["sha256"].as_str()?)?)));
        found.push(Digest::of_listing(listed).to_string());
    }
    for capture in ["baseline", "final"].into_iter().filter(|_| with_captures) {
        let capture: Result<cutter::evidence::Capture, _> = serde_json::from_value(grounds[capture]["capture"].clone());
        let text = capture.ok().map(|capture| serde_json::to_string_pretty(&capture).unwrap() + "\n");
        found.push(Digest::of(text.unwrap_or_default().as_bytes()).to_string());
    }
    found
}

/// The report with every digest that its change made wrong set right, wherever it stands.
fn set_right(before: &Value, mut after: Value, with_captures: bool) -> Value {
    // The digest over the facts is over the digests of their files.
    for _ in 0..2 {
        let mut text = after.to_string();
        for (old, new) in digests(before, with_captures).iter().zip(digests(&after, with_captures)) {
            text = text.replace(old.as_str(), &new);
        }
        after = text.parse().unwrap();
    }
    after
}

struct Bench {
    cheap: Verifier,
    whole: Verifier,
    key: PlainKey,
}

impl Bench {
    fn new(scene: &Scene) -> Self {
        let verifier = |with_bundle: bool| {
            let sources = project::read_bundle(&scene.path("policies"), Some(&scene.path("cutter.toml"))).unwrap();
            let bundle = PolicyBundle::parse(&sources).unwrap();
            let config = Config::parse(&sources.config.unwrap()).unwrap();
            let text = std::fs::read_to_string(scene.trust_path()).unwrap();
            Verifier {
                threshold: 1,
                subjects: Vec::new(),
                trust: TrustRoot::parse(&Source::new("trust", text)).unwrap(),
                revocations: Revocations::none(),
                now: Timestamp::parse("2099-01-01T00:00:00Z").unwrap(),
                bundle: with_bundle.then(|| (bundle, config, "reviewer".to_owned())),
                ledger: None,
                is_chain: false,
                expected: None,
                predicate_type: PredicateType::Report,
            }
        };
        let key = PlainKey::parse(scene.read("keys/attester").as_bytes()).unwrap();
        Self { cheap: verifier(false), whole: verifier(true), key }
    }

    /// What becomes of a statement that the attester signs; the bundle is asked where nothing else refuses it.
    fn judge(&self, report: &Value) -> Result<Verified, Problems> {
        let statement: Statement<Report> = serde_json::from_value(report.clone())
            .map_err(|error| cutter::problem::Problem::invalid(error.to_string()))?;
        let text = statement.text()?;
        let envelope = Envelope::sign(text.as_bytes(), PAYLOAD_TYPE, std::slice::from_ref(&self.key)).text()?;
        let file = StatementFile { source: Source::new("report", envelope), signatures: Vec::new() };
        let (text, signers, faults) = self.cheap.signed(&file)?;
        let verified = self.cheap.judge("report", &text, signers.clone(), faults.clone())?;
        if verified.faults.is_empty() { self.whole.judge("report", &text, signers, faults) } else { Ok(verified) }
    }
}

#[test]
fn every_changed_leaf_that_is_signed_again_is_refused_or_printed_as_stated() {
    let beside = [json!({"id": "flip-on", "action": "Iu::Action::\"flip_flag\"",
        "resource": "Iu::Flag::\"execution_enabled\"", "context": {"to": true}, "effect": "switch-on"})];
    let (scene, exit, _) = run_beside(UPDATE, ONE, &beside);
    let ran = scene.attest("--attest report.json --key keys/attester --log cutter.toml");
    assert_eq!(ran.exit, exit, "{}", ran.stderr);
    let report: Value = scene.read("report.json").parse().unwrap();
    let bench = Bench::new(&scene);
    let honest = bench.judge(&report).unwrap();
    assert_eq!((&honest.faults, &honest.unchecked), (&Vec::new(), &Vec::new()));
    let stated: BTreeSet<String> = honest
        .stated
        .iter()
        .flat_map(|line| line.split_once(": ").unwrap().0.split(", "))
        .map(|place| format!("/{}", place.replace("[]", "/0").replace('.', "/")))
        .collect();
    let (mut all, words) = (Vec::new(), words());
    leaves("", &report, &[], &mut all);
    let every = std::env::var_os("CUTTER_ALL").is_some();
    // So many of all that is no capture, and of a part of that.
    let wanted: Option<usize> = std::env::var("CUTTER_LEAVES").ok().and_then(|leaves| leaves.parse().ok());
    let most = wanted.unwrap_or(SHORT);
    // In an order that has nothing to do with where they stand, so that a part of them is a sample.
    all.sort_by_cached_key(|leaf| Digest::of(leaf.0.join(" ").as_bytes()));
    let digit = |part: &str| if part.parse::<u32>().is_ok() { "0".to_owned() } else { part.to_owned() };
    let (mut counts, mut accepted): (BTreeMap<&str, usize>, BTreeMap<String, usize>) = Default::default();
    let mut by_place: BTreeMap<String, usize> = BTreeMap::new();
    let (begun, mut tried) = (std::time::Instant::now(), 0);
    for leaf in &all {
        let place: String = leaf.0[0].split('/').map(digit).collect::<Vec<_>>().join("/");
        // In the short form, a few of each kind of place are enough: an observation is like the other.
        let inside: Vec<String> = leaf.0.iter().skip(1).flat_map(|inner| inner.split('/')).map(digit).collect();
        let seen = by_place.entry(format!("{place} {}", inside.join("/"))).or_default();
        *seen += 1;
        // Of a capture, one observation is like the other: their signatures refuse them all.
        let is_capture = place.contains("/capture/observations");
        let is_alike = leaf.0.len() > 1 || place.contains("/context/");
        let one_in = if is_capture {
            64
        } else if is_alike {
            24
        } else {
            1
        };
        let is_left_out = match wanted {
            Some(_) => is_capture && !seen.is_multiple_of(one_in),
            None => *seen > 1 || !by_place.len().is_multiple_of(one_in),
        };
        if !every && is_left_out {
            continue;
        }
        if !every && tried == most {
            break;
        }
        tried += 1;
        if tried % 50 == 0 {
            println!("{tried} tried after {:?}", begun.elapsed());
        }
        let forged = set_right(&report, changed(&report, leaf, &words), place.contains("/capture/"));
        let outcome = match bench.judge(&forged) {
            Err(problems) if problems.iter().any(|problem| problem.fault == cutter::problem::Blame::Untrusted) => "8",
            Err(_) => "3",
            Ok(verified) if !verified.faults.is_empty() => "8",
            Ok(verified) if !verified.unchecked.is_empty() => "7",
            Ok(_) => "accepted",
        };
        *counts.entry(outcome).or_default() += 1;
        if outcome == "accepted" {
            *accepted.entry(place).or_default() += 1;
        }
        assert_ne!(outcome, "7", "{leaf:?}");
    }
    println!(
        "{} leaves, {tried} tried in {:?}; {counts:?}; accepted, as stated: {accepted:#?}",
        all.len(),
        begun.elapsed()
    );
    let flattering: Vec<&String> =
        accepted.keys().filter(|place| !stated.iter().any(|stated| place.starts_with(stated.as_str()))).collect();
    assert_eq!(flattering, Vec::<&String>::new(), "{stated:?}");
    assert!(counts["8"] > if every { 1_000 } else { 10 }, "{counts:?}");
}

/// The short form tries so many, the same each time.
const SHORT: usize = 24;
