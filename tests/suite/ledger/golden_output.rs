//! What `log` shows, kept as files: at 80 and 140 columns, plain and coloured.

use crate::ledger::scene::{begin, refused, run, started};
use crate::support::golden::golden;
use crate::support::world::World;
use cutter::ledger::{DirectoryLedger, Ledger as _, LedgerId, Record, Vote};
use cutter::time::Timestamp;
use std::sync::atomic::{AtomicI64, Ordering};

/// A clock that goes on by a second and a half each time it is looked at.
fn clock() -> Option<Timestamp> {
    static NEXT: AtomicI64 = AtomicI64::new(1_779_351_300_000);
    Timestamp::from_milliseconds(NEXT.fetch_add(1_500, Ordering::Relaxed))
}

#[test]
fn log_of_two_runs_and_a_damage_looks_as_kept() {
    let world = World::empty();
    let ledger = DirectoryLedger::new(world.path(".cutter"), clock);
    ledger.init(LedgerId::from_random(7)).unwrap();
    let first = "ictr-20260521T081500Z-1a2b3c4d";
    ledger.note(&refused(first, "approval required: needs SG_1")).unwrap();
    let vote = Vote { approval: cutter::digest::Digest::of(b"ap-1"), signature: String::new() };
    ledger.note(&Record::Vote(vote)).unwrap();
    run(&ledger, &started(first, "cut", &["ap-1"]), Some(3));
    run(&ledger, &started("second", "cut", &["ap-2"]), Some(0));
    let _ = begin(&ledger, &started("second", "a-name-that-is-longer-than-most-others", &["ap-3"]));
    let text = world.read(".cutter/records.ndjson");
    std::fs::write(world.path(".cutter/records.ndjson"), format!("{text}{{\"version\"\n")).unwrap();
    for columns in ["80", "140"] {
        for (color, suffix) in [("never", ""), ("always", "-colour")] {
            let shown = world.cutter_with(&format!("log --color {color}"), &[("COLUMNS", columns)]).stdout;
            golden(&format!("log-{columns}{suffix}.txt"), &shown);
        }
    }
}
