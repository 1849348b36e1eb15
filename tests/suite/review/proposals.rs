//! `review coverage --write`: what nothing would miss is proposed as invariants, which hold, and by which it is missed then.
//! And what the prelude promises of every bundle is proved of each, without an invariant of its own.

use crate::support::ran::Ran;
use crate::support::world::World;

const PROPOSED: &str = "policies/invariants/proposed.cedar";

fn covered(ran: &Ran) -> (i32, Vec<String>) {
    let report = ran.json();
    let findings =
        report["findings"].as_array().unwrap().clone().into_iter().filter(|found| found["severity"] != "note");
    (ran.exit, findings.map(|f| format!("{} {}", f["rule"].as_str().unwrap(), f["about"].as_str().unwrap())).collect())
}

#[test]
fn every_policy_of_a_bundle_without_invariants_is_missed_by_those_that_are_proposed() {
    for example in ["billing", "rollout"] {
        let world = World::example(example);
        for (path, _) in world.listing() {
            if path.to_string_lossy().contains("/invariants/") {
                std::fs::remove_file(path).unwrap();
            }
        }
        let ran = world.cutter("review coverage --write --format json");
        assert_eq!(ran.exit, 0, "{example}: {}{}", ran.stdout, ran.stderr);
        let text = world.read(PROPOSED);
        let ran = world.cutter("review --no-cache --format json");
        assert_eq!(covered(&ran), (0, Vec::new()), "{example}: {text}\n{}{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn what_a_person_left_is_not_written_over_and_only_what_is_missed_by_none_is_proposed() {
    let world = World::example("billing");
    let own = world.read("policies/invariants/all.cedar");
    let (before, after) = own.split_once("@id(\"a-batch-once\")").unwrap();
    let (_, after) = after.split_once("@id(\"nothing-after-the-end\")").unwrap();
    world.write("policies/invariants/all.cedar", format!("{before}@id(\"nothing-after-the-end\"){after}"));
    let ran = world.cutter("review coverage --write --format json");
    assert_eq!(covered(&ran), (4, vec!["C01 post-each-batch-once".to_owned()]), "{}{}", ran.stdout, ran.stderr);
    let text = world.read(PROPOSED);
    assert_eq!(text.matches("@id(").count(), 1, "{text}");
    assert!(text.contains("@id(\"post-each-batch-once-holds\")"), "{text}");
    let ran = world.cutter("review coverage --write");
    assert_ne!(ran.exit, 0);
    assert!(ran.stderr.contains("proposed.cedar") && ran.stderr.contains("move what you keep"), "{}", ran.stderr);
    assert_eq!(world.read(PROPOSED), text);
    // What is proposed notices what it was proposed for.
    assert_eq!(world.cutter("review").exit, 0);
    world.replace("policies/bans.cedar", "resource.batches.contains(context.batch)", "resource.closed");
    let (exit, findings) = covered(&world.cutter("review prove --format json"));
    assert!(exit == 4 && findings.contains(&"P02 post-each-batch-once-holds".to_owned()), "{findings:?}");
}

#[test]
fn a_bundle_that_bars_turning_off_breaks_what_the_prelude_promises() {
    let world = World::example("billing");
    world.replace("policies/invariants/all.cedar", "@id(\"off-is-always-allowed\")\n@title(\"Posting can always be turned off\")\n@of(\"shipped\")\npermit (\n  principal,\n  action == Billing::Action::\"turn_posting\",\n  resource\n)\nwhen { !context.to };\n", "");
    let ban = "\n@id(\"not-at-night\")\n@title(\"Turn posting off at night\")\n@tier(\"absolute\")\n@severity(\"low\")\n@evidence(\"none\")\n@advice(\"wait\")\nforbid (principal, action == Billing::Action::\"turn_posting\", resource)\nwhen { !context.to && context.run.facts.posting_on };\n";
    world.append("policies/bans.cedar", ban);
    let ran = world.cutter("review prove --format json");
    let (exit, findings) = covered(&ran);
    let promised = "P03 cutter-off-is-never-barred".to_owned();
    assert!(exit == 4 && findings.contains(&promised), "{findings:?} {}", ran.stderr);
    world.append("policies/invariants/all.cedar", "\n@id(\"cutter-mine\")\n@of(\"bans\")\nforbid (principal, action == Billing::Action::\"delete_entry\", resource);\n");
    let ran = world.cutter("review prove");
    assert_eq!(ran.exit, 3, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("an id of the prelude's"), "{}{}", ran.stdout, ran.stderr);
}
