//! Whatever was done to the records of a ledger is found by reading it, and ends in 8.

use crate::ledger::scene::{self, refused, run, started};
use crate::support::world::World;
use cutter::ledger::{Ledger, LedgerId};
use std::fs::{self, OpenOptions};
use std::io::Write as _;

/// A ledger in a folder with 17 records, of every kind of work.
fn written() -> World {
    let (world, place) = scene::directory();
    let ledger = place.open();
    for number in 0..5 {
        run(&*ledger, &started(&format!("r-{number}"), "cut", &[&format!("a-{number}")]), Some(0));
        ledger.note(&refused("r-9", "denied")).unwrap();
    }
    world
}

/// The file itself stays: another one would be a copy.
fn overwrite(world: &World, lines: &[String]) {
    let path = world.path(".cutter/records.ndjson");
    let mut file = OpenOptions::new().write(true).truncate(true).open(path).unwrap();
    file.write_all(lines.concat().as_bytes()).unwrap();
}

#[test]
fn each_of_160_damaged_journals_ends_in_8() {
    let world = written();
    let whole: Vec<String> = world.read(".cutter/records.ndjson").split_inclusive('\n').map(str::to_owned).collect();
    let elsewhere = written();
    let foreign: Vec<String> =
        elsewhere.read(".cutter/records.ndjson").split_inclusive('\n').map(str::to_owned).collect();
    assert_eq!((whole.len(), world.cutter("ledger verify").exit, world.cutter("log").exit), (17, 0, 0));
    let mut tried = 0;
    for at in 0..whole.len() {
        let mut damaged: Vec<Vec<String>> = vec![whole.clone(); 10];
        let half = whole[at].len() / 2;
        damaged[0][at].replace_range(half..=half, "~");
        damaged[1][at] = damaged[1][at].replacen("\"time\":\"2", "\"time\":\"3", 1);
        damaged[2][at].truncate(half);
        damaged[3][at].truncate(half);
        damaged[3][at].push('\n');
        damaged[4].remove(at);
        damaged[5].insert(at, whole[at].clone());
        damaged[6].insert(at, foreign[at].clone());
        damaged[7][at].clone_from(&foreign[at]);
        damaged[8].insert(at, "\n".to_owned());
        damaged[9].truncate(at);
        for (kind, lines) in damaged.iter().enumerate() {
            overwrite(&world, lines);
            let ran = world.cutter(if (at + kind) % 2 == 0 { "ledger verify" } else { "log" });
            assert_eq!(ran.exit, 8, "line {at}, kind {kind}: {}{}", ran.stdout, ran.stderr);
            tried += 1;
        }
    }
    overwrite(&world, &whole);
    assert_eq!((world.cutter("ledger verify").exit, world.cutter("log").exit), (0, 0));
    println!("{tried} damaged journals, all found");
    assert!(tried >= 160);
}

#[test]
fn a_line_that_was_never_finished_loses_nothing_and_the_next_record_takes_its_place() {
    let world = written();
    let whole = world.read(".cutter/records.ndjson");
    world.append(".cutter/records.ndjson", "{\"sha256\":\"00");
    assert_eq!(world.cutter("ledger verify").exit, 0);
    let ledger = scene::folder(world.path(".cutter"));
    assert_eq!(ledger.note(&refused("r-1", "denied")).unwrap(), 18);
    assert!(world.read(".cutter/records.ndjson").starts_with(&whole));
    assert_eq!(world.cutter("ledger verify").exit, 0);
}

#[test]
fn a_writer_that_was_killed_before_it_left_its_mark_has_written() {
    let world = written();
    let mark = world.read(".cutter/head");
    run(&scene::folder(world.path(".cutter")), &started("r-8", "cut", &["late"]), Some(0));
    world.write(".cutter/head", mark);
    let ledger = scene::folder(world.path(".cutter"));
    assert!(matches!(scene::begin(&ledger, &started("r-7", "cut", &["late"])), cutter::ledger::Begun::Not(_)));
    assert_eq!(world.cutter("ledger verify").exit, 0);
}

#[test]
fn a_copied_or_rebuilt_ledger_is_refused_whatever_its_id() {
    let world = written();
    let copy = |to: &str| {
        let from = world.path(".cutter");
        assert!(std::process::Command::new("cp").arg("-a").arg(from).arg(world.path(to)).status().unwrap().success());
    };
    copy("copied");
    for command in ["log", "ledger verify", "ledger head"] {
        let ran = world.cutter(&format!("{command} --ledger copied"));
        assert_eq!(ran.exit, 8, "{command}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("is a copy"), "{}", ran.stderr);
    }
    // Taken away and put back.
    fs::rename(world.path(".cutter"), world.path("away")).unwrap();
    fs::rename(world.path("copied"), world.path(".cutter")).unwrap();
    assert_eq!(world.cutter("ledger verify").exit, 8);
    // A fresh one that takes the id of the first.
    let fresh = scene::folder(world.path("fresh"));
    fresh.init(LedgerId::from_random(8)).unwrap();
    let (ours, theirs) = (LedgerId::from_random(7).to_string(), LedgerId::from_random(8).to_string());
    let path = world.path("fresh/records.ndjson");
    fs::write(&path, world.read("fresh/records.ndjson").replace(&theirs, &ours)).unwrap();
    assert_eq!(world.cutter("ledger verify --ledger fresh").exit, 8);
}

#[test]
fn a_chain_that_its_owner_rewrote_is_shown_by_a_published_head() {
    let world = written();
    assert_eq!(world.cutter("ledger head --to head.json").exit, 0);
    let ran = world.cutter("ledger verify --head head.json");
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    // All but the last line, in a chain that holds.
    scene::rewrite(&world.path(".cutter"), |text| {
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        lines[..lines.len() - 1].concat()
    });
    assert_eq!(world.cutter("ledger verify").exit, 0);
    let ran = world.cutter("ledger verify --head head.json");
    assert_eq!(ran.exit, 8, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(world.cutter("ledger head --to head.json").exit, 8);
    // A use edited out of it.
    scene::rewrite(&world.path(".cutter"), |text| text.replace("a-3", "b-3"));
    assert_eq!((world.cutter("ledger verify").exit, world.cutter("ledger verify --head head.json").exit), (0, 8));
}
