//! `cutter log --follow`: each record as it is written, until the run is over or somebody says that it is enough.

use super::{Format, of};
use crate::cli::run::lease_of_run;
use crate::cli::shared::exit::{CommandResult, Exit, no_json};
use crate::cli::shared::output::OutputArguments;
use crate::ledger::{Journal, Ledger, Wanted};
use crate::render;
use crate::runtime::{told_to_stop, told_within};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Shows what is there, and then what comes.
pub fn follow(ledger: &dyn Ledger, run: Option<&str>, format: Format, output: &OutputArguments) -> CommandResult {
    let told = told_to_stop()?;
    let (mut shown, mut length) = (0, None);
    loop {
        let found = ledger.read(Wanted::Nothing)?;
        if found.head.map(|head| head.length) != length || !found.damages.is_empty() {
            let journal = ledger.read(run.map_or(Wanted::All, |run| Wanted::Of { run, approvals: &[] }))?;
            length = journal.head.map(|head| head.length);
            shown = show(&journal, run, shown, format, output)?;
            if !journal.damages.is_empty() {
                return Ok((String::new(), Exit::Untrusted));
            }
            if let Some(run) = run.filter(|run| is_over(&journal, run)) {
                // Its last rows may still be at work: whoever drives it lets go of it when all is done.
                let is_let_go = ledger.hold(&lease_of_run(run)).is_ok_and(|held| held.is_some());
                if is_let_go || told.load(Ordering::Relaxed) != 0 {
                    let last = ledger.read(Wanted::Of { run, approvals: &[] })?;
                    show(&last, Some(run), shown, format, output)?;
                    return Ok((String::new(), Exit::Authorized));
                }
                length = None;
            }
        }
        if told_within(&told, PAUSE) {
            return Ok((String::new(), Exit::Authorized));
        }
    }
}

/// Prints the records after the last one that was shown; gives the last one that is.
fn show(
    journal: &Journal,
    run: Option<&str>,
    shown: u64,
    format: Format,
    output: &OutputArguments,
) -> Result<u64, crate::problem::Problems> {
    let mut new = Journal { damages: journal.damages.clone(), ..Journal::default() };
    let is_new = |entry: &&crate::ledger::Entry| {
        entry.sequence > shown && run.is_none_or(|run| of(&entry.record).as_deref() == Some(run))
    };
    new.entries = journal.entries.iter().filter(is_new).cloned().collect();
    let text = match format {
        Format::Table => render::journal::rows(&new, output.style()),
        Format::Json | Format::Ndjson => render::journal::lines(&new).map_err(no_json)?,
    };
    if !text.is_empty() {
        output.print(&text, false)?;
    }
    Ok(new.entries.last().map_or(shown, |entry| entry.sequence))
}

/// Whether somebody ended the run for good, or the row that ends it is done.
fn is_over(journal: &Journal, run: &str) -> bool {
    journal.voided(run).is_some()
        || journal.starts().any(|(entry, started)| {
            started.run == run
                && started.decision.pointer("/row/work/builtin").is_some_and(|builtin| builtin == "end")
                && journal.end_of(entry.sequence).is_some_and(|(_, end)| end.exit_status == Some(0))
        })
}

/// A look costs a folder next to nothing, and a server one connection.
const PAUSE: Duration = Duration::from_millis(500);
