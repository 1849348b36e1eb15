//! What stands beside the database on its host: services, cron tables, work trees; what the host has not is unknown.

use crate::postgres::scene::{Scene, remarkable, row, status};
use crate::support::scrubbed::scrubbed;
use std::fs;
use std::process::{Command, Stdio};

/// A scene that observes nothing but this of the host, and of the database who it is.
fn scene(host: &str) -> Scene {
    let scene = Scene::new();
    let evidence = format!("[evidence]\nlevel = \"quiet\"\ndatabase = [\"identity\"]\n{host}");
    scene.write("cutter.toml", scene.config("cutter_observe", &evidence));
    scene
}

/// Captures before and after this, and gives the exit code of the comparison and the status of a row.
fn between(scene: &Scene, id: &str, work: impl FnOnce(&Scene)) -> (i32, String) {
    assert_eq!(scene.capture("a.json"), 0, "{:#?}", scene.unknown("a.json"));
    work(scene);
    scene.capture("b.json");
    let (exit, comparison) = scene.compare();
    (exit, status(&comparison, id).to_owned())
}

fn inspected(started: &str) -> String {
    format!(
        "[{{\"Id\": \"c0ffee\", \"Image\": \"sha256:1\", \"RestartCount\": 0, \"State\": {{\"Status\": \"running\", \"StartedAt\": \"{started}\"}}}}]"
    )
}

#[test]
fn a_container_that_was_started_again_is_seen() {
    let scene = scene("[evidence.services.directus]\ninspect = \"FOLDER/inspect.json\"");
    scene.write("inspect.json", inspected("2026-05-01T00:00:00Z"));
    let found =
        between(&scene, "service:directus", |scene| scene.write("inspect.json", inspected("2026-05-21T08:00:00Z")));
    assert_eq!(found, (6, "CHANGED".to_owned()));
}

#[test]
fn a_process_that_was_replaced_by_another_is_seen_and_one_that_ended_is_unknown() {
    let sleeper = || Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
    for is_replaced in [true, false] {
        let scene = scene("[evidence.services.worker]\npid_file = \"FOLDER/pid\"");
        let mut first = sleeper();
        scene.write("pid", first.id().to_string());
        let mut second = None;
        let found = between(&scene, "service:worker", |scene| {
            first.kill().unwrap();
            first.wait().unwrap();
            if is_replaced {
                let other = second.insert(sleeper());
                scene.write("pid", other.id().to_string());
            }
        });
        if let Some(mut other) = second {
            other.kill().unwrap();
            other.wait().unwrap();
        }
        assert_eq!(found, if is_replaced { (6, "CHANGED".to_owned()) } else { (7, "UNKNOWN".to_owned()) });
    }
}

#[test]
fn a_cron_entry_that_was_added_and_one_that_was_taken_out_again_are_seen() {
    for is_kept in [true, false] {
        let scene = scene("[evidence.host.cron]\npaths = [\"FOLDER/cron.d\", \"/nowhere\"]");
        fs::create_dir(scene.path("cron.d")).unwrap();
        scene.write("cron.d/backup", "0 3 * * * root true\n");
        let found = between(&scene, "host:cron", |scene| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            scene.write("cron.d/new", "* * * * * root true\n");
            if !is_kept {
                fs::remove_file(scene.path("cron.d/new")).unwrap();
            }
        });
        assert_eq!(found, (6, "CHANGED".to_owned()), "kept: {is_kept}");
    }
}

#[test]
fn a_work_tree_that_has_another_head_or_a_change_is_seen() {
    for commands in [
        &["commit -qm two --allow-empty"][..],
        &["update-index --add --cacheinfo 100644,e69de29bb2d1d6434b8b29ae775ad8c2e48c5391,new"],
    ] {
        let scene = scene("[evidence.trees.work]\npath = \"FOLDER/work\"\ngit = true");
        fs::create_dir(scene.path("work")).unwrap();
        let git = |line: &str| {
            let mut command = scrubbed("git");
            command.current_dir(scene.path("work")).args(["-c", "user.name=x", "-c", "user.email=x@example.com"]);
            let output = command.args(line.split(' ')).output().unwrap();
            assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        };
        ["init -q", "commit -qm one --allow-empty", "hash-object -w --stdin"].iter().for_each(|line| git(line));
        let found = between(&scene, "tree:work", |_| commands.iter().for_each(|line| git(line)));
        assert_eq!(found, (6, "CHANGED".to_owned()), "{commands:?}");
    }
}

#[test]
fn a_tree_in_which_somebody_put_a_file_of_any_length_is_unknown_and_holds_nobody_up() {
    let scene = scene("[evidence.trees.work]\npath = \"FOLDER/work\"");
    fs::create_dir(scene.path("work")).unwrap();
    fs::File::create(scene.path("work/long")).unwrap().set_len(12 << 40).unwrap();
    assert_eq!(scene.capture("a.json"), 7);
    assert!(scene.unknown("a.json")[0].contains("file too large"), "{:?}", scene.unknown("a.json"));
}

#[test]
fn what_the_host_has_not_is_unknown_at_both_ends() {
    let host = "
[evidence.services.unit]
unit = \"no-such-unit-of-cutter.service\"
[evidence.services.container]
inspect = \"FOLDER/nowhere.json\"
[evidence.services.process]
pid_file = \"FOLDER/nowhere.pid\"
[evidence.host.cron]
paths = [\"/nowhere\"]
[evidence.trees.tree]
path = \"FOLDER/nowhere\"
[evidence.flags.switch]
file = \"FOLDER/nowhere.py\"
pattern = '(True|False)'
";
    let scene = scene(host);
    assert_eq!((scene.capture("a.json"), scene.capture("b.json")), (7, 7));
    let (exit, comparison) = scene.compare();
    assert_eq!(exit, 7);
    for id in ["service:unit", "service:container", "service:process", "host:cron", "tree:tree", "flag:switch"] {
        assert_eq!(status(&comparison, id), "UNKNOWN", "{:#?}", remarkable(&comparison));
        assert_eq!(row(&comparison, id)["baseline"], "unknown");
    }
}
