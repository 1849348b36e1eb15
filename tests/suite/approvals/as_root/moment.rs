//! The moment of use: what was true before it is not enough, and nothing that a run can reach makes it true again.

use super::exec::{approve, approve_by, free_row, office, ran, ruled_row};
use crate::approvals::office::Office;
use crate::ledger::scene::{folder, rewrite, user_of};
use crate::support::postgres::Server;
use crate::support::waiting::wait_until;
use cutter::digest::Digest;
use cutter::ledger::{Ledger as _, LedgerId, PostgresLedger, Record, Vote};
use std::time::Duration;

/// The veto was cast with the program, and its file is gone.
#[test]
fn a_veto_whose_file_is_taken_away_still_vetoes() {
    let office = office(&ruled_row());
    approve(&office);
    let ran_by =
        office.world.cutter("approval sign --yes approvals/SG_3.json --key keys/council-3 --reject --as council-3");
    assert!(ran_by.exit == 0 && ran_by.stdout.contains("of the ledger"), "{}{}", ran_by.stdout, ran_by.stderr);
    office.world.remove("approvals/SG_3.json.council-3.sig");
    let vetoed = office.exec("rule");
    assert_eq!((vetoed.exit, ran(&office).as_str()), (5, ""), "{}{}", vetoed.stdout, vetoed.stderr);
    let listed = office.world.cutter("approval list plan.json --format json").json();
    assert_eq!(listed["approvals"][0]["code"], "vetoed");
}

/// The veto was cast with `ssh-keygen`, and a command that decides the row has seen it.
#[test]
fn a_veto_that_was_seen_once_stays_though_its_file_is_taken_away() {
    let office = office(&ruled_row());
    approve(&office);
    let kept = office.world.read("approvals/SG_3.json.council-2.sig");
    office.world.keygen_sign("council-3", "cutter-reject", "approvals/SG_3.json");
    let rejection = office.world.read("approvals/SG_3.json.sig");
    office.world.write("approvals/SG_3.json.no.sig", &rejection);
    office.world.remove("approvals/SG_3.json.sig");
    assert_eq!(office.exec("rule").exit, 5);
    office.world.remove("approvals/SG_3.json.no.sig");
    let again = office.exec("rule");
    assert_eq!((again.exit, ran(&office).as_str()), (5, ""), "{}{}", again.stdout, again.stderr);
    let listed = office.world.cutter("approval list plan.json --format json").json();
    assert_eq!(listed["approvals"][0]["code"], "vetoed");
    // It is kept once, and nothing else that was beside the document is.
    let records = office.world.cutter("log --format json").stdout;
    let signed = |text: &str| records.matches(serde_json::to_string(text).unwrap().trim_matches('"')).count();
    assert_eq!((signed(&rejection), signed(&kept)), (1, 0), "{records}");
}

/// Whoever wrote the configuration says where votes would go.
#[test]
fn a_vote_goes_into_no_ledger_that_another_bundle_than_the_documents_names() {
    let office = office(&ruled_row());
    approve(&office);
    office.world.write("cutter.toml", "[ledger]\npath = \"fake\"\n".to_owned() + &office.world.read("cutter.toml"));
    let signed =
        office.world.cutter("approval sign --yes approvals/SG_3.json --key keys/council-3 --reject --as council-3");
    assert!(signed.stdout.contains("only beside the document"), "{}{}", signed.stdout, signed.stderr);
    assert!(signed.stderr.contains("is not the one that the document names"), "{}", signed.stderr);
}

