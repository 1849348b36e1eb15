//! Reading files with bounds; what they hold is not known here. Writing is below, in `target`, `write` and `journal`.

mod journal;
mod standing;
mod target;
mod write;

use crate::problem::{Code, Coded as _, Problem, Problems, Source, nearest};
use rustix::fs::{Mode, OFlags};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

pub use journal::{AppendFile, lock_within, open_lines};
pub use standing::{Standing, is_there, read_optional};
pub use target::{is_stdout, is_stream, place_of};
pub use write::{Output, check, check_folder, check_free, create, remove, stream, write, write_together};

/// No single input may be larger, in bytes; a plan that nobody could read is no plan.
pub const LARGEST_FILE: u64 = 32 * 1024 * 1024;

/// No program may be larger, in bytes: more of it is not read, and its digest is then another.
const LARGEST_PROGRAM: u64 = 1024 * 1024 * 1024;

/// The name of standard input, where a plan is read, and of standard output, where a result is written.
pub const STDIN: &str = "-";

/// No bundle or folder of facts may hold more files.
pub const MOST_FILES: usize = 10_000;

/// Reads one text file, reported under its path.
pub fn read(path: &Path) -> Result<Source, Problems> {
    Ok(text(path, read_bytes(path)?)?)
}

/// Reads a plan: a file, or standard input under the name `-`, with the same bound.
pub fn read_plan(path: &Path) -> Result<Source, Problems> {
    if path.as_os_str() != STDIN {
        return read(path);
    }
    let shown = Path::new("standard input");
    Ok(text(shown, bounded(&mut std::io::stdin().lock(), shown)?)?)
}

/// Bytes that were read from a file, as text.
pub fn text(path: &Path, bytes: Vec<u8>) -> Result<Source, Problem> {
    let name = path.display().to_string();
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(name, text)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let valid = String::from_utf8_lossy(error.as_bytes().get(..at).unwrap_or_default()).into_owned();
            let end = valid.len();
            let source = Source::new(name.clone(), valid);
            let help = match error.as_bytes() {
                [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "it is UTF-16; save it as UTF-8",
                _ => "save it as UTF-8",
            };
            Err(Problem::invalid(format!("`{name}` is not UTF-8: byte {} begins no character", at + 1))
                .at(&source, end..end)
                .help(help)
                .coded(Code::NotUtf8))
        }
    }
}

/// Reads the bytes of one regular file of bounded size.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, Problem> {
    bounded(&mut open_regular(path)?, path)
}

/// Reads a program, which may be much larger than what people review.
pub fn read_program(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    let mut bytes = Vec::new();
    file.take(LARGEST_PROGRAM).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The lines of a regular file of any size, one at a time; each is bounded as a file is.
pub fn lines(path: &Path) -> Result<impl Iterator<Item = Result<String, Problem>>, Problem> {
    let mut file = std::io::BufReader::new(open_regular(path)?);
    let path = path.to_path_buf();
    Ok(std::iter::from_fn(move || {
        let mut line = Vec::new();
        let read =
            std::io::BufRead::read_until(&mut std::io::Read::take(&mut file, LARGEST_FILE + 1), b'\n', &mut line);
        let wrong = |what: String| Problem::invalid(format!("`{}` {what}", path.display()));
        match read {
            Ok(0) => None,
            Ok(_) if line.len() as u64 > LARGEST_FILE => {
                let most = LARGEST_FILE / 1024 / 1024;
                Some(Err(wrong(format!("has a line larger than {most} MiB")).coded(Code::FileTooLarge)))
            }
            Ok(_) => {
                Some(String::from_utf8(line).map_err(|_| wrong("is not valid UTF-8".to_owned()).coded(Code::NotUtf8)))
            }
            Err(error) => Some(Err(wrong(format!("cannot be read: {}", cause(&error))).coded(Code::FileUnreadable))),
        }
    }))
}

/// Opens a regular file, or says why not.
fn open_regular(path: &Path) -> Result<File, Problem> {
    let name = path.display();
    let file = open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound if is_there(path) => {
            Problem::failure(format!("`{name}` is a link to nowhere")).help(ASTRAY).coded(Code::FileUnreadable)
        }
        std::io::ErrorKind::NotFound => Problem::failure(format!("`{name}` does not exist"))
            .help(match alike(path) {
                Some(meant) => format!("did you mean `{}`?", meant.display()),
                None => "check the path, or run from the project's folder".to_owned(),
            })
            .coded(Code::FileMissing),
        _ => Problem::failure(format!("`{name}` cannot be opened: {}", cause(&error))).coded(Code::FileUnreadable),
    })?;
    let metadata = file
        .metadata()
        .map_err(|error| Problem::failure(format!("`{name}`: {}", cause(&error))))
        .coded(Code::FileUnreadable)?;
    if metadata.is_dir() {
        return Err(Problem::failure(format!("`{name}` is a folder, not a file")).help("name a file in it"))
            .coded(Code::FileUnreadable);
    }
    if !metadata.is_file() {
        return Err(Problem::failure(format!("`{name}` is not a regular file"))
            .help("name a file")
            .coded(Code::FileUnreadable));
    }
    Ok(file)
}

/// Opens what is there without waiting: a FIFO that nobody writes to would never open.
pub fn open(path: &Path) -> std::io::Result<File> {
    Ok(rustix::fs::open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?.into())
}

/// Reads all there is, unless it is too much.
pub fn bounded(from: &mut dyn std::io::Read, path: &Path) -> Result<Vec<u8>, Problem> {
    let name = path.display();
    let mut bytes = Vec::new();
    // One byte more than allowed shows that there is more, also in a file that grows.
    from.take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Problem::failure(format!("`{name}` cannot be read: {}", cause(&error))))
        .coded(Code::FileUnreadable)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(Problem::invalid(format!("`{name}` is larger than {} MiB", LARGEST_FILE / 1024 / 1024))
            .help("split it; it is too large to review")
            .coded(Code::FileTooLarge));
    }
    Ok(bytes)
}

