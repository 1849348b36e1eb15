//! The paths that a command line names, and that no result may be written over.

use super::facts::DEFAULT_ENTITIES;
use super::inputs::DEFAULT_CONFIG;
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
    /// What is written beside the result, each with its option.
    written: Vec<(&'static str, PathBuf)>,
}

/// What commands read though no command line names it.
const READ: [&str; 2] = [DEFAULT_CONFIG, DEFAULT_ENTITIES];

impl Named {
    /// All that are named, and the folders of the bundle and the facts wherever they are read.
    pub fn of(matches: &ArgMatches) -> Self {
        let mut named = Self { files: Vec::new(), folders: Vec::new(), written: Vec::new() };
        let mut level = Some(matches);
        while let Some(matches) = level {
            for id in matches.ids().map(clap::Id::as_str).filter(|id| *id != OUTPUT) {
                // Values of other types are no paths.
                let Ok(Some(paths)) = matches.try_get_many::<PathBuf>(id) else { continue };
                match WRITTEN.iter().find(|written| **written == id) {
                    Some(written) => named.written.extend(paths.map(|path| (*written, path.clone()))),
                    None if FOLDERS.contains(&id) => named.folders.extend(paths.cloned()),
                    None => named.files.extend(paths.cloned()),
                }
            }
            level = matches.subcommand().map(|(_, matches)| matches);
        }
        named
    }

    /// Refuses to write a result, or what is written besides, over what the command reads or writes elsewhere; `is_folder` says whether
    /// the result is several files in a folder.
    pub fn spare(&self, output: Option<&Path>, is_folder: bool) -> Result<(), Problem> {
        let result = output.map(|path| (OUTPUT, path));
        let written = || result.into_iter().chain(self.written.iter().map(|(id, path)| (*id, path.as_path())));
        let place = |path: &Path| files::place_of(path).filter(|_| !files::is_stream(path));
        for (id, path) in written() {
            let Some(here) = place(path) else { continue };
            let others = written().filter(|(other, _)| *other != id).map(|(_, path)| path);
            let mut others = others.chain(self.files.iter().map(PathBuf::as_path));
            let holds_files = is_folder && id == OUTPUT || IN_FOLDERS.contains(&id);
            let why = if !holds_files && others.any(|other| place(other).as_ref() == Some(&here)) {
                "the command line names it twice"
            } else if stands_in(path, self.folders.iter().map(PathBuf::as_path)) {
                "it is in a folder that the command reads"
            } else if stands_in(path, READ.into_iter().map(Path::new)) {
                "the command reads it"
            } else {
                continue;
            };
            let what = if holds_files { "folder" } else { "file" };
            return Err(refused(path, why).help(format!("name another {what} with --{id}")));
        }
        Ok(())
    }
}

const OUTPUT: &str = "output";

/// Options of what is written beside the result, and of those the ones that name a folder.
const WRITTEN: [&str; 4] = ["attest", "compensation", "events", "package"];
const IN_FOLDERS: [&str; 2] = ["compensation", "package"];

/// Refuses to write a result over one of these files, or into one of these folders.
pub fn spare(output: &Path, files: &[&Path], folders: &[&Path]) -> Result<(), Problem> {
    if stands_in(output, files.iter().copied()) {
        return Err(refused(output, "the command reads it"));
    }
    match stands_in(output, folders.iter().copied()) {
        true => Err(refused(output, "it is in a folder that the command reads")),
        false => Ok(()),
    }
}

fn refused(output: &Path, why: &str) -> Problem {
    Problem::failure(format!("`{}` is not written: {why}", output.display()))
        .help("name another place")
        .coded(Code::OutputRefused)
}

/// Whether a path is one of these, or below one, wherever links lead.
fn stands_in<'a>(path: &Path, mut others: impl Iterator<Item = &'a Path>) -> bool {
    let place = files::place_of(path).filter(|_| !files::is_stream(path));
    others.any(|other| files::place_of(other).zip(place.as_ref()).is_some_and(|(of, at)| at.starts_with(of)))
}

/// The arguments that are folders of inputs, of which every file is read; `path` is that of cases.
const FOLDERS: [&str; 4] = ["policies", "entities", "plans", "path"];
