//! What is judged is what happens: rows and effects that disagree, commands of a plan's own, and every way to another program.

use crate::approvals::office::{AGENT, Office, PLANNER, plan};
use crate::support::ran::Ran;
use crate::support::world::{AUTHOR, COMPENSATION, PLAN, World, mode, root, scripted, shell};
use cutter::settings::Config;
use cutter::settings::effects::Effect;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::PathBuf;

fn shipped() -> Config {
    Config::parse(&cutter::files::read(&root().join("cutter.toml")).unwrap()).unwrap()
}

/// Everything that an effect fixes, written into a row; a resource that it leaves open is one of the type.
fn words(effect: &Effect) -> Value {
    let resource = match effect.resource.as_str() {
        "Iu::Document" => "Iu::Document::\"generic-first-target\"",
        "Cutter::Run" => "Cutter::Run::\"ictr-20260521T081500Z-1a2b3c4d\"",
        entity => entity,
    };
    json!({"action": effect.action, "resource": resource, "context": effect.context})
}

#[test]
fn every_row_that_says_another_thing_than_its_effect_is_refused_with_both_places() {
    let (world, effects) = (World::shipped(), shipped().effects);
    let mut pairs = 0;
    for name in effects.keys() {
        let mut rows = Vec::new();
        for (other, effect) in effects.iter().filter(|(other, _)| *other != name) {
            let mut row = words(effect);
            row["id"] = json!(format!("as-{other}"));
            row["effect"] = json!(name);
            rows.push(row);
        }
        world.edit(PLAN, |plan| plan["actions"] = json!(rows));
        let ran = world.cutter(&format!("authorize {PLAN} --error-format json"));
        assert_eq!(ran.exit, 3, "{name}: {}", ran.stdout);
        for other in effects.keys().filter(|other| *other != name) {
            let said: Value = ran.stderr.parse().unwrap();
            let all = said["errors"].as_array().unwrap();
            let about = |problem: &&Value| problem["message"].as_str().unwrap().contains(&format!("`as-{other}`"));
            let problem = all.iter().find(about).unwrap_or_else(|| panic!("`{other}` passes for `{name}`"));
            let help = problem["help"].as_str().unwrap();
            assert!(help.contains("cutter.toml:") && problem.to_string().contains(PLAN), "{problem}");
            pairs += 1;
        }
    }
    assert!(pairs >= 400, "{pairs} pairs");
}

#[test]
fn a_row_that_repeats_its_effect_is_decided_as_one_that_does_not() {
    let world = World::shipped();
    let decisions =
        |world: &World| world.cutter(&format!("authorize {PLAN} --format json")).json()["decisions"].clone();
    let short = decisions(&world);
    let effects = shipped().effects;
    world.edit(PLAN, |plan| {
        for row in plan["actions"].as_array_mut().unwrap() {
            let said = words(&effects[row["effect"].as_str().unwrap()]);
            said.as_object().unwrap().iter().for_each(|(key, value)| row[key] = value.clone());
        }
    });
    let long = decisions(&world);
    for (short, long) in short.as_array().unwrap().iter().zip(long.as_array().unwrap()) {
        let bare =
            |row: &Value| [row["action"].clone(), row["resource"].clone(), row["basis"].clone(), row["work"].clone()];
        assert_eq!(bare(short), bare(long));
    }
}

/// An office with one effect, `it`, and a row of it; `marker` shows that something ran.
struct Bench {
    office: Office,
}

