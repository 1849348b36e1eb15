//! The journal: numbers without a gap, whoever writes, and damage that is told.

use crate::ledger::scene::{self, Place, entry, start, time};
use crate::ledger::worker::Worker;
use crate::support::world::World;
use cutter::ledger::{Ledger, RunStarted};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

#[test]
fn what_is_appended_is_read_as_it_was() {
    scene::each(|ledger| {
        let entries = [entry("r-1", "2026-05-21T08:15:00.123Z"), entry("r-2", "2026-05-21T08:14:00Z")];
        let numbers = entries.each_ref().map(|entry| ledger.append(entry).unwrap());
        assert_eq!(numbers, [1, 2]);
        let journal = ledger.journal(None).unwrap();
        assert_eq!(journal.records.iter().map(|record| record.entry.clone()).collect::<Vec<_>>(), entries);
        assert!(journal.damages.is_empty());
        let of_one = ledger.journal(Some("r-2")).unwrap().records;
        assert_eq!(of_one.iter().map(|record| record.sequence).collect::<Vec<_>>(), [2]);
        let last = ledger.last_time().unwrap();
        assert_eq!(last, Some(time("2026-05-21T08:15:00.123Z")));
        let of_one = ledger.journal(Some("r-2")).unwrap();
        assert_eq!(ledger.journal_and_last_time(Some("r-2")).unwrap(), (of_one, last));
    });
}

#[test]
fn an_empty_journal_has_no_last_time() {
    scene::each(|ledger| assert_eq!(ledger.last_time().unwrap(), None));
}

#[test]
fn a_run_begins_once() {
    scene::each(|ledger| {
        assert_eq!(ledger.start_run(&start("r-1")).unwrap(), RunStarted::Started);
        assert_eq!(ledger.start_run(&start("r-1")).unwrap(), RunStarted::AlreadyStarted(Box::new(start("r-1"))));
        assert_eq!(ledger.start_run(&start("r-2")).unwrap(), RunStarted::Started);
    });
}

#[test]
fn numbers_have_no_gap_when_16_processes_append_to_a_folder() {
    let (_world, place) = scene::directory();
    assert_gap_free(&place);
}

#[test]
fn numbers_have_no_gap_when_16_processes_append_to_postgresql() {
    let (_server, place) = scene::server();
    assert_gap_free(&place);
}

#[test]
fn a_line_cut_short_is_reported_and_the_journal_goes_on() {
    let (_world, ledger, path) = written(2);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 20]).unwrap();
    let journal = ledger.journal(None).unwrap();
    assert_eq!((journal.records.len(), journal.damages.len()), (1, 1));
    assert_eq!(journal.damages[0].damage, "the line was never finished");
    assert_eq!(ledger.append(&entry("r-9", "2026-05-21T08:16:00Z")).unwrap(), 2);
    let journal = ledger.journal(None).unwrap();
    assert_eq!(journal.records.iter().map(|record| record.sequence).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(journal.damages.iter().map(|damage| damage.line).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_spoilt_line_is_reported_and_the_rest_is_read() {
    let (_world, ledger, path) = written(3);
    let spoil = |from: &str, to: &str| {
        let text = std::fs::read_to_string(&path).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines[1] = lines[1].replacen(from, to, 1);
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        let journal = ledger.journal(None).unwrap();
        std::fs::write(&path, text).unwrap();
        (journal.records.len(), journal.damages)
    };
    for (from, to) in [
        ("\"version\":1", "\"version\":2"),
        ("\"event\"", "\"evnt\""),
        ("{", "{\"extra\":1,"),
        ("{", "\u{0}"),
        ("2026-05-21T", "2026-05-21"),
        ("\"exit_status\":3,", ""),
    ] {
        let (records, damages) = spoil(from, to);
        assert_eq!(records, 2, "{from} -> {to}");
        // The line itself, and the number that is missing after it.
        assert_eq!(damages.iter().map(|damage| damage.line).collect::<Vec<_>>(), [2, 3], "{from} -> {to}");
        assert!(!damages[0].damage.contains("struct"), "{}", damages[0].damage);
    }
    let (records, damages) = spoil("\"sequence\":2", "\"sequence\":7");
    assert_eq!((records, damages[0].damage.as_str()), (3, "record 7 stands where 2 belongs"));
}

#[test]
fn a_spoilt_last_line_does_not_have_its_successor_take_a_number_twice() {
    let (_world, ledger, path) = written(3);
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"nonsense\n").unwrap();
    assert_eq!(ledger.append(&entry("r-9", "2026-05-21T08:16:00Z")).unwrap(), 4);
}

#[test]
fn a_record_longer_than_the_end_that_is_read_keeps_its_number() {
    let (_world, ledger, _) = written(1);
    let mut long = entry("r-1", "2026-05-21T08:15:00Z");
    long.argv = vec!["x".repeat(300_000)];
    assert_eq!(ledger.append(&long).unwrap(), 2);
    assert_eq!(ledger.append(&long).unwrap(), 3);
}

fn assert_gap_free(place: &Place) {
    let mut workers = Worker::crowd(place, 16);
    workers.iter_mut().for_each(|worker| worker.tell("append 10"));
    workers.iter_mut().for_each(|worker| assert_eq!(worker.hear(), "done"));
    let journal = place.open().journal(None).unwrap();
    assert!(journal.damages.is_empty(), "{:?}", journal.damages);
    assert_eq!(journal.records.iter().map(|record| record.sequence).collect::<Vec<_>>(), (1..=160).collect::<Vec<_>>());
}

/// A journal in a folder with so many records, and its file.
fn written(count: usize) -> (World, Box<dyn Ledger>, PathBuf) {
    let (world, place) = scene::directory();
    let ledger = place.open();
    for _ in 0..count {
        ledger.append(&entry("r-1", "2026-05-21T08:15:00Z")).unwrap();
    }
    let path: &Path = &world.path(".cutter/journal.ndjson");
    (world, ledger, path.to_owned())
}
