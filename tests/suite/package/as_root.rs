//! A page followed to the letter, through every pause, to a run that is done.

use super::commands;
use crate::facts::as_root::billing::Month;
use crate::support::world::CUTTER;
use std::path::Path;
use std::process::Command;

/// A name that a shell reads otherwise unless it is quoted.
const PLAN: &str = "plans/the month's $(close) of 2026-10.json";

#[test]
fn a_page_that_is_followed_to_the_letter_ends_in_a_run_that_is_done() {
    let month = Month::new();
    month.world.remove("approvals");
    std::fs::rename(month.world.path(crate::facts::as_root::billing::PLAN), month.world.path(PLAN)).unwrap();
    let ran = month.words(&["package", PLAN, "--output", "for the people"]);
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    let page = month.world.read("for the people/README.md");
    let mut folder = String::new();
    let mut runs = 0;
    for (command, exits) in commands(&page) {
        if command.starts_with("cd ") {
            folder = command;
            continue;
        }
        // Who signs answers the question; CLOSE asks for two.
        let is_sign = command.starts_with("cutter approval sign");
        let signers: &[&str] = if command.contains("CLOSE") { &["ada", "ben"] } else { &["dan"] };
        for (at, signer) in signers.iter().enumerate().take(if is_sign { 2 } else { 1 }) {
            let typed = match (is_sign, at) {
                (true, 0) => format!("{command} --yes"),
                (true, _) => command.replace(" --explicit --reason \"$REASON\"", " --yes"),
                (false, _) => command.clone(),
            };
            let mut shell = Command::new("bash");
            shell.args(["-c", &format!("{folder} && {typed}")]);
            let own = month.command(&[]);
            shell.env_clear().envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
            let path = std::env::var("PATH").unwrap();
            shell.env("PATH", format!("{}:{path}", Path::new(CUTTER).parent().unwrap().display()));
            let key = |name: &str| month.world.key_path(name);
            shell.env("KEY", key(signer)).env("NAME", signer).env("REASON", "October is complete, isn't it");
            shell.env("AUTHOR_KEY", key("closer")).env("REVIEWER_KEY", key("reviewer"));
            let output = shell.output().unwrap();
            let said =
                format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert!(exits.contains(&output.status.code().unwrap()), "{typed}: {:?} {said}", output.status);
        }
        runs += i32::from(command.starts_with("cutter run"));
    }
    assert_eq!(runs, 2, "{page}");
    let sql = "SELECT (SELECT count(*) FROM billing.entry), (SELECT count(closed_at) FROM billing.book), \
               (SELECT value FROM billing.setting WHERE name = 'posting')";
    let row = month.server.connect("postgres", "postgres").query_one(sql, &[]).unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1), row.get::<_, String>(2).as_str()), (2, 1, "off"));
}
