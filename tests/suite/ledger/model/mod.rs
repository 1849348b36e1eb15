//! A small model of a ledger: whatever is asked of a store, in whatever order, crashes between included, it answers as the model.

mod stores;

use self::stores::{Folder, Shared, Store};
use crate::ledger::scene;
use cutter::digest::Digest;
use cutter::ledger::{
    ApprovalUsed, Attestation, Attested, Begun, Conflict, DirectoryLedger, Finished, Held, Journal, Ledger, LedgerId,
    Record, SeenBundle, Started, Voided, Vote, Wanted,
};
use cutter::problem::Problem;
use cutter::time::Timestamp;
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::sample::Index;
use proptest::strategy::{Just, Strategy};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use proptest::{prop_assert_eq, prop_oneof};
use serde_json::Value;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Something that is asked of a ledger, or happens to it.
#[derive(Clone, Debug)]
enum Step {
    /// A row is to begin, and uses approvals up.
    Begin { run: u8, plan: u8, action: u8, approvals: Vec<u8>, repeatable: bool, version: u64 },
    /// One of the rows that began ends.
    Finish { which: Index, status: Option<i32> },
    /// A person ends a run.
    Void { run: u8 },
    /// A person says no to an approval, or yes.
    Vote { approval: u8 },
    /// The clock is set by so many minutes.
    Clock(i64),
    /// The process is killed between two calls.
    Killed,
    /// The next call is killed at its end: in a folder once the line is written, and before the mark of the end is; in PostgreSQL once
    /// it is committed, and before anything else is asked.
    KilledAtTheEnd(Box<Step>),
    /// The process is killed within the next call: in a folder within a line; in PostgreSQL in the session that holds the run.
    KilledWithin(Box<Step>),
}

fn begin() -> impl Strategy<Value = Step> {
    (0..2u8, 0..2u8, 0..3u8, vec(0..3u8, 0..=2), any::<bool>(), 0..2u64).prop_map(
        |(run, plan, action, approvals, repeatable, version)| Step::Begin {
            run,
            plan: plan.min(run),
            action,
            approvals,
            repeatable,
            version: 1 + version,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => begin(),
        3 => (any::<Index>(), prop_oneof![Just(Some(0)), Just(Some(1)), Just(None)])
            .prop_map(|(which, status)| Step::Finish { which, status }),
        1 => (0..2u8).prop_map(|run| Step::Void { run }),
        1 => (0..3u8).prop_map(|approval| Step::Vote { approval }),
        1 => (-90..90i64).prop_map(Step::Clock),
        1 => Just(Step::Killed),
        1 => begin().prop_map(|step| Step::KilledAtTheEnd(Box::new(step))),
        1 => begin().prop_map(|step| Step::KilledWithin(Box::new(step))),
    ]
}

/// What a ledger must know, and nothing else.
#[derive(Default)]
struct Model {
    voided: BTreeSet<u8>,
    plans: BTreeMap<u8, u8>,
    used: BTreeSet<(u8, u8)>,
    ran: BTreeSet<(u8, u8)>,
    newest: Option<u64>,
    votes: BTreeMap<u8, usize>,
    /// Run, action, and whether it ended, by the number of the start.
    starts: BTreeMap<u64, (u8, u8, Option<Option<i32>>)>,
}

impl Model {
    /// What must stand against a start.
    fn conflict(&self, step: &Step) -> Option<&'static str> {
        let Step::Begin { run, plan, action, approvals, repeatable, version } = step else { return None };
        if self.voided.contains(run) {
            return Some("voided");
        }
        if self.plans.get(run).is_some_and(|of_run| of_run != plan) {
            return Some("another plan");
        }
        if approvals.iter().any(|approval| self.used.contains(&(*approval, *action))) {
            return Some("used");
        }
        if !repeatable && self.ran.contains(&(*run, *action)) {
            return Some("ran before");
        }
        self.newest.is_some_and(|newest| *version < newest).then_some("older bundle")
    }

    fn began(&mut self, number: u64, step: &Step) {
        let Step::Begin { run, plan, action, approvals, version, .. } = step else { return };
        self.plans.insert(*run, *plan);
        self.used.extend(approvals.iter().map(|approval| (*approval, *action)));
        self.ran.insert((*run, *action));
        self.newest = Some(*version);
        self.starts.insert(number, (*run, *action, None));
    }
}

fn digest(what: &str, number: u8) -> Digest {
    Digest::of(format!("{what} {number}").as_bytes())
}

fn started(step: &Step, now: Timestamp) -> Option<Started> {
    let Step::Begin { run, plan, action, approvals, repeatable, version } = step else { return None };
    let used = |approval: &u8| ApprovalUsed {
        id: format!("approval {approval}"),
        gate: "GATE".to_owned(),
        sha256: digest("approval", *approval),
    };
    Some(Started {
        run: format!("run {run}"),
        plan: digest("plan", *plan),
        action: format!("action {action}"),
        principal: "nobody".to_owned(),
        argv: Vec::new(),
        transaction: None,
        approvals: approvals.iter().map(used).collect(),
        decided_at: now,
        bundle: SeenBundle { version: *version, sha256: digest("bundle", 0) },
        repeatable: *repeatable,
        decision: Value::Null,
    })
}

