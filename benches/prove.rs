//! Proving the shipped bundle from cold, against a solver process for each query. Run `cargo bench --bench prove`.
//!
//! The comparison is kind to separate processes: queries that fold to a constant cost them nothing here, and neither does
//! parsing and compiling the bundle anew for each, which `cedar symcc` does.

use cutter::files;
use cutter::policy::PolicyBundle;
use cutter::review::invariant;
use cutter::review::prove::solver::SolverOptions;
use cutter::review::prove::{ProveOptions, prove};
use cutter::review::subject::Subject;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let program = std::env::var_os("CVC5").unwrap_or_else(|| "cvc5".into());
    let subject = subject().ok_or("the shipped bundle does not load: run it from the project's folder")?;
    let options = |program: std::ffi::OsString, jobs| ProveOptions {
        solver: SolverOptions { program, limit: Duration::from_secs(60) },
        jobs,
        cache: None,
    };
    let two = NonZeroUsize::MIN.saturating_add(1);
    let mut out = std::io::stdout().lock();
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let start = Instant::now();
        let part = prove(&subject, &options(program.clone(), two)).map_err(|problem| problem.message)?;
        best = best.min(start.elapsed());
        writeln!(out, "one process, two solvers   {:7.2} s  {}", start.elapsed().as_secs_f64(), part.summary)?;
    }
    // The same texts, written down on their way to a single solver.
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    let wrapper = folder.path().join("solver");
    let real = program.to_string_lossy().into_owned();
    std::fs::write(
        &wrapper,
        format!(
            "#!/bin/sh\n[ \"$1\" = --version ] && exec {real} --version\ntee -a {} | {real} \"$@\"\n",
            log.display()
        ),
    )?;
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755))?;
    let part = prove(&subject, &options(wrapper.into(), NonZeroUsize::MIN)).map_err(|problem| problem.message)?;
    let text = std::fs::read_to_string(&log)?;
    // The first two are the questions that try the solver out.
    let texts: Vec<&str> = text.split("(reset)\n").filter(|text| text.contains("check-sat")).skip(2).collect();
    let start = Instant::now();
    for text in &texts {
        let mut child =
            Command::new(&program).args(["--lang", "smt"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        child.stdin.take().ok_or("no standard input")?.write_all(text.as_bytes())?;
        child.wait()?;
    }
    let each = start.elapsed().as_secs_f64() / texts.len().max(1) as f64;
    let count = |word: &str| {
        let before = part.summary.split(word).next().and_then(|before| before.split_whitespace().last());
        before.and_then(|number| number.trim_start_matches('(').parse::<f64>().ok()).unwrap_or_default()
    };
    let reaching = count(" queries:") - count(" folded,");
    let all = each * reaching;
    writeln!(
        out,
        "a process a query           {all:7.2} s  {reaching} queries that do not fold, {:.1} ms each",
        each * 1e3
    )?;
    writeln!(out, "ratio                       {:7.1}", all / best.as_secs_f64())?;
    Ok(())
}

fn subject() -> Option<Subject> {
    let folder = Path::new("policies");
    let bundle = PolicyBundle::parse(&files::read_bundle(folder, None).ok()?).ok()?;
    let invariants = invariant::parse(&files::read_invariants(folder).ok()?, bundle.schema()).ok()?;
    Subject::new(bundle, invariants).ok()
}
