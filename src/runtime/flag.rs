//! Setting a switch in a file to a declared value: the one match of its pattern is replaced, and read again.

use super::work::Outcome;
use crate::files::{self, Output};
use crate::plan::FlagTask;
use crate::problem::{Problem, Problems};
use crate::text::only_match;

/// A switch and the text that its file is to have.
pub struct ReadyFlag {
    task: FlagTask,
    before: String,
    after: String,
}

impl ReadyFlag {
    /// Reads the file and makes its new text; a switch that is there twice or not at all is not set.
    pub fn prepare(task: &FlagTask) -> Result<Self, Problems> {
        files::check(&task.file)?;
        let source = files::read(&task.file)?;
        let before = source.text();
        let refused = |why: &str| {
            Problem::failure(format!("the flag `{}` in `{}` cannot be set: {why}", task.name, task.file.display()))
                .help("correct its `pattern` in [evidence.flags], or the file; nothing was done")
        };
        let at = only_match(&task.pattern, before).map_err(refused)?;
        let parts = before.get(..at.start).zip(before.get(at.end..));
        let Some((start, end)) = parts else { return Err(refused("its value is nowhere").into()) };
        let after = format!("{start}{}{end}", task.to);
        if stands(task, &after) {
            Ok(Self { task: task.clone(), before: before.to_owned(), after })
        } else {
            Err(refused("with its new value the pattern would not match").into())
        }
    }

    /// Writes the text in one step and reads it again. What somebody else wrote meanwhile stays.
    pub fn run(self) -> Outcome {
        let Self { task, before, after } = self;
        let read = || files::read(&task.file).map(|source| source.text().to_owned()).unwrap_or_default();
        if read() != before {
            return Outcome::Failed(format!("`{}` was changed meanwhile", task.file.display()));
        }
        if after != before
            && let Err(problem) = files::write_together(&[Output::replacing(&task.file, after.as_str())])
        {
            return Outcome::Failed(problem.message);
        }
        match read() == after {
            true => Outcome::Done(format!("{} is {}", task.name, task.to)),
            false => Outcome::InDoubt(format!("`{}` does not hold what was written", task.file.display())),
        }
    }
}

/// Whether the switch has its new value in a text.
fn stands(task: &FlagTask, text: &str) -> bool {
    only_match(&task.pattern, text).is_ok_and(|at| text.get(at) == Some(task.to.as_str()))
}
