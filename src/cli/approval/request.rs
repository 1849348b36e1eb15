//! `cutter approval request`: the smallest set of unsigned documents, new or renewed after a change.

use crate::approval::document::ApprovalDocument;
use crate::approval::renewal::Renewal;
use crate::approval::request::{ApprovalRequest, request};
use crate::authorization::Authorization;
use crate::cli::shared::exit::{CommandResult, Exit, no_json};
use crate::cli::shared::format::TableOrJson;
use crate::cli::shared::next::word;
use crate::cli::shared::output::OutputArguments;
use crate::cli::shared::preview::PreviewArguments;
use crate::digest::Digest;
use crate::files::{self, Output};
use crate::layout::Style;
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::render;
use crate::render::approvals::Requested;
use clap::Args;
use serde_json::{Map, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    preview: PreviewArguments,
    /// Replace documents that were given for what has changed since, and say what that is; the old ones are kept beside them. Where one
    /// was used, a second is written for what still comes
    #[arg(long)]
    renew: bool,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: TableOrJson,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        let folder = output.folder("approvals")?;
        let inputs = self.preview.load(output)?;
        let authorization = self.preview.authorize(&inputs)?;
        let ledger = self.preview.authority.ledger.locate(&inputs.config)?;
        let Some(id) = ledger.store().id()? else {
            let problem = Problem::failure("there is no ledger that an approval could name");
            return Err(problem.help("make one with `cutter ledger init`").coded(Code::LedgerMissing).into());
        };
        let mut request =
            request(authorization.requests(), authorization.closed(), &id.to_string(), authorization.moment());
        let has_uses = |path: &Path| {
            let digest = files::read_bytes(path).map(|bytes| Digest::of(&bytes));
            digest.is_ok_and(|digest| authorization.journal().first_use(digest).is_some())
        };
        // A document that was used stays, for the report; the next one has a number.
        let place = |gate: &str| {
            let mut path = folder.join(format!("{gate}.json"));
            for number in 2.. {
                if !(self.renew && has_uses(&path)) {
                    break;
                }
                path = folder.join(format!("{gate}-{number}.json"));
            }
            path
        };
        let places: BTreeMap<String, PathBuf> =
            request.documents.iter().map(|document| (document.gate.clone(), place(&document.gate))).collect();
        let path = |gate: &str| places.get(gate).cloned().unwrap_or_else(|| folder.join(format!("{gate}.json")));
        let mut renewals = Vec::new();
        let mut problems = Problems::new();
        for document in request.documents.iter().filter(|document| path(&document.gate).exists()) {
            let path = path(&document.gate);
            if self.renew {
                renewals.extend(problems.absorb(files::read(&path)).map(|old| Renewal::of(&old, document)));
            } else {
                let help = "`--renew` replaces it where something changed, and keeps it beside the new one; `--output` names another folder";
                let message = format!("`{}` exists already", path.display());
                problems.push(Problem::failure(message).help(help).coded(Code::OutputExists));
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let same = |document: &ApprovalDocument| {
            renewals.iter().any(|old| old.gate == document.gate && old.changes.is_empty())
        };
        request.documents.retain(|document| !same(document));
        renewals.iter().filter(|old| !old.changes.is_empty()).try_for_each(|old| put_aside(&path(&old.gate)))?;
        let mut outputs = Vec::new();
        for document in &request.documents {
            let text = render::json::document(document).map_err(no_json)?;
            outputs.push(Output::new_file(path(&document.gate), text));
        }
        files::write_together(&outputs)?;
        match self.format {
            TableOrJson::Table => {
                Ok((self.text(&request, &renewals, &path, &authorization, output.style()), Exit::Authorized))
            }
            TableOrJson::Json => Ok((
                render::json::document(&json!({
                    "version": 1, "documents": request.documents, "not_lifted": request.remaining,
                    "changes": renewals.iter().map(|old| (old.gate.clone(), json!(old.changes))).collect::<Map<_, _>>(),
                }))
                .map_err(no_json)?,
                Exit::Authorized,
            )),
        }
    }
}

impl Arguments {
    /// What was written, for people.
    fn text(
        &self,
        request: &ApprovalRequest,
        renewals: &[Renewal],
        path: &dyn Fn(&str) -> PathBuf,
        authorization: &Authorization<'_>,
        style: Style,
    ) -> String {
        let file = |document: &ApprovalDocument| path(&document.gate).display().to_string();
        let written: Vec<_> = request.documents.iter().map(|document| (file(document), document)).collect();
        let sign = |(file, _): &(String, &ApprovalDocument)| format!("cutter approval sign {} --key KEY", word(file));
        let mut next: Vec<String> = written.iter().map(sign).collect();
        if !written.is_empty() || !renewals.is_empty() {
            next.push(self.preview.typed().command("approval verify", None));
        }
        let requested = Requested {
            written: &written,
            renewals,
            remaining: &request.remaining,
            plan: &authorization.requests().plan().name,
            now: &authorization.moment().now.to_string(),
        };
        render::approvals::requested(&requested, &next, style)
    }
}

/// Moves a document and its signatures to names that nothing reads: `X.json` to `X.json.<digits>.old`.
fn put_aside(path: &Path) -> Result<(), Problem> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mark = Digest::of(&files::read_bytes(path)?).to_string();
    let signatures = files::read_signatures(path).unwrap_or_default();
    // The document last: as long as it is there, its signatures are known to be its own.
    let names = signatures.into_iter().map(|(name, _)| folder.join(name));
    for from in names.chain([path.to_owned()]) {
        let mut to = from.clone().into_os_string();
        to.push(format!(".{}.old", mark.get(..12).unwrap_or(&mark)));
        std::fs::rename(&from, &to).map_err(|error| {
            let message = format!("`{}` cannot be put aside: {}", from.display(), files::cause(&error));
            Problem::failure(message).help("move it away yourself, and request again")
        })?;
    }
    Ok(())
}
