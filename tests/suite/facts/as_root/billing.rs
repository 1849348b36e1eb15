//! The whole life of the billing example on real PostgreSQL: its facts change with every step, and every decision can be made again.

use crate::support::judging::words;
use crate::support::postgres::{Options, Server};
use crate::support::ran::Ran;
use crate::support::world::{World, split};
use serde_json::{Value, json};
use std::process::Command;

pub const PLAN: &str = "plans/close-2026-10.json";
const ROWS: [&str; 5] = ["preview", "posting-on", "post", "close", "posting-off"];

/// Billing on a server of its own, with everybody's keys, approvals that are signed, and a first capture.
pub struct Month {
    pub world: World,
    pub server: Server,
}

impl Month {
    pub fn new() -> Self {
        Self::with(|_, _| {})
    }

    /// The same, in which something is otherwise before anything is signed.
    pub fn with(change: impl FnOnce(&World, &Server)) -> Self {
        let server = Server::start_with(&Options::empty().setting("track_functions", "all"));
        let month = Self { world: World::example("billing"), server };
        let (world, server) = (&month.world, &month.server);
        server.execute(&world.read("schema.sql"));
        let psql = server.client("psql").get_program().to_str().unwrap().to_owned();
        let config = world.read("cutter.toml").replace("/usr/lib/postgresql/16/bin/psql", &psql);
        world.write("cutter.toml", config.replace("[evidence]\n", "[evidence]\ncounter_lag_seconds = 1\n"));
        let sql = "SELECT system_identifier::text FROM pg_control_system()";
        let number: String = server.connect("postgres", "postgres").query_one(sql, &[]).unwrap().get(0);
        world.replace(PLAN, "7712265227049099176", &number);
        for name in ["reviewer", "closer", "observer", "attester", "ada", "ben", "dan"] {
            world.make_key(name, "ed25519");
        }
        let signer =
            |name: &str, namespaces: &str| format!("{name} namespaces=\"{namespaces}\" {}", world.public_key(name));
        let approver = |name: &&str| signer(name, "cutter-approval,cutter-reject");
        world.write("policies/allowed_signers", ["ada", "ben", "dan"].iter().map(approver).collect::<String>());
        let root = [("reviewer", "bundle"), ("closer", "plan"), ("observer", "evidence"), ("attester", "attestation")];
        let root: String = root.iter().map(|(name, kind)| signer(name, &format!("cutter-{kind}"))).collect();
        world.trust(&format!(
            "{root}# cutter-signer: closer = Cutter::Agent::\"closer\"\n\
             # cutter-signer: observer = Cutter::Person::\"cleo\"\n# cutter-user: root = Cutter::Agent::\"closer\"\n"
        ));
        change(world, server);
        world.sign_bundle("reviewer");
        world.sign_plan(PLAN, "closer");
        if !world.read("cutter.toml").contains("[ledger.database]") {
            month.succeeds("ledger init");
        }
        month.succeeds(&format!("approval request {PLAN}"));
        for (gate, people) in [("CLOSE", ["ada", "ben"].as_slice()), ("SWITCH", ["dan"].as_slice())] {
            world.edit(&format!("approvals/{gate}.json"), |document| {
                document["allowance"] = json!("explicit");
                document["reason"] = json!("October is complete");
            });
            for who in people {
                month.succeeds(&format!("approval sign --yes approvals/{gate}.json --key keys/{who} --as {who}"));
            }
        }
        month.capture("a.json");
        month
    }

    pub fn cutter(&self, arguments: &str) -> Ran {
        self.words(&split(arguments))
    }

