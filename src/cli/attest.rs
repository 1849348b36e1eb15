//! `cutter attest`: the after-run report, from decisions, two captures and the journal. It decides nothing and undoes nothing.

use crate::attestation::envelope::{Envelope, PAYLOAD_TYPE};
use crate::attestation::grounds::{
    ApprovalSource, Grounds, JournalRecordSource, LogRecord, Rules, SecretScan, keep_facts,
};
use crate::attestation::report::{Parts, Report, ReportVerdict};
use crate::attestation::secrets::Secrets;
use crate::attestation::{Statement, gather};
use crate::authorization::Inputs;
use crate::cli::observe::kept::Kept;
use crate::cli::shared::authority::AuthorityArguments;
use crate::cli::shared::exit::CommandResult;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::exit::no_json;
use crate::cli::shared::inputs::InputArguments;
use crate::cli::shared::output::OutputArguments;
use crate::cli::shared::progress::Progress;
use crate::cli::shared::signing;
use crate::cli::shared::vouch;
use crate::digest::Digest;
use crate::files::{self, Output};
use crate::ledger::{Attestation, Attested, Journal, Ledger, Wanted};
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::progress::Phase;
use crate::record::FactText;
use crate::render;
use crate::request::Stage;
use crate::signature::{ATTESTATION, PlainKey};
use crate::trust::SignatureFile;
use crate::verification::redecide::{DISCLOSED, redecide};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    inputs: InputArguments,
    #[command(flatten)]
    authority: AuthorityArguments,
    /// What was observed after the run; `--baseline` names what was observed before it [default: both, and the witness, as the
    /// observer of the run keeps them]
    #[arg(long = "final", value_name = "FILE", requires = "baseline")]
    last: Option<PathBuf>,
    /// What a witness recorded in between
    #[arg(long, value_name = "FILE", requires = "last")]
    witness: Option<PathBuf>,
    /// A log of the run, in which no secret may stand; may be given several times
    #[arg(long, value_name = "FILE")]
    log: Vec<PathBuf>,
    /// Write the in-toto statement here, and keep it in the ledger's chain
    #[arg(long, value_name = "FILE")]
    attest: Option<PathBuf>,
    /// Sign the statement: `FILE.sig` for ssh-keygen, and `FILE.dsse.json` where the key is an unencrypted Ed25519 file
    #[arg(long, value_name = "KEY", requires = "attest")]
    key: Option<PathBuf>,
    /// Every row of every table, where the form is for people
    #[arg(long)]
    full: bool,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The forms of a report.
