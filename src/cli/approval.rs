//! `cutter approval`: request, sign, verify and list the documents that open gates for one plan.

use crate::approval::document::ApprovalDocument;
use crate::approval::request::{ApprovalRequest, request};
use crate::authorization::Authorization;
use crate::cli::shared::authority::AuthorityArguments;
use crate::cli::shared::clock::ClockArguments;
use crate::cli::shared::clock::system_time;
use crate::cli::shared::exit::CommandResult;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::exit::no_json;
use crate::cli::shared::format::TableOrJson;
use crate::cli::shared::inputs::InputArguments;
use crate::cli::shared::ledger::LoneLedgerArguments;
use crate::cli::shared::next::{Typed, word};
use crate::cli::shared::output::OutputArguments;
use crate::cli::shared::signing;
use crate::cli::shared::signing::{lodge, warn_of_stranger};
use crate::digest::Digest;
use crate::files::{self, Output};
use crate::layout::Style;
use crate::layout::printable;
use crate::problem::{Code, Coded as _, Problem, Problems, Source};
use crate::record::ApprovalRow;
use crate::render::approvals::{Judged, Requested};
use crate::request::Stage;
use crate::signature::{APPROVAL, AllowedSigners, Fingerprint, REJECT};
use crate::time::Timestamp;
use crate::{json, render};
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    of: Of,
}

#[derive(Subcommand, Debug)]
enum Of {
    /// Write the smallest set of unsigned documents that would lift the plan's approval-tier bans
    Request(RequestArguments),
    /// Sign one document as it stands, with an SSH key, an agent or a FIDO key
    Sign(SignArguments),
    /// Judge every document for a plan: 0 if every needed gate opens, else 5
    Verify(JudgeArguments),
    /// Show every document for a plan with its status and reject code
    List(JudgeArguments),
}

#[derive(Args, Debug)]
struct RequestArguments {
    #[command(flatten)]
    inputs: InputArguments,
    #[command(flatten)]
    clock: ClockArguments,
    #[command(flatten)]
    authority: AuthorityArguments,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: TableOrJson,
}

#[derive(Args, Debug)]
struct SignArguments {
    /// The document
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The SSH key: a private key, or a public key whose private half an agent holds
    #[arg(long, value_name = "KEY")]
    key: PathBuf,
    /// Sign a no
    #[arg(long)]
    reject: bool,
    /// The folder of the bundle, whose `allowed_signers` says whether the signature will count
    #[arg(long, value_name = "DIR", default_value = "policies")]
    policies: PathBuf,
    /// Name the signature `FILE.<NAME>.sig`, for documents that several people sign
    #[arg(long = "as", value_name = "NAME", value_parser = signature_name)]
    name: Option<String>,
    #[command(flatten)]
    ledger: LoneLedgerArguments,
}

#[derive(Args, Debug)]
struct JudgeArguments {
    #[command(flatten)]
    inputs: InputArguments,
    #[command(flatten)]
    clock: ClockArguments,
    #[command(flatten)]
    authority: AuthorityArguments,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: TableOrJson,
}

impl Arguments {
    /// Whether `--output` names a folder for documents, and the result goes to standard output.
    pub fn writes_folder(&self) -> bool {
        matches!(self.of, Of::Request(_))
    }

    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        match &self.of {
            Of::Request(arguments) => arguments.run(output),
            Of::Sign(arguments) => arguments.run(output),
            Of::Verify(arguments) => arguments.run(output, true),
            Of::List(arguments) => arguments.run(output, false),
        }
    }
}

