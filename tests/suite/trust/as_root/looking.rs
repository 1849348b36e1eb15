//! What `authorize` and `explain` say of the bundle's signature: they only look, and decide the same in any case.

use crate::support::ran::Ran;
use crate::support::scrubbed::scrubbed;
use crate::support::world::{CUTTER, PLAN, mode};
use crate::trust::scene::Scene;
use std::path::Path;

fn authorize(scene: &Scene, more: &str) -> Ran {
    scene
        .cutter(&format!("authorize {PLAN} --now 2026-05-21T08:15:00Z {more} --trust {}", scene.trust_path().display()))
}

#[test]
fn an_unsigned_bundle_is_said_to_be_unsigned() {
    let scene = Scene::unsigned();
    let json = authorize(&scene, "--format json").json();
    assert_eq!((&json["bundle"], json.get("bundle_signer")), (&"unsigned".into(), None));
    assert!(authorize(&scene, "").stdout.contains("  bundle unsigned\n"));
}

#[test]
fn a_signed_bundle_is_said_to_be_signed_by_its_signer() {
    let scene = Scene::signed();
    let json = authorize(&scene, "--format json").json();
    assert_eq!((&json["bundle"], &json["bundle_signer"]), (&"signed".into(), &"sovereign".into()));
    let explained = scene.cutter(&format!("explain {PLAN} flip-on --trust {}", scene.trust_path().display()));
    assert!(explained.stdout.contains("bundle signed by sovereign\n"), "{}", explained.stdout);
    assert!(authorize(&scene, "--format markdown").stdout.contains("(bundle: signed by sovereign)"));
}

#[test]
fn a_signature_that_is_not_accepted_is_loud_in_every_form_and_changes_no_decision() {
    let scene = Scene::signed();
    let signed = authorize(&scene, "--format ndjson");
    scene.sign_bundle("mallory");
    for form in ["table", "markdown", "json"] {
        let ran = authorize(&scene, &format!("--format {form}"));
        assert!(ran.stdout.to_lowercase().contains("untrusted") && ran.stdout.contains("is not in"), "{}", ran.stdout);
        assert!(ran.stderr.contains("warning: the signature `policies.sig` of the bundle is not accepted"));
        assert_eq!(ran.exit, 5);
    }
    let untrusted = authorize(&scene, "--format ndjson");
    assert!(!untrusted.stderr.is_empty());
    assert_eq!((signed.exit, signed.stdout), (untrusted.exit, untrusted.stdout));
}

#[test]
fn an_unsafe_trust_root_is_loud_as_well() {
    let scene = Scene::signed();
    mode(&scene.trust_path(), 0o666);
    let ran = authorize(&scene, "--format json");
    assert_eq!((ran.exit, &ran.json()["bundle"]), (5, &"untrusted".into()));
}

#[test]
fn a_bundle_that_is_named_by_a_dot_has_the_same_signature() {
    let scene = Scene::signed();
    let (program, trust) = (CUTTER, scene.trust_path());
    let verify = format!("bundle verify --policies . --config ../cutter.toml --trust {}", trust.display());
    assert!(scene.shell(&format!("cd policies && {program} {verify}")).status.success());
}

#[test]
fn a_folder_in_place_of_the_signature_is_loud_as_well() {
    let scene = Scene::unsigned();
    std::fs::create_dir(scene.path("policies.sig")).unwrap();
    let ran = authorize(&scene, "--format json");
    assert_eq!((ran.exit, &ran.json()["bundle"]), (5, &"untrusted".into()));
}

#[test]
fn without_a_trust_root_a_signature_is_said_to_be_unverified() {
    let scene = Scene::signed();
    let mut command = scrubbed(CUTTER);
    let json = Ran::of(command.args(["authorize", PLAN, "--format", "json"]).current_dir(scene.folder())).json();
    let here = Path::new(cutter::trust::DEFAULT_PATH).exists();
    assert_eq!(json["bundle"], if here { "untrusted" } else { "unverified" });
}
