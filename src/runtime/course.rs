//! The course of a whole run: what of it is done by the journal, and which row comes next. It runs nothing.

use super::off::off;
use super::told::RowState;
use crate::ledger::Journal;
use crate::plan::{FlagTask, IntendedAction, RunPlan, Task};
use crate::settings::Config;
use crate::settings::effects::Builtin;
use std::collections::BTreeSet;

/// A run on its way.
#[derive(Clone, Debug)]
pub struct Course<'a> {
    plan: &'a RunPlan,
    states: Vec<RowState>,
    /// Rows that are bound to one that cannot be done yet, so that none of them begins.
    left_out: BTreeSet<usize>,
}

impl<'a> Course<'a> {
    /// The run of a plan, as far as the journal has it.
    pub fn of(plan: &'a RunPlan, journal: &Journal) -> Self {
        let state = |action: &IntendedAction| {
            let mut starts = journal.starts().filter(|(_, started)| {
                (started.run.as_str(), started.action.as_str()) == (plan.run.as_str(), action.id.as_str())
            });
            match starts.next_back().map(|(entry, _)| journal.end_of(entry.sequence)) {
                None => RowState::Open,
                Some(None) => RowState::Unknown,
                Some(Some((_, end))) if end.exit_status == Some(0) => RowState::Done,
                Some(Some((_, end))) if end.exit_status.is_some() => RowState::Failed,
                Some(Some(_)) => RowState::Unknown,
            }
        };
        Self { plan, states: plan.actions.iter().map(state).collect(), left_out: BTreeSet::new() }
    }

    /// The row's state.
    pub fn state(&self, index: usize) -> RowState {
        self.states.get(index).copied().unwrap_or(RowState::Open)
    }

    /// The row got so far.
    pub fn set(&mut self, index: usize, state: RowState) {
        if let Some(held) = self.states.get_mut(index) {
            *held = state;
        }
    }

    /// Whether nothing but its last rows began.
    pub fn is_new(&self) -> bool {
        self.ordinary().all(|(index, _)| self.state(index) == RowState::Open)
    }

    /// Whether every row but the last ones is done.
    pub fn is_complete(&self) -> bool {
        self.ordinary().all(|(index, _)| self.state(index) == RowState::Done)
    }

    /// Whether a row failed, or is in doubt: nothing but the last rows begins any more.
    pub fn is_held(&self) -> bool {
        self.ordinary().any(|(index, _)| matches!(self.state(index), RowState::Failed | RowState::Unknown))
    }

    /// Between two parts of a run the switches are off: a row that turns one on, and may do so again, is done again for what still
    /// comes after it. So is any row that may be done again and did not end well.
    pub fn reopen(&mut self, config: &Config) {
        let is_left = |index: usize| {
            self.ordinary()
                .any(|(other, _)| self.state(other) != RowState::Done && self.ancestors(other).contains(&index))
        };
        let again = self.ordinary().filter(|(index, action)| {
            action.work.as_ref().is_some_and(|work| work.repeatable)
                && match self.state(*index) {
                    RowState::Done => turns_on(action, config).is_some() && is_left(*index),
                    _ => true,
                }
        });
        let again: Vec<usize> = again.map(|(index, _)| index).collect();
        again.into_iter().for_each(|index| self.set(index, RowState::Open));
    }

    /// Leaves out every row that is bound to one of these that cannot be done, but for those behind a pause of the run, which may still
    /// get what they lack: a part of work that would stop in its middle is not begun.
    pub fn leave_out(&mut self, cannot: &BTreeSet<usize>) {
        let before_a_pause = |index: &usize| {
            let is_pause = |index: usize| {
                let work = self.plan.actions.get(index).and_then(|action| action.work.as_ref());
                work.is_some_and(|work| matches!(work.task, Task::Builtin(Builtin::Pause | Builtin::Resume, _)))
            };
            !self.ancestors(*index).into_iter().any(is_pause)
        };
        let mut bound: BTreeSet<usize> =
            cannot.iter().copied().filter(|index| self.is_ordinary(*index) && before_a_pause(index)).collect();
        loop {
            let next = self.ordinary().map(|(index, _)| index);
            let next: Vec<usize> =
                next.filter(|index| !bound.contains(index) && self.touches(*index, &bound)).collect();
            if next.is_empty() {
                break;
            }
            bound.extend(next);
        }
        self.left_out = bound.into_iter().filter(|index| !cannot.contains(index)).collect();
    }