#[test]
fn a_vote_that_is_nobodys_spoils_nothing_and_a_voice_in_the_ledger_alone_counts() {
    let office = office(&ruled_row());
    approve(&office);
    office.world.remove("approvals/SG_3.json.council-2.sig");
    assert_eq!(office.exec("rule").exit, 5);
    // A stranger's key is refused by the program, and a record of it by whoever reads.
    let stranger = office.world.cutter("approval sign --yes approvals/SG_3.json --key keys/stranger --as stranger");
    assert!(stranger.stderr.contains("the ledger does not have this vote"), "{}", stranger.stderr);
    office.world.remove("approvals/SG_3.json.stranger.sig");
    let forged = Vote {
        approval: Digest::of(office.world.read("approvals/SG_3.json").as_bytes()),
        signature: office.world.read("approvals/SG_3.json.president.sig").replacen('A', "B", 3),
    };
    folder(office.world.path(".cutter")).note(&Record::Vote(forged)).unwrap();
    let voted = office.world.cutter("approval sign --yes approvals/SG_3.json --key keys/council-2 --as council-2");
    assert_eq!(voted.exit, 0, "{}", voted.stderr);
    office.world.remove("approvals/SG_3.json.council-2.sig");
    let ran = office.exec("rule");
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
}

/// The plan's author listed among those who may approve, under a name of its own.
#[test]
fn the_key_of_the_plans_author_approves_nothing_under_any_name() {
    let office = office(&ruled_row());
    approve(&office);
    let signers = office.world.read("policies/allowed_signers");
    let president = office.world.public_key("president");
    office
        .world
        .write("policies/allowed_signers", signers.replace(president.trim(), office.world.public_key("author").trim()));
    office.trust();
    office.world.remove("approvals/SG_3.json");
    for who in ["president", "council-1", "council-2"] {
        office.world.remove(&format!("approvals/SG_3.json.{who}.sig"));
    }
    approve_by(&office, &[("president", "author"), ("council-1", "council-1"), ("council-2", "council-2")]);
    let own = office.exec("rule");
    assert_eq!((own.exit, ran(&office).as_str()), (5, ""), "{}{}", own.stdout, own.stderr);
    let listed = office.world.cutter("approval list plan.json --format json").json();
    assert_eq!(listed["approvals"][0]["code"], "self_approval", "{listed}");
}

/// Somebody whom the trust root knows by another name, among those who may approve.
#[test]
fn one_person_is_not_two_by_a_second_name_in_the_trust_root() {
    let office = office(&ruled_row());
    approve(&office);
    let root = std::fs::read_to_string(office.world.trust_path()).unwrap();
    let as_observer = |entity: &str| {
        let key = office.world.public_key("council-1");
        let line = format!("auditor namespaces=\"cutter-evidence\" {key}\n# cutter-signer: auditor = {entity}\n");
        office.world.trust(&format!("{root}{line}"));
        office.exec("rule")
    };
    let other = as_observer("Cutter::Person::\"council-2\"");
    assert_eq!((other.exit, ran(&office).as_str()), (5, ""), "{}{}", other.stdout, other.stderr);
    let told = format!("{}{}", other.stdout, other.stderr);
    assert!(told.contains("SG_3 (self_approval"), "{told}");
    let same = as_observer("Cutter::Person::\"council-1\"");
    assert_eq!((same.exit, ran(&office).as_str()), (0, "rule\n"), "{}{}", same.stdout, same.stderr);
}

/// A copy of the ledger, put in its place after the approval was used.
#[test]
fn a_ledger_that_was_put_back_lets_nothing_run_again() {
    let office = office(&ruled_row());
    approve(&office);
    let copy = |from: &str, to: &str| {
        let (from, to) = (office.world.path(from), office.world.path(to));
        assert!(std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
    };
    copy(".cutter", "before");
    assert_eq!(office.exec("rule").exit, 0);
    office.world.remove(".cutter");
    copy("before", ".cutter");
    let again = office.exec("rule");
    assert_eq!((again.exit, ran(&office).as_str()), (8, "rule\n"), "{}{}", again.stdout, again.stderr);
    // Nor does one that the command line names.
    let trust = office.world.trust_path().display().to_string();
    let other = office.world.cutter(&format!("exec --trust {trust} plan.json rule --ledger before"));
    assert_eq!((other.exit, ran(&office).as_str()), (8, "rule\n"), "{}{}", other.stdout, other.stderr);
}

/// A ledger that belongs to somebody who is not root, with and without a head that root published.
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
    let with =
        |row: &str| office.world.cutter(&format!("exec --trust {trust} plan.json {row} --head {}", head.display()));
    let one = with("one");
    assert_eq!((one.exit, ran(&office).as_str()), (0, "one\n"), "{}{}", one.stdout, one.stderr);
    assert_eq!(office.world.cutter(&format!("ledger head --to {}", head.display())).exit, 0);
    assert_eq!(with("two").exit, 0);
    // Rewritten without its last records, by whoever owns it.
    rewrite(&office.world.path(".cutter"), |text| text.lines().take(2).map(|line| format!("{line}\n")).collect());
    let cut = with("three");
    assert_eq!((cut.exit, ran(&office).as_str()), (8, "one\ntwo\n"), "{}{}", cut.stdout, cut.stderr);
}

