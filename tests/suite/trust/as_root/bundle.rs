//! Attacks on the policy bundle: every way to have other policies judge a run than those that were signed.

use crate::support::world::{PLAN, mode, root};
use crate::trust::scene::Scene;

/// The commands of docs/trust.md that print what is signed.
fn pipeline() -> String {
    let page = std::fs::read_to_string(root().join("docs/trust.md")).unwrap();
    let lines: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    let last = lines.iter().position(|line| line.ends_with(" > listing")).unwrap();
    assert!(lines[last - 1].starts_with("prelude="), "{lines:?}");
    format!("{}; {}", lines[last - 1], lines[last].strip_suffix(" > listing").unwrap())
}

#[test]
fn a_bundle_signed_under_the_trust_root_is_accepted_and_says_by_whom() {
    let scene = Scene::signed();
    scene.verify_bundle().is_trusted();
    let json = scene.cutter(&format!("bundle verify --format json --trust {}", scene.trust_path().display())).json();
    assert_eq!((&json["signer"], &json["signature"]), (&"sovereign".into(), &"policies.sig".into()));
}

#[test]
fn signing_with_a_key_that_the_trust_root_does_not_let_sign_is_done_and_warned_of() {
    let scene = Scene::unsigned();
    let trust = scene.trust_path();
    std::fs::write(scene.safe("revoked"), scene.key("sovereign")).unwrap();
    let revoked = scene.safe("revoked");
    for (more, key, said) in [
        (String::new(), "sovereign", ""),
        (String::new(), "planner", "does not let `planner` sign for `cutter-bundle`"),
        (String::new(), "mallory", "has the key SHA256:"),
        (format!("--revoked {}", revoked.display()), "sovereign", "was revoked"),
    ] {
        let _ = std::fs::remove_file(scene.path("policies.sig"));
        let ran = scene.cutter(&format!("bundle sign --key keys/{key} --trust {} {more}", trust.display()));
        let is_as_said = match said {
            "" => ran.stderr.is_empty(),
            said => ran.stderr.starts_with("warning: the signature will not count: ") && ran.stderr.contains(said),
        };
        assert!(ran.exit == 0 && is_as_said, "{key} {more}: {}", ran.stderr);
    }
}

/// The author changes one file of the run's own tree and signs everything with an own key.
fn changed_and_signed_by_its_author(file: &str, text: &str) {
    edited_and_signed_by_its_author(file, |before| before + text);
}

fn edited_and_signed_by_its_author(file: &str, edit: impl Fn(String) -> String) {
    let scene = Scene::signed();
    let edited = edit(scene.read(file));
    assert_ne!(edited, scene.read(file));
    scene.write(file, edited);
    scene.verify_bundle().is_untrusted("is not over these bytes");
    scene.sign_bundle("mallory");
    scene.verify_bundle().is_untrusted("`policies.sig` of the bundle is not accepted: the key");
    scene.verify_plan("flip-on").is_untrusted("`policies.sig` of the bundle is not accepted: the key");
}

#[test]
fn policies_changed_and_signed_by_the_author_are_untrusted() {
    changed_and_signed_by_its_author(
        "policies/permits.cedar",
        "\n@id(\"all\")\npermit (principal, action == Iu::Action::\"flip_flag\", resource);\n",
    );
}

#[test]
fn signer_groups_changed_and_signed_by_the_author_are_untrusted() {
    let file = "policies/people-and-agents.json";
    let joins = |text: String| text.replacen("\"id\": \"council\"", "\"id\": \"sovereign\"", 2);
    edited_and_signed_by_its_author(file, joins);
}

#[test]
fn allowed_signers_changed_and_signed_by_the_author_are_untrusted() {
    changed_and_signed_by_its_author("policies/allowed_signers", "# mallory may approve\n");
}

#[test]
fn configuration_changed_and_signed_by_the_author_is_untrusted() {
    changed_and_signed_by_its_author("cutter.toml", "\n[gates.FLIP]\nmark = \"AS I LIKE\"\n");
}

#[test]
fn an_unsigned_bundle_is_untrusted() {
    Scene::unsigned().verify_bundle().is_untrusted("the bundle is not signed");
}

#[test]
fn the_signature_of_another_bundle_is_untrusted() {
    let scene = Scene::unsigned();
    let text = scene.read("cutter.toml");
    scene.append("cutter.toml", "# another\n");
    scene.sign_bundle("sovereign");
    scene.write("cutter.toml", text);
    scene.verify_bundle().is_untrusted("is not over these bytes");
}

#[test]
fn a_signature_made_for_another_purpose_is_untrusted() {
    let scene = Scene::unsigned();
    scene.trust(&scene.usual().replace("cutter-bundle", "cutter-bundle,cutter-approval"));
    let listing = scene.shell(&pipeline()).stdout;
    scene.sign_bytes("sovereign", "cutter-approval", &listing, "policies.sig");
    scene.verify_bundle().is_untrusted("is for `cutter-approval`, not for `cutter-bundle`");
}