/// The file beside a missing one whose name it was probably meant to be.
fn alike(path: &Path) -> Option<PathBuf> {
    let folder = folder_of(path);
    let names: Vec<String> = fs::read_dir(folder)
        .ok()?
        .take(MOST_FILES)
        .filter_map(|entry| entry.ok().filter(|entry| entry.path().is_file())?.file_name().into_string().ok())
        .collect();
    let meant = nearest(path.file_name()?.to_str()?, names.iter().map(String::as_str))?;
    Some(path.with_file_name(meant))
}

/// Whether a file of this name is a signature of one of that name: `X.sig` or `X.<name>.sig`.
pub fn is_signature_of(name: &str, found: &str) -> bool {
    found.strip_prefix(name).is_some_and(|rest| rest == ".sig" || (rest.starts_with('.') && rest.ends_with(".sig")))
}

/// Reads the signatures beside a file, `X.sig` and every `X.<name>.sig`, by name, sorted.
pub fn read_signatures(path: &Path) -> Result<Vec<(String, Vec<u8>)>, Problems> {
    let folder = folder_of(path);
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let entries = fs::read_dir(folder).map_err(|error| {
        Problem::failure(format!("the folder `{}` cannot be read: {}", folder.display(), cause(&error)))
    })?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|found| is_signature_of(name, found)).take(MOST_FILES).collect();
    names.sort();
    names.into_iter().map(|name| Ok((name.clone(), read_bytes(&folder.join(name))?))).collect()
}

/// Reads every file of a folder whose name ends so, as far as they can be read, with what cannot; none, where there is no such folder.
pub fn read_files(folder: &Path, extension: &str) -> (Vec<Source>, Problems) {
    let mut problems = Problems::new();
    let files = if is_there(folder) { find(folder, &[extension], &mut problems) } else { Vec::new() };
    let sources = files.iter().filter_map(|path| problems.absorb(read(path))).collect();
    (sources, problems)
}

/// The folder that a path lies in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Every regular file below a folder whose name has one of these extensions, sorted; a symbolic link is refused, since what it names
/// can change unseen, and so is a folder of such a name.
pub fn below(folder: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>, Problems> {
    let mut problems = Problems::new();
    let files = find(folder, extensions, &mut problems);
    problems.or(files)
}

/// The same as far as it can be looked at; what cannot is added to `problems`.
pub fn find(folder: &Path, extensions: &[&str], problems: &mut Problems) -> Vec<PathBuf> {
    let is_called = |path: &Path| extensions.iter().any(|of| path.extension().is_some_and(|found| found == *of));
    let mut files = walk(folder, &|_, _| true, &is_called, problems);
    files.retain(|path| is_called(path));
    files
}

/// Every regular file below a folder, sorted, as far as it can be looked at; what cannot is added to `problems`.
///
/// Of a path and whether it is a folder, `is_wanted` says whether it matters at all; of a folder, `is_misnamed` says whether it is
/// called as only a file is: what makes a mount point of a file that is missing makes a folder.
pub fn walk(
    folder: &Path,
    is_wanted: &dyn Fn(&Path, bool) -> bool,
    is_misnamed: &dyn Fn(&Path) -> bool,
    problems: &mut Problems,
) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![folder.to_path_buf()], Vec::new());
    while let Some(current) = folders.pop() {
        let entries = match fs::read_dir(&current) {
            Ok(entries) => entries,
            Err(error) => {
                let problem =
                    Problem::failure(format!("the folder `{}` cannot be read: {}", current.display(), cause(&error)));
                let help = match (Standing::at(&current), error.kind()) {
                    (Standing::Astray, _) => ASTRAY,
                    (_, std::io::ErrorKind::NotADirectory) => "name a folder, not a file",
                    _ => "check the path, or run from the project's folder",
                };
                problems.push(problem.help(help).coded(Code::FolderUnreadable));
                continue;
            }
        };
        for entry in entries {
            let kind = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)));
            match kind {
                Ok((path, kind)) if !is_wanted(&path, kind.is_dir()) => {}
                Ok((path, kind)) if kind.is_dir() => {
                    if is_misnamed(&path) {
                        let problem = Problem::invalid(format!("`{}` is a folder, not a file", path.display()));
                        problems.push(problem.help("put the file in its place, or move the folder away"));
                    }
                    folders.push(path);
                }
                Ok((path, kind)) if kind.is_file() => files.push(path),
                Ok((path, kind)) => {
                    let help = if kind.is_symlink() { "replace the link by what it points to" } else { "move it away" };
                    problems.push(
                        Problem::invalid(format!("`{}` is neither a file nor a folder", path.display())).help(help),
                    );
                }
                Err(error) => problems.push(Problem::failure(format!(
                    "the folder `{}` cannot be read: {}",
                    current.display(),
                    cause(&error)
                ))),
            }
            if files.len() > MOST_FILES {
                problems.push(
                    Problem::invalid(format!("`{}` has more than {MOST_FILES} files", folder.display()))
                        .coded(Code::FileTooLarge),
                );
                return Vec::new();
            }
        }
    }
    files.sort();
    files
}

/// What to do about a link to nowhere.
const ASTRAY: &str = "mend the link, or take it away";

/// The system's words without its number.
pub(crate) fn cause(error: &std::io::Error) -> String {
    let text = error.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    text.get(..end).unwrap_or(&text).to_lowercase()
}
