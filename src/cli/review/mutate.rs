//! `review mutate`: each policy and each pin of an effect changed in small ways, and who would notice.

use super::Format;
use super::proof::{ProofArguments, part};
use super::scope::{Configured, Loaded, Scope};
use crate::cli::shared::progress::Progress;
use crate::digest::Digest;
use crate::facts::RawFacts;
use crate::files;
use crate::findings::{Part, Review};
use crate::policy::PolicyBundle;
use crate::problem::{Problem, Problems, Source};
use crate::project;
use crate::prove::ProveOptions;
use crate::settings::Config;
use crate::settings::review::ReviewSettings;
use crate::subject::Subject;
use crate::testing::mutants::{Judges, mutate};
use crate::testing::properties::Beginning;
use crate::testing::{Case, Evaluator, Inputs};
use clap::Args;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

#[derive(Args, Debug)]
pub struct MutateArguments {
    #[command(flatten)]
    pub scope: Scope,
    #[command(flatten)]
    pub proof: ProofArguments,
    /// Cases that may notice: a file or folder, as `cutter test` takes them [default: tests/policy, where it exists]
    #[arg(long, value_name = "PATH")]
    cases: Vec<PathBuf>,
    /// How long it may take; what was not run by then is listed, and nothing is clean [default: as long as it takes]
    #[arg(long, value_name = "SECONDS")]
    budget: Option<u64>,
    /// Keep who noticed each mutant in this file, and look at none again that is in it, as long as everything that
    /// decides is the same; whoever can write there can claim anything
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

impl MutateArguments {
    pub fn run(&self, review: &mut Review, progress: &Progress) -> Result<Option<ReviewSettings>, Problems> {
        let Some(loaded) = self.scope.load(review, false, progress)? else { return Ok(None) };
        let Loaded { subject, config, .. } = &loaded;
        let why = match config {
            _ if subject.bundle.is_plain() => "it asks cases and invariants, which only a bundle of cutter's own has",
            Configured::Unread => "the configuration cannot be read",
            _ => "",
        };
        if !why.is_empty() {
            review.skipped.push(format!("mutate: {why}"));
        }
        if !(why.is_empty() && loaded.can_ask("mutate", review)) {
            return Ok(Some(loaded.settings));
        }
        let facts = self.scope.recorded()?;
        let asked = Asked {
            subject,
            config: config.read().map(|(config, _)| config),
            facts: &facts,
            cases: self.cases()?,
            beginning: None,
            budget: self.budget.map(Duration::from_secs),
            resume: self.resume.clone(),
        };
        part(asked.mutate(&self.proof.options(), progress)?, "mutate", review);
        Ok(Some(loaded.settings))
    }

    /// Every case that may notice; properties that were found are asked apart.
    fn cases(&self) -> Result<Vec<Case>, Problems> {
        let default = PathBuf::from(DEFAULT_CASES);
        let paths: Vec<&PathBuf> = match self.cases.is_empty() {
            true => Some(&default).filter(|path| files::is_there(path)).into_iter().collect(),
            false => self.cases.iter().collect(),
        };
        let mut problems = Problems::new();
        let mut cases = Vec::new();
        for path in paths {
            cases.extend(problems.absorb(project::read_cases(path)).into_iter().flatten());
        }
        problems.or(cases)
    }
}

/// Everything that mutants are made of, and shown to.
pub struct Asked<'a> {
    pub subject: &'a Subject,
    pub config: Option<&'a Config>,
    pub facts: &'a RawFacts,
    pub cases: Vec<Case>,
    pub beginning: Option<&'a Beginning>,
    pub budget: Option<Duration>,
    pub resume: Option<PathBuf>,
}

