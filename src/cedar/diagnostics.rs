//! Cedar's own diagnostics turned into problems with places in our sources.

use crate::problem::{Problem, Problems, Source};
use miette::Diagnostic;
use std::ops::Range;

/// Every error that Cedar gathered in `error`, each said as `what: its message`.
pub fn problems(error: &dyn Diagnostic, what: &str, source: &Source) -> Problems {
    let mut problems = Problems::new();
    problems.push(problem(error, what, source));
    for related in error.related().into_iter().flatten() {
        problems.push(problem(related, what, source));
    }
    problems
}

/// One of Cedar's errors.
pub fn problem(error: &dyn Diagnostic, what: &str, source: &Source) -> Problem {
    let mut message = format!("{what}: {error}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        cause = inner.source();
    }
    let problem = match span(error) {
        Some(span) => Problem::invalid(message).at(source, span),
        None => Problem::invalid(message).of(source),
    };
    match error.help() {
        Some(help) => problem.help(help.to_string()),
        None => problem,
    }
}

/// The first place that Cedar's error points to.
pub fn span(error: &dyn Diagnostic) -> Option<Range<usize>> {
    let label = error.labels()?.next()?;
    Some(label.offset()..label.offset() + label.len())
}
