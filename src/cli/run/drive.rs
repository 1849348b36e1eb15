//! Driving a run: the next row whose turn has come, one after the other, and the last rows on every way out.

use super::moment::Moment;
use super::resume;
use super::switch;
use super::whole::stands;
use crate::attestation::gather;
use crate::authorization::Inputs;
use crate::cli::shared::clock::system_time;
use crate::cli::shared::exit::{Exit, no_json, of_problems, of_verdict};
use crate::decision::Verdict;
use crate::files::AppendFile;
use crate::json::in_backticks;
use crate::ledger::{Held, Journal, Ledger, Record, Voided, Wanted};
use crate::plan::IntendedAction;
use crate::problem::{Problem, Problems};
use crate::record::RecordedRow;
use crate::render;
use crate::request::Stage;
use crate::runtime::{Course, Event, EventKind, RowState, RunState, told_to_stop};
use cedar_policy::EntityUid;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How a run stands, and each of its rows.
pub struct Ended {
    pub state: RunState,
    pub exit: Exit,
    pub rows: Vec<(RowState, String)>,
}

/// A run that this process drives, and what it holds for that.
pub struct Drive<'a> {
    moment: Moment<'a>,
    ledger: &'a dyn Ledger,
    inputs: &'a Inputs,
    course: Course<'a>,
    /// Who this process is.
    own: EntityUid,
    /// What there is to say of a row, and why it did not begin.
    said: BTreeMap<usize, String>,
    refused: BTreeMap<usize, Exit>,
    events: Option<AppendFile>,
    wait: Duration,
    told: Arc<AtomicUsize>,
    /// The run as a whole, and each switch that it turns on: nobody else drives or turns them meanwhile.
    leases: Vec<Box<dyn Held + 'a>>,
}

impl<'a> Drive<'a> {
    /// Looks at the run; nothing is held yet.
    pub fn new(
        moment: Moment<'a>,
        ledger: &'a dyn Ledger,
        inputs: &'a Inputs,
        events: Option<&Path>,
        wait: u64,
    ) -> Result<Self, Problems> {
        let own = moment.trusted(inputs, &[])?.principal().clone();
        let events = events.map(AppendFile::create).transpose()?;
        let told = told_to_stop()?;
        let course = Course::of(&inputs.plan, &journal(ledger, inputs)?);
        let (said, refused, leases) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let wait = Duration::from_secs(wait);
        Ok(Self { moment, ledger, inputs, course, own, said, refused, events, wait, told, leases })
    }

    /// Does what can be done, in order.
    pub fn go(&mut self, resumes: bool, until: Option<&str>) -> Result<Ended, Problems> {
        if let Some(ended) = self.take()? {
            return Ok(ended);
        }
        let began = journal(self.ledger, self.inputs)?;
        if let Some(at) = began.voided(&self.inputs.plan.run) {
            return Ok(self.stopped(Exit::Denied, &format!("the run was voided at {at}")));
        }
        self.course = Course::of(&self.inputs.plan, &began);
        if resumes {
            self.settle(&began)?;
            self.course.reopen(&self.inputs.config);
        } else if !self.course.is_new() {
            return Ok(self.stopped(Exit::Blocked, "the run began before; it goes on with `--resume`"));
        }
        let found = self.turn_off_what_is_on()?;
        if !found.is_empty() && !resumes {
            let what = format!("{} was found on, and is turned off; find out who left it on", in_backticks(&found));
            return Ok(self.stopped(Exit::Blocked, &what));
        }
        let ahead = self.look_ahead()?;
        let is_through = catch_unwind(AssertUnwindSafe(|| self.rows(until))).is_ok_and(|through| through);
        let is_over = self.course.is_complete();
        for index in self.course.last(is_over) {
            self.last(index);
        }
        Ok(self.ended(ahead, is_through, until))
    }

