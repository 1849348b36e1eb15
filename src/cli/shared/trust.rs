//! `--trust`: the trust root that a command asks, and how the bundle stands under it.

use super::inputs::BundleArguments;
use crate::files;
use crate::policy::PolicyBundle;
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::record::BundleTrust;
use crate::signature::Revocations;
use crate::time::Timestamp;
use crate::trust::{self, SignatureFile, TrustRoot};
use clap::Args;
use std::path::{Path, PathBuf};

/// Where the trust root lies.
#[derive(Args, Debug)]
pub struct TrustArguments {
    /// Who may sign bundles, plans and evidence, and which user is which principal; only root may be able to write to it
    /// [default: /etc/cutter/trusted_signers]; `none` looks at none, not even the machine's
    #[arg(long, value_name = "FILE|none")]
    trust: Option<PathBuf>,
    /// More keys that lost the right to sign, beside those of `revoked_keys` in the folder of the trust root
    #[arg(long, value_name = "FILE")]
    revoked: Option<PathBuf>,
}

impl TrustArguments {
    /// The flags that were given.
    pub fn flags(&self) -> Vec<String> {
        let given = [("--trust", &self.trust), ("--revoked", &self.revoked)].into_iter();
        let given = given.filter_map(|(name, path)| Some([name.to_owned(), path.as_ref()?.to_string_lossy().into()]));
        given.flatten().collect()
    }

    /// Reads the trust root, which must be there.
    pub fn load(&self) -> Result<TrustRoot, Problems> {
        let path = self.path().ok_or_else(|| {
            Problem::untrusted("`--trust none`: nothing is trusted")
                .help("name the trust root, or leave `--trust` out for the machine's")
                .coded(Code::TrustRootUnsafe)
        })?;
        TrustRoot::read(path).coded(Code::TrustRootInvalid)
    }

    /// Reads the trust root by which something may run: where this machine has one, no other.
    pub fn load_for_use(&self) -> Result<TrustRoot, Problems> {
        let standing = Path::new(trust::DEFAULT_PATH);
        match self.path().filter(|path| *path != standing && files::is_there(standing)) {
            Some(path) => {
                let message = format!("`{}` is not the trust root of this machine", path.display());
                let help = format!("leave `--trust` out: what runs is judged by `{}`", standing.display());
                Err(Problem::untrusted(message).help(help).coded(Code::TrustRootUnsafe).into())
            }
            None => self.load(),
        }
    }

    /// Whether there is a trust root, or one was named.
    pub fn is_there(&self) -> bool {
        self.path().is_some_and(|path| self.trust.is_some() || files::is_there(path))
    }

    /// Refuses a trust root or a list of revoked keys that was named and is not there, also for commands that may do without.
    pub fn check(&self) -> Result<(), Problems> {
        if self.trust.is_some() && self.path().is_some_and(|path| !files::is_there(path)) {
            return self.load().map(drop);
        }
        self.revocations().map(drop)
    }

    /// How the bundle stands, for commands that only look: a signature that does not verify is said and stops nothing.
    pub fn look(
        &self,
        arguments: &BundleArguments,
        bundle: &PolicyBundle,
        revocations: &Revocations,
        now: Timestamp,
    ) -> (BundleTrust, Problems) {
        let signature = SignatureFile::beside(arguments.folder()).map_err(Problems::from);
        let unsigned = signature.as_ref().is_ok_and(|signature| signature.bytes().is_none());
        if unsigned {
            return (BundleTrust::Unsigned, Problems::new());
        }
        if !self.is_there() {
            return (BundleTrust::Unverified, Problems::new());
        }
        let judged = signature
            .and_then(|signature| trust::judge_bundle(&self.load()?, bundle.listing(), &signature, revocations, now));
        match judged {
            Ok(signer) => (BundleTrust::Signed { signer: signer.principal }, Problems::new()),
            Err(problems) => {
                let faults = problems.iter().map(|problem| problem.message.clone()).collect();
                (BundleTrust::Untrusted { faults }, problems)
            }
        }
    }

    /// Where root declares switches that may always be turned off, beside the trust root; nothing where there is no such file.
    pub fn switches(&self) -> Option<PathBuf> {
        let beside = self.path().map(|path| path.with_file_name(SWITCHES));
        beside.filter(|path| files::is_there(path))
    }

    /// The keys that lost the right to sign, here or by the trust root that was named: a command line can add to them, and never give a
    /// right back.
    pub fn revocations(&self) -> Result<Revocations, Problems> {
        let standing = self.path().map_or_else(|| Ok(Revocations::none()), trust::revoked)?;
        match &self.revoked {
            Some(path) => Ok(standing.joined(Revocations::parse(&files::read(path)?).coded(Code::TrustRootInvalid)?)),
            None => Ok(standing),
        }
    }

    /// Where the trust root lies; nothing where none is to be looked at.
    fn path(&self) -> Option<&Path> {
        match self.trust.as_deref() {
            Some(path) if path.as_os_str() == NONE => None,
            Some(path) => Some(path),
            None => Some(Path::new(trust::DEFAULT_PATH)),
        }
    }
}

const SWITCHES: &str = "switches.toml";

/// In place of a file: a file of this name is `./none`.
const NONE: &str = "none";
