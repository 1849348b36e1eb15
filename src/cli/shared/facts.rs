//! `--entities` and `--facts`: where facts lie, and what is asked, observed and taken from signed captures over them.

use super::connection::{access, database_name};
use super::ledger::LedgerArguments;
use super::trust::TrustArguments;
use crate::attestation::produced::produced;
use crate::evidence::Capture;
use crate::facts::{Facts, Layer, RawFacts};
use crate::ledger::Wanted as Journaled;
use crate::measure::{Asking, fetch};
use crate::plan::RunPlan;
use crate::policy::PolicyBundle;
use crate::problem::{Code, Coded as _, Problem, Problems, nearest};
use crate::settings::Config;
use crate::signature::Revocations;
use crate::time::Timestamp;
use crate::trust::{RunningUser, SignatureFile, judge_evidence};
use crate::{files, project};
use cedar_policy::EntityUid;
use clap::Args;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where facts come from.
#[derive(Args, Debug)]
pub struct FactsArguments {
    /// The folder of facts: Cedar entities in `*.json`
    #[arg(long, value_name = "DIR", default_value = DEFAULT_ENTITIES)]
    entities: PathBuf,
    /// Where facts come from beside these files: `postgres` asks the queries and makes the observations of `[facts]`,
    /// `evidence:FILE` takes them from a capture that an observer signed; may be given several times
    #[arg(long, value_name = "entities|postgres|evidence:FILE", value_parser = parse, default_value = "entities")]
    facts: Vec<FactsFrom>,
}

/// One place that facts come from.
#[derive(Clone, PartialEq, Eq, Debug)]
enum FactsFrom {
    Entities,
    Postgres,
    Evidence(PathBuf),
}

fn parse(text: &str) -> Result<FactsFrom, String> {
    match text.split_once(':') {
        Some(("evidence", file)) if !file.is_empty() => Ok(FactsFrom::Evidence(PathBuf::from(file))),
        None if text == "entities" => Ok(FactsFrom::Entities),
        None if text == "postgres" => Ok(FactsFrom::Postgres),
        _ => Err(match nearest(text, ["entities", "postgres", "evidence:FILE"]) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "facts come from `entities`, `postgres` or `evidence:FILE`".to_owned(),
        }),
    }
}

/// What facts are read for.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    pub bundle: &'a PolicyBundle,
    pub config: Option<&'a Config>,
    pub plan: &'a RunPlan,
    pub trust: &'a TrustArguments,
    pub revocations: &'a Revocations,
    pub now: Timestamp,
    /// Where effects of the run write down what they brought about; none where nothing runs.
    pub ledger: Option<&'a LedgerArguments>,
}

impl Wanted<'_> {
    /// What effects of the run brought about, by the ledger; it is read where some effect of the plan brings facts about.
    fn brought_about(&self) -> Result<Vec<Layer>, Problems> {
        let (Some(ledger), Some(config), true) = (self.ledger, self.config, self.plan.produces()) else {
            return Ok(Vec::new());
        };
        let ledger = ledger.find(config)?;
        let journal = ledger.store().read(Journaled::Of { run: &self.plan.run, approvals: &[] })?;
        let journal = journal.whole(&ledger.store().name())?;
        Ok(produced(self.plan, self.bundle.schema(), &journal.entries))
    }
}

impl FactsArguments {
    /// The flags that were not left to their defaults.
    pub fn flags(&self) -> Vec<String> {
        let mut flags = Vec::new();
        if self.entities != Path::new(DEFAULT_ENTITIES) {
            flags.extend(["--entities".to_owned(), self.entities.to_string_lossy().into_owned()]);
        }
        for from in &self.facts {
            match from {
                FactsFrom::Entities => {}
                FactsFrom::Postgres => flags.extend(["--facts".to_owned(), "postgres".to_owned()]),
                FactsFrom::Evidence(file) => {
                    flags.extend(["--facts".to_owned(), format!("evidence:{}", file.to_string_lossy())]);
                }
            }
        }
        flags
    }

    /// Whether cutter asks and observes itself.
    pub fn are_measured(&self) -> bool {
        self.facts.contains(&FactsFrom::Postgres)
    }

