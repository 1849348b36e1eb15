//! The plan: what one run intends to do, row by row; parsed once against the schema, and then known to be well-formed.

mod asked;
mod effect;
mod order;
mod places;
mod reading;
mod record;
mod row;
mod work;

use crate::digest::Digest;
use crate::json::{self, ObjectReader};
use crate::problem::{Code, Coded as _, Problem, Problems, Source, nearest};
use cedar_policy::{Context, EntityUid, RestrictedExpression};
use jsonc_parser::ast::Value;
pub use places::Places;
pub use record::WorkRecord;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::Range;
pub use work::{FlagPlace, FlagTask, Program, ProgramPin, SqlArgument, SqlTask, Task, Work};

/// What one run intends to do.
#[derive(Clone, Debug)]
pub struct RunPlan {
    /// The plan's name.
    pub name: String,
    /// The task it belongs to.
    pub macro_name: Option<String>,
    /// The run's id; a run starts once.
    pub run: String,
    /// Whether effects may be reached at all.
    pub mode: Mode,
    /// Who wrote it.
    pub author: EntityUid,
    /// What it is aimed at.
    pub target: Target,
    /// Free text that reports echo and no policy reads.
    pub labels: BTreeMap<String, String>,
    /// The rows, in the order of the file; at least one.
    pub actions: Vec<IntendedAction>,
    /// Sha-256 over the exact bytes of the file.
    pub digest: Digest,
    /// The file.
    pub source: Source,
}

/// Whether effects may be reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// They may, if everything else allows it.
    Live,
    /// They may not, whatever else says.
    DryRun,
}

impl Mode {
    /// The mode as plans and policies write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::DryRun => "dry_run",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a plan is aimed at: the fields that `Cutter::Target` of the bundle declares.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize)]
#[serde(transparent)]
pub struct Target(pub BTreeMap<String, String>);

impl Target {
    /// Reads the object of `target`, which messages call `what`.
    ///
    /// With the declared fields, any other is wrong.
    pub fn parse(
        value: &Value<'_>,
        declared: Option<&[(&str, bool)]>,
        source: &Source,
        what: &str,
        problems: &mut Problems,
    ) -> Self {
        let mut target = Self::default();
        let Some(mut reader) = ObjectReader::new(source, value, what, problems) else { return target };
        for (name, (text, at)) in reader.all_strings() {
            match declared.filter(|declared| declared.iter().all(|(known, _)| *known != name)) {
                None => drop(target.0.insert(name.to_owned(), text.to_owned())),
                Some(declared) => {
                    let names: Vec<&str> = declared.iter().map(|(name, _)| *name).collect();
                    let help = match nearest(name, names.iter().copied()) {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => format!("`Cutter::Target` of the bundle has {}", json::in_backticks(&names)),
                    };
                    let message = format!("{what} has an unknown field `{name}`");
                    reader.problem(message, at, Some(&help));
                }
            }
        }
        target
    }

    /// The field of this name; empty where it is not given.
    pub fn field(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// The record of the declared fields: those that must be there are empty where they are not given.
    pub fn record(&self, declared: &[(&str, bool)]) -> serde_json::Value {
        let given = |(name, required): &(&str, bool)| *required || self.0.contains_key(*name);
        declared.iter().filter(|field| given(field)).map(|(name, _)| (*name, self.field(name))).collect()
    }
}

/// One intended action; it becomes exactly one Cedar request.
#[derive(Clone, Debug)]
pub struct IntendedAction {
    /// Its name in the plan.
    pub id: String,
    /// Who would do it.
    pub principal: EntityUid,
    /// What would be done.
    pub action: EntityUid,
    /// To what.
    pub resource: EntityUid,
    /// Its own parameters, which conform to the schema; never `run`.
    pub parameters: BTreeMap<String, RestrictedExpression>,
    /// The rows that must come first, as indices into the plan's rows.
    pub after: Vec<usize>,
    /// Whether it runs on every way out, blocked by nothing.
    pub finally: bool,
    /// Exactly what it would run; a row without work is allowed nothing.
    pub work: Option<Work>,
    /// Free text that reports echo and no policy reads.
    pub labels: BTreeMap<String, String>,
    /// The bytes of the plan it stands in.
    pub span: Range<usize>,
}

impl RunPlan {
    /// The row of this name.
    pub fn action(&self, id: &str) -> Option<(usize, &IntendedAction)> {
        self.actions.iter().enumerate().find(|(_, action)| action.id == id)
    }

    /// The row of this name, which somebody asked for.
    pub fn named(&self, id: &str) -> Result<&IntendedAction, Problem> {
        let names = || self.actions.iter().map(|action| action.id.as_str());
        self.action(id).map(|(_, action)| action).ok_or_else(|| {
            let problem = Problem::invalid(format!("the plan has no action `{id}`")).of(&self.source);
            let problem = problem.coded(Code::PlanUnknownRow);
            match nearest(id, names()) {
                Some(meant) => problem.help(format!("did you mean `{meant}`?")),
                None => {
                    let shown = json::in_backticks(&names().take(MOST_NAMES).collect::<Vec<_>>());
                    problem.help(match self.actions.len().saturating_sub(MOST_NAMES) {
                        0 => format!("it has {shown}"),
                        more => format!("it has {shown} and {more} more"),
                    })
                }
            }
        })
    }

    /// The cluster that it is aimed at, by its system identifier; nothing where it names none.
    pub fn database(&self) -> Option<&str> {
        Some(self.target.field("database")).filter(|name| !name.is_empty())
    }

    /// Whether an effect of any row brings facts of the run about.
    pub fn produces(&self) -> bool {
        let produces = |row: &IntendedAction| row.work.as_ref().is_some_and(|work| !work.produces.is_empty());
        self.actions.iter().any(produces)
    }

    /// The author and every principal, each once.
    pub fn parties(&self) -> BTreeSet<&EntityUid> {
        std::iter::once(&self.author).chain(self.actions.iter().map(|action| &action.principal)).collect()
    }

    /// What the `finally` rows do: the parameters each is done with, by action and resource.
    pub fn finally_rows(&self) -> HashMap<(&EntityUid, &EntityUid), Vec<String>> {
        let mut rows: HashMap<(&EntityUid, &EntityUid), Vec<String>> = HashMap::new();
        for action in self.actions.iter().filter(|action| action.finally) {
            rows.entry((&action.action, &action.resource)).or_default().push(action.parameters_text());
        }
        rows
    }
}

impl IntendedAction {
    /// The exact command of the row's work; empty where that is no command.
    pub fn command(&self) -> &[String] {
        self.work.as_ref().map_or(&[], Work::argv)
    }

    /// The row's own parameters in Cedar's explicit JSON form.
    pub fn parameters_json(&self) -> serde_json::Value {
        let context = Context::from_pairs(self.parameters.clone()).ok();
        context.and_then(|context| context.to_json_value().ok()).unwrap_or_default()
    }

    /// The row's own parameters in a form that can be compared.
    pub fn parameters_text(&self) -> String {
        self.parameters_json().to_string()
    }
}

/// So many rows are named where none is like the one asked for.
const MOST_NAMES: usize = 20;

/// What a row with a command of its own is judged as.
pub const RUN_PROGRAM: &str = "Cutter::Action::\"run_program\"";

/// What `argv_sha256` of its context is: sha-256 over the arguments, each with a NUL behind it.
pub fn argv_digest(argv: &[String]) -> Digest {
    Digest::of((argv.join("\0") + "\0").as_bytes())
}
/// The type of what such a row touches; its entities need no facts, as they have neither attributes nor parents.
pub const PROGRAM: &str = crate::schema::PROGRAM;
