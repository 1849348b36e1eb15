//! Each lint rule finds what its page says it finds, and is silent where the page says it is.

use crate::review::fixture::Fixture;
use cutter::findings::Finding;
use cutter::lint;
use serde::Deserialize;
use std::collections::BTreeSet;

#[derive(Deserialize)]
struct Cases {
    case: Vec<Case>,
}

/// Policies, and what one rule finds in them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// Policies that stand alone before the shipped schema, or beside the shipped policies.
    #[serde(default)]
    policies: String,
    /// Beside the shipped policies, where the rule looks at all of them.
    #[serde(default)]
    shipped: bool,
    /// Whether the policies are reviewed as any Cedar policies, and without a schema.
    #[serde(default)]
    plain: bool,
    /// The ids of what is observed, where that is known.
    #[serde(default)]
    observed: Option<BTreeSet<String>>,
    /// An edit of the schema: what stands there, and what shall.
    #[serde(default)]
    schema: Option<[String; 2]>,
    /// An edit of one of the shipped files: its name, what stands there, and what shall.
    #[serde(default)]
    edit: Option<[String; 3]>,
    /// What the findings are about; none where it is empty.
    finds: Vec<String>,
    /// A text that the place of the first finding begins with.
    #[serde(default)]
    at: String,
}

#[test]
fn each_rule_finds_what_it_should_and_nothing_else() {
    let mut failures = Vec::new();
    for (rule, cases) in read() {
        for case in cases {
            if let Err(why) = try_case(&rule, &case) {
                failures.push(format!("{rule} {}: {why}", case.name));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn each_rule_has_a_case_of_each_outcome() {
    let outcomes: BTreeSet<(String, bool)> = read()
        .into_iter()
        .flat_map(|(rule, cases)| cases.into_iter().map(move |c| (rule.clone(), c.finds.is_empty())))
        .collect();
    for (rule, _) in &lint::RULES {
        for silent in [false, true] {
            assert!(outcomes.contains(&(rule.number.to_owned(), silent)), "{} silent: {silent}", rule.number);
        }
    }
}

/// The cases of each rule; a file is named after it.
fn read() -> Vec<(String, Vec<Case>)> {
    let mut paths: Vec<_> =
        std::fs::read_dir("tests/suite/review/lints").unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let file = |path: &std::path::PathBuf| {
        let (number, name) = path.file_stem().unwrap().to_str().unwrap().split_once('-').unwrap();
        let rule = cutter::review::catalogue::find(number).unwrap();
        assert_eq!(rule.name, name);
        let cases: Cases = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        (number.to_owned(), cases.case)
    };
    paths.iter().map(file).collect()
}

fn try_case(rule: &str, case: &Case) -> Result<(), String> {
    let mut fixture = Fixture::shipped();
    fixture.texts.retain(|(name, _)| case.shipped || name.ends_with(".cedarschema"));
    if let Some([from, to]) = &case.schema {
        replace(fixture.text("cutter.cedarschema"), from, to)?;
    }
    if let Some([file, from, to]) = &case.edit {
        replace(fixture.text(file), from, to)?;
    }
    if !case.policies.is_empty() {
        fixture.texts.push(("case.cedar".to_owned(), case.policies.clone()));
    }
    let read = if case.plain { fixture.plain_subject() } else { fixture.subject() };
    let mut subject =
        read.map_err(|problems| problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>().join("; "))?;
    subject.observed = case.observed.clone();
    let mut findings: Vec<Finding> = lint::lint(&subject).findings;
    findings.retain(|finding| finding.rule.number == rule);
    // The actions of the shipped schema name evidence of their own, which a case about its own policies does not observe.
    if case.observed.is_some() && rule != "L22" {
        let is_own =
            |finding: &Finding| finding.place().is_some_and(|place| place.source.name().ends_with("case.cedar"));
        findings.retain(is_own);
    }
    let found: Vec<&str> = findings.iter().map(|finding| finding.about.as_str()).collect();
    if found != case.finds {
        return Err(format!("it finds {found:?}"));
    }
    match findings.first().and_then(Finding::place) {
        Some(place) if !place.source.text()[place.span.clone()].starts_with(&case.at) => {
            Err(format!("it stands at `{}`", &place.source.text()[place.span.clone()]))
        }
        None if !found.is_empty() => Err("it has no place".to_owned()),
        _ => Ok(()),
    }
}

fn replace(text: &mut String, from: &str, to: &str) -> Result<(), String> {
    if !text.contains(from) {
        return Err(format!("`{from}` does not stand there"));
    }
    *text = text.replacen(from, to, 1);
    Ok(())
}