#[test]
fn a_key_that_may_sign_plans_may_not_sign_bundles() {
    let scene = Scene::unsigned();
    scene.sign_bundle("planner");
    scene.verify_bundle().is_untrusted("of `planner` may not sign for `cutter-bundle`");
}

#[test]
fn a_signature_over_the_digest_instead_of_the_listing_is_untrusted() {
    let scene = Scene::unsigned();
    let digest = scene.shell(&format!("{} | sha256sum", pipeline())).stdout;
    scene.sign_bytes("sovereign", "cutter-bundle", &digest, "policies.sig");
    scene.verify_bundle().is_untrusted("is not over these bytes");
}

#[test]
fn a_key_outside_its_time_is_untrusted() {
    let scene = Scene::signed();
    for limit in ["valid-before=\"20200101Z\"", "valid-after=\"29990101Z\""] {
        scene.trust(
            &scene.usual().replace("namespaces=\"cutter-bundle\"", &format!("namespaces=\"cutter-bundle\",{limit}")),
        );
        scene.verify_bundle().is_untrusted("is not valid at");
    }
}

#[test]
fn a_revoked_key_is_untrusted_for_the_bundle_and_the_plan() {
    let scene = Scene::signed();
    let trust = format!("--trust {} --revoked keys/sovereign.pub", scene.trust_path().display());
    scene.cutter(&format!("bundle verify {trust}")).is_untrusted("was revoked");
    scene.cutter(&format!("plan verify {PLAN} {trust}")).is_untrusted("was revoked");
}

#[test]
fn no_command_line_gives_a_revoked_key_its_right_back() {
    let scene = Scene::signed();
    std::fs::write(scene.safe("revoked_keys"), scene.public_key("sovereign")).unwrap();
    scene.verify_bundle().is_untrusted("was revoked");
    let trust = format!("--trust {} --revoked keys/mallory.pub", scene.trust_path().display());
    scene.cutter(&format!("bundle verify {trust}")).is_untrusted("was revoked");
    scene.cutter(&format!("plan verify {PLAN} {trust}")).is_untrusted("was revoked");
    // A list that others can change is no list.
    std::fs::write(scene.safe("revoked_keys"), "").unwrap();
    mode(&scene.safe("revoked_keys"), 0o666);
    scene.verify_bundle().is_untrusted("others than root may write");
}

#[test]
fn a_file_added_after_signing_is_untrusted_wherever_it_lies() {
    for name in ["policies/zz.cedar", "policies/.hidden", "policies/invariants/zz.cedar", "policies/notes.txt"] {
        let scene = Scene::signed();
        std::fs::create_dir_all(scene.path("policies/invariants")).unwrap();
        scene.write(name, "");
        scene.verify_bundle().is_untrusted("is not over these bytes");
    }
}

#[test]
fn a_file_taken_away_or_renamed_after_signing_is_untrusted() {
    let scene = Scene::signed();
    scene.remove("cutter.toml");
    scene.verify_bundle().is_untrusted("is not over these bytes");
    let scene = Scene::signed();
    std::fs::rename(scene.path("policies/gates.cedar"), scene.path("policies/gates.off")).unwrap();
    scene.verify_bundle().is_untrusted("is not over these bytes");
}

#[test]
fn another_configuration_named_on_the_command_line_is_untrusted() {
    let scene = Scene::signed();
    scene.write("other.toml", "[effects]\n");
    let ran = scene.cutter(&format!("bundle verify --config other.toml --trust {}", scene.trust_path().display()));
    ran.is_untrusted("is not over these bytes");
}

#[test]
fn a_file_beside_the_signature_that_is_none_is_untrusted() {
    let scene = Scene::unsigned();
    scene.write("policies.sig", "");
    scene.verify_bundle().is_untrusted("`policies.sig` of the bundle is not accepted");
}

#[test]
fn ssh_keygen_alone_accepts_what_cutter_signs() {
    let scene = Scene::signed();
    let verify = format!(
        "{} | ssh-keygen -Y verify -n cutter-bundle -I sovereign -f {} -s policies.sig",
        pipeline(),
        scene.trust_path().display()
    );
    assert!(scene.shell(&verify).status.success());
    scene.append("policies/gates.cedar", "\n");
    assert!(!scene.shell(&verify).status.success());
}

#[test]
fn cutter_accepts_what_ssh_keygen_alone_signs() {
    let scene = Scene::unsigned();
    let listing = scene.shell(&pipeline()).stdout;
    scene.sign_bytes("sovereign", "cutter-bundle", &listing, "policies.sig");
    scene.verify_bundle().is_trusted();
}

#[test]
fn a_bundle_that_does_not_load_is_not_signed_and_a_signature_is_never_overwritten() {
    let scene = Scene::signed();
    let before = scene.read("policies.sig");
    assert_eq!(scene.cutter("bundle sign --key keys/mallory").exit, 1);
    assert_eq!(scene.read("policies.sig"), before);
    scene.remove("policies.sig");
    scene.append("policies/gates.cedar", "permit");
    assert_eq!(scene.cutter("bundle sign --key keys/sovereign").exit, 3);
    assert!(!scene.path("policies.sig").exists());
}
