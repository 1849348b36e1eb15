//! `cutter replay`: recorded decisions, asked again of other policies. It looks at files only, a line of a log at a time.

use super::review::reading;
use super::shared::exit::{CommandResult, Exit, no_json};
use super::shared::format::TableOrJson;
use super::shared::inputs::BundleArguments;
use super::shared::output::OutputArguments;
use crate::policy::PolicyBundle;
use crate::problem::{Code, Coded as _, Problem, Problems, Source};
use crate::project::{self, Nested};
use crate::testing::replay::{Replay, Replayer};
use crate::{files, json, render};
use clap::Args;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub struct Arguments {
    /// What holds decisions: attestations, decisions, journals as JSON, or logs of one decision a line
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    bundle: BundleArguments,
    /// Ask the policies of this git revision, from the same folder
    #[arg(long, value_name = "REVISION")]
    against: Option<String>,
    /// The folder of facts [default: entities, where it exists]
    #[arg(long, value_name = "DIR")]
    entities: Option<PathBuf>,
    /// FILEs are results of this command as JSON: add them up
    #[arg(long, conflicts_with_all = ["against", "entities"])]
    merge: bool,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: TableOrJson,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        let replay = if self.merge { self.merged()? } else { self.replayed()? };
        let exit = match &replay {
            replay if replay.deny_to_allow > 0 => Exit::Refuted,
            replay if replay.not_asked > 0 || replay.decisions == 0 => Exit::Unmeasured,
            _ => Exit::Authorized,
        };
        let text = match self.format {
            TableOrJson::Table => render::testing::replay(&replay, output.style()),
            TableOrJson::Json => render::json::document(&replay).map_err(no_json)?,
        };
        Ok((text, exit))
    }

    fn replayed(&self) -> Result<Replay, Problems> {
        let (bundle, facts) = self.load()?;
        let mut replayer = Replayer::new(&bundle, &facts)?;
        for path in &self.files {
            let name = path.display().to_string();
            let mut whole = false;
            let mut number = 0;
            for line in files::lines(path)? {
                let line = line?;
                number += 1;
                if line.trim().is_empty() {
                    continue;
                }
                let source = Source::new(format!("{name}:{number}"), line);
                match json::parse(&source) {
                    Ok(document) => replayer.document(source.name(), &json::to_serde(&document))?,
                    // It is no log: one document over many lines.
                    Err(problems) if number == 1 && problems.code() == Some(Code::JsonSyntax) => {
                        whole = true;
                        break;
                    }
                    Err(problems) => return Err(problems),
                }
            }
            if whole {
                let source = files::read(path)?;
                replayer.document(&name, &json::to_serde(&json::parse(&source)?))?;
            }
        }
        Ok(replayer.finish())
    }

    fn merged(&self) -> Result<Replay, Problems> {
        let mut sum = Replay::nothing();
        for path in &self.files {
            let source = files::read(path)?;
            let part: Replay = serde_json::from_value(json::to_serde(&json::parse(&source)?)).map_err(|error| {
                Problem::invalid(format!("it is not a result of `cutter replay`: {error}")).of(&source)
            })?;
            if part.version != 1 {
                return Err(Problem::invalid(format!("it is of version {}, and 1 is known", part.version))
                    .of(&source)
                    .into());
            }
            sum = sum.with(part);
        }
        Ok(sum)
    }

    /// The policies that are asked, and the recorded facts.
    fn load(&self) -> Result<(PolicyBundle, Vec<Source>), Problems> {
        let mut problems = Problems::new();
        let folder = self.bundle.folder();
        if self.against.is_none() {
            self.bundle.check()?;
        }
        let (sources, invariants) = match &self.against {
            Some(revision) => {
                let read = |nested| project::read_revision(revision, folder, nested).coded(Code::RevisionUnreadable);
                let all = read(Nested::Read)?;
                let found = if reading::is_plain(&all.bundle, false) { all } else { read(Nested::Refused)? };
                (found.bundle, found.invariants)
            }
            None => reading::sources(folder, self.bundle.config_path().as_deref(), false, &mut problems),
        };
        let subject = reading::subject(&sources, &invariants, false, &mut problems);
        let default = PathBuf::from("entities");
        let entities = self.entities.as_ref().or(Some(&default).filter(|folder| files::is_there(folder)));
        let facts = match entities {
            Some(folder) => problems.absorb(project::read_entities(folder)).map(|facts| facts.sources),
            None => Some(Vec::new()),
        };
        match (subject, facts) {
            (Some(subject), Some(facts)) => problems.or((subject.bundle, facts)),
            _ => Err(problems.coded(Code::BundleInvalid)),
        }
    }
}
