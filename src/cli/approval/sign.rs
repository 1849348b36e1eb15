//! `cutter approval sign`: the page of a document, a question, and a signature over exactly its bytes.

use crate::approval::document::ApprovalDocument;
use crate::cli::shared::clock::system_time;
use crate::cli::shared::exit::{CommandResult, Exit, no_json};
use crate::cli::shared::inputs::BundleArguments;
use crate::cli::shared::ledger::LoneLedgerArguments;
use crate::cli::shared::output::OutputArguments;
use crate::cli::shared::signing::{self, lodge, warn_of_stranger};
use crate::digest::Digest;
use crate::files;
use crate::layout::printable;
use crate::problem::{Code, Coded as _, Problem, Problems, Source};
use crate::signature::{APPROVAL, AllowedSigners, Fingerprint, REJECT};
use crate::time::Timestamp;
use crate::{json, render};
use clap::Args;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
pub struct Arguments {
    /// The document
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The SSH key: a private key, or a public key whose private half an agent holds
    #[arg(long, value_name = "KEY")]
    key: PathBuf,
    /// Sign a rejection
    #[arg(long)]
    reject: bool,
    /// Write `"allowance": "explicit"` into the document first; a reason must be given with it
    #[arg(long, requires = "reason", conflicts_with = "reject")]
    explicit: bool,
    /// Write this reason into the document first
    #[arg(long, value_name = "TEXT", requires = "explicit")]
    reason: Option<String>,
    /// Sign without being asked
    #[arg(long)]
    yes: bool,
    /// The folder of the bundle, whose `allowed_signers` says whether the signature will count
    #[arg(long, value_name = "DIR", default_value = "policies")]
    policies: PathBuf,
    /// Name the signature `FILE.<NAME>.sig`, for documents that several people sign
    #[arg(long = "as", value_name = "NAME", value_parser = signature_name)]
    name: Option<String>,
    #[command(flatten)]
    ledger: LoneLedgerArguments,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        // The very bytes that are signed are read once and named, so that a person can compare them.
        let found = files::read(&self.file)?;
        let (message, document) = self.completed(found)?;
        signing::check_key(&self.key)?;
        let name = self.name.as_ref().map(|name| format!("{name}.")).unwrap_or_default();
        let mut signature = self.file.clone().into_os_string();
        signature.push(format!(".{name}sig"));
        let signature = PathBuf::from(signature);
        let namespace = if self.reject { REJECT } else { APPROVAL };
        if !self.yes {
            ask(&render::approval_page::page(&document, &message, output.style_of_terminal()), self.reject)?;
        }
        if self.explicit {
            files::write(&self.file, message.text())?;
        }
        let key = signing::make_file(&signature, &self.key, namespace, message.text().as_bytes())?;
        self.warn(&document, key, namespace, output);
        let kept = match self.lodge(&document, &message, &signature) {
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

    /// Keeps the vote in the ledger that the configuration names, where that is the one whose bundle the document is of: whoever wrote
    /// another would say where votes go, and be sent what this process knows.
    fn lodge(&self, document: &ApprovalDocument, message: &Source, signature: &Path) -> Result<u64, Problems> {
        let (bundle, config) = BundleArguments::new(&self.policies, self.ledger.config()).load()?;
        let (here, named) = (bundle.digest().to_string(), &document.policies_sha256);
        if here != *named {
            let message = format!("the bundle here, sha256 {here}, is not the one that the document names, {named}");
            let help = "no ledger was asked: sign where the policies and `cutter.toml` are those of the document";
            return Err(Problem::untrusted(message).help(help).into());
        }
        let ledger = self.ledger.named_by(&config.unwrap_or_default())?;
        lodge(&ledger, &document.ledger, message, signature, bundle.signers())
    }

    /// The document as it is to be signed: with allowance and reason where they were given here.
    fn completed(&self, found: Source) -> Result<(Source, ApprovalDocument), Problems> {
        let Some(reason) = self.reason.as_ref().filter(|_| self.explicit) else {
            let document = filled(&found)?;
            return Ok((found, document));
        };
        let mut document = document(&found)?;
        if (document.allowance.as_str(), &document.reason) == ("explicit", reason) {
            let document = filled(&found)?;
            return Ok((found, document));
        }
        let others = files::read_signatures(&self.file)?;
        if let Some((first, _)) = others.first() {
            let message = format!("`{}` was signed already (`{first}`), and a change would undo that", found.name());
            let help = "leave out `--explicit` and `--reason`: what was signed first is what you sign";
            return Err(Problem::invalid(message).of(&found).help(help).into());
        }
        document.allowance = "explicit".to_owned();
        document.reason.clone_from(reason);
        let text = render::json::document(&document).map_err(no_json)?;
        let message = Source::new(found.name(), text);
        let document = filled(&message)?;
        Ok((message, document))
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

/// The document, if it is one.
pub fn document(source: &Source) -> Result<ApprovalDocument, Problems> {
    ApprovalDocument::parse(source).map_err(|problems| match json::parse(source) {
        // Each field that another kind of document lacks would only hide that it is one.
        Ok(value) if json::member(&value, "gate").is_none() => {
            let help = match json::member(&value, "actions") {
                Some(_) => "a plan is signed by `cutter plan sign`",
                None => "`cutter approval request PLAN` writes approvals",
            };
            let message = format!("`{}` is not an approval: it names no `gate`", source.name());
            Problem::invalid(message).of(source).help(help).into()
        }
        _ => problems,
    })
}

/// The document, if it is filled in: nobody can fill in what is signed.
fn filled(source: &Source) -> Result<ApprovalDocument, Problems> {
    let document = document(source)?;
    let mut unfilled = document.unfilled();
    if document.allowance.trim().is_empty() {
        unfilled.insert(0, "`allowance` is empty".to_owned());
    }
    if unfilled.is_empty() {
        return Ok(document);
    }
    let message = format!("`{}` is not filled in: {}", source.name(), unfilled.join(", "));
    let help = "a person writes them, or signs with `--explicit --reason TEXT`; nothing was signed";
    Err(Problem::invalid(message).of(source).help(help).into())
}

/// Shows the page to whoever sits at the terminal, and asks; anything but a plain yes signs nothing.
fn ask(page: &str, reject: bool) -> Result<(), Problem> {
    let nobody = |_| {
        Problem::failure("nobody is here to be asked: there is no terminal")
            .help("`cutter approval show FILE` shows what would be signed; `--yes` signs without a question")
            .coded(Code::SigningFailed)
    };
    let terminal = std::fs::File::options().read(true).write(true).open("/dev/tty").map_err(nobody)?;
    let what = if reject { "Sign a rejection of this?" } else { "Sign this?" };
    (&terminal).write_all(format!("{page}{what} [yes/no] ").as_bytes()).map_err(nobody)?;
    let mut answer = String::new();
    BufReader::new(&terminal).read_line(&mut answer).map_err(nobody)?;
    match answer.trim() {
        "yes" => Ok(()),
        _ => Err(Problem::failure("nothing was signed: the answer was not `yes`").coded(Code::SigningFailed)),
    }
}
