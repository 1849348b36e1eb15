//! `cutter log --follow`: each record as it comes, to the end of the run.

use crate::ledger::scene::{self, Place, refused, run, started};
use crate::support::world::World;
use cutter::digest::Digest;
use cutter::ledger::{Ledger, Record, Voided};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Stdio};

struct Following {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Following {
    fn new(world: &World, more: &[&str]) -> Self {
        let mut command = world.command(&[&["log", "--follow", "--format", "ndjson"], more].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The kind and the number of the next record.
    fn next(&mut self) -> Option<(String, u64)> {
        let record: serde_json::Value = self.lines.next()?.unwrap().parse().unwrap();
        Some((record["record"]["kind"].as_str().unwrap().to_owned(), record["sequence"].as_u64().unwrap()))
    }

    fn exit(mut self) -> Option<i32> {
        assert_eq!(self.next(), None);
        self.child.wait().unwrap().code()
    }
}

fn voided(run: &str) -> Record {
    let (plan, reason) = (Digest::of(b"plan"), "that was it".to_owned());
    Record::Voided(Voided { run: run.to_owned(), plan, reason })
}

fn follow(world: &World, ledger: &dyn Ledger, more: &[&str]) {
    let of_run = [more, &["--run", "r-1"]].concat();
    ledger.note(&refused("r-1", "denied")).unwrap();
    let (mut one, mut all) = (Following::new(world, &of_run), Following::new(world, more));
    assert_eq!(one.next(), Some(("refused".to_owned(), 2)));
    assert_eq!((all.next().unwrap().1, all.next().unwrap().1), (1, 2));
    ledger.note(&refused("r-2", "denied")).unwrap();
    run(ledger, &started("r-1", "cut", &[]), Some(0));
    let next = ["started", "finished"].map(|kind| (kind, one.next().unwrap()));
    assert!(next.iter().all(|(kind, (found, _))| kind == found), "{next:?}");
    // Somebody drives it still: it is over when that one lets go.
    let driven = ledger.hold("r-1 as a whole").unwrap();
    ledger.note(&voided("r-1")).unwrap();
    assert_eq!(one.next().unwrap().0, "voided");
    ledger.note(&refused("r-1", "too late")).unwrap();
    drop(driven);
    assert_eq!(one.next().unwrap().0, "refused");
    assert_eq!(one.exit(), Some(0));
    let kinds: Vec<String> = (0..6).map(|_| all.next().unwrap().0).collect();
    assert_eq!(kinds, ["refused", "newer_bundle", "started", "finished", "voided", "refused"]);
    kill_process(Pid::from_child(&all.child), Signal::INT).unwrap();
    assert_eq!(all.exit(), Some(0));
    // What is over already is shown, and that is all.
    let mut again = Following::new(world, &of_run);
    assert_eq!((0..5).map(|_| again.next().unwrap().0).last().unwrap(), "refused");
    assert_eq!(again.exit(), Some(0));
}

#[test]
fn a_ledger_in_a_folder_is_followed_to_the_end_of_a_run_or_until_somebody_interrupts() {
    let (world, place) = scene::directory();
    follow(&world, &*place.open(), &[]);
    let ran = world.cutter("log --follow --format json");
    assert_eq!(ran.exit, 3, "{}", ran.stderr);
    world.append(".cutter/records.ndjson", "no record\n");
    assert_eq!(world.cutter("log --follow").exit, 8);
}

#[test]
fn a_ledger_in_postgresql_is_followed_to_the_end_of_a_run_or_until_somebody_interrupts() {
    let (server, place) = scene::server();
    let world = World::empty();
    let host = server.socket_directory().display();
    world.write(
        "cutter.toml",
        format!("[ledger.database]\nhost = \"{host}\"\nuser = \"runs\"\ndbname = \"postgres\"\n"),
    );
    let Place::Postgres(_) = &place else { panic!("it lies in a folder") };
    follow(&world, &*place.open(), &["--ledger", "postgres"]);
}