fn word(conflict: &Conflict) -> &'static str {
    match conflict {
        Conflict::ApprovalUsed { .. } => "used",
        Conflict::AnotherPlan { .. } => "another plan",
        Conflict::RanBefore { .. } => "ran before",
        Conflict::Voided { .. } => "voided",
        Conflict::OlderBundle { .. } => "older bundle",
    }
}

thread_local! {
    static NOW: Cell<i64> = const { Cell::new(0) };
}

fn now() -> Option<Timestamp> {
    Timestamp::from_milliseconds(NOW.get())
}

fn wrong(problem: Problem) -> TestCaseError {
    TestCaseError::fail(format!("{problem:?}"))
}

/// Goes the steps with a store and with the model side by side.
fn go(steps: &[Step], store: &dyn Store) -> Result<(), TestCaseError> {
    NOW.set(1_767_225_600_000);
    store.renew();
    let mut ledger = store.open();
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Begin { .. } => ask(&*ledger, &mut model, step)?,
            Step::KilledAtTheEnd(step) => {
                drop(ledger);
                store.killed_at_the_end(&mut |ledger| ask(ledger, &mut model, step))?;
                ledger = store.open();
            }
            Step::Finish { which, status } => finish(&*ledger, &mut model, *which, *status)?,
            Step::Void { run } => {
                let void = Voided { run: format!("run {run}"), plan: digest("plan", 0), reason: "so".to_owned() };
                ledger.note(&Record::Voided(void)).map_err(wrong)?;
                model.voided.insert(*run);
            }
            Step::Vote { approval } => {
                let vote = Vote { approval: digest("approval", *approval), signature: "signed".to_owned() };
                ledger.note(&Record::Vote(vote)).map_err(wrong)?;
                *model.votes.entry(*approval).or_default() += 1;
            }
            Step::Clock(minutes) => NOW.set(NOW.get() + minutes * 60_000),
            Step::Killed => ledger = store.open(),
            Step::KilledWithin(step) => {
                drop(ledger);
                now().and_then(|now| started(step, now)).map_or(Ok(()), |started| store.killed_within(&started))?;
                ledger = store.open();
            }
        }
        compare(&*ledger, &model)?;
    }
    Ok(())
}

fn taken() -> TestCaseError {
    TestCaseError::fail("the place is taken")
}

fn ask(ledger: &dyn Ledger, model: &mut Model, step: &Step) -> Result<(), TestCaseError> {
    let Some(started) = now().and_then(|now| started(step, now)) else { return Ok(()) };
    let mut held = ledger.hold(&started.run).map_err(wrong)?.ok_or_else(taken)?;
    let begun = held.begin(&started).map_err(wrong)?;
    let said = match &begun {
        Begun::Begun(_) => None,
        Begun::Not(conflict) => Some(word(conflict)),
    };
    prop_assert_eq!(said, model.conflict(step));
    if let Begun::Begun(number) = begun {
        model.began(number, step);
    }
    Ok(())
}

fn finish(ledger: &dyn Ledger, model: &mut Model, which: Index, status: Option<i32>) -> Result<(), TestCaseError> {
    let count = model.starts.len();
    let Some(number) = (count > 0).then(|| model.starts.keys().nth(which.index(count)).copied()).flatten() else {
        return Ok(());
    };
    let Some((run, action, ended)) = model.starts.get_mut(&number) else { return Ok(()) };
    let finished = Finished {
        run: format!("run {run}"),
        action: format!("action {action}"),
        started: number,
        exit_status: status,
        note: None,
        produced: BTreeMap::new(),
        output: None,
    };
    let mut held = ledger.hold(&finished.run).map_err(wrong)?.ok_or_else(taken)?;
    prop_assert_eq!(held.finish(&finished).is_ok(), ended.is_none());
    ended.get_or_insert(status);
    Ok(())
}

