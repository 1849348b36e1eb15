//! Signatures of evidence: made by whoever observed, checked under the trust root by whoever reads.

use crate::cli::common::OutputArguments;
use crate::cli::format::TableJsonOrMarkdown;
use crate::cli::trust::TrustArguments;
use crate::evidence::Voucher;
use crate::files;
use crate::problem::{Problem, Problems, Source};
use crate::signature::EVIDENCE;
use crate::signature::sign::{Prompts, SSH_KEYGEN, Signing, sign};
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
    /// Where the signature of the result goes; said before anything is observed.
    pub fn seal(&self, output: &OutputArguments, format: TableJsonOrMarkdown) -> Result<Option<Seal<'_>>, Problem> {
        let Some(key) = &self.sign else { return Ok(None) };
        match output.file() {
            Some(file) if format == TableJsonOrMarkdown::Json => Seal::new(key, file).map(Some),
            _ => Err(Problem::invalid("`--sign` has no file to sign").help("add `--format json --output FILE`")),
        }
    }
}

impl<'a> Seal<'a> {
    /// The signature by this key of a file that is yet to come.
    pub fn new(key: &'a Path, file: &Path) -> Result<Self, Problem> {
        let path = SignatureFile::path_beside(file)?;
        if path.symlink_metadata().is_ok() {
            return Err(Problem::failure(format!("the signature `{}` exists already", path.display()))
                .help("move it away if it is not wanted; cutter never overwrites a signature"));
        }
        Ok(Self { key, path })
    }

    /// Signs exactly these bytes.
    pub fn sign(&self, bytes: &[u8]) -> Result<(), Problem> {
        let signing = Signing {
            program: Path::new(SSH_KEYGEN),
            key: self.key,
            namespace: EVIDENCE,
            output: &self.path,
            prompts: Prompts::Person,
        };
        sign(&signing, bytes).map(|_| ())
    }
}

/// Reads evidence, and says who vouches for it; a signature that does not verify is a problem, none is not.
pub fn read(path: &Path, trust: &TrustArguments, now: Timestamp) -> Result<(Source, Option<Voucher>), Problems> {
    let source = files::read(path)?;
    let signature = SignatureFile::beside(path)?;
    if signature.bytes().is_none() {
        return Ok((source, None));
    }
    let signer = judge_evidence(&trust.load()?, source.text().as_bytes(), &signature, &trust.revocations()?, now)?;
    let voucher = signer.map(|by| Voucher {
        name: by.signer.principal,
        key: by.signer.key.to_string(),
        entity: by.entity.map(|entity| entity.to_string()),
    });
    Ok((source, voucher))
}
