//! What people see of captures and comparisons, at 80 and 140 columns, plain and coloured: golden files.

use crate::postgres::scene::Scene;
use crate::support::golden::golden;
use crate::support::screens::screens;
use cutter::evidence::{Capture, Comparison};
use cutter::render::evidence;
use serde_json::{Value, json};

#[test]
fn a_comparison_says_the_result_then_what_is_not_as_it_was() {
    let comparison: Comparison = serde_json::from_value(changed()).unwrap();
    screens("evidence/compare-changed", |style| evidence::comparison(&comparison, false, style));
    screens("evidence/compare-changed-all", |style| evidence::comparison(&comparison, true, style));
    golden("evidence/compare-changed.md", &evidence::comparison_markdown(&comparison));
}

#[test]
fn a_comparison_without_a_change_is_short_and_names_who_signed() {
    let mut value = changed();
    value["rows"].as_array_mut().unwrap().retain(|row| row["status"] == "UNCHANGED");
    value["status"] = "UNCHANGED".into();
    value["level"]["reached"] = "net".into();
    value["quiet"] = json!({"proven": true, "baseline": "751:751:", "final": "751:751:"});
    let signer = json!({"name": "observer", "key": "SHA256:x", "entity": "Cutter::Person::\"observer\""});
    value["signed"] = json!({"baseline": signer, "final": signer});
    let comparison: Comparison = serde_json::from_value(value).unwrap();
    screens("evidence/compare-unchanged", |style| evidence::comparison(&comparison, false, style));
}

#[test]
fn a_capture_says_what_is_not_known_and_counts_the_rest() {
    let capture: Capture = serde_json::from_value(capture()).unwrap();
    screens("evidence/capture", |style| evidence::capture(&capture, false, style));
    screens("evidence/capture-all", |style| evidence::capture(&capture, true, style));
}

#[test]
fn only_what_is_fine_is_left_out_of_a_comparison_and_the_count_says_how_many() {
    let scene = Scene::new();
    scene.capture("a.json");
    scene.server.execute("UPDATE public.dot_config SET value = 'warn' WHERE key = 'iu_create.gateway.mode'");
    scene.capture("b.json");
    let rows = scene.compare().1["rows"].as_array().unwrap().clone();
    let shown = |more: &[&str]| {
        let output = scene.run(&[&["evidence", "compare", "a.json", "b.json"], more].concat());
        assert_eq!(output.status.code(), Some(6));
        String::from_utf8(output.stdout).unwrap()
    };
    let (short, all) = (shown(&[]), shown(&["--all"]));
    assert!(short.starts_with("compare  CHANGED  level "), "{short}");
    assert!(short.contains("CHANGED  config:dot_config  iu_create.gateway.mode: enforced -> warn\n"), "{short}");
    let is_fine = |row: &&Value| row["status"] == "UNCHANGED";
    assert!(short.contains(&format!("\n  {} unchanged (--all)\n", rows.iter().filter(is_fine).count())), "{short}");
    for row in &rows {
        let id = row["id"].as_str().unwrap();
        let line = |text: &str| text.lines().any(|line| line.split_whitespace().nth(1) == Some(id));
        assert_eq!((line(&short), line(&all)), (row["status"] != "UNCHANGED", true), "{id}: {all}");
    }
}

fn changed() -> Value {
    let row = |id: &str, status: &str, baseline: &str, last: &str, because: &[&str]| json!({"id": id, "status": status, "baseline": baseline, "final": last, "because": because});
    let digest = |letter: &str| letter.repeat(64);
    json!({
        "version": 1,
        "status": "CHANGED",
        "baseline_at": "2026-05-21T08:00:00.123Z",
        "final_at": "2026-05-21T08:15:00.456Z",
        "database": "7643105430119228211 directus",
        "level": {"requested": "net", "reached": "counts"},
        "quiet": {"proven": false, "baseline": "749:749:", "final": "751:751:"},
        "rows": [
            row("catalog:columns", "UNCHANGED", "412 values", "412 values", &[]),
            row("config:dot_config", "CHANGED", "13 values", "13 values", &["iu_create.gateway.mode: enforced -> warn"]),
            row("flag:execution_enabled", "UNCHANGED", "False", "False", &[]),
            row("host:cron", "UNKNOWN", "unknown", "unknown", &["manifest: permission denied, at both ends"]),
            row("relation:cutter_governance.review_decision", "UNKNOWN", "unknown", "unknown",
                &["rows: permission denied for table review_decision (SQLSTATE 42501), at the final"]),
            row("relation:public.information_unit", "UNCHANGED", "60 rows (19 draft, 41 enacted)", "60 rows (19 draft, 41 enacted)", &[]),
            row("relation:public.knowledge_documents", "TOLERATED", "25 rows", "26 rows",
                &["rows: 25 -> 26, at most 1 more: every report that is uploaded is one"]),
            row("tree:v0.4-skeleton", "CHANGED", "3 values", "3 values",
                &[&format!("sha256: {} -> {}", digest("a"), digest("b")), "switch.py: written, and put back"]),
        ],
    })
}

fn capture() -> Value {
    let seen = |id: &str, values: Value| json!({"id": id, "status": "observed", "values": values});
    json!({
        "version": 1,
        "started_at": "2026-05-21T08:00:00.123Z",
        "finished_at": "2026-05-21T08:00:12.456Z",
        "config_sha256": "c".repeat(64),
        "level": {"requested": "net", "reached": "counts", "missing": ["host:cron"]},
        "database": {
            "system_identifier": "7643105430119228211", "name": "directus", "oid": "16384", "role": "cutter_observe",
            "server_started_at": "2026-05-20 00:00:00+00", "timeline": "1", "server_version": "15.6",
            "snapshot": "749:749:", "closing_snapshot": "749:749:", "wal_position": null, "counters": null,
        },
        "observations": [
            seen("flag:execution_enabled", json!({"value": "False"})),
            {"id": "host:cron", "status": "unknown", "unknown": [
                {"value": "/etc/cron.d", "reason": "permission denied"},
                {"value": "/var/spool/cron", "reason": "permission denied"},
            ]},
            {"id": "relation:cutter_governance.review_decision", "status": "unknown", "unknown": [
                {"value": "rows", "reason": "permission denied for table review_decision", "sqlstate": "42501"},
            ]},
            seen("relation:public.information_unit", json!({"rows": "60", "rows draft": "19", "rows enacted": "41"})),
        ],
    })
}