    /// Ends the run for good: its last rows, and then nothing any more.
    pub fn void(&mut self, reason: &str) -> Result<Ended, Problems> {
        if let Some(ended) = self.take()? {
            return Ok(ended);
        }
        self.settle(&journal(self.ledger, self.inputs)?)?;
        let last = self.course.last(true);
        for index in &last {
            self.last(*index);
        }
        let plan = &self.inputs.plan;
        let voided = Voided { run: plan.run.clone(), plan: plan.digest, reason: reason.to_owned() };
        self.ledger.note(&Record::Voided(voided))?;
        let is_fine = last.iter().all(|index| self.course.state(*index) == RowState::Done);
        let exit = if is_fine { Exit::Authorized } else { Exit::Effect };
        Ok(Ended { state: if is_fine { RunState::Voided } else { RunState::Hold }, exit, rows: self.told() })
    }

    /// Ends what a driver that is gone left open, as far as that can be known, and looks at the run again.
    fn settle(&mut self, began: &Journal) -> Result<(), Problems> {
        resume::settle(self.ledger, self.inputs, began)?;
        self.course = Course::of(&self.inputs.plan, &journal(self.ledger, self.inputs)?);
        Ok(())
    }

    /// Takes the run and its switches for this process; if somebody else has them, how the run stands.
    fn take(&mut self) -> Result<Option<Ended>, Problems> {
        let run = &self.inputs.plan.run;
        let switches = Course::switches(&self.inputs.plan, &self.inputs.config);
        let leases = [(format!("{run} as a whole"), format!("the run `{run}`"))].into_iter();
        let of_switch = |name: &String| (switch::lease(name), format!("the switch `{name}`"));
        for (name, what) in leases.chain(switches.iter().map(|(flag, _)| of_switch(&flag.name))) {
            match self.ledger.hold(&name)? {
                Some(held) => self.leases.push(held),
                None => return Ok(Some(self.stopped(Exit::Blocked, &format!("somebody else is at work with {what}")))),
            }
        }
        Ok(None)
    }

    /// The switches that are on though nobody holds them, each turned off now.
    fn turn_off_what_is_on(&mut self) -> Result<Vec<String>, Problems> {
        let mut found = Vec::new();
        for (flag, off) in Course::switches(&self.inputs.plan, &self.inputs.config) {
            if switch::is_off(&self.inputs.config, flag)? {
                continue;
            }
            found.push(flag.name.clone());
            off.into_iter().for_each(|index| self.row(index));
            if !switch::is_off(&self.inputs.config, flag)? {
                let message = format!("the switch `{}` is on, and could not be turned off", flag.name);
                return Err(Problem::failure(message).help("turn it off by hand, at once").into());
            }
        }
        Ok(found)
    }

    /// What can be known before the first row: rows that cannot be done leave out what would stop in its middle for them.
    fn look_ahead(&mut self) -> Result<Exit, Problems> {
        let Inputs { plan, config, bundle, .. } = self.inputs;
        let authorization = self.moment.authority.authorize_rest(self.inputs, Stage::Plan, |journal| {
            gather::ended_well(plan, config, bundle.schema(), journal)
        })?;
        let decisions = authorization.document()?;
        let mut cannot = BTreeSet::new();
        let mut verdicts = Vec::new();
        for (index, row) in decisions.decisions.iter().enumerate() {
            if row.basis.allows() || self.course.state(index) == RowState::Done {
                continue;
            }
            cannot.insert(index);
            verdicts.push(of_verdict(Verdict::of(row.basis)));
            self.said.insert(index, lacks(row));
        }
        self.course.leave_out(&cannot);
        Ok(worst(verdicts))
    }

    /// Rows one after the other; whether nothing stopped them.
    fn rows(&mut self, until: Option<&str>) -> bool {
        while let Some(index) = self.course.next() {
            if self.course.is_held() || self.is_told() {
                return !self.is_told();
            }
            self.row(index);
            let is_last = self.inputs.plan.actions.get(index).is_some_and(|action| Some(action.id.as_str()) == until);
            if is_last && self.course.state(index) == RowState::Done {
                break;
            }
        }
        !self.is_told()
    }

