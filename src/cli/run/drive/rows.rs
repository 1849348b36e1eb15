//! One row of a run: done here, or awaited from the user whose it is, and told as it happens.

use super::{Drive, Said};
use crate::authorization::Inputs;
use crate::cli::run::off::Declared;
use crate::cli::run::switch;
use crate::cli::shared::clock::system_time;
use crate::cli::shared::exit::{Exit, no_json, of_problems};
use crate::ledger::Journal;
use crate::plan::IntendedAction;
use crate::render;
use crate::runtime::{Course, Event, EventKind, RowState};
use std::time::{Duration, Instant};

impl Drive<'_> {
    /// One of the last rows; a switch that is off already needs nothing done, and no record. A server that is away is waited for.
    pub(super) fn last(&mut self, index: usize) {
        let Inputs { plan, config, .. } = self.inputs;
        let turned = Course::switches(plan, config).into_iter().find(|(_, off)| *off == Some(index));
        let began = Instant::now();
        let is_off = turned.is_some_and(|(flag, _)| {
            loop {
                match switch::is_off(plan, config, flag) {
                    Ok(is_off) => break is_off,
                    Err(_) if began.elapsed() < LONGEST_WAIT_TO_TURN_OFF => {
                        std::thread::sleep(Duration::from_millis(200))
                    }
                    Err(_) => break false,
                }
            }
        });
        if !is_off {
            return self.row(index);
        }
        self.said.insert(index, Said::of("it is off".to_owned()));
        self.course.set(index, RowState::Done);
    }

    /// One row, at its moment of use; what becomes of it is kept, and nothing else is undone by it.
    pub(super) fn row(&mut self, index: usize) {
        let Some(action) = self.inputs.plan.actions.get(index) else { return };
        self.event(index, EventKind::Begins, "");
        let (state, exit, said) = match action.principal == self.own {
            true => self.act(action),
            false => self.await_other(index, action),
        };
        if exit != Exit::Authorized {
            self.refused.insert(index, exit);
        }
        self.event(index, EventKind::Ended(state), &said.what);
        self.said.insert(index, said);
        self.course.set(index, state);
    }

    fn act(&self, action: &IntendedAction) -> (RowState, Exit, Said) {
        let Inputs { bundle, config, plan, .. } = self.inputs;
        let by = Declared { policies: bundle.digest(), config, plan, vouched: Some(&self.vouched) };
        match self.moment.act_now(by, action, Ok(self.ledger)) {
            Ok(used) => {
                let state = match used.exit {
                    Exit::Authorized => RowState::Done,
                    Exit::Effect => RowState::Failed,
                    _ => RowState::Refused,
                };
                (state, used.exit, Said { what: used.what, code: used.code })
            }
            Err(problems) => {
                // Whether it began before that is in the ledger, if it can be read.
                let run = &self.inputs.plan.run;
                let is_open = Journal::of_run(self.ledger, &self.inputs.plan.run)
                    .map_or(true, |journal| journal.open(run).any(|(_, started)| started.action == action.id));
                let state = if is_open { RowState::Unknown } else { RowState::Refused };
                (state, of_problems(&problems), Said { what: problems.in_one_line(), code: problems.code() })
            }
        }
    }

    /// Waits until another user has done a row of its own.
    fn await_other(&mut self, index: usize, action: &IntendedAction) -> (RowState, Exit, Said) {
        let whose = format!("it is for `{}`: `cutter exec`, as the user who is that", action.principal);
        self.event(index, EventKind::Waits, &whose);
        let began = Instant::now();
        loop {
            let state = Journal::of_run(self.ledger, &self.inputs.plan.run)
                .map(|journal| Course::of(&self.inputs.plan, &journal).state(index));
            match state {
                Ok(RowState::Done) => {
                    return (RowState::Done, Exit::Authorized, Said::of(format!("done by `{}`", action.principal)));
                }
                Ok(RowState::Failed) => {
                    return (RowState::Failed, Exit::Effect, Said::of(format!("it failed for `{}`", action.principal)));
                }
                _ if began.elapsed() > self.wait || self.is_told() => {
                    return (RowState::Refused, Exit::Blocked, Said::of(whose));
                }
                _ => std::thread::sleep(Duration::from_millis(200)),
            }
        }
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

const LONGEST_WAIT_TO_TURN_OFF: Duration = Duration::from_secs(30);