#[derive(Clone, Copy, Default, ValueEnum, Debug)]
enum Format {
    /// For terminals
    #[default]
    Table,
    /// One versioned document
    Json,
    /// For reports
    Markdown,
    /// One line, for logs
    Line,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        self.refuse_existing()?;
        self.key.as_deref().map(signing::check_key).transpose()?;
        let inputs = self.inputs.load(None, Some(&self.authority.ledger), output)?;
        let located = self.authority.ledger.locate(&inputs.config)?;
        let ledger = located.store();
        let (secrets, scan) = self.secrets(&inputs)?;
        let progress = Progress::default();
        let phase = Phase::new(&progress, "decide and compare", 0);
        let parts = self.parts(&inputs, scan)?;
        drop(phase);
        let phase = Phase::new(&progress, "decide again", 0);
        let mut report = certain(parts, &inputs)?;
        drop(phase);
        let chained = self.attest.is_some() && report.grounds.journal.ledger.is_some();
        let (statement, text) = loop {
            let head = match chained {
                true => {
                    let read = ledger.read(Wanted::Attestations)?.whole(&ledger.name())?;
                    check_still(&report, ledger)?;
                    read.chain(&ledger.name())?.1.head()
                }
                false => None,
            };
            report.previous = head.map(|head| head.sha256.to_string());
            let statement = Statement::of_report(report.clone());
            let text = statement.text()?;
            refuse_secrets(&secrets, &statement, &text).coded(Code::SecretFound)?;
            // Whole and signed before it is chained: what cannot be written or signed is not kept for ever.
            let written = self.write(&text, output)?;
            let number = head.map_or(1, |head| head.length.saturating_add(1));
            if !chained {
                break (statement, text);
            }
            let attested = ledger.attest(&Attestation { number, statement: text.clone() });
            if matches!(attested, Ok(Attested::Appended)) {
                break (statement, text);
            }
            files::remove(&written);
            // Whoever was faster has taken the number; then this one comes after it.
            if let Err(problem) = attested {
                return Err(problem.into());
            }
        };
        let file = self.attest.as_ref().map(|path| path.display().to_string());
        let shown = match self.format {
            Format::Json => text,
            Format::Markdown if self.full => render::attestation::full_markdown(&statement),
            Format::Markdown => render::attestation::markdown(&statement, file.as_deref()),
            Format::Line => render::attestation::line(&statement),
            Format::Table if self.full => render::attestation::full_table(&statement, output.style()),
            Format::Table => render::attestation::table(&statement, file.as_deref(), output.style()),
        };
        Ok((shown, exit(statement.predicate.verdict)))
    }

    /// An attestation is never written over another.
    fn refuse_existing(&self) -> Result<(), Problem> {
        let Some(path) = &self.attest else { return Ok(()) };
        let all = [path.clone(), SignatureFile::path_beside(path)?, envelope_path(path)];
        all.iter().try_for_each(|path| files::check_free(path))
    }

    /// Everything the report is made from.
    fn parts(&self, inputs: &Inputs, secrets: SecretScan) -> Result<Parts, Problems> {
        let mut done = gather::Done::default();
        let mut journal = Journal::default();
        let authorization = self.authority.authorize_rest(inputs, Stage::Plan, |read| {
            journal = read.clone();
            done = gather::done(&inputs.plan, &inputs.config, inputs.bundle.schema(), &journal);
            done.decided.clone()
        })?;
        check_clock(&journal, inputs)?;
        let id = journal.id.as_ref().map(ToString::to_string);
        let mut problems = Problems::new();
        let [baseline, last, witness] = self.evidence(inputs)?;
        let mut capture =
            |path: Option<PathBuf>| path.and_then(|path| problems.absorb(vouch::capture(&self.inputs, inputs, &path)));
        let (baseline, last) = (capture(baseline), capture(last));
        let witness = witness.and_then(|path| problems.absorb(vouch::witness(&self.inputs, inputs, &path)));
        if !problems.is_empty() {
            return Err(problems);
        }
        let config = inputs.bundle.listing().digest_of("cutter.toml");
        let (records, mut sets) = gather::carried(&inputs.plan.run, &journal)?;
        let text = |(name, text): &(String, String)| FactText { name: name.clone(), text: text.clone() };
        sets.push(inputs.facts.texts().iter().map(text).collect());
        let (facts, texts) = keep_facts(&sets);
        let found = authorization.found();
        let spent = gather::spent(&inputs.plan.run, &done.rows, found, &journal);
        let grounds = Grounds {
            plan: inputs.plan.source.text().to_owned(),
            plan_signed: vouch::plan(&self.inputs, &inputs.plan, &inputs.revocations, inputs.now)?,
            approvals: found.iter().map(ApprovalSource::new).collect(),
            facts,
            texts,
            baseline,
            last,
            witness,
            rules: Rules::of(&inputs.config.evidence, config),
            journal: JournalRecordSource { ledger: id, records, faults: done.faults, spent },
            secrets,
        };
        let mut decisions = authorization.document()?;
        decisions.marks = gather::marks(&decisions, &done.rows, &inputs.config);
        let (now, bans) = (inputs.now, gather::bans(&inputs.bundle));
        Ok(Parts { now, decisions, bans, done: done.rows, grounds })
    }

    /// Where baseline, final capture and the record of a witness lie: as the command line says, or where the observer of the run keeps
    /// them.
    fn evidence(&self, inputs: &Inputs) -> Result<[Option<PathBuf>; 3], Problems> {
        // A baseline without a final capture says nothing of the run.
        if let Some(last) = &self.last {
            return Ok([self.authority.baseline().map(Path::to_path_buf), Some(last.clone()), self.witness.clone()]);
        }
        let Some(settings) = &inputs.config.observer else { return Ok([None, None, None]) };
        let Kept { mut captures, witness } = Kept::of_run(settings, &inputs.plan.run)?;
        // One capture is no time.
        Ok(match captures.len() {
            0 | 1 => [None, None, None],
            _ => [Some(captures.remove(0).path), captures.pop().map(|last| last.path), witness],
        })
    }

    /// What is looked for; logs are read, and one that holds a secret ends everything.
    fn secrets(&self, inputs: &Inputs) -> Result<(Secrets, SecretScan), Problems> {
        let variables = inputs.config.secret_variables();
        let secrets = Secrets::resolve(&variables, &|name| std::env::var(name).ok())?;
        let mut problems = Problems::new();
        let mut logs = Vec::new();
        for path in &self.log {
            let Some(bytes) = problems.absorb(files::read_bytes(path).map_err(Problems::from)) else { continue };
            let name = path.display().to_string();
            secrets.look_through(&name, &String::from_utf8_lossy(&bytes), &mut problems);
            logs.push(LogRecord { name, sha256: Digest::of(&bytes) });
        }
        let scan = SecretScan { variables, unset: secrets.unset().to_vec(), shapes: secrets.shapes() as u64, logs };
        problems.or((secrets, scan))
    }

    /// Signs the statement, then writes it and all that goes with it; gives what was written. After a fault nothing is left.
    fn write(&self, text: &str, output: &OutputArguments) -> Result<Vec<Output>, Problems> {
        let Some(path) = &self.attest else { return Ok(Vec::new()) };
        if text.len() as u64 > files::LARGEST_FILE {
            return Err(Problem::failure(format!(
                "the statement has {} bytes, which is too large to read back",
                text.len()
            ))
            .help("observe or plan less at once")
            .into());
        }
        let mut outputs = vec![Output::new_file(path, text)];
        self.sign(path, text, &mut outputs, output)?;
        files::write_together(&outputs)?;
        Ok(outputs)
    }

    fn sign(
        &self,
        path: &Path,
        text: &str,
        outputs: &mut Vec<Output>,
        output: &OutputArguments,
    ) -> Result<(), Problems> {
        let Some(key) = &self.key else { return Ok(()) };
        let signed = signing::make(key, ATTESTATION, text.as_bytes())?;
        outputs.push(Output::new_file(SignatureFile::path_beside(path)?, signed.text));
        let Some(plain) = files::read_bytes(key).ok().and_then(|content| PlainKey::parse(&content)) else {
            let message = format!("no DSSE envelope was made: `{}` is not an unencrypted Ed25519 key", key.display());
            let help =
                "the SSH signature beside the statement was written; an envelope takes a plain Ed25519 signature";
            output.warn(&Problem::failure(message).help(help).into());
            return Ok(());
        };
        let envelope = Envelope::sign(text.as_bytes(), PAYLOAD_TYPE, &[plain]).text()?;
        if envelope.len() as u64 > files::LARGEST_FILE {
            let message = "no DSSE envelope was made: one of this size is too large to read back";
            output.warn(&Problem::failure(message).help("the SSH signature beside the statement was written").into());
            return Ok(());
        }
        outputs.push(Output::new_file(envelope_path(path), envelope));
        Ok(())
    }
}