    /// One of the last rows; a switch that is off already needs nothing done, and no record.
    fn last(&mut self, index: usize) {
        let Inputs { plan, config, .. } = self.inputs;
        let turned = Course::switches(plan, config).into_iter().find(|(_, off)| *off == Some(index));
        match turned {
            Some((flag, _)) if switch::is_off(config, flag).unwrap_or(false) => {
                self.said.insert(index, "it is off".to_owned());
                self.course.set(index, RowState::Done);
            }
            _ => self.row(index),
        }
    }

    /// One row, at its moment of use; what becomes of it is kept, and nothing else is undone by it.
    fn row(&mut self, index: usize) {
        let Some(action) = self.inputs.plan.actions.get(index) else { return };
        self.event(index, EventKind::Begins, "");
        let (state, exit, what) = match action.principal == self.own {
            true => self.act(action),
            false => self.await_other(index, action),
        };
        if exit != Exit::Authorized {
            self.refused.insert(index, exit);
        }
        self.event(index, EventKind::Ended(state), &what);
        self.said.insert(index, what);
        self.course.set(index, state);
    }

    fn act(&self, action: &IntendedAction) -> (RowState, Exit, String) {
        match self.moment.act_now(&self.inputs.plan, action, self.ledger) {
            Ok(used) => {
                let state = match used.exit {
                    Exit::Authorized => RowState::Done,
                    Exit::Effect => RowState::Failed,
                    _ => RowState::Refused,
                };
                (state, used.exit, used.what)
            }
            Err(problems) => {
                // Whether it began before that is in the ledger, if it can be read.
                let run = &self.inputs.plan.run;
                let is_open = journal(self.ledger, self.inputs)
                    .map_or(true, |journal| journal.open(run).any(|(_, started)| started.action == action.id));
                let state = if is_open { RowState::Unknown } else { RowState::Refused };
                (state, of_problems(&problems), problems.in_one_line())
            }
        }
    }

    /// Waits until another user has done a row of its own.
    fn await_other(&mut self, index: usize, action: &IntendedAction) -> (RowState, Exit, String) {
        let whose = format!("it is for `{}`: `cutter exec`, as the user who is that", action.principal);
        self.event(index, EventKind::Waits, &whose);
        let began = Instant::now();
        loop {
            let state =
                journal(self.ledger, self.inputs).map(|journal| Course::of(&self.inputs.plan, &journal).state(index));
            match state {
                Ok(RowState::Done) => {
                    return (RowState::Done, Exit::Authorized, format!("done by `{}`", action.principal));
                }
                Ok(RowState::Failed) => {
                    return (RowState::Failed, Exit::Effect, format!("it failed for `{}`", action.principal));
                }
                _ if began.elapsed() > self.wait || self.is_told() => return (RowState::Refused, Exit::Blocked, whose),
                _ => std::thread::sleep(Duration::from_millis(200)),
            }
        }
    }

    fn ended(&self, ahead: Exit, is_through: bool, until: Option<&str>) -> Ended {
        let last_failed = self.course.last(false).iter().any(|index| self.course.state(*index) != RowState::Done);
        let reached =
            |id: &str| self.inputs.plan.action(id).is_some_and(|(index, _)| self.course.state(index) == RowState::Done);
        let (state, exit) = if self.course.is_held() || last_failed || !is_through {
            (RunState::Hold, Exit::Effect)
        } else if self.course.is_complete() {
            match worst(self.refused.values().copied()) {
                Exit::Authorized => (RunState::Completed, Exit::Authorized),
                exit => (stands(exit), exit),
            }
        } else if until.is_some_and(reached) {
            (RunState::Stopped, Exit::Authorized)
        } else {
            let exit = worst(self.refused.values().copied().chain([ahead]));
            (stands(exit), exit)
        };
        Ended { state, exit, rows: self.told() }
    }

