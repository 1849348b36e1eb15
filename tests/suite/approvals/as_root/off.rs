//! Turning a declared switch off: always possible, and nothing else.

use crate::approvals::office::{AGENT, Office, PLANNER, plan};
use crate::support::ran::Ran;
use crate::support::scrubbed::scrubbed;
use crate::support::world::{AUTHOR, scripted};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};

/// An office with a switch in a file, which is on, and a row that turns it off, one that turns it on and one that does more.
fn office() -> Office {
    let office = Office::new();
    let world = &office.world;
    world.write("flag.py", text("True"));
    let shipped = "/opt/incomex/dot/iu-cutter-v0.6/cutter_agent/orchestrator/__init__.py";
    world.replace("cutter.toml", shipped, &world.path("flag.py").display().to_string());
    let switch = world.path("flag.py").display().to_string();
    world.declare("program", AUTHOR, &scripted(&format!("echo '__execution_enabled__ = False' > {switch}")));
    let rows = ["off", "on", "program"].map(|id| {
        let effect = if id == "program" { id.to_owned() } else { format!("switch-{id}") };
        format!(r#"{{"id":"{id}","effect":"{effect}","finally":{}}}"#, id == "off")
    });
    world.write("plan.json", plan(PLANNER, AGENT, &rows.join(",")));
    office.trust();
    office
}

fn text(value: &str) -> String {
    format!("__execution_enabled__ = {value}\n")
}

/// What was turned off by its declaration alone, as the ledger has it.
fn recorded(office: &Office) -> usize {
    let log = office.world.cutter("log --format json").json();
    log["records"].as_array().unwrap().iter().filter(|entry| entry["record"]["kind"] == "switched_off").count()
}

fn assert_off(office: &Office, case: &str) {
    let ran = office.exec("off");
    assert_eq!((ran.exit, office.world.read("flag.py")), (0, text("False")), "{case}: {}{}", ran.stdout, ran.stderr);
}

/// Whatever is wrong, a guard turns off what no run holds.
/// A guard turns it off whoever wrote the plan; that all is well it says only of one that somebody signed.
fn assert_guarded(office: &Office, case: &str, is_signed: bool) {
    let ran = guard(office);
    let exit = if is_signed { 0 } else { 8 };
    assert_eq!((ran.exit, office.world.read("flag.py")), (exit, text("False")), "{case}: {}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.stderr.contains("nobody signed the plan"), !is_signed, "{case}: {}", ran.stderr);
}

fn guard(office: &Office) -> Ran {
    office.world.cutter(&format!("guard --trust {} plan.json", office.world.trust_path().display()))
}

#[test]
fn in_order_it_is_one_ordinary_start_and_end() {
    let office = office();
    assert_off(&office, "in order");
    let log = office.world.cutter("log --format json").json();
    let kinds: Vec<&str> =
        log["records"].as_array().unwrap().iter().filter_map(|entry| entry["record"]["kind"].as_str()).collect();
    assert_eq!(kinds, ["made", "newer_bundle", "started", "finished"]);
}

/// What goes wrong, whether the ledger can be written nevertheless, and how it comes.
type Case<'a> = (&'a str, bool, &'a dyn Fn(&Office));

#[test]
fn nothing_that_goes_wrong_keeps_a_switch_on() {
    let cases: &[Case<'_>] = &[
        ("no plan's signature", true, &|office| office.world.remove("plan.json.sig")),
        ("another plan began", true, &|office| {
            assert_eq!(office.exec("off").exit, 0);
            office.world.write("flag.py", text("True"));
            office.world.write("plan.json", office.world.read("plan.json") + "\n");
        }),
        ("the key of the bundle's signer is out of its time", true, &|office| {
            let root = fs::read_to_string(office.world.trust_path()).unwrap();
            office.world.trust(
                &root
                    .replace("namespaces=\"cutter-bundle\"", "namespaces=\"cutter-bundle\",valid-before=\"20200101Z\""),
            );
        }),
        ("a user who is nobody in the plan", true, &|office| {
            let root = fs::read_to_string(office.world.trust_path()).unwrap();
            office.world.trust(&root.replace("cutter-user: root", "cutter-user: daemon"));
        }),
        ("no facts", false, &|office| office.world.remove("entities")),
        ("no ledger", false, &|office| office.world.remove(".cutter")),
        ("a ledger of somebody else", false, &|office| {
            std::os::unix::fs::chown(office.world.path(".cutter"), Some(65534), Some(65534)).unwrap();
        }),
        ("approvals that are none", true, &|office| office.world.write("approvals/SG_1.json", "{")),
        ("a spool of junk", true, &|office| office.world.write("cutter-spool.ndjson", "junk\n")),
        ("a damaged ledger", false, &|office| {
            let text = office.world.read(".cutter/records.ndjson").replacen("\"made\"", "\"mode\"", 1);
            office.world.write(".cutter/records.ndjson", text);
        }),
    ];
    for (case, is_written, spoil) in cases {
        let office = office();
        spoil(&office);
        assert_off(&office, case);
        let waits = office.world.path("cutter-spool.ndjson").exists();
        assert_eq!(waits, !is_written || *case == "a spool of junk", "{case}");
        if *is_written && *case != "approvals that are none" {
            assert_eq!(recorded(&office), 1, "{case}");
        }
        let office = self::office();
        spoil(&office);
        assert_guarded(&office, case, !["no plan's signature", "another plan began"].contains(case));
    }
}

/// What stands in the place of the spool, and may be a trap for whoever turns off.
#[test]
fn nothing_in_the_place_of_the_spool_keeps_a_switch_on_or_is_written_through() {
    let cases: &[(&str, &str)] = &[
        ("a FIFO", "mkfifo cutter-spool.ndjson"),
        ("a folder", "mkdir cutter-spool.ndjson"),
        ("a link of another user", "ln -s precious cutter-spool.ndjson; chown -h nobody cutter-spool.ndjson"),
        (
            "a file that another process keeps locked",
            "touch cutter-spool.ndjson; flock cutter-spool.ndjson sleep 60 >/dev/null 2>&1 &
             while flock -n cutter-spool.ndjson true; do sleep 0.01; done",
        ),
    ];
    for (case, shell) in cases {
        for command in ["exec", "guard"] {
            let office = office();
            office.world.write("precious", "mine\n");
            office.world.remove(".cutter");
            let made = scrubbed("/bin/sh").args(["-c", shell]).current_dir(office.world.folder()).status().unwrap();
            assert!(made.success(), "{case}");
            let trust = office.world.trust_path().display().to_string();
            let row = if command == "exec" { "off" } else { "" };
            let ran = office.world.cutter(&format!("{command} --trust {trust} plan.json {row}"));
            let said = format!("{case}, {command}: {}{}", ran.stdout, ran.stderr);
            assert_eq!(office.world.read("flag.py"), text("False"), "{said}");
            let words: Vec<&str> = ran.stdout.split_whitespace().collect();
            assert!(words.join(" ").contains("no record of it is kept"), "{said}");
            assert_eq!(ran.exit, 1, "{said}");
            assert_eq!(office.world.read("precious"), "mine\n", "{said}");
        }
    }
}

#[test]
fn what_was_kept_while_the_ledger_was_away_is_in_it_once_the_next_one_wrote() {
    let office = office();
    fs::rename(office.world.path(".cutter"), office.world.path("away")).unwrap();
    let off = office.exec("off");
    assert!(off.exit == 0 && off.stdout.contains("waits in `cutter-spool.ndjson`"), "{}{}", off.stdout, off.stderr);
    fs::rename(office.world.path("away"), office.world.path(".cutter")).unwrap();
    let program = office.exec("program");
    assert_eq!(program.exit, 0, "{}{}", program.stdout, program.stderr);
    assert_eq!((recorded(&office), office.world.path("cutter-spool.ndjson").exists()), (1, false));
    let log = office.world.cutter("log --format json").stdout;
    assert!(log.contains("by `root`, by its declaration alone: there is no ledger at `.cutter`"), "{log}");
    // What is no such record brings nothing in.
    office.world.write("cutter-spool.ndjson", "{\"kind\":\"vote\",\"approval_sha256\":\"\",\"signature\":\"\"}\n");
    assert_eq!(office.exec("program").exit, 1);
    assert_eq!(recorded(&office), 1);
}

/// Whoever may write in the folder would speak in the ledger as whoever runs next.
#[test]
fn what_others_could_have_kept_is_never_brought_into_the_ledger() {
    let office = office();
    fs::rename(office.world.path(".cutter"), office.world.path("away")).unwrap();
    assert_eq!(office.exec("off").exit, 0);
    fs::rename(office.world.path("away"), office.world.path(".cutter")).unwrap();
    let spool = office.world.path("cutter-spool.ndjson");
    let put = |user, mode| {
        chown(&spool, Some(user), Some(user)).unwrap();
        fs::set_permissions(&spool, fs::Permissions::from_mode(mode)).unwrap();
    };
    for (user, mode) in [(65534, 0o600), (0, 0o620), (0, 0o602)] {
        put(user, mode);
        let ran = office.exec("program");
        let said = format!("{user} {mode:o}: {}{}", ran.stdout, ran.stderr);
        assert_eq!((ran.exit, recorded(&office), spool.exists()), (8, 0, true), "{said}");
        assert!(said.contains("is not this user's"), "{said}");
    }
    put(0, 0o600);
    assert_eq!(office.exec("program").exit, 0);
    assert_eq!((recorded(&office), spool.exists()), (1, false));
    // Nor does it keep anything on.
    for guarded in [false, true] {
        let office = self::office();
        office.world.write("cutter-spool.ndjson", "");
        chown(office.world.path("cutter-spool.ndjson"), Some(65534), Some(65534)).unwrap();
        if guarded {
            assert_guarded(&office, "a guard", true)
        } else {
            assert_off(&office, "a row")
        }
        assert!(office.world.path("cutter-spool.ndjson").exists());
    }
}

#[test]
fn a_declaration_that_nobody_vouched_for_turns_nothing_off_until_root_declares_the_same_switch() {
    let office = office();
    office.world.append("cutter.toml", "\n# edited\n");
    let switches = office.world.trust_path().with_file_name("switches.toml");
    let declared = |pattern: &str| {
        let file = office.world.path("flag.py").display().to_string();
        let text = format!(
            "[evidence.flags.execution_enabled]\nfile = \"{file}\"\npattern = '{pattern}'\non = \"True\"\noff = \"False\"\n"
        );
        fs::write(&switches, text).unwrap();
    };
    let config = office.world.read("cutter.toml");
    let line = config.lines().find(|line| line.starts_with("pattern") && line.contains("execution")).unwrap();
    let pattern = line.split_once('\'').unwrap().1.split_once('\'').unwrap().0;
    let stays_on = |case: &str| {
        let ran = office.exec("off");
        assert_eq!((ran.exit, office.world.read("flag.py")), (8, text("True")), "{case}: {}{}", ran.stdout, ran.stderr);
    };
    stays_on("nobody");
    office.world.sign_bundle("stranger");
    stays_on("a stranger");
    declared("^other = (.*)$");
    stays_on("another switch");
    // Nor is it believed that it is off: whoever wrote the configuration says where it is.
    let guarded = guard(&office);
    assert_eq!((guarded.exit, office.world.read("flag.py")), (8, text("True")), "{}{}", guarded.stdout, guarded.stderr);
    assert!(guarded.stderr.contains("nobody ever vouched"), "{}", guarded.stderr);
    declared(pattern);
    std::os::unix::fs::chown(&switches, Some(65534), None).unwrap();
    stays_on("declared by somebody who is not root");
    std::os::unix::fs::chown(&switches, Some(0), None).unwrap();
    assert_off(&office, "declared by root");
    // And by root's word alone, which says nothing of a ledger, nor of a file to keep records in.
    office.world.write("flag.py", text("True"));
    office.world.write("precious", "mine\n");
    office.world.write("cutter.toml", format!("[ledger]\nspool = \"precious\"\n{}", office.world.read("cutter.toml")));
    let guarded = guard(&office);
    assert_eq!(
        (guarded.exit, office.world.read("flag.py")),
        (0, text("False")),
        "{}{}",
        guarded.stdout,
        guarded.stderr
    );
    assert_eq!(office.world.read("precious"), "mine\n");
    assert_eq!(office.world.read("cutter-spool.ndjson").lines().count(), 1);
}

#[test]
fn what_does_anything_else_goes_the_ordinary_way() {
    let office = office();
    office.world.remove("plan.json.sig");
    office.world.write("flag.py", text("off"));
    for row in ["on", "program"] {
        let ran = office.exec(row);
        assert_eq!((ran.exit, office.world.read("flag.py")), (8, text("off")), "{row}: {}{}", ran.stdout, ran.stderr);
    }
    // Nor does a key that was revoked vouch for what it signed.
    let key = office.world.public_key("reviewer");
    fs::write(office.world.safe("revoked_keys"), key).unwrap();
    assert_eq!((office.exec("off").exit, office.world.read("flag.py")), (8, text("off")));
}
