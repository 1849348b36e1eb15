//! Whole runs: one command drives every row, and whatever becomes of it, the switches are off.

mod as_root;

use crate::facts::as_root::billing::{Month, PLAN};
use crate::support::ran::Ran;
use serde_json::Value;

/// `cutter run` of the month, with facts that are measured.
pub fn run(month: &Month, flags: &str) -> Ran {
    month.cutter(format!("run {PLAN} --facts postgres {flags}").trim_end())
}

/// Each row's state, by its name.
pub fn states(ran: &Ran) -> Vec<(String, String)> {
    let record = ran.json();
    let rows = record["rows"].as_array().unwrap_or_else(|| panic!("{}{}", ran.stdout, ran.stderr)).clone();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    rows.iter().map(|row| (text(&row["id"]), text(&row["state"]))).collect()
}

/// The value of the switch, as the database has it.
pub fn switch(month: &Month) -> String {
    let sql = "SELECT value FROM billing.setting WHERE name = 'posting'";
    month.server.connect("postgres", "postgres").query_one(sql, &[]).unwrap().get(0)
}
