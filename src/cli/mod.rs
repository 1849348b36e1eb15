//! The command line: arguments become inputs, results become text and an exit code. One file a subcommand.

mod approval;
mod attest;
mod authorize;
mod bundle;
mod enforce;
mod evidence;
mod explain;
mod ledger;
mod log;
mod observe;
mod package;
mod plan;
mod replay;
mod review;
mod run;
mod schema;
mod shared;
mod test;
mod verify;

use crate::files;
use crate::layout::printable_lines;
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::render;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
pub use shared::exit::Exit;
use shared::named::Named;
use std::ffi::OsString;
use std::io::Write as _;
use std::sync::Arc;

/// Decides, by Cedar policies, what an automated run may do to a production database.
#[derive(Parser, Debug)]
#[command(name = "cutter", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Arguments {
    #[command(flatten)]
    output: shared::output::OutputArguments,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Decide every intended action of a plan; it only looks
    Authorize(authorize::Arguments),
    /// Try the encryption of backups
    Backup(run::backup::Arguments),
    /// Report on a run: what was forbidden, what was observed, what was done, and the verdict
    Attest(Box<attest::Arguments>),
    /// Request, sign, verify and list approvals
    Approval(approval::Arguments),
    /// Decide one action again at the moment of use, use its approvals up, and run it
    Exec(run::exec::Arguments),
    /// Do every row of a plan in order, each decided at its own moment of use; the switches are off however it ends
    Run(Box<run::whole::Arguments>),
    /// Turn off every switch of a plan that is on while no run holds it
    Guard(run::guard::Arguments),
    /// Print what makes the database itself keep to what the ledger allows; it applies nothing
    Enforce(enforce::Arguments),
    /// Say why one row of a plan is what it is, and what would change it
    Explain(explain::Arguments),
    /// Observe PostgreSQL and its host; compare two observations
    Evidence(evidence::Arguments),
    /// Observe runs beside them, as another user: captures and a witness, signed, asked for at a socket
    Observe(observe::Arguments),
    /// Make the ledger, where approvals are used up and runs recorded; check its chain of attestations
    Ledger(ledger::Arguments),
    /// Show the journal: what was done
    Log(log::Arguments),
    /// Sign the policy bundle, or check its signature under the trust root
    Bundle(bundle::Arguments),
    /// Write everything that people must do before and during a run into a folder, ready to follow; it does none of it
    Package(package::Arguments),
    /// Sign a plan, or check everything that a live run asks of the trust root
    Plan(plan::Arguments),
    /// Check attestations offline: signatures, digests, chain, and that the verdict follows
    Verify(Box<verify::Arguments>),
    /// Review policy files: validate, lint, prove; bare, it does all that applies
    Review(Box<review::Arguments>),
    /// Print a schema: `plan` and `attestation` (JSON Schema) or `run` (the type of `context.run`)
    Schema(schema::Arguments),
    /// Ask recorded decisions again of other policies: what would come out otherwise?
    Replay(replay::Arguments),
    /// Test policies: cases as data, each asked and compared with what it expects
    Test(test::Arguments),
}