    pub fn words(&self, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.command(arguments))
    }

    /// A command of cutter on the month, not yet run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let words = words(arguments, &self.world.trust_path());
        let mut command = self.world.command(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let socket = self.server.socket_directory().display().to_string();
        command.env("BILLING_CLOSER_URL", self.server.conninfo("closer", "postgres"));
        command.env("BILLING_URL", self.server.conninfo("postgres", "postgres")).envs([
            ("PGHOST", socket.as_str()),
            ("PGPORT", &self.server.port().to_string()),
            ("PGUSER", "postgres"),
            ("PGDATABASE", "postgres"),
        ]);
        command
    }

    fn succeeds(&self, arguments: &str) -> Ran {
        let ran = self.cutter(arguments);
        assert_eq!(ran.exit, 0, "{arguments}: {}{}", ran.stdout, ran.stderr);
        ran
    }

    pub fn capture(&self, name: &str) {
        self.succeeds(&format!("evidence capture --format json --output {name}"));
        self.world.keygen_sign("observer", "cutter-evidence", name);
    }

    pub fn exec(&self, row: &str) -> Ran {
        self.cutter(&format!("exec {PLAN} {row} --facts postgres"))
    }

    /// What a run would like its files to say: nothing was posted, everything balances, the switch is on.
    fn lie(&self) {
        self.world.edit("entities/facts.json", |facts| {
            facts[0]["attrs"] = json!({"batches": [], "balanced": true, "closed": false});
            facts[2]["attrs"]["facts"]["posting_on"] = json!(true);
        });
    }

    pub fn report(&self) -> Value {
        let from = "--baseline a.json --final b.json --facts postgres";
        let ran = self.cutter(&format!("attest {PLAN} {from} --attest report.json --key keys/attester --format json"));
        let report = ran.json();
        let told = json!([report["predicate"]["contradictions"], report["predicate"]["disclosures"]]);
        assert_eq!(ran.exit, 0, "{told:#}{}", ran.stderr);
        report
    }

    pub fn verify(&self, file: &str) -> Ran {
        self.cutter(&format!("verify {file} --policies policies --config cutter.toml --format json"))
    }

    /// Changes the report and signs it again, as its attester could.
    pub fn forge(&self, change: impl FnOnce(&mut Value)) -> Ran {
        self.world.write("forged.json", self.world.read("report.json"));
        let mut statement: Value = self.world.read("report.json").parse().unwrap();
        change(&mut statement);
        let statement: cutter::attestation::Statement<cutter::attestation::report::Report> =
            serde_json::from_value(statement).unwrap();
        self.world.write("forged.json", serde_json::to_string_pretty(&statement).unwrap() + "\n");
        self.world.keygen_sign("attester", "cutter-attestation", "forged.json");
        self.verify("forged.json")
    }
}

#[test]
fn a_month_is_closed_by_facts_that_change_with_every_step_and_its_report_verifies() {
    let month = Month::new();
    let mut digests = std::collections::BTreeSet::new();
    for row in ROWS {
        month.lie();
        // No policy of the other rows reads a fact.
        if ["post", "close"].contains(&row) {
            let stated = month.cutter(&format!("exec {PLAN} {row}"));
            assert_eq!(stated.exit, 7, "{row}: {}{}", stated.stdout, stated.stderr);
        }
        let ran = month.exec(row);
        assert_eq!(ran.exit, 0, "{row}: {}{}", ran.stdout, ran.stderr);
        let shown = month.cutter(&format!("authorize {PLAN} --facts postgres --format json"));
        assert_eq!(shown.exit, 0, "{row}: {}{}", shown.stdout, shown.stderr);
        digests.insert(shown.json()["facts"]["sha256"].to_string());
    }
    assert!(digests.len() >= 3, "facts change: {digests:?}");
    month.capture("b.json");
    let report = month.report();
    assert_eq!(report["predicate"]["verdict"], "AUTHORIZED", "{:#}", report["predicate"]["disclosures"]);
    let verified = month.verify("report.json");
    assert_eq!(verified.exit, 0, "{}{}", verified.stdout, verified.stderr);
    // What had to be so before it began is shown with the values by which it was.
    let of = |id: &str| {
        let rows = report["predicate"]["forbidden"].as_array().unwrap();
        let row = rows.iter().find(|row| row["id"] == id).unwrap();
        (row["status"].clone(), row["because"].as_str().unwrap().to_owned())
    };
    for (ban, value) in [
        ("post-needs-posting-on", "run.facts.posting_on is true for `post`, by the query `run`"),
        ("post-each-batch-once", "Billing::Book::\"2026-10\".batches is [] for `post`, by the query `books`"),
        ("close-needs-balance", "Billing::Book::\"2026-10\".balanced is true for `close`, by the query `books`"),
    ] {
        let (status, because) = of(ban);
        assert!(status == "HELD" && because.contains(value), "{ban}: {status} {because}");
    }
    // Its own preconditions are false by now: the batch is posted, and the month is closed.
    let again = month.cutter(&format!("exec {PLAN} post --facts postgres"));
    assert_ne!(again.exit, 0, "{}", again.stdout);
    // Facts changed in between, and an attester who strips a quorum, or the facts of a decision, is found out.
    type Change = &'static dyn Fn(&mut Value);
    let changes: [(&str, Change); 3] = [
        ("approvals", &|it| it["predicate"]["grounds"]["approvals"][0]["signatures"] = json!([])),
        ("does not hold them as the bundle admits them", &|it| {
            let kept = it["predicate"]["decisions"]["facts"]["sha256"].clone();
            let grounds = &mut it["predicate"]["grounds"];
            grounds["facts"].as_array_mut().unwrap().retain(|set| set["sha256"] == kept);
            let files = grounds["facts"][0]["files"].as_array().unwrap().clone();
            let texts = grounds["texts"].as_array_mut().unwrap();
            texts.retain(|text| files.iter().any(|file| file["sha256"] == text["sha256"]));
        }),
        ("decision", &|it| {
            let records = it["predicate"]["grounds"]["journal"]["records"].as_array_mut().unwrap();
            let is_start =
                |record: &&mut Value| record["record"]["kind"] == "started" && record["record"]["action"] == "post";
            let post = records.iter_mut().find(is_start).unwrap();
            post["record"]["decision"]["row"]["facts_at_use"][0]["value"] = json!("true");
        }),
    ];
    for (says, change) in changes {
        let ran = month.forge(change);
        assert!(ran.exit == 8 && ran.stdout.contains(says), "{says}: {} {}", ran.exit, ran.stdout);
    }
}