/// The report of these parts. What the journal says was decided is decided again; where that comes out otherwise, nothing is
/// certain.
fn certain(mut parts: Parts, inputs: &Inputs) -> Result<Report, Problems> {
    let report = Report::derive(parts.clone())?;
    let again = redecide(&report, &inputs.bundle, &inputs.config, (&inputs.known_keys, &inputs.revocations))?;
    if again.differences.is_empty() {
        return Ok(report);
    }
    let faults = again.differences.into_iter().map(|difference| format!("{DISCLOSED}{difference}"));
    parts.grounds.journal.faults.extend(faults);
    Report::derive(parts)
}

/// A report is of after all that it tells of, by a clock that is the ledger's as far as may be.
fn check_clock(journal: &Journal, inputs: &Inputs) -> Result<(), Problem> {
    let (now, run) = (inputs.now, &inputs.plan.run);
    if let Some(ledger) = journal.clock_apart(now, inputs.config.ledger.clock_skew()) {
        return Err(Problem::untrusted(format!("the clock shows {now}, and the ledger's {ledger}"))
            .help("set the clock of this host, then attest again"));
    }
    let mut of_run = journal.entries.iter().filter(|entry| entry.record.subject().as_deref() == Some(run.as_str()));
    match of_run.next_back().filter(|last| last.time > now) {
        None => Ok(()),
        Some(last) => {
            let (number, time) = (last.sequence, last.time);
            Err(Problem::failure(format!("record {number} of `{run}` is of {time}, and the report would be of {now}"))
                .help("attest again once that time has passed, and the run rests"))
        }
    }
}

/// What a statement says was recorded of its run is all that the ledger has of it when it is kept there.
fn check_still(report: &Report, ledger: &dyn Ledger) -> Result<(), Problem> {
    let run = &report.decisions.plan.run;
    let (records, _) = gather::carried(run, &Journal::of_run(ledger, run)?)?;
    match records == report.grounds.journal.records {
        true => Ok(()),
        false => Err(Problem::failure(format!("`{run}` went on while its report was made, and nothing was written"))
            .help("attest again when it rests")),
    }
}

/// A statement that would hold a secret is not written.
fn refuse_secrets(secrets: &Secrets, statement: &Statement<Report>, text: &str) -> Result<(), Problems> {
    let mut problems = Problems::new();
    let value = serde_json::to_value(statement).map_err(no_json)?;
    secrets.look_through_json("the attestation", &value, &mut problems);
    if problems.is_empty() {
        secrets.look_through("the attestation", text, &mut problems);
    }
    problems.or(())
}

/// Where the envelope of a statement lies.
fn envelope_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".dsse.json");
    path.with_file_name(name)
}

/// The exit code of a report.
pub fn exit(verdict: ReportVerdict) -> Exit {
    match verdict {
        ReportVerdict::Authorized => Exit::Authorized,
        ReportVerdict::Blocked => Exit::Blocked,
        ReportVerdict::ReadyForSovereignApproval => Exit::Ready,
        ReportVerdict::Denied => Exit::Denied,
        ReportVerdict::Indeterminate => Exit::Unmeasured,
        ReportVerdict::Contradicted => Exit::Contradicted,
    }
}
