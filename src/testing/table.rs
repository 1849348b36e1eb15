//! Reading tables of cases: a clock, a plan or a request, named worlds, and one case a line of cells.

use super::evaluate::{PLAN_OF_REQUEST, ROW_OF_REQUEST};
use super::{Asked, Case, Expected, world};
use crate::problem::{Problem, Problems, Source, nearest};
use crate::request::Stage;
use crate::settings::read_toml;
use crate::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    now: Spanned<String>,
    plan: Option<String>,
    #[serde(default)]
    worlds: BTreeMap<String, BTreeMap<String, toml::Value>>,
    #[serde(default)]
    table: Vec<Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    says: Spanned<String>,
    plan: Option<String>,
    request: Option<toml::Table>,
    #[serde(default)]
    set: BTreeMap<String, toml::Value>,
    row: Option<toml::Value>,
    now: Option<toml::Value>,
    stage: Option<toml::Value>,
    world: Option<toml::Value>,
    gates: Option<toml::Value>,
    basis: Option<toml::Value>,
    decision: Option<toml::Value>,
    policies: Option<toml::Value>,
    only: Option<toml::Value>,
    needs: Option<toml::Value>,
    gaps: Option<toml::Value>,
    #[serde(default)]
    columns: Vec<Spanned<String>>,
    #[serde(default)]
    cells: Vec<Spanned<Vec<toml::Value>>>,
}

/// Every case of a file; all that is wrong is reported together.
pub(super) fn read(source: &Source) -> Result<Vec<Case>, Problems> {
    let file: File = read_toml(source)?;
    let mut problems = Problems::new();
    let Some(now) = Timestamp::parse(file.now.get_ref()) else {
        let problem = Problem::invalid("`now` is not a valid time").at(source, file.now.span());
        return Err(problem.help("write it as RFC 3339 does, with an offset: 2026-05-21T08:15:00Z").into());
    };
    if file.table.is_empty() {
        problems.push(Problem::invalid(format!("`{}` has no `[[table]]`", source.name())).of(source));
    }
    let mut cases = Vec::new();
    for table in &file.table {
        let is_earlier = |at: usize, column: &Spanned<String>| {
            table.columns.iter().take(at).any(|earlier| earlier.get_ref() == column.get_ref())
        };
        if let Some((_, twice)) = table.columns.iter().enumerate().find(|(at, column)| is_earlier(*at, column)) {
            let problem = Problem::invalid(format!("there are two columns `{}`", twice.get_ref()));
            problems.push(problem.at(source, twice.span()).help("take one of them out"));
            continue;
        }
        let draft = Draft { source, file: &file, table };
        if table.columns.is_empty() && table.cells.is_empty() {
            cases.extend(problems.absorb(draft.case(now, &[], table.says.span(), table.says.get_ref().clone())));
        }
        for cells in &table.cells {
            let values = cells.get_ref();
            if values.len() != table.columns.len() {
                let what = format!("{} cells are below {} columns", values.len(), table.columns.len());
                problems.push(Problem::invalid(what).at(source, cells.span()));
                continue;
            }
            let pairs: Vec<(&str, &toml::Value)> =
                table.columns.iter().map(|column| column.get_ref().as_str()).zip(values).collect();
            let told: Vec<String> =
                pairs.iter().filter(|(name, _)| !RESULTS.contains(name)).map(|(_, value)| plain(value)).collect();
            let name = match told.is_empty() {
                true => table.says.get_ref().clone(),
                false => format!("{} [{}]", table.says.get_ref(), told.join(", ")),
            };
            cases.extend(problems.absorb(draft.case(now, &pairs, cells.span(), name)));
        }
    }
    problems.or(cases)
}

struct Draft<'a> {
    source: &'a Source,
    file: &'a File,
    table: &'a Table,
}

