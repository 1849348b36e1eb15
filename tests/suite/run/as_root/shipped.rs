//! The first production run of the seed report, carried out on a database of its shape: drafts appear, are enacted, and the report says
//! who allowed what.

use crate::attest::scene::{CONTAINER, FREE, SECRET, Scene, row};
use crate::facts::as_root::backup::Keys;
use crate::ledger::scene::user_of;
use crate::run::observer::{self, Observer};
use crate::run::states;
use crate::support::judging::words;
use crate::support::postgres::Server;
use crate::support::ran::Ran;
use crate::support::world::{PLAN, mode, shell, split};
use serde_json::{Value, json};
use std::fs;
use std::process::{Command, Stdio};

/// What the domain's own program does for each phase, as short as it can be.
const PHASE: &str = r#"#!SHELL
set -eu
ask() { user=$1; shift; PSQL -qXAt -v ON_ERROR_STOP=1 -h SOCKET -d directus -U "$user" -c "$*"; }
units="canonical_address LIKE 'GENERIC/%'"
case "$1" in
cutplan)
  printf '[{"canonical_address":"GENERIC/1","title":"One","body":"The first unit."},' > FILE.tmp
  printf '{"canonical_address":"GENERIC/2","title":"Two","body":"The second unit."}]' >> FILE.tmp
  mv FILE.tmp FILE
  first=$(sha256sum FILE | cut -c 1-64); second=$(sha256sum < FILE | cut -c 1-64)
  printf '{"units":2,"writer_digest":"%s","second_digest":"%s"}' "$first" "$second" ;;
closeout) echo "report of the run" > REPORT ;;
structural-verify)
  test "$(ask cutter_verify "SELECT count(*) FROM public.information_unit WHERE $units AND lifecycle_status = 'draft'")" = 2
  printf '{"passed":true}' ;;
leg-b-record)
  ask cutter_exec "WITH made AS (
      SELECT gen_random_uuid() AS decision, gen_random_uuid() AS change, e.envelope_id AS envelope FROM cutter_governance.manifest_envelope e
      WHERE e.docprefix = 'ICX-CONST' LIMIT 1
    ), decided AS (
      INSERT INTO cutter_governance.review_decision SELECT decision, 'lifecycle_enactment', envelope, 'v0.6', NULL, 'generic-first-target, 2 units',
        'decided', 'approve', '[]', 'decision_authority', '{}', 'high', now(), 'GPT/User', false, NULL, NULL, NULL, change, NULL, NULL, 'v0.6', 1,
        now(), now() FROM made
    ), changed AS (
      INSERT INTO cutter_governance.cut_change_set SELECT change, change::text, change::text, envelope, 'v0.6', decision, NULL, 'committed', 'high', 2,
        'cutter_exec', NULL, 'v0.6', 'v0.6', NULL, 'digest', 'digest', NULL, NULL, now(), now(), NULL, now(), now() FROM made
    ) SELECT json_build_object('review_decision_id', decision, 'made_for', 'lifecycle_enact') FROM made" ;;
write-verify)
  ask cutter_verify "INSERT INTO cutter_governance.verify_result SELECT gen_random_uuid(), c.change_set_id, c.manifest_id, 'v0.6',
      c.review_decision_id, NULL, NULL, 'v0.6', 'v0.6', true, 'write', 'pass', '[]', 'pass', '[]', 'PASS', 'done', 'none', 2, 2, 1, 'cutter_verify',
      now(), now(), now(), now() FROM cutter_governance.cut_change_set c WHERE c.manifest_version = 'v0.6'"
  printf '{"passed":true}' ;;
*) ask cutter_observe "SELECT 1" ;;
esac
"#;

/// Everybody and everything that the run needs, but for the approvals.
struct Production {
    scene: Scene,
    /// A session with the ledger stays for the whole run, and would leave it open what it did for as long.
    _ledger: Server,
    _keys: Keys,
    observer: Observer,
}

