//! `cutter ledger`: make the store in which approvals are used up and runs recorded, and check its chain of attestations.

use crate::cli::shared::exit::CommandResult;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::exit::no_json;
use crate::cli::shared::format::TableOrJson;
use crate::cli::shared::ledger::LoneLedgerArguments;
use crate::cli::shared::ledger::NamedLedger;
use crate::digest::Digest;
use crate::layout::printable;
use crate::ledger::{Chain, Head, LedgerId, PostgresLedger};
use crate::problem::Problem;
use crate::render;
use clap::{Args, Subcommand};
use serde::Serialize;

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Make a new ledger with a random id, once; the owner of the shared ledger runs this
    Init(InitArguments),
    /// Check the chain of attestations, and with `--head` and `--length` that its end was not cut off
    Verify(VerifyArguments),
    /// Print the two lines to publish: the digest of the last attestation, and how many there are
    Head(HeadArguments),
}

#[derive(Args, Debug)]
struct VerifyArguments {
    #[command(flatten)]
    ledger: LoneLedgerArguments,
    /// The head that was published, by somebody the ledger's owner cannot overrule
    #[arg(long, value_name = "SHA256", value_parser = digest, requires = "length")]
    head: Option<Digest>,
    /// The length that was published with it
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..), requires = "head")]
    length: Option<u64>,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: TableOrJson,
}

#[derive(Args, Debug)]
struct HeadArguments {
    #[command(flatten)]
    ledger: LoneLedgerArguments,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: TableOrJson,
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
        }
    }
}

/// A chain that was checked, version 1.
#[derive(Serialize)]
struct Checked {
    version: u32,
    ledger: String,
    id: String,
    /// Of the last attestation; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<String>,
    length: u64,
    /// Whether a published head and length were checked.
    against_published: bool,
    faults: Vec<String>,
}

impl Checked {
    fn read(named: &NamedLedger, published: Option<&Head>) -> Result<Self, Problem> {
        let ledger = named.store();
        let (id, chain) = Chain::of(ledger)?;
        Ok(Self {
            version: 1,
            ledger: ledger.name(),
            id: id.to_string(),
            head: chain.head().map(|head| head.sha256.to_string()),
            length: chain.digests.len() as u64,
            against_published: published.is_some(),
            faults: chain.faults_beside(published),
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
        let head = self.head.as_deref().unwrap_or("none");
        format!("head     {head}\nlength   {}\n", self.length)
    }
}

impl VerifyArguments {
    fn run(&self) -> CommandResult {
        let published = self.head.zip(self.length).map(|(sha256, length)| Head { sha256, length });
        let checked = Checked::read(&self.ledger.locate()?, published.as_ref())?;
        let mut text = checked.lines();
        for fault in &checked.faults {
            text.push_str(&format!("broken   {}\n", printable(fault)));
        }
        if checked.faults.is_empty() {
            text.push_str(match checked.against_published {
                true => "chain    holds, and what was published is in it\n",
                false => "chain    holds; whether its end was cut off, only a published head and length show\n",
            });
        }
        checked.show(self.format, text)
    }
}

impl HeadArguments {
    fn run(&self) -> CommandResult {
        let checked = Checked::read(&self.ledger.locate()?, None)?;
        if let Some(fault) = checked.faults.first() {
            return Err(Problem::untrusted(format!("the chain does not hold: {fault}"))
                .help("publish nothing of it; `cutter ledger verify` says all that is wrong")
                .into());
        }
        let text = checked.lines();
        checked.show(self.format, text)
    }
}

/// Reads a digest of the command line.
pub fn digest(text: &str) -> Result<Digest, String> {
    Digest::parse(text).ok_or_else(|| "write 64 lower-case hexadecimal digits".to_owned())
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
        .map_err(|error| Problem::failure(format!("the system gives no random numbers: {error}")))?;
    Ok(LedgerId::from_random(u128::from_be_bytes(bytes)))
}
