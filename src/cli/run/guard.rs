//! `cutter guard`: turns off every switch of a plan that is on while no run holds it; once, or again and again.

use super::drive::worst;
use super::moment::{Moment, UseArguments};
use super::off::{Declared, vouched};
use super::switch;
use crate::cli::shared::clock::system_time;
use crate::cli::shared::exit::{CommandResult, Exit};
use crate::cli::shared::inputs::InputArguments;
use crate::cli::shared::ledger::{NamedLedger, spool};
use crate::cli::shared::output::OutputArguments;
use crate::cli::shared::vouch;
use crate::layout::Style;
use crate::layout::lines::{Cell, Fit, Lines, Tone, head};
use crate::plan::{FlagTask, RunPlan};
use crate::policy::PolicyBundle;
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::runtime::{Course, SwitchOff, told_to_stop, told_within};
use crate::settings::Config;
use crate::trust::Vouched;
use clap::Args;
use std::path::Path;
use std::time::Duration;

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    told: UseArguments,
    /// Look again and again, with so many seconds in between, until it is told to stop
    #[arg(long, value_name = "SECONDS")]
    every: Option<u64>,
}

/// What was found of a switch, and done.
enum Found {
    Off,
    /// A run holds it.
    Held,
    TurnedOff,
    /// It is off now, and no record says so.
    Unrecorded(String),
    /// It is on, and stays so.
    Stuck(String),
}

/// What is to be guarded, and who vouched for it; turning off needs no facts.
struct Known {
    bundle: PolicyBundle,
    config: Config,
    plan: RunPlan,
    vouched: Option<Vouched>,
    /// Whether somebody signed the plan whom the trust root lets, where there is a trust root.
    is_signed: bool,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        let told = told_to_stop()?;
        let mut known = None;
        loop {
            let looked = self.look(self.told.moment(output), &mut known);
            let Some(every) = self.every else {
                let (found, exit) = looked?;
                return Ok((said(&found, output.style()), exit));
            };
            match looked {
                Ok((found, _)) if found.iter().all(|(_, found)| matches!(found, Found::Off | Found::Held)) => {}
                Ok((found, _)) => output.say(&said(&found, output.style_of_errors())),
                // A guard that ends guards nothing: what is wrong is told, and it looks again.
                Err(problems) => output.warn(&problems),
            }
            if told_within(&told, Duration::from_secs(every)) {
                return Ok((String::new(), Exit::Authorized));
            }
        }
    }

    /// What cannot be read, or is not what it was, does not replace what was.
    fn look(&self, moment: Moment<'_>, known: &mut Option<Known>) -> Result<(Vec<(String, Found)>, Exit), Problems> {
        moment.authority.ledger.forget();
        match (Known::read(moment.inputs), &known) {
            (Ok(now), None) => {
                now.check_declared(moment.inputs)?;
                *known = Some(now);
            }
            (Ok(now), Some(before)) => match now.stands_against(before) {
                Some(problem) => moment.output.warn(&problem.into()),
                None => *known = Some(now),
            },
            (Err(problems), Some(_)) => moment.output.warn(&problems),
            (Err(problems), None) => return Err(problems),
        }
        let Some(known) = known else { return Ok((Vec::new(), Exit::Failure)) };
        let named = known.check_ledger(moment.inputs).and_then(|()| self.told.ledger(&known.config));
        let mut found = Vec::new();
        for (flag, off) in Course::switches(&known.plan, &known.config) {
            found.push((flag.name.clone(), look_at(moment, known, &named, flag, off)?));
        }
        if found.is_empty() {
            let problem = Problem::invalid("no row of the plan turns a switch on, so that there is nothing to guard");
            return Err(problem.of(&known.plan.source).into());
        }
        // What waits for the ledger comes after what is on.
        let brought = named.and_then(|named| Ok(spool::bring_in(known.config.ledger.spool(), named.store())?));
        brought.unwrap_or_else(|problems| moment.output.warn(&problems));
        let mut exits: Vec<Exit> = found.iter().map(|(_, found)| found.exit()).collect();
        if !known.is_signed {
            let problem = Problem::untrusted("nobody signed the plan that says which switches there are")
                .help("have its author sign it: `cutter plan sign`")
                .of(&known.plan.source)
                .coded(Code::RunUntrusted);
            moment.output.warn(&problem.into());
            exits.push(Exit::Untrusted);
        }
        Ok((found, worst(exits)))
    }
}

impl Known {
    /// Bundle and plan as they are now.
    fn read(inputs: &InputArguments) -> Result<Self, Problems> {
        let (bundle, config, plan) = inputs.plan_alone()?;
        let (vouched, revocations, now) = (vouched(inputs, &bundle), inputs.trust.revocations(), system_time());
        let signed = || vouch::plan(inputs, &plan, &revocations?, now?);
        let is_signed = !inputs.trust.is_there() || signed().is_ok_and(|signed| signed.is_some());
        Ok(Self { bundle, config, plan, vouched, is_signed })
    }

