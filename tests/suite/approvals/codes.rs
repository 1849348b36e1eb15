//! Every reject code of the contract, each produced by the fault it is named after.

use crate::approvals::office::{AGENT, COMPENSATE, NOW, Office, PLAN, PLANNER, plan};
use crate::support::world::scripted;
use serde_json::json;

/// What is done to a good approval, and the code that must then be shown for its gate.
struct Case {
    code: &'static str,
    gate: &'static str,
    spoil: fn(&Office),
    more: &'static str,
}

/// Edits SG_1 and signs it again.
fn resign(office: &Office, change: fn(&mut serde_json::Value)) {
    office.edit("SG_1", change);
    office.sign("SG_1", "sovereign");
}

const CASES: &[Case] = &[
    Case { code: "accepted", gate: "SG_1", spoil: |_| {}, more: "" },
    Case {
        code: "missing",
        gate: "SG_1",
        spoil: |o| {
            o.world.remove("approvals/SG_1.json");
            o.world.remove("approvals/SG_1.json.sig");
        },
        more: "",
    },
    Case { code: "malformed", gate: "SG_1", spoil: |o| resign(o, |d| d["extra"] = json!(1)), more: "" },
    Case { code: "placeholder", gate: "SG_1", spoil: |o| resign(o, |d| d["reason"] = json!("TODO")), more: "" },
    Case { code: "placeholder", gate: "SG_1", spoil: |o| resign(o, |d| d["reason"] = json!("")), more: "" },
    Case { code: "placeholder", gate: "SG_1", spoil: |o| resign(o, |d| d["id"] = json!("sg1-<run_id>")), more: "" },
    Case { code: "placeholder", gate: "SG_1", spoil: |o| resign(o, |d| d["reason"] = json!("2026-05-21")), more: "" },
    Case { code: "not_explicit", gate: "SG_1", spoil: |o| resign(o, |d| d["allowance"] = json!("")), more: "" },
    Case { code: "not_explicit", gate: "SG_1", spoil: |o| resign(o, |d| d["allowance"] = json!("Explicit")), more: "" },
    Case { code: "unsigned", gate: "SG_1", spoil: |o| o.world.remove("approvals/SG_1.json.sig"), more: "" },
    Case {
        code: "bad_signature",
        gate: "SG_1",
        spoil: |o| o.edit("SG_1", |d| d["reason"] = json!("another reason, written after signing")),
        more: "",
    },
    Case { code: "wrong_namespace", gate: "SG_1", spoil: |o| o.sign_as("SG_1", "sovereign", "file", "sig"), more: "" },
    Case { code: "unknown_signer", gate: "SG_1", spoil: |o| o.sign("SG_1", "stranger"), more: "" },
    // A person that only the run's own facts know is nobody, however the key is listed.
    Case {
        code: "unknown_signer",
        gate: "SG_1",
        spoil: |o| {
            let line = format!("stranger namespaces=\"cutter-approval\" {}", o.world.read("keys/stranger.pub"));
            o.world.write("policies/allowed_signers", line);
            o.world.write("entities/more.json", r#"[{"uid": {"type": "Cutter::Person", "id": "stranger"}, "attrs": {}, "parents": [{"type": "Cutter::Group", "id": "sovereign"}]}]"#);
            o.sign("SG_1", "stranger");
        },
        more: "",
    },
    Case {
        code: "revoked",
        gate: "SG_1",
        spoil: |o| o.world.write("revoked", o.world.read("keys/sovereign.pub")),
        more: "--revoked revoked",
    },
    Case {
        code: "wrong_ledger",
        gate: "SG_1",
        spoil: |o| resign(o, |d| d["ledger"] = json!("00112233445566778899aabbccddeeff")),
        more: "",
    },
    Case {
        code: "wrong_ledger",
        gate: "SG_1",
        spoil: |o| {
            o.world.remove_if_there("another");
            assert_eq!(o.world.cutter("ledger init --ledger another").exit, 0);
        },
        more: "--ledger another",
    },
    Case {
        code: "wrong_target",
        gate: "SG_1",
        spoil: |o| resign(o, |d| d["target"]["document"] = json!("ICX-CONST")),
        more: "",
    },
    Case { code: "wrong_target", gate: "SG_1", spoil: |o| resign(o, |d| d["target"] = json!({})), more: "" },
    Case { code: "wrong_run", gate: "SG_1", spoil: |o| resign(o, |d| d["run"] = json!("ictr-another")), more: "" },
    Case { code: "wrong_plan", gate: "SG_1", spoil: |o| o.world.write(PLAN, o.world.read(PLAN) + " "), more: "" },
    Case {
        code: "wrong_policies",
        gate: "SG_1",
        spoil: |o| o.world.write("policies/permits.cedar", o.world.read("policies/permits.cedar") + "// one comment\n"),
        more: "",
    },
    Case {
        code: "wrong_policies",
        gate: "SG_1",
        spoil: |o| o.world.write("cutter.toml", o.world.read("cutter.toml") + "# one comment\n"),
        more: "",
    },
    Case {
        code: "wrong_work",
        gate: "SG_1",
        spoil: |o| resign(o, |d| d["rows"][0]["work"]["does"] = json!("reads")),
        more: "",
    },
    Case {
        code: "wrong_work",
        gate: "SG_1",
        spoil: |o| resign(o, |d| drop(d["rows"][0].as_object_mut().unwrap().remove("work"))),
        more: "",
    },
    Case {
        code: "wrong_work",
        gate: "SG_1",
        spoil: |o| resign(o, |d| d["rows"][0]["principal"] = json!("Cutter::Agent::\"another\"")),
        more: "",
    },
    Case {
        code: "wrong_target",
        gate: "SG_1",
        spoil: |o| resign(o, |d| d["target"]["tenant"] = json!("acme")),
        more: "",
    },
    Case {
        code: "wrong_baseline",
        gate: "SG_1",
        spoil: |o| {
            o.world.write("baseline.json", "{}");
            resign(o, |d| {
                d["baseline_sha256"] = json!("44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8b")
            });
        },
        more: "",
    },
    Case {
        code: "accepted",
        gate: "SG_1",
        spoil: |o| {
            o.world.write("baseline.json", "{}");
            resign(o, |d| {
                d["baseline_sha256"] = json!("44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")
            });
        },
        more: "--baseline baseline.json",
    },
    Case { code: "wrong_gate", gate: "SG_1", spoil: |o| o.sign("SG_1", "operator"), more: "" },
    Case { code: "wrong_gate", gate: "SG_1", spoil: |o| o.sign("SG_1", "council-1"), more: "" },
    Case {
        code: "wrong_decision",
        gate: "SG_2",
        spoil: |o| {
            o.edit("SG_2", |d| drop(d.as_object_mut().unwrap().remove("reference")));
            o.sign("SG_2", "sovereign");
        },
        more: "",
    },
    Case { code: "generic_scope", gate: "SG_1", spoil: |o| resign(o, |d| d["rows"][0]["id"] = json!("*")), more: "" },
    Case {
        code: "loose_superset",
        gate: "SG_1",
        spoil: |o| {
            resign(o, |d| {
                let mut more = d["rows"][0].clone();
                more["id"] = json!("enact");
                d["rows"].as_array_mut().unwrap().push(more);
            })
        },
        more: "",
    },
    Case {
        code: "subset",
        gate: "SG_1",
        spoil: |o| resign(o, |d| drop(d["rows"].as_array_mut().unwrap().pop())),
        more: "",
    },
    Case { code: "self_approval", gate: "SG_1", spoil: |o| o.sign("SG_1", "run-agent"), more: "" },
    Case {
        code: "not_yet_valid",
        gate: "SG_1",
        spoil: |o| resign(o, |d| d["issued_at"] = json!("2026-05-21T08:15:00.001Z")),
        more: "",
    },
    Case {
        code: "expired",
        gate: "SG_1",
        spoil: |o| {
            resign(o, |d| {
                d["issued_at"] = json!("2026-05-20T08:15:00Z");
                d["expires_at"] = json!("2026-05-21T08:15:00Z");
            });
        },
        more: "",
    },
    Case {
        code: "ttl_too_long",
        gate: "SG_1",
        spoil: |o| resign(o, |d| d["expires_at"] = json!("2026-05-22T08:15:00.001Z")),
        more: "",
    },
    Case {
        code: "ttl_too_long",
        gate: "FLIP",
        spoil: |o| {
            o.edit("FLIP", |d| d["expires_at"] = json!("2026-05-21T20:15:00.001Z"));
            o.sign("FLIP", "sovereign");
        },
        more: "",
    },
    Case { code: "vetoed", gate: "SG_1", spoil: |o| o.vote("SG_1", "sovereign", "cutter-reject"), more: "" },
    Case {
        code: "ambiguous",
        gate: "SG_1",
        spoil: |o| {
            o.world.write("approvals/SG_1-again.json", o.world.read("approvals/SG_1.json"));
            o.world.write("approvals/SG_1-again.json.sig", o.world.read("approvals/SG_1.json.sig"));
        },
        more: "",
    },
];

#[test]
fn every_fault_of_an_approval_gets_its_own_code_and_opens_nothing() {
    let reasons = try_cases(&Office::new(), |_| true);
    let golden = crate::support::world::root().join("tests/suite/approvals/reasons.txt");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&golden, &reasons).unwrap();
    }
    assert_eq!(reasons, std::fs::read_to_string(golden).unwrap());
}

