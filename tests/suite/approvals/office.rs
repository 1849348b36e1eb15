//! A shipped project whose preconditions are closed, people with keys, and a ledger.

use crate::support::ran::Ran;
use crate::support::world::{COMPENSATION, World, scripted};
use serde_json::{Value, json};

pub const NOW: &str = "2026-05-21T08:15:00Z";
pub use crate::support::world::PLAN;
pub const PEOPLE: [&str; 8] =
    ["sovereign", "president", "council-1", "council-2", "council-3", "operator", "on-call", "run-agent"];

pub struct Office {
    pub world: World,
}

impl Office {
    pub fn new() -> Self {
        let world = World::shipped();
        close_preconditions(&world);
        world.declare("compensate", COMPENSATION, &scripted("true"));
        let office = Self { world };
        let lines: Vec<String> = PEOPLE.iter().map(|name| office.signer(name, "")).collect();
        office.world.make_key("stranger", "ed25519");
        office.world.write("policies/allowed_signers", lines.concat());
        let ran = office.world.cutter("ledger init");
        assert_eq!(ran.exit, 0, "{}", ran.stderr);
        office
    }

    /// A line of allowed signers for a new key.
    pub fn signer(&self, name: &str, options: &str) -> String {
        let public = self.world.make_key(name, "ed25519");
        format!("{name} namespaces=\"cutter-approval,cutter-reject\"{options} {public}")
    }

    /// Requests approvals for a plan and fills each as its person would.
    pub fn request(&self, plan: &str) {
        let ran = self.world.cutter(&format!("approval request {plan} --now {NOW}"));
        assert_eq!(ran.exit, 0, "{}", ran.stderr);
        for entry in std::fs::read_dir(self.world.path("approvals")).unwrap() {
            let gate = entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned();
            self.edit(&gate, |document| {
                document["allowance"] = json!("explicit");
                document["reason"] = json!("first controlled run, as ruled on 2026-05-21");
                if document.get("reference").is_some() {
                    document["reference"] = json!("e5c1a7d2");
                }
            });
        }
    }

    pub fn edit(&self, gate: &str, change: impl FnOnce(&mut Value)) {
        self.world.edit(&format!("approvals/{gate}.json"), change);
    }

    /// Signs a document with plain `ssh-keygen`, in the default place.
    pub fn sign(&self, gate: &str, who: &str) {
        self.sign_as(gate, who, "cutter-approval", "sig");
    }

    /// Signs for a quorum: `GATE.json.<who>.sig`.
    pub fn vote(&self, gate: &str, who: &str, namespace: &str) {
        self.sign_as(gate, who, namespace, &format!("{who}.sig"));
    }

    pub fn sign_as(&self, gate: &str, who: &str, namespace: &str, extension: &str) {
        self.world.write("scratch", self.world.read(&format!("approvals/{gate}.json")));
        self.world.keygen_sign(who, namespace, "scratch");
        let place = self.world.path(&format!("approvals/{gate}.json.{extension}"));
        std::fs::rename(self.world.path("scratch.sig"), place).unwrap();
    }

    pub fn authorize(&self, plan: &str, more: &str) -> Ran {
        self.world.cutter(&format!("authorize {plan} --now {NOW} --format json {more}"))
    }

    /// The shown code of a gate's document; `accepted` where it opens the gate.
    pub fn code(&self, plan: &str, gate: &str, more: &str) -> String {
        self.judged(plan, gate, more).0
    }

    /// The same with all reasons.
    pub fn judged(&self, plan: &str, gate: &str, more: &str) -> (String, String) {
        let ran = self.world.cutter(&format!("approval list {plan} --now {NOW} --format json {more}"));
        assert_eq!(ran.exit, 0, "{}", ran.stderr);
        let rows = ran.json()["approvals"].as_array().unwrap().clone();
        // A document that cannot be read names no gate; its file does.
        let own = |row: &&Value| row["file"] == format!("approvals/{gate}.json");
        let row = rows.iter().find(own).or_else(|| rows.iter().find(|row| row["gate"] == gate)).unwrap();
        let details = row["details"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let code = row["code"].as_str().map_or("accepted".to_owned(), str::to_owned);
        (code, details.collect::<Vec<_>>().join(" | "))
    }

    /// Signs bundle and plan under a trust root of the office's own.
    pub fn trust(&self) {
        if !self.world.key_path("reviewer").exists() {
            self.world.make_key("reviewer", "ed25519");
            self.world.make_key("author", "ed25519");
        }
        self.world.trust(&format!(
            "reviewer namespaces=\"cutter-bundle\" {}planner namespaces=\"cutter-plan\" {}\
             # cutter-signer: planner = Cutter::Agent::\"planner\"\n\
             # cutter-user: root = Cutter::Agent::\"run-agent\"\n",
            self.world.public_key("reviewer"),
            self.world.public_key("author"),
        ));
        self.world.sign_bundle("reviewer");
        self.world.sign_plan("plan.json", "author");
    }

    /// Runs one action of `plan.json` under the trust root; the words after it may hold `--` and a command.
    pub fn exec(&self, action: &str) -> Ran {
        self.world.cutter(&format!("exec --trust {} plan.json {action}", self.world.trust_path().display()))
    }

    /// The same for an action whose name may hold blanks.
    pub fn exec_word(&self, action: &str) -> Ran {
        let trust = self.world.trust_path().display().to_string();
        self.world.cutter_words(&["exec", "--trust", &trust, "plan.json", action])
    }

    /// Requests and signs FLIP, SG_1 and SG_2 for the O9 plan.
    pub fn approve_o9(&self) {
        self.request(PLAN);
        for gate in ["FLIP", "SG_1", "SG_2"] {
            self.sign(gate, "sovereign");
        }
    }
}

/// F4, GAP7 and GAP8 are closed, and so is all that the run itself would bring about.
fn close_preconditions(world: &World) {
    let mut runs: Value = world.read("entities/runs.json").parse().unwrap();
    for run in runs.as_array_mut().unwrap() {
        let facts = &mut run["attrs"]["facts"];
        facts["backup_key"] = json!({"fingerprint_set": true, "public_key_imported": true, "selftest_passed": true});
        facts["ruling"] = json!({"recorded": true});
    }
    world.write("entities/runs.json", runs.to_string());
    let target = r#""id": "generic-first-target"}, "attrs": {"registered": false, "snapshot": false, "dry_run_green": false, "units": 0,"#;
    let safe = r#""id": "generic-first-target"}, "attrs": {"registered": true, "snapshot": true, "dry_run_green": true, "units": 2,"#;
    world.replace("entities/documents.json", target, safe);
}

/// A plan of its own, for the run of the sampler.
pub fn plan(author: &str, principal: &str, rows: &str) -> String {
    format!(
        r#"{{"version":1,"plan":"small","run":"ictr-20260521T100000Z-5a5a5a5a","mode":"live","author":"{author}",
        "principal":"{principal}","target":{{"database":"7611578671664259111"}},"actions":[{rows}]}}"#
    )
}

pub const AGENT: &str = r#"Cutter::Agent::\"run-agent\""#;
pub const PLANNER: &str = r#"Cutter::Agent::\"planner\""#;
pub const COMPENSATE: &str = r#"{"id":"compensate","effect":"compensate"}"#;
