//! The package of a run: whoever follows its page to the letter has done all that people must do.

mod as_root;

use crate::support::world::{PLAN, World};
use serde_json::Value;

/// The commands of a page, each with the codes that it may exit with.
fn commands(page: &str) -> Vec<(String, Vec<i32>)> {
    let blocks = page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap().trim_end());
    let command = |line: &str| {
        let (command, exits) = line.rsplit_once("  # exit ").unwrap();
        (command.to_owned(), exits.split(" or ").map(|exit| exit.parse().unwrap()).collect())
    };
    blocks.map(command).collect()
}

#[test]
fn the_shipped_package_has_each_request_with_its_page_and_what_closes_each_gap() {
    let world = World::shipped();
    assert_eq!(world.cutter("ledger init").exit, 0);
    let before = world.listing();
    let ran = world.cutter(&format!("package {PLAN} --output first-run"));
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    let page = world.read("first-run/README.md").replace(" --trust none", "");
    for gate in ["FLIP", "SG_1", "SG_2"] {
        let document: Value = world.read(&format!("first-run/approvals/{gate}.json")).parse().unwrap();
        assert_eq!((document["gate"].as_str(), document["allowance"].as_str()), (Some(gate), Some("")));
        assert!(world.read(&format!("first-run/approvals/{gate}.txt")).contains("sha256"), "{gate}");
    }
    for (gap, step) in [
        ("F4", "cutter backup self-test --output /var/lib/cutter-operator/backup-key.status  # exit 0"),
        ("F4", "gpg --quick-generate-key \"$KEY_OWNER\" future-default default never  # exit 0"),
        ("GAP7", "rules on the run ictr-20260521T081500Z-1a2b3c4d"),
        ("GAP8", "cutter evidence targets plans/o9-first-production-run.json --facts postgres  # exit 0 or 7"),
    ] {
        let part = page.split(&format!("Close the gap {gap}\n")).nth(1).unwrap().split("\n## ").next().unwrap();
        assert!(part.contains(step), "{gap}: {part}");
    }
    // Every open gap has steps, and the run has one command for each of its three beginnings.
    let package: Value = world.read("first-run/first-run.json").parse().unwrap();
    let parts = package["parts"].as_array().unwrap();
    let of_gaps = parts.iter().filter(|part| part["title"].as_str().unwrap().starts_with("Close the gap"));
    assert!(of_gaps.clone().count() == 3 && of_gaps.clone().all(|part| !part["steps"].as_array().unwrap().is_empty()));
    let runs: Vec<(String, Vec<i32>)> =
        commands(&page).into_iter().filter(|(command, _)| command.starts_with("cutter run ")).collect();
    let run = format!("cutter run {PLAN} --facts postgres");
    assert_eq!(
        runs,
        [(run.clone(), vec![5]), (format!("{run} --resume"), vec![5]), (format!("{run} --resume"), vec![0])]
    );
    // Whoever signed a request there loses it by no second package.
    let again = world.cutter(&format!("package {PLAN} --output first-run"));
    assert!(again.exit == 1 && again.stderr.contains("exists already"), "{} {}", again.exit, again.stderr);
    // It did nothing.
    let after: Vec<_> =
        world.listing().into_iter().filter(|(path, _)| !path.starts_with(world.path("first-run"))).collect();
    assert_eq!(after, before);
}

#[test]
fn without_a_ledger_the_page_says_how_one_is_made_before_anything_is_asked() {
    let world = World::shipped();
    let ran = world.cutter(&format!("package {PLAN} --output first-run"));
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    let all = commands(&world.read("first-run/README.md"));
    let at = |command: &str| all.iter().position(|(found, _)| found.starts_with(command)).unwrap();
    assert!(
        at("cutter ledger init") < at("cutter approval request") && at("cutter approval request") < at("cutter run")
    );
    assert!(!all.iter().any(|(command, _)| command.starts_with("install")), "{all:#?}");
}

#[test]
fn what_is_not_printable_or_cannot_be_filled_in_makes_no_package() {
    for (from, to, says) in [
        ("rules on the run", "rules\\u001b[31m on the run", "holds a control character"),
        ("\"cat\", \"{package}/intake.md\"", "\"cat\", \"{parcel}/intake.md\"", "which nothing fills"),
        ("\"$KEY_OWNER\"", "\"a\\nb\"", "holds a control character"),
    ] {
        let world = World::shipped();
        world.replace("cutter.toml", from, to);
        let ran = world.cutter(&format!("package {PLAN} --output first-run"));
        assert!(ran.exit == 3 && ran.stderr.contains(says), "{to}: {} {}", ran.exit, ran.stderr);
        assert!(!world.path("first-run").exists(), "{to}");
    }
}
