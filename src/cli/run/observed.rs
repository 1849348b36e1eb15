//! A run beside its observer: captures before the first row, after each that declares a change, and at the end; and whether what was
//! measured is what was declared.

use super::moment::Moment;
use crate::attestation::between::Between;
use crate::attestation::gather;
use crate::attestation::report::{DoneOutcome, DoneRow};
use crate::authorization::Inputs;
use crate::cli::observe::Station;
use crate::cli::observe::kept::{Kept, Taken};
use crate::cli::observe::wire::{Phase, Request, Seen, ask};
use crate::cli::shared::clock::system_time;
use crate::cli::shared::vouch;
use crate::digest::Digest;
use crate::files;
use crate::ledger::{Held, Journal, Ledger};
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::request::Stage;
use crate::settings::observer::ObserverSettings;
use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A run and its observer.
pub struct Observed<'a, 'l> {
    moment: Moment<'a>,
    inputs: &'a Inputs,
    ledger: &'a dyn Ledger,
    settings: &'a ObserverSettings,
    /// Where the run observes itself.
    itself: Option<&'a Station>,
    /// Whether somebody told cutter to stop.
    told: &'a AtomicUsize,
    /// The place of the run as a whole, whose session also has the run's own place while something is captured: a session that began and
    /// ended transactions of its own between two captures may hold counters back.
    lease: Option<&'a Lease<'l>>,
    so_far: Rc<Cell<SoFar>>,
}

/// How far whoever drives a run has had it observed. Others may ask the observer, too: what they had it do is no step of this.
#[derive(Clone, Copy, Default, Debug)]
pub struct SoFar {
    /// The number of the newest capture that was compared with those before it; 0 before the first comparison.
    compared: usize,
    /// The last record of the ledger when the run itself last had something captured, or went on after a capture.
    asked: Option<u64>,
}

/// A place that somebody has for as long as a run is driven.
pub type Lease<'l> = RefCell<Box<dyn Held + 'l>>;

