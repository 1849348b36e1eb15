//! Many processes and one approval.

use crate::ledger::scene::{self, Place, one_use};
use crate::ledger::worker::Worker;
use std::fs::File;
use std::time::Duration;

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
    assert_never_twice(&place, Duration::from_micros(80));
}

#[test]
fn whenever_a_process_is_killed_the_work_is_never_done_twice_in_postgresql() {
    let (_server, place) = scene::server();
    assert_never_twice(&place, Duration::from_micros(400));
}

/// Fifty rounds behind one gate that opens for all at once.
fn race(place: &Place) {
    let mut workers = Worker::crowd(place, 64);
    let folder = tempfile::tempdir().unwrap();
    for round in 0..50 {
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
}

/// Kills a worker ever later, and has a second one try the same approval.
fn assert_never_twice(place: &Place, step: Duration) {
    let folder = tempfile::tempdir().unwrap();
    let (mut killed_after_use, mut second_worked) = (0, 0);
    for round in 0..40 {
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
        let ledger = place.open();
        let approval = one_use(&format!("approval-{round}"), "cut", "").approval;
        assert_eq!(ledger.uses(approval).unwrap().len(), 1, "round {round}");
    }
    println!("killed between use and work: {killed_after_use}; before the use: {second_worked}; of 40");
}
