//! Which solver, how long it may think, and how many of them work side by side.

use crate::problem::Problem;
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
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    limit: f64,
    /// How many solvers and threads work side by side [default: the number of processors, at most 4]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

impl SolverArguments {
    /// How to ask it.
    pub fn options(&self) -> Result<ProveOptions, Problem> {
        let limit = Duration::try_from_secs_f64(self.limit).ok().filter(|limit| !limit.is_zero());
        let limit = limit.ok_or_else(|| Problem::invalid("`--limit` is not a number of seconds above zero"))?;
        let from_environment = || std::env::var_os("CVC5").filter(|value| !value.is_empty());
        let program = self.solver.clone().map(PathBuf::into_os_string).or_else(from_environment);
        let processors = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let most = NonZeroUsize::MIN.saturating_add(3);
        Ok(ProveOptions {
            solver: SolverOptions { program: program.unwrap_or_else(|| "cvc5".into()), limit },
            jobs: self.jobs.unwrap_or(processors.min(most)),
            cache: None,
            answers: Arc::default(),
            requests: None,
            keeps_requests: false,
        })
    }
}
