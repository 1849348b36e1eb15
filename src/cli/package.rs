//! `cutter package`: everything that people must do before and during a run, ready to follow; nothing of it is done.

use super::evidence::{grants, targets};
use super::shared::authority::AuthorityArguments;
use super::shared::exit::{CommandResult, Exit, no_json};
use super::shared::format::TableOrJson;
use super::shared::inputs::InputArguments;
use super::shared::next::{Typed, word};
use super::shared::output::OutputArguments;
use super::shared::preview::PreviewArguments;
use crate::approval::document::ApprovalDocument;
use crate::approval::request::request;
use crate::authorization::{Authorization, Inputs};
use crate::explain;
use crate::files::{self, Output};
use crate::layout::{Style, printable};
use crate::problem::{Problem, Problems};
use crate::record::Decisions;
use crate::render;
use crate::render::package::{Package, Part, Step, readme};
use crate::settings::gaps::GapStep;
use crate::settings::grants::GrantsSettings;
use crate::trust::SignatureFile;
use clap::Args;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    preview: PreviewArguments,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: TableOrJson,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        let folder = output.folder("package")?;
        let inputs = self.preview.load(output)?;
        let authorization = self.preview.authorize(&inputs)?;
        let maker = Maker { inputs: &self.preview.inputs, authority: &self.preview.authority, read: &inputs };
        let package = maker.write(&authorization, &folder)?;
        let text = match self.format {
            TableOrJson::Table => {
                let steps: usize = package.parts.iter().map(|part| part.steps.len()).sum();
                format!(
                    "package  {}  {} parts, {steps} steps\nnext     follow {}\n",
                    package.verdict,
                    package.parts.len(),
                    folder.join("README.md").display()
                )
            }
            TableOrJson::Json => render::json::document(&package).map_err(no_json)?,
        };
        Ok((text, Exit::Authorized))
    }
}

/// What a package is made of.
pub struct Maker<'a> {
    pub inputs: &'a InputArguments,
    pub authority: &'a AuthorityArguments,
    pub read: &'a Inputs,
}

