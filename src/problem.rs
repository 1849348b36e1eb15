//! What is wrong with an input, where, and what to do. Problems are gathered, so that one run reports all of an input.

mod code;

pub use code::{Code, Coded};

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// The text of one input file, shared by everything that points into it.
#[derive(Clone, PartialEq, Eq)]
pub struct Source(Arc<(String, String)>);

impl Source {
    /// A text and the name it is reported under, usually its path.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self(Arc::new((name.into(), text.into())))
    }

    /// The name it is reported under.
    pub fn name(&self) -> &str {
        &self.0.0
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.0.1
    }

    /// The line and column of a byte offset, both from 1; columns count characters.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text().get(..offset).unwrap_or(self.text());
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        (line, before.get(line_start..).unwrap_or("").chars().count() + 1)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.name(), self.text().len())
    }
}

/// Whether the work could not be done, a signature does not vouch, or the input is not right.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Blame {
    /// A policy, schema, plan or fact is malformed or does not validate.
    Invalid,
    /// A signature is missing or does not verify, or who may sign cannot be trusted.
    Untrusted,
    /// A file could not be read or written, or a service not reached.
    Failure,
}

/// One thing that is wrong, said so that its author can fix it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Who is to blame.
    pub fault: Blame,
    /// One sentence, lower case, no full stop, user text in backticks.
    pub message: String,
    /// The text it is about, where there is one.
    pub source: Option<Source>,
    /// The bytes of `source` it is about.
    pub span: Option<Range<usize>>,
    /// What to do.
    pub help: Option<String>,
    code: Option<Code>,
}

impl Coded for Problem {
    fn coded(mut self, code: Code) -> Self {
        self.code.get_or_insert(code);
        self
    }
}

impl Coded for Problems {
    fn coded(mut self, code: Code) -> Self {
        for problem in &mut self.kept {
            problem.code.get_or_insert(code);
        }
        self
    }
}

impl Problem {
    /// An input that is not right.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { fault: Blame::Invalid, message: message.into(), source: None, span: None, help: None, code: None }
    }

    /// Something that no signature vouches for.
    pub fn untrusted(message: impl Into<String>) -> Self {
        Self { fault: Blame::Untrusted, ..Self::invalid(message) }
    }

    /// Work that could not be done.
    pub fn failure(message: impl Into<String>) -> Self {
        Self { fault: Blame::Failure, ..Self::invalid(message) }
    }

    /// What has to be put right; where nobody said, only whose fault it is.
    pub fn code(&self) -> Code {
        self.code.unwrap_or(match self.fault {
            Blame::Invalid => Code::Invalid,
            Blame::Untrusted => Code::Untrusted,
            Blame::Failure => Code::Failure,
        })
    }

    /// Adds the whole text it is about.
    #[must_use]
    pub fn of(mut self, source: &Source) -> Self {
        self.source = Some(source.clone());
        self
    }

    /// Adds the place in the text it is about.
    #[must_use]
    pub fn at(mut self, source: &Source, span: Range<usize>) -> Self {
        self.source = Some(source.clone());
        self.span = Some(span);
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// All problems of one piece of work, in the order they were found; after the first thousand they are only counted.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Problems {
    kept: Vec<Problem>,
    more: usize,
}

impl Problems {
    /// No problem so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        if self.kept.len() < MOST_KEPT {
            self.kept.push(problem);
        } else {
            self.more += 1;
        }
    }

    /// Adds one that costs work to describe, which is not done for one that is only counted.
    pub fn push_with(&mut self, describe: impl FnOnce() -> Problem) {
        if self.is_full() {
            self.more += 1;
        } else {
            self.push(describe());
        }
    }

    /// Whether further problems are only counted, so that describing them would be work for nothing.
    pub fn is_full(&self) -> bool {
        self.kept.len() >= MOST_KEPT
    }

    /// Keeps those of which this is true.
    pub fn retain(&mut self, is_kept: impl FnMut(&Problem) -> bool) {
        self.kept.retain(is_kept);
    }

    /// Adds all of another piece of work, and gives its result if it had one.
    pub fn absorb<T>(&mut self, result: Result<T, Problems>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(problems) => {
                self.more += problems.more;
                problems.kept.into_iter().for_each(|problem| self.push(problem));
                None
            }
        }
    }

    /// `value` if nothing is wrong, else the problems.
    pub fn or<T>(self, value: T) -> Result<T, Problems> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }

    /// The same problems, each about this text where it says of none.
    #[must_use]
    pub fn of(mut self, source: &Source) -> Self {
        for problem in self.kept.iter_mut().filter(|problem| problem.source.is_none()) {
            problem.source = Some(source.clone());
        }
        self
    }

    /// The same problems, each a reason not to trust.
    #[must_use]
    pub fn into_untrusted(mut self) -> Self {
        self.kept.iter_mut().for_each(|problem| problem.fault = Blame::Untrusted);
        self
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The problems that were kept, in the order they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.kept.iter()
    }

    /// The code of the first.
    pub fn code(&self) -> Option<Code> {
        self.kept.first().map(Problem::code)
    }

    /// How many there are, those that were only counted included.
    pub fn count(&self) -> usize {
        self.kept.len() + self.more
    }

    /// The gravest fault: work that could not be done outranks what is not trusted, and that input that is not right.
    pub fn fault(&self) -> Blame {
        self.kept.iter().map(|problem| problem.fault).max().unwrap_or(Blame::Failure)
    }

    /// The messages in one line, for a record or a row of a result.
    pub fn in_one_line(&self) -> String {
        self.kept.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("; ")
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self { kept: vec![problem], more: 0 }
    }
}

/// The name among `known` that `word` was probably meant to be.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(word, name), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

/// A file with more faults than this is fixed from its first ones on.
const MOST_KEPT: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let source = Source::new("x", "a\nđb");
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position(2), (2, 1));
        assert_eq!(source.position(4), (2, 2));
        assert_eq!(source.position(99), (2, 3));
    }

    #[test]
    fn work_that_could_not_be_done_outranks_input_that_is_not_right() {
        let mut problems = Problems::from(Problem::failure("a"));
        problems.push(Problem::invalid("b"));
        assert_eq!(problems.fault(), Blame::Failure);
    }
}