/// Parses the command line, does the work, prints, and says how it went.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let words: Vec<OsString> = arguments.into_iter().collect();
    // Who called may have said that nobody waits for children (SIGCHLD ignored), and what ours ended with would not be known.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGCHLD, Arc::default());
    if run::watches(&words) {
        return Exit::Usage;
    }
    let parsed = Arguments::command().try_get_matches_from(&words);
    let parsed = parsed.and_then(|matches| Ok((Arguments::from_arg_matches(&matches)?, Named::of(&matches))));
    let (arguments, named) = match parsed {
        Ok(parsed) => parsed,
        Err(error) if error.use_stderr() && shared::output::wants_json_errors(&words) => {
            let _ = std::io::stderr().write_all(
                render::problems::json(&misused(&error).into(), render::problems::ProblemLevel::Error).as_bytes(),
            );
            return Exit::Usage;
        }
        Err(error) => {
            print_usage(&error);
            return if error.use_stderr() { Exit::Usage } else { Exit::Authorized };
        }
    };
    let output = &arguments.output;
    let stored = match &arguments.command {
        Command::Approval(arguments) => arguments.writes_folder(),
        Command::Package(_) => true,
        Command::Evidence(arguments) => arguments.stores_its_result(),
        _ => false,
    };
    let folder = match &arguments.command {
        Command::Approval(arguments) => arguments.writes_folder(),
        Command::Package(_) => true,
        _ => false,
    };
    let checked = if stored { Ok(()) } else { output.check() };
    let spared = named.spare(output.file(), folder);
    let checked = checked.and(spared).map_err(Problems::from);
    let result = checked.and_then(|()| match &arguments.command {
        Command::Authorize(arguments) => arguments.run(output),
        Command::Backup(arguments) => arguments.run(),
        Command::Attest(arguments) => arguments.run(output),
        Command::Approval(arguments) => arguments.run(output),
        Command::Exec(arguments) => arguments.run(output),
        Command::Run(arguments) => arguments.run(output),
        Command::Guard(arguments) => arguments.run(output),
        Command::Enforce(arguments) => arguments.run(output),
        Command::Explain(arguments) => arguments.run(output),
        Command::Evidence(arguments) => arguments.run(output),
        Command::Observe(arguments) => arguments.run(output),
        Command::Ledger(arguments) => arguments.run(),
        Command::Log(arguments) => arguments.run(output),
        Command::Bundle(arguments) => arguments.run(output),
        Command::Package(arguments) => arguments.run(output),
        Command::Plan(arguments) => arguments.run(output),
        Command::Verify(arguments) => arguments.run(output),
        Command::Review(arguments) => arguments.run(output),
        Command::Schema(arguments) => arguments.run(),
        Command::Replay(arguments) => arguments.run(output),
        Command::Test(arguments) => arguments.run(output),
    });
    match result.and_then(|(text, exit)| output.print(&text, stored).map(|()| exit).map_err(Problems::from)) {
        Ok(exit) => {
            if let Some(file) =
                output.file().filter(|file| exit != Exit::Authorized && !folder && !files::is_stdout(file))
            {
                output.note(exit.means(), exit as u8, file);
            }
            exit
        }
        Err(problems) => {
            let _ = std::io::stderr().write_all(output.problems(&problems).as_bytes());
            shared::exit::of_problems(&problems)
        }
    }
}

/// What clap says; its own way, unless a word of the command line would not be safe to show.
fn print_usage(error: &clap::Error) {
    let text = error.render().to_string();
    let _ = match printable_lines(&text) {
        safe if safe == text => error.print(),
        safe => std::io::stderr().write_all(safe.as_bytes()),
    };
}

/// A wrong command line as a problem: what is wrong, then what clap says besides.
fn misused(error: &clap::Error) -> Problem {
    let text = error.render().to_string();
    let (message, rest) = text.split_once("\n\n").unwrap_or((&text, ""));
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let problem = Problem::invalid(one_line(message.trim_start_matches("error: "))).coded(Code::Usage);
    if rest.is_empty() { problem } else { problem.help(one_line(rest)) }
}

impl Exit {
    /// Its name and meaning, as `cutter --help` has them.
    fn means(self) -> &'static str {
        let number = format!("{} ", self as u8);
        let line = EXIT_CODES.lines().map(str::trim).find(|line| line.starts_with(&number));
        line.and_then(|line| line.get(number.len()..)).unwrap_or_default()
    }
}

const EXIT_CODES: &str = "\
Exit codes:
  0 authorized   everything asked is allowed / holds / matches
  1 failure      cutter itself could not do its work
  2 denied       an action is denied for good
  3 invalid      policy, schema, plan or facts are malformed or do not validate
  4 refuted      a proof has a counterexample, or a finding exceeds what was asked
  5 ready        READY_FOR_SOVEREIGN_APPROVAL: approvals are missing, nothing is final
  6 contradicted a mutation was seen, or evidence contradicts what was decided
  7 unmeasured   something could not be judged, observed or read
  8 untrusted    a signature, a digest or the clock does not verify
  9 blocked      approvals are there, but a named gap is open
  10 effect      an allowed command ran and failed; a run on hold
  64 usage       wrong command line";
