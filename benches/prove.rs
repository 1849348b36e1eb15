//! Proving the shipped bundle from cold, against a process for each query. Run `cargo bench --bench prove`.
//!
//! A process does what `cedar symcc` does, and no more is counted: it parses schema and policies, compiles what one query
//! needs for its request type, starts a solver and asks it. A sample of all queries is run so, one after the other, and the
//! rest counted at the same price. What needs to be found alive once only is counted once.

use cedar_policy::{PolicySet, Schema};
use cutter::policy::PolicyBundle;
use cutter::progress::Silent;
use cutter::project;
use cutter::prove::asking::{Answers, Asker};
use cutter::prove::bench::Bench;
use cutter::prove::property::{Property, questions};
use cutter::prove::solver::SolverOptions;
use cutter::prove::{ProveOptions, prove};
use cutter::subject::{Subject, invariant};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Command;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let subject = subject().ok_or("the shipped bundle does not load: run it from the project's folder")?;
    let mut arguments = std::env::args().skip_while(|argument| argument != ONE).skip(1);
    if let Some(number) = arguments.next() {
        return one(&subject, number.parse()?);
    }
    let mut out = std::io::stdout().lock();
    let two = NonZeroUsize::MIN.saturating_add(1);
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let start = Instant::now();
        let options = ProveOptions { solver: solver(), jobs: two, cache: None, answers: Arc::default() };
        let part = prove(&subject, &options, &Silent).map_err(|problem| problem.message)?;
        let time = start.elapsed();
        best = best.min(time);
        writeln!(out, "one process, two solvers  {:8.2} s  {}", time.as_secs_f64(), part.summary)?;
    }
    let mut seen = BTreeSet::new();
    let mut needed = |property| !matches!(property, Property::InvariantAlive(_)) || seen.insert(property);
    let all = subject.request_types.iter().flat_map(|of| questions(&subject, of));
    let all: Vec<usize> = all.enumerate().filter(|(_, q)| needed(q.property)).map(|(number, _)| number).collect();
    let sample: Vec<usize> = all.iter().copied().step_by((all.len() / SAMPLE).max(1)).collect();
    let mut asking = 0.0;
    for number in &sample {
        let output = Command::new(std::env::current_exe()?).args([ONE, &number.to_string()]).output()?;
        let seconds = String::from_utf8(output.stdout)?.trim().parse::<f64>();
        asking += seconds.map_err(|_| format!("query {number} failed"))?;
    }
    let each = asking / sample.len() as f64;
    let separate = each * all.len() as f64;
    writeln!(out, "a process a query         {separate:8.2} s  {} queries, {:.1} ms each", all.len(), each * 1e3)?;
    let ratio = separate / best.as_secs_f64();
    writeln!(out, "times faster              {ratio:8.1}, or {:.1} than two processes at a time", ratio / 2.0)?;
    Ok(())
}

/// One query, and everything that a process must do before it.
fn one(subject: &Subject, number: usize) -> Result<(), Failure> {
    let mut all = subject.request_types.iter().flat_map(|of| questions(subject, of).into_iter().map(move |q| (of, q)));
    let (request_type, question) = all.nth(number).ok_or("there is no such query")?;
    let start = Instant::now();
    // As a process of its own would have to, from the same texts.
    let texts = subject.bundle.policies().iter().filter_map(|policy| policy.source.text().get(policy.span.clone()));
    PolicySet::from_str(&texts.collect::<Vec<_>>().join("\n"))?;
    drop(Schema::from_cedarschema_str(subject.bundle.schema().source().text())?);
    let schema = cedar_policy_symcc::CompiledSchema::new(subject.bundle.schema().schema())?;
    let answers = Answers::default();
    let mut asker = Asker::new(&answers, &solver()).map_err(|problem| problem.message)?;
    Bench::new(subject, &schema, request_type)?.holds(&question.claim, &mut asker)?;
    writeln!(std::io::stdout(), "{}", start.elapsed().as_secs_f64())?;
    Ok(())
}

fn solver() -> SolverOptions {
    let program = std::env::var_os("CVC5").unwrap_or_else(|| OsString::from("cvc5"));
    SolverOptions { program, limit: Duration::from_secs(60) }
}

fn subject() -> Option<Subject> {
    let folder = Path::new("policies");
    let bundle = PolicyBundle::parse(&project::read_bundle(folder, None).ok()?).ok()?;
    let invariants = invariant::parse(&project::read_invariants(folder).ok()?, bundle.schema()).ok()?;
    Subject::new(bundle, invariants).ok()
}

/// Asks one query and ends.
const ONE: &str = "--one";

/// About how many queries are run in processes of their own.
const SAMPLE: usize = 120;