impl<'a, 'l> Observed<'a, 'l> {
    /// The observer that the configuration names; nothing where it names none.
    pub fn of(
        moment: Moment<'a>,
        inputs: &'a Inputs,
        ledger: &'a dyn Ledger,
        told: &'a AtomicUsize,
        (itself, lease): (Option<&'a Station>, Option<&'a Lease<'l>>),
    ) -> Option<Self> {
        let settings = inputs.config.observer.as_ref()?;
        Some(Self { moment, inputs, ledger, settings, itself, told, lease, so_far: Rc::default() })
    }

    /// The same, where so much was observed by this process.
    pub fn after(self, so_far: &Rc<Cell<SoFar>>) -> Self {
        Self { so_far: Rc::clone(so_far), ..self }
    }

    /// Before the first row: a witness is at work, and there is a capture. Of a run that goes on, what was done since the last capture
    /// is observed first. Gives why the run is to be held, where it is.
    pub fn begin(&self) -> Result<Option<String>, Problems> {
        self.take(Phase::Begin, &|| self.is_told())?;
        self.after_row()
    }

    /// After a row: where something that was done since the last capture declares by how much it changes what, that is observed and
    /// compared. Gives in what it differs.
    pub fn after_row(&self) -> Result<Option<String>, Problems> {
        let last = self.kept()?.captures.last().map_or(0, |last| last.records);
        let mut since = self.done_since(self.so_far.get().asked.unwrap_or(last))?;
        since.retain(|done| ended_at(done).is_some());
        let declares = |done: &DoneRow| done.expects.values().any(|moves| !moves.is_empty());
        if !since.iter().any(declares) {
            return Ok(None);
        }
        self.take(Phase::During, &|| self.is_told())?;
        self.compare_last()
    }

    /// Where the run stops: what was done since the last capture is observed; all of it, and the witness ends, where the run is over.
    pub fn rest(&self, is_over: bool) -> Result<Option<String>, Problems> {
        let kept = self.kept()?;
        let Some(last) = kept.captures.last() else { return Ok(None) };
        let asked = self.so_far.get().asked;
        let is_all_seen = self.done_since(asked.unwrap_or(last.records))?.is_empty();
        // What was over before this process came is not observed once more.
        if is_all_seen && (!is_over || kept.witness.is_some() && asked.is_none()) {
            return Ok(None);
        }
        // By now the switches are off, and there is time.
        self.take(if is_over { Phase::End } else { Phase::During }, &|| false)?;
        self.compare_last()
    }

    /// In what the run differs so far from what its rows declare, by all that is kept of it.
    pub fn on_hold(&self) -> Result<Option<String>, Problems> {
        self.compare(&self.kept()?.captures)
    }

    /// Has something observed, and looks at what came of it. No row of the run begins meanwhile.
    fn take(&self, phase: Phase, gives_up: &dyn Fn() -> bool) -> Result<(), Problems> {
        let Some(lease) = self.lease else {
            return Err(Problem::failure("nothing is observed but by who drives the run").into());
        };
        let run = &self.inputs.plan.run;
        let began = Instant::now();
        while !lease.borrow_mut().also_hold(run)? {
            if began.elapsed() > LONGEST_ROW {
                let message = "another row of the run is at work, so that nothing can be observed";
                return Err(Problem::failure(message).into());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let taken = self.take_alone(phase, gives_up);
        lease.borrow_mut().let_go()?;
        taken
    }

    /// The same while no row can begin.
    fn take_alone(&self, phase: Phase, gives_up: &dyn Fn() -> bool) -> Result<(), Problems> {
        let run = &self.inputs.plan.run;
        let before = self.kept()?;
        check_watch(&before)?;
        let latest = before.captures.last().map(|last| files::read_bytes(&last.path)).transpose()?;
        let latest = latest.map(|bytes| Digest::of(&bytes));
        let records = self.last_record()?;
        let request = Request { version: 1, run: run.clone(), plan: self.inputs.plan.digest, phase, records };
        let Seen { sha256, is_watched } = match self.itself {
            Some(station) => station.answer(&request)?,
            None => ask(self.settings, &request, gives_up)?,
        };
        if !is_watched {
            let unwatched = Problem::failure("nobody watches the run any more: its witness broke off")
                .help("go on, and the report is 7 for what only a witness could tell; or end the run with `--void`, and have a new one watched")
                .coded(Code::ObserverUnreachable);
            self.moment.output.warn(&unwatched.into());
        }
        let mut kept = self.kept()?;
        if phase != Phase::End {
            check_watch(&kept)?;
        }
        let last = kept.captures.pop();
        let last =
            last.ok_or_else(|| Problem::failure("the observer kept nothing").coded(Code::ObserverUnreachable))?;
        // Of a run that goes on nothing is captured anew; what it has is compared as a whole.
        let goes_on = phase == Phase::Begin && latest.is_some();
        if !goes_on && (latest == Some(sha256) || last.records != records) {
            let file = last.path.display();
            return Err(Problem::untrusted(format!(
                "`{file}` is not the capture that was asked for after record {records}"
            ))
            .help(
                "somebody who may ask the observer asked it at the same time: find out who, then go on with `--resume`",
            )
            .coded(Code::ObserverUntrusted)
            .into());
        }
        let record = vouch::capture(self.moment.inputs, self.inputs, &last.path)?;
        if self.inputs.bundle.listing().digest_of("cutter.toml") != Some(record.capture.config_sha256) {
            return Err(Problem::untrusted("the observer has another configuration than the bundle's `cutter.toml`")
                .help("give the observer that very file, and start it again")
                .coded(Code::ObserverUntrusted)
                .into());
        }
        let is_signed = record.vouched.is_some() || self.itself.is_some();
        if record.sha256 != sha256 || !is_signed {
            let why =
                if is_signed { "not what the observer answered" } else { "signed by nobody whom the trust root lets" };
            return Err(Problem::untrusted(format!("`{}` is {why}", last.path.display()))
                .help("have the observer's key listed for `cutter-evidence`, and its folder be its own")
                .coded(Code::ObserverUntrusted)
                .into());
        }
        // What was never finished is made again, under the same number.
        let compared = self.so_far.get().compared.min(last.number.saturating_sub(1));
        self.so_far.set(SoFar { asked: Some(last.records), compared });
        Ok(())
    }

    /// The same of every capture since the last one that was compared, whoever asked for it.
    fn compare_last(&self) -> Result<Option<String>, Problems> {
        let mut captures = self.kept()?.captures;
        captures.retain(|taken| taken.number >= self.so_far.get().compared);
        self.compare(&captures)
    }

    /// Holds what was measured from each capture to the next against what the rows declare that ended in between; the first difference.
    fn compare(&self, captures: &[Taken]) -> Result<Option<String>, Problems> {
        if captures.len() < 2 {
            return Ok(None);
        }
        let Inputs { plan, config, bundle, .. } = self.inputs;
        let mut done = Vec::new();
        let authorization = self.moment.authority.authorize_rest(self.inputs, Stage::Plan, |journal| {
            done = gather::done(plan, config, bundle.schema(), journal).rows;
            gather::ended_well(plan, config, bundle.schema(), journal)
        })?;
        let (decisions, bans) = (authorization.document()?, gather::bans(bundle));
        let capture = |taken: &Taken| vouch::capture(self.moment.inputs, self.inputs, &taken.path);
        for pair in captures.windows(2) {
            let [before, after] = pair else { continue };
            let is_between =
                |row: &&DoneRow| ended_at(row).is_some_and(|at| at > before.records && at <= after.records);
            let differences = Between {
                now: system_time()?,
                decisions: &decisions,
                bans: &bans,
                done: &done.iter().filter(is_between).cloned().collect::<Vec<_>>(),
                before: capture(before)?,
                after: capture(after)?,
                settings: &config.evidence,
                config: bundle.listing().digest_of("cutter.toml"),
            }
            .differences()?;
            if !differences.is_empty() {
                return Ok(Some(differences.join("; ")));
            }
            self.so_far.set(SoFar { compared: after.number, ..self.so_far.get() });
        }
        Ok(None)
    }

    /// The rows of the run of which something was written down after this record.
    fn done_since(&self, record: u64) -> Result<Vec<DoneRow>, Problems> {
        let Inputs { plan, config, bundle, .. } = self.inputs;
        let mut done = gather::done(plan, config, bundle.schema(), &self.journal()?).rows;
        done.retain(|row| row.records.last().is_some_and(|at| *at > record));
        Ok(done)
    }

    fn is_told(&self) -> bool {
        self.told.load(Ordering::Relaxed) != 0
    }

    /// What is kept of the run, none of it said to be of after what the ledger has.
    fn kept(&self) -> Result<Kept, Problems> {
        let kept = Kept::of_run(self.settings, &self.inputs.plan.run)?;
        let last = self.last_record()?;
        match kept.captures.iter().find(|taken| taken.records > last) {
            None => Ok(kept),
            Some(taken) => {
                let (file, records) = (taken.path.display(), taken.records);
                Err(Problem::untrusted(format!(
                    "`{file}` is said to be of after record {records}, and the ledger has {last}"
                ))
                .help("somebody who may ask the observer asked it for that: end the run with `--void`")
                .coded(Code::ObserverUntrusted)
                .into())
            }
        }
    }

    /// The last record of the run in the ledger.
    fn last_record(&self) -> Result<u64, Problem> {
        Ok(self.journal()?.entries.iter().map(|entry| entry.sequence).max().unwrap_or(0))
    }

    fn journal(&self) -> Result<Journal, Problem> {
        Journal::of_run(self.ledger, &self.inputs.plan.run)
    }
}

/// What observes the run from inside of it, where the configuration names nobody else.
pub fn station(moment: Moment<'_>, inputs: &Inputs) -> Option<Station> {
    inputs.config.observer.as_ref().filter(|settings| settings.other().is_none())?;
    let config = moment.inputs.bundle.config_path().unwrap_or_else(|| PathBuf::from("cutter.toml"));
    Some(Station::new(config, None, Duration::from_secs(1)))
}

/// A run whose watch has ended is observed no further.
fn check_watch(kept: &Kept) -> Result<(), Problem> {
    match kept.witness {
        None => Ok(()),
        Some(_) => Err(Problem::failure("the observer was told that the run is over, and it has not begun or is not")
            .help("somebody who may ask it ended its watch, or ended it: end the run with `--void`, and have a new one watched")
            .coded(Code::ObserverUntrusted)),
    }
}

/// The record of a row's end.
fn ended_at(row: &DoneRow) -> Option<u64> {
    row.records.last().copied().filter(|_| row.outcome != DoneOutcome::Interrupted)
}

/// A row of somebody else ends within this time.
const LONGEST_ROW: Duration = Duration::from_secs(600);