/// Codes that are the team's: who may open a gate, on what decision, and lives shorter than a day.
const OF_THE_TEAM: [&str; 2] = ["wrong_gate", "wrong_decision"];

#[test]
fn a_bundle_that_lets_anybody_judge_and_asks_for_nothing_rejects_every_such_approval_all_the_same() {
    let office = Office::new();
    let permits = [("vote", "anybody-votes"), ("open_gate", "anybody-opens")].map(|(action, id)| {
        format!("@id(\"{id}\")\npermit (principal, action == Cutter::Action::\"{action}\", resource);\n")
    });
    office.world.write("policies/gates.cedar", permits.concat());
    office.world.remove("policies/invariants");
    try_cases(&office, |case| !OF_THE_TEAM.contains(&case.code) && (case.code, case.gate) != ("ttl_too_long", "FLIP"));
}

#[test]
fn every_code_of_the_prelude_has_a_case() {
    let policies = cutter::prelude::Prelude::current().policies;
    let codes: Vec<&str> = policies.split("@code(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(codes.len() > 10);
    // What was used is known from the ledger alone: see exec.rs.
    for code in codes.into_iter().filter(|code| *code != "already_consumed") {
        assert!(CASES.iter().any(|case| case.code == code), "{code}");
    }
}

/// Does to a good approval what each case says; gives the reasons that are shown.
fn try_cases(office: &Office, wanted: impl Fn(&Case) -> bool) -> String {
    office.approve_o9();
    let keep = ["approvals", "policies"].map(|name| (name, tar(office, name)));
    let plan = office.world.read(PLAN);
    let config = office.world.read("cutter.toml");
    let (mut failures, mut reasons) = (Vec::new(), String::new());
    for (number, case) in CASES.iter().enumerate().filter(|(_, case)| wanted(case)) {
        (case.spoil)(office);
        let (found, why) = office.judged(PLAN, case.gate, case.more);
        reasons.push_str(&format!("{found}: {}\n", constant(&why)));
        let opened = office.authorize(PLAN, case.more).exit == 0;
        if found != case.code || opened != (case.code == "accepted") {
            failures.push(format!("case {number}: expected {}, found {found}, all opened: {opened}", case.code));
        }
        for (name, files) in &keep {
            office.world.remove_if_there(name);
            files.iter().for_each(|(path, bytes)| office.world.write(path, bytes));
        }
        office.world.remove_if_there("entities/more.json");
        office.world.write(PLAN, &plan);
        office.world.write("cutter.toml", &config);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    reasons
}

/// The reasons without what differs from run to run: digests, fingerprints and the ledger's id.
fn constant(text: &str) -> String {
    let is_digest = |word: &str| word.len() >= 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_known = |word: &str| word == "00112233445566778899aabbccddeeff";
    let constant = |word: &str| match word {
        word if is_digest(word) && !is_known(word) => "[digest]".to_owned(),
        word if word.starts_with("SHA256:") => "[fingerprint]".to_owned(),
        word => word.to_owned(),
    };
    let words: Vec<String> = text
        .split('`')
        .map(|word| match word.strip_suffix('\u{2026}') {
            Some(digits) => constant(digits) + "\u{2026}",
            None => constant(word),
        })
        .collect();
    words.join("`")
}

fn tar(office: &Office, name: &str) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![name.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(office.world.path(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path)
            } else {
                files.push((path, std::fs::read(entry.path()).unwrap()))
            }
        }
    }
    files
}

