//! The observer's own work: for each run a witness beside it, and captures one after the other, by its own configuration alone.

use super::kept::{Kept, WITNESS, folder_of};
use super::wire::{Phase, Request, Seen};
use crate::cli::evidence::configuration;
use crate::cli::shared::clock::system_time;
use crate::cli::shared::connection::access;
use crate::cli::shared::exit::no_json;
use crate::cli::shared::progress::Progress;
use crate::cli::shared::signing;
use crate::digest::Digest;
use crate::evidence::witness::WitnessRecord;
use crate::files::{self, AppendFile, Output, cause};
use crate::observe::witness::{Watch, watch};
use crate::observe::{Task, capture};
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::render;
use crate::settings::Config;
use crate::signature::EVIDENCE;
use crate::trust::SignatureFile;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

/// Whoever observes runs.
pub struct Station {
    config: PathBuf,
    /// Nobody vouches for what is seen without it.
    key: Option<PathBuf>,
    every: Duration,
    /// The witness of each run. One thing is done at a time.
    watching: Mutex<BTreeMap<String, Watching>>,
}

/// A witness at work.
struct Watching {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<(), Problems>>,
}

/// Which plan a run is of; no other is observed under its name.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Begun {
    run: String,
    #[serde(rename = "plan_sha256")]
    plan: Digest,
}

impl Station {
    /// An observer with this configuration, which looks so often as a witness.
    pub fn new(config: PathBuf, key: Option<PathBuf>, every: Duration) -> Self {
        Self { config, key, every, watching: Mutex::default() }
    }

    /// Does what is asked for.
    pub fn answer(&self, request: &Request) -> Result<Seen, Problems> {
        if request.version != 1 {
            return Err(Problem::invalid(format!("version {} of a request is not 1", request.version)).into());
        }
        let (config, digest) = configuration(&self.config)?;
        let settings = config.observer.as_ref().ok_or_else(|| {
            Problem::invalid(format!("`{}` has no `[observer]`", self.config.display())).coded(Code::ConfigInvalid)
        })?;
        let folder = folder_of(settings, &request.run)?;
        let mut watching = self.watching.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = self.look(&folder)?;
        check_plan(&folder, request)?;
        let latest = kept.captures.last();
        let is_at_work = |witness: &Watching| !witness.thread.is_finished();
        let is_watched =
            latest.is_none() || kept.witness.is_some() || watching.get(&request.run).is_some_and(is_at_work);
        let seen = |sha256| Seen { sha256, is_watched };
        match (request.phase, latest) {
            (Phase::Begin, None) if watching.len() >= MOST_RUNS => {
                return Err(Problem::failure(format!("{MOST_RUNS} runs are observed already")).into());
            }
            (Phase::Begin, None) => {
                let begun = Begun { run: request.run.clone(), plan: request.plan };
                let text = serde_json::to_string(&begun).map_err(no_json)? + "\n";
                files::write(&folder.join(BEGUN), &text)?;
                let record = folder.join(WATCHING);
                // Of one that was to begin and did not.
                remove(&record)?;
                let witness = Watching::begin(config.clone(), digest, record, self.every)?;
                watching.insert(request.run.clone(), witness);
            }
            (_, None) => {
                return Err(Problem::failure("nothing was observed of the run before it began").into());
            }
            (Phase::Begin, Some(latest)) => return digest_of(&latest.path).map(seen),
            // It is over, and what came after it is not its doing.
            (_, Some(latest)) if kept.witness.is_some() => return digest_of(&latest.path).map(seen),
            _ => {}
        }
        let number = latest.map_or(1, |latest| latest.number.saturating_add(1));
        let taken = self.take(&config, digest, &folder.join(format!("{number:03}-{}.json", request.records)), number);
        if taken.is_err() && request.phase == Phase::Begin {
            // Nothing began: the next one may try again.
            drop(watching.remove(&request.run).map(Watching::end));
        }
        if request.phase == Phase::End && taken.is_ok() {
            self.close(&folder, watching.remove(&request.run))?;
        }
        taken.map(seen)
    }

    /// What lies in the folder of a run; a result without its signature was never finished, and is made again.
    fn look(&self, folder: &Path) -> Result<Kept, Problem> {
        let mut kept = Kept::look(folder)?;
        let is_torn = |path: &Path| -> Result<bool, Problem> {
            Ok(self.key.is_some() && !files::is_there(&SignatureFile::path_beside(path)?))
        };
        if let Some(last) = kept.captures.last()
            && is_torn(&last.path)?
        {
            remove(&last.path)?;
            kept.captures.pop();
        }
        if let Some(witness) = &kept.witness
            && is_torn(witness)?
        {
            remove(witness)?;
            kept.witness = None;
        }
        Ok(kept)
    }

