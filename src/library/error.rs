//! What is wrong with what was asked: everything together, each with its place.

use crate::problem::{Problem, Problems};
use std::fmt;

/// Everything that is wrong with one input, found together. It is shown one a line.
#[derive(Debug)]
pub struct Error(Problems);

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Fault {
    /// What has to be put right, as `docs/errors.md` lists it; stable.
    pub code: &'static str,
    /// One sentence for people.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// The file, with the line and the column in it from 1, where it stands in one.
    pub place: Option<(String, usize, usize)>,
}

impl Error {
    /// What is wrong, as far as it is kept: at most 1,000.
    pub fn faults(&self) -> Vec<Fault> {
        self.0.iter().map(fault).collect()
    }
}

fn fault(problem: &Problem) -> Fault {
    let place = problem.source.as_ref().map(|source| {
        let (line, column) = source.position(problem.span.as_ref().map_or(0, |span| span.start));
        (source.name().to_owned(), line, column)
    });
    Fault { code: problem.code().name(), message: problem.message.clone(), help: problem.help.clone(), place }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.faults().into_iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            if let Some((file, line, column)) = fault.place {
                write!(f, "{file}:{line}:{column}: ")?;
            }
            f.write_str(&fault.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl From<Problems> for Error {
    fn from(problems: Problems) -> Self {
        Self(problems)
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self(problem.into())
    }
}
