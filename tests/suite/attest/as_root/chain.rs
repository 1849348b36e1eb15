//! The ledger's chain of attestations: each names the one before it, and a published head shows a cut tail.

use crate::attest::scene::Scene;
use crate::ledger::scene::rewrite;

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
    assert_eq!(scene.cutter("ledger head --to head.json").exit, 0);
    let ran = scene.cutter(&format!("verify --ledger .cutter --head head.json --trust {trust} r3.json"));
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    // The owner of the folder takes the last one out, and chains the rest again: only what was published shows it.
    rewrite(&scene.path(".cutter"), |text| text.lines().take(3).map(|line| format!("{line}\n")).collect());
    assert_eq!(scene.cutter("ledger verify").exit, 0);
    let ran = scene.cutter("ledger verify --head head.json");
    assert_eq!(ran.exit, 8, "{}", ran.stdout);
    assert!(ran.stdout.contains("4 records were published"), "{}", ran.stdout);
    let ran = scene.cutter(&format!("verify --ledger .cutter --head head.json --trust {trust} r2.json"));
    assert_eq!(ran.exit, 8, "{}{}", ran.stdout, ran.stderr);
    // One in the middle is gone: the attestations themselves show it.
    rewrite(&scene.path(".cutter"), |text| {
        text.lines().filter(|line| !line.contains("\"number\":1,")).map(|line| format!("{line}\n")).collect()
    });
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
    assert_eq!((ran.exit, &ran.json()["attestations"]), (0, &6.into()), "{}", ran.stdout);
}

#[test]
fn an_attestation_that_cannot_be_written_or_signed_is_not_chained() {
    let scene = Scene::new();
    scene.capture("a.json");
    scene.capture("b.json");
    for arguments in ["--attest cutter.toml/r.json", "--attest r.json --key keys/none"] {
        let ran = scene.attest(arguments);
        assert_eq!((ran.exit, attestations(&scene)), (1, 0), "{}", ran.stderr);
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
    assert_eq!((scene.read("r.json").as_str(), attestations(&scene)), ("precious", 0));
}

fn attestations(scene: &Scene) -> u64 {
    scene.cutter("ledger verify --format json").json()["attestations"].as_u64().unwrap()
}