    /// Ends every witness that is at work, each with its signature.
    pub fn close_all(&self) -> Result<(), Problems> {
        let (config, _) = configuration(&self.config)?;
        let mut watching = self.watching.lock().unwrap_or_else(PoisonError::into_inner);
        let mut problems = Problems::new();
        for (run, witness) in std::mem::take(&mut *watching) {
            let folder = config.observer.as_ref().map(|settings| folder_of(settings, &run));
            let closed = folder.transpose().map_err(Problems::from).and_then(|folder| match folder {
                Some(folder) => self.close(&folder, Some(witness)),
                None => Ok(()),
            });
            problems.absorb(closed);
        }
        problems.or(())
    }

    /// Captures into a new file, and signs it.
    fn take(&self, config: &Config, digest: Digest, file: &Path, number: usize) -> Result<Digest, Problems> {
        if number > MOST_CAPTURES {
            return Err(Problem::failure(format!("{MOST_CAPTURES} captures were made of the run already")).into());
        }
        let (access, progress) = (access(config)?, Progress::default());
        let capture = capture(&Task {
            settings: &config.evidence,
            access: &access,
            config: digest,
            level: config.evidence.level,
            strict: false,
            settle: Duration::ZERO,
            now: &system_time,
            observer: &progress,
        })?;
        let text = render::json::document(&capture).map_err(no_json)?;
        self.keep(file, &text)?;
        Ok(Digest::of(text.as_bytes()))
    }

    /// Ends a witness; from here on its record is there under its own name.
    fn close(&self, folder: &Path, witness: Option<Watching>) -> Result<(), Problems> {
        let ended = witness.map_or(Ok(()), Watching::end);
        let record = folder.join(WATCHING);
        let source = files::read(&record)?;
        // What broke off is evidence, too: of a witness that did not see all of it.
        WitnessRecord::parse(&source)?;
        self.keep(&folder.join(WITNESS), source.text())?;
        remove(&record)?;
        ended
    }

    /// Writes a result, with the signature over it.
    fn keep(&self, file: &Path, text: &str) -> Result<(), Problem> {
        let result = Output::new_file(file, text);
        match &self.key {
            Some(key) => signing::write_signed(result, key, EVIDENCE),
            None => files::write_together(&[result]),
        }
    }
}

impl Watching {
    /// Begins, and comes back when everything is being watched.
    fn begin(config: Config, digest: Digest, record: PathBuf, every: Duration) -> Result<Self, Problems> {
        let stop = Arc::new(AtomicBool::new(false));
        let (told, opened) = mpsc::channel();
        let is_over = Arc::clone(&stop);
        let thread = std::thread::spawn(move || -> Result<(), Problems> {
            let access = access(&config)?;
            let mut journal = AppendFile::create(&record)?;
            let task = Watch {
                settings: &config.evidence,
                access: &access,
                config: digest,
                rest: every,
                stop: &|| is_over.load(Ordering::Relaxed).then(|| "the run is over".to_owned()),
            };
            watch(&task, &mut |line| {
                journal.add(&serde_json::to_string(line).map_err(no_json)?)?;
                // Nobody listens any more after the first.
                let _ = told.send(());
                Ok(())
            })
        });
        let begun = Self { stop, thread };
        match opened.recv() {
            Ok(()) => Ok(begun),
            Err(_) => Err(begun.end().err().unwrap_or_else(|| Problem::failure("the witness saw nothing").into())),
        }
    }

    fn end(self) -> Result<(), Problems> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|_| Err(Problem::failure("the witness broke off").into()))
    }
}

/// A run is of one plan.
fn check_plan(folder: &Path, request: &Request) -> Result<(), Problems> {
    let path = folder.join(BEGUN);
    if !files::is_there(&path) {
        return Ok(());
    }
    let begun: Option<Begun> = serde_json::from_str(files::read(&path)?.text()).ok();
    match begun == Some(Begun { run: request.run.clone(), plan: request.plan }) {
        true => Ok(()),
        false => Err(Problem::failure(format!("`{}` is observed under another plan", request.run)).into()),
    }
}

fn digest_of(path: &Path) -> Result<Digest, Problems> {
    Ok(Digest::of(&files::read_bytes(path)?))
}

fn remove(path: &Path) -> Result<(), Problem> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Problem::failure(format!("`{}` cannot be removed: {}", path.display(), cause(&error))))
        }
        _ => Ok(()),
    }
}

const BEGUN: &str = "begun.json";

/// The record of a witness at work.
const WATCHING: &str = "watching.ndjson";

const MOST_RUNS: usize = 8;

const MOST_CAPTURES: usize = 999;
