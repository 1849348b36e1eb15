//! Driving a run: the next row whose turn has come, one after the other, and the last rows on every way out.

mod rows;

use super::moment::Moment;
use super::observed::{Lease, Observed, SoFar, station};
use super::rehearsal::lacks;
use super::resume;
use super::switch;
use super::whole::stands;
use crate::attestation::gather;
use crate::authorization::Inputs;
use crate::cli::observe::Station;
use crate::cli::shared::exit::{Exit, of_problems, of_verdict};
use crate::cli::shared::ledger::spool;
use crate::decision::Verdict;
use crate::files::AppendFile;
use crate::json::in_backticks;
use crate::ledger::{Journal, Ledger, Record, Voided};
use crate::problem::{Code, Problem, Problems};
use crate::request::Stage;
use crate::runtime::{Course, RowState, RunState, told_to_stop};
use crate::trust::Vouched;
use cedar_policy::EntityUid;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What there is to say of a row, and the stable code of what stood against it.
#[derive(Clone, Default)]
pub struct Said {
    pub what: String,
    pub code: Option<Code>,
}

impl Said {
    /// What has no code.
    pub fn of(what: String) -> Self {
        Self { what, code: None }
    }
}

/// How a run stands, and each of its rows.
pub struct Ended {
    pub state: RunState,
    pub exit: Exit,
    pub rows: Vec<(RowState, Said)>,
    /// Why it is held, where no row says so.
    pub held: Option<OnHold>,
}

/// Why a run is held though its rows ended well.
#[derive(Clone, Debug)]
pub enum OnHold {
    /// What was measured is not what was declared.
    Differs(String),
    /// It could not be measured, and may be later.
    Unobserved(String),
}