#[test]
fn a_signer_whose_time_is_over_is_expired_also_when_the_document_is_not() {
    let office = Office::new();
    let line = office.signer("late", ",valid-before=\"20260521Z\"").replacen("late ", "sovereign ", 1);
    office.world.write("policies/allowed_signers", line);
    office.request(PLAN);
    office.sign("SG_1", "late");
    assert_eq!(office.code(PLAN, "SG_1", ""), "signer_expired");
}

#[test]
fn the_review_decision_of_the_cut_is_refused_for_enactment() {
    let office = Office::new();
    let mut runs: serde_json::Value = office.world.read("entities/runs.json").parse().unwrap();
    for (made_for, id, code) in [
        ("lifecycle_enact", "e5c1a7d2", "accepted"),
        ("lifecycle_enact", "29c88a7b", "wrong_decision"),
        ("cut_leg_a", "e5c1a7d2", "wrong_decision"),
    ] {
        runs[0]["attrs"]["facts"]["review_decision"] = json!({"id": id, "made_for": made_for});
        office.world.write("entities/runs.json", runs.to_string());
        office.world.remove_if_there("approvals");
        office.request(PLAN);
        office.sign("SG_2", "sovereign");
        assert_eq!(office.code(PLAN, "SG_2", ""), code, "{made_for} {id}");
    }
}

