//! `cutter guard`: turns off every switch of a plan that is on while no run holds it; once, or again and again.

use super::moment::{Moment, UseArguments};
use super::switch;
use crate::authorization::Inputs;
use crate::cli::shared::exit::{CommandResult, Exit};
use crate::cli::shared::ledger::NamedLedger;
use crate::cli::shared::output::OutputArguments;
use crate::layout::Style;
use crate::layout::lines::{Cell, Fit, Lines, Tone, head};
use crate::plan::FlagTask;
use crate::problem::{Problem, Problems};
use crate::runtime::{Course, told_to_stop};
use clap::Args;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

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
    /// It is on, and stays so.
    Stuck(String),
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        let told = told_to_stop()?;
        loop {
            let looked = self.look(self.told.moment(output));
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
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(every) {
                if told.load(Ordering::Relaxed) != 0 {
                    return Ok((String::new(), Exit::Authorized));
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }

    fn look(&self, moment: Moment<'_>) -> Result<(Vec<(String, Found)>, Exit), Problems> {
        let inputs = moment.load()?;
        let named = self.told.ledger(&inputs.config)?;
        let mut found = Vec::new();
        for (flag, off) in Course::switches(&inputs.plan, &inputs.config) {
            found.push((flag.name.clone(), look_at(moment, &inputs, &named, flag, off)?));
        }
        if found.is_empty() {
            let problem = Problem::invalid("no row of the plan turns a switch on, so that there is nothing to guard");
            return Err(problem.of(&inputs.plan.source).into());
        }
        let stuck = found.iter().any(|(_, found)| matches!(found, Found::Stuck(_)));
        let held = found.iter().any(|(_, found)| matches!(found, Found::Held));
        let exit = if stuck { Exit::Effect } else { Exit::Blocked };
        Ok((found, if stuck || held { exit } else { Exit::Authorized }))
    }
}

/// Looks at one switch, and turns it off where it is on and nobody holds it.
fn look_at(
    moment: Moment<'_>,
    inputs: &Inputs,
    named: &NamedLedger,
    flag: &FlagTask,
    off: Option<usize>,
) -> Result<Found, Problems> {
    if switch::is_off(&inputs.config, flag)? {
        return Ok(Found::Off);
    }
    let Some(_lease) = named.store().hold(&switch::lease(&flag.name))? else { return Ok(Found::Held) };
    // Whoever had it may have turned it off last.
    if switch::is_off(&inputs.config, flag)? {
        return Ok(Found::Off);
    }
    let Some(off) = off.and_then(|index| inputs.plan.actions.get(index)) else {
        return Ok(Found::Stuck("no last row of the plan turns it off".to_owned()));
    };
    let used = moment.act_now(&inputs.plan, off, named.store())?;
    Ok(match used.exit {
        Exit::Authorized => Found::TurnedOff,
        _ => Found::Stuck(used.what),
    })
}

fn said(found: &[(String, Found)], style: Style) -> String {
    let (mut lines, mut tone, mut result) = (Lines::new([Fit::Whole, Fit::Middle, Fit::Words]), Tone::Good, "OFF");
    for (name, found) in found {
        let (word, of, what) = match found {
            Found::Off => ("off", Tone::Good, String::new()),
            Found::Held => ("held", Tone::Open, "a run is at work with it".to_owned()),
            Found::TurnedOff => ("OFF", Tone::Open, "it was on, and nobody held it: it is turned off".to_owned()),
            Found::Stuck(why) => ("ON", Tone::Bad, why.clone()),
        };
        match found {
            Found::Stuck(_) => (tone, result) = (Tone::Bad, "ON"),
            Found::Held if result != "ON" => (tone, result) = (Tone::Open, "HELD"),
            _ => {}
        }
        lines.row([Cell::toned(format!("{word:<6}"), of), Cell::new(name), Cell::new(what)]);
    }
    head("guard", result, tone, "", style) + &lines.text(style)
}
