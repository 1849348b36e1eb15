//! Proving the shipped bundle cold, warm and after one change, against a process for each query. Run `cargo bench --bench prove`.
//!
//! A process does what `cedar symcc` does, and no more is counted: it parses schema and policies, compiles what one query
//! needs for its request type, starts a solver and asks it. A sample of all queries is run so, one after the other, and the
//! rest counted at the same price. What needs to be found alive once only is counted once.
//!
//! Beside the time of the clock stands that of the processors, solvers included, which a busy machine changes less.

use cedar_policy::{PolicySet, SchemaFragment};
use cutter::policy::{BundleSources, PolicyBundle};
use cutter::problem::Source;
use cutter::progress::Silent;
use cutter::project;
use cutter::prove::asking::{Answers, Asker};
use cutter::prove::bench::Bench;
use cutter::prove::coverage::coverage_in;
use cutter::prove::property::{Question, all, questions};
use cutter::prove::solver::SolverOptions;
use cutter::prove::workshop::Workshop;
use cutter::prove::{ProveOptions, prove_in};
use cutter::subject::{Subject, invariant};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr as _;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let subject = subject(|text| text).ok_or("the shipped bundle does not load: run it from the project's folder")?;
    let mut arguments = std::env::args().skip_while(|argument| argument != ONE).skip(1);
    if let Some(number) = arguments.next() {
        return one(&subject, number.parse()?);
    }
    let changed = self::subject(|text| text.replacen(CHANGE[0], CHANGE[1], 1)).ok_or("the change does not load")?;
    let cache = std::env::temp_dir().join(format!("cutter-bench-{}", std::process::id()));
    let requests = std::fs::read_to_string(REQUESTS).ok().map(|text| Source::new(REQUESTS, text));
    let kept = Some(cache.clone());
    let mut cold = Cost { clock: f64::MAX, processors: f64::MAX };
    for (name, subject, cache, requests) in [
        ("cold, nothing stored", &subject, None, None),
        ("cold", &subject, None, requests.clone()),
        ("cold", &subject, kept.clone(), requests.clone()),
        ("after one change", &changed, kept.clone(), requests.clone()),
        ("warm", &subject, kept, requests),
    ] {
        let cost = run(name, subject, cache, requests)?;
        cold = if name == "cold" && cost.processors < cold.processors { cost } else { cold };
    }
    std::fs::remove_dir_all(cache)?;
    let all = every_question(&subject);
    let sample: Vec<usize> = (0..all.len()).step_by((all.len() / SAMPLE).max(1)).collect();
    let mut asking = 0.0;
    for number in &sample {
        let output = Command::new(std::env::current_exe()?).args([ONE, &number.to_string()]).output()?;
        let seconds = String::from_utf8(output.stdout)?.trim().parse::<f64>();
        asking += seconds.map_err(|_| format!("query {number} failed"))?;
    }
    let each = asking / sample.len() as f64;
    let separate = each * all.len() as f64;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "a process a query     {separate:8.2} s of processors  {} queries, {:.1} ms each",
        all.len(),
        each * 1e3
    )?;
    writeln!(out, "times less            {:8.1}", separate / cold.processors)?;
    Ok(())
}

/// Proves and covers with two solvers.
fn run(name: &str, subject: &Subject, cache: Option<PathBuf>, requests: Option<Source>) -> Result<Cost, Failure> {
    let jobs = NonZeroUsize::MIN.saturating_add(1);
    let solver = solver();
    let options = ProveOptions { solver, jobs, cache, answers: Arc::default(), requests, keeps_requests: false };
    let before = Cost::so_far()?;
    let shop = Workshop::new(subject, &options);
    let proof = prove_in(&shop, &Silent).map_err(|problem| problem.message)?;
    let coverage = coverage_in(&shop, &BTreeSet::new(), &Silent).map_err(|problem| problem.message)?;
    // A solver's time is counted once it ended.
    drop(shop);
    let cost = Cost::so_far()?.since(before);
    let mut out = std::io::stdout().lock();
    let Cost { clock, processors } = cost;
    writeln!(out, "{name:20}  {clock:8.2} s, {processors:.2} s of processors")?;
    writeln!(out, "    prove     {}\n    coverage  {}", proof.summary, coverage.summary)?;
    Ok(cost)
}