/// The statement of a switch sets what its query reads, or nothing of it lasts.
#[test]
fn a_switch_in_a_row_is_set_and_read_again_and_what_is_read_otherwise_does_not_last() {
    let value = |month: &Month| -> String {
        let sql = "SELECT value FROM billing.setting WHERE name = 'posting'";
        month.server.connect("postgres", "postgres").query_one(sql, &[]).unwrap().get(0)
    };
    let month = Month::new();
    assert_eq!(month.exec("preview").exit, 0);
    let ran = month.exec("posting-on");
    assert_eq!((ran.exit, value(&month).as_str()), (0, "on"), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("posting is on"), "{}", ran.stdout);
    assert_eq!((month.exec("posting-off").exit, value(&month).as_str()), (0, "off"));
    assert_eq!((month.exec("posting-off").exit, value(&month).as_str()), (0, "off"));
    for (otherwise, exit) in [
        // Another row than the query reads, a value of its own, no right to it.
        ("UPDATE billing.setting SET value = $1 WHERE name = 'other'", 10),
        ("UPDATE billing.setting SET value = $1 || 'x' WHERE name = 'posting'", 10),
        ("UPDATE billing.book SET month = $1", 10),
    ] {
        let spoiled = Month::with(|world, _| {
            world.replace("cutter.toml", "UPDATE billing.setting SET value = $1 WHERE name = 'posting'", otherwise);
        });
        assert_eq!(spoiled.exec("preview").exit, 0);
        let ran = spoiled.exec("posting-on");
        assert_eq!((ran.exit, value(&spoiled).as_str()), (exit, "off"), "{otherwise}: {}{}", ran.stdout, ran.stderr);
    }
}

/// Only exactly as many writes beneath a switch as were declared explain that it may have moved.
#[test]
fn writes_beneath_a_switch_that_nobody_declared_leave_it_unknown() {
    let month = Month::with(|world, _| {
        let config = world.read("cutter.toml").replace("\"below updated\" = 1", "\"below updated\" = 2");
        world.write("cutter.toml", config);
    });
    for row in ROWS {
        assert_eq!(month.exec(row).exit, 0, "{row}");
    }
    month.capture("b.json");
    let ran = month.cutter(&format!("attest {PLAN} --baseline a.json --final b.json --facts postgres --format json"));
    let rows = ran.json()["predicate"]["non_mutation"].clone();
    let switch = rows.as_array().unwrap().iter().find(|row| row["id"] == "flag:posting").unwrap();
    assert_eq!((ran.exit, &switch["status"]), (7, &"UNKNOWN".into()), "{switch}{}", ran.stderr);
}
