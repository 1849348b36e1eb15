//! A whole gate over measured facts: real PostgreSQL, files of operators, a switch in a file; and files edited at every step.

use crate::attest::scene::Scene;
use crate::support::ran::Ran;
use crate::support::world::PLAN;
use serde_json::{Value, json};

const RUN: &str = "ictr-20260521T081500Z-1a2b3c4d";

/// The switch behind its approval, with everything measured and the backup key not yet there.
struct Gate(Scene);

impl Gate {
    fn new() -> Self {
        let scene = Scene::new();
        scene.make_key("sovereign", "ed25519");
        let signer =
            format!("sovereign namespaces=\"cutter-approval,cutter-reject\" {}", scene.public_key("sovereign"));
        scene.write("policies/allowed_signers", signer);
        let target = scene.read(PLAN).parse::<Value>().unwrap()["target"].clone();
        let flip = |id: &str, to: bool| json!({"id": id, "effect": if to { "switch-on" } else { "switch-off" }});
        let mut off = flip("flip-off", false);
        off["finally"] = json!(true);
        let plan = json!({"version": 1, "plan": "switch", "run": RUN, "mode": "live", "author": "Cutter::Agent::\"planner\"",
            "principal": "Cutter::Agent::\"run-agent\"", "target": target, "actions": [flip("flip-on", true), off]});
        scene.write(PLAN, plan.to_string());
        let gate = Self(scene);
        gate.configure("b8087b56d51bc1284d333ead2dcd00c432965721c3b2e48a38f5f5e62dfcfde4");
        let digest = gate.fact("run.facts.tree.digest", "--facts postgres")["value"].clone();
        gate.configure(digest.as_str().unwrap().trim_matches('"'));
        gate
    }

    /// The shipped configuration with effects, and with the tree as it is pinned.
    fn configure(&self, pinned: &str) {
        self.0.configure(|config| {
            config.replace("b8087b56d51bc1284d333ead2dcd00c432965721c3b2e48a38f5f5e62dfcfde4", pinned)
        });
        self.0.sign();
    }

    fn approve(&self) {
        let ran = self.0.cutter(&format!("approval request {PLAN}"));
        assert_eq!(ran.exit, 0, "{}", ran.stderr);
        self.0.edit("approvals/FLIP.json", |document| {
            document["allowance"] = json!("explicit");
            document["reason"] = json!("first controlled run, as ruled on 2026-05-21");
        });
        self.0.keygen_sign("sovereign", "cutter-approval", "approvals/FLIP.json");
    }

    fn exec(&self, more: &str) -> Ran {
        self.0.cutter(&format!("exec {PLAN} flip-on {more}"))
    }

    /// One fact as the record has it.
    fn fact(&self, name: &str, more: &str) -> Value {
        let document = self.0.cutter(&format!("authorize {PLAN} --format json {more}")).json();
        let found = document["facts_read"].as_array().unwrap().iter().find(|fact| fact["fact"] == name).cloned();
        found.unwrap_or_else(|| panic!("no {name} in {:#}", document["facts_read"]))
    }

    /// What a file says of every fact of the run, as a run that lies would have it.
    fn state(&self, change: impl Fn(&mut Value)) {
        self.0.edit("entities/runs.json", |runs| {
            runs.as_array_mut().unwrap().iter_mut().for_each(|run| change(&mut run["attrs"]["facts"]));
        });
    }

    fn close_the_gap(&self) {
        self.0.write(
            "operator/backup-key.status",
            "fingerprint_set=true\npublic_key_imported=true\nselftest_passed=true\n",
        );
    }

    fn is_on(&self) -> bool {
        self.0.read("v0.6/orchestrator/__init__.py").contains("True")
    }
}

/// What a lying file says: everything is fine.
fn everything_is_fine(facts: &mut Value) {
    facts["backup_key"] = json!({"fingerprint_set": true, "public_key_imported": true, "selftest_passed": true});
    facts["tests"]["expected"] = json!(471);
    facts["switch"]["enabled"] = json!(false);
}

#[test]
fn a_facts_file_edited_between_every_two_steps_allows_nothing() {
    let gate = Gate::new();
    gate.state(everything_is_fine);
    gate.approve();
    // By the files everything is fine, and it is said that nothing measured that.
    let shown = gate.0.cutter(&format!("authorize {PLAN}"));
    assert_eq!(shown.exit, 0, "{}", shown.stdout);
    assert!(shown.stdout.contains("STATED"), "{}", shown.stdout);
    let stated = gate.exec("");
    assert_eq!((stated.exit, gate.is_on()), (7, false), "{}{}", stated.stdout, stated.stderr);
    assert!(stated.stdout.contains("run.facts.backup_key"), "{}", stated.stdout);
    // What is measured stands, whatever the file says next.
    let measured = gate.exec("--facts postgres");
    assert_eq!((measured.exit, gate.is_on()), (9, false), "{}{}", measured.stdout, measured.stderr);
    for (record, name) in [("backup_key", "selftest_passed"), ("grants", "executor_may_call"), ("live_path", "present")]
    {
        gate.state(|facts| facts[record][name] = json!(true));
        assert_eq!((gate.exec("--facts postgres").exit, gate.is_on()), (9, false), "{record}.{name}");
    }
    gate.close_the_gap();
    // Nor does a file deny what was measured.
    gate.state(|facts| facts["backup_key"]["selftest_passed"] = json!(false));
    let done = gate.exec("--facts postgres");
    assert_eq!((done.exit, gate.is_on()), (0, true), "{}{}", done.stdout, done.stderr);
}

