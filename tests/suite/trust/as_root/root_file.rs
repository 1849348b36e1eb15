//! Attacks on the trust root itself: a file that somebody else than root can change, or that is not what it seems.

use crate::support::world::{NOBODY, mode};
use crate::trust::scene::Scene;
use std::os::unix::fs::{chown, symlink};
use std::path::Path;

/// What both root and a user without rights say of a trust root at this path.
fn both_say(scene: &Scene, path: &Path, because: &str) {
    let arguments = format!("bundle verify --trust {}", path.display());
    scene.cutter_as_nobody(&arguments).is_untrusted(because);
    scene.cutter(&arguments).is_untrusted(because);
}

#[test]
fn a_trust_root_that_only_root_can_change_serves_every_user() {
    let scene = Scene::signed();
    scene.verify_bundle().is_trusted();
    let ran = scene.cutter_as_nobody(&format!("bundle verify --trust {}", scene.trust_path().display()));
    ran.is_trusted();
}

#[test]
fn a_trust_root_that_belongs_to_the_running_user_is_untrusted_whatever_its_mode() {
    let scene = Scene::signed();
    chown(scene.trust_path(), Some(NOBODY), None).unwrap();
    for bits in [0o644, 0o444] {
        mode(&scene.trust_path(), bits);
        both_say(&scene, &scene.trust_path(), "belongs to user 65534");
    }
}

#[test]
fn a_trust_root_that_group_or_others_may_write_is_untrusted() {
    let scene = Scene::signed();
    for bits in [0o664, 0o646, 0o666] {
        mode(&scene.trust_path(), bits);
        both_say(&scene, &scene.trust_path(), "others than root may write to");
    }
}

#[test]
fn a_trust_root_in_a_folder_that_others_can_change_is_untrusted() {
    let scene = Scene::signed();
    std::fs::create_dir_all(scene.safe("a/b")).unwrap();
    let path = scene.safe("a/b/trusted_signers");
    std::fs::copy(scene.trust_path(), &path).unwrap();
    for bits in [0o775, 0o757, 0o1777] {
        mode(&scene.safe("a"), bits);
        both_say(&scene, &path, "others than root may write to");
    }
    mode(&scene.safe("a"), 0o755);
    chown(scene.safe("a"), Some(NOBODY), None).unwrap();
    both_say(&scene, &path, "belongs to user 65534");
}

#[test]
fn a_trust_root_that_is_or_lies_behind_a_symbolic_link_is_untrusted() {
    let scene = Scene::signed();
    symlink(scene.trust_path(), scene.safe("link")).unwrap();
    both_say(&scene, &scene.safe("link"), "is a symbolic link");
    symlink(scene.safe(""), scene.safe("folder")).unwrap();
    both_say(&scene, &scene.safe("folder/trusted_signers"), "is a symbolic link");
}

#[test]
fn a_trust_root_replaced_by_a_link_into_the_own_tree_is_untrusted() {
    let scene = Scene::unsigned();
    scene.sign_bundle("mallory");
    scene.write("mine", format!("sovereign namespaces=\"cutter-bundle\" {}\n", scene.key("mallory")));
    std::fs::remove_file(scene.trust_path()).unwrap();
    symlink(scene.path("mine"), scene.trust_path()).unwrap();
    both_say(&scene, &scene.trust_path(), "is a symbolic link");
    both_say(&scene, &scene.path("mine"), "others than root may write to");
}

#[test]
fn a_trust_root_that_is_missing_or_no_file_or_named_through_its_parent_is_untrusted() {
    let scene = Scene::signed();
    both_say(&scene, &scene.safe("missing"), "does not exist");
    both_say(&scene, &scene.safe(""), "is not a regular file");
    both_say(&scene, &scene.safe("x/../trusted_signers"), "is named through `..`");
    both_say(&scene, Path::new("/proc/self/cmdline"), "is a symbolic link");
}

#[test]
fn a_trust_root_with_a_line_that_is_not_understood_is_untrusted() {
    let scene = Scene::signed();
    for (line, because) in [
        ("# cutter-user: root=Cutter::Agent::\"run-agent\"", "the `cutter-user` line has no ` = `"),
        ("# cutter-user: root = Cutter::Agent::\"planner\"", "the user `root` is bound twice"),
        ("* namespaces=\"cutter-bundle\" ssh-ed25519 AAAA", "is not the name of one signer"),
    ] {
        scene.trust(&format!("{}{line}\n", scene.usual()));
        both_say(&scene, &scene.trust_path(), because);
    }
}