    /// Refuses a configuration for which neither the trust root nor root vouches: whoever wrote it would say where the switch is, and be
    /// sent what this process may know of the database.
    fn check_declared(&self, inputs: &InputArguments) -> Result<(), Problem> {
        let by_root = |path: &Path, off: Option<usize>| {
            let row = off.and_then(|index| self.plan.actions.get(index));
            row.is_some_and(|row| {
                SwitchOff::by_root(&self.plan, row, &self.config, path).is_ok_and(|off| off.is_some())
            })
        };
        let mut switches = Course::switches(&self.plan, &self.config).into_iter();
        let is_declared = |path: &Path| switches.all(|(_, off)| by_root(path, off));
        if !inputs.trust.is_there()
            || self.vouched.is_some()
            || inputs.trust.switches().as_deref().is_some_and(is_declared)
        {
            return Ok(());
        }
        Err(Problem::untrusted("nobody ever vouched for the configuration that says where the switch is")
            .help("nothing was asked there; have the bundle signed, or let root declare the switch")
            .coded(Code::RunUntrusted))
    }

    /// Root declares switches, and no ledger: one that only an unvouched configuration names is asked nothing.
    fn check_ledger(&self, inputs: &InputArguments) -> Result<(), Problems> {
        if !inputs.trust.is_there() || self.vouched.is_some() {
            return Ok(());
        }
        Err(Problem::untrusted("nobody vouches for the configuration that names the ledger")
            .help("have the bundle signed")
            .coded(Code::LedgerUnusable)
            .into())
    }

    /// Why it does not take the place of what was guarded before. Another plan is another run, and what is older was replaced.
    fn stands_against(&self, before: &Self) -> Option<Problem> {
        let is_same = (self.bundle.digest(), self.plan.digest) == (before.bundle.digest(), before.plan.digest);
        let is_later =
            self.vouched.is_some() && (before.vouched.is_none() || self.config.version > before.config.version);
        let (what, help) = match (is_same, self.plan.digest == before.plan.digest) {
            (true, _) => return None,
            (false, false) => ("the plan was changed", "another plan has a guard of its own"),
            (false, true) if is_later => return None,
            (false, true) => ("the bundle was changed", "a later version of it that is signed takes its place"),
        };
        Some(Problem::untrusted(format!("{what}: the one before is guarded")).help(help).of(&self.plan.source))
    }
}

impl Found {
    fn exit(&self) -> Exit {
        match self {
            Self::Off | Self::TurnedOff => Exit::Authorized,
            Self::Held => Exit::Blocked,
            Self::Unrecorded(_) => Exit::Failure,
            Self::Stuck(_) => Exit::Effect,
        }
    }
}

/// Looks at one switch, and turns it off where it is on and nobody holds it.
fn look_at(
    moment: Moment<'_>,
    Known { bundle, config, plan, vouched, .. }: &Known,
    named: &Result<NamedLedger, Problems>,
    flag: &FlagTask,
    off: Option<usize>,
) -> Result<Found, Problems> {
    if switch::is_off(plan, config, flag)? {
        return Ok(Found::Off);
    }
    let Some(off) = off.and_then(|index| plan.actions.get(index)) else {
        return Ok(Found::Stuck("no last row of the plan turns it off".to_owned()));
    };
    let ledger = named.as_ref().map(NamedLedger::store);
    let held = ledger.map_err(Problems::clone).and_then(|ledger| Ok(ledger.hold(&switch::lease(&flag.name))?));
    let ledger = match &held {
        Ok(None) => return Ok(Found::Held),
        // Whoever had it may have turned it off last.
        Ok(Some(_)) if switch::is_off(plan, config, flag)? => return Ok(Found::Off),
        Ok(Some(_)) => ledger,
        // No run works with such a ledger, so that nobody holds anything.
        Err(problems) if problems.code().is_some_and(|code| UNUSABLE.contains(&code)) => Err(problems),
        Err(problems) => {
            let typed = moment.typed().command("exec", Some(&off.id));
            let why = problems.in_one_line();
            return Ok(Found::Stuck(format!("whether a run holds it is not known ({why}); `{typed}` turns it off")));
        }
    };
    let by = Declared { policies: bundle.digest(), config, plan, vouched: vouched.as_ref() };
    let used = moment.act_now(by, off, ledger)?;
    Ok(match used.exit {
        Exit::Authorized => Found::TurnedOff,
        _ if switch::is_off(plan, config, flag)? => Found::Unrecorded(used.what),
        _ => Found::Stuck(used.what),
    })
}

fn said(found: &[(String, Found)], style: Style) -> String {
    let (mut lines, mut tone, mut result) = (Lines::new([Fit::Whole, Fit::Middle, Fit::Words]), Tone::Good, "OFF");
    for (name, found) in found {
        let (word, of, what) = match found {
            Found::Off => ("off", Tone::Good, String::new()),
            Found::Held => ("held", Tone::Open, "a run is at work with it".to_owned()),
            Found::TurnedOff => ("OFF", Tone::Open, "it was on, and no run held it: it is turned off".to_owned()),
            Found::Unrecorded(what) => ("OFF", Tone::Bad, what.clone()),
            Found::Stuck(why) => ("ON", Tone::Bad, why.clone()),
        };
        match found {
            Found::Stuck(_) => (tone, result) = (Tone::Bad, "ON"),
            Found::Unrecorded(_) if result != "ON" => tone = Tone::Bad,
            Found::Held if result != "ON" => (tone, result) = (Tone::Open, "HELD"),
            _ => {}
        }
        lines.row([Cell::toned(format!("{word:<6}"), of), Cell::new(name), Cell::new(what)]);
    }
    head("guard", result, tone, "", style) + &lines.text(style)
}

/// What is wrong with a ledger that no run can work with.
const UNUSABLE: [Code; 3] = [Code::LedgerMissing, Code::LedgerUnusable, Code::LedgerDamaged];
