//! `cutter review` as a user runs it: exit codes, counterexamples, the cache, and a difference between two bundles.

use crate::review::world::longer_life;
use crate::support::scrubbed::scrubbed;
use crate::support::terminal::{in_a_terminal, screen};
use crate::support::world::{CUTTER, PLAN, World, root};
use std::path::Path;

#[test]
fn a_widening_is_refuted_with_a_request_and_may_be_allowed() {
    let world = longer_life();
    let output = world.review(&["diff", "policies", "POLICIES", "--format", "json"]);
    assert_eq!(output.status.code(), Some(4));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let finding = &document["findings"][0];
    assert_eq!((finding["rule"].as_str(), finding["about"].as_str()), (Some("D01"), Some("Person open_gate Gate")));
    let place = &finding["places"][0];
    let text = std::fs::read_to_string(place["file"].as_str().unwrap()).unwrap();
    let line = usize::try_from(place["line"].as_u64().unwrap()).unwrap();
    assert!(text.lines().nth(line - 1).unwrap().contains("duration(\"13h\")"));
    assert_eq!(finding["counterexample"]["decision"], "allow");
    assert_eq!(world.review(&["diff", "policies", "POLICIES", "--allow-widening"]).status.code(), Some(0));
    // The other way round it only narrows.
    assert_eq!(world.review(&["diff", "POLICIES", "policies"]).status.code(), Some(0));
}

#[test]
fn a_wrong_value_on_the_command_line_is_a_wrong_command_line_and_no_finding() {
    let world = World::edited("permits.cedar", "context.to", "context.to");
    for (arguments, said) in [
        (&["diff", "policies", "--accept", "D66 x"][..], "`D66` is not a rule of `review diff`"),
        (&["diff", "policies", "--accept", "D06"], "does not say why"),
        (&["prove", "--limit", "0"], "not a number of seconds above zero"),
        (&["prove", "--limit", "soon"], "not a number of seconds above zero"),
        (&["prove", "--jobs", "0"], "--jobs"),
    ] {
        let output = world.review(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(64) && output.stdout.is_empty() && error.contains(said),
            "{arguments:?}: {error}"
        );
    }
}

#[test]
fn a_fact_whose_source_was_lowered_is_a_widening_and_a_raised_one_is_none() {
    let world = World::edited(
        "cutter.cedarschema",
        "@source(\"observation\")\n    switch:",
        "@source(\"stated\")\n    switch:",
    );
    let output = world.review(&["diff", "policies", "POLICIES", "--format", "json"]);
    assert_eq!(output.status.code(), Some(4));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let found: Vec<(&str, &str)> = document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| (finding["rule"].as_str().unwrap(), finding["message"].as_str().unwrap()))
        .filter(|(rule, _)| *rule == "D13")
        .collect();
    assert_eq!(
        found,
        [("D13", "its source must be `observation` no more: `stated` is good enough")],
        "each record once"
    );
    assert_eq!(world.review(&["diff", "policies", "POLICIES", "--allow-widening"]).status.code(), Some(0));
    assert_eq!(world.review(&["diff", "POLICIES", "policies"]).status.code(), Some(0));
}

#[test]
fn a_relation_behind_a_fact_that_a_role_may_write_is_found_unless_it_is_accepted() {
    let world = World::shipped();
    assert_eq!(world.cutter("review lint").exit, 0);
    world.replace("cutter.toml", "cutter_exec = \"what it writes makes a document cut before, and bars it\"\n", "");
    let ran = world.cutter("review lint --format json");
    assert_eq!(ran.exit, 4, "{}", ran.stdout);
    let document = ran.json();
    let finding = &document["findings"][0];
    assert_eq!((&finding["rule"], &finding["about"]), (&"F01".into(), &"documents".into()));
    assert!(finding["message"].as_str().unwrap().contains("`cutter_exec` may write"), "{finding:#}");
}

