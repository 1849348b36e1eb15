//! The ledger's chain of attestations: each names the one before it, and a published head shows a cut tail.

use crate::attest::scene::Scene;
use std::fs;

/// A ledger with three attestations.
fn chained() -> Scene {
    let scene = Scene::new();
    scene.capture("a.json");
    scene.capture("b.json");
    for number in 1..=3 {
        let ran = scene.attest(&format!("--attest r{number}.json --key keys/attester"));
        assert_eq!(ran.exit, 5, "{}", ran.stderr);
    }
    scene
}

#[test]
fn each_attestation_names_the_one_before_it_and_the_ledger_prints_what_to_publish() {
    let scene = chained();
    let trust = scene.trust_path().display().to_string();
    let ran = scene.cutter(&format!("verify --chain --ledger .cutter --trust {trust} r1.json r2.json r3.json"));
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    let ran = scene.cutter(&format!("verify --chain --trust {trust} r1.json r3.json"));
    assert_eq!(ran.exit, 8);
    let head = scene.cutter("ledger head");
    let lines: Vec<&str> = head.stdout.lines().collect();
    assert_eq!((head.exit, lines.len(), lines[1]), (0, 2, "length   3"));
    let sha = lines[0].split_whitespace().last().unwrap();
    assert_eq!(scene.cutter(&format!("ledger verify --head {sha} --length 3")).exit, 0);
    assert_eq!(
        fs::read(scene.path("r3.json")).unwrap(),
        fs::read(scene.path(".cutter/attestations/00000003.json")).unwrap()
    );
    // The tail is cut off: the chain alone does not show it.
    fs::remove_file(scene.path(".cutter/attestations/00000003.json")).unwrap();
    assert_eq!(scene.cutter("ledger verify").exit, 0);
    let ran = scene.cutter(&format!("ledger verify --head {sha} --length 3"));
    assert_eq!(ran.exit, 8, "{}", ran.stdout);
    assert!(ran.stdout.contains("3 were published"), "{}", ran.stdout);
    // One in the middle is gone.
    fs::remove_file(scene.path(".cutter/attestations/00000001.json")).unwrap();
    assert_eq!((scene.cutter("ledger verify").exit, scene.cutter("ledger head").exit), (8, 8));
}

#[test]
fn attestations_made_at_once_form_one_chain() {
    let scene = Scene::new();
    scene.capture("a.json");
    scene.capture("b.json");
    std::thread::scope(|scope| {
        for number in 0..6 {
            let scene = &scene;
            scope.spawn(move || assert_eq!(scene.attest(&format!("--attest r{number}.json")).exit, 5));
        }
    });
    let ran = scene.cutter("ledger verify --format json");
    assert_eq!((ran.exit, &ran.json()["length"]), (0, &6.into()), "{}", ran.stdout);
}

#[test]
fn an_attestation_that_cannot_be_written_or_signed_is_not_chained() {
    let scene = Scene::new();
    scene.capture("a.json");
    scene.capture("b.json");
    for arguments in ["--attest cutter.toml/r.json", "--attest r.json --key keys/none"] {
        let ran = scene.attest(arguments);
        assert_eq!((ran.exit, scene.path(".cutter/attestations").exists()), (1, false), "{}", ran.stderr);
        assert!(!scene.path("r.json").exists());
    }
}

#[test]
fn of_two_that_write_one_file_at_once_one_is_refused_and_nothing_is_mixed() {
    let scene = Scene::new();
    scene.capture("a.json");
    scene.capture("b.json");
    let exits = std::thread::scope(|scope| {
        let one = || scene.attest("--attest q.json --key keys/attester").exit;
        let threads = [scope.spawn(one), scope.spawn(one)];
        threads.map(|thread| thread.join().unwrap())
    });
    assert!(exits.contains(&5), "{exits:?}");
    let trust = scene.trust_path().display().to_string();
    let ran = scene.cutter(&format!("verify --trust {trust} --ledger .cutter q.json q.json.dsse.json"));
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn an_attestation_is_never_written_over_another() {
    let scene = Scene::new();
    scene.capture("a.json");
    scene.capture("b.json");
    scene.write("r.json", "precious");
    assert_eq!(scene.attest("--attest r.json").exit, 1);
    assert_eq!((scene.read("r.json").as_str(), scene.path(".cutter/attestations").exists()), ("precious", false));
}