#[test]
fn the_author_of_a_plan_cannot_approve_it_though_sovereign() {
    let office = Office::new();
    office.world.write("plan.json", plan(r#"Cutter::Person::\"sovereign\""#, AGENT, COMPENSATE));
    office.request("plan.json");
    office.sign("SG_3", "sovereign");
    assert_eq!(office.code("plan.json", "SG_3", ""), "self_approval");
}

#[test]
fn a_failure_ruling_takes_one_president_and_two_of_the_council_and_no_veto() {
    let yes = "cutter-approval";
    let votes: &[(&str, &[(&str, &str)])] = &[
        ("accepted", &[("president", yes), ("council-1", yes), ("council-2", yes)]),
        ("quorum_not_met", &[("president", yes)]),
        ("quorum_not_met", &[("president", yes), ("council-1", yes)]),
        ("quorum_not_met", &[("council-1", yes), ("council-2", yes), ("council-3", yes)]),
        ("vetoed", &[("president", yes), ("council-1", yes), ("council-2", yes), ("council-3", "cutter-reject")]),
        // A voice that this gate does not admit counts neither as an approval nor as a rejection.
        ("wrong_gate", &[("president", yes), ("council-1", yes), ("operator", yes)]),
        ("accepted", &[("president", yes), ("council-1", yes), ("council-2", yes), ("operator", "cutter-reject")]),
        // Two keys of one person are one person; here one person signs twice with one key.
        ("quorum_not_met", &[("president", yes), ("council-1", yes), ("council-1", yes)]),
    ];
    let office = Office::new();
    office.world.write("plan.json", plan(PLANNER, AGENT, COMPENSATE));
    for (expected, voters) in votes {
        office.world.remove_if_there("approvals");
        office.request("plan.json");
        for (number, (who, namespace)) in voters.iter().enumerate() {
            office.sign_as("SG_3", who, namespace, &format!("{number}-{who}.sig"));
        }
        assert_eq!(office.code("plan.json", "SG_3", ""), *expected, "{voters:?}");
    }
}

#[test]
fn two_keys_of_one_person_are_one_voice() {
    let office = Office::new();
    let line = office.signer("second-key", "").replacen("second-key ", "council-1 ", 1);
    let signers = office.world.read("policies/allowed_signers") + &line;
    office.world.write("policies/allowed_signers", signers);
    office.world.write("plan.json", plan(PLANNER, AGENT, COMPENSATE));
    office.request("plan.json");
    for who in ["president", "council-1", "second-key"] {
        office.vote("SG_3", who, "cutter-approval");
    }
    assert_eq!(office.code("plan.json", "SG_3", ""), "quorum_not_met");
}

#[test]
fn removing_the_ban_of_a_code_changes_the_outcome() {
    let office = Office::new();
    let text = office.world.read("policies/gates.cedar");
    let start = text.find("@id(\"approval-other-than-cut-lives-at-most-half-a-day\")").unwrap();
    let end = start
        + text[start..].find("};\n").unwrap()
        + text[start..][text[start..].find("};\n").unwrap() + 3..].find("};\n").map_or(3, |at| at + 6);
    office.approve_o9();
    office.edit("FLIP", |d| d["expires_at"] = json!("2026-05-22T08:15:00Z"));
    office.sign("FLIP", "sovereign");
    assert_eq!(office.code(PLAN, "FLIP", ""), "ttl_too_long");
    office.world.write("policies/gates.cedar", format!("{}{}", &text[..start], &text[end..]));
    office.world.remove("approvals");
    office.approve_o9();
    office.edit("FLIP", |d| d["expires_at"] = json!("2026-05-22T08:15:00Z"));
    office.sign("FLIP", "sovereign");
    assert_eq!(office.code(PLAN, "FLIP", ""), "accepted");
}

#[test]
fn break_glass_is_marked_loudly_in_every_output() {
    let office = Office::new();
    let is = "action = 'Iu::Action::\"restore_backup\"'\nresource = 'Iu::Relation::\"public.information_unit\"'";
    office.world.declare("restore", is, &scripted("true"));
    let row = r#"{"id":"restore","effect":"restore"}"#;
    office.world.write("plan.json", plan(PLANNER, r#"Cutter::Person::\"operator\""#, row));
    office.request("plan.json");
    office.sign("BREAK_GLASS", "sovereign");
    assert_eq!(office.code("plan.json", "BREAK_GLASS", ""), "wrong_gate");
    office.sign("BREAK_GLASS", "on-call");
    for format in ["table", "json", "markdown"] {
        let ran = office.world.cutter(&format!("authorize plan.json --now {NOW} --format {format}"));
        assert_eq!(ran.exit, 0, "{}", ran.stdout);
        assert!(ran.stdout.contains("BREAK-GLASS IN FORCE: BREAK"), "{format}: {}", ran.stdout);
    }
    office.edit("BREAK_GLASS", |d| d["expires_at"] = json!("2026-05-21T09:15:00.001Z"));
    office.sign("BREAK_GLASS", "on-call");
    assert_eq!(office.code("plan.json", "BREAK_GLASS", ""), "ttl_too_long");
}

#[test]
fn a_security_key_that_nobody_touched_opens_nothing() {
    let office = Office::new();
    office.request(PLAN);
    let document = office.world.read("approvals/SG_1.json");
    for (flags, code) in [(0, "no_presence"), (1, "accepted")] {
        let (public, signature) = crate::approvals::properties::security_key_signature(document.as_bytes(), flags);
        office.world.write("policies/allowed_signers", format!("sovereign namespaces=\"cutter-approval\" {public}\n"));
        office.world.write("approvals/SG_1.json.sig", signature);
        // The bundle changed with the signer, so the document is for another bundle; the signature is judged first.
        let found = office.code(PLAN, "SG_1", "");
        assert_eq!(found, if code == "accepted" { "wrong_policies" } else { code });
    }
}