impl Maker<'_> {
    /// Writes the package into a folder: its page, its steps as data, the documents and their pages, the audits.
    pub fn write(&self, authorization: &Authorization<'_>, folder: &Path) -> Result<Package, Problems> {
        let decisions = authorization.document()?;
        // Quoting would show another sign in the place of one that nobody sees.
        let typed = [self.inputs.flags(), self.authority.flags()].concat();
        let paths = [self.inputs.plan.as_path(), folder].map(|path| path.to_string_lossy().into_owned());
        typed.iter().chain(&paths).try_for_each(|text| plain(text))?;
        let folder = std::path::absolute(folder).map_err(|error| {
            Problem::failure(format!("`{}` cannot be found: {}", folder.display(), files::cause(&error)))
        })?;
        let (documents, is_asked) = self.documents(authorization)?;
        let mut outputs = Vec::new();
        for document in &documents {
            let text = render::json::document(document).map_err(no_json)?;
            let path = folder.join("approvals").join(format!("{}.json", document.gate));
            let source = files::text(Path::new(&document.gate), text.clone().into_bytes())?;
            let page = render::approval_page::page(document, &source, Style { width: 120, color: false });
            outputs.push(Output::replacing(path.with_extension("txt"), page));
            outputs.push(Output::new_file(path, text));
        }
        let here = std::env::current_dir().map_err(|error| {
            Problem::failure(format!("the folder one is in is not known: {}", files::cause(&error)))
        })?;
        let mut parts = self.gaps(&decisions, &folder)?;
        parts.extend(self.rights(&folder));
        parts.push(self.signatures()?);
        parts.extend(self.run(authorization, &documents, is_asked, &folder));
        let package = Package {
            version: 1,
            time: authorization.moment().now.to_string(),
            plan: self.read.plan.name.clone(),
            run: self.read.plan.run.clone(),
            plan_sha256: self.read.plan.digest,
            policies_sha256: self.read.bundle.digest(),
            facts_sha256: self.read.facts.digest(),
            verdict: decisions.verdict.name().to_owned(),
            folder: word(&here.to_string_lossy()),
            parts,
        };
        package.unprintable().map_or(Ok(()), plain)?;
        outputs
            .push(Output::replacing(folder.join("first-run.json"), render::json::document(&package).map_err(no_json)?));
        outputs.push(Output::replacing(folder.join("README.md"), readme(&package)));
        self.audits(&folder)?;
        files::write_together(&outputs)?;
        Ok(package)
    }

    /// The unsigned documents of gates that nothing opens yet, and whether there is a ledger that they could name.
    fn documents(&self, authorization: &Authorization<'_>) -> Result<(Vec<ApprovalDocument>, bool), Problems> {
        let ledger = self.authority.ledger.locate(&self.read.config)?;
        let id = ledger.store().id()?.map(|id| id.to_string());
        let name = id.as_deref().unwrap_or_default();
        let request = request(authorization.requests(), authorization.closed(), name, authorization.moment());
        let is_missing = |document: &ApprovalDocument| !authorization.approvals().gates.contains(&document.gate);
        Ok((request.documents.into_iter().filter(is_missing).collect(), id.is_some()))
    }

    /// One part for each open gap: what its bans advise, and the steps that the configuration has for it.
    fn gaps(&self, decisions: &Decisions, folder: &Path) -> Result<Vec<Part>, Problems> {
        let advice = explain::closing(&self.read.bundle, decisions);
        let mut parts = Vec::new();
        for gap in &decisions.open_gaps {
            let rows: Vec<&str> =
                decisions.decisions.iter().filter(|row| row.gaps.contains(gap)).map(|row| row.id.as_str()).collect();
            let mut says = vec![format!("It bars {}.", rows.join(", "))];
            says.extend(advice.get(gap).into_iter().flatten().cloned());
            let steps = self.read.config.gaps.get(gap).map(|gap| gap.steps.as_slice()).unwrap_or_default();
            let steps = steps.iter().map(|step| self.step(gap, step, folder)).collect::<Result<_, Problem>>()?;
            parts.push(Part { title: format!("Close the gap {gap}"), says, steps });
        }
        Ok(parts)
    }

    /// A step of the configuration, its command filled in and quoted.
    fn step(&self, gap: &str, step: &GapStep, folder: &Path) -> Result<Step, Problem> {
        let mut words = Vec::new();
        for text in &step.run {
            words.push(if is_variable(text) { format!("\"{text}\"") } else { word(&self.filled(gap, text, folder)?) });
        }
        let command = (!words.is_empty()).then(|| words.join(" "));
        let (who, does) = (self.filled(gap, &step.who, folder)?, self.filled(gap, &step.does, folder)?);
        Ok(Step { who, does, command, exits: step.exits.clone() })
    }

    fn filled(&self, gap: &str, text: &str, folder: &Path) -> Result<String, Problem> {
        let plan = &self.read.plan;
        let mut filled = text.to_owned();
        while let Some((start, name, end)) = hole(&filled) {
            let value = match name.strip_prefix("target.") {
                Some(field) => plan.target.0.get(field).cloned(),
                None if name == "plan" => Some(self.inputs.plan.to_string_lossy().into_owned()),
                None if name == "run" => Some(plan.run.clone()),
                None if name == "package" => Some(folder.display().to_string()),
                None => None,
            };
            let Some(value) = value.filter(|value| hole(value).is_none()) else {
                let message = format!("a step of [gaps.{gap}] in cutter.toml has `{{{name}}}`, which nothing fills");
                return Err(
                    Problem::invalid(message).help("there are `{plan}`, `{run}`, `{package}` and `{target.NAME}`")
                );
            };
            filled =
                format!("{}{value}{}", filled.get(..start).unwrap_or_default(), filled.get(end..).unwrap_or_default());
        }
        plain(&filled)?;
        Ok(filled)
    }

    /// How the rights are compared; the package of grants and its inverse are made where the database can be asked.
    fn rights(&self, folder: &Path) -> Option<Part> {
        if self.read.config.grants == GrantsSettings::default() {
            return None;
        }
        let named = self.inputs.bundle.config_path().filter(|path| path.as_os_str() != "cutter.toml");
        let of_config = named.map(|path| format!(" --config {}", word(&path.to_string_lossy()))).unwrap_or_default();
        let command = format!("cutter evidence grants{of_config} --package {}", word(&folder.display().to_string()));
        let says = "At 4 they differ: `grants.sql` here makes them equal, `grants-inverse.sql` takes that back. Whoever may grant applies \
                    it, by an approval of its own.";
        let does = "compares the rights with the expected ones, and rewrites both files".to_owned();
        let step = Step { who: "an operator".to_owned(), does, command: Some(command), exits: vec![0, 4] };
        Some(Part { title: "Compare the rights".to_owned(), says: vec![says.to_owned()], steps: vec![step] })
    }

    /// The audits of targets and of rights, as files.
    fn audits(&self, folder: &Path) -> Result<(), Problems> {
        let config = &self.read.config;
        if !config.targets.criteria.is_empty() {
            targets::package(self.read, folder)?;
        }
        if config.grants != GrantsSettings::default() {
            // Where the database cannot be asked, its step says how it is.
            drop(grants::package(config, folder));
        }
        Ok(())
    }

    /// Signatures of bundle and plan under the trust root.
    fn signatures(&self) -> Result<Part, Problems> {
        let trust: Vec<String> = self.inputs.trust.flags();
        let bundle = self.inputs.bundle.flags();
        let with = |command: &str, own: &[String], more: &str| {
            let flags: String = bundle.iter().chain(own).map(|flag| format!(" {}", word(flag))).collect();
            format!("{command}{flags}{more}")
        };
        let plan = word(&self.inputs.plan.to_string_lossy());
        let mut steps = Vec::new();
        let mut step = |who: &str, does: &str, command: String| {
            let (who, does) = (who.to_owned(), does.to_owned());
            steps.push(Step { who, does, command: Some(command), exits: vec![0] });
        };
        if !files::is_there(&SignatureFile::path_beside(self.inputs.bundle.folder())?) {
            let command = with("cutter bundle sign", &[], " --key \"$REVIEWER_KEY\"");
            step("a reviewer", "signs the policies and the configuration, as they are by now", command);
        }
        if !files::is_there(&SignatureFile::path_beside(&self.inputs.plan)?) {
            let command = with(&format!("cutter plan sign {plan}"), &[], " --key \"$AUTHOR_KEY\"");
            step("the plan's author", "signs the plan", command);
        }
        let command = with(&format!("cutter plan verify {plan}"), &trust, "");
        step("whoever runs it", "checks all that a live run asks of the trust root", command);
        let says = vec!["A gap that was closed in the configuration made another bundle: sign that one.".to_owned()];
        Ok(Part { title: "Sign what is to run".to_owned(), says, steps })
    }

    /// The approvals and the run, pause by pause.
    fn run(
        &self,
        authorization: &Authorization<'_>,
        documents: &[ApprovalDocument],
        is_asked: bool,
        folder: &Path,
    ) -> Vec<Part> {
        let typed = Typed { inputs: self.inputs, authority: self.authority };
        let approvals = self.authority.folder();
        let path = |gate: &str| approvals.join(format!("{gate}.json"));
        let shown = |path: &PathBuf| word(&path.to_string_lossy());
        let step = |who: &str, does: String, command: String, exits: &[u8]| Step {
            who: who.to_owned(),
            does,
            command: Some(command),
            exits: exits.to_vec(),
        };
        let mut ask = Vec::new();
        if !is_asked {
            let flags: String = self.authority.ledger.flags().iter().map(|flag| format!(" {}", word(flag))).collect();
            ask.push(step(
                "the ledger's owner",
                "makes the ledger".to_owned(),
                format!("cutter ledger init{flags}"),
                &[0],
            ));
        }
        for document in documents.iter().filter(|document| is_asked && !path(&document.gate).exists()) {
            let from = folder.join("approvals").join(format!("{}.json", document.gate));
            if std::path::absolute(path(&document.gate)).is_ok_and(|to| to == from) {
                continue;
            }
            let does = format!(
                "writes the request for {} where `cutter` looks for it; `{}.txt` beside it is its page",
                document.gate, document.gate
            );
            ask.push(step(
                "whoever runs it",
                does,
                format!("install -D -m 0644 {} {}", shown(&from), shown(&path(&document.gate))),
                &[0],
            ));
        }
        if !documents.is_empty() {
            let command = format!("{} --output {} --renew", typed.command("approval request", None), shown(&approvals));
            let does = "has every request name the plan, the policies and the ledger as they are by now";
            ask.push(step("whoever runs it", does.to_owned(), command, &[0]));
        }
        let mut parts = Vec::new();
        if !ask.is_empty() {
            parts.push(Part { title: "Ask for the approvals".to_owned(), says: Vec::new(), steps: ask });
        }
        let facts = if self.inputs.measures() || self.read.config.facts.is_empty() { "" } else { " --facts postgres" };
        let stages = stages(authorization, documents);
        for (at, gates) in stages.iter().enumerate() {
            let is_last = at + 1 == stages.len();
            let mut steps = Vec::new();
            for gate in gates {
                let file = shown(&path(gate));
                let show = format!("cutter approval show {file}");
                steps.push(step("each approver", format!("reads what {gate} would allow"), show, &[0]));
                let sign = format!(
                    "cutter approval sign {file} --key \"$KEY\" --as \"$NAME\" --explicit --reason \"$REASON\""
                );
                let does = format!(
                    "signs {gate}, or with `--reject` in place of the last two words signs a rejection; a second one signs without them"
                );
                steps.push(step("an approver", does, sign, &[0]));
            }
            if !gates.is_empty() {
                let exits: &[u8] = if is_last { &[0] } else { &[5] };
                let verify = typed.command("approval verify", None);
                steps.push(step("whoever runs it", "has the documents judged".to_owned(), verify, exits));
            }
            let (more, does) = match (at, is_last) {
                (0, true) => ("", "does every row".to_owned()),
                (0, false) => ("", "does every row up to the first that needs another approval".to_owned()),
                (_, true) => (" --resume", "does the rest".to_owned()),
                (_, false) => (" --resume", "goes on to the next row that needs another approval".to_owned()),
            };
            let command = format!("{}{facts}{more}", typed.command("run", None));
            steps.push(step("whoever runs it", does, command, if is_last { &[0] } else { &[5] }));
            let title =
                if gates.is_empty() { "Run it".to_owned() } else { format!("Run it with {}", gates.join(", ")) };
            let says = match is_last {
                true => vec![
                    "At 9 a gap is open, at 10 the run is in HOLD: it names what comes next, and its switches are off."
                        .to_owned(),
                ],
                false => Vec::new(),
            };
            parts.push(Part { title, says, steps });
        }
        parts
    }
}