impl Production {
    fn new(phase: &str) -> Self {
        let mut production = Self {
            scene: Scene::new(),
            _ledger: Server::start(),
            _keys: Keys::make("Vault <vault@example.org>", "all"),
            observer: Observer::default(),
        };
        let (scene, keys) = (&production.scene, &production._keys);
        let (server, ledger) = (&scene.server, &production._ledger);
        ledger.execute_each("CREATE ROLE owner LOGIN;; CREATE ROLE runs LOGIN;; CREATE DATABASE ledger OWNER owner");
        let observer = observer::lay(scene, server.socket_directory());
        server
            .connect("workflow_admin", "directus")
            .batch_execute(
                "INSERT INTO cutter_governance.source_document_registry VALUES
                   ('generic', 'generic-first-target', 'A first target', 'informative', 'active', 'sovereign', now());
                 INSERT INTO cutter_governance.source_document_version_registry VALUES
                   (gen_random_uuid(), 'generic', 'v1', 'snapshot:generic-v1', repeat('0', 64), 100, 2, 'sovereign', now())",
            )
            .unwrap();
        for (name, text) in [
            ("backup-key", "fingerprint_set=true\npublic_key_imported=true\nselftest_passed=true\n"),
            ("dry-run", "generic-first-target=PASS\n"),
            ("ruling", "ruling_recorded=true\n"),
        ] {
            scene.write(&format!("operator/{name}.status"), text);
        }
        // The verifier's user reaches the server, too.
        mode(ledger.socket_directory(), 0o755);
        fs::create_dir(scene.path("runtime/runs")).unwrap();
        fs::create_dir(scene.path("runtime/backups")).unwrap();
        let socket = server.socket_directory().display().to_string();
        let program = |name: &str| fs::canonicalize(server.client(name).get_program()).unwrap().display().to_string();
        let file = scene.path("runtime/runs/cutplan.json").display().to_string();
        let phase = phase
            .replace("SHELL", &shell())
            .replace("PSQL", &program("psql"))
            .replace("SOCKET", &socket)
            .replace("FILE", &file)
            .replace("REPORT", &scene.path("runtime/runs/report.md").display().to_string());
        fs::write(scene.safe("phase"), phase).unwrap();
        mode(&scene.safe("phase"), 0o755);
        fs::write(scene.safe("backup-key.asc"), keys.public()).unwrap();
        let (user, of_ledger) = (user_of(ledger), ledger.socket_directory().display());
        let (here, key) = (scene.folder().display().to_string(), scene.safe("backup-key.asc").display().to_string());
        scene.configure(|config| {
            let observe = config.find("[connections.cutter_observe]").unwrap();
            let end = observe + config[observe..].find("\n\n").unwrap();
            let (before, after) = (&config[..observe], &config[end..]);
            let config = format!(
                "{before}[connections.cutter_observe]\nhost = \"{socket}\"\ndbname = \"directus\"\nuser = \"cutter_observe\"{after}"
            );
            let ledger = format!(
                "[ledger]\nrole = \"runs\"\nserver_user = \"{user}\"\n[ledger.database]\nhost = \"{of_ledger}\"\nuser_env = \"LEDGER_USER\"\n\
                 dbname = \"ledger\"\n\n[backup]\nfingerprint = \"{}\"\n",
                keys.fingerprint()
            );
            let config = config + &observer;
            config
                .replace("[backup]\n", &ledger)
                .replace("/etc/cutter/backup-key.asc", &key)
                .replace("/usr/lib/postgresql/16/bin/pg_dump", &program("pg_dump"))
                .replace(&format!("{here}/v0.6/bin/phase"), &scene.safe("phase").display().to_string())
                .replace("/var/lib/cutter/runs/cutplan.json", &file)
                .replace("folder = \"/var/lib/cutter/backups\"", &format!("folder = \"{here}/runtime/backups\""))
        });
        let key = scene.make_key("sovereign", "ed25519");
        let signer = format!("sovereign namespaces=\"cutter-approval,cutter-reject\" {key}");
        scene.write("policies/allowed_signers", signer);
        let root = fs::read_to_string(scene.trust_path()).unwrap();
        scene.trust(&format!("{root}# cutter-user: nobody = Cutter::Agent::\"verify-agent\"\n"));
        scene.sign();
        production.pin_the_tree();
        scene.sign();
        production.succeeds("ledger init", "owner");
        // What git thinks of another user's folder is the observer's own affair.
        let git = [("GIT_CONFIG_COUNT", "1"), ("GIT_CONFIG_KEY_0", "safe.directory"), ("GIT_CONFIG_VALUE_0", "*")];
        production.observer.start(&production.scene, &git);
        production
    }

