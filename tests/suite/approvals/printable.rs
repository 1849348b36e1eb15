//! Text that is not seen, or that moves what is, planted wherever an input takes text: no form for people shows it raw.

use crate::approvals::office::{AGENT, NOW, Office, PLANNER};
use crate::support::ran::Ran;
use serde_json::{Value, json};

/// Clears a screen, reverses, hides, tags, and ends a line.
const HOSTILE: &str = "\u{1b}[2J\u{202e}\u{200b}\u{e0041}\u{2028}";

/// The same without a control character, which names in plans must not have.
const HIDDEN: &str = "\u{202e}\u{200b}\u{e0041}\u{2028}";

/// An office with hostile text in policies, people, facts, configuration and plan; `plan.json` is the plan.
fn infested() -> Office {
    let office = Office::new();
    let world = &office.world;
    world.replace("policies/00-seed-report.cedar", "Hard-delete IU data", &format!("Hard-delete{HOSTILE}"));
    world.replace("policies/00-seed-report.cedar", "propose a compensation", &format!("propose{HOSTILE} a comp"));
    world.replace("policies/00-seed-report.cedar", "request the flip authority", &format!("request{HOSTILE}"));
    world.replace("policies/preconditions.cedar", "close F4 first", &format!("close{HOSTILE} F4"));
    // On the line that is underlined.
    world.replace("policies/00-seed-report.cedar", "\nforbid (", &format!("\n// {}\nforbid (", &HIDDEN));
    let mut people: Value = world.read("policies/people-and-agents.json").parse().unwrap();
    let person = json!({"uid": {"type": "Cutter::Agent", "id": format!("x{HIDDEN}")}, "attrs": {}, "parents": []});
    people.as_array_mut().unwrap().push(person);
    world.write("policies/people-and-agents.json", people.to_string());
    let mut facts: Value = world.read("entities/documents.json").parse().unwrap();
    let file = json!({"uid": {"type": "Iu::Report", "id": format!("f{HIDDEN}")}, "attrs": {}, "parents": []});
    facts.as_array_mut().unwrap().push(file);
    world.write("entities/documents.json", facts.to_string());
    let own = format!("Cutter::Agent::\"x{}\"", escaped(HIDDEN));
    let report = format!("Iu::Report::\"f{}\"", escaped(HIDDEN));
    let action = |name: &str| format!("Iu::Action::\"{name}\"");
    let relation = "Iu::Relation::\"public.information_unit\"";
    let flag = "Iu::Flag::\"execution_enabled\"";
    let free = format!("argv = {}\npin = \"root-owned\"", json!(["/usr/bin/true", HIDDEN]));
    world.declare("free", "action = 'Iu::Action::\"package\"'\nresource = 'Iu::Report'", &free);
    let plan = json!({
        "version": 1, "plan": format!("p{HIDDEN}"), "macro": format!("m{HOSTILE}"),
        "run": format!("r{HIDDEN}"), "mode": "live",
        "author": PLANNER.replace('\\', ""), "principal": AGENT.replace('\\', ""), "labels": {"who": HOSTILE},
        "target": {"database": "7611578671664259111"},
        "actions": [
            {"id": format!("free{HIDDEN}"), "resource": report, "effect": "free"},
            {"id": format!("gone{HIDDEN}"), "action": action("hard_delete"), "resource": relation},
            {"id": format!("gated{HIDDEN}"), "effect": "compensate"},
            {"id": format!("after{HIDDEN}"), "action": action("package"), "resource": report,
                "after": [format!("gated{HIDDEN}")], "labels": {"x": HOSTILE}},
            {"id": format!("on{HIDDEN}"), "action": action("flip_flag"), "resource": flag, "context": {"to": true}},
            {"id": format!("off{HIDDEN}"), "action": action("flip_flag"), "resource": flag,
                "context": {"to": false}, "finally": true},
            {"id": format!("other{HIDDEN}"), "action": action("package"), "resource": report, "principal": own},
        ],
    });
    world.write("plan.json", plan.to_string());
    let run = json!({"uid": {"type": "Cutter::Run", "id": format!("r{HIDDEN}")}, "attrs": {}, "parents": []});
    let mut runs: Value = world.read("entities/runs.json").parse().unwrap();
    let attributes = runs[0]["attrs"].clone();
    runs.as_array_mut().unwrap().push(json!({"uid": run["uid"], "attrs": attributes, "parents": []}));
    world.write("entities/runs.json", runs.to_string());
    office
}

/// As a Cedar string has it.
fn escaped(text: &str) -> String {
    text.chars().map(|letter| format!("\\u{{{:x}}}", u32::from(letter))).collect()
}

