//! The bundles of `examples/`: reviewed clean, tested, authorized and approved, and as short as they say.

use crate::support::postgres::Server;
use crate::support::ran::Ran;
use crate::support::tree::copy;
use crate::support::world::{World, root};
use serde_json::json;

const PLAN: &str = "plans/close-2026-10.json";
const NOW: &str = "2026-11-03T08:00:00Z";

/// The gates of billing, and whose names an approval of each needs.
const SIGNERS: [(&str, &[&str]); 2] = [("CLOSE", &["ada", "ben"]), ("SWITCH", &["dan"])];

/// Billing with keys for everybody, a ledger, and every approval written and not yet signed.
fn billing() -> World {
    let world = World::example("billing");
    let signer = |name: &&str| {
        format!("{name} namespaces=\"cutter-approval,cutter-reject\" {}", world.make_key(name, "ed25519"))
    };
    let signers: Vec<String> = ["ada", "ben", "cleo", "dan"].iter().map(signer).collect();
    world.write("policies/allowed_signers", signers.concat());
    for command in ["ledger init", &format!("approval request {PLAN} --now {NOW}")] {
        let ran = world.cutter(command);
        assert_eq!(ran.exit, 0, "{}", ran.stderr);
    }
    for (gate, _) in SIGNERS {
        world.edit(&format!("approvals/{gate}.json"), |document| {
            document["allowance"] = json!("explicit");
            document["reason"] = json!("October is complete");
        });
    }
    world
}

fn sign(world: &World, gate: &str, who: &str) {
    let ran = world.cutter(&format!("approval sign --yes approvals/{gate}.json --key keys/{who} --as {who}"));
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
}

fn authorize(world: &World, more: &str) -> Ran {
    world.cutter(&format!("authorize {PLAN} --now {NOW} --format json {more}"))
}

/// The reject code of a gate's approval, if it has one.
fn code(world: &World, gate: &str) -> Option<String> {
    let listed = world.cutter(&format!("approval list {PLAN} --now {NOW} --format json")).json();
    let rows = listed["approvals"].as_array().unwrap().clone();
    rows.iter().find(|row| row["gate"] == gate).unwrap()["code"].as_str().map(str::to_owned)
}

#[test]
fn the_shipped_bundle_and_each_example_are_reviewed_clean() {
    let shipped = World::shipped();
    copy(&root().join("review"), &shipped.path("review"));
    let worlds = [("shipped", shipped), ("billing", World::example("billing")), ("rollout", World::example("rollout"))];
    for (name, world) in worlds {
        let ran = world.cutter("review --no-cache");
        assert_eq!(ran.exit, 0, "{name}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.starts_with("review  clean"), "{name}: {}", ran.stdout);
    }
}

#[test]
fn each_example_is_no_longer_than_it_may_be() {
    for (example, most) in [("billing", 565), ("rollout", 68)] {
        let world = World::example(example);
        let files = world.listing().into_iter().map(|(path, _)| path);
        let written = files.filter(|path| !path.ends_with("README.md"));
        let lines: usize = written.map(|path| std::fs::read_to_string(path).unwrap().lines().count()).sum();
        println!("{example}: {lines} lines written by hand");
        assert!(lines <= most, "{example}: {lines} lines");
    }
}

#[test]
fn a_tested_commit_goes_to_staging_and_an_untested_one_does_not() {
    let world = World::example("rollout");
    for (measured, exit, verdict) in [("true", 0, "AUTHORIZED"), ("false", 9, "BLOCKED")] {
        world.write("entities/facts.json", world.read("entities/facts.json").replace("true", measured));
        let ran = world.cutter("authorize plan.json --format json");
        assert_eq!((ran.exit, ran.json()["verdict"].as_str()), (exit, Some(verdict)), "{}", ran.stderr);
    }
}

#[test]
fn the_cases_of_billing_hold() {
    let ran = World::example("billing").cutter("test");
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn a_month_is_closed_by_two_of_finance_and_the_on_call_and_by_nobody_less() {
    let world = billing();
    assert_eq!(authorize(&world, "").exit, 5);
    let steps: [(&str, &str, i32, Option<&str>); 4] = [
        ("CLOSE", "ada", 5, Some("quorum_not_met")),
        // Not of finance: no vote, and not in the way of those who have one.
        ("CLOSE", "dan", 5, Some("wrong_gate")),
        ("CLOSE", "ben", 5, None),
        ("SWITCH", "dan", 0, None),
    ];
    for (gate, who, exit, rejected) in steps {
        sign(&world, gate, who);
        assert_eq!(code(&world, gate).as_deref(), rejected, "{gate} {who}");
        let verified = world.cutter(&format!("approval verify {PLAN} --now {NOW}"));
        assert_eq!(verified.exit, exit, "{gate} {who}: {}{}", verified.stdout, verified.stderr);
        assert_eq!(authorize(&world, "").exit, exit, "{gate} {who}");
    }
}

#[test]
fn a_no_of_finance_outweighs_two_that_say_yes() {
    let world = billing();
    for (gate, people) in SIGNERS {
        people.iter().for_each(|who| sign(&world, gate, who));
    }
    let no = world.cutter("approval sign --yes approvals/CLOSE.json --key keys/cleo --as cleo --reject");
    assert_eq!(no.exit, 0, "{}", no.stderr);
    assert_eq!(code(&world, "CLOSE").as_deref(), Some("vetoed"));
    assert_eq!(authorize(&world, "").exit, 5);
}

/// The database answers what the file stated, and what was posted is not posted again.
#[test]
fn the_facts_of_billing_come_from_its_database() {
    let (world, server) = (billing(), Server::start());
    server.execute(&world.read("schema.sql"));
    let identifier: String = server
        .connect("postgres", "postgres")
        .query_one("SELECT system_identifier::text FROM pg_control_system()", &[])
        .unwrap()
        .get(0);
    for file in ["entities/facts.json", PLAN] {
        world.write(file, world.read(file).replace("7712265227049099176", &identifier));
    }
    let url = server.conninfo("postgres", "postgres");
    let post = || {
        let ran = world.cutter_with(
            &format!("authorize {PLAN} --now {NOW} --format json --facts postgres"),
            &[("BILLING_URL", url.as_str())],
        );
        let document = ran.json();
        let rows = document["decisions"].as_array().unwrap_or_else(|| panic!("{}", ran.stderr)).clone();
        (document["open_gaps"].clone(), rows.into_iter().find(|row| row["id"] == "post").unwrap()["policies"].clone())
    };
    assert_eq!(post(), (json!([]), json!(["no-close-without-approval"])));
    server.execute("INSERT INTO billing.entry SELECT * FROM billing.staged");
    assert_eq!(post().0, json!(["BATCH"]));
    server.execute("UPDATE billing.book SET closed_at = now()");
    assert_eq!(post().0, json!(["BATCH", "MONTH"]));
}