#[test]
fn every_measured_fact_says_what_measured_it_when_and_who() {
    let gate = Gate::new();
    let of = |name: &str| gate.fact(name, "--facts postgres");
    for (name, source, by) in [
        ("run.facts.switch.enabled", "observation", "flag:execution_enabled"),
        ("run.facts.tree.digest", "observation", "tree:v0.6-deployed"),
        ("run.facts.tree.pinned_off", "query", "pins"),
        ("run.facts.live_path.present", "observation", "tree:v0.6-deployed"),
        ("run.facts.backup_key.selftest_passed", "observation", "flag:backup-key-selftest"),
    ] {
        let fact = of(name);
        assert_eq!((&fact["source"], &fact["name"]), (&json!(source), &json!(by)), "{fact:#}");
        assert!(fact["at"].is_string() && fact["by"].is_string(), "{fact:#}");
    }
    let by = of("run.facts.tree.pinned_off")["by"].as_str().unwrap().to_owned();
    assert!(by.starts_with("cutter_observe@"), "{by}");
    let document = gate.0.cutter(&format!("authorize {PLAN} --facts postgres --format json")).json();
    assert_eq!(document["unmeasured"], Value::Null, "{:#}", document["unmeasured"]);
    // The plan's own words are bound, and are no text of the query.
    gate.0.edit(PLAN, |plan| plan["target"]["database"] = json!("x' OR true --"));
    let document = gate.0.cutter(&format!("authorize {PLAN} --facts postgres --format json")).json();
    let facts = &document["decisions"][0]["context"]["run"]["facts"];
    assert_eq!(facts["target"]["expected_database"], "x' OR true --");
}

#[test]
fn another_role_than_the_observers_gives_no_facts() {
    let gate = Gate::new();
    let config = gate.0.read("cutter.toml");
    gate.0.write("cutter.toml", config.replace("[facts]\nrole = \"cutter_observe\"", "[facts]\nrole = \"somebody\""));
    gate.0.sign();
    let ran = gate.0.cutter(&format!("authorize {PLAN} --facts postgres"));
    assert_eq!(ran.exit, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("asked as `cutter_observe`, not as `somebody`"), "{}", ran.stderr);
}

#[test]
fn a_capture_that_an_observer_signed_gives_facts_as_long_as_it_is_fresh() {
    let gate = Gate::new();
    gate.0.capture("a.json");
    let from = "--facts evidence:a.json";
    let run = |more: &str| gate.0.cutter(&format!("authorize {PLAN} --format json {more}"));
    let switch = gate.fact("run.facts.switch.enabled", from);
    assert_eq!((&switch["source"], &switch["by"]), (&json!("capture"), &json!("observer")), "{switch:#}");
    // A capture of another database, by another configuration, or on another host is about something else.
    let of_another = |change: &dyn Fn(&mut Value), why: &str| {
        let kept = gate.0.read("a.json");
        gate.0.edit("a.json", change);
        let other = run(from);
        gate.0.keygen_sign("observer", "cutter-evidence", "a.json");
        let signed = run(from);
        assert_eq!((other.exit, signed.exit), (8, 8), "{}{}", other.stderr, signed.stderr);
        assert!(signed.stderr.contains(why), "{}", signed.stderr);
        gate.0.write("a.json", kept);
        gate.0.keygen_sign("observer", "cutter-evidence", "a.json");
    };
    of_another(&|capture| capture["database"]["system_identifier"] = json!("1"), "it observes the database `1`");
    of_another(&|capture| capture["database"]["name"] = json!("stage"), "it observes the database named `stage`");
    of_another(&|capture| capture["config_sha256"] = json!("0".repeat(64)), "by another configuration");
    of_another(&|capture| capture["host"] = json!("0".repeat(64)), "on another host");
    let later = run(&format!("{from} --now 2099-01-01T00:00:00Z"));
    assert_eq!(later.exit, 8, "{}", later.stderr);
    assert!(later.stderr.contains("seconds old"), "{}", later.stderr);
    gate.0.remove("a.json.sig");
    let unsigned = run(from);
    assert_eq!(unsigned.exit, 8, "{}", unsigned.stderr);
    assert!(unsigned.stderr.contains("nobody signed it"), "{}", unsigned.stderr);
}