impl RequestArguments {
    fn run(&self, output: &OutputArguments) -> CommandResult {
        let folder = output.folder("approvals");
        if files::is_stream(&folder) {
            let problem =
                Problem::failure(format!("`{}` is a stream, and several files are written", folder.display()));
            return Err(problem.help("name their folder with --output").coded(Code::OutputRefused).into());
        }
        files::check_folder(&folder)?;
        let inputs = self.inputs.load(self.clock.now, Some(&self.authority.ledger), output)?;
        let authorization = self.authority.authorize(&inputs, Stage::Plan)?;
        let ledger = self.authority.ledger.locate(&inputs.config)?;
        let Some(id) = ledger.store().id()? else {
            let problem = Problem::failure("there is no ledger that an approval could name");
            return Err(problem.help("make one with `cutter ledger init`").coded(Code::LedgerMissing).into());
        };
        let nonce =
            Digest::of(format!("{}{}{id}", authorization.moment().now, inputs.plan.digest).as_bytes()).to_string();
        let nonce = nonce.get(..12).unwrap_or(&nonce);
        let request =
            request(authorization.requests(), authorization.closed(), &id.to_string(), nonce, authorization.moment());
        let path = |gate: &str| folder.join(format!("{gate}.json"));
        let mut problems = Problems::new();
        for document in request.documents.iter().filter(|document| path(&document.gate).exists()) {
            problems.push(
                Problem::failure(format!("`{}` exists already", path(&document.gate).display()))
                    .help("name another folder with --output; a document that was signed is not overwritten")
                    .coded(Code::OutputExists),
            );
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut outputs = Vec::new();
        for document in &request.documents {
            let text = render::json::document(document).map_err(no_json)?;
            outputs.push(Output::new_file(path(&document.gate), text));
        }
        files::write_together(&outputs)?;
        match self.format {
            TableOrJson::Table => Ok((self.text(&request, &path, &authorization, output.style()), Exit::Authorized)),
            TableOrJson::Json => Ok((
                render::json::document(&serde_json::json!({
                    "version": 1, "documents": request.documents, "not_lifted": request.remaining,
                }))
                .map_err(no_json)?,
                Exit::Authorized,
            )),
        }
    }
}

impl RequestArguments {
    /// What was written, for people.
    fn text(
        &self,
        request: &ApprovalRequest,
        path: &dyn Fn(&str) -> PathBuf,
        authorization: &Authorization<'_>,
        style: Style,
    ) -> String {
        let file = |document: &ApprovalDocument| path(&document.gate).display().to_string();
        let written: Vec<_> = request.documents.iter().map(|document| (file(document), document)).collect();
        let sign = |(file, _): &(String, &ApprovalDocument)| format!("cutter approval sign {} --key KEY", word(file));
        let mut next: Vec<String> = written.iter().map(sign).collect();
        if !written.is_empty() {
            next.push(Typed { inputs: &self.inputs, authority: &self.authority }.command("approval verify", None));
        }
        let requested = Requested {
            written: &written,
            remaining: &request.remaining,
            plan: &authorization.requests().plan().name,
            now: &authorization.moment().now.to_string(),
        };
        render::approvals::requested(&requested, &next, style)
    }
}

impl SignArguments {
    fn run(&self, output: &OutputArguments) -> CommandResult {
        // The very bytes that are signed are read once and named, so that a person can compare them.
        let message = files::read(&self.file)?;
        let document = self.document(&message)?;
        let name = self.name.as_ref().map(|name| format!("{name}.")).unwrap_or_default();
        let mut signature = self.file.clone().into_os_string();
        signature.push(format!(".{name}sig"));
        let signature = PathBuf::from(signature);
        let namespace = if self.reject { REJECT } else { APPROVAL };
        let key = signing::make_file(&signature, &self.key, namespace, message.text().as_bytes())?;
        self.warn(&document, key, namespace, output);
        let ledger = self.ledger.locate();
        let kept = match ledger.and_then(|named| lodge(&named, &document.ledger, &message, &signature, &self.policies))
        {
            Ok(number) => format!("record {number} of the ledger"),
            Err(problems) => {
                let what = "the ledger does not have this vote, and it counts only beside the document";
                output.warn(
                    &Problem::failure(what)
                        .help("sign where the ledger can be reached, or name it with `--ledger`")
                        .into(),
                );
                output.warn(&problems);
                "only beside the document".to_owned()
            }
        };
        let digest = Digest::of(message.text().as_bytes());
        let shown = |path: &Path| printable(&path.display().to_string());
        let text = format!(
            "signed     {} in {namespace}\nsha256     {digest}\nkey        {}\nsignature  {}\nkept       {kept}\n",
            shown(&self.file),
            printable(&key.to_string()),
            shown(&signature)
        );
        Ok((text, Exit::Authorized))
    }

