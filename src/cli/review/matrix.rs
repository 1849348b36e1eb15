//! `cutter review matrix`: the table of decisions, and the committed one.

use super::Format;
use super::scope::Scope;
use crate::cli::shared::output::OutputArguments;
use crate::render::review as forms;
use crate::review::matrix::Matrix;
use clap::Args;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub struct MatrixArguments {
    #[command(flatten)]
    pub scope: Scope,
    /// Compare with this file instead of printing
    #[arg(long, value_name = "FILE")]
    pub check: Option<PathBuf>,
    /// The form in which the comparison is shown; the table itself has one
    #[arg(long, value_enum, default_value_t, requires = "check")]
    pub format: Format,
}

impl MatrixArguments {
    /// The table: as a terminal wants it, or as it is committed.
    pub fn shown(&self, matrix: &Matrix, output: &OutputArguments) -> String {
        match output.is_terminal() {
            true => forms::matrix::terminal(matrix, output.style()),
            false => forms::matrix::file(matrix),
        }
    }
}
