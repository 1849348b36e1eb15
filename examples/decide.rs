//! Decides the shipped plan by the shipped bundle, and says what would change the first row that is denied.
#![expect(clippy::print_stdout, reason = "it is there to be looked at")]

use cutter::{Bundle, Error};
use std::path::Path;
use std::time::SystemTime;

fn main() -> Result<(), Error> {
    let bundle = Bundle::read(Path::new("policies"), Some(Path::new("cutter.toml")))?;
    let plan = Path::new("plans/o9-first-production-run.json");
    let decided = bundle.decide(plan, Path::new("entities"), SystemTime::now())?;
    println!("{} by {}", decided.verdict(), bundle.digest());
    let rows = decided.rows();
    for row in &rows {
        println!("{} {}: {}", if row.allowed { "ok  " } else { "DENY" }, row.id, row.reason);
    }
    if let Some(denied) = rows.iter().find(|row| !row.allowed) {
        let explained = decided.explain(&denied.id)?;
        for step in &explained.changes {
            println!("to change {}: {step}", denied.id);
        }
        for because in &explained.because {
            println!("because of {} ({}:{})", because.title, because.file, because.line);
        }
    }
    Ok(())
}