#[test]
fn a_counterexample_is_written_as_request_entities_and_test_case() {
    let world = longer_life();
    let found = world.path("found");
    let folder = found.display().to_string();
    let output = world.review(&["prove", "--policies", "POLICIES", "--counterexamples", &folder]);
    assert_eq!(output.status.code(), Some(4));
    let read = |kind: &str| -> serde_json::Value {
        let text =
            std::fs::read_to_string(found.join(format!("never-only-the-cut-is-approved-a-day-ahead.{kind}.json")))
                .unwrap();
        serde_json::from_str(&text).unwrap()
    };
    assert_eq!(read("request")["resource"].as_str().unwrap().split("::").nth(1), Some("Gate"));
    assert!(read("entities").as_array().is_some_and(|entities| !entities.is_empty()));
    assert_eq!(read("test")[0]["decision"], "deny");
}

#[test]
fn a_bundle_that_does_not_validate_is_exit_3() {
    let world = World::edited("permits.cedar", "context.to", "context.two");
    assert_eq!(world.review(&["--policies", "POLICIES"]).status.code(), Some(3));
}

#[test]
fn a_missing_solver_is_exit_7_with_the_install_line() {
    let world = World::edited("permits.cedar", "context.to", "context.to");
    let output = world.review(&["prove", "--policies", "POLICIES", "--solver", "/nonexistent/cvc5"]);
    assert_eq!(output.status.code(), Some(7));
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.split_whitespace().collect::<Vec<_>>().join(" ").contains("apt-get install cvc5"), "{shown}");
}

#[test]
fn a_table_that_differs_is_exit_4_at_its_first_line() {
    let world = World::edited("permits.cedar", "Cutter::Group::\"verifier\"", "Cutter::Group::\"planner\"");
    let output = world.review(&["matrix", "--policies", "POLICIES", "--check", "review/matrix.txt"]);
    assert_eq!(output.status.code(), Some(4));
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("M01") && shown.contains("write_verify"), "{shown}");
}

#[test]
fn an_allowed_finding_is_gone_and_a_stale_allowance_is_found() {
    let above = "@id(\"no-secret-logging\")";
    let world = World::edited("00-seed-report.cedar", above, &format!("// cutter-allow: L03 nothing to see\n{above}"));
    let output = world.review(&["lint", "--policies", "POLICIES"]);
    assert!(String::from_utf8(output.stdout).unwrap().contains("L15"));
    let path = world.path("policies/00-seed-report.cedar");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("@evidence(\"secrets:outputs\")\n", "", 1)).unwrap();
    assert_eq!(world.review(&["lint", "--policies", "POLICIES"]).status.code(), Some(0));
}

#[test]
fn a_solver_that_is_too_old_or_too_slow_is_exit_7_and_never_0() {
    let world = World::edited("permits.cedar", "context.to", "context.to");
    let old = world.script("old", "echo 'This is cvc5 version 1.0.2'");
    let output = world.review(&["prove", "--policies", "POLICIES", "--no-cache", "--solver", &old]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(7));
    assert!(shown.contains("version 1.0.2, older than 1.0.3") && shown.contains("apt-get install cvc5"), "{shown}");
    // It knows the two queries that try it out, and nothing else.
    let unsure = world.script(
        "unsure",
        "case \"$1\" in --version) echo 'This is cvc5 version 1.3.1'; exit;; esac\n\
         while read -r line; do case \"$line\" in\n\
         '(assert (= x \"a\"))') answer=sat;; '(assert (< x x))') answer=unsat;; '(reset)') answer=unknown;;\n\
         '(check-sat)') echo $answer;; esac; done",
    );
    let output = world.review(&["--policies", "POLICIES", "--no-cache", "--solver", &unsure]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(7), "{shown}");
    assert!(shown.starts_with("review  undecided: "), "{shown}");
    assert!(shown.lines().any(|line| line.starts_with("  prove ") && line.contains(" UNDECIDED ")), "{shown}");
}

