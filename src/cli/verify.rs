//! `cutter verify`: checks statements and envelopes offline, and derives again what they claim.

use crate::cli::shared::clock::parse_time;
use crate::cli::shared::clock::system_time;
use crate::cli::shared::exit::CommandResult;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::exit::no_json;
use crate::cli::shared::format::TableOrJson;
use crate::cli::shared::inputs::BundleArguments;
use crate::cli::shared::ledger::directory;
use crate::cli::shared::output::OutputArguments;
use crate::cli::shared::trust::TrustArguments;
use crate::digest::Digest;
use crate::layout::Style;
use crate::layout::lines::{Cell, Fit, Lines, Tone, head};
use crate::ledger::{self, Chain, Ledger as _, Published, Wanted};
use crate::problem::{Problem, Problems};
use crate::time::Timestamp;
use crate::trust::{SignatureFile, judge_bundle};
use crate::verification::{Verified, Verifier};
use crate::{files, project, render};
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
pub struct Arguments {
    /// Statements with `FILE.sig` or `FILE.<name>.sig` beside them, or DSSE envelopes
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    trust: TrustArguments,
    /// How many different signers each must have
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100))]
    threshold: u64,
    /// Judge signatures as of this time [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = parse_time)]
    verify_time: Option<Timestamp>,
    /// Decide every row again by this bundle, which must be signed
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// The configuration of that bundle
    #[arg(long, value_name = "FILE", default_value = "cutter.toml", requires = "policies")]
    config: PathBuf,
    /// The plan that it must be about
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// The baseline that it must rest on
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// The final capture that it must rest on
    #[arg(long = "final", value_name = "FILE")]
    last: Option<PathBuf>,
    /// The files come one after the other in a chain, each naming the one before it
    #[arg(long)]
    chain: bool,
    /// The ledger in whose chain each must stand
    #[arg(long, value_name = "DIR")]
    ledger: Option<PathBuf>,
    /// The head of that ledger, as `cutter ledger head --to FILE` published it
    #[arg(long, value_name = "FILE", requires = "ledger")]
    head: Option<PathBuf>,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: TableOrJson,
}

/// What was checked, version 1.
#[derive(Serialize)]
pub struct Verification {
    version: u32,
    /// When signatures are judged.
    time: Timestamp,
    files: Vec<Verified>,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        // Without its file, how the trust root stands is beside the point.
        let mut missing = Problems::new();
        for path in self.files.iter().filter(|path| !path.is_file()) {
            let _ = missing.absorb(files::read_bytes(path).map_err(Problems::from));
        }
        missing.or(())?;
        let verifier = self.verifier()?;
        let mut files = Vec::new();
        let mut before: Option<String> = None;
        for path in &self.files {
            let (text, signers, faults) = verifier.signed(&project::read_statement(path)?)?;
            let mut verified = verifier.judge(&path.display().to_string(), &text, signers, faults)?;
            let digest = Digest::of(text.as_bytes()).to_string();
            if self.chain
                && let Some(before) = before.replace(digest)
            {
                match ledger::previous(&text).is_some_and(|named| named == before) {
                    true => verified.holds.push("it names the file before it".to_owned()),
                    false => verified
                        .faults
                        .push("predicate.previous: it is not the digest of the file before it".to_owned()),
                }
            }
            files.push(verified);
        }
        let exit = if files.iter().any(|file| !file.faults.is_empty()) {
            Exit::Untrusted
        } else if files.iter().any(|file| !file.unchecked.is_empty()) {
            Exit::Unmeasured
        } else {
            Exit::Authorized
        };
        let verification = Verification { version: 1, time: verifier.now, files };
        let text = match self.format {
            TableOrJson::Table => verification.text(output.style()),
            TableOrJson::Json => render::json::document(&verification).map_err(no_json)?,
        };
        Ok((text, exit))
    }

    /// Reads everything that the files are checked against.
    fn verifier(&self) -> Result<Verifier, Problems> {
        let mut problems = Problems::new();
        let trust = problems.absorb(self.trust.load());
        let revocations = problems.absorb(self.trust.revocations());
        let now = match self.verify_time {
            Some(time) => time,
            None => system_time()?,
        };
        let bundle = match &self.policies {
            Some(folder) => {
                let arguments = BundleArguments::of(folder, &self.config);
                problems
                    .absorb(arguments.load().map(|(bundle, config)| Some((bundle, config.unwrap_or_default()))))
                    .flatten()
            }
            None => None,
        };
        let chain = self.ledger.as_ref().and_then(|path| problems.absorb(self.read_chain(path)));
        let (Some(trust), Some(revocations), true) = (trust, revocations, problems.is_empty()) else {
            return Err(problems);
        };
        let bundle = match (&self.policies, bundle) {
            (Some(folder), Some((bundle, config))) => {
                let signature = SignatureFile::beside(folder)?;
                let signer = judge_bundle(&trust, bundle.listing(), &signature, &revocations, now)?;
                Some((bundle, config, signer.principal))
            }
            _ => None,
        };
        let mut subjects = Vec::new();
        for (name, path) in [("plan", &self.plan), ("baseline", &self.baseline), ("final", &self.last)] {
            if let Some(path) = path {
                subjects.push((name, path.display().to_string(), Digest::of(&files::read_bytes(path)?)));
            }
        }
        Ok(Verifier { threshold: self.threshold, subjects, trust, revocations, now, bundle, chain })
    }

    /// The chain of a ledger; one that does not hold is not checked against.
    fn read_chain(&self, path: &Path) -> Result<Chain, Problems> {
        let ledger = directory(path);
        let journal = ledger.read(Wanted::Attestations)?.whole(&ledger.name())?;
        let (_, chain) = journal.chain(&ledger.name())?;
        let mut problems = Problems::new();
        let missing = match &self.head {
            Some(head) => Published::parse(&files::read(head)?)?.missing(&ledger)?,
            None => None,
        };
        for fault in chain.faults.iter().cloned().chain(missing) {
            problems.push(
                Problem::untrusted(format!("the chain of `{}` does not hold: {fault}", path.display()))
                    .help("compare the ledger with a copy that somebody else keeps"),
            );
        }
        problems.or(chain)
    }
}

impl Verification {
    /// Each file: the verdict to believe or not, then what does not hold or could not be checked, then what holds.
    fn text(&self, style: Style) -> String {
        let mut text = String::new();
        for file in &self.files {
            let (state, tone) = match (file.faults.is_empty(), file.unchecked.is_empty()) {
                (false, _) => ("NOT TO BE BELIEVED", Tone::Bad),
                (true, false) => (file.verdict.as_str(), Tone::Open),
                (true, true) => (file.verdict.as_str(), Tone::Good),
            };
            text.push_str(&head("verify", state, tone, &file.file, style));
            let mut lines = Lines::new([Fit::Whole, Fit::Whole, Fit::Words]);
            let all = [
                ("FAULT", Tone::Bad, &file.faults),
                ("unchecked", Tone::Open, &file.unchecked),
                ("note", Tone::Open, &file.noted),
                ("holds", Tone::Good, &file.holds),
            ];
            for (name, tone, said) in all {
                for line in said {
                    lines.row([Cell::new(""), Cell::toned(name, tone), Cell::new(line)]);
                }
            }
            lines.row([Cell::new(""), Cell::new("sha256"), Cell::new(file.sha256.to_string())]);
            text.push_str(&lines.text(style));
        }
        text
    }
}
