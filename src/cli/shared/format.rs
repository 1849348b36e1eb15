//! Forms of results that several commands share; a command with a set of its own has it in its own file.

use clap::ValueEnum;

/// For people, or for programs.
#[derive(Clone, Copy, PartialEq, Eq, Default, ValueEnum, Debug)]
pub enum TableOrJson {
    /// For terminals
    #[default]
    Table,
    /// One versioned document
    Json,
}

/// For people, for programs, or for a report.
#[derive(Clone, Copy, PartialEq, Eq, Default, ValueEnum, Debug)]
pub enum TableJsonOrMarkdown {
    /// For terminals
    #[default]
    Table,
    /// One versioned document
    Json,
    /// For reports
    Markdown,
}
