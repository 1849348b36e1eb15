//! Statements come back as they were, whatever stands in them, and every face shows every row.

use crate::attest::as_root::report::readiness;
use cutter::attestation::report::Report;
use cutter::attestation::{REPORT_TYPE, Statement};
use cutter::layout::Style;
use cutter::problem::Source;
use cutter::render;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof};
use proptest::{prop_assert, prop_assert_eq, proptest};
use serde_json::Value;
use std::sync::LazyLock;

/// One report of a real run.
static REPORT: LazyLock<Value> = LazyLock::new(|| {
    let (exit, report) = readiness().report();
    assert_eq!(exit, 5);
    report
});

/// Text that would like to be more than a cell.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<char>().prop_map(|letter| letter.to_string()),
        Just("| DONE |".to_owned()),
        Just("\n| forged | NOT DONE |\n".to_owned()),
        Just("\u{202e}".to_owned()),
        Just("\u{1b}[2J".to_owned()),
        Just("```".to_owned()),
        Just("<script>".to_owned()),
        Just("\r\n\r\n## 5. Verdict".to_owned()),
    ];
    proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

/// The lines between two headings that are rows of a table.
fn rows(markdown: &str, from: &str, to: &str) -> usize {
    let section = markdown.split_once(from).unwrap().1.split_once(to).unwrap().0;
    section.lines().filter(|line| line.starts_with("| ")).count() - 1
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn statements_come_back_and_every_face_has_every_row(texts in proptest::collection::vec(hostile(), 8), cut in 0_usize..40) {
        let mut value = REPORT.clone();
        let predicate = &mut value["predicate"];
        predicate["decisions"]["plan"]["labels"]["host"] = texts[0].clone().into();
        predicate["decisions"]["decisions"][0]["reason"] = texts[1].clone().into();
        predicate["forbidden"][3]["title"] = texts[2].clone().into();
        predicate["forbidden"][3]["because"] = texts[3].clone().into();
        predicate["non_mutation"][0]["id"] = format!("rows:{}.", texts[4]).into();
        predicate["non_mutation"][1]["final"] = texts[5].clone().into();
        predicate["disclosures"][0]["text"] = texts[6].clone().into();
        predicate["done"][0]["id"] = texts[7].clone().into();
        predicate["forbidden"].as_array_mut().unwrap().truncate(90 - cut);
        predicate["non_mutation"].as_array_mut().unwrap().truncate(45 - cut);
        let statement: Statement<Report> = serde_json::from_value(value).unwrap();
        let text = statement.text().unwrap();
        let again = Statement::<Report>::parse(&Source::new("r.json", text.clone()), REPORT_TYPE).unwrap();
        prop_assert!(again == statement && again.text().unwrap() == text);

        let report = &statement.predicate;
        let counts = (report.decisions.decisions.len(), report.non_mutation.len(), report.forbidden.len());
        let markdown = render::attestation::full_markdown(&statement);
        let found = (
            rows(&markdown, "\n## 1. Decision", "\n## 2."),
            rows(&markdown, "\n## 2. Non-mutation", "\n## 3."),
            rows(&markdown, "\n## 3. Forbidden", "\n## 4."),
        );
        prop_assert_eq!(found, counts);
        prop_assert_eq!(markdown.matches("\n## ").count(), 5);
        let table = render::attestation::full_table(&statement, Style { width: 60_000, color: false });
        let lines = table.lines().filter(|line| line.starts_with('│')).count();
        // Three heads; an action that was done takes two lines.
        prop_assert_eq!(lines, 3 + counts.1 + counts.2 + 2 * report.done.len());
        let line = render::attestation::line(&statement);
        prop_assert_eq!(line.matches('\n').count(), 1);
        let wanted = format!(" observed={} ", counts.1);
        prop_assert!(line.contains(&wanted));
        let page = render::attestation::markdown(&statement, None);
        prop_assert!(page.matches("\n## ").count() >= 5);
        let screen = render::attestation::table(&statement, None, Style { width: 140, color: false });
        for face in [&markdown, &table, &line, &page, &screen] {
            let clean = !face.contains(['\u{1b}', '\u{202e}']);
            prop_assert!(clean);
        }
    }
}

#[test]
fn a_report_fits_its_published_schema_and_has_one_text() {
    let published: Value = crate::attest::scene::Scene::published_schema();
    let validator = jsonschema::validator_for(&published).unwrap();
    let errors: Vec<String> = validator.iter_errors(&REPORT).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
    for unknown in ["/predicate/more", "/more", "/predicate/done/0/more", "/predicate/grounds/baseline/capture/more"] {
        let mut value = REPORT.clone();
        let (parent, key) = unknown.rsplit_once('/').unwrap();
        value.pointer_mut(parent).unwrap()[key] = true.into();
        assert!(!validator.is_valid(&value), "{unknown}");
    }
}
