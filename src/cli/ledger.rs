//! `cutter ledger`: make the store in which approvals are used up and runs recorded, and check and publish its chain.

use crate::cli::shared::exit::CommandResult;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::exit::no_json;
use crate::cli::shared::format::TableOrJson;
use crate::cli::shared::ledger::LoneLedgerArguments;
use crate::cli::shared::ledger::NamedLedger;
use crate::files;
use crate::layout::printable;
use crate::ledger::{Ledger, LedgerId, PostgresLedger, Published, Wanted};
use crate::problem::Problem;
use crate::render;
use clap::{Args, Subcommand};
use serde::Serialize;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Make a new ledger with a random id, once; the owner of the shared ledger runs this
    Init(InitArguments),
    /// Check every record, the chain of attestations, and with `--head` that nothing that was published is gone
    Verify(VerifyArguments),
    /// Print the end of the chain, or publish it as a file
    Head(HeadArguments),
    /// Let the ledger go on where its server was restored or promoted; its owner runs this after a look at what was lost
    AcceptPlace(AcceptArguments),
}

#[derive(Args, Debug)]
struct VerifyArguments {
    #[command(flatten)]
    ledger: LoneLedgerArguments,
    /// The head as it was published, by somebody the ledger's owner cannot overrule
    #[arg(long, value_name = "FILE")]
    head: Option<PathBuf>,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: TableOrJson,
}

#[derive(Args, Debug)]
struct HeadArguments {
    #[command(flatten)]
    ledger: LoneLedgerArguments,
    /// Write it here; what the file says of an earlier end must still hold
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: TableOrJson,
}

#[derive(Args, Debug)]
struct AcceptArguments {
    #[command(flatten)]
    ledger: LoneLedgerArguments,
}

#[derive(Args, Debug)]
struct InitArguments {
    #[command(flatten)]
    ledger: LoneLedgerArguments,
    /// The login role of runs in PostgreSQL, which may insert and look [default: `role` of `[ledger]`]
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// Print the SQL that would make the shared ledger, and make nothing
    #[arg(long, conflicts_with = "format")]
    print: bool,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: TableOrJson,
}

impl Arguments {
    pub fn run(&self) -> CommandResult {
        match &self.command {
            Command::Init(arguments) => arguments.run(),
            Command::Verify(arguments) => arguments.run(),
            Command::Head(arguments) => arguments.run(),
            Command::AcceptPlace(arguments) => arguments.run(),
        }
    }
}

/// A ledger that was checked, version 2.
#[derive(Serialize)]
struct Checked {
    version: u32,
    ledger: String,
    id: String,
    /// Of the last record.
    head: String,
    /// How many records there are.
    length: u64,
    /// How many of them are attestations.
    attestations: usize,
    /// Whether a published head was checked.
    against_published: bool,
    faults: Vec<String>,
}

impl Checked {
    fn read(ledger: &dyn Ledger, published: Option<&Published>) -> Result<Self, Problem> {
        let journal = ledger.read(Wanted::All)?;
        let mut faults: Vec<String> =
            journal.damages.iter().map(|damage| format!("line {}: {}", damage.line, damage.damage)).collect();
        let (id, chain) = match journal.chain(&ledger.name()) {
            Err(_) if !faults.is_empty() => (String::new(), None),
            found => found.map(|(id, chain)| (id.to_string(), Some(chain)))?,
        };
        let attestations = chain.as_ref().map_or(0, |chain| chain.digests.len());
        faults.extend(chain.into_iter().flat_map(|chain| chain.faults));
        if let Some(published) = published {
            faults.extend(published.missing(ledger)?);
        }
        Ok(Self {
            version: 2,
            ledger: ledger.name(),
            id,
            head: journal.head.map_or_else(String::new, |head| head.sha256.to_string()),
            length: journal.head.map_or(0, |head| head.length),
            attestations,
            against_published: published.is_some(),
            faults,
        })
    }

    fn show(&self, format: TableOrJson, text: String) -> CommandResult {
        let text = match format {
            TableOrJson::Table => text,
            TableOrJson::Json => render::json::document(self).map_err(no_json)?,
        };
        Ok((text, if self.faults.is_empty() { Exit::Authorized } else { Exit::Untrusted }))
    }

