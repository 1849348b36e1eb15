//! What other programs ask: the same answers as the command line gives, and the example that the README shows.

use crate::support::scrubbed::scrubbed;
use crate::support::world::{CUTTER, PLAN, World, root};
use cutter::Bundle;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// 2026-05-21T08:15:00Z.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_779_351_300)
}

fn bundle(world: &World) -> Bundle {
    Bundle::read(&world.path("policies"), Some(&world.path("cutter.toml"))).unwrap()
}

#[test]
fn a_plan_is_decided_as_authorize_decides_it() {
    let world = World::shipped();
    for plan in [PLAN, "plans/generic-dryrun.json", "plans/forbidden-sampler.json"] {
        let decided = bundle(&world).decide(&world.path(plan), &world.path("entities"), now()).unwrap();
        let ran = world.cutter(&format!("authorize {plan} --format json --now 2026-05-21T08:15:00Z"));
        let own: serde_json::Value = decided.json().unwrap().parse().unwrap();
        let printed = ran.json();
        for part in ["verdict", "time", "bundle", "plan", "policies", "decisions", "open_gaps", "deferred_gaps"] {
            assert_eq!(own[part], printed[part], "{plan}: {part}");
        }
        assert_eq!(decided.verdict(), printed["verdict"], "{plan}");
        assert_eq!(decided.is_authorized(), ran.exit == 0, "{plan}");
        let rows = decided.rows();
        let allowed: Vec<bool> = rows.iter().map(|row| row.allowed).collect();
        let expected = printed["decisions"].as_array().unwrap().iter().map(|row| row["decision"] == "allow");
        assert_eq!(allowed, expected.collect::<Vec<_>>(), "{plan}");
    }
}

#[test]
fn a_row_is_explained_by_its_policy_and_what_would_change_it() {
    let world = World::shipped();
    let decided = bundle(&world).decide(&world.path(PLAN), &world.path("entities"), now()).unwrap();
    let row = decided.rows().into_iter().find(|row| row.id == "flip-on").unwrap();
    assert_eq!((row.allowed, row.gates, row.gaps), (false, vec!["FLIP".to_owned()], vec!["F4".to_owned()]));
    let explained = decided.explain("flip-on").unwrap();
    let names: Vec<&String> = explained.because.iter().map(|because| &because.policy).collect();
    assert!(
        !explained.changes.is_empty() && row.policies.iter().all(|policy| names.contains(&policy)),
        "{explained:?}"
    );
    assert!(explained.because.iter().all(|because| because.file.ends_with(".cedar") && because.line > 0));
    assert_eq!(decided.explain("nothing").unwrap_err().faults()[0].code, "plan-unknown-row");
}

#[test]
fn all_that_is_wrong_comes_in_one_error_with_codes_and_places() {
    let world = World::shipped();
    world.append("policies/permits.cedar", "\npermit (principal, action, resource) when { context.nothing };\n");
    world.append("policies/forbidden.cedar", "\nforbid (principal, action, resource\n");
    let error = Bundle::read(&world.path("policies"), None).unwrap_err();
    let faults = error.faults();
    assert!(faults.iter().all(|fault| fault.code == "bundle-invalid" && fault.place.is_some()), "{error}");
    assert_eq!(error.to_string().lines().count(), faults.len());
    let missing = Bundle::read(Path::new("nowhere"), None).unwrap_err();
    assert_eq!(missing.faults()[0].code, "folder-unreadable");
}

#[test]
fn the_example_of_the_readme_is_the_one_that_runs() {
    let example = std::fs::read_to_string(root().join("examples/decide.rs")).unwrap();
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (_, shown) = readme.split_once("```rust\n").unwrap();
    let shown = shown.split("```").next().unwrap();
    assert!(example.ends_with(shown), "README shows another program than examples/decide.rs");
    let program = Path::new(CUTTER).with_file_name("examples").join("decide");
    let output = scrubbed(&program).current_dir(root()).output();
    let output =
        output.unwrap_or_else(|error| panic!("`cargo build --examples` builds {}: {error}", program.display()));
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && printed.starts_with("READY_FOR_SOVEREIGN_APPROVAL by "), "{printed}");
    assert!(printed.contains("DENY flip-on: ") && printed.contains("to change flip-on: "), "{printed}");
}

mod as_root {
    use super::bundle;
    use crate::attest::scene::Scene;
    use std::time::SystemTime;

    #[test]
    fn an_attestation_is_verified_and_one_changed_letter_is_found() {
        let scene = Scene::new();
        for name in ["a.json", "b.json"] {
            scene.capture(name);
        }
        assert_eq!(scene.attest("--attest report.json --key keys/attester").exit, 5);
        let verify = |file: &str| {
            let bundle = bundle(&scene);
            cutter::verify(&scene.path(file), &scene.trust_path(), Some(&bundle), SystemTime::now()).unwrap()
        };
        let verified = verify("report.json");
        assert!(verified.is_believed(), "{verified:?}");
        assert_eq!((verified.verdict, verified.signers), ("READY_FOR_SOVEREIGN_APPROVAL", vec!["attester".to_owned()]));
        scene.write("other.json", scene.read("report.json").replacen("NOT_DONE", "HELD", 1));
        std::fs::copy(scene.path("report.json.sig"), scene.path("other.json.sig")).unwrap();
        let forged = verify("other.json");
        assert!(
            !forged.is_believed() && forged.faults.iter().any(|fault| fault.starts_with("signatures:")),
            "{forged:?}"
        );
    }
}