/// The command says something, and nothing of it is raw.
fn clean(ran: &Ran, what: &str) {
    let said = format!("{}{}", ran.stdout, ran.stderr);
    for letter in ['\u{1b}', '\u{202e}', '\u{200b}', '\u{e0041}', '\u{2028}'] {
        assert!(!said.contains(letter), "{what}: U+{:04X}\n{}", u32::from(letter), said.escape_debug());
    }
    assert!(said.contains('\u{fffd}'), "{what} shows nothing of what was planted:\n{said}");
}

/// Runs each command as words, since a hostile name holds what splits words.
fn all_clean(office: &Office, commands: &[&[&str]]) {
    for words in commands {
        clean(&office.world.cutter_words(words), &words.join(" "));
    }
}

#[test]
fn decisions_and_explanations_show_nothing_raw() {
    let office = infested();
    let row = |name: &str| format!("{name}{HIDDEN}");
    for format in ["table", "markdown"] {
        let ran = office.world.cutter_words(&["authorize", "plan.json", "--now", NOW, "--format", format]);
        assert_eq!(ran.exit, 2, "{}", ran.stderr);
        clean(&ran, format);
    }
    for name in ["free", "gone", "gated", "after", "on", "off", "other", "unknown"] {
        all_clean(&office, &[&["explain", "plan.json", &row(name), "--now", NOW]]);
    }
}

#[test]
fn approvals_show_nothing_raw() {
    let office = infested();
    all_clean(&office, &[&["approval", "request", "plan.json", "--now", NOW]]);
    office.edit("SG_3", |document| {
        document["id"] = json!(HOSTILE);
        document["reason"] = json!(HOSTILE);
        document["ledger"] = json!(HOSTILE);
        document["rows"][0]["id"] = json!(HOSTILE);
    });
    office.sign("SG_3", "president");
    office.edit("FLIP", |document| document["gate"] = json!(HOSTILE));
    office.world.write("approvals/broken.json", format!("{{\"{}\": 1}}", HIDDEN));
    office.world.write(&format!("approvals/n{HOSTILE}.json"), "{}");
    for verb in ["verify", "list"] {
        all_clean(&office, &[&["approval", verb, "plan.json", "--now", NOW]]);
    }
    all_clean(&office, &[&["authorize", "plan.json", "--now", NOW]]);
    let (file, key) = (format!("approvals/n{HOSTILE}.json"), office.world.key_path("president"));
    let signed = ["approval", "sign", &file, "--key", key.to_str().unwrap()];
    clean(&office.world.cutter_words(&signed), "approval sign");
}

#[test]
fn a_review_shows_nothing_raw() {
    let office = infested();
    let policy = format!("@title(\"t{HOSTILE}\") @id(\"hid\")\npermit (principal, action, resource);\n");
    office.world.write(&format!("policies/hid{HIDDEN}.cedar"), policy);
    for format in ["table", "github", "junit", "markdown"] {
        let lint = ["review", "lint", "--format", format];
        let ran = office.world.cutter_words(&lint);
        assert_eq!(ran.exit, 4, "{}", ran.stderr);
        clean(&ran, format);
    }
}

#[test]
fn errors_show_nothing_raw() {
    let office = infested();
    let plan = office.world.read("plan.json");
    let unknown = plan.replace("\"labels\":{\"who\"", &format!("\"{}\":1,\"labels\":{{\"who\"", HIDDEN));
    assert_ne!(plan, unknown);
    office.world.write("plan.json", unknown);
    for form in ["human", "plain"] {
        let ran = office.world.cutter_words(&["authorize", "plan.json", "--error-format", form]);
        assert_eq!(ran.exit, 3, "{}", ran.stderr);
        clean(&ran, form);
    }
}

#[test]
fn json_keeps_what_was_planted_exactly() {
    let office = infested();
    let ran = office.world.cutter_words(&["authorize", "plan.json", "--now", NOW, "--format", "json"]);
    assert_eq!(ran.json()["plan"]["name"], format!("p{HIDDEN}"));
}

/// Under a trust root.
mod as_root {
    use super::*;

    #[test]
    fn exec_and_log_show_nothing_raw() {
        let office = infested();
        office.trust();
        for name in ["free", "gone", "gated", "after", "unknown"] {
            clean(&office.exec_word(&format!("{name}{HIDDEN}")), name);
        }
        all_clean(&office, &[&["log"], &["log", "--run", &format!("r{HIDDEN}")]]);
        let text = office.world.read("plan.json").replace("\"live\"", "\"dry_run\"");
        office.world.write("plan.json", text);
        clean(&office.exec_word(&format!("free{HIDDEN}")), "a dry run");
    }
}
