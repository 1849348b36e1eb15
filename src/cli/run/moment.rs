//! One action at its moment of use: decided by what is so now, begun in the ledger, done, and written down.

use super::observed::Observed;
use super::off::{Declared, TurnedOff};
use crate::attestation::secrets::Secrets;
use crate::authorization::{Authorization, Inputs};
use crate::cli::evidence::{grants, targets};
use crate::cli::package::Maker;
use crate::cli::shared::authority::AuthorityArguments;
use crate::cli::shared::clock::system_time;
use crate::cli::shared::connection::{access, role_access};
use crate::cli::shared::exit::{Exit, of_verdict};
use crate::cli::shared::inputs::InputArguments;
use crate::cli::shared::ledger::NamedLedger;
use crate::cli::shared::next::Typed;
use crate::cli::shared::output::OutputArguments;
use crate::decision::{Basis, DecisionRow, Verdict};
use crate::digest::Digest;
use crate::json::in_backticks;
use crate::layout::lines::Tone;
use crate::ledger::{Conflict, Held, Ledger, Record, Refused};
use crate::plan::{IntendedAction, Mode};
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::record::FactRecord;
use crate::request::Stage;
use crate::runtime::{Execution, Outcome, Permission, Ready, Refusal, Surroundings, Use};
use crate::settings::Config;
use crate::settings::effects::Builtin;
use crate::trust::{Claims, RunningUser, SignatureFile, Trusted, judge};
use cedar_policy::EntityUid;
use clap::Args;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

/// What a command that reaches an effect is told.
#[derive(Args, Debug)]
pub struct UseArguments {
    #[command(flatten)]
    pub inputs: InputArguments,
    #[command(flatten)]
    pub authority: AuthorityArguments,
    /// A head of the ledger that was published with `cutter ledger head --to FILE`; only root may be able to change the file
    #[arg(long, value_name = "FILE")]
    head: Option<PathBuf>,
}

impl UseArguments {
    /// The moment of use of any action.
    pub fn moment<'a>(&'a self, output: &'a OutputArguments) -> Moment<'a> {
        Moment { inputs: &self.inputs, authority: &self.authority, output }
    }

    /// The ledger that every live run uses.
    pub fn ledger(&self, config: &Config) -> Result<NamedLedger, Problems> {
        self.authority.ledger.for_run(config, self.head.as_deref())
    }
}

/// What the command line says of it.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    pub inputs: &'a InputArguments,
    pub authority: &'a AuthorityArguments,
    pub output: &'a OutputArguments,
}

/// What became of an action.
pub struct Used {
    /// What decided; nothing where a switch was turned off by its declaration alone.
    pub basis: Option<Basis>,
    pub tone: Tone,
    /// In one line.
    pub what: String,
    pub exit: Exit,
    /// The stable code of what stood against it, where it has one.
    pub code: Option<Code>,
}

