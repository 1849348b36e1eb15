//! How results and errors are shown, and where they go.

use crate::files;
use crate::layout::Style;
use crate::layout::printable;
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::render;
use crate::render::problems::ProblemLevel;
use clap::{Args, ValueEnum};
use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

/// How results and errors are shown.
#[derive(Args, Debug)]
pub struct OutputArguments {
    /// Write results to this file instead of standard output, which is `-`; where several are written, their folder
    #[arg(long, global = true, value_name = "PATH")]
    output: Option<PathBuf>,
    /// When to use colour; `NO_COLOR` turns `auto` off
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    color: Color,
    /// The form of errors
    #[arg(long, global = true, value_enum, default_value_t = ErrorFormat::Human)]
    error_format: ErrorFormat,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
enum ErrorFormat {
    /// With underlined source
    Human,
    /// One line each
    Plain,
    /// One versioned document
    Json,
}

impl OutputArguments {
    /// How standard output wants it.
    pub fn style(&self) -> Style {
        self.style_for(self.is_terminal())
    }

    /// How the terminal wants it that somebody sits at.
    pub fn style_of_terminal(&self) -> Style {
        self.style_for(true)
    }

    /// Whether the result goes to a terminal, and not into a file or to another program.
    pub fn is_terminal(&self) -> bool {
        self.output.as_deref().is_none_or(files::is_stdout) && std::io::stdout().is_terminal()
    }

    /// The text of problems, as standard error wants it.
    pub fn problems(&self, problems: &Problems) -> String {
        match self.error_format {
            ErrorFormat::Human => render::problems::human(problems, ProblemLevel::Error, self.style_of_errors()),
            ErrorFormat::Plain => render::problems::plain(problems, ProblemLevel::Error),
            ErrorFormat::Json => render::problems::json(problems, ProblemLevel::Error),
        }
    }

    /// The folder of a command that writes several files; one that they could not go to is refused before any work.
    pub fn folder(&self, default: &str) -> Result<PathBuf, Problem> {
        let folder = self.output.clone().unwrap_or_else(|| PathBuf::from(default));
        if files::is_stream(&folder) {
            let message = format!("`{}` is a stream, and several files are written", folder.display());
            return Err(Problem::failure(message).help("name their folder with --output").coded(Code::OutputRefused));
        }
        files::check_folder(&folder)?;
        Ok(folder)
    }

    /// Refuses, before any work, a file that the result could not go to.
    pub fn check(&self) -> Result<(), Problem> {
        self.output.as_deref().map_or(Ok(()), files::check)
    }

    /// The file that the result goes to, where one is named.
    pub fn file(&self) -> Option<&Path> {
        self.output.as_deref()
    }

    /// Says on standard error what does not stop the work.
    pub fn warn(&self, problems: &Problems) {
        if !problems.is_empty() {
            let style = self.style_of_errors();
            let text = match self.error_format {
                ErrorFormat::Human => render::problems::human(problems, ProblemLevel::Warning, style),
                ErrorFormat::Plain => render::problems::plain(problems, ProblemLevel::Warning),
                ErrorFormat::Json => render::problems::json(problems, ProblemLevel::Warning),
            };
            let _ = std::io::stderr().write_all(text.as_bytes());
        }
    }

    /// How standard error wants it.
    pub fn style_of_errors(&self) -> Style {
        self.style_for(std::io::stderr().is_terminal())
    }

    /// Tells of work as it goes on, on standard error.
    pub fn say(&self, text: &str) {
        let _ = std::io::stderr().write_all(text.as_bytes());
    }

    /// Says in one line on standard error how it went, where the result itself went to a file.
    pub fn note(&self, means: &str, exit: u8, file: &Path) {
        let means = means.split_whitespace().collect::<Vec<_>>().join(" ");
        let (name, meaning) = means.split_once(' ').unwrap_or((&means, ""));
        let message = format!("{name} (exit code {exit}): {meaning}; the result is in `{}`", file.display());
        let text = match self.error_format {
            ErrorFormat::Json => render::problems::json(
                &Problem::failure(message).coded(Code::ResultWritten).into(),
                ProblemLevel::Warning,
            ),
            ErrorFormat::Human | ErrorFormat::Plain => format!("note: {}\n", printable(&message)),
        };
        let _ = std::io::stderr().write_all(text.as_bytes());
    }

    /// Prints a result where it belongs; a command that used `--output` itself prints to standard output.
    pub fn print(&self, text: &str, stored: bool) -> Result<(), Problem> {
        match self.output.as_ref().filter(|_| !stored) {
            Some(path) => files::write(path, text),
            None => files::stream(&mut std::io::stdout().lock(), text.as_bytes()),
        }
    }

    fn style_for(&self, terminal: bool) -> Style {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let color = match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
        };
        let columns = || std::env::var("COLUMNS").ok()?.parse().ok().filter(|columns| *columns >= 20);
        let measured = || terminal_size::terminal_size().filter(|_| terminal).map(|(width, _)| width.0);
        Style { width: columns().or_else(measured).unwrap_or(100).clamp(40, 400), color }
    }
}

/// Whether a command line that cannot be read asks for errors in JSON.
pub fn wants_json_errors(words: &[OsString]) -> bool {
    let own = words.split(|word| word == "--").next().unwrap_or_default();
    own.iter().any(|word| word == "--error-format=json")
        || own.windows(2).any(|pair| matches!(pair, [option, form] if option == "--error-format" && form == "json"))
}
