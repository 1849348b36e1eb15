//! What `approval` shows, kept as files: at 80 and 140 columns, plain and coloured.

use crate::approvals::office::{NOW, Office, PLAN};
use crate::support::golden::golden;
use serde_json::json;

/// In four forms: two widths, plain and coloured.
fn shown(office: &Office, name: &str, arguments: &str) {
    for columns in ["80", "140"] {
        for (color, suffix) in [("never", ""), ("always", "-colour")] {
            let arguments = format!("{arguments} {PLAN} --now {NOW} --color {color}");
            let ran = office.world.cutter_with(&arguments, &[("COLUMNS", columns)]);
            golden(&format!("{name}-{columns}{suffix}.txt"), &ran.stdout);
        }
    }
}

#[test]
fn verify_of_an_accepted_a_rejected_and_a_missing_approval_looks_as_kept() {
    let office = Office::new();
    office.request(PLAN);
    office.edit("SG_2", |document| document["reference"] = json!(""));
    for gate in ["FLIP", "SG_2"] {
        office.sign(gate, "sovereign");
    }
    office.world.remove("approvals/SG_1.json");
    shown(&office, "approval-verify", "approval verify");
}

#[test]
fn a_request_looks_as_kept() {
    let office = Office::new();
    let ran = office.world.cutter_with(&format!("approval request {PLAN} --now {NOW}"), &[("COLUMNS", "80")]);
    golden("approval-request-80.txt", &ran.stdout);
}

#[test]
fn authorize_of_a_plan_whose_gates_are_open_looks_as_kept() {
    let office = Office::new();
    office.approve_o9();
    let ran = office.world.cutter_with(&format!("authorize {PLAN} --now {NOW}"), &[("COLUMNS", "80")]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    // The keys are new in every run, and the digest of the policies with them.
    let is_steady = |line: &&str| !line.starts_with("plan ");
    let steady: String = ran.stdout.lines().filter(is_steady).map(|line| format!("{line}\n")).collect();
    golden("authorize-opened-80.txt", &steady);
}
