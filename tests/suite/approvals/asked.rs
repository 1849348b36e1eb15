//! What an approver is shown and asked before a signature, and what a renewal says.

use crate::approvals::office::{NOW, Office, PLAN};
use crate::support::ran::Ran;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// The program at a terminal where somebody types this.
fn typed(office: &Office, line: &str, answer: &str) -> (Option<i32>, String) {
    let mut command = Command::new("script");
    command.args(["-qec", &format!("{} {line}", env!("CARGO_BIN_EXE_cutter")), "/dev/null"]);
    command.current_dir(office.world.folder()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).replace('\r', ""))
}

fn requested() -> Office {
    let office = Office::new();
    office.request(PLAN);
    office
}

fn request(office: &Office, more: &str) -> Ran {
    office.world.cutter(&format!("approval request {PLAN} --now {NOW} {more}"))
}

#[test]
fn the_page_shows_of_each_row_who_does_what_with_which_work() {
    let office = requested();
    let shown = office.world.cutter_with("approval show approvals/SG_1.json", &[("COLUMNS", "400")]);
    assert_eq!(shown.exit, 0, "{}", shown.stderr);
    for part in [
        "Cutter::Agent::\"run-agent\" does Iu::Action::\"cut_leg_a\" on Iu::Relation::\"public.information_unit\"",
        "public.fn_iu_create(",
        "as cutter_exec",
        "definition sha256 d39b9013bf450b8a76884f59ac2af97e3a14a9ec72ec6dafd4ed24bda38b0687",
        "changes relation:public.information_unit: inserted +run.facts.cutplan.units",
    ] {
        assert!(shown.stdout.contains(part), "no `{part}` in\n{}", shown.stdout);
    }
    let flip = office.world.cutter_with("approval show approvals/FLIP.json", &[("COLUMNS", "400")]);
    assert!(
        flip.stdout.contains("with to = true") && flip.stdout.contains("set execution_enabled to "),
        "{}",
        flip.stdout
    );
}

#[test]
fn nothing_is_signed_unless_somebody_says_yes() {
    let office = requested();
    let line = "approval sign approvals/SG_1.json --key keys/sovereign";
    for answer in ["no\n", "\n", "y\n", "YES\n"] {
        let (exit, shown) = typed(&office, line, answer);
        assert_eq!(exit, Some(1), "{answer:?}: {shown}");
        assert!(shown.contains("fn_iu_create") && shown.contains("Sign this? [yes/no]"), "{shown}");
        assert!(!office.world.path("approvals/SG_1.json.sig").exists(), "{answer:?}");
    }
    let (exit, shown) = typed(&office, line, "yes\n");
    assert_eq!((exit, office.code(PLAN, "SG_1", "").as_str()), (Some(0), "accepted"), "{shown}");
}

#[test]
fn without_a_terminal_a_signature_needs_the_word() {
    let office = requested();
    let mut command = Command::new("setsid");
    command.args([
        "-w",
        env!("CARGO_BIN_EXE_cutter"),
        "approval",
        "sign",
        "approvals/SG_1.json",
        "--key",
        "keys/sovereign",
    ]);
    let ran = Ran::of(command.current_dir(office.world.folder()).stdin(Stdio::null()));
    assert_eq!(ran.exit, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("there is no terminal") && ran.stderr.contains("--yes"), "{}", ran.stderr);
    assert!(!office.world.path("approvals/SG_1.json.sig").exists());
}

#[test]
fn allowance_and_reason_can_be_given_with_the_signature_but_only_to_what_nobody_signed() {
    let office = Office::new();
    assert_eq!(request(&office, "").exit, 0);
    let sign = |reason: &str, who: &str| {
        let words = ["approval", "sign", "--yes", "--explicit", "--reason", reason, "approvals/SG_1.json", "--key"];
        let key = format!("keys/{who}");
        let mut words: Vec<&str> = words.to_vec();
        words.extend([key.as_str(), "--as", who]);
        office.world.cutter_words(&words)
    };
    for reason in ["", "   ", "2026", "TODO"] {
        let ran = sign(reason, "sovereign");
        assert_eq!(ran.exit, 3, "{reason:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("`reason`"), "{}", ran.stderr);
    }
    assert_eq!(sign("ruled on 2026-05-21", "sovereign").exit, 0);
    assert_eq!(office.code(PLAN, "SG_1", ""), "accepted");
    // The same words change nothing; other words would undo what was signed.
    assert_eq!(sign("ruled on 2026-05-21", "on-call").exit, 0);
    let other = sign("something else", "council-1");
    assert_eq!(other.exit, 3, "{}", other.stderr);
    assert!(other.stderr.contains("was signed already"), "{}", other.stderr);
}

#[test]
fn a_renewal_says_what_changed_keeps_what_was_and_leaves_what_did_not_change() {
    let office = requested();
    office.sign("SG_1", "sovereign");
    assert_eq!(request(&office, "").exit, 1);
    let before = office.world.read("approvals/SG_1.json");
    let same = request(&office, "--renew");
    assert!(
        same.exit == 0 && same.stdout.contains("nothing changed since it was written"),
        "{}{}",
        same.stdout,
        same.stderr
    );
    assert_eq!(office.world.read("approvals/SG_1.json"), before);
    office.world.replace("cutter.toml", "actor = { value = \"cutter_exec\" }\n", "actor = { value = \"somebody\" }\n");
    let renewed =
        office.world.cutter_with(&format!("approval request {PLAN} --now {NOW} --renew"), &[("COLUMNS", "400")]);
    assert_eq!(renewed.exit, 0, "{}", renewed.stderr);
    for part in ["the policies was", "the work of row `cut` was `public.fn_iu_create(", "actor => \"somebody\""] {
        assert!(renewed.stdout.contains(part), "no `{part}` in\n{}", renewed.stdout);
    }
    assert_ne!(office.world.read("approvals/SG_1.json"), before);
    assert!(!office.world.path("approvals/SG_1.json.sig").exists());
    let kept = office.world.listing().into_iter().filter(|(path, _)| path.extension().is_some_and(|end| end == "old"));
    let kept: Vec<String> = kept.map(|(path, _)| path.display().to_string()).collect();
    assert!(kept.iter().any(|name| name.contains("SG_1.json.sig.")), "{kept:?}");
    assert_eq!(office.code(PLAN, "SG_1", ""), "placeholder");
}

#[test]
fn a_signature_of_the_bundle_or_of_a_plan_is_replaced_only_where_that_is_said() {
    let office = Office::new();
    office.world.make_key("reviewer", "ed25519");
    for (line, signature) in
        [("bundle sign".to_owned(), "policies.sig".to_owned()), (format!("plan sign {PLAN}"), format!("{PLAN}.sig"))]
    {
        let sign = |more: &str| office.world.cutter(&format!("{line} --key keys/reviewer {more}"));
        assert_eq!(sign("").exit, 0);
        office.world.write(&signature, "spoiled");
        assert_eq!(sign("").exit, 1);
        assert_eq!(office.world.read(&signature), "spoiled");
        let replaced = sign("--replace");
        assert_eq!(replaced.exit, 0, "{}", replaced.stderr);
        assert!(office.world.read(&signature).contains("BEGIN SSH SIGNATURE"));
    }
}