    /// The document, if it is one and filled in: nobody can fill in what is signed.
    fn document(&self, source: &Source) -> Result<ApprovalDocument, Problems> {
        let document = ApprovalDocument::parse(source).map_err(|problems| match json::parse(source) {
            // Each field that another kind of document lacks would only hide that it is one.
            Ok(value) if json::member(&value, "gate").is_none() => {
                let help = match json::member(&value, "actions") {
                    Some(_) => "a plan is signed by `cutter plan sign`",
                    None => "`cutter approval request PLAN` writes approvals",
                };
                let message = format!("`{}` is no approval: it names no `gate`", source.name());
                Problem::invalid(message).of(source).help(help).into()
            }
            _ => problems,
        })?;
        let mut unfilled = document.unfilled();
        if document.allowance.trim().is_empty() {
            unfilled.insert(0, "`allowance` is empty".to_owned());
        }
        if unfilled.is_empty() {
            return Ok(document);
        }
        let message = format!("`{}` is not filled in: {}", source.name(), unfilled.join(", "));
        let help = "a person writes `\"allowance\": \"explicit\"` and the others, and then signs; nothing was signed";
        Err(Problem::invalid(message).of(source).help(help).into())
    }

    /// Says what would keep the signature from counting, as far as it can be seen from here.
    fn warn(&self, document: &ApprovalDocument, key: Fingerprint, namespace: &str, output: &OutputArguments) {
        let path = self.policies.join("allowed_signers");
        let signers = files::read(&path).and_then(|source| AllowedSigners::parse(&source));
        match signers {
            Ok(signers) => warn_of_stranger(&signers, key, namespace, output),
            Err(_) => {
                let message =
                    format!("whether the signature will count was not checked: `{}` cannot be read", path.display());
                output.warn(&Problem::failure(message).help("name the folder of the bundle with --policies").into());
            }
        }
        let end = Timestamp::parse(&document.expires_at);
        if end.zip(system_time().ok()).is_some_and(|(end, now)| end <= now) {
            let message = format!("`{}` expired {}", self.file.display(), document.expires_at);
            output.warn(&Problem::invalid(message).help("move it away and request again").into());
        }
    }
}

/// A name that leaves the signature beside its document.
fn signature_name(name: &str) -> Result<String, String> {
    let fits = |c: char| c.is_alphanumeric() || "-_.@+".contains(c);
    match name.chars().all(fits) && name.contains(char::is_alphanumeric) {
        true => Ok(name.to_owned()),
        false => Err("it becomes part of a file's name: write letters, digits and any of `-_.@+`".to_owned()),
    }
}

impl JudgeArguments {
    fn run(&self, output: &OutputArguments, verify: bool) -> CommandResult {
        let inputs = self.inputs.load(self.clock.now, Some(&self.authority.ledger), output)?;
        let authorization = self.authority.authorize(&inputs, Stage::Plan)?;
        let rows: Vec<ApprovalRow> = authorization.approvals().judged.iter().map(ApprovalRow::new).collect();
        let needed = crate::approval::judge::barred(authorization.requests(), authorization.closed());
        let open = needed.keys().filter(|gate| authorization.approvals().gates.contains(*gate)).count();
        let text = match self.format {
            TableOrJson::Table => {
                let typed = Typed { inputs: &self.inputs, authority: &self.authority };
                let next = if open < needed.len() { typed.after_judging(&rows, &authorization) } else { Vec::new() };
                let judged = Judged {
                    rows: &rows,
                    needed: needed.len(),
                    open,
                    plan: &inputs.plan.name,
                    now: &authorization.moment().now.to_string(),
                };
                render::approvals::table(&judged, &next, output.style())
            }
            TableOrJson::Json => {
                render::json::document(&serde_json::json!({ "version": 1, "approvals": rows })).map_err(no_json)?
            }
        };
        Ok((text, if verify && open < needed.len() { Exit::Ready } else { Exit::Authorized }))
    }
}
