//! `cutter guard`: turns off every switch of a plan that is on while no run holds it; once, or again and again.

use super::moment::{Moment, UseArguments};
use super::off::{Declared, vouched};
use super::switch;
use crate::cli::shared::clock::system_time;
use crate::cli::shared::exit::{CommandResult, Exit};
use crate::cli::shared::ledger::{NamedLedger, spool};
use crate::cli::shared::output::OutputArguments;
use crate::cli::shared::vouch;
use crate::layout::Style;
use crate::layout::lines::{Cell, Fit, Lines, Tone, head};
use crate::plan::{FlagTask, RunPlan};
use crate::policy::PolicyBundle;
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::runtime::{Course, told_to_stop, told_within};
use crate::settings::Config;
use crate::trust::Vouched;
use clap::Args;
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

    /// What is not vouched for any more, or cannot be read, does not replace what was.
    fn look(&self, moment: Moment<'_>, known: &mut Option<Known>) -> Result<(Vec<(String, Found)>, Exit), Problems> {
        moment.authority.ledger.forget();
        let now = moment.inputs.plan_alone().map(|(bundle, config, plan)| {
            let vouched = vouched(moment.inputs, &bundle);
            Known { bundle, config, plan, vouched }
        });
        match (now, &known) {
            // A plan that nobody signed does not take the place of the one that is guarded.
            (Ok(now), Some(before)) if now.plan.digest != before.plan.digest && !is_signed(moment, &now.plan) => {
                let problem =
                    Problem::untrusted("the plan was changed, and nobody signed it: the one before is guarded");
                moment.output.warn(&problem.of(&now.plan.source).into());
            }
            (Ok(now), _) if now.vouched.is_some() => *known = Some(now),
            // Whoever wrote it would be sent what this process may know of the database.
            (Ok(_), None) if moment.inputs.trust.is_there() && moment.inputs.trust.switches().is_none() => {
                let problem =
                    Problem::untrusted("nobody ever vouched for the configuration that says where the switch is");
                let help = "nothing was asked there; have the bundle signed, or let root declare the switch";
                return Err(problem.help(help).coded(Code::RunUntrusted).into());
            }
            (Ok(now), None) => *known = Some(now),
            (Err(problems), Some(_)) => moment.output.warn(&problems),
            (Err(problems), None) => return Err(problems),
            (Ok(_), _) => {}
        }
        let Some(known) = known else { return Ok((Vec::new(), Exit::Failure)) };
        let named = self.told.ledger(&known.config);
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
        let worst = found.iter().map(|(_, found)| found.exit()).max_by_key(|exit| match exit {
            Exit::Effect => 3,
            Exit::Failure => 2,
            Exit::Blocked => 1,
            _ => 0,
        });
        Ok((found, worst.unwrap_or(Exit::Authorized)))
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

/// Whether somebody signed the plan whom the trust root lets.
fn is_signed(moment: Moment<'_>, plan: &RunPlan) -> bool {
    let (revocations, now) = (moment.inputs.trust.revocations(), system_time());
    revocations.is_ok_and(|revocations| {
        let signed = now.map_err(Problems::from).and_then(|now| vouch::plan(moment.inputs, plan, &revocations, now));
        signed.is_ok_and(|signed| signed.is_some())
    })
}

/// Looks at one switch, and turns it off where it is on and nobody holds it.
fn look_at(
    moment: Moment<'_>,
    Known { bundle, config, plan, vouched }: &Known,
    named: &Result<NamedLedger, Problems>,
    flag: &FlagTask,
    off: Option<usize>,
) -> Result<Found, Problems> {
    if switch::is_off(config, flag)? {
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
        Ok(Some(_)) if switch::is_off(config, flag)? => return Ok(Found::Off),
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
        _ if switch::is_off(config, flag)? => Found::Unrecorded(used.what),
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
