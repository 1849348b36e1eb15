//! A folder that somebody meddled with: an error, never an unused approval.

use crate::ledger::scene::{self, entry, one_use, start};
use crate::support::world::World;
use cutter::digest::Digest;
use cutter::ledger::{Consumption, DirectoryLedger, Ledger, LedgerId};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

#[test]
fn looking_makes_nothing() {
    let world = World::empty();
    let ledger = DirectoryLedger::new(world.path(".cutter"));
    assert_eq!(ledger.id().unwrap(), None);
    assert!(!ledger.is_consumed(Digest::of(b"a"), "cut").unwrap());
    assert!(ledger.uses(Digest::of(b"a")).unwrap().is_empty());
    assert!(ledger.journal(None).unwrap().records.is_empty());
    assert_eq!(fs::read_dir(world.folder()).unwrap().count(), 0);
}

#[test]
fn nothing_is_written_where_there_is_no_ledger() {
    let world = World::empty();
    let ledger = DirectoryLedger::new(world.path(".cutter"));
    let problems = [
        ledger.consume(&[one_use("a", "cut", "r")]).unwrap_err(),
        ledger.start_run(&start("r")).unwrap_err(),
        ledger.append(&entry("r", "2026-05-21T08:15:00Z")).unwrap_err(),
    ];
    for problem in problems {
        assert!(problem.message.starts_with("there is no ledger at `"), "{}", problem.message);
        assert!(problem.help.unwrap().contains("cutter ledger init"));
    }
    assert_eq!(fs::read_dir(world.folder()).unwrap().count(), 0);
}

#[test]
fn a_second_init_keeps_the_id() {
    let (_world, place) = scene::directory();
    let problem = place.open().init(LedgerId::from_random(8)).unwrap_err();
    assert!(problem.message.contains("already"), "{}", problem.message);
    assert_eq!(place.open().id().unwrap(), Some(LedgerId::from_random(7)));
}

#[test]
fn an_interrupted_init_can_be_done_again() {
    let (world, place) = scene::directory();
    fs::remove_file(world.path(".cutter/ledger.json")).unwrap();
    assert_eq!(place.open().id().unwrap(), None);
    place.open().init(LedgerId::from_random(8)).unwrap();
    assert_eq!(place.open().id().unwrap(), Some(LedgerId::from_random(8)));
}

#[test]
fn files_and_folders_are_the_owners_alone() {
    let (world, ledger, record) = used();
    ledger.append(&entry("r", "2026-05-21T08:15:00Z")).unwrap();
    let root = world.path(".cutter");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!([mode(&root), mode(&root.join("uses")), mode(&root.join("runs"))], [0o700; 3]);
    assert_eq!([mode(&record), mode(&root.join("ledger.json")), mode(&root.join("journal.ndjson"))], [0o600; 3]);
    assert_eq!(fs::read_dir(root.join("uses")).unwrap().count(), 1);
}

#[test]
fn a_set_is_used_whole_or_says_what_was_used_before() {
    scene::each(|ledger| {
        let set = [one_use("b", "cut", "r-2"), one_use("a", "cut", "r-2"), one_use("a", "flip", "r-2")];
        assert_eq!(ledger.consume(&[one_use("b", "cut", "r-1")]).unwrap(), Consumption::Consumed);
        assert_eq!(ledger.consume(&set).unwrap(), Consumption::AlreadyConsumed(Box::new(one_use("b", "cut", "r-1"))));
        assert!(ledger.uses(Digest::of(b"a")).unwrap().is_empty());
        assert_eq!(ledger.consume(&set[1..]).unwrap(), Consumption::Consumed);
        assert_eq!(ledger.uses(Digest::of(b"a")).unwrap(), [set[1].clone(), set[2].clone()]);
        assert!(ledger.is_consumed(Digest::of(b"a"), "flip").unwrap());
        assert!(!ledger.is_consumed(Digest::of(b"a"), "other").unwrap());
        assert!(ledger.consume(&[set[0].clone(), set[0].clone()]).is_err());
    });
}