impl<'a> Moment<'a> {
    /// What the next command has in common with this one.
    pub fn typed(&self) -> Typed<'a> {
        Typed { inputs: self.inputs, authority: self.authority }
    }

    /// Everything that decides, read now.
    pub fn load(&self) -> Result<Inputs, Problems> {
        self.inputs.load(None, Some(&self.authority.ledger), self.output)
    }

    /// Decides the action and does it, holding its run's place; without a ledger, where the plan is a dry run, it is only decided.
    ///
    /// `first` was read at `since`. Whatever had to be waited for, all that decides is read after it, by the same bundle and plan; that is
    /// given back, too.
    pub fn act(
        &self,
        first: Inputs,
        action: &str,
        ledger: Option<&dyn Ledger>,
        since: Instant,
    ) -> Result<(Inputs, Used), Problems> {
        let (mut inputs, mut since) = (first, since);
        let Some(ledger) = ledger.filter(|_| inputs.plan.mode == Mode::Live) else {
            let used = self.only_decide(&inputs, action)?;
            return Ok((inputs, used));
        };
        if let Some(used) = self.on_hold(&inputs, action, ledger)? {
            return Ok((inputs, used));
        }
        let held = ledger.hold(&inputs.plan.run)?;
        let known = (inputs.bundle.digest(), inputs.plan.digest);
        if self.inputs.measures() || inputs.plan.produces() || since.elapsed() > LONG {
            since = Instant::now();
            inputs = self.again(known)?;
        }
        self.decide_and_do(inputs, action, (ledger, held), since, &|| self.again(known))
    }

    /// Everything that decides, read now, where bundle and plan are those that ledger, observer and place were found by.
    fn again(&self, (bundle, plan): (Digest, Digest)) -> Result<Inputs, Problems> {
        let inputs = self.load()?;
        let what = match (inputs.bundle.digest() == bundle, inputs.plan.digest == plan) {
            (true, true) => return Ok(inputs),
            // Another plan under the same name is another run.
            (_, false) => "the plan was changed while it ran",
            (false, true) => "the bundle was changed while a run was at work under it",
        };
        let problem =
            Problem::untrusted(what).help("look who changed it, then call it again").coded(Code::RunUntrusted);
        Err(if inputs.plan.digest == plan { problem } else { problem.of(&inputs.plan.source) }.into())
    }

    /// Whether what is kept of the run holds it, so that no row begins but its last ones.
    fn on_hold(&self, inputs: &Inputs, action: &str, ledger: &dyn Ledger) -> Result<Option<Used>, Problems> {
        let told = AtomicUsize::new(0);
        let observed = Observed::of(*self, inputs, ledger, &told, (None, None))
            .filter(|_| inputs.plan.named(action).is_ok_and(|row| !row.finally));
        let held = observed.map_or(Ok(None), |observed| observed.on_hold())?;
        Ok(held.map(|why| Used {
            basis: None,
            tone: Tone::Bad,
            what: format!("refused: the run is held, since what was measured is not what was declared: {why}"),
            exit: Exit::Effect,
            code: None,
        }))
    }

    /// Does a row of a plan that was read before: what it turns off is off first, by what was vouched for then, also where there is no
    /// ledger to work with.
    pub fn act_now(
        &self,
        by: Declared<'_>,
        row: &IntendedAction,
        ledger: Result<&dyn Ledger, &Problems>,
    ) -> Result<Used, Problems> {
        let off = TurnedOff::known(self.inputs, by, row);
        let used = ledger.map_err(Problems::clone).and_then(|ledger| self.by_ledger(by, row, ledger));
        match off {
            Some(off) => off.settle(used, ledger.ok()),
            None => used,
        }
    }

    /// Does a row of a plan the ordinary way: all that decides is read once, when the run's place is held.
    fn by_ledger(&self, by: Declared<'_>, row: &IntendedAction, ledger: &dyn Ledger) -> Result<Used, Problems> {
        let held = ledger.hold(&by.plan.run)?;
        let since = Instant::now();
        let read = || self.again((by.policies, by.plan.digest));
        Ok(self.decide_and_do(read()?, &row.id, (ledger, held), since, &read)?.1)
    }

    /// Decides the action by what was read at `since`, and does it where its run's place is held. A decision that took too long to begin
    /// by is taken once more, by all that `read` reads then.
    fn decide_and_do(
        &self,
        first: Inputs,
        action: &str,
        (ledger, mut held): (&dyn Ledger, Option<Box<dyn Held + '_>>),
        since: Instant,
        read: &dyn Fn() -> Result<Inputs, Problems>,
    ) -> Result<(Inputs, Used), Problems> {
        let mut inputs = first;
        let (mut used, is_late) = self.decide_once(&inputs, action, (ledger, &mut held), (since, 2))?;
        if is_late {
            let since = Instant::now();
            inputs = read()?;
            used = self.decide_once(&inputs, action, (ledger, &mut held), (since, 1))?.0;
        }
        // What ran is written down already; what did not is, too.
        if !matches!(used.exit, Exit::Authorized | Exit::Effect) {
            let row = inputs.plan.named(action)?;
            ledger.note(&Record::Refused(Refused {
                run: inputs.plan.run.clone(),
                plan: inputs.plan.digest,
                action: row.id.clone(),
                principal: row.principal.to_string(),
                reason: used.what.chars().take(LONGEST_REASON).collect(),
            }))?;
        }
        Ok((inputs, used))
    }

    /// The same once; also whether it may be decided again, since nothing but time stood against it.
    fn decide_once(
        &self,
        inputs: &Inputs,
        action: &str,
        (ledger, held): (&dyn Ledger, &mut Option<Box<dyn Held + '_>>),
        by: (Instant, u32),
    ) -> Result<(Used, bool), Problems> {
        let row = inputs.plan.named(action)?;
        let trusted = self.trusted(inputs, &[&row.principal])?;
        let authorization = self.authority.authorize(inputs, Stage::Use)?;
        let decided = authorization.row(row)?;
        let (mut code, mut is_late) = (None, false);
        let ((tone, what), exit) = match (held, decided.basis.allows()) {
            (_, false) => self.denied(row, &decided, &authorization),
            (None, true) => {
                let what = "blocked: another action of this run is at work".to_owned();
                ((Tone::Open, what), Exit::Blocked)
            }
            (Some(held), true) => match Permission::new(&trusted, &authorization, row)? {
                Ok(permission) => {
                    let work = |around: &Surroundings<'_>| permission.run(&mut **held, by, &system_time, around);
                    let execution = self.around(inputs, work)?;
                    is_late = matches!(execution, Execution::TooLate { used: false, .. });
                    if let Execution::Ended(Outcome::Refused(of, _)) = &execution {
                        code = Some(*of);
                    }
                    ended(execution)
                }
                Err(refusal) => refused(&refusal),
            },
        };
        // A rejection that was seen once stays, whoever takes its file away.
        for vote in authorization.rejections() {
            ledger.note(&Record::Vote(vote))?;
        }
        Ok((Used { basis: Some(decided.basis), tone, what, exit, code }, is_late))
    }

    /// Looks at the work of a row from all sides, as before it begins; what it is, in one line.
    pub fn look_at_work(&self, inputs: &Inputs, action: &IntendedAction, context: &Value) -> Result<String, Problems> {
        let Some(work) = &action.work else { return Ok("nothing to run".to_owned()) };
        let database = inputs.plan.database();
        self.around(inputs, |around| Ready::prepare(work, &Use { context, database }, around).map(drop))?;
        Ok(work.record().line())
    }

    /// A dry run reaches no effect, and needs nobody's word.
    fn only_decide(&self, inputs: &Inputs, action: &str) -> Result<Used, Problems> {
        let action = inputs.plan.named(action)?;
        let authorization = self.authority.authorize(inputs, Stage::Use)?;
        let row = authorization.row(action)?;
        let ((tone, what), exit) = match row.basis.allows() {
            true => refused(&Refusal::DryRun),
            false => self.denied(action, &row, &authorization),
        };
        Ok(Used { basis: Some(row.basis), tone, what, exit, code: None })
    }

    /// Why it is not allowed: what is wrong with the approvals that are there, and where facts are to blame, how they are measured.
    fn denied(
        &self,
        action: &IntendedAction,
        row: &DecisionRow,
        authorization: &Authorization<'_>,
    ) -> ((Tone, String), Exit) {
        let mut parts = vec![row.reason.trim_end_matches('.').to_owned()];
        let needs = row.needs.iter().filter(|_| row.basis != Basis::Approved);
        parts.extend(needs.map(|gate| {
            let of_gate = authorization.approvals().judged.iter().filter(|judged| judged.gate == *gate);
            let faults = of_gate.filter_map(|judged| judged.faults.first());
            let faults: Vec<String> = faults.map(|fault| format!("{}: {}", fault.code.name(), fault.detail)).collect();
            if faults.is_empty() { format!("needs {gate}") } else { format!("needs {gate} ({})", faults.join("; ")) }
        }));
        if !row.gaps.is_empty() {
            parts.push(format!("gaps {}", row.gaps.join(", ")));
        }
        parts.extend(row.errors.iter().cloned());
        if row.basis == Basis::Indeterminate {
            let facts: Vec<FactRecord> = row.facts.iter().map(FactRecord::from).collect();
            let measure = self.typed().measure("exec", Some(&action.id), &facts);
            parts.extend(measure.map(|command| format!("measure them: {command}")));
        }
        ((Tone::Plain, parts.join("; ")), of_verdict(Verdict::of(row.basis)))
    }

    /// Proof that the trust root vouches for bundle, plan, author and the running user, who is to act as these; the problems say why
    /// not.
    pub fn trusted(&self, inputs: &Inputs, acting: &[&EntityUid]) -> Result<Trusted, Problems> {
        let claims = Claims {
            bundle: &inputs.bundle,
            bundle_signature: &SignatureFile::beside(self.inputs.bundle.folder())?,
            plan: &inputs.plan,
            plan_signature: &SignatureFile::beside(&self.inputs.plan)?,
            user: &RunningUser::of_this_process()?,
            acting,
        };
        judge(&self.inputs.trust.load_for_use()?, &claims, &inputs.revocations, inputs.now).coded(Code::RunUntrusted)
    }

    /// Work with what it needs of the world around it.
    fn around<T>(&self, inputs: &Inputs, work: impl FnOnce(&Surroundings<'_>) -> T) -> T {
        work(&Surroundings {
            variable: &|name| std::env::var_os(name),
            connection: &|role| role_access(&inputs.config, role),
            facts: &|| access(&inputs.config),
            builtin: &|builtin, folder| self.do_builtin(inputs, builtin, folder),
            secrets: &|| Secrets::resolve(&inputs.config.secret_variables(), &|name| std::env::var(name).ok()),
        })
    }

    /// What cutter itself does, besides what the journal says of it.
    fn do_builtin(&self, inputs: &Inputs, builtin: Builtin, folder: Option<&str>) -> Result<(), Problems> {
        match (builtin, folder.map(Path::new)) {
            (Builtin::Grants, Some(folder)) => grants::package(&inputs.config, folder).map(drop),
            (Builtin::Targets, Some(folder)) => targets::package(inputs, folder).map(drop),
            (Builtin::Package, Some(folder)) => {
                let authorization = self.authority.authorize(inputs, Stage::Plan)?;
                let maker = Maker { inputs: self.inputs, authority: self.authority, read: inputs };
                maker.write(&authorization, folder).map(drop)
            }
            _ => Ok(()),
        }
    }
}

/// What became of a permitted action, in words.
fn ended(execution: Execution) -> ((Tone, String), Exit) {
    match execution {
        Execution::Ended(Outcome::Done(said) | Outcome::Answered(said, _)) if said.is_empty() => {
            ((Tone::Good, "done".to_owned()), Exit::Authorized)
        }
        Execution::Ended(Outcome::Done(said) | Outcome::Answered(said, _)) => {
            ((Tone::Good, format!("done: {said}")), Exit::Authorized)
        }
        Execution::Ended(Outcome::Ended(0)) => ((Tone::Good, "done".to_owned()), Exit::Authorized),
        Execution::Ended(Outcome::Ended(status)) => {
            let what = format!("the command ended with {status}; its approvals stay used");
            ((Tone::Bad, what), Exit::Effect)
        }
        Execution::Ended(Outcome::Failed(why) | Outcome::Refused(_, why) | Outcome::InDoubt(why)) => {
            ((Tone::Bad, format!("{why}; its approvals stay used")), Exit::Effect)
        }
        Execution::TooLate { took, used } => {
            let kept = if used { "its approvals stay used" } else { "nothing was used up" };
            let took = took.as_millis();
            let what = format!("refused: {took} ms passed between the decision and the start; {kept}");
            ((Tone::Bad, what), Exit::Untrusted)
        }
        Execution::NotBegun(conflict) => {
            let (what, exit) = stands_against(&conflict);
            ((Tone::Bad, format!("refused: {what}")), exit)
        }
    }
}

/// What the ledger has against a start, in words.
fn stands_against(conflict: &Conflict) -> (String, Exit) {
    match conflict {
        Conflict::ApprovalUsed { approval, action, at } => {
            (format!("approval `{}` was used for `{action}` at {at}", approval.id), Exit::Ready)
        }
        Conflict::AnotherPlan { plan, at } => {
            (format!("the run began at {at} under another plan, sha256 {plan}"), Exit::Denied)
        }
        Conflict::RanBefore { at } => {
            (format!("it began at {at} in this run, and its effect is not `repeatable`"), Exit::Denied)
        }
        Conflict::Voided { at } => (format!("the run was voided at {at}"), Exit::Denied),
        Conflict::OlderBundle { seen, ours } if seen.version == ours.version => {
            let what = "another bundle of the same version was used; raise `version` in cutter.toml and sign again";
            (format!("{what} (version {}, sha256 {})", seen.version, seen.sha256), Exit::Untrusted)
        }
        Conflict::OlderBundle { seen, ours } => {
            let (seen, ours) = (seen.version, ours.version);
            (format!("the bundle is of version {ours}, and one of version {seen} was used"), Exit::Untrusted)
        }
    }
}

/// Why an action that is allowed does not run, in words.
fn refused(refusal: &Refusal) -> ((Tone, String), Exit) {
    match refusal {
        Refusal::DryRun => ((Tone::Plain, "the plan is a dry run: nothing was run".to_owned()), Exit::Authorized),
        Refusal::Waiting(rows) => {
            let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
            let what = format!("blocked: it comes after {}, not finished in this run", in_backticks(&rows));
            ((Tone::Open, what), Exit::Blocked)
        }
        Refusal::ClockDiffers { now, ledger } => {
            let what = format!("refused: the clock shows {now}, and the ledger's {ledger}");
            ((Tone::Bad, what), Exit::Untrusted)
        }
        Refusal::NotTrusted => {
            ((Tone::Bad, "refused: the trust root names something else".to_owned()), Exit::Untrusted)
        }
        Refusal::Denied => ((Tone::Bad, "refused: it is denied".to_owned()), Exit::Denied),
        Refusal::NoWork => ((Tone::Bad, "refused: it declares nothing to run".to_owned()), Exit::Invalid),
    }
}

/// What was read so long ago is read again.
const LONG: Duration = Duration::from_millis(250);

const LONGEST_REASON: usize = 1000;