    /// Both digests of the deployed tree, as a reviewer pins them.
    fn pin_the_tree(&self) {
        let digest = || {
            let shown =
                self.cutter(&format!("authorize {PLAN} --ledger .cutter --facts postgres --format json"), "runs");
            let shown = shown.json();
            shown["decisions"][0]["context"]["run"]["facts"]["tree"]["digest"].as_str().unwrap().to_owned()
        };
        let file = "v0.6/orchestrator/__init__.py";
        let off = digest();
        self.scene.write(file, "__execution_enabled__ = True\n");
        let on = digest();
        self.scene.write(file, "__execution_enabled__ = False\n");
        self.scene.replace("cutter.toml", "b8087b56d51bc1284d333ead2dcd00c432965721c3b2e48a38f5f5e62dfcfde4", &off);
        self.scene.replace("cutter.toml", "be6f630ab18f0c8da47f649a88b7cdd4cb9522609c73b43591b38948b88949de", &on);
    }

    fn command(&self, arguments: &[&str], ledger: &str) -> Command {
        let words = words(arguments, &self.scene.trust_path());
        let mut command = self.scene.command(&words.iter().map(String::as_str).collect::<Vec<_>>());
        command.env("LEDGER_USER", ledger).env("CUTTER_TEST_TOKEN", SECRET);
        command
    }

    fn cutter(&self, arguments: &str, ledger: &str) -> Ran {
        Ran::of(&mut self.command(&split(arguments), ledger))
    }

    fn succeeds(&self, arguments: &str, ledger: &str) -> Ran {
        let ran = self.cutter(arguments, ledger);
        assert_eq!(ran.exit, 0, "{arguments}: {}{}", ran.stdout, ran.stderr);
        ran
    }

    /// Requests what is missing, and the sovereign signs each document.
    fn approve(&self, files: &[&str], decision: Option<&str>) {
        self.succeeds(&format!("approval request {PLAN} --renew --facts postgres"), "runs");
        for file in files {
            self.scene.edit(&format!("approvals/{file}.json"), |document| {
                document["allowance"] = json!("explicit");
                document["reason"] = json!("first controlled run, as ruled");
                if let Some(decision) = decision.filter(|_| document.get("reference").is_some()) {
                    document["reference"] = json!(decision);
                }
            });
            self.succeeds(&format!("approval sign --yes approvals/{file}.json --key keys/sovereign"), "runs");
        }
    }

    fn run(&self, flags: &str) -> Ran {
        self.cutter(&format!("run {PLAN} --facts postgres --format json {flags}"), "runs")
    }

    fn count(&self, sql: &str) -> i64 {
        self.scene.server.connect("postgres", "directus").query_one(sql, &[]).unwrap().get(0)
    }

    fn switch(&self) -> String {
        self.scene.read("v0.6/orchestrator/__init__.py").trim().to_owned()
    }
}

const UNITS: &str =
    "SELECT count(*) FROM public.information_unit WHERE canonical_address LIKE 'GENERIC/%' AND lifecycle_status = ";