#[test]
fn a_record_that_is_not_what_was_written_is_an_error_and_stays_used() {
    let (_world, ledger, path) = used();
    let whole = fs::read_to_string(&path).unwrap();
    let spoilt = [
        String::new(),
        "{}".to_owned(),
        "[]".to_owned(),
        whole[..whole.len() / 2].to_owned(),
        whole.replace("\"version\": 1", "\"version\": 2"),
        whole.replace("\"gate\"", "\"gatte\""),
        whole.replace("\"cut\"", "\"flip\""),
        whole.replace("\"principal\"", "\"extra\": 1, \"principal\""),
        whole.replace(".25Z", ".25"),
        "x".repeat(2_000_000),
    ];
    for text in spoilt {
        fs::write(&path, &text).unwrap();
        assert_refused(&*ledger, text.get(..40.min(text.len())).unwrap());
    }
}

#[test]
fn a_record_that_is_a_link_or_a_folder_is_an_error() {
    let (world, ledger, path) = used();
    let elsewhere = world.path("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    symlink(&elsewhere, &path).unwrap();
    assert_refused(&*ledger, "link to a record");
    fs::remove_file(&path).unwrap();
    symlink("/nowhere", &path).unwrap();
    assert_refused(&*ledger, "link to nothing");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_refused(&*ledger, "folder");
}

#[test]
fn a_ledger_reached_through_a_link_is_an_error() {
    let (world, _ledger, _) = used();
    let link = world.path("link");
    symlink(world.path(".cutter"), &link).unwrap();
    assert_refused(&DirectoryLedger::new(&link), "link to the ledger");
    let uses = world.path(".cutter/uses");
    fs::rename(&uses, world.path("uses")).unwrap();
    symlink(world.path("uses"), &uses).unwrap();
    assert_refused(&DirectoryLedger::new(world.path(".cutter")), "link to the uses");
}

#[test]
fn a_ledger_that_lost_a_part_is_an_error() {
    for part in ["ledger.json", "uses", "runs"] {
        let (world, ledger, _) = used();
        let path = world.path(".cutter").join(part);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap()
        } else {
            fs::remove_file(path).unwrap()
        }
        assert_refused(&*ledger, part);
    }
    let (world, ledger, _) = used();
    fs::remove_file(world.path(".cutter/journal.ndjson")).unwrap();
    assert!(ledger.journal(None).unwrap_err().message.contains("has lost"));
    assert!(ledger.append(&entry("r", "2026-05-21T08:15:00Z")).is_err());
}

#[test]
fn a_folder_that_others_may_write_to_is_an_error() {
    let (world, ledger, _) = used();
    fs::set_permissions(world.path(".cutter/uses"), fs::Permissions::from_mode(0o770)).unwrap();
    assert_refused(&*ledger, "writable for the group");
}

#[test]
fn what_an_interrupted_writer_left_beside_is_no_record() {
    let (world, ledger, _) = used();
    let uses = world.path(".cutter/uses");
    for number in 1..200 {
        fs::write(uses.join(format!(".{}-{number}.tmp", std::process::id())), "{").unwrap();
    }
    assert_eq!(ledger.consume(&[one_use("b", "cut", "r")]).unwrap(), Consumption::Consumed);
    assert_eq!(ledger.uses(Digest::of(b"b")).unwrap().len(), 1);
}

/// A ledger in which approval `a` is used for `cut`, and the file that says so.
fn used() -> (World, Box<dyn Ledger>, PathBuf) {
    let (world, place) = scene::directory();
    let ledger = place.open();
    assert_eq!(ledger.consume(&[one_use("a", "cut", "r")]).unwrap(), Consumption::Consumed);
    let name = format!("{}-{}.json", Digest::of(b"a"), Digest::of(b"cut"));
    let path = world.path(".cutter/uses").join(name);
    (world, ledger, path)
}

/// Neither looking nor using takes the approval for an unused one.
fn assert_refused(ledger: &dyn Ledger, case: &str) {
    let problems = [
        ledger.is_consumed(Digest::of(b"a"), "cut").map(|_| ()).expect_err(case),
        ledger.uses(Digest::of(b"a")).map(|_| ()).expect_err(case),
        ledger.consume(&[one_use("a", "cut", "r")]).map(|_| ()).expect_err(case),
    ];
    for problem in problems {
        assert!(problem.help.is_some(), "{case}: {}", problem.message);
        assert!(!problem.message.contains("struct"), "{case}: {}", problem.message);
    }
}