impl Draft<'_> {
    /// The case of one line of cells.
    fn case(
        &self,
        now: Timestamp,
        cells: &[(&str, &toml::Value)],
        at: Range<usize>,
        name: String,
    ) -> Result<Case, Problems> {
        let Self { source, file, table } = *self;
        let mut problems = Problems::new();
        let mut say = |message: String| problems.push(Problem::invalid(message).at(source, at.clone()));
        let mut case = Case {
            name,
            source: source.clone(),
            at: at.clone(),
            plan: table.plan.clone().or_else(|| file.plan.clone()),
            asked: Asked::Plan,
            replaced: Vec::new(),
            patches: Vec::new(),
            of_world: 0,
            now,
            stage: Stage::Plan,
            gates: BTreeSet::new(),
            expected: Expected::default(),
        };
        let own = [
            ("row", &table.row),
            ("now", &table.now),
            ("stage", &table.stage),
            ("world", &table.world),
            ("gates", &table.gates),
            ("basis", &table.basis),
            ("decision", &table.decision),
            ("policies", &table.policies),
            ("only", &table.only),
            ("needs", &table.needs),
            ("gaps", &table.gaps),
        ];
        let own = own.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        let mut fields: BTreeMap<&str, &toml::Value> = own.collect();
        for (name, value) in cells {
            if fields.insert(name, value).is_some() || table.set.contains_key(*name) {
                say(format!("`{name}` is said by the table and by a column of it; take one of them out"));
            }
        }
        // The world lies below what single cases set, whatever the order of the columns.
        if let Some(value) = fields.remove("world") {
            match value.as_str().map(|name| (name, file.worlds.get(name))) {
                Some((_, Some(world))) => {
                    case.patches.extend(world.iter().filter_map(|(path, value)| self.patch(path, value, &mut say)));
                    case.of_world = case.patches.len();
                }
                Some((name, None)) => {
                    let meant = nearest(name, file.worlds.keys().map(String::as_str));
                    let hint = meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
                    say(format!("there is no world `{name}`{hint}"));
                }
                None => say("`world` is the name of one of `[worlds]`".to_owned()),
            }
        }
        for (path, value) in &table.set {
            case.patches.extend(self.patch(path, value, &mut say));
        }
        for (name, value) in fields {
            if let Err(message) = apply(&mut case, name, value) {
                say(message);
            } else if is_fact(name) {
                case.patches.extend(self.patch(name, value, &mut say));
            }
        }
        if let Some(request) = &table.request {
            let known: Vec<&str> = ROW_OF_REQUEST.iter().chain(&PLAN_OF_REQUEST).copied().collect();
            for name in request.keys().filter(|name| !known.contains(&name.as_str())) {
                let meant = nearest(name, known.iter().copied());
                let hint = meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
                say(format!("its `request` has an unknown field `{name}`{hint}"));
            }
            if !matches!(case.asked, Asked::Plan) {
                say("it asks a `row` of a plan and a `request` of its own; take one of them out".to_owned());
            }
            match json(&toml::Value::Table(request.clone())) {
                Ok(value) => case.asked = Asked::Request(value),
                Err(message) => say(message),
            }
        } else if matches!(case.asked, Asked::Plan) {
            say("it names neither a `row` of a plan nor a `request`".to_owned());
        } else if case.plan.is_none() {
            say("it names a `row` and no `plan`".to_owned());
        }
        if case.expected == Expected::default() {
            say("it expects nothing: give `basis`, `decision`, `policies`, `only`, `needs` or `gaps`".to_owned());
        }
        problems.or(case)
    }

    fn patch(&self, path: &str, value: &toml::Value, say: &mut dyn FnMut(String)) -> Option<(String, Value)> {
        match world::path(path).and_then(|_| json(value)) {
            Ok(value) => Some((path.to_owned(), value)),
            Err(message) => {
                say(message);
                None
            }
        }
    }
}

/// Puts one field into a case; facts are left to the caller.
fn apply(case: &mut Case, name: &str, value: &toml::Value) -> Result<(), String> {
    let text = || value.as_str().map(str::to_owned).ok_or_else(|| format!("`{name}` is a string"));
    let set = || {
        let names = value.as_array().map(|all| all.iter().map(|one| one.as_str().map(str::to_owned)).collect());
        names.flatten().ok_or_else(|| format!("`{name}` is an array of strings"))
    };
    let one_of = |known: &[&str]| {
        let text = text()?;
        match known.contains(&text.as_str()) {
            true => Ok(text),
            false => Err(format!("`{name}` is `{text}`; it may be {}", crate::json::in_backticks(known))),
        }
    };
    match name {
        "row" => case.asked = Asked::Row(text()?),
        "now" => {
            let text = text()?;
            let time = world::relative(&text, case.now).or_else(|| Timestamp::parse(&text));
            case.now = time.ok_or_else(|| format!("`{text}` is not a valid time"))?;
        }
        "stage" => case.stage = if one_of(&["plan", "use"])? == "use" { Stage::Use } else { Stage::Plan },
        "gates" => case.gates = set()?,
        "mode" | "principal" | "resource" => case.replaced.push((name.to_owned(), Value::from(text()?))),
        "basis" => case.expected.basis = Some(one_of(BASES)?),
        "decision" => case.expected.decision = Some(one_of(&["allow", "deny"])?),
        // Policies that are among those that decide: of none, nothing is expected.
        "policies" => case.expected.policies = Some(set()?).filter(|ids| !ids.is_empty()),
        "only" => case.expected.only = Some(set()?),
        "needs" => case.expected.needs = Some(set()?),
        "gaps" => case.expected.gaps = Some(set()?),
        _ if name.starts_with("context.") => case.replaced.push((name.to_owned(), json(value)?)),
        _ => {}
    }
    Ok(())
}

fn is_fact(name: &str) -> bool {
    !RESULTS.contains(&name)
        && !["row", "now", "stage", "gates", "mode", "principal", "resource"].contains(&name)
        && !name.starts_with("context.")
}

/// A value of TOML as Cedar's JSON takes it.
fn json(value: &toml::Value) -> Result<Value, String> {
    Ok(match value {
        toml::Value::String(text) => Value::from(text.clone()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Boolean(value) => Value::from(*value),
        toml::Value::Array(elements) => elements.iter().map(json).collect::<Result<_, _>>()?,
        toml::Value::Table(members) => {
            let members: Result<_, String> =
                members.iter().map(|(key, value)| Ok((key.clone(), json(value)?))).collect();
            Value::Object(members?)
        }
        toml::Value::Float(number) => {
            return Err(format!("Cedar has no number such as {number}; write a decimal as a string"));
        }
        toml::Value::Datetime(time) => return Err(format!("write the time {time} as a string, in quotes")),
    })
}

/// A cell as it tells one case from another.
fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The columns that say what must come of a case.
const RESULTS: [&str; 6] = ["basis", "decision", "policies", "only", "needs", "gaps"];
/// Every basis, as records write it.
const BASES: &[&str] = &[
    "permitted",
    "approved",
    "forbidden",
    "not_permitted",
    "approval_required",
    "precondition",
    "blocked_by",
    "no_work",
    "indeterminate",
];
