//! What `log` shows, kept as files: at 80 and 140 columns, plain and coloured.

use crate::ledger::scene::{self, entry};
use crate::support::golden::golden;
use cutter::ledger::{Event, JournalEntry};

#[test]
fn log_of_two_runs_and_a_damage_looks_as_kept() {
    let (world, place) = scene::directory();
    let ledger = place.open();
    let started = |run: &str, at: &str, action: &str| JournalEntry {
        event: Event::Started,
        exit_status: None,
        action: action.to_owned(),
        ..entry(run, at)
    };
    let run = "ictr-20260521T081500Z-1a2b3c4d";
    ledger.append(&started(run, "2026-05-21T08:15:00Z", "cut")).unwrap();
    ledger.append(&entry(run, "2026-05-21T08:15:02.5Z")).unwrap();
    ledger.append(&started("second", "2026-05-21T09:00:00.25Z", "a-name-that-is-longer-than-most-others")).unwrap();
    ledger.append(&JournalEntry { exit_status: Some(0), ..entry("second", "2026-05-21T09:00:01Z") }).unwrap();
    let path = world.path(".cutter/journal.ndjson");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}{{\"version\"")).unwrap();
    for columns in ["80", "140"] {
        for (color, suffix) in [("never", ""), ("always", "-colour")] {
            let shown = world.cutter_with(&format!("log --color {color}"), &[("COLUMNS", columns)]).stdout;
            golden(&format!("log-{columns}{suffix}.txt"), &shown);
        }
    }
}
