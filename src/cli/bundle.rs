//! `cutter bundle`: the signature of the policy bundle under the trust root.

use crate::cli::shared::clock::system_time;
use crate::cli::shared::exit::CommandResult;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::exit::no_json;
use crate::cli::shared::format::TableOrJson;
use crate::cli::shared::inputs::BundleArguments;
use crate::cli::shared::output::OutputArguments;
use crate::cli::shared::signing;
use crate::cli::shared::signing::warn_of_distrusted;
use crate::cli::shared::trust::TrustArguments;
use crate::layout::printable;
use crate::problem::{Code, Coded as _, Problems};
use crate::render;
use crate::signature::BUNDLE;
use crate::trust::{SignatureFile, judge_bundle};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    work: Work,
}

#[derive(Subcommand, Debug)]
enum Work {
    /// Sign the listing of the bundle and `cutter.toml` into `<policies folder>.sig`
    Sign(SignArguments),
    /// Check the signature of the bundle under the trust root
    Verify(VerifyArguments),
}

#[derive(Args, Debug)]
struct SignArguments {
    #[command(flatten)]
    bundle: BundleArguments,
    /// The private key, or a public key whose private half an agent holds
    #[arg(long, value_name = "KEY")]
    key: PathBuf,
    #[command(flatten)]
    trust: TrustArguments,
    /// Put the signature in the place of the one there
    #[arg(long)]
    replace: bool,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: TableOrJson,
}

#[derive(Args, Debug)]
struct VerifyArguments {
    #[command(flatten)]
    bundle: BundleArguments,
    #[command(flatten)]
    trust: TrustArguments,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: TableOrJson,
}

/// A signature that was made or accepted, version 1.
#[derive(Serialize)]
pub struct Signature {
    version: u32,
    /// What was signed: `bundle` or `plan`.
    signed: &'static str,
    /// The digest of the bytes that were signed.
    sha256: String,
    /// Where the signature lies.
    signature: String,
    /// The fingerprint of the key.
    key: String,
    /// The name of the signer; absent where nobody asked the trust root.
    #[serde(skip_serializing_if = "Option::is_none")]
    signer: Option<String>,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        match &self.work {
            Work::Sign(arguments) => arguments.run(output),
            Work::Verify(arguments) => arguments.run(),
        }
    }
}

impl SignArguments {
    fn run(&self, output: &OutputArguments) -> CommandResult {
        self.trust.check()?;
        // A bundle that does not load is not worth a signature.
        let (bundle, _) = self.bundle.load()?;
        let path = SignatureFile::path_beside(self.bundle.folder())?;
        let make = if self.replace { signing::replace_file } else { signing::make_file };
        let key = make(&path, &self.key, BUNDLE, bundle.listing().text().as_bytes())?;
        warn_of_distrusted(&self.trust, key, BUNDLE, output);
        Signature::new("bundle", bundle.digest().to_string(), &path, key.to_string(), None).show(self.format)
    }
}

impl VerifyArguments {
    fn run(&self) -> CommandResult {
        let mut problems = Problems::new();
        let loaded = problems.absorb(self.bundle.load());
        let signature = problems.absorb(SignatureFile::beside(self.bundle.folder()).map_err(Problems::from));
        let trust = problems.absorb(self.trust.load());
        let revocations = problems.absorb(self.trust.revocations());
        let (Some((bundle, _)), Some(signature), Some(trust), Some(revocations)) =
            (loaded, signature, trust, revocations)
        else {
            return Err(problems);
        };
        let signer = judge_bundle(&trust, bundle.listing(), &signature, &revocations, system_time()?)
            .coded(Code::BundleUntrusted)?;
        let (digest, key) = (bundle.digest().to_string(), signer.key.to_string());
        Signature::new("bundle", digest, signature.path(), key, Some(signer.principal)).show(self.format)
    }
}

impl Signature {
    /// The record of a signature over the bytes of this digest.
    pub fn new(signed: &'static str, sha256: String, path: &Path, key: String, signer: Option<String>) -> Self {
        Self { version: 1, signed, sha256, signature: path.display().to_string(), key, signer }
    }

    /// The record as a result.
    pub fn show(&self, format: TableOrJson) -> CommandResult {
        let text = match format {
            TableOrJson::Table => self.text(),
            TableOrJson::Json => render::json::document(self).map_err(no_json)?,
        };
        Ok((text, Exit::Authorized))
    }

    fn text(&self) -> String {
        let line = |name: &str, text: &str| format!("{name:<10} {}\n", printable(text));
        let signer = self.signer.as_ref().map(|name| line("signer", name)).unwrap_or_default();
        let signed = line(self.signed, &format!("sha256 {}", self.sha256));
        signed + &line("signature", &self.signature) + &signer + &line("key", &self.key)
    }
}
