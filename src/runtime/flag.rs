//! Setting a switch in a file to a declared value: the one match of its pattern is replaced, and read again.

use super::work::Outcome;
use crate::files::{self, Output};
use crate::problem::{Problem, Problems};
use crate::text::only_match;
use std::path::{Path, PathBuf};

/// A switch and the text that its file is to have.
pub struct ReadyFlag {
    name: String,
    to: String,
    file: PathBuf,
    before: String,
    after: String,
}

impl ReadyFlag {
    /// Reads the file and makes its new text; a switch that is there twice or not at all is not set.
    pub fn prepare(name: &str, to: &str, (file, pattern): (&Path, &str)) -> Result<Self, Problems> {
        files::check(file)?;
        let source = files::read(file)?;
        let before = source.text();
        let refused = |why: &str| {
            Problem::failure(format!("the flag `{name}` in `{}` cannot be set: {why}", file.display()))
                .help("correct its `pattern` in [evidence.flags], or the file; nothing was done")
        };
        let at = only_match(pattern, before).map_err(refused)?;
        let parts = before.get(..at.start).zip(before.get(at.end..));
        let Some((start, end)) = parts else { return Err(refused("its value is nowhere").into()) };
        let after = format!("{start}{to}{end}");
        if only_match(pattern, &after).is_ok_and(|at| after.get(at) == Some(to)) {
            let (name, to, file, before) = (name.to_owned(), to.to_owned(), file.to_owned(), before.to_owned());
            Ok(Self { name, to, file, before, after })
        } else {
            Err(refused("with its new value the pattern would not match").into())
        }
    }

    /// Writes the text in one step and reads it again. What somebody else wrote meanwhile stays.
    pub fn run(self) -> Outcome {
        let Self { name, to, file, before, after } = self;
        let read = || files::read(&file).map(|source| source.text().to_owned()).unwrap_or_default();
        if read() != before {
            return Outcome::Failed(format!("`{}` was changed meanwhile", file.display()));
        }
        if after != before
            && let Err(problem) = files::write_together(&[Output::replacing(&file, after.as_str())])
        {
            return Outcome::Failed(problem.message);
        }
        match read() == after {
            true => Outcome::Done(format!("{name} is {to}")),
            false => Outcome::InDoubt(format!("`{}` does not hold what was written", file.display())),
        }
    }
}
