//! Texts of each kind, read as `cutter review` reads them: whatever they hold, it ends with problems and never with a crash.
//!
//! The fuzz targets call this, and so does the plain test over the same corpus.

use cutter::digest::{Digest, Listing};
use cutter::facts::{Facts, RawFacts};
use cutter::plan::RunPlan;
use cutter::policy::{BundleSources, PolicyBundle};
use cutter::problem::{Problems, Source};
use cutter::review::validate;
use cutter::schema::RunSchema;
use cutter::settings::Config;
use cutter::signature::AllowedSigners;
use cutter::subject::Subject;
use cutter::{json, lint, project};
use std::path::Path;
use std::sync::OnceLock;

/// A text as policies: without a schema, and, where they can be read at all, beside a small one.
pub fn policy(text: &str) {
    let read = |name: &str| {
        let policies = vec![Source::new(name, text)];
        let own = BundleSources { policies, ..schemas(small()) };
        if plain(&BundleSources { schemas: Vec::new(), ..own.clone() }) {
            review(&own);
        }
        let _ = validate::fixed(&Source::new(name, text));
    };
    read("a.cedar");
    if is_json(text) {
        read("a.cedar.json");
    }
}

/// A text as a schema, beside a policy about everything; joined with the prelude where it can be read at all.
pub fn schema(text: &str) {
    let permit = vec![Source::new("a.cedar", "@id(\"all\")\npermit (principal, action, resource);\n")];
    let read = |name: &str| BundleSources { policies: permit.clone(), ..schemas(Source::new(name, text)) };
    plain(&read("a.cedarschema"));
    if is_json(text) {
        plain(&read("a.cedarschema.json"));
    }
    let mut is_read = false;
    problems(|problems| {
        is_read = problems.absorb(RunSchema::fragment(&Source::new("a.cedarschema", text))).is_some();
    });
    if is_read {
        review(&read("a.cedarschema"));
    }
}

/// A text as facts, and, where it is JSON, as the people of a bundle.
pub fn entities(text: &str) {
    let source = Source::new("e.json", text);
    let raw =
        RawFacts { sources: vec![source.clone()], names: vec!["entities/e.json".to_owned()], name: "entities".into() };
    problems(|problems| drop(problems.absorb(Facts::admit(&raw, shipped()))));
    if json::parse(&source).is_ok() {
        review(&BundleSources { people: vec![source], ..schemas(small()) });
    }
}

/// A text as a plan.
pub fn plan(text: &str) {
    let source = Source::new("plan.json", text);
    problems(|problems| {
        drop(problems.absorb(RunPlan::parse(&source, shipped().schema(), config_of_shipped(), &|_| None)))
    });
    problems(|problems| drop(problems.absorb(json::parse(&source))));
}

/// A text as a configuration, and as a list of signers.
pub fn config(text: &str) {
    problems(|problems| drop(problems.absorb(Config::parse(&Source::new("cutter.toml", text)))));
    problems(|problems| drop(problems.absorb(AllowedSigners::parse(&Source::new("allowed_signers", text)))));
}

/// Reads a bundle as any Cedar policies and as cutter's own, and lints what can be understood.
fn review(sources: &BundleSources) {
    plain(sources);
    problems(|problems| problems.absorb(PolicyBundle::parse(sources)).into_iter().for_each(linted));
}

/// Reads a bundle as any Cedar policies, and lints what can be understood; whether there was something.
fn plain(sources: &BundleSources) -> bool {
    let mut is_read = false;
    problems(|problems| {
        let bundle = PolicyBundle::plain(sources, problems);
        is_read = bundle.is_some();
        bundle.into_iter().for_each(linted);
    });
    is_read
}

fn linted(bundle: PolicyBundle) {
    if let Ok(subject) = Subject::new(bundle, Vec::new()) {
        lint::lint(&subject);
    }
}

/// What is wrong can always be shown.
fn problems(read: impl FnOnce(&mut Problems)) {
    let mut problems = Problems::new();
    read(&mut problems);
    let part = validate::validate(&[], &[], &problems);
    assert!(part.findings.iter().all(|finding| !finding.message.is_empty()));
}

fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['[', '{'])
}

fn schemas(schema: Source) -> BundleSources {
    BundleSources {
        schemas: vec![schema],
        policies: Vec::new(),
        signers: None,
        people: Vec::new(),
        config: None,
        listing: Listing::new([("policies", Digest::of(b""))]),
        name: "policies".to_owned(),
    }
}

/// The shipped bundle, in whose schema facts and plans are read.
fn shipped() -> &'static PolicyBundle {
    static BUNDLE: OnceLock<PolicyBundle> = OnceLock::new();
    BUNDLE.get_or_init(|| {
        let sources = project::read_bundle(&root().join("policies"), None).unwrap();
        PolicyBundle::parse(&sources).unwrap()
    })
}

/// A schema that is soon read.
fn small() -> Source {
    static SCHEMA: OnceLock<String> = OnceLock::new();
    let path = root().join("tests/suite/review/cases/app/policies/app.cedarschema");
    Source::new("app.cedarschema", SCHEMA.get_or_init(|| std::fs::read_to_string(path).unwrap()).as_str())
}

fn config_of_shipped() -> Option<&'static Config> {
    static CONFIG: OnceLock<Config> = OnceLock::new();
    let read = || {
        let text = std::fs::read_to_string(root().join("cutter.toml")).unwrap();
        Config::parse(&Source::new("cutter.toml", text)).unwrap()
    };
    Some(CONFIG.get_or_init(read))
}

/// The folder of the project, whether this is compiled there or for the fuzz targets.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    if here.ends_with("fuzz") { here.parent().unwrap() } else { here }
}