    /// What files state; also read where nothing else can be.
    pub fn stated(&self) -> Result<RawFacts, Problems> {
        project::read_entities(&self.entities)
    }

    /// Everything, admitted.
    pub fn load(&self, stated: RawFacts, wanted: &Wanted<'_>) -> Result<Facts, Problems> {
        let mut raw = if self.facts.iter().all(|from| *from == FactsFrom::Entities) {
            stated
        } else {
            self.measured(stated, wanted)?
        };
        wanted.brought_about()?.iter().for_each(|layer| raw.push(layer));
        Facts::admit(&raw, wanted.bundle).coded(Code::FactsInvalid)
    }

    fn measured(&self, stated: RawFacts, wanted: &Wanted<'_>) -> Result<RawFacts, Problems> {
        let config = wanted.config.ok_or_else(|| {
            Problem::invalid("`--facts` beside files needs a `cutter.toml`")
                .help("it names the connection, the queries and the observations")
                .coded(Code::ConfigInvalid)
        })?;
        let target = serde_json::to_value(&wanted.plan.target)
            .map_err(|error| Problem::failure(format!("the plan's target has no JSON form: {error}")))?;
        let observer = match RunningUser::of_this_process() {
            Ok(user) => user.name().to_owned(),
            Err(_) => "a user without a name".to_owned(),
        };
        let asking = Asking {
            settings: &config.facts,
            evidence: &config.evidence,
            schema: wanted.bundle.schema(),
            run: &wanted.plan.run,
            target: &target,
            now: wanted.now,
            observer: &observer,
        };
        let mut raw = stated;
        let mut from: Vec<&FactsFrom> = self.facts.iter().collect();
        from.dedup();
        for from in from {
            raw = match from {
                FactsFrom::Entities => raw,
                FactsFrom::Postgres => fetch(&asking, &|| access(config), raw)?,
                FactsFrom::Evidence(file) => captured(file, &asking, wanted, raw)?,
            };
        }
        Ok(raw)
    }
}

/// What a capture shows that an observer signed who is not a party to the run, and that is not too old.
fn captured(file: &Path, asking: &Asking<'_>, wanted: &Wanted<'_>, raw: RawFacts) -> Result<RawFacts, Problems> {
    let source = files::read(file)?;
    let name = file.display();
    let untrusted = |what: String| {
        Problem::untrusted(format!("`{name}` gives no facts: {what}"))
            .help("an observer who takes no part in the run signs it: `cutter evidence capture --sign KEY`")
            .coded(Code::EvidenceUntrusted)
    };
    let capture = Capture::parse(&source).coded(Code::EvidenceInvalid)?;
    let signature = SignatureFile::beside(file)?;
    let by =
        judge_evidence(&wanted.trust.load()?, source.text().as_bytes(), &signature, wanted.revocations, wanted.now)
            .coded(Code::EvidenceUntrusted)?;
    let by = by.ok_or_else(|| untrusted("nobody signed it".to_owned()))?;
    let parties: BTreeSet<&EntityUid> = wanted.plan.parties();
    if let Some(interest) = by.interest(&parties) {
        return Err(untrusted(interest).into());
    }
    let config = wanted.bundle.listing().digest_of("cutter.toml");
    let unknown =
        |problem: Problem| untrusted(format!("of which database it should be is not known: {}", problem.message));
    let of_database = wanted.config.filter(|config| config.database.is_some());
    let led = of_database.map(database_name).transpose().map_err(unknown)?;
    asking.concerns(&capture, led.as_deref(), config).map_err(untrusted)?;
    let age = wanted.now.milliseconds() - capture.finished_at.milliseconds();
    let oldest = asking.settings.oldest_seconds;
    if age < 0 || age > i64::try_from(oldest).unwrap_or(i64::MAX).saturating_mul(1000) {
        let message = format!("`{name}` is of {}, and facts may be {oldest} seconds old", capture.finished_at);
        return Err(Problem::untrusted(message)
            .help("capture again, or raise `oldest_seconds` of `[facts]`")
            .coded(Code::EvidenceInvalid)
            .into());
    }
    asking.captured(&capture, &by.signer.principal, raw)
}

pub const DEFAULT_ENTITIES: &str = "entities";
