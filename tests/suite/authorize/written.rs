//! Files that commands write: regular ones only, with the mode they had, whole or not at all, and refused before the work.

use crate::support::world::{CUTTER, NOBODY, PLAN, World};
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::Command;

/// Authorizes the shipped plan into this file; gives exit code and what was said.
fn authorize_into(world: &World, output: &str) -> (i32, String) {
    let ran = world.cutter(&format!("authorize {PLAN} --output {output}"));
    assert_eq!(ran.stdout, "", "{output}");
    (ran.exit, ran.stderr)
}

fn run(program: &str, arguments: &[&str]) {
    assert!(Command::new(program).args(arguments).status().unwrap().success(), "{program} {arguments:?}");
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn standard_streams_are_written_as_streams() {
    let world = World::shipped();
    let plain = world.cutter("schema plan").stdout;
    for name in ["-", "/dev/stdout"] {
        assert_eq!(world.cutter(&format!("schema plan --output {name}")).stdout, plain, "{name}");
    }
    let ran = world.cutter("schema plan --output /dev/stderr");
    assert_eq!((ran.stdout.as_str(), ran.stderr), ("", plain));
    assert!(!world.path("-").exists());
}

#[test]
fn a_link_of_ones_own_is_followed_and_stays_a_link() {
    let world = World::shipped();
    fs::create_dir(world.path("results")).unwrap();
    symlink("results/today.txt", world.path("latest.txt")).unwrap();
    symlink("results", world.path("there")).unwrap();
    for (name, end) in [("latest.txt", "results/today.txt"), ("there/more.txt", "results/more.txt")] {
        let (exit, said) = authorize_into(&world, name);
        assert_eq!(exit, 5, "{said}");
        assert!(world.read(end).contains("READY_FOR_SOVEREIGN_APPROVAL"), "{name}");
    }
    assert!(fs::symlink_metadata(world.path("latest.txt")).unwrap().is_symlink());
}

#[test]
fn missing_folders_are_made_for_every_kind_of_output() {
    let world = World::shipped();
    assert_eq!(authorize_into(&world, "a/b/c.txt").0, 5);
    assert_eq!(world.cutter(&format!("authorize {PLAN} --attest d/e/f.json")).exit, 5);
    world.cutter("ledger init");
    assert_eq!(world.cutter(&format!("approval request {PLAN} --output g/h")).exit, 0);
    world.cutter(&format!("evidence targets {PLAN} --package i/j"));
    for name in ["a/b/c.txt", "d/e/f.json", "g/h/FLIP.json", "i/j/intake.json", "i/j/intake.md"] {
        assert!(world.path(name).is_file(), "{name}");
    }
}

#[test]
fn a_name_below_a_file_or_without_a_name_is_refused() {
    let world = World::shipped();
    for name in ["cutter.toml/x", "new/", "..", "policies/.."] {
        assert_eq!(authorize_into(&world, name).0, 1, "{name}");
    }
    assert!(!world.path("new").exists());
}

/// A mounted folder; unmounted however the test ends.
struct Unmount<'a>(&'a Path);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn of_several_documents_none_is_written_where_one_has_its_name_taken() {
    let world = World::shipped();
    world.cutter("ledger init");
    world.write("approvals/SG_1.json", "precious");
    let ran = world.cutter(&format!("approval request {PLAN}"));
    assert_eq!(ran.exit, 1, "{}", ran.stderr);
    assert_eq!(names(&world.path("approvals")), ["SG_1.json"]);
}

#[test]
fn a_signature_is_never_written_over_and_a_key_that_cannot_sign_leaves_none() {
    let world = World::shipped();
    world.make_key("key", "ed25519");
    let sign = |key: &str| world.cutter(&format!("plan sign {PLAN} --key keys/{key}"));
    assert_eq!(sign("no-such-key").exit, 1);
    assert_eq!(names(&world.path("plans")).iter().filter(|name| name.ends_with(".sig")).count(), 0);
    assert_eq!(sign("key").exit, 0);
    let signature = world.read(&format!("{PLAN}.sig"));
    let ran = sign("key");
    assert!(ran.exit == 1 && ran.stderr.contains("exists already"), "{}", ran.stderr);
    assert_eq!(world.read(&format!("{PLAN}.sig")), signature);
}