/// The gates by the pauses before which they must be open: those of the first row that needs any, then those of each later one.
fn stages<'a>(authorization: &Authorization<'_>, documents: &'a [ApprovalDocument]) -> Vec<Vec<&'a str>> {
    let mut given = BTreeSet::new();
    let mut stages = Vec::new();
    for action in authorization.requests().plan().actions.iter().filter(|action| !action.finally) {
        let of_row = documents.iter().filter(|document| document.rows.iter().any(|row| row.id == action.id));
        let new: Vec<&str> = of_row.map(|document| document.gate.as_str()).filter(|gate| given.insert(*gate)).collect();
        if !new.is_empty() {
            stages.push(new);
        }
    }
    if stages.is_empty() { vec![Vec::new()] } else { stages }
}

/// Refuses a text that would not be what it looks like.
fn plain(text: &str) -> Result<(), Problem> {
    match text.chars().any(char::is_control) || printable(text) != text {
        true => Err(Problem::invalid(format!("no package is made: {text:?} holds a control character"))
            .help("change it at its source")),
        false => Ok(()),
    }
}

/// A word that is a variable of the shell, and nothing else.
fn is_variable(text: &str) -> bool {
    text.strip_prefix('$').is_some_and(|name| {
        name.starts_with(|letter: char| letter.is_ascii_uppercase())
            && name.chars().all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_')
    })
}

/// The first `{name}` of a text: where it begins, the name, and where it is over.
fn hole(text: &str) -> Option<(usize, &str, usize)> {
    let start = text.find('{')?;
    let end = start + text.get(start..)?.find('}')?;
    Some((start, text.get(start + 1..end)?, end + 1))
}