/// The older bundle, with the signature it had.
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

/// Stopped between the decision and the effect, and continued when the decision no longer holds.
#[test]
fn what_was_stopped_between_decision_and_effect_does_not_run_and_its_approval_stays_used() {
    let office = office(&ruled_row());
    approve(&office);
    office.world.replace("cutter.toml", "[effects", "[ledger]\nstart_within_seconds = 4\n\n[effects");
    office.trust();
    std::fs::remove_dir_all(office.world.path("approvals")).unwrap();
    approve(&office);
    // The end of the chain is locked by somebody else, so that the start has to wait.
    let records = std::fs::File::open(office.world.path(".cutter/records.ndjson")).unwrap();
    let trust = office.world.trust_path().display().to_string();
    records.lock_shared().unwrap();
    let mut child = office.world.command(&["exec", "--trust", &trust, "plan.json", "rule"]).spawn().unwrap();
    let has_its_place =
        || office.world.listing().iter().any(|(path, _)| path.display().to_string().contains(".cutter/run-"));
    wait_until("the row has its place", || {
        assert!(child.try_wait().unwrap().is_none(), "it ended before");
        has_its_place()
    });
    std::thread::sleep(Duration::from_millis(8_000));
    records.unlock().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(8));
    assert_eq!(ran(&office), "");
    let log = office.world.cutter("log").stdout;
    assert!(log.contains("no result") && log.contains("never ran"), "{log}");
    assert_eq!(office.exec("rule").exit, 5);
}

