//! The paths that a command line names, and that no result may be written over.

use crate::files;
use crate::problem::{Code, Coded as _, Problem};
use clap::ArgMatches;
use std::path::{Path, PathBuf};

/// The paths of one command line, without that of `--output`.
#[derive(Debug)]
pub struct Named {
    files: Vec<PathBuf>,
    /// Folders of which every file counts.
    folders: Vec<PathBuf>,
}

impl Named {
    /// All that are named, and the folders of the bundle and the facts wherever they are read.
    pub fn of(matches: &ArgMatches) -> Self {
        let mut named = Self { files: Vec::new(), folders: Vec::new() };
        let mut level = Some(matches);
        while let Some(matches) = level {
            for id in matches.ids().map(clap::Id::as_str).filter(|id| *id != "output") {
                // Values of other types are no paths.
                let Ok(Some(paths)) = matches.try_get_many::<PathBuf>(id) else { continue };
                let kind = if FOLDERS.contains(&id) { &mut named.folders } else { &mut named.files };
                kind.extend(paths.cloned());
            }
            level = matches.subcommand().map(|(_, matches)| matches);
        }
        named
    }

    /// Refuses to write a result over what the command reads, or writes besides.
    pub fn spare(&self, output: &Path) -> Result<(), Problem> {
        let place = files::place_of(output).filter(|_| !files::is_stream(output));
        let Some(place) = place else { return Ok(()) };
        let places = |paths: &[PathBuf]| paths.iter().filter_map(|path| files::place_of(path)).collect::<Vec<_>>();
        let why = if places(&self.files).contains(&place) {
            "the command line names it twice"
        } else if places(&self.folders).iter().any(|folder| place.starts_with(folder)) {
            "it lies in a folder that the command reads"
        } else {
            return Ok(());
        };
        Err(Problem::failure(format!("`{}` is not written: {why}", output.display()))
            .help("name another file with --output")
            .coded(Code::OutputRefused))
    }
}

const FOLDERS: [&str; 2] = ["policies", "entities"];