#[test]
fn the_first_production_run_is_carried_out_in_two_parts_and_its_report_verifies() {
    let production = Production::new(PHASE);
    let scene = &production.scene;
    // Without approvals what needs none is done, and nothing of the rest begins.
    let bare = production.run("");
    assert_eq!(bare.exit, 5, "{}{}", bare.stdout, bare.stderr);
    let done: Vec<String> =
        states(&bare).into_iter().filter(|(_, state)| state == "done").map(|(row, _)| row).collect();
    assert_eq!(done, [&FREE[..], &["flip-off"]].concat(), "{}", bare.stdout);
    assert_eq!(production.switch(), "__execution_enabled__ = False");
    production.approve(&["FLIP", "SG_1"], None);
    let mut driver = production
        .command(&split(&format!("run {PLAN} --resume --events events.ndjson --facts postgres --format json")), "runs");
    let mut driver = driver.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The verifier is another user; the run waits for its row.
    let waits = || {
        let events = fs::read_to_string(scene.path("events.ndjson")).unwrap_or_default();
        events.contains(r#""row":"write-verify","event":"waits""#)
    };
    let began = std::time::Instant::now();
    while !waits() && driver.try_wait().unwrap().is_none() && began.elapsed().as_secs() < 120 {
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    let verified = production.as_nobody(&format!("exec {PLAN} write-verify --facts postgres"));
    let first: Ran = driver.wait_with_output().unwrap().into();
    assert_eq!(verified.exit, 0, "{}{}\n{}{}", verified.stdout, verified.stderr, first.stdout, first.stderr);
    assert_eq!(first.exit, 5, "{}{}", first.stdout, first.stderr);
    assert_eq!(first.json()["state"], "PAUSED");
    let open: Vec<String> =
        states(&first).into_iter().filter(|(_, state)| state != "done").map(|(row, _)| row).collect();
    assert_eq!(open, ["resume-enact", "enact", "closeout", "end"], "{}", first.stdout);
    assert_eq!(production.count(&format!("{UNITS}'draft'")), 2);
    assert_eq!(production.switch(), "__execution_enabled__ = False");
    let decision: String = scene
        .server
        .connect("postgres", "directus")
        .query_one(
            "SELECT review_decision_id::text FROM cutter_governance.review_decision WHERE manifest_version = 'v0.6'",
            &[],
        )
        .unwrap()
        .get(0);
    production.approve(&["FLIP-2", "SG_2"], Some(&decision));
    // What an operator saves of the container says something of the run only if it was saved during it.
    scene.save_the_container(CONTAINER);
    let second = production.run("--resume");
    assert_eq!(second.exit, 0, "{}{}", second.stdout, second.stderr);
    assert_eq!(
        (second.json()["state"].as_str(), production.switch().as_str()),
        (Some("COMPLETED"), "__execution_enabled__ = False")
    );
    assert_eq!((production.count(&format!("{UNITS}'draft'")), production.count(&format!("{UNITS}'enacted'"))), (0, 2));
    println!("captures took {:?} ms", observer::took(scene, second.json()["run"].as_str().unwrap()));
    let report = production.cutter(
        &format!("attest {PLAN} --facts postgres --attest report.json --key keys/attester --format json"),
        "runs",
    );
    let statement = report.json();
    let disclosed = statement["predicate"]["disclosures"].as_array().unwrap();
    let unknown: Vec<&Value> = disclosed.iter().filter(|one| one["kind"] == "unknown").collect();
    let told = json!([statement["predicate"]["contradictions"], unknown]);
    assert_eq!(report.exit, 0, "{told:#}{}", report.stderr);
    for ban in
        ["no-production-mutation-without-approval", "no-switch-on-without-approval", "no-live-commit-without-flip"]
    {
        assert_eq!(row(&statement, "forbidden", ban)["status"], "DONE_WITH_APPROVAL", "{ban}");
    }
    let verified = production.cutter("verify report.json --policies policies --expect AUTHORIZED", "runs");
    assert_eq!(verified.exit, 0, "{}{}", verified.stdout, verified.stderr);
}

/// Leg A is committed, and leg B fails: nothing is taken away, and what could be done is proposed.
#[test]
fn a_cut_that_stops_between_its_legs_is_held_with_both_proposals_and_keeps_its_drafts() {
    let production = Production::new(&PHASE.replace("leg-b-record)\n", "leg-b-record)\n  exit 3\n"));
    let scene = &production.scene;
    assert_eq!(production.run("").exit, 5);
    production.approve(&["FLIP", "SG_1"], None);
    let held = production.run("--resume --compensation held");
    assert_eq!(
        (held.exit, production.switch().as_str()),
        (10, "__execution_enabled__ = False"),
        "{}{}",
        held.stdout,
        held.stderr
    );
    let record = held.json();
    let run = record["run"].as_str().unwrap();
    let names = ["01-cut-A-soft-revert.sql", "02-cut-B-revert-decision.sql"];
    assert_eq!(record["proposals"], json!(names.map(|name| format!("held/{run}/{name}"))), "{record:#}{}", held.stderr);
    assert!(held.stderr.contains("the run has no `run.facts.review_decision.id`"), "{}", held.stderr);
    assert!(record["next"][0].as_str().unwrap().contains("--void --reason"), "{record:#}");
    // Both are SQL that the database takes, and neither takes anything away.
    let decision = scene.read(&format!("held/{run}/{}", names[1]));
    assert!(decision.contains(&format!("'{run}'")), "{decision}");
    scene.server.connect("workflow_admin", "directus").batch_execute(&decision).unwrap();
    let refused = scene
        .server
        .connect("workflow_admin", "directus")
        .batch_execute(&scene.read(&format!("held/{run}/{}", names[0])));
    assert!(refused.unwrap_err().to_string().contains("db error"), "the gateway's guard lets nobody write past it");
    assert_eq!(production.count(&format!("{UNITS}'draft'")), 2);
    // The last capture shows what the run left behind.
    let report = production.cutter(&format!("attest {PLAN} --facts postgres --format json"), "runs");
    assert_eq!(
        row(&report.json(), "non_mutation", "relation:public.information_unit")["status"],
        "EXPECTED",
        "{}",
        report.stderr
    );
}

impl Production {
    /// The verifier's own user.
    fn as_nobody(&self, arguments: &str) -> Ran {
        let words = words(&split(arguments), &self.scene.trust_path());
        self.scene.cutter_as_nobody_with(&words.join(" "), &[("LEDGER_USER", "runs")])
    }
}
