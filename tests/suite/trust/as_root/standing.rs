//! The trust root of the machine beside one that the command line names: what runs is judged by the machine's, and a key that it
//! revoked counts nowhere.

use crate::support::ran::Ran;
use crate::support::world::{PLAN, mode};
use crate::trust::scene::Scene;
use std::fs;
use std::process::Command;

/// `plan verify`, which asks what a live run asks, where `/etc` is a folder of the scene.
fn verify(scene: &Scene, flags: &str) -> Ran {
    let inner = scene
        .command(&[&["plan", "verify", PLAN, "flip-on"][..], &flags.split_whitespace().collect::<Vec<_>>()].concat());
    let script = "mount --bind \"$0\" /etc && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script]).arg(scene.safe("etc")).arg(inner.get_program()).args(inner.get_args());
    command.current_dir(scene.folder()).env_clear();
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Ran::of(&mut command).in_one_line()
}

#[test]
fn where_the_machine_has_a_trust_root_nothing_runs_by_another_and_what_it_revoked_counts_nowhere() {
    let scene = Scene::signed();
    let (etc, own) = (scene.safe("etc"), scene.safe("etc/cutter"));
    fs::create_dir_all(&own).unwrap();
    [&etc, &own].into_iter().for_each(|folder| mode(folder, 0o755));
    for name in ["passwd", "group"] {
        fs::copy(format!("/etc/{name}"), etc.join(name)).unwrap();
    }
    let named = format!("--trust {}", scene.trust_path().display());
    // A machine without one is told which.
    verify(&scene, &named).is_trusted();
    fs::write(own.join("revoked_keys"), scene.public_key("sovereign")).unwrap();
    let revoked = verify(&scene, &named);
    assert_eq!(revoked.exit, 8, "{}{}", revoked.stdout, revoked.stderr);
    assert!(revoked.stderr.contains("revoked"), "{}", revoked.stderr);
    fs::remove_file(own.join("revoked_keys")).unwrap();
    fs::copy(scene.trust_path(), own.join("trusted_signers")).unwrap();
    verify(&scene, "").is_trusted();
    let another = verify(&scene, &named);
    assert_eq!(another.exit, 8, "{}{}", another.stdout, another.stderr);
    assert!(another.stderr.contains("is not the trust root of this machine"), "{}", another.stderr);
}