    /// The next row: the first whose turn has come.
    pub fn next(&self) -> Option<usize> {
        let is_next = |(index, _): &(usize, &IntendedAction)| {
            self.state(*index) == RowState::Open
                && !self.left_out.contains(index)
                // One that is to be done again holds up all that comes after it, not only the next.
                && self.ancestors(*index).iter().all(|before| self.state(*before) == RowState::Done)
        };
        self.ordinary().find(is_next).map(|(index, _)| index)
    }

    /// The rows that come last on every way out. What can be done once is kept for when the run is over for good.
    pub fn last(&self, is_over: bool) -> Vec<usize> {
        let repeatable = |action: &IntendedAction| action.work.as_ref().is_some_and(|work| work.repeatable);
        let last = self.plan.actions.iter().enumerate().filter(|(index, action)| {
            action.finally && (repeatable(action) || is_over && self.state(*index) == RowState::Open)
        });
        last.map(|(index, _)| index).collect()
    }

    /// The switches that rows of a plan turn on, each with the row that turns it off in the end.
    pub fn switches(plan: &'a RunPlan, config: &Config) -> Vec<(&'a FlagTask, Option<usize>)> {
        let last = |name: &str| {
            plan.actions
                .iter()
                .position(|action| action.finally && off(action, config).is_some_and(|flag| flag.name == name))
        };
        let mut seen = BTreeSet::new();
        let on = plan.actions.iter().filter_map(|action| turns_on(action, config));
        on.filter(|flag| seen.insert(flag.name.as_str())).map(|flag| (flag, last(&flag.name))).collect()
    }

    fn ordinary(&self) -> impl Iterator<Item = (usize, &'a IntendedAction)> {
        self.plan.actions.iter().enumerate().filter(|(_, action)| !action.finally)
    }

    fn is_ordinary(&self, index: usize) -> bool {
        self.plan.actions.get(index).is_some_and(|action| !action.finally)
    }

    /// Whether the row comes right before or after one of these.
    fn touches(&self, index: usize, rows: &BTreeSet<usize>) -> bool {
        let after =
            |index: usize| self.plan.actions.get(index).map(|action| action.after.as_slice()).unwrap_or_default();
        after(index).iter().any(|before| rows.contains(before)) || rows.iter().any(|row| after(*row).contains(&index))
    }

    /// Every row that must be done before this one.
    fn ancestors(&self, index: usize) -> BTreeSet<usize> {
        let (mut found, mut waiting) = (BTreeSet::new(), vec![index]);
        while let Some(index) = waiting.pop() {
            let before = self.plan.actions.get(index).map(|action| action.after.as_slice()).unwrap_or_default();
            waiting.extend(before.iter().copied().filter(|before| found.insert(*before)));
        }
        found
    }
}