/// Whether all that is read of the ledger is what the model knows.
fn compare(ledger: &dyn Ledger, model: &Model) -> Result<(), TestCaseError> {
    let journal = ledger.read(Wanted::All).map_err(wrong)?;
    prop_assert_eq!(&journal.damages, &Vec::new());
    for approval in 0..3 {
        let sha256 = digest("approval", approval);
        prop_assert_eq!(journal.votes(sha256).count(), model.votes.get(&approval).copied().unwrap_or(0));
        for action in 0..3 {
            let used = journal.used(sha256, &format!("action {action}")).is_some();
            prop_assert_eq!(used, model.used.contains(&(approval, action)), "approval {} action {}", approval, action);
        }
    }
    for run in 0..2u8 {
        let open: Vec<u64> = journal.open(&format!("run {run}")).map(|(entry, _)| entry.sequence).collect();
        let is_open = |(_, (of, _, ended)): &(&u64, &(u8, u8, Option<Option<i32>>))| *of == run && ended.is_none();
        prop_assert_eq!(open, model.starts.iter().filter(is_open).map(|(at, _)| *at).collect::<Vec<_>>());
        prop_assert_eq!(journal.voided(&format!("run {run}")).is_some(), model.voided.contains(&run));
    }
    prop_assert_eq!(journal.newest_bundle().map(|bundle| bundle.version), model.newest);
    Ok(())
}

/// So many sequences, the same every time, tried with a store, and how many steps they had; or the shortest at which it does not answer
/// as the model.
fn tried(cases: u32, store: &dyn Store) -> Result<usize, (String, Vec<Step>)> {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let count = Cell::new(0);
    let all = |steps: Vec<Step>| {
        count.set(count.get() + steps.len());
        go(&steps, store)
    };
    runner.run(&vec(step(), 1..24), all).map_err(|error| match error {
        TestError::Fail(why, steps) => (why.to_string(), steps),
        TestError::Abort(why) => (why.to_string(), Vec::new()),
    })?;
    Ok(count.get())
}

fn folder(path: &Path) -> DirectoryLedger {
    DirectoryLedger::new(path, now)
}

#[test]
fn a_ledger_answers_as_a_model_does_whatever_is_asked_and_wherever_it_is_killed() {
    let (server, place) = scene::server();
    let shared = Shared { server, place };
    let opens = |path: &Path| Box::new(folder(path)) as Box<dyn Ledger>;
    for (name, cases, store) in [("a folder", 200, &Folder::new(&opens) as &dyn Store), ("PostgreSQL", 24, &shared)] {
        let found = tried(cases, store);
        let steps = found.unwrap_or_else(|found| panic!("{name}: {found:#?}"));
        println!("{name}: {cases} sequences, {steps} steps");
    }
}

/// What a ledger may do wrong.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    ForgetsUses,
    BeginsAgain,
    ForgetsVoids,
    LosesEnds,
}

/// A folder with a fault.
struct Faulty(DirectoryLedger, Fault);

struct FaultyPlace<'a>(Box<dyn Held + 'a>, Fault);

impl Ledger for Faulty {
    fn name(&self) -> String {
        self.0.name()
    }
    fn id(&self) -> Result<Option<LedgerId>, Problem> {
        self.0.id()
    }
    fn init(&self, id: LedgerId) -> Result<(), Problem> {
        self.0.init(id)
    }
    fn read(&self, wanted: Wanted<'_>) -> Result<Journal, Problem> {
        self.0.read(wanted)
    }
    fn digest_at(&self, number: u64) -> Result<Option<Digest>, Problem> {
        self.0.digest_at(number)
    }
    fn note(&self, record: &Record) -> Result<u64, Problem> {
        match (self.1, record) {
            (Fault::ForgetsVoids, Record::Voided(_)) => Ok(0),
            _ => self.0.note(record),
        }
    }
    fn attest(&self, attestation: &Attestation) -> Result<Attested, Problem> {
        self.0.attest(attestation)
    }
    fn hold(&self, run: &str) -> Result<Option<Box<dyn Held + '_>>, Problem> {
        Ok(self.0.hold(run)?.map(|held| Box::new(FaultyPlace(held, self.1)) as Box<dyn Held>))
    }
}

impl Held for FaultyPlace<'_> {
    fn begin(&mut self, started: &Started) -> Result<Begun, Problem> {
        let mut started = started.clone();
        started.repeatable |= self.1 == Fault::BeginsAgain;
        if self.1 == Fault::ForgetsUses {
            started.approvals.clear();
        }
        self.0.begin(&started)
    }

    fn finish(&mut self, finished: &Finished) -> Result<u64, Problem> {
        if self.1 == Fault::LosesEnds { Ok(0) } else { self.0.finish(finished) }
    }

    fn also_hold(&mut self, run: &str) -> Result<bool, Problem> {
        self.0.also_hold(run)
    }

    fn let_go(&mut self) -> Result<(), Problem> {
        self.0.let_go()
    }
}

#[test]
fn each_fault_of_a_ledger_is_found_and_shown_by_a_few_steps() {
    for (fault, most) in
        [(Fault::ForgetsUses, 1), (Fault::BeginsAgain, 2), (Fault::ForgetsVoids, 1), (Fault::LosesEnds, 2)]
    {
        let opens = |path: &Path| Box::new(Faulty(folder(path), fault)) as Box<dyn Ledger>;
        let (why, steps) = tried(200, &Folder::new(&opens)).unwrap_err();
        assert!((1..=most).contains(&steps.len()), "{why} {steps:?}");
    }
}