    fn lines(&self) -> String {
        format!("ledger   {}\nhead     {}\nlength   {}\n", self.id, self.head, self.length)
    }
}

impl VerifyArguments {
    fn run(&self) -> CommandResult {
        let published = match &self.head {
            Some(path) => Some(Published::parse(&files::read(path)?)?),
            None => None,
        };
        let checked = Checked::read(self.ledger.locate()?.store(), published.as_ref())?;
        let mut text = checked.lines();
        for fault in &checked.faults {
            text.push_str(&format!("broken   {}\n", printable(fault)));
        }
        if checked.faults.is_empty() {
            text.push_str(match checked.against_published {
                true => "chain    intact, and what was published is in it\n",
                false => "chain    intact; only a published head shows whether it was rewritten\n",
            });
        }
        checked.show(self.format, text)
    }
}

impl HeadArguments {
    fn run(&self) -> CommandResult {
        let named = self.ledger.locate()?;
        let before = self.to.as_deref().map_or(Ok(None), files::read_optional)?;
        let before = before.map(|source| Published::parse(&source)).transpose()?;
        let checked = Checked::read(named.store(), before.as_ref())?;
        if let Some(fault) = checked.faults.first() {
            return Err(Problem::untrusted(format!("the ledger is not intact: {fault}"))
                .help("publish nothing of it; `cutter ledger verify` says all that is wrong")
                .into());
        }
        if let Some(path) = &self.to {
            let head = named.store().read(Wanted::Nothing)?;
            if let (Some(ledger), Some(head)) = (head.id, head.head) {
                let published = Published { version: 2, ledger, length: head.length, sha256: head.sha256 };
                files::write(path, &render::json::document(&published).map_err(no_json)?)?;
            }
        }
        let text = checked.lines();
        checked.show(self.format, text)
    }
}

impl AcceptArguments {
    fn run(&self) -> CommandResult {
        let NamedLedger::Postgres(ledger) = self.ledger.locate()? else {
            return Err(Problem::invalid("a ledger in a folder stays where it was made")
                .help("make a new one with `cutter ledger init`; approvals name its id")
                .into());
        };
        let place = ledger.accept_place()?;
        Ok((format!("place    {}\n", printable(&place)), Exit::Authorized))
    }
}

impl InitArguments {
    fn run(&self) -> CommandResult {
        let located = self.ledger.locate()?;
        let id = random_id()?;
        let (named, role) = match located {
            NamedLedger::Postgres(ledger) => {
                let ledger = ledger.for_role(self.role.clone());
                let role = ledger.role().map(str::to_owned);
                if self.print {
                    return Ok((PostgresLedger::statements(&id, role.as_deref()), Exit::Authorized));
                }
                (NamedLedger::Postgres(Box::new(ledger)), role)
            }
            NamedLedger::Directory(_) if self.print || self.role.is_some() => {
                return Err(Problem::invalid("`--role` and `--print` are for the shared ledger")
                    .help("add `--ledger postgres`, or leave them out")
                    .into());
            }
            directory => (directory, None),
        };
        let ledger = named.store();
        ledger.init(id.clone())?;
        let made = Made { version: 1, ledger: ledger.name(), id: id.to_string(), role };
        let text = match self.format {
            TableOrJson::Table => made.text(),
            TableOrJson::Json => render::json::document(&made).map_err(no_json)?,
        };
        Ok((text, Exit::Authorized))
    }
}

/// The ledger that was made.
#[derive(Serialize)]
struct Made {
    version: u32,
    ledger: String,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
}

impl Made {
    fn text(&self) -> String {
        let role = self.role.as_ref().map(|role| format!("role     {}\n", printable(role)));
        format!("ledger   {}\nid       {}\n{}", printable(&self.ledger), self.id, role.unwrap_or_default())
    }
}

/// 128 bits that nobody can guess, from the system.
fn random_id() -> Result<LedgerId, Problem> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Problem::failure(format!("the system did not provide random numbers: {error}")))?;
    Ok(LedgerId::from_random(u128::from_be_bytes(bytes)))
}
