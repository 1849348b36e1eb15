//! Signatures of evidence: made by whoever observed, checked under the trust root by whoever reads.

use crate::cli::shared::format::TableJsonOrMarkdown;
use crate::cli::shared::output::OutputArguments;
use crate::cli::shared::signing;
use crate::cli::shared::trust::TrustArguments;
use crate::evidence::SignedBy;
use crate::files::{self, Output};
use crate::problem::{Code, Coded as _, Problem, Problems, Source};
use crate::signature::EVIDENCE;
use crate::time::Timestamp;
use crate::trust::{SignatureFile, judge_evidence};
use clap::Args;
use std::path::{Path, PathBuf};

/// The key of somebody who vouches for what was observed.
#[derive(Args, Debug)]
pub struct SignArguments {
    /// Sign the result (of `--format json --output FILE`) into `FILE.sig`: a private key, or a public key whose private
    /// half an agent holds
    #[arg(long, value_name = "KEY")]
    sign: Option<PathBuf>,
}

/// A key, and where its signature will go.
#[derive(Debug)]
pub struct Seal<'a> {
    key: &'a Path,
    path: PathBuf,
}

impl SignArguments {
    /// Whether there is one.
    pub fn is_given(&self) -> bool {
        self.sign.is_some()
    }

    /// Where the signature of the result goes; said before anything is observed.
    pub fn seal(&self, output: &OutputArguments, format: TableJsonOrMarkdown) -> Result<Option<Seal<'_>>, Problem> {
        let Some(key) = &self.sign else { return Ok(None) };
        match output.file() {
            Some(file) if format == TableJsonOrMarkdown::Json => {
                files::check(file)?;
                Seal::new(key, file).map(Some)
            }
            _ => Err(Problem::invalid("`--sign` has no file to sign").help("add `--format json --output FILE`")),
        }
    }
}

impl<'a> Seal<'a> {
    /// The signature by this key of a file that is yet to come; a key that cannot sign is said now.
    pub fn new(key: &'a Path, file: &Path) -> Result<Self, Problem> {
        let path = SignatureFile::path_beside(file)?;
        files::check_free(&path)?;
        signing::check_key(key)?;
        Ok(Self { key, path })
    }

    /// Signs exactly these bytes.
    pub fn sign(&self, bytes: &[u8]) -> Result<(), Problem> {
        signing::make_file(&self.path, self.key, EVIDENCE, bytes).map(drop)
    }

    /// Signs a result, and writes it and its signature together.
    pub fn store(&self, file: &Path, text: &str) -> Result<(), Problem> {
        signing::write_signed(Output::replacing(file, text), self.key, EVIDENCE)
    }
}

/// Reads evidence, and says who vouches for it; a signature that does not verify is a problem, none is not.
pub fn read(path: &Path, trust: &TrustArguments, now: Timestamp) -> Result<(Source, Option<SignedBy>), Problems> {
    let source = files::read(path)?;
    let signature = SignatureFile::beside(path)?;
    if signature.bytes().is_none() {
        return Ok((source, None));
    }
    let signer = judge_evidence(&trust.load()?, source.text().as_bytes(), &signature, &trust.revocations()?, now)
        .coded(Code::EvidenceUntrusted)?;
    let signer = signer.map(|by| SignedBy {
        name: by.signer.principal,
        key: by.signer.key.to_string(),
        entity: by.entity.map(|entity| entity.to_string()),
    });
    Ok((source, signer))
}
