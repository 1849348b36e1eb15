//! Attacks on the plan and on who runs it: another author, another signer, another principal, another user.

use crate::support::world::PLAN;
use crate::trust::scene::Scene;
use cutter::digest::Digest;
use cutter::plan::RunPlan;
use cutter::policy::PolicyBundle;
use cutter::problem::{Blame, Problems, Source};
use cutter::signature::Revocations;
use cutter::time::Timestamp;
use cutter::trust::{Claims, RunningUser, SignatureFile, TrustRoot, Trusted, judge};

/// Judges what lies in the scene as `exec` does, for a user of this id.
fn judged(scene: &Scene, user: u32, row: &str, revoked: &str) -> Result<Trusted, Problems> {
    let sources = cutter::project::read_bundle(&scene.path("policies"), Some(&scene.path("cutter.toml"))).unwrap();
    let bundle = PolicyBundle::parse(&sources).unwrap();
    let config = cutter::settings::Config::parse(&cutter::files::read(&scene.path("cutter.toml")).unwrap()).unwrap();
    let plan =
        RunPlan::parse(&cutter::files::read(&scene.path(PLAN)).unwrap(), bundle.schema(), Some(&config), &|_| None)
            .unwrap();
    let claims = Claims {
        bundle: &bundle,
        bundle_signature: &SignatureFile::beside(&scene.path("policies")).unwrap(),
        plan: &plan,
        plan_signature: &SignatureFile::beside(&scene.path(PLAN)).unwrap(),
        user: &RunningUser::named(user, b"root:x:0:0:::\nverifier:x:7:7:::\nstranger:x:9:9:::\n").unwrap(),
        acting: &[&plan.named(row).unwrap().principal],
    };
    let revocations = Revocations::parse(&Source::new("revoked", revoked)).unwrap();
    let now = Timestamp::from_system(std::time::SystemTime::now()).unwrap();
    judge(&TrustRoot::read(&scene.trust_path())?, &claims, &revocations, now)
}

fn reasons(result: Result<Trusted, Problems>) -> Vec<String> {
    let problems = result.unwrap_err();
    assert_eq!(problems.fault(), Blame::Untrusted);
    assert!(problems.iter().all(|problem| problem.help.is_some()));
    problems.iter().map(|problem| problem.message.clone()).collect()
}

#[test]
fn what_is_signed_by_whom_it_should_be_is_trusted_for_the_users_own_principal() {
    let scene = Scene::signed();
    scene.verify_plan("flip-on").is_trusted();
    let ran = scene.cutter_as_nobody(&format!("plan verify {PLAN} flip-on --trust {}", scene.trust_path().display()));
    ran.is_trusted();
    assert!(ran.stdout.contains("nobody is Cutter::Agent::\"run-agent\""), "{}", ran.stdout);
    assert!(ran.stderr.contains("the ledger is a folder"), "{}", ran.stderr);
}

#[test]
fn proof_of_trust_names_exactly_what_was_judged() {
    let scene = Scene::signed();
    let trusted = judged(&scene, 0, "flip-on", "").unwrap();
    assert_eq!(trusted.plan(), Digest::of(scene.read(PLAN).as_bytes()));
    assert_eq!(trusted.plan_signer().principal, "planner");
    assert_eq!(trusted.bundle_signer().principal, "sovereign");
}

#[test]
fn an_unsigned_plan_is_untrusted() {
    let scene = Scene::unsigned();
    scene.sign_bundle("sovereign");
    scene.verify_plan("flip-on").is_untrusted("the plan is not signed");
}

#[test]
fn a_plan_changed_after_signing_is_untrusted_by_a_single_blank() {
    let scene = Scene::signed();
    scene.append(PLAN, " ");
    scene.verify_plan("flip-on").is_untrusted("is not over these bytes");
}

#[test]
fn a_plan_signed_by_a_stranger_is_untrusted() {
    let scene = Scene::signed();
    scene.sign_plan(PLAN, "mallory");
    scene.verify_plan("flip-on").is_untrusted("of the plan is not accepted: the key");
}

