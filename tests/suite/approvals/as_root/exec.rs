//! `cutter exec`: decided again at use, consumed once, run exactly as declared, journalled.

use crate::approvals::office::{AGENT, Office, PLANNER, plan};
use crate::ledger::scene::{folder, write_anew};
use cutter::digest::Digest;
use cutter::ledger::{Ledger as _, Record, Vote};
use cutter::time::Timestamp;
use serde_json::json;
use std::time::{Duration, SystemTime};

const FILE: &str =
    r#""action":"Iu::Action::\"author_file\"","resource":"Iu::File::\"/var/lib/cutter/backup_runner.py\"""#;

/// A row that anybody of the lane may do, and that writes a line into a file.
fn free_row(id: &str, more: &str) -> String {
    format!(r#"{{"id":"{id}",{FILE},"argv":["sh","-c","echo {id} >> ran"]{more}}}"#)
}

/// The row of SG_3, which writes a line into a file.
fn ruled_row() -> String {
    r#"{"id":"compensate","action":"Iu::Action::\"compensate\"","resource":"Iu::Relation::\"public.information_unit\"","argv":["sh","-c","echo compensate >> ran"]}"#.to_owned()
}

/// An office whose approvals are for now, since `exec` takes no other time.
fn office(rows: &str) -> Office {
    let office = Office::new();
    office.world.write("plan.json", plan(PLANNER, AGENT, rows));
    office.trust();
    office
}

fn approve(office: &Office) {
    approve_by(office, &[("president", "president"), ("council-1", "council-1"), ("council-2", "council-2")]);
}

/// The same by the key of somebody else.
fn approve_by(office: &Office, voices: &[(&str, &str)]) {
    let ran = office.world.cutter("approval request plan.json");
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    office.edit("SG_3", |document| {
        document["allowance"] = json!("explicit");
        document["reason"] = json!("compensation ruled by the quorum");
    });
    for (name, key) in voices {
        office.sign_as("SG_3", key, "cutter-approval", &format!("{name}.sig"));
    }
}

fn ran(office: &Office) -> String {
    std::fs::read_to_string(office.world.path("ran")).unwrap_or_default()
}

#[test]
fn an_approved_action_runs_once_and_its_approval_is_spent() {
    let office = office(&ruled_row());
    approve(&office);
    let first = office.exec("compensate");
    assert_eq!((first.exit, ran(&office).as_str()), (0, "compensate\n"), "{}{}", first.stdout, first.stderr);
    let second = office.exec("compensate");
    assert_eq!((second.exit, ran(&office).as_str()), (5, "compensate\n"), "{}{}", second.stdout, second.stderr);
    let listed = office.world.cutter("approval list plan.json --format json").json();
    assert_eq!(listed["approvals"][0]["code"], "already_consumed");
}

#[test]
fn an_approval_that_was_used_for_one_of_its_rows_is_said_to_be_used_for_that_row() {
    let failing = ruled_row().replace("echo compensate >> ran", "exit 3");
    let office = office(&format!("{failing},{}", ruled_row().replace(r#""id":"compensate""#, r#""id":"again""#)));
    approve(&office);
    assert_eq!(office.exec("compensate").exit, 10);
    let shown = office.world.cutter("authorize plan.json").stdout;
    assert!(shown.contains("needs   SG_3  compensate  USED"), "{shown}");
    assert!(shown.contains("opened  SG_3  again       accepted"), "{shown}");
}

#[test]
fn a_failed_use_stays_used() {
    let office = office(&ruled_row().replace("echo compensate >> ran", "exit 3"));
    approve(&office);
    let first = office.exec("compensate");
    assert_eq!(first.exit, 10, "{}{}", first.stdout, first.stderr);
    assert_eq!(office.exec("compensate").exit, 5);
}

#[test]
fn a_denied_action_runs_nothing_and_is_journalled() {
    let office = office(&ruled_row());
    let before = office.world.listing().len();
    assert_eq!(office.exec("compensate").exit, 5);
    // Only that it was tried.
    let log = office.world.cutter("log --format json").json();
    let last = log["records"].as_array().unwrap().last().unwrap()["record"].clone();
    assert_eq!((&last["kind"], &last["action"]), (&"refused".into(), &"compensate".into()));
    assert_eq!((office.world.listing().len(), ran(&office).as_str()), (before + 1, ""));
}

#[test]
fn a_command_that_differs_from_the_plan_is_refused() {
    let office = office(&free_row("write", ""));
    let other = office.exec("write -- rm -rf everything");
    assert_eq!((other.exit, ran(&office).as_str()), (3, ""), "{}", other.stderr);
    assert!(other.stderr.contains("the command differs from what plan action `write` declares"), "{}", other.stderr);
}

#[test]
fn a_dry_run_plan_runs_nothing() {
    let office = office(&free_row("write", ""));
    let text = office.world.read("plan.json").replace("\"live\"", "\"dry_run\"");
    office.world.write("plan.json", text);
    office.trust();
    let dry = office.exec("write");
    assert_eq!((dry.exit, ran(&office).as_str()), (0, ""), "{}{}", dry.stdout, dry.stderr);
    assert!(dry.stdout.contains("nothing was run"));
}

#[test]
fn a_row_waits_for_the_rows_it_comes_after() {
    let office = office(&[free_row("first", ""), free_row("second", r#","after":["first"]"#)].join(","));
    let early = office.exec("second");
    assert_eq!((early.exit, ran(&office).as_str()), (9, ""), "{}{}", early.stdout, early.stderr);
    assert_eq!(office.exec("first").exit, 0);
    assert_eq!((office.exec("second").exit, ran(&office).as_str()), (0, "first\nsecond\n"));
}

#[test]
fn a_run_id_begins_once_and_not_under_another_plan() {
    let office = office(&free_row("write", ""));
    assert_eq!(office.exec("write").exit, 0);
    office.world.write("plan.json", plan(PLANNER, AGENT, &free_row("other", "")));
    office.trust();
    let other = office.exec("other");
    assert_eq!((other.exit, ran(&office).as_str()), (2, "write\n"), "{}", other.stdout);
    assert!(other.stdout.contains("under another plan"));
}

/// The attack: the author edits the run's own tree and signs with an own key; one file after the other.
#[test]
fn an_edited_bundle_signed_by_its_editor_runs_nothing() {
    for file in ["policies/gates.cedar", "policies/allowed_signers", "cutter.toml"] {
        let office = office(&free_row("write", ""));
        let comment = if file.ends_with(".cedar") { "// edited\n" } else { "# edited\n" };
        office.world.write(file, office.world.read(file) + comment);
        let stale = office.exec("write");
        assert_eq!((stale.exit, ran(&office).as_str()), (8, ""), "{file}: {}", stale.stderr);
        office.world.sign_bundle("stranger");
        let own = office.exec("write");
        assert_eq!((own.exit, ran(&office).as_str()), (8, ""), "{file}: {}", own.stderr);
    }
}

#[test]
fn an_unsigned_bundle_or_plan_or_a_plan_of_another_author_runs_nothing() {
    for signature in ["policies.sig", "plan.json.sig"] {
        let office = office(&free_row("write", ""));
        office.world.remove(signature);
        assert_eq!((office.exec("write").exit, ran(&office).as_str()), (8, ""), "{signature}");
    }
    let office = office(&free_row("write", ""));
    office.world.sign_plan("plan.json", "reviewer");
    assert_eq!((office.exec("write").exit, ran(&office).as_str()), (8, ""));
}

#[test]
fn a_principal_other_than_the_one_of_the_running_user_runs_nothing() {
    let office = office(&free_row("write", ""));
    let verifier = r#"Cutter::Agent::\"verify-agent\""#;
    office.world.write("plan.json", plan(PLANNER, verifier, &free_row("write", "")));
    office.trust();
    assert_eq!((office.exec("write").exit, ran(&office).as_str()), (8, ""));
}

#[test]
fn a_clock_before_the_last_record_runs_nothing() {
    let office = office(&free_row("write", ""));
    later(&office, 60_000);
    let back = office.exec("write");
    assert_eq!((back.exit, ran(&office).as_str()), (8, ""), "{}{}", back.stdout, back.stderr);
    assert!(back.stdout.contains("the clock shows"), "{}", back.stdout);
}

#[test]
fn a_ledger_that_a_host_three_seconds_ahead_wrote_to_refuses_nobody() {
    let office = office(&free_row("write", ""));
    later(&office, 3_000);
    let ran = office.exec("write");
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
}

/// Somebody writes to the ledger whose clock is so many milliseconds ahead.
fn later(office: &Office, ahead: i64) {
    let now = Timestamp::from_system(SystemTime::now()).unwrap().milliseconds() + ahead;
    let time = Timestamp::from_milliseconds(now).unwrap().to_cedar();
    write_anew(&office.world.path(".cutter"), |text| {
        let at = text.rfind("\"time\":\"").unwrap() + 8;
        format!("{}{time}{}", &text[..at], &text[at + time.len()..])
    });
}

#[test]
fn exec_takes_no_time_but_the_clocks() {
    let office = office(&free_row("write", ""));
    assert_eq!(office.exec("write --now 2026-05-21T08:15:00Z").exit, 64);
}

#[test]
fn without_a_ledger_nothing_runs() {
    let office = office(&free_row("write", ""));
    office.world.remove(".cutter");
    let none = office.exec("write");
    assert_eq!((none.exit, ran(&office).as_str()), (1, ""), "{}", none.stdout);
    assert!(none.stderr.contains("cutter ledger init"), "{}", none.stderr);
}

/// A13, 112: the veto was cast with the program, and its file is gone.
#[test]
fn a_veto_whose_file_is_taken_away_still_vetoes() {
    let office = office(&ruled_row());
    approve(&office);
    let ran_by = office.world.cutter("approval sign approvals/SG_3.json --key keys/council-3 --reject --as council-3");
    assert!(ran_by.exit == 0 && ran_by.stdout.contains("of the ledger"), "{}{}", ran_by.stdout, ran_by.stderr);
    office.world.remove("approvals/SG_3.json.council-3.sig");
    let vetoed = office.exec("compensate");
    assert_eq!((vetoed.exit, ran(&office).as_str()), (5, ""), "{}{}", vetoed.stdout, vetoed.stderr);
    let listed = office.world.cutter("approval list plan.json --format json").json();
    assert_eq!(listed["approvals"][0]["code"], "vetoed");
}

#[test]
fn a_vote_that_is_nobodys_spoils_nothing_and_a_voice_in_the_ledger_alone_counts() {
    let office = office(&ruled_row());
    approve(&office);
    office.world.remove("approvals/SG_3.json.council-2.sig");
    assert_eq!(office.exec("compensate").exit, 5);
    // A stranger's key is refused by the program, and a record of it by whoever reads.
    let stranger = office.world.cutter("approval sign approvals/SG_3.json --key keys/stranger --as stranger");
    assert!(stranger.stderr.contains("the ledger does not have this vote"), "{}", stranger.stderr);
    office.world.remove("approvals/SG_3.json.stranger.sig");
    let forged = Vote {
        approval: Digest::of(office.world.read("approvals/SG_3.json").as_bytes()),
        signature: office.world.read("approvals/SG_3.json.president.sig").replacen('A', "B", 3),
    };
    folder(office.world.path(".cutter")).note(&Record::Vote(forged)).unwrap();
    let voted = office.world.cutter("approval sign approvals/SG_3.json --key keys/council-2 --as council-2");
    assert_eq!(voted.exit, 0, "{}", voted.stderr);
    office.world.remove("approvals/SG_3.json.council-2.sig");
    let ran = office.exec("compensate");
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
}

/// 110: the plan's author listed among those who may approve, under a name of its own.
#[test]
fn the_key_of_the_plans_author_approves_nothing_under_any_name() {
    let office = office(&ruled_row());
    approve(&office);
    let signers = office.world.read("policies/allowed_signers");
    let president = office.world.public_key("president");
    office.world.write("policies/allowed_signers", signers.replace(president.trim(), office.world.public_key("author").trim()));
    office.trust();
    office.world.remove("approvals/SG_3.json");
    for who in ["president", "council-1", "council-2"] {
        office.world.remove(&format!("approvals/SG_3.json.{who}.sig"));
    }
    approve_by(&office, &[("president", "author"), ("council-1", "council-1"), ("council-2", "council-2")]);
    let own = office.exec("compensate");
    assert_eq!((own.exit, ran(&office).as_str()), (5, ""), "{}{}", own.stdout, own.stderr);
    let listed = office.world.cutter("approval list plan.json --format json").json();
    assert_eq!(listed["approvals"][0]["code"], "self_approval", "{listed}");
}

/// A11: a copy of the ledger, put in its place after the approval was used.
#[test]
fn a_ledger_that_was_put_back_lets_nothing_run_again() {
    let office = office(&ruled_row());
    approve(&office);
    let copy = |from: &str, to: &str| {
        let (from, to) = (office.world.path(from), office.world.path(to));
        assert!(std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
    };
    copy(".cutter", "before");
    assert_eq!(office.exec("compensate").exit, 0);
    office.world.remove(".cutter");
    copy("before", ".cutter");
    let again = office.exec("compensate");
    assert_eq!((again.exit, ran(&office).as_str()), (8, "compensate\n"), "{}{}", again.stdout, again.stderr);
    // Nor does one that the command line names.
    let trust = office.world.trust_path().display().to_string();
    let other = office.world.cutter(&format!("exec --trust {trust} plan.json compensate --ledger before"));
    assert_eq!((other.exit, ran(&office).as_str()), (8, "compensate\n"), "{}{}", other.stdout, other.stderr);
}

/// A11: a ledger that belongs to somebody who is not root, with and without a head that root published.
#[test]
fn a_ledger_of_another_user_needs_a_published_head() {
    let office = office(&[free_row("one", ""), free_row("two", ""), free_row("three", "")].join(","));
    let head = office.world.safe("head.json");
    let published = office.world.cutter(&format!("ledger head --to {}", head.display()));
    assert_eq!(published.exit, 0, "{}", published.stderr);
    std::os::unix::fs::chown(office.world.path(".cutter"), Some(65534), Some(65534)).unwrap();
    let alone = office.exec("one");
    assert_eq!((alone.exit, ran(&office).as_str()), (8, ""), "{}{}", alone.stdout, alone.stderr);
    let trust = office.world.trust_path().display().to_string();
    let with = |row: &str| office.world.cutter(&format!("exec --trust {trust} plan.json {row} --head {}", head.display()));
    let one = with("one");
    assert_eq!((one.exit, ran(&office).as_str()), (0, "one\n"), "{}{}", one.stdout, one.stderr);
    assert_eq!(office.world.cutter(&format!("ledger head --to {}", head.display())).exit, 0);
    assert_eq!(with("two").exit, 0);
    // Written anew without its last records, by whoever owns it.
    write_anew(&office.world.path(".cutter"), |text| text.lines().take(2).map(|line| format!("{line}\n")).collect());
    let cut = with("three");
    assert_eq!((cut.exit, ran(&office).as_str()), (8, "one\ntwo\n"), "{}{}", cut.stdout, cut.stderr);
}

/// A12, 103: the older bundle, with the signature it had.
#[test]
fn an_older_bundle_with_its_own_valid_signature_runs_nothing_once_a_newer_one_ran() {
    let office = office(&[free_row("one", ""), free_row("two", ""), free_row("three", "")].join(","));
    assert_eq!(office.exec("one").exit, 0);
    let (config, signature) = (office.world.read("cutter.toml"), office.world.read("policies.sig"));
    // Changed, signed, and of the same version: nobody could tell which is the newer one.
    office.world.write("cutter.toml", format!("# changed\n{config}"));
    office.trust();
    let same = office.exec("two");
    assert_eq!((same.exit, ran(&office).as_str()), (8, "one\n"), "{}{}", same.stdout, same.stderr);
    assert!(same.stdout.contains("raise `version`"), "{}", same.stdout);
    office.world.write("cutter.toml", format!("version = 1\n{config}"));
    office.trust();
    assert_eq!(office.exec("two").exit, 0);
    office.world.write("cutter.toml", &config);
    office.world.write("policies.sig", &signature);
    let older = office.exec("three");
    assert_eq!((older.exit, ran(&office).as_str()), (8, "one\ntwo\n"), "{}{}", older.stdout, older.stderr);
}

/// A10, 107, 119: stopped between the decision and the effect, and continued when the decision no longer holds.
#[test]
fn what_was_stopped_between_decision_and_effect_does_not_run_and_its_approval_stays_used() {
    let office = office(&ruled_row());
    approve(&office);
    office.world.replace("cutter.toml", "[effects", "[ledger]\nstart_within_seconds = 1\n\n[effects");
    office.trust();
    std::fs::remove_dir_all(office.world.path("approvals")).unwrap();
    approve(&office);
    // The end of the chain is locked by somebody else, so that the start has to wait.
    let records = std::fs::File::open(office.world.path(".cutter/records.ndjson")).unwrap();
    let trust = office.world.trust_path().display().to_string();
    let mut child = office.world.command(&["exec", "--trust", &trust, "plan.json", "compensate"]).spawn().unwrap();
    records.lock_shared().unwrap();
    std::thread::sleep(Duration::from_millis(2_500));
    records.unlock().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(8));
    assert_eq!(ran(&office), "");
    let log = office.world.cutter("log").stdout;
    assert!(log.contains("not run") && log.contains("never ran"), "{log}");
    assert_eq!(office.exec("compensate").exit, 5);
}

#[test]
fn a_row_that_is_done_is_shown_as_done_in_the_middle_of_a_run() {
    let office = office(&format!("{},{}", ruled_row(), free_row("write", r#","after":["compensate"]"#)));
    approve(&office);
    assert_eq!(office.exec("compensate").exit, 0);
    let shown = office.world.cutter("authorize plan.json --format json");
    assert_eq!(shown.exit, 0, "{}", shown.stdout);
    assert_eq!(shown.json()["verdict"], "AUTHORIZED");
}

#[test]
fn a_user_namespace_of_its_own_runs_nothing() {
    let office = office(&free_row("write", ""));
    let trust = office.world.trust_path().display().to_string();
    let mut inside = office.world.command(&["exec", "--trust", &trust, "plan.json", "write"]);
    let program = inside.get_program().to_owned();
    let arguments: Vec<_> = inside.get_args().map(ToOwned::to_owned).collect();
    inside = std::process::Command::new("unshare");
    inside.args(["-U", "-r"]).arg(program).args(arguments).current_dir(office.world.folder());
    let ran_inside = crate::support::ran::Ran::of(&mut inside);
    assert_eq!((ran_inside.exit, ran(&office).as_str()), (8, ""), "{}{}", ran_inside.stdout, ran_inside.stderr);
    assert!(ran_inside.stderr.contains("user namespace"), "{}", ran_inside.stderr);
}
