//! The faces of problems: with underlined source for people, one line each, or JSON.

use crate::layout::shown;
use crate::layout::{Style, escaped_json, printable};
use crate::problem::{Problem, Problems};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;
use std::fmt::Write as _;

/// Whether problems stop the work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProblemLevel {
    /// They do.
    Error,
    /// They do not.
    Warning,
}

impl ProblemLevel {
    fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// With the source underlined, for people.
pub fn human(problems: &Problems, severity: ProblemLevel, style: Style) -> String {
    let renderer = if style.color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.term_width(usize::from(style.width));
    let level = match severity {
        ProblemLevel::Error => Level::ERROR,
        ProblemLevel::Warning => Level::WARNING,
    };
    let mut text = String::new();
    for problem in problems.iter().take(SHOWN) {
        let message = printable(&problem.message);
        let mut group = Group::with_title(level.clone().primary_title(&message));
        let (name, text_shown);
        if let Some(source) = &problem.source {
            name = printable(source.name());
            let span = problem.span.clone().filter(|span| {
                source.text().is_char_boundary(span.start)
                    && source.text().is_char_boundary(span.end)
                    && line_is_short(source.text(), span.start)
            });
            group = match span {
                Some(span) => {
                    let end = first_line_end(source.text(), &span);
                    let (clean, span) = shown(source, span.start..end);
                    text_shown = clean;
                    let snippet = Snippet::source(text_shown.as_str()).path(&name).fold(true);
                    group.element(snippet.annotation(AnnotationKind::Primary.span(span)))
                }
                None => {
                    let (line, column) = problem.span.as_ref().map_or((1, 1), |span| source.position(span.start));
                    group.element(annotate_snippets::Origin::path(&name).line(line).char_column(column))
                }
            };
        }
        let help;
        if let Some(text) = &problem.help {
            help = printable(text);
            group = group.element(Level::HELP.message(&help));
        }
        let _ = writeln!(text, "{}\n", renderer.render(&[group]));
    }
    let _ = write!(text, "{}", rest(problems));
    text
}

/// One line each: `file:line:column: error: message (help)`.
pub fn plain(problems: &Problems, severity: ProblemLevel) -> String {
    let mut text = String::new();
    for problem in problems.iter().take(SHOWN) {
        if let Some(place) = Place::of(problem) {
            let _ = write!(text, "{}:{}:{}: ", printable(&place.file), place.line, place.column);
        }
        let _ = write!(text, "{}: {}", severity.name(), printable(&problem.message));
        match &problem.help {
            Some(help) => drop(writeln!(text, "; help: {}", printable(help))),
            None => text.push('\n'),
        }
    }
    let _ = write!(text, "{}", rest(problems));
    text
}

/// `{"version": 1, "count", "errors": [{code, message, file, line, column, help}]}`; `count` tells of those not kept, too. What does
/// not stop the work stands under `warnings` instead.
pub fn json(problems: &Problems, severity: ProblemLevel) -> String {
    #[derive(Serialize)]
    struct Document<'a> {
        version: u32,
        count: usize,
        #[serde(skip_serializing_if = "Option::is_none")]
        errors: Option<Vec<Error<'a>>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        warnings: Option<Vec<Error<'a>>>,
    }
    #[derive(Serialize)]
    struct Error<'a> {
        code: &'static str,
        message: &'a str,
        #[serde(flatten)]
        place: Option<Place>,
        help: Option<&'a str>,
    }
    let errors = problems.iter().map(|problem| Error {
        code: problem.code().name(),
        message: &problem.message,
        place: Place::of(problem),
        help: problem.help.as_deref(),
    });
    let (errors, warnings) = match severity {
        ProblemLevel::Error => (Some(errors.collect()), None),
        ProblemLevel::Warning => (None, Some(errors.collect())),
    };
    let document = Document { version: 1, count: problems.count(), errors, warnings };
    escaped_json(serde_json::to_string_pretty(&document).unwrap_or_default() + "\n")
}

#[derive(Serialize)]
struct Place {
    file: String,
    line: usize,
    column: usize,
}

impl Place {
    fn of(problem: &Problem) -> Option<Self> {
        let source = problem.source.as_ref()?;
        let (line, column) = problem.span.as_ref().map_or((1, 1), |span| source.position(span.start));
        Some(Self { file: source.name().to_owned(), line, column })
    }
}

fn rest(problems: &Problems) -> String {
    match problems.count() {
        count if count > SHOWN => format!("error: and {} more; fix these first\n", count - SHOWN),
        _ => String::new(),
    }
}

/// Underlining what spans many lines would print a whole policy; its first line says where.
fn first_line_end(text: &str, span: &std::ops::Range<usize>) -> usize {
    let inside = text.get(span.clone()).unwrap_or_default();
    span.start + inside.find('\n').unwrap_or(inside.len())
}

fn line_is_short(text: &str, at: usize) -> bool {
    let before = text.get(..at).and_then(|text| text.rfind('\n')).map_or(at, |newline| at - newline);
    let after = text.get(at..).map_or(0, |text| text.find('\n').unwrap_or(text.len()));
    before + after < 2_000
}

/// More problems than this help nobody; the number of the rest is said.
const SHOWN: usize = 50;