#[test]
fn a_row_that_is_done_is_shown_as_done_in_the_middle_of_a_run() {
    let office = office(&format!("{},{}", ruled_row(), free_row("write", r#","after":["rule"]"#)));
    approve(&office);
    assert_eq!(office.exec("rule").exit, 0);
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

/// An office whose ledger lies in PostgreSQL, as its signed configuration says.
pub fn in_postgres(rows: &str) -> (Server, Office) {
    let server = Server::start();
    server.execute("CREATE ROLE owner LOGIN; CREATE ROLE runs LOGIN; GRANT CREATE ON DATABASE postgres TO owner");
    let office = office(rows);
    let user = user_of(&server);
    let ledger = format!(
        "[ledger]\nrole = \"runs\"\nserver_user = \"{user}\"\n[ledger.database]\nhost = \"{}\"\nuser_env = \"LEDGER_USER\"\n\
         dbname = \"postgres\"\n\n[effects",
        server.socket_directory().display()
    );
    office.world.replace("cutter.toml", "[effects", &ledger);
    office.trust();
    let made = office.world.cutter_with("ledger init", &[("LEDGER_USER", "owner")]);
    assert_eq!(made.exit, 0, "{}{}", made.stdout, made.stderr);
    (server, office)
}

#[test]
fn a_run_uses_the_shared_ledger_that_its_signed_configuration_names_and_no_other() {
    let (server, office) = in_postgres(&[free_row("one", ""), free_row("two", "")].join(","));
    let trust = office.world.trust_path().display().to_string();
    let exec = |more: &str| {
        office.world.cutter_with(&format!("exec --trust {trust} plan.json {more}"), &[("LEDGER_USER", "runs")])
    };
    let one = exec("one");
    assert_eq!((one.exit, ran(&office).as_str()), (0, "one\n"), "{}{}", one.stdout, one.stderr);
    let again = exec("one");
    assert_eq!((again.exit, ran(&office).as_str()), (2, "one\n"), "{}{}", again.stdout, again.stderr);
    // The embedded one is there, and was made for the taking.
    let other = exec("two --ledger .cutter");
    assert_eq!((other.exit, ran(&office).as_str()), (8, "one\n"), "{}{}", other.stdout, other.stderr);
    // Somebody else listens at the socket.
    std::os::unix::fs::chown(server.socket_directory().join(".s.PGSQL.5432"), Some(65534), None).unwrap();
    let stranger = exec("two");
    assert_eq!((stranger.exit, ran(&office).as_str()), (8, "one\n"), "{}{}", stranger.stdout, stranger.stderr);
}

/// Whoever runs says by a variable where the ledger is, and has made another of the same id in a second database.
#[test]
fn no_variable_leads_a_run_to_another_ledger_than_the_signed_one() {
    let (server, office) = in_postgres(&[free_row("one", ""), ruled_row()].join(","));
    office.world.replace(
        "cutter.toml",
        "user_env = \"LEDGER_USER\"\ndbname = \"postgres\"\n",
        "url_env = \"LEDGER_URL\"\ndbname = \"postgres\"\n",
    );
    office.trust();
    server.execute("CREATE DATABASE other");
    let id: String =
        server.connect("owner", "postgres").query_one("SELECT id FROM cutter_ledger.identity()", &[]).unwrap().get(0);
    let made = PostgresLedger::statements(&LedgerId::parse(&id).unwrap(), Some("runs"));
    server.connect("postgres", "other").batch_execute(&made).unwrap();
    let trust = office.world.trust_path().display().to_string();
    let exec = |url: &str| {
        let ran = office.world.cutter_with(&format!("exec --trust {trust} plan.json one"), &[("LEDGER_URL", url)]);
        (ran.exit, ran.stdout + &ran.stderr)
    };
    let (signed, other) = (server.conninfo("runs", "postgres"), server.conninfo("runs", "other"));
    for (expected, url, why) in [
        (0, signed.clone(), "the signed one"),
        (2, signed.clone(), "done already"),
        (8, other.clone(), "another database"),
        (8, format!("{signed} hostaddr=127.0.0.2"), "another address"),
        (8, signed.replace("port=5432", "port=5433"), "another port"),
    ] {
        let (exit, said) = exec(&url);
        assert_eq!((exit, ran(&office).as_str()), (expected, "one\n"), "{why}: {said}");
    }
    // What is not signed is no ledger of a run, and none for a vote either.
    let config = office.world.read("cutter.toml");
    for unsigned in ["dbname = \"postgres\"\n", "host = "] {
        office.world.write("cutter.toml", config.replace(unsigned, if unsigned == "host = " { "#" } else { "" }));
        office.trust();
        let (exit, said) = exec(&other);
        assert_eq!((exit, ran(&office).as_str()), (8, "one\n"), "without {unsigned}: {said}");
        let asked = office.world.cutter_with("approval request plan.json --output asked", &[("LEDGER_URL", &signed)]);
        assert_eq!(asked.exit, 0, "{}{}", asked.stdout, asked.stderr);
        office.world.edit("asked/SG_3.json", |document| {
            document["allowance"] = "explicit".into();
            document["reason"] = "ruled".into();
        });
        let sign = "approval sign --yes asked/SG_3.json --key keys/council-3 --reject --as council-3";
        let vote = office.world.cutter_with(sign, &[("LEDGER_URL", &other)]);
        assert!(vote.exit == 0 && vote.stdout.contains("only beside the document"), "{}{}", vote.stdout, vote.stderr);
        office.world.remove("asked");
    }
}