/// Seconds that passed, and seconds that this process and those that it waited for were run.
#[derive(Clone, Copy)]
struct Cost {
    clock: f64,
    processors: f64,
}

impl Cost {
    fn so_far() -> Result<Self, Failure> {
        static START: OnceLock<Instant> = OnceLock::new();
        let clock = START.get_or_init(Instant::now).elapsed().as_secs_f64();
        let stat = std::fs::read_to_string("/proc/self/stat")?;
        // What stands behind the name: from the fourteenth on, times of its own and of its children in hundredths of a second.
        let (_, fields) = stat.rsplit_once(')').ok_or("/proc/self/stat is not understood")?;
        let times = fields.split_whitespace().skip(11).take(4).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
        Ok(Self { clock, processors: times as f64 / 100.0 })
    }

    fn since(self, before: Self) -> Self {
        Self { clock: self.clock - before.clock, processors: self.processors - before.processors }
    }
}

/// Every question with the place of its request type; what is settled once, once.
fn every_question(subject: &Subject) -> Vec<(usize, Question)> {
    let types = 0..subject.request_types.len();
    let mut found: Vec<(usize, Question)> =
        types.clone().flat_map(|at| questions(subject, at).into_iter().map(move |question| (at, question))).collect();
    for property in all(subject).into_iter().filter(|property| property.is_settled_once(subject)) {
        let at = types.clone().find(|at| property.concerns(subject, *at));
        found.extend(at.zip(property.alive().map(|claim| Question::plain(property, claim))));
    }
    found
}

/// One query, and everything that a process must do before it.
fn one(subject: &Subject, number: usize) -> Result<(), Failure> {
    let (at, question) = every_question(subject).into_iter().nth(number).ok_or("there is no such query")?;
    let before = Cost::so_far()?;
    // As a process of its own would have to, from the same texts.
    let texts = subject.bundle.policies().iter().map(|policy| policy.policy.to_string());
    PolicySet::from_str(&texts.collect::<Vec<_>>().join("\n"))?;
    drop(SchemaFragment::from_cedarschema_str(subject.bundle.schema().source().text())?);
    let schema = cedar_policy_symcc::CompiledSchema::new(subject.bundle.schema().schema())?;
    let answers = Answers::default();
    let mut asker = Asker::new(&answers, &solver()).map_err(|problem| problem.message)?;
    Bench::new(subject, &schema, at)?.holds(&question.claim, &mut asker)?;
    // A solver's time is counted once it ended.
    drop(asker);
    writeln!(std::io::stdout(), "{}", Cost::so_far()?.since(before).processors)?;
    Ok(())
}

fn solver() -> SolverOptions {
    let program = std::env::var_os("CVC5").unwrap_or_else(|| OsString::from("cvc5"));
    SolverOptions { program, limit: Duration::from_secs(60) }
}

/// The shipped bundle with each file of policies edited.
fn subject(edit: impl Fn(String) -> String) -> Option<Subject> {
    let folder = Path::new("policies");
    let sources = project::read_bundle(folder, None).ok()?;
    let edited = sources.policies.iter().map(|source| Source::new(source.name(), edit(source.text().to_owned())));
    let bundle = PolicyBundle::parse(&BundleSources { policies: edited.collect(), ..sources }).ok()?;
    let invariants = invariant::parse(&project::read_invariants(folder).ok()?, bundle.schema()).ok()?;
    Subject::new(bundle, invariants).ok()
}

/// What stands in one policy, and what shall.
const CHANGE: [&str; 2] = ["duration(\"12h\")", "duration(\"11h\")"];

/// Stored requests.
const REQUESTS: &str = "review/requests.jsonl";

/// Asks one query and ends.
const ONE: &str = "--one";

/// About how many queries are run in processes of their own.
const SAMPLE: usize = 120;
