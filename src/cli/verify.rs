//! `cutter verify`: checks statements and envelopes offline, and derives again what they claim.

use crate::attestation::report::ReportVerdict;
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
use crate::ledger::{self, Ledger as _, Published, Wanted};
use crate::problem::{Problem, Problems};
use crate::time::Timestamp;
use crate::trust::{SignatureFile, judge_bundle};
use crate::verification::{LedgerView, PredicateType, Verified, Verifier};
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
    /// The verdict that each must have; without it CONTRADICTED ends in 6 and INDETERMINATE in 7
    #[arg(long, value_name = "VERDICT", value_parser = verdict)]
    expect: Option<ReportVerdict>,
    /// The predicate type that each must be of: attestation, decisions, or as statements write it [default: attestation]
    #[arg(long = "type", value_name = "TYPE", value_parser = predicate_type)]
    predicate_type: Option<PredicateType>,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: TableOrJson,
}

fn verdict(text: &str) -> Result<ReportVerdict, String> {
    let known = ReportVerdict::ALL.map(ReportVerdict::name).join(", ");
    let found = ReportVerdict::ALL.into_iter().find(|verdict| verdict.name() == text);
    found.ok_or_else(|| format!("it is one of {known}"))
}

fn predicate_type(text: &str) -> Result<PredicateType, String> {
    let known = PredicateType::ALL.map(PredicateType::short).join(", ");
    PredicateType::named(text).ok_or_else(|| format!("it is one of {known}, or one of these as statements write it"))
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
        refuse_double_use(&mut files);
        let exit = if files.iter().any(|file| !file.faults.is_empty()) {
            Exit::Untrusted
        } else if files.iter().any(|file| !file.unchecked.is_empty()) {
            Exit::Unmeasured
        } else if self.expect.is_some() {
            Exit::Authorized
        } else {
            // Of what is to be believed, the worst is said.
            match files.iter().map(|file| file.verdict).max() {
                Some(ReportVerdict::Contradicted) => Exit::Contradicted,
                Some(ReportVerdict::Indeterminate) => Exit::Unmeasured,
                _ => Exit::Authorized,
            }
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
                let arguments = BundleArguments::new(folder, Some(&self.config));
                problems
                    .absorb(arguments.load().map(|(bundle, config)| Some((bundle, config.unwrap_or_default()))))
                    .flatten()
            }
            None => None,
        };
        let ledger = self.ledger.as_ref().and_then(|path| problems.absorb(self.read_ledger(path)));
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
        Ok(Verifier {
            threshold: self.threshold,
            subjects,
            trust,
            revocations,
            now,
            bundle,
            ledger,
            is_chain: self.chain,
            expected: self.expect,
            predicate_type: self.predicate_type.unwrap_or_default(),
        })
    }

    /// What a ledger holds; a chain that does not hold is not checked against.
    fn read_ledger(&self, path: &Path) -> Result<LedgerView, Problems> {
        let ledger = directory(path);
        let journal = ledger.read(Wanted::All)?.whole(&ledger.name())?;
        let (id, chain) = journal.chain(&ledger.name())?;
        let mut problems = Problems::new();
        let missing = match &self.head {
            Some(head) => Published::parse(&files::read(head)?)?.missing(&ledger)?,
            None => None,
        };
        for fault in chain.faults.iter().cloned().chain(missing) {
            problems.push(
                Problem::untrusted(format!("the chain of `{}` is not intact: {fault}", path.display()))
                    .help("compare the ledger with a copy that somebody else keeps"),
            );
        }
        problems.or(LedgerView { id: id.to_string(), chain, journal })
    }
}

/// An approval is used once for a row: reports that say otherwise of each other are not believed, neither of them.
fn refuse_double_use(files: &mut [Verified]) {
    let mut faults = Vec::new();
    for (index, file) in files.iter().enumerate() {
        for (number, other) in files.iter().enumerate().filter(|(number, _)| *number != index) {
            for ((approval, row), record) in &file.uses {
                let elsewhere = other.uses.get(&(*approval, row.clone()));
                if let Some(elsewhere) = elsewhere.filter(|elsewhere| *elsewhere != record) {
                    let name = files.get(number).map(|other| other.file.as_str()).unwrap_or_default();
                    let text = format!(
                        "predicate.done `{row}` approvals: {approval} was used by {record}, and in `{name}` by {elsewhere}"
                    );
                    faults.push((index, text));
                }
            }
        }
    }
    for (index, text) in faults {
        files.get_mut(index).into_iter().for_each(|file| file.faults.push(text.clone()));
    }
}

impl Verification {
    /// Each file: the verdict to believe or not, then what does not hold or could not be checked, then what holds.
    fn text(&self, style: Style) -> String {
        let mut text = String::new();
        for file in &self.files {
            let (state, tone) = match (file.faults.is_empty(), file.unchecked.is_empty()) {
                (false, _) => ("NOT TO BE BELIEVED", Tone::Bad),
                (true, false) => (file.verdict.name(), Tone::Open),
                (true, true) if file.verdict >= ReportVerdict::Indeterminate => (file.verdict.name(), Tone::Bad),
                (true, true) => (file.verdict.name(), Tone::Good),
            };
            text.push_str(&head("verify", state, tone, &file.file, style));
            let mut lines = Lines::new([Fit::Whole, Fit::Whole, Fit::Words]);
            let all = [
                ("FAULT", Tone::Bad, &file.faults),
                ("unchecked", Tone::Open, &file.unchecked),
                ("note", Tone::Open, &file.noted),
                ("stated", Tone::Open, &file.stated),
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn report(name: &str, record: &str) -> Verified {
        let approval = (Digest::of(b"approval"), "cut".to_owned());
        Verified {
            file: name.to_owned(),
            sha256: Digest::of(name.as_bytes()),
            predicate_type: PredicateType::Report.name(),
            verdict: ReportVerdict::Authorized,
            signers: Vec::new(),
            holds: Vec::new(),
            noted: Vec::new(),
            stated: Vec::new(),
            faults: Vec::new(),
            unchecked: Vec::new(),
            uses: BTreeMap::from([(approval, record.to_owned())]),
        }
    }

    #[test]
    fn two_reports_that_use_one_approval_for_one_row_are_both_refused() {
        let mut twice = [report("a.json", "record 1 of ledger `x`"), report("b.json", "record 1 of ledger `y`")];
        refuse_double_use(&mut twice);
        assert!(twice.iter().all(|file| file.faults.len() == 1), "{twice:?}");
        // A later report of the same run tells of the same use.
        let mut same = [report("a.json", "record 1 of ledger `x`"), report("b.json", "record 1 of ledger `x`")];
        refuse_double_use(&mut same);
        assert!(same.iter().all(|file| file.faults.is_empty()), "{same:?}");
    }
}