#[test]
fn a_plan_signed_by_somebody_else_who_may_sign_plans_is_untrusted() {
    let scene = Scene::signed();
    let line = format!("mallory namespaces=\"cutter-plan\" {}\n", scene.key("mallory"));
    scene.trust(&(scene.usual() + &line + "# cutter-signer: mallory = Cutter::Agent::\"sandbox-agent\"\n"));
    scene.sign_plan(PLAN, "mallory");
    let because = "the plan is by `Cutter::Agent::\"planner\"` but signed by `mallory`, who is `Cutter::Agent::\"sandbox-agent\"`";
    scene.verify_plan("flip-on").is_untrusted(because);
}

#[test]
fn a_person_is_not_the_agent_of_the_same_name() {
    let scene = Scene::signed();
    scene.trust(&scene.usual().replace("planner = Cutter::Agent", "planner = Cutter::Person"));
    scene.verify_plan("flip-on").is_untrusted("signed by `planner`, who is `Cutter::Person::\"planner\"`");
}

#[test]
fn a_plan_signed_for_another_purpose_is_untrusted() {
    let scene = Scene::signed();
    scene.trust(&scene.usual().replace("\"cutter-plan\"", "\"cutter-plan,cutter-evidence\""));
    let bytes = scene.read(PLAN);
    scene.sign_bytes("planner", "cutter-evidence", bytes.as_bytes(), &format!("{PLAN}.sig"));
    scene.verify_plan("flip-on").is_untrusted("is for `cutter-evidence`, not for `cutter-plan`");
}

#[test]
fn the_signature_of_the_bundle_does_not_sign_the_plan() {
    let scene = Scene::signed();
    std::fs::copy(scene.path("policies.sig"), scene.path(&format!("{PLAN}.sig"))).unwrap();
    scene.verify_plan("flip-on").is_untrusted("is not over these bytes");
}

#[test]
fn a_bundle_signed_by_the_plans_own_author_is_untrusted_though_the_key_may_sign_both() {
    let scene = Scene::signed();
    scene.trust(&scene.usual().replace("\"cutter-plan\"", "\"cutter-plan,cutter-bundle\""));
    scene.sign_bundle("planner");
    scene.verify_bundle().is_trusted();
    scene.verify_plan("flip-on").is_untrusted("the bundle is signed by `planner`, who also signed the plan");
}

#[test]
fn a_bundle_signed_by_who_acts_in_the_plan_is_untrusted() {
    for agent in ["run-agent", "verify-agent"] {
        let scene = Scene::signed();
        scene.trust(&format!("{}# cutter-signer: sovereign = Cutter::Agent::\"{agent}\"\n", scene.usual()));
        scene.verify_plan("flip-on").is_untrusted("the bundle is signed by `sovereign`, who also acts in the plan");
    }
}

#[test]
fn a_user_cannot_act_as_another_principal() {
    let scene = Scene::signed();
    let because =
        "the user `root` is `Cutter::Agent::\"run-agent\"` and cannot act as `Cutter::Agent::\"verify-agent\"`";
    scene.verify_plan("write-verify").is_untrusted(because);
    scene.trust(&format!("{}# cutter-user: verifier = Cutter::Agent::\"verify-agent\"\n", scene.usual()));
    assert!(judged(&scene, 7, "write-verify", "").is_ok());
    assert_eq!(reasons(judged(&scene, 0, "write-verify", "")), [because]);
}

#[test]
fn a_user_whom_the_trust_root_does_not_know_is_untrusted_whatever_the_environment_says() {
    let scene = Scene::signed();
    scene.trust(&scene.usual().replace("# cutter-user: nobody", "# a user: nobody"));
    let ran = scene.cutter_as_nobody(&format!("plan verify {PLAN} flip-on --trust {}", scene.trust_path().display()));
    ran.is_untrusted("the user `nobody` is not a principal in");
}

#[test]
fn a_revoked_key_is_untrusted_though_the_trust_root_still_lists_it() {
    let scene = Scene::signed();
    let said = reasons(judged(&scene, 0, "flip-on", &scene.key("sovereign")));
    assert!(said.len() == 1 && said[0].ends_with("was revoked"), "{said:?}");
}

#[test]
fn every_reason_is_given_at_once() {
    let scene = Scene::signed();
    scene.append("cutter.toml", "\n");
    scene.append(PLAN, "\n");
    assert_eq!(reasons(judged(&scene, 9, "flip-on", "")).len(), 3);
}