    /// A run that this call did not touch.
    fn stopped(&mut self, exit: Exit, why: &str) -> Ended {
        let problem = Problem::failure(why.to_owned());
        self.moment.output.warn(&problem.into());
        Ended { state: stands(exit), exit, rows: self.told() }
    }

    fn told(&self) -> Vec<(RowState, String)> {
        let row = |index| (self.course.state(index), self.said.get(&index).cloned().unwrap_or_default());
        (0..self.inputs.plan.actions.len()).map(row).collect()
    }

    fn is_told(&self) -> bool {
        self.told.load(Ordering::Relaxed) != 0
    }

    /// Tells of it as it happens; a full disk does not stop a run.
    fn event(&mut self, index: usize, event: EventKind, what: &str) {
        let (Some(action), Ok(time)) = (self.inputs.plan.actions.get(index), system_time()) else { return };
        let (run, row, what) = (self.inputs.plan.run.clone(), action.id.clone(), what.to_owned());
        let event = Event { time, run, row, event, what };
        self.moment.output.say(&render::run::event(&event, self.moment.output.style_of_errors()));
        let Some(file) = &mut self.events else { return };
        let written = serde_json::to_string(&event).map_err(no_json).and_then(|line| file.add(&line));
        if let Err(problem) = written {
            self.moment.output.warn(&problem.into());
            self.events = None;
        }
    }
}

/// Decides every row and looks at its work; nothing begins, and nothing is written.
pub fn rehearse(moment: Moment<'_>, inputs: &Inputs) -> Result<Ended, Problems> {
    let authorization = moment.authority.authorize(inputs, Stage::Plan)?;
    let decisions = authorization.document()?;
    let (mut rows, mut exits) = (Vec::new(), Vec::new());
    for (action, row) in inputs.plan.actions.iter().zip(&decisions.decisions) {
        let (state, exit, what) = if !row.basis.allows() {
            (RowState::Refused, of_verdict(Verdict::of(row.basis)), lacks(row))
        } else {
            match moment.look_at_work(inputs, action, &row.context) {
                Ok(what) => (RowState::Open, Exit::Authorized, what),
                Err(problems) => (RowState::Refused, Exit::Blocked, problems.in_one_line()),
            }
        };
        exits.push(exit);
        rows.push((state, what));
    }
    let exit = worst(exits);
    Ok(Ended { state: if exit == Exit::Authorized { RunState::Rehearsed } else { stands(exit) }, exit, rows })
}

/// What a row that is denied lacks, in few words; why it is denied, where nothing could be given to it.
fn lacks(row: &RecordedRow) -> String {
    let needs = row.needs.iter().map(|need| format!("needs {}", need.gate));
    let gaps = row.gaps.iter().map(|gap| format!("gap {gap}"));
    let blocked = row.blocked_by.iter().map(|before| format!("after `{before}`"));
    let all: Vec<String> = needs.chain(gaps).chain(blocked).collect();
    if all.is_empty() { row.reason.clone() } else { all.join(", ") }
}

/// What the ledger has of the run.
fn journal(ledger: &dyn Ledger, inputs: &Inputs) -> Result<Journal, Problem> {
    ledger.read(Wanted::Of { run: &inputs.plan.run, approvals: &[] })?.whole(&ledger.name())
}

/// Of several exits the one that says most, in the order of verdicts.
fn worst(exits: impl IntoIterator<Item = Exit>) -> Exit {
    const ORDER: [Exit; 8] = [
        Exit::Effect,
        Exit::Failure,
        Exit::Untrusted,
        Exit::Invalid,
        Exit::Unmeasured,
        Exit::Denied,
        Exit::Ready,
        Exit::Blocked,
    ];
    let all: Vec<Exit> = exits.into_iter().collect();
    ORDER.into_iter().find(|exit| all.contains(exit)).unwrap_or(Exit::Authorized)
}