/// A run that this process drives, and what it holds for that.
pub struct Drive<'a> {
    moment: Moment<'a>,
    ledger: &'a dyn Ledger,
    inputs: &'a Inputs,
    course: Course<'a>,
    /// Who this process is.
    own: EntityUid,
    /// Who vouched for the bundle when the run was looked at: that is enough for turning off, whatever becomes of the files.
    vouched: Vouched,
    /// What there is to say of a row, and why it did not begin.
    said: BTreeMap<usize, Said>,
    refused: BTreeMap<usize, Exit>,
    events: Option<AppendFile>,
    wait: Duration,
    told: Arc<AtomicUsize>,
    held: Option<OnHold>,
    /// What observes the run from inside of it.
    itself: Option<Station>,
    /// What was observed of it by now.
    so_far: Rc<Cell<SoFar>>,
    /// The run as a whole, and each switch that it turns on: nobody else drives or turns them meanwhile.
    leases: Vec<Lease<'a>>,
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
        let trusted = moment.trusted(inputs, &[])?;
        let (own, vouched) = (trusted.principal().clone(), Vouched::of(&trusted));
        let events = events.map(AppendFile::create).transpose()?;
        let told = told_to_stop()?;
        let course = Course::of(&inputs.plan, &Journal::of_run(ledger, &inputs.plan.run)?);
        let itself = station(moment, inputs);
        let (said, refused, held, leases) = (BTreeMap::new(), BTreeMap::new(), None, Vec::new());
        let wait = Duration::from_secs(wait);
        Ok(Self {
            moment,
            ledger,
            inputs,
            course,
            own,
            vouched,
            said,
            refused,
            events,
            wait,
            told,
            held,
            itself,
            so_far: Rc::default(),
            leases,
        })
    }

    /// Does what can be done, in order.
    pub fn go(&mut self, resumes: bool, until: Option<&str>) -> Result<Ended, Problems> {
        if let Some(ended) = self.take()? {
            return Ok(ended);
        }
        let began = Journal::of_run(self.ledger, &self.inputs.plan.run)?;
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
        // What waits for the ledger comes after what is on, and before anything begins.
        spool::bring_in(self.inputs.config.ledger.spool(), self.ledger)?;
        if !found.is_empty() && !resumes {
            let what = format!("{} was found on, and is turned off; find out who left it on", in_backticks(&found));
            return Ok(self.stopped(Exit::Blocked, &what));
        }
        let ahead = self.look_ahead()?;
        if let Some(ended) = self.observe_first(resumes)? {
            return Ok(ended);
        }
        let is_through = catch_unwind(AssertUnwindSafe(|| self.rows(until))).is_ok_and(|through| through);
        let is_over = self.course.is_complete() && self.held.is_none();
        for index in self.course.last(is_over) {
            self.last(index);
        }
        self.observe_last(is_over);
        Ok(self.ended(ahead, is_through, until))
    }

    /// Ends the run for good: its last rows, and then nothing any more.
    pub fn void(&mut self, reason: &str) -> Result<Ended, Problems> {
        if let Some(ended) = self.take()? {
            return Ok(ended);
        }
        self.settle(&Journal::of_run(self.ledger, &self.inputs.plan.run)?)?;
        let last = self.course.last(true);
        for index in &last {
            self.last(*index);
        }
        self.observe_last(true);
        let plan = &self.inputs.plan;
        let voided = Voided { run: plan.run.clone(), plan: plan.digest, reason: reason.to_owned() };
        self.ledger.note(&Record::Voided(voided))?;
        let is_fine = last.iter().all(|index| self.course.state(*index) == RowState::Done);
        let (state, exit) = if is_fine { (RunState::Voided, Exit::Authorized) } else { (RunState::Hold, Exit::Effect) };
        Ok(Ended { state, exit, rows: self.told(), held: self.held.clone() })
    }

    /// Ends what a driver that is gone left open, as far as that can be known, and looks at the run again.
    fn settle(&mut self, began: &Journal) -> Result<(), Problems> {
        resume::settle(self.ledger, self.inputs, began)?;
        self.course = Course::of(&self.inputs.plan, &Journal::of_run(self.ledger, &self.inputs.plan.run)?);
        Ok(())
    }

    /// Takes the run and its switches for this process; if somebody else has them, or it is of another plan, how the run stands.
    fn take(&mut self) -> Result<Option<Ended>, Problems> {
        let run = &self.inputs.plan.run;
        let switches = Course::switches(&self.inputs.plan, &self.inputs.config);
        let leases = [(switch::lease_of_run(run), format!("the run `{run}`"))].into_iter();
        let of_switch = |name: &String| (switch::lease(name), format!("the switch `{name}`"));
        for (name, what) in leases.chain(switches.iter().map(|(flag, _)| of_switch(&flag.name))) {
            match self.ledger.hold(&name)? {
                Some(held) => self.leases.push(RefCell::new(held)),
                None => return Ok(Some(self.stopped(Exit::Blocked, &format!("another process is working on {what}")))),
            }
        }
        let plan = &self.inputs.plan;
        let other = Journal::of_run(self.ledger, &plan.run)?.other_plan(&plan.run, plan.digest);
        Ok(other.map(|other| {
            let what = format!(
                "the run began under another plan, sha256 {other}: put that plan back to go on, or to end the run with \
                 `--void`, and give the new plan another run id"
            );
            self.stopped(Exit::Denied, &what)
        }))
    }

    /// The switches that are on though nobody holds them, each turned off now.
    fn turn_off_what_is_on(&mut self) -> Result<Vec<String>, Problems> {
        let mut found = Vec::new();
        let Inputs { plan, config, .. } = self.inputs;
        for (flag, off) in Course::switches(plan, config) {
            if switch::is_off(plan, config, flag)? {
                continue;
            }
            found.push(flag.name.clone());
            off.into_iter().for_each(|index| self.row(index));
            if !switch::is_off(plan, config, flag)? {
                let message = format!("the switch `{}` is on, and could not be turned off", flag.name);
                return Err(Problem::failure(message).help("turn it off by hand, now").into());
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
        // A rejection that was seen once stays, whoever takes its file away.
        for vote in authorization.rejections() {
            self.ledger.note(&Record::Vote(vote))?;
        }
        let decisions = authorization.document()?;
        let mut cannot = BTreeSet::new();
        let mut verdicts = Vec::new();
        for (index, row) in decisions.decisions.iter().enumerate() {
            if row.basis.allows() || self.course.state(index) == RowState::Done {
                continue;
            }
            cannot.insert(index);
            verdicts.push(of_verdict(Verdict::of(row.basis)));
            self.said.insert(index, Said::of(lacks(row)));
        }
        self.course.leave_out(&cannot);
        Ok(worst(verdicts))
    }

    /// Has the run observed before its first row, and looks whether what was done of it before was as declared; where nobody observes,
    /// nothing begins.
    fn observe_first(&mut self, resumes: bool) -> Result<Option<Ended>, Problems> {
        let Some(observed) = self.observed() else { return Ok(None) };
        let mut differs = if resumes { observed.on_hold()? } else { None };
        if differs.is_none() && self.course.next().is_some() {
            match observed.begin() {
                Ok(found) => differs = found,
                Err(problems) => {
                    let is_doubtful = of_problems(&problems) == Exit::Untrusted;
                    let exit = if is_doubtful { Exit::Untrusted } else { Exit::Blocked };
                    return Ok(Some(self.stopped(exit, &problems.in_one_line())));
                }
            }
        }
        self.held = differs.map(OnHold::Differs);
        Ok(None)
    }

    /// Has what was done last observed; when the run is over, all of it.
    fn observe_last(&mut self, is_over: bool) {
        self.observe(|observed| observed.rest(is_over));
    }

    /// Has something observed; what differs from what is declared, or cannot be measured, holds the run.
    fn observe(&mut self, look: impl Fn(&Observed<'_, '_>) -> Result<Option<String>, Problems>) {
        let Some(observed) = self.observed() else { return };
        let found = match look(&observed) {
            Ok(found) => found.map(OnHold::Differs),
            Err(problems) => Some(OnHold::Unobserved(problems.in_one_line())),
        };
        self.held = self.held.take().or(found);
    }

    /// The run's observer, where the configuration names one.
    fn observed(&self) -> Option<Observed<'_, 'a>> {
        let by = (self.itself.as_ref(), self.leases.first());
        let observed = Observed::of(self.moment, self.inputs, self.ledger, &self.told, by)?;
        Some(observed.after(&self.so_far))
    }

    /// Rows one after the other; whether nothing stopped them.
    fn rows(&mut self, until: Option<&str>) -> bool {
        while let Some(index) = self.course.next() {
            if self.course.is_held() || self.held.is_some() || self.is_told() {
                return !self.is_told();
            }
            self.row(index);
            if self.course.state(index) == RowState::Done && !self.is_told() {
                self.observe(|observed| observed.after_row());
            }
            let is_last = self.inputs.plan.actions.get(index).is_some_and(|action| Some(action.id.as_str()) == until);
            if is_last && self.course.state(index) == RowState::Done {
                break;
            }
        }
        !self.is_told()
    }

    fn ended(&self, ahead: Exit, is_through: bool, until: Option<&str>) -> Ended {
        let last_failed = self.course.last(false).iter().any(|index| self.course.state(*index) != RowState::Done);
        let reached =
            |id: &str| self.inputs.plan.action(id).is_some_and(|(index, _)| self.course.state(index) == RowState::Done);
        let (state, exit) = if self.course.is_held() || self.held.is_some() || last_failed || !is_through {
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
        Ended { state, exit, rows: self.told(), held: self.held.clone() }
    }

    /// A run that this call did not touch.
    fn stopped(&mut self, exit: Exit, why: &str) -> Ended {
        let problem = Problem::failure(why.to_owned());
        self.moment.output.warn(&problem.into());
        Ended { state: stands(exit), exit, rows: self.told(), held: None }
    }

    fn told(&self) -> Vec<(RowState, Said)> {
        let row = |index| (self.course.state(index), self.said.get(&index).cloned().unwrap_or_default());
        (0..self.inputs.plan.actions.len()).map(row).collect()
    }

    fn is_told(&self) -> bool {
        self.told.load(Ordering::Relaxed) != 0
    }
}

/// Of several exits the one that says most, in the order of verdicts.
pub fn worst(exits: impl IntoIterator<Item = Exit>) -> Exit {
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
