//! Which solver, how long it may think, and how many of them work side by side.

use crate::prove::ProveOptions;
use crate::prove::solver::SolverOptions;
use clap::Args;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Which solver, and how it is asked; no answers are kept.
#[derive(Args, Debug)]
pub struct SolverArguments {
    /// The solver, cvc5 1.0.3 or newer [default: the variable CVC5, or `cvc5`]
    #[arg(long, value_name = "PROGRAM")]
    solver: Option<PathBuf>,
    /// The longest that the solver may think about one query
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    limit: Duration,
    /// How many solvers and threads work side by side [default: the number of processors, at most 4]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let limit = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    limit.filter(|limit| !limit.is_zero()).ok_or_else(|| "it is not a number of seconds above zero".to_owned())
}

impl SolverArguments {
    /// How to ask it.
    pub fn options(&self) -> ProveOptions {
        let from_environment = || std::env::var_os("CVC5").filter(|value| !value.is_empty());
        let program = self.solver.clone().map(PathBuf::into_os_string).or_else(from_environment);
        let processors = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let most = NonZeroUsize::MIN.saturating_add(3);
        ProveOptions {
            solver: SolverOptions { program: program.unwrap_or_else(|| "cvc5".into()), limit: self.limit },
            jobs: self.jobs.unwrap_or(processors.min(most)),
            cache: None,
            answers: Arc::default(),
            requests: None,
            keeps_requests: false,
        }
    }
}