impl Asked<'_> {
    /// Changes every policy and pin, and says of each mutant who noticed it; the inner result is what becomes a part of a review.
    pub fn mutate(self, options: &ProveOptions, progress: &Progress) -> Result<Result<Part, Problem>, Problems> {
        let asked = subject_without(&self.subject.bundle)?;
        let table = files::read_optional(Path::new(super::GOLDEN))?;
        let kept = match &self.resume {
            Some(path) => Some(Kept::open(path, &self.inputs(table.as_ref()))?),
            None => None,
        };
        let notices = |bundle: &PolicyBundle| {
            let plan = |path: &str| files::read(Path::new(path));
            let inputs = Inputs { bundle, subject: &asked, config: self.config, facts: self.facts, plan: &plan };
            let Ok(mut evaluator) = Evaluator::new(inputs) else { return true };
            // A case that can no longer be asked is noticed, too.
            !self.cases.iter().all(|case| evaluator.evaluate(case).is_ok_and(|result| result.passed))
        };
        let judges = Judges {
            recall: &|name| kept.as_ref()?.recall(name),
            keep: &|name, word| kept.iter().for_each(|kept| kept.keep(name, word)),
            cases: &notices,
            table: table.as_ref().map(|table| table.text()),
            config: self.config,
            invariants: &self.subject.invariant_sources,
            beginning: self.beginning,
            budget: self.budget,
        };
        Ok(mutate(self.subject, &judges, options, progress))
    }

    /// The digest of all that decides who notices a mutant.
    fn inputs(&self, table: Option<&Source>) -> String {
        let plans: BTreeSet<&String> = self.cases.iter().filter_map(|case| case.plan.as_ref()).collect();
        let plans = plans.iter().filter_map(|path| files::read(Path::new(path.as_str())).ok());
        let facts = self.facts.sources.iter().cloned();
        let texts = plans.chain(facts).chain(self.subject.invariant_sources.iter().cloned()).chain(table.cloned());
        let texts: Vec<String> = texts.map(|source| format!("{} {}", source.name(), source.text())).collect();
        let (version, bundle) = (env!("CARGO_PKG_VERSION"), self.subject.bundle.digest());
        let all = format!("{version} {bundle} {:?} {}", self.cases, texts.join("\n"));
        Digest::of(all.as_bytes()).to_string()
    }
}

/// Who noticed which mutant: a line each, the digest of the inputs, the word, the name.
struct Kept {
    inputs: String,
    known: BTreeMap<String, String>,
    file: Mutex<File>,
}

impl Kept {
    fn open(path: &Path, inputs: &str) -> Result<Self, Problems> {
        let text = files::read_optional(path)?.map_or_else(String::new, |source| source.text().to_owned());
        let line = |line: &str| {
            let mut parts = line.strip_suffix('\n')?.splitn(3, '\t');
            (parts.next()? == inputs).then_some(())?;
            let word = parts.next()?.to_owned();
            Some((parts.next()?.to_owned(), word))
        };
        let known = text.split_inclusive('\n').filter_map(line).collect();
        let file = OpenOptions::new().append(true).create(true).open(path);
        let is_cut = !text.is_empty() && !text.ends_with('\n');
        let file = file.and_then(|mut file| if is_cut { file.write_all(b"\n").map(|()| file) } else { Ok(file) });
        let file = file.map_err(|error| {
            Problem::failure(format!("`{}` cannot be written: {error}", path.display())).help("name another file")
        })?;
        Ok(Self { inputs: inputs.to_owned(), known, file: Mutex::new(file) })
    }

    fn recall(&self, name: &str) -> Option<String> {
        self.known.get(&one_line(name)).cloned()
    }

    /// What cannot be kept costs time, nothing else.
    fn keep(&self, name: &str, word: &str) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // In one piece, so that what is killed leaves no half of a line that reads as a whole one.
        drop(file.write_all(format!("{}\t{word}\t{}\n", self.inputs, one_line(name)).as_bytes()));
    }
}

fn one_line(name: &str) -> String {
    name.replace(['\n', '\t'], " ")
}

/// What cases need of the invariants: nothing, as properties are tried apart.
fn subject_without(bundle: &PolicyBundle) -> Result<Subject, Problem> {
    Subject::new(bundle.clone(), Vec::new())
}

const DEFAULT_CASES: &str = "tests/policy";
