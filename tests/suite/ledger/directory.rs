//! A folder that somebody meddled with: an error, never an unused approval.

use crate::ledger::scene::{self, refused, run, started};
use crate::support::world::World;
use cutter::digest::Digest;
use cutter::ledger::{Begun, Ledger, LedgerId, Wanted};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::Duration;

#[test]
fn looking_makes_nothing() {
    let world = World::empty();
    let ledger = scene::folder(world.path(".cutter"));
    assert_eq!(ledger.id().unwrap(), None);
    assert!(ledger.read(Wanted::All).unwrap().entries.is_empty());
    assert_eq!(ledger.digest_at(1).unwrap(), None);
    assert_eq!(fs::read_dir(world.folder()).unwrap().count(), 0);
}

#[test]
fn nothing_is_written_where_there_is_no_ledger() {
    let world = World::empty();
    let ledger = scene::folder(world.path(".cutter"));
    let problems = [ledger.note(&refused("r", "denied")).unwrap_err(), ledger.hold("r").map(drop).unwrap_err()];
    for problem in problems {
        assert!(problem.message.starts_with("there is no ledger at `"), "{}", problem.message);
        assert!(problem.help.unwrap().contains("cutter ledger init"));
    }
    assert_eq!(fs::read_dir(world.folder()).unwrap().count(), 0);
}

#[test]
fn an_interrupted_init_can_be_done_again() {
    for left in [0, 40, 10_000] {
        let (world, place) = scene::directory();
        fs::remove_file(world.path(".cutter/head")).unwrap();
        let text = world.read(".cutter/records.ndjson");
        fs::write(world.path(".cutter/records.ndjson"), &text[..left.min(text.len())]).unwrap();
        assert_eq!(place.open().id().unwrap(), None, "{left}");
        assert!(place.open().read(Wanted::All).unwrap().id.is_none(), "{left}");
        place.open().init(LedgerId::from_random(8)).unwrap();
        assert_eq!(place.open().id().unwrap(), Some(LedgerId::from_random(8)));
        assert_eq!(world.cutter("ledger verify").exit, 0);
    }
}

#[test]
fn files_and_the_folder_are_the_owners_alone() {
    let (world, place) = scene::directory();
    run(&*place.open(), &started("r", "cut", &["a"]), Some(0));
    let root = world.path(".cutter");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&root), 0o700);
    let files: Vec<_> = fs::read_dir(&root).unwrap().map(|entry| mode(&entry.unwrap().path())).collect();
    assert_eq!(files, [0o600; 3]);
}

#[test]
fn a_ledger_or_a_part_of_it_reached_through_a_link_is_refused() {
    let (world, _) = used();
    symlink(world.path(".cutter"), world.path("link")).unwrap();
    assert_refused(&world.path("link"), "link to the ledger");
    for part in ["records.ndjson", "head"] {
        let (world, folder) = used();
        fs::rename(folder.join(part), world.path("elsewhere")).unwrap();
        symlink(world.path("elsewhere"), folder.join(part)).unwrap();
        assert_refused(&folder, part);
        fs::remove_file(folder.join(part)).unwrap();
        fs::create_dir(folder.join(part)).unwrap();
        assert_refused(&folder, part);
    }
}

#[test]
fn a_ledger_that_lost_a_part_is_refused() {
    for part in ["records.ndjson", "head"] {
        let (_world, folder) = used();
        fs::remove_file(folder.join(part)).unwrap();
        assert_refused(&folder, part);
    }
    let (_world, folder) = used();
    fs::write(folder.join("head"), "nonsense").unwrap();
    assert_refused(&folder, "a mark that is none");
}

#[test]
fn a_folder_that_others_may_write_to_is_refused() {
    let (_world, folder) = used();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o770)).unwrap();
    assert_refused(&folder, "writable for the group");
}

#[test]
fn what_was_read_before_must_still_be_there_when_the_same_command_looks_again() {
    let changed = |text: &str| text.replacen("\"cut\"", "\"cuT\"", 1);
    let cut = |text: &str| text.lines().take(2).map(|line| format!("{line}\n")).collect::<String>();
    for case in ["changed", "cut"] {
        let (_world, folder) = used();
        let ledger = scene::folder(&folder);
        let held = ledger.hold("r-2").unwrap();
        assert_eq!(ledger.read(Wanted::All).unwrap().entries.len(), 4, "{case}");
        // Chained again, so that nothing but what was read before shows it.
        scene::rewrite(&folder, |text| if case == "cut" { cut(text) } else { changed(text) });
        let problem = ledger.read(Wanted::All).unwrap_err();
        assert!(problem.message.contains("was rewritten while it was in use"), "{case}: {}", problem.message);
        assert!(held.unwrap().begin(&started("r-2", "cut", &["b"])).is_err(), "{case}");
        assert!(scene::folder(&folder).read(Wanted::All).unwrap().damages.is_empty(), "{case}");
    }
}

#[test]
fn what_others_add_is_taken_and_checked_at_each_look_of_a_command() {
    let (world, folder) = used();
    let ledger = scene::folder(&folder);
    assert_eq!(ledger.read(Wanted::All).unwrap().entries.len(), 4);
    // Looked at while it has long been left alone, and then touched.
    std::thread::sleep(Duration::from_millis(3100));
    assert_eq!(ledger.read(Wanted::All).unwrap().entries.len(), 4);
    run(&scene::folder(&folder), &started("r-3", "cut", &["b"]), Some(0));
    assert_eq!(ledger.read(Wanted::All).unwrap().entries.len(), 6);
    assert!(matches!(scene::begin(&ledger, &started("r-4", "cut", &["b"])), Begun::Not(_)));
    world.append(".cutter/records.ndjson", "{\"sha256\":\"no record\"}\n");
    assert_eq!(ledger.read(Wanted::All).unwrap().damages.len(), 1);
    assert!(ledger.note(&refused("r-5", "denied")).is_err());
}

#[test]
fn a_ledger_of_version_1_is_refused_by_name() {
    let world = World::empty();
    fs::create_dir(world.path(".cutter")).unwrap();
    fs::set_permissions(world.path(".cutter"), fs::Permissions::from_mode(0o700)).unwrap();
    world.write(".cutter/ledger.json", "{\"version\":1,\"record\":{\"id\":\"00000000000000000000000000000007\"}}");
    for command in ["log", "ledger verify", "ledger init"] {
        let ran = world.cutter(command);
        assert_eq!(ran.exit, 1, "{command}");
        assert!(ran.stderr.contains("version 1") && ran.stderr.contains("cutter ledger init"), "{}", ran.stderr);
    }
}

/// A ledger in which approval `a` is used for `cut`, and its folder.
fn used() -> (World, std::path::PathBuf) {
    let (world, place) = scene::directory();
    run(&*place.open(), &started("r", "cut", &["a"]), Some(0));
    let folder = world.path(".cutter");
    (world, folder)
}

/// Neither looking nor beginning takes the approval for an unused one.
fn assert_refused(folder: &Path, case: &str) {
    let ledger = scene::folder(folder);
    let wanted = Wanted::Of { run: "r-2", approvals: &[Digest::of(b"a")] };
    let read = ledger.read(wanted).and_then(|journal| journal.whole("it")).map(drop).expect_err(case);
    let ledger = scene::folder(folder);
    let begun = ledger
        .hold("r-2")
        .and_then(|held| held.unwrap().begin(&started("r-2", "cut", &["a"])).map(drop))
        .expect_err(case);
    for problem in [read, begun] {
        assert!(problem.help.is_some(), "{case}: {}", problem.message);
    }
}