impl Bench {
    fn new(is: &str, work: &dyn Fn(&Self) -> String) -> Self {
        let bench = Self { office: Office::new() };
        bench.office.world.let_facts_be_stated();
        bench.office.world.declare("it", is, &work(&bench));
        bench.office.world.write("plan.json", plan(PLANNER, AGENT, r#"{"id":"it","effect":"it"}"#));
        bench
    }

    fn marker(&self) -> PathBuf {
        self.office.world.path("marker")
    }

    /// A script that leaves the mark.
    fn marking(&self) -> String {
        format!("#!{}\necho ran >> {}\n", shell(), self.marker().display())
    }

    /// A file in a folder that only root can change.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.office.world.safe(name);
        fs::write(&path, text).unwrap();
        mode(&path, 0o755);
        path.display().to_string()
    }

    fn exec(&self) -> Ran {
        self.office.exec("it")
    }
}

fn sha256(path: &str) -> String {
    cutter::digest::Digest::of(&fs::read(path).unwrap()).to_string()
}

fn pinned(path: &str) -> String {
    format!("argv = [\"{path}\"]\npin = \"sha256\"\nsha256 = \"{}\"", sha256(path))
}

fn roots(path: &str) -> String {
    format!("argv = [\"{path}\"]\npin = \"root-owned\"")
}

/// A way to have another program run, and what is said of it.
type Way = (&'static str, fn(&Bench) -> String, fn(&Bench), i32, &'static str);

const WAYS: &[Way] = &[
    ("a name in PATH", |_| roots("sh"), |_| {}, 3, "not a plain absolute path"),
    ("a path from here", |_| roots("./it"), |_| {}, 3, "not a plain absolute path"),
    ("a path through ..", |_| roots("/usr/bin/../bin/true"), |_| {}, 3, "not a plain absolute path"),
    ("no pin", |_| "argv = [\"/usr/bin/true\"]".to_owned(), |_| {}, 3, "does not pin its program"),
    (
        "a pin without a digest",
        |_| "argv = [\"/usr/bin/true\"]\npin = \"sha256\"".to_owned(),
        |_| {},
        3,
        "no pinned digest",
    ),
    ("a library before others", |_| roots("/usr/bin/true") + "\nenv = [\"LD_PRELOAD\"]", |_| {}, 3, "`LD_PRELOAD`"),
    ("a file for every shell", |_| roots("/usr/bin/true") + "\nenv = [\"BASH_ENV\"]", |_| {}, 3, "`BASH_ENV`"),
    (
        "a link",
        |it| {
            let target = it.file("target", &it.marking());
            let link = it.office.world.safe("link");
            symlink(target, &link).unwrap();
            roots(link.to_str().unwrap())
        },
        |_| {},
        1,
        "symbolic link",
    ),
    (
        "another file under the name",
        |it| pinned(&it.file("it", "#!/usr/bin/false\n")),
        |it| drop(it.file("it", &it.marking())),
        1,
        "was pinned",
    ),
    (
        "a binary replaced by a script",
        |it| {
            let path = it.file("it", "");
            fs::copy("/usr/bin/true", &path).unwrap();
            pinned(&path)
        },
        |it| drop(it.file("it", &it.marking())),
        1,
        "was pinned",
    ),
    (
        "a script that is looked up by env",
        |it| pinned(&it.file("it", &it.marking().replacen("#!", "#!/usr/bin/env ", 1))),
        |_| {},
        1,
        "`env` look for",
    ),
    (
        "an interpreter that is not root's",
        |it| {
            let own = it.office.world.path("interpreter").display().to_string();
            fs::copy(shell(), &own).unwrap();
            pinned(&it.file("it", &it.marking().replace(&shell(), &own)))
        },
        |_| {},
        8,
        "is not safe",
    ),
    (
        "a file of another user",
        |it| roots(&it.file("it", &it.marking())),
        |it| chown(it.office.world.safe("it"), Some(65534), None).unwrap(),
        8,
        "belongs to user 65534",
    ),
    (
        "a file that others may write",
        |it| roots(&it.file("it", &it.marking())),
        |it| mode(&it.office.world.safe("it"), 0o775),
        8,
        "others than root may write",
    ),
    (
        "a folder that others may write",
        |it| roots(&it.file("it", &it.marking())),
        |it| mode(it.office.world.safe("it").parent().unwrap(), 0o777),
        8,
        "others than root may write",
    ),
    ("no program", |it| roots(&it.office.world.safe("none").display().to_string()), |_| {}, 1, "no such file"),
    (
        "a file that may not be run",
        |it| roots(&it.file("it", &it.marking())),
        |it| mode(&it.office.world.safe("it"), 0o644),
        1,
        "not an executable file",
    ),
];

#[test]
fn every_way_to_another_program_is_refused_and_uses_nothing_up() {
    for (says, declare, spoil, exit, words) in WAYS {
        let bench = Bench::new(COMPENSATION, declare);
        let world = &bench.office.world;
        if *exit == 3 {
            let ran = world.cutter("authorize plan.json");
            assert!(ran.exit == 3 && ran.stderr.contains(words), "{says}: {} {}", ran.exit, ran.stderr);
            continue;
        }
        bench.office.trust();
        approve(&bench.office);
        spoil(&bench);
        let ran = bench.exec();
        assert!(ran.exit == *exit && ran.stderr.contains(words), "{says}: {} {}{}", ran.exit, ran.stdout, ran.stderr);
        assert!(!bench.marker().exists(), "{says}: something ran");
        mode(bench.office.world.safe("it").parent().unwrap(), 0o755);
        let listed = world.cutter("approval list plan.json --format json").json();
        assert_eq!(listed["approvals"][0]["status"], "accepted", "{says}: {}", listed["approvals"][0]);
    }
}

fn approve(office: &Office) {
    let ran = office.world.cutter("approval request plan.json");
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    office.edit("SG_3", |document| {
        document["allowance"] = json!("explicit");
        document["reason"] = json!("compensation ruled by the quorum");
    });
    for who in ["president", "council-1", "council-2"] {
        office.vote("SG_3", who, "cutter-approval");
    }
}

#[test]
fn a_pinned_script_and_a_pinned_binary_run_with_nothing_of_the_callers() {
    let bench = Bench::new(AUTHOR, &|it| {
        let seen = it.office.world.path("seen").display().to_string();
        let script = format!(
            "#!{}\n{{ echo \"argument $1\"; echo \"input $(cat)\"; umask; pwd; ls /proc/self/fd | tr '\\n' ' '; echo; env; }} > {seen}\n",
            shell()
        );
        let path = it.file("it", &script);
        format!(
            "argv = [\"{path}\", \"{{resource}}\"]\npin = \"sha256\"\nsha256 = \"{}\"\nenv = [\"WANTED\"]\ncwd = \"/usr\"",
            sha256(&path)
        )
    });
    bench.office.trust();
    let hostile = [
        ("LD_PRELOAD", "/nowhere.so"),
        ("BASH_ENV", "/nowhere"),
        ("ENV", "/nowhere"),
        ("PGOPTIONS", "-c x=y"),
        ("WANTED", "yes"),
    ];
    let trust = bench.office.world.trust_path().display().to_string();
    let command = format!("exec --trust {trust} plan.json it");
    let ran = bench.office.world.cutter_with(&command, &hostile);
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    let seen = bench.office.world.read("seen");
    for wanted in [
        "argument /var/lib/cutter/backup_runner.py\n",
        "input \n",
        "0077\n/usr\n",
        "0 1 2 3",
        "WANTED=yes",
        "HOME=/tmp/cutter-",
    ] {
        assert!(seen.contains(wanted), "no `{wanted}` in:\n{seen}");
    }
    for (name, _) in &hostile[..4] {
        assert!(!seen.contains(name), "{seen}");
    }
    let home = seen.lines().find_map(|line| line.strip_prefix("HOME=")).unwrap();
    assert!(!PathBuf::from(home).exists(), "{home} is left");
}

#[test]
fn the_interpreter_of_a_pinned_script_reads_what_was_pinned_whatever_is_put_anywhere_else() {
    let bench = Bench::new(AUTHOR, &|it| {
        let marker = it.marker().display().to_string();
        let path = it.file("it", "");
        // What it reads when it is read again, and all that its private folder holds.
        let script = format!(
            "#!{}\necho evil > {path}\ncat \"$0\" > {marker}\nls -A \"$HOME\" \"$HOME/..\" >> {marker}\n",
            shell()
        );
        it.file("it", &script);
        pinned(&path)
    });
    let script = fs::read_to_string(bench.office.world.safe("it")).unwrap();
    bench.office.trust();
    let ran = bench.exec();
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    let marked = fs::read_to_string(bench.marker()).unwrap();
    let listed = marked.strip_prefix(&script).unwrap_or_else(|| panic!("{marked}"));
    let names: Vec<&str> = listed.lines().filter(|line| !line.is_empty() && !line.ends_with(':')).collect();
    assert_eq!(names, ["home"], "{marked}");
}

#[test]
fn a_program_that_takes_too_long_is_ended_with_all_that_it_started() {
    let bench = Bench::new(AUTHOR, &|it| {
        let marker = it.marker().display().to_string();
        scripted(&format!("(sleep 3; echo late > {marker}) & sleep 30")) + "\ntimeout = 1"
    });
    bench.office.trust();
    let ran = bench.exec();
    assert!(
        ran.exit == 10 && ran.stdout.contains("its `timeout` of 1 s was over"),
        "{} {}{}",
        ran.exit,
        ran.stdout,
        ran.stderr
    );
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert!(!bench.marker().exists());
}

#[test]
fn a_command_of_a_plans_own_is_running_a_program_whatever_else_its_row_says() {
    let office = Office::new();
    let marker = office.world.path("marker").display().to_string();
    for says in [
        json!({"action": "Iu::Action::\"survey\"", "resource": "Iu::Relation::\"public.information_unit\""}),
        json!({"action": "Iu::Action::\"flip_flag\"", "resource": "Iu::Flag::\"execution_enabled\"", "context": {"to": false}}),
        json!({}),
    ] {
        for argv in [
            json!([shell(), "-c", format!("echo ran > {marker}")]),
            json!(["psql", "-c", "DELETE FROM public.information_unit"]),
        ] {
            let mut row = says.clone();
            row["id"] = json!("it");
            row["argv"] = argv;
            office.world.write("plan.json", plan(PLANNER, AGENT, &row.to_string()));
            office.trust();
            let ran = office.world.cutter("authorize plan.json --format json");
            let decided = &ran.json()["decisions"][0];
            assert_eq!((ran.exit, &decided["basis"]), (2, &json!("not_permitted")), "{row}");
            assert_eq!(decided["action"], "Cutter::Action::\"run_program\"");
            assert_eq!(decided["work"]["argv"], row["argv"]);
            assert_eq!(decided["context"]["argc"], row["argv"].as_array().unwrap().len());
            assert_eq!(office.exec("it").exit, 2);
            assert!(!PathBuf::from(&marker).exists());
        }
    }
}

#[test]
fn what_would_be_allowed_and_names_no_work_is_denied() {
    let office = Office::new();
    let survey = r#"{"id":"it","action":"Iu::Action::\"survey\"","resource":"Iu::Role::\"cutter_exec\""}"#;
    office.world.write("plan.json", plan(PLANNER, AGENT, survey));
    office.trust();
    let ran = office.world.cutter("authorize plan.json --format json");
    assert_eq!((ran.exit, &ran.json()["decisions"][0]["basis"]), (2, &json!("no_work")));
    assert_eq!(office.exec("it").exit, 2);
    let dry = office.world.read("plan.json").replace("\"live\"", "\"dry_run\"");
    office.world.write("plan.json", dry);
    assert_eq!(office.world.cutter("authorize plan.json").exit, 0);
}

#[test]
fn a_switch_is_set_to_its_declared_value_and_nothing_else_of_its_file_changes() {
    let office = Office::new();
    let world = &office.world;
    let text = |value: &str| format!("# before\n__execution_enabled__ = {value}\n# after\n");
    world.write("flag.py", text("True"));
    mode(&world.path("flag.py"), 0o640);
    let shipped = "/opt/incomex/dot/iu-cutter-v0.6/cutter_agent/orchestrator/__init__.py";
    world.replace("cutter.toml", shipped, &world.path("flag.py").display().to_string());
    world.write("plan.json", plan(PLANNER, AGENT, r#"{"id":"it","effect":"switch-off","finally":true}"#));
    office.trust();
    let ran = office.exec("it");
    assert_eq!((ran.exit, world.read("flag.py")), (0, text("False")), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("execution_enabled is False"), "{}", ran.stdout);
    // What stands there twice, or not at all, is not set.
    for other in [text("True") + &text("True"), "nothing".to_owned()] {
        world.write("flag.py", &other);
        let ran = office.exec("it");
        assert_eq!((ran.exit, world.read("flag.py")), (1, other), "{}", ran.stderr);
    }
}
