//! Many processes and one approval.

use crate::ledger::scene::{self, Place};
use crate::ledger::worker::Worker;
use cutter::digest::Digest;
use cutter::ledger::Wanted;
use std::fs::File;
use std::time::Instant;

#[test]
fn of_64_processes_exactly_one_uses_an_approval_in_a_folder() {
    let (_folder, place) = scene::directory();
    race(&place);
}

#[test]
fn of_64_processes_exactly_one_uses_an_approval_in_postgresql() {
    let (_server, place) = scene::server();
    race(&place);
}

#[test]
fn a_process_killed_after_its_use_leaves_it_used_and_undone() {
    let check = |place: &Place| {
        let mut first = Worker::one(place);
        first.tell("consume a");
        assert_eq!(first.hear(), "won");
        first.kill();
        let mut second = Worker::one(place);
        second.tell("consume a");
        assert_eq!(second.hear(), "lost");
    };
    let (_folder, place) = scene::directory();
    check(&place);
    let (_server, place) = scene::server();
    check(&place);
}

#[test]
fn whenever_a_process_is_killed_the_work_is_never_done_twice_in_a_folder() {
    let (_folder, place) = scene::directory();
    assert_never_twice(&place);
}

#[test]
fn whenever_a_process_is_killed_the_work_is_never_done_twice_in_postgresql() {
    let (_server, place) = scene::server();
    assert_never_twice(&place);
}

#[test]
fn numbers_have_no_gap_when_16_processes_append_at_once() {
    let check = |place: &Place| {
        let mut workers = Worker::crowd(place, 16);
        workers.iter_mut().for_each(|worker| worker.tell("append 10"));
        workers.iter_mut().for_each(|worker| assert_eq!(worker.hear(), "done"));
        let journal = place.open().read(Wanted::All).unwrap();
        assert_eq!(journal.damages, []);
        assert_eq!(
            journal.entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>(),
            (1..=161).collect::<Vec<_>>()
        );
    };
    let (_folder, place) = scene::directory();
    check(&place);
    let (_server, place) = scene::server();
    check(&place);
}

/// So many rounds as there is time for: all of them where `CUTTER_TEST_ALL` is set, which `tests/run --all` does.
fn rounds(few: u32, all: u32) -> u32 {
    if std::env::var_os("CUTTER_TEST_ALL").is_some() { all } else { few }
}

/// Rounds behind one gate that opens for all at once.
fn race(place: &Place) {
    let mut workers = Worker::crowd(place, 64);
    let folder = tempfile::tempdir().unwrap();
    let rounds = rounds(8, 50);
    for round in 0..rounds {
        let path = folder.path().join(round.to_string());
        let gate = File::create(&path).unwrap();
        gate.lock().unwrap();
        workers.iter_mut().for_each(|worker| worker.tell(&format!("race {} approval-{round}", path.display())));
        workers.iter_mut().for_each(|worker| assert_eq!(worker.hear(), "ready"));
        gate.unlock().unwrap();
        let answers: Vec<String> = workers.iter_mut().map(Worker::hear).collect();
        let count = |wanted: &str| answers.iter().filter(|answer| *answer == wanted).count();
        assert_eq!((count("won"), count("lost")), (1, 63), "round {round}: {answers:?}");
    }
    println!("64 racers, {rounds} rounds: {rounds} winners, 0 false refusals");
}

/// Kills a worker ever later, and has a second one try the same approval.
fn assert_never_twice(place: &Place) {
    let folder = tempfile::tempdir().unwrap();
    let (mut killed_after_use, mut second_worked) = (0, 0);
    let rounds = rounds(12, 60);
    // Kills are spread over what the work takes here, and a little more.
    let mut unharmed = Worker::one(place);
    let began = Instant::now();
    unharmed.tell(&format!("work unharmed {}", folder.path().join("unharmed").display()));
    assert_eq!(unharmed.hear(), "won");
    let step = began.elapsed() * 5 / 4 / rounds;
    for round in 0..rounds {
        let file = folder.path().join(round.to_string());
        let order = format!("work approval-{round} {}", file.display());
        let mut first = Worker::one(place);
        first.tell(&order);
        std::thread::sleep(step * round);
        first.kill();
        let mut second = Worker::one(place);
        second.tell(&order);
        let answer = second.hear();
        assert!(answer == "won" || answer == "lost", "round {round}: {answer}");
        let done = std::fs::read_to_string(&file).unwrap_or_default().lines().count();
        assert!(done <= 1, "round {round}: done {done} times");
        killed_after_use += usize::from(answer == "lost" && done == 0);
        second_worked += usize::from(answer == "won");
        let approval = Digest::of(format!("approval-{round}").as_bytes());
        let journal = place.open().read(Wanted::All).unwrap();
        assert_eq!(journal.damages, [], "round {round}");
        // A use is the record of a start: there is no use without a record, and there is one.
        let uses = journal.starts().filter(|(_, start)| start.approvals.iter().any(|used| used.sha256 == approval));
        assert_eq!(uses.count(), 1, "round {round}");
    }
    println!("killed between use and work: {killed_after_use}; before the use: {second_worked}; of {rounds}");
}