#[test]
fn a_fifo_that_nobody_writes_to_is_refused_and_not_waited_for() {
    let world = World::shipped();
    for name in ["fifo", "approvals/FLIP.json"] {
        fs::create_dir_all(world.path(name).parent().unwrap()).unwrap();
        run("mkfifo", &[world.path(name).to_str().unwrap()]);
    }
    let within_seconds = |arguments: &[&str]| {
        let mut command = Command::new("timeout");
        command.args(["20", env!("CARGO_BIN_EXE_cutter")]).args(arguments).current_dir(world.path(""));
        command.output().unwrap()
    };
    for arguments in [["authorize", "fifo", "--config", "cutter.toml"], ["authorize", PLAN, "--config", "fifo"]] {
        let ran = within_seconds(&arguments);
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.code() == Some(1) && said.contains("`fifo` is not a regular file"), "{said}");
    }
    let ran = within_seconds(&["authorize", PLAN, "--approvals", "approvals"]);
    assert_ne!(ran.status.code(), Some(124), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn a_plan_comes_from_standard_input_with_the_same_result_and_the_same_bound() {
    let world = World::shipped();
    let plan = world.read(PLAN);
    let named = world.cutter(&format!("authorize {PLAN} --now 2026-05-21T08:15:00Z --format json"));
    let read = world.cutter_fed("authorize - --now 2026-05-21T08:15:00Z --format json", plan.as_bytes());
    assert_eq!((read.exit, read.stdout), (named.exit, named.stdout));
    assert_eq!(world.cutter_fed("explain - flip-on", plan.as_bytes()).exit, 0);
    let large = world.cutter_fed("authorize -", &vec![b' '; 33 * 1024 * 1024]);
    assert!(large.exit == 3 && large.stderr.contains("`standard input` is larger than 32 MiB"), "{}", large.stderr);
    let signed = world.cutter_fed("plan sign - --key key", plan.as_bytes());
    assert!(signed.exit == 1 && signed.stderr.contains("a signature needs a file"), "{}", signed.stderr);
}

/// Devices, mounts, and files of somebody else.
mod as_root {
    use super::*;

    #[test]
    fn a_device_a_fifo_a_socket_and_a_folder_are_refused_before_the_work_and_stay_what_they_are() {
        let world = World::shipped();
        let path = |name: &str| world.path(name);
        fs::create_dir(path("folder")).unwrap();
        run("mknod", &[path("null").to_str().unwrap(), "c", "1", "3"]);
        run("mknod", &[path("full").to_str().unwrap(), "c", "1", "7"]);
        run("mkfifo", &[path("fifo").to_str().unwrap()]);
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        // A plan that is not there would be said if it was looked for first.
        world.remove(PLAN);
        for (name, why) in [
            ("null", "is a device"),
            ("full", "is a device"),
            ("fifo", "is a FIFO"),
            ("socket", "is a socket"),
            ("folder", "is a folder"),
        ] {
            for arguments in [
                format!("authorize {PLAN} --output {name}"),
                format!("authorize {PLAN} --attest {name}"),
                format!("schema plan --output {name}"),
            ] {
                let ran = world.cutter(&arguments);
                assert_eq!(ran.exit, 1, "{arguments}: {}", ran.stderr);
                assert!(
                    ran.stderr.contains(&format!("`{name}` is not written: it {why}")),
                    "{arguments}: {}",
                    ran.stderr
                );
            }
        }
        assert!(fs::metadata(path("null")).unwrap().file_type().is_char_device());
        assert!(fs::metadata(path("fifo")).unwrap().file_type().is_fifo());
    }

    #[test]
    fn the_mode_and_the_owner_of_a_file_stay_and_a_new_one_gets_what_the_mask_leaves() {
        let world = World::shipped();
        world.write("old.txt", "old");
        fs::set_permissions(world.path("old.txt"), fs::Permissions::from_mode(0o640)).unwrap();
        chown(world.path("old.txt"), Some(NOBODY), Some(NOBODY)).unwrap();
        assert_eq!(authorize_into(&world, "old.txt").0, 5);
        let metadata = fs::metadata(world.path("old.txt")).unwrap();
        assert_eq!((metadata.mode() & 0o7777, metadata.uid(), metadata.gid()), (0o640, NOBODY, NOBODY));
        assert!(world.read("old.txt").contains("READY_FOR_SOVEREIGN_APPROVAL"));
        let shell = format!("umask 027; exec '{}' schema plan --output new.txt", CUTTER);
        assert!(Command::new("sh").args(["-c", &shell]).current_dir(world.path("")).status().unwrap().success());
        assert_eq!(mode(&world.path("new.txt")), 0o640);
    }

    #[test]
    fn a_link_that_others_could_have_placed_is_refused_and_what_it_names_stays() {
        let world = World::shipped();
        world.write("precious", "precious");
        for (folder, mode) in [("open", 0o777), ("sticky", 0o1777), ("group", 0o775)] {
            fs::create_dir(world.path(folder)).unwrap();
            fs::set_permissions(world.path(folder), fs::Permissions::from_mode(mode)).unwrap();
            symlink(world.path("precious"), world.path(&format!("{folder}/planted"))).unwrap();
            symlink(world.path("nowhere"), world.path(&format!("{folder}/dangling"))).unwrap();
            symlink(world.path(""), world.path(&format!("{folder}/way"))).unwrap();
        }
        fs::create_dir(world.path("foreign")).unwrap();
        symlink(world.path("precious"), world.path("foreign/planted")).unwrap();
        symlink(world.path("precious"), world.path("foreign-link")).unwrap();
        chown(world.path("foreign"), Some(NOBODY), None).unwrap();
        std::os::unix::fs::lchown(world.path("foreign-link"), Some(NOBODY), None).unwrap();
        let planted = ["open", "sticky", "group"]
            .map(|folder| ["planted", "dangling", "way/precious"].map(|name| format!("{folder}/{name}")));
        for name in planted.concat().iter().map(String::as_str).chain(["foreign/planted", "foreign-link"]) {
            let (exit, said) = authorize_into(&world, name);
            assert_eq!(exit, 1, "{name}: {said}");
            assert!(said.contains("is a symbolic link that others could have placed"), "{name}: {said}");
        }
        assert_eq!(world.read("precious"), "precious");
        assert!(!world.path("nowhere").exists());
    }

    #[test]
    fn a_file_of_somebody_else_where_everybody_can_write_is_refused() {
        let world = World::shipped();
        world.write("sticky/planted", "");
        fs::set_permissions(world.path("sticky"), fs::Permissions::from_mode(0o1777)).unwrap();
        chown(world.path("sticky/planted"), Some(NOBODY), None).unwrap();
        let (exit, said) = authorize_into(&world, "sticky/planted");
        assert_eq!(exit, 1);
        assert!(said.contains("belongs to another user"), "{said}");
    }

    #[test]
    fn a_folder_where_the_user_may_not_write_is_said_before_the_work_and_keeps_its_file() {
        let world = World::shipped();
        world.write("kept/old.txt", "old");
        world.write("mine/read-only.txt", "old");
        fs::set_permissions(world.path("mine"), fs::Permissions::from_mode(0o777)).unwrap();
        fs::set_permissions(world.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["kept/old.txt", "kept/new.txt", "kept/deep/er.txt", "mine/read-only.txt"] {
            let ran = world.cutter_as_nobody(&format!("authorize not-there.json --output {name}"));
            assert_eq!(ran.exit, 1, "{name}");
            assert!(
                ran.stderr.contains(&format!("`{name}` cannot be written: permission denied")),
                "{name}: {}",
                ran.stderr
            );
        }
        assert_eq!((world.read("kept/old.txt"), world.read("mine/read-only.txt")), ("old".into(), "old".into()));
        assert_eq!(names(&world.path("kept")), ["old.txt"]);
    }

    #[test]
    fn a_full_disk_leaves_the_old_content_and_nothing_else() {
        let world = World::shipped();
        fs::create_dir(world.path("small")).unwrap();
        let small = world.path("small");
        run("mount", &["-t", "tmpfs", "-o", "size=8k", "none", small.to_str().unwrap()]);
        let unmount = Unmount(&small);
        world.write("small/old.txt", "old");
        let results = ["old.txt", "new.txt", "deep/er.txt"]
            .map(|name| authorize_into(&world, &format!("small/{name} --format json")));
        let (old, left) = (world.read("small/old.txt"), names(&small));
        drop(unmount);
        for (exit, said) in results {
            assert_eq!(exit, 1);
            assert!(said.contains("cannot be written: no space left on device"), "{said}");
        }
        assert_eq!((old.as_str(), left), ("old", vec!["old.txt".to_owned()]));
    }
}
