//! What the issue and the README promise of the shipped plans.

use crate::support::world::{CUTTER, World, root};
use serde_json::Value;

fn rows(document: &Value) -> impl Iterator<Item = (&str, &Value)> {
    document["decisions"].as_array().unwrap().iter().map(|row| (row["id"].as_str().unwrap(), row))
}

#[test]
fn the_first_production_run_is_ready_for_sovereign_approval_and_nothing_more() {
    let ran = World::shipped().cutter("authorize plans/o9-first-production-run.json --format json");
    let document = ran.json();
    assert_eq!(ran.exit, 5, "{}", ran.stderr);
    assert_eq!(document["verdict"], "READY_FOR_SOVEREIGN_APPROVAL");
    assert_eq!(document["open_gaps"], serde_json::json!(["F4", "GAP7", "GAP8"]));
    let independent = ["author-backup-runner", "audit-grant-matrix", "read-source-registries", "package-first-run"];
    let mut gates = std::collections::BTreeSet::new();
    for (id, row) in rows(&document) {
        let allowed = independent.contains(&id) || ["flip-off", "end"].contains(&id);
        assert_eq!(row["decision"] == "allow", allowed, "{id}");
        if !allowed {
            assert!(row["basis"] == "approval_required" || row["basis"] == "blocked_by", "{id}: {}", row["basis"]);
        }
        gates.extend(row["needs"].as_array().unwrap().iter().map(|need| need["gate"].to_string()));
    }
    assert_eq!(gates.into_iter().collect::<Vec<_>>(), ["\"FLIP\"", "\"SG_1\"", "\"SG_2\""]);
}

#[test]
fn the_generic_dry_run_is_allowed_whole() {
    let ran = World::shipped().cutter("authorize plans/generic-dryrun.json --format json");
    assert_eq!((ran.exit, ran.json()["verdict"].as_str()), (0, Some("AUTHORIZED")));
}

#[test]
fn every_row_of_the_sampler_is_denied_by_the_policy_or_action_it_is_named_after() {
    let ran = World::shipped().cutter("authorize plans/forbidden-sampler.json --format json");
    assert_eq!(ran.exit, 2);
    for (id, row) in rows(&ran.json()) {
        assert_eq!(row["decision"], "deny", "{id}");
        assert!(row["policies"].as_array().unwrap().iter().any(|policy| policy == id), "{id}: {}", row["policies"]);
    }
}

#[test]
fn the_sampler_has_one_row_for_every_ban_that_an_approval_or_nothing_lifts() {
    let world = World::shipped();
    let ids = |file: &str| -> Vec<String> {
        let text = world.read(file);
        text.lines().filter_map(|line| line.strip_prefix("@id(\"")?.strip_suffix("\")")).map(str::to_owned).collect()
    };
    let files = ["policies/00-seed-report.cedar", "policies/forbidden.cedar", "policies/approvals.cedar"];
    let mut bans = files.map(ids).concat();
    // An action of the group `never` that has a row of its own carries the row's annotations.
    let schema = world.read("policies/cutter.cedarschema");
    let rows = schema.split("  @title(").skip(1).filter_map(|row| row.split_once("\n  action ")?.1.split(' ').next());
    bans.extend(rows.map(str::to_owned));
    let sampler: Value = world.read("plans/forbidden-sampler.json").parse().unwrap();
    let mut sampled: Vec<&str> =
        sampler["actions"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect();
    bans.sort();
    sampled.sort_unstable();
    assert_eq!(sampled, bans);
}

#[test]
fn all_ten_rows_of_the_seed_report_are_bans_and_come_first() {
    let titles = [
        "Production mutation without explicit approval",
        "Enable execution_enabled without approval",
        "Leave execution_enabled True after the task",
        "Live CUT / VERIFY / enact commit",
        "Hard-delete IU data",
        "Log secrets",
        "Delete the v0.4 skeleton",
        "Restart a long-running service",
        "Fake PASS",
        "Ask the User for an artifact/secret",
    ];
    let text = std::fs::read_to_string(root().join("policies/00-seed-report.cedar")).unwrap();
    let found: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("@title(\"")?.strip_suffix("\")")).collect();
    assert_eq!(found, titles);
}

#[test]
fn nothing_below_invariants_is_loaded_for_a_decision() {
    let world = World::shipped();
    world.write("policies/invariants/all.cedar", "permit (principal, action, resource); this is not even Cedar");
    assert_eq!(world.cutter("authorize plans/o9-first-production-run.json").exit, 5);
}

#[test]
fn the_policies_digest_is_what_the_command_of_the_page_prints() {
    let world = World::shipped();
    // The two lines of the page, as they stand there.
    let page = std::fs::read_to_string(root().join("docs/digests.md")).unwrap();
    let lines = page.lines().skip_while(|line| !line.starts_with("$ prelude=")).take(2);
    let command: String = lines.map(|line| format!("{}\n", line.trim_start_matches("$ "))).collect();
    let folder = std::path::Path::new(CUTTER).parent().unwrap().display().to_string();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap());
    let mut shell = std::process::Command::new("sh");
    let output = shell.args(["-c", &command]).current_dir(world.path("")).env("PATH", path).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let document = world.cutter("authorize plans/generic-dryrun.json --format json").json();
    assert_eq!(printed.split(' ').next().unwrap(), document["policies"]["sha256"]);
}

#[test]
fn what_is_written_with_attest_is_an_in_toto_statement_over_the_plan() {
    let world = World::shipped();
    let ran = world.cutter("authorize plans/o9-first-production-run.json --attest out.json --format json");
    let statement: Value = world.read("out.json").parse().unwrap();
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["subject"][0]["digest"]["sha256"], ran.json()["plan"]["sha256"]);
    assert_eq!(statement["predicate"]["decisions"]["decisions"], ran.json()["decisions"]);
}

#[test]
fn the_type_of_the_runtime_facts_is_printed() {
    let ran = World::shipped().cutter("schema run");
    assert_eq!(ran.exit, 0);
    for line in ["  now: datetime,", "  gates: Set<Cutter::Gate>,", "      taken_at: datetime,", "    backup?: {"] {
        assert!(ran.stdout.contains(line), "{line}\n{}", ran.stdout);
    }
}

#[test]
fn every_shipped_plan_conforms_to_the_published_schema() {
    let world = World::shipped();
    let schema: Value = world.cutter("schema plan").json();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for name in ["o9-first-production-run", "generic-dryrun", "forbidden-sampler"] {
        let plan: Value = world.read(&format!("plans/{name}.json")).parse().unwrap();
        let errors: Vec<String> = validator.iter_errors(&plan).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
}
