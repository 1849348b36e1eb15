//! Whole runs: one command drives every row, and whatever becomes of it, the switches are off.

mod as_root;
mod door;
mod observer;

use crate::facts::as_root::billing::{Month, PLAN};
use crate::support::ran::Ran;
use crate::support::world::World;
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

/// Lets the switch be turned on again in the next part of a run.
pub fn let_it_be_turned_on_again(world: &World) {
    world.replace("cutter.toml", "[effects.posting-on]\n", "[effects.posting-on]\nrepeatable = true\n");
}

/// The same, and rows may begin long after they were decided: beside something that slows them down.
pub fn let_it_take_its_time(world: &World) {
    let_it_be_turned_on_again(world);
    world.write("cutter.toml", format!("[ledger]\nstart_within_seconds = 60\n{}", world.read("cutter.toml")));
}

/// Lets the program of an effect be another one.
pub fn change_program(world: &World, effect: &str, change: impl FnOnce(Vec<String>) -> Vec<String>) {
    let config = world.read("cutter.toml");
    let effect = config.find(&format!("[effects.{effect}]")).unwrap();
    let from = effect + config[effect..].find("argv = ").unwrap() + "argv = ".len();
    let end = from + config[from..].find('\n').unwrap();
    let argv = serde_json::to_string(&change(serde_json::from_str(&config[from..end]).unwrap())).unwrap();
    world.write("cutter.toml", format!("{}{argv}{}", &config[..from], &config[end..]));
}