#[test]
fn a_revision_is_compared_with_the_folder_and_the_changed_line_is_named() {
    let world = longer_life();
    // The shipped bundle is committed, then the edit lies in the folder.
    let edited = std::fs::read(world.path("policies/gates.cedar")).unwrap();
    std::fs::copy("policies/gates.cedar", world.path("policies/gates.cedar")).unwrap();
    world.commit();
    world.write("policies/gates.cedar", edited);
    let output = world.review_in(world.folder(), &["diff", "HEAD", "--format", "github"]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(4), "{shown}");
    let text = world.read("policies/gates.cedar");
    let line = text.lines().position(|line| line.contains("duration(\"13h\")")).unwrap() + 1;
    assert!(shown.contains(&format!("gates.cedar,line={line},")) && shown.contains("D01"), "{shown}");
    // The times of its example lie hours apart, and are written as people write them.
    let output = world.review_in(world.folder(), &["diff", "HEAD", "--format", "json"]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("2026-01-01T13:00:00") && !shown.contains("\"offset\""), "{shown}");
    // Two revisions are compared, too.
    assert_eq!(world.review_in(world.folder(), &["diff", "HEAD", "HEAD"]).status.code(), Some(0));
    let output = world.review_in(world.folder(), &["diff", "no-such-revision"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn an_answer_is_recalled_unless_the_cache_is_left_out() {
    let world = World::edited("permits.cedar", "context.to", "context.to");
    world.keep_little();
    let prove = |more: &[&str]| {
        let output = world.review(&[&["prove", "--policies", "POLICIES"], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stdout)
            .unwrap()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .contains("from the cache")
    };
    assert_eq!([prove(&[]), prove(&[]), prove(&["--no-cache"]), prove(&[])], [false, true, false, true]);
}

#[test]
fn a_ceiling_or_floor_of_the_review_changes_no_decision() {
    let world = World::edited("permits.cedar", "context.to", "context.to");
    let decide = || {
        let names = ["entities", PLAN, "cutter.toml"];
        let [entities, plan, config] = names.map(|name| root().join(name).display().to_string());
        let now = ["--now", "2026-05-21T08:15:00Z", "--format", "json", "--config", &config];
        let ran = world.cutter_words(&[&["authorize", &plan, "--entities", &entities], &now[..]].concat());
        (ran.exit, ran.json()["decisions"].clone())
    };
    let before = decide();
    for (effect, of) in [("permit", "shipped"), ("forbid", "bans")] {
        let text = format!("@id(\"everything\")\n@of(\"{of}\")\n{effect} (principal, action, resource);\n");
        world.write("policies/invariants/everything.cedar", text);
        assert_eq!(decide(), before);
    }
    assert_eq!(before.0, 5);
}

#[test]
fn the_commands_of_the_recipe_for_ci_run() {
    let world = World::edited("permits.cedar", "context.to", "context.to");
    world.keep_little();
    world.commit();
    let page = std::fs::read_to_string("docs/ci.md").unwrap();
    let (_, recipe) = page.split_once("```yaml\n").unwrap();
    let runs = recipe.split("```").next().unwrap().lines().filter_map(|line| line.split_once("run: cutter "));
    let commands: Vec<&str> = runs.map(|(_, command)| command).collect();
    assert_eq!(commands.len(), 3, "{commands:?}");
    for command in commands {
        let command = command.replace("origin/${{ github.base_ref }}", "HEAD");
        let output = scrubbed("sh")
            .current_dir(world.folder())
            .env("GITHUB_STEP_SUMMARY", world.path("summary.md"))
            .args(["-c", &format!("{} {command}", CUTTER)])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        // Few invariants are left, so that the review finds bans that none covers.
        let noted = said.lines().all(|line| line.is_empty() || line.starts_with("note: refuted (exit code 4)"));
        assert!(matches!(output.status.code(), Some(0 | 4)) && noted, "{command}: {said}");
    }
    for file in ["summary.md", "review.sarif"] {
        assert!(!std::fs::read(world.path(file)).unwrap().is_empty(), "{file}");
    }
}

#[test]
fn the_phases_of_a_review_are_shown_on_a_terminal_only_and_leave_nothing_behind() {
    let world = World::edited("permits.cedar", "context.to", "context.to");
    world.keep_little();
    let line = format!("{} review --policies {} --no-cache --jobs 1", CUTTER, world.policies());
    let written = in_a_terminal(Path::new("."), &line);
    for phase in ["validate", "lint", "matrix", "prove"] {
        assert!(written.contains(&format!("{phase} ")), "{phase}: {written:?}");
    }
    assert!(written.contains("/180 "), "{written:?}");
    let output = scrubbed("sh").args(["-c", &line]).env("COLUMNS", "80").output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!((screen(&written).as_str(), output.stderr.as_slice()), (shown.trim_end(), &b""[..]));
}