/// The switch that the row sets to anything but its declared off value.
fn turns_on<'a>(action: &'a IntendedAction, config: &Config) -> Option<&'a FlagTask> {
    match &action.work.as_ref()?.task {
        Task::Flag(flag) => Some(flag).filter(|_| off(action, config).is_none()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::plan::{Mode, Target, Work};
    use crate::problem::Source;
    use cedar_policy::EntityUid;
    use std::collections::BTreeMap;
    use std::str::FromStr as _;

    fn uid(text: &str) -> EntityUid {
        EntityUid::from_str(text).unwrap()
    }

    /// A plan of rows, each with those that it comes after, and whether it is a pause (`p`) or one of the last (`f`).
    fn plan(rows: &[(&[usize], &str)]) -> RunPlan {
        let row = |(id, (after, flags)): (usize, &(&[usize], &str))| {
            let builtin = if flags.contains('p') { Builtin::Pause } else { Builtin::Start };
            IntendedAction {
                id: id.to_string(),
                principal: uid("T::\"a\""),
                action: uid("Action::\"a\""),
                resource: uid("T::\"b\""),
                parameters: BTreeMap::new(),
                after: after.to_vec(),
                finally: flags.contains('f'),
                work: Some(Work { task: Task::Builtin(builtin, None), ..Work::stand_in() }),
                labels: BTreeMap::new(),
                span: 0..0,
            }
        };
        RunPlan {
            name: "a plan".to_owned(),
            macro_name: None,
            run: "r-1".to_owned(),
            mode: Mode::Live,
            author: uid("T::\"a\""),
            target: Target::default(),
            labels: BTreeMap::new(),
            actions: rows.iter().enumerate().map(row).collect(),
            digest: Digest::of(b"plan"),
            source: Source::new("plan.json", "{}"),
        }
    }

    /// The order in which rows come, where each that is tried ends like this.
    fn order(plan: &RunPlan, cannot: &[usize], ends: impl Fn(usize) -> RowState) -> Vec<usize> {
        let mut course = Course::of(plan, &Journal::default());
        course.leave_out(&cannot.iter().copied().collect());
        let mut order = Vec::new();
        while let Some(index) = course.next() {
            assert!(!order.contains(&index), "{index} comes twice");
            order.push(index);
            course.set(index, ends(index));
        }
        order
    }

    #[test]
    fn rows_come_after_what_they_name_and_the_last_ones_never_by_themselves() {
        let plan = plan(&[(&[], ""), (&[2], ""), (&[], ""), (&[1], ""), (&[], "f")]);
        assert_eq!(order(&plan, &[], |_| RowState::Done), [0, 2, 1, 3]);
        // What is refused or fails holds up what comes after it, and nothing else.
        assert_eq!(order(&plan, &[], |index| if index == 2 { RowState::Refused } else { RowState::Done }), [0, 2]);
    }

    #[test]
    fn what_hangs_together_with_a_row_that_cannot_be_done_is_left_out_but_behind_a_pause() {
        // 0 stands alone; 1, 2 and 3 hang together.
        let chain = plan(&[(&[], ""), (&[], ""), (&[1], ""), (&[2], "")]);
        assert_eq!(order(&chain, &[3], |_| RowState::Done), [0]);
        // It is tried itself, if its turn comes, so that the reason is written down.
        assert_eq!(order(&chain, &[1], |_| RowState::Refused), [0, 1]);
        let paused = plan(&[(&[], ""), (&[0], ""), (&[1], "p"), (&[2], "")]);
        assert_eq!(
            order(&paused, &[3], |index| if index == 3 { RowState::Refused } else { RowState::Done }),
            [0, 1, 2, 3]
        );
        assert_eq!(order(&paused, &[1], |_| RowState::Done), [0_usize; 0]);
    }

    #[test]
    fn a_row_that_is_open_again_holds_up_what_comes_after_what_is_done() {
        let plan = plan(&[(&[], ""), (&[0], ""), (&[1], "")]);
        let mut course = Course::of(&plan, &Journal::default());
        course.set(1, RowState::Done);
        assert_eq!(course.next(), Some(0));
        course.set(0, RowState::Refused);
        assert_eq!(course.next(), None);
        assert!(!course.is_held() && !course.is_complete() && !course.is_new());
        course.set(0, RowState::Failed);
        assert!(course.is_held());
    }

    #[test]
    fn what_can_be_done_once_comes_last_only_when_the_run_is_over() {
        let plan = plan(&[(&[], ""), (&[], "f")]);
        let mut course = Course::of(&plan, &Journal::default());
        assert_eq!((course.last(false), course.last(true)), (vec![], vec![1]));
        course.set(1, RowState::Done);
        assert!(course.last(true).is_empty());
    }
}
