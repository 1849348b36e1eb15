//! A folder with real keys, and `ssh-keygen` as the oracle.

use base64ct::{Base64, Encoding as _};
use cutter::problem::Source;
use cutter::signature::{AllowedSigners, Revocations};
use cutter::time::Timestamp;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub struct Bench(tempfile::TempDir);

impl Bench {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    /// Runs `ssh-keygen` in the folder.
    pub fn keygen(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut child = Command::new("ssh-keygen")
            .args(arguments)
            .current_dir(self.0.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("these tests need `ssh-keygen`, on Debian from `openssh-client`");
        // It may refuse before it has read everything.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }

    /// Makes a key pair and gives the type and base64 of its public key.
    pub fn key(&self, name: &str, kind: &[&str]) -> String {
        let arguments = [&["-q", "-N", "", "-C", "a comment", "-f", name, "-t"], kind].concat();
        let output = self.keygen(&arguments, b"");
        assert!(output.status.success(), "{output:?}");
        let line = std::fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap();
        line.split(' ').take(2).collect::<Vec<_>>().join(" ")
    }

    /// Signs as a person would, with `ssh-keygen` alone.
    pub fn sign(&self, key: &str, namespace: &str, message: &[u8]) -> Vec<u8> {
        let output = self.keygen(&["-Y", "sign", "-n", namespace, "-f", key], message);
        assert!(output.status.success(), "{output:?}");
        output.stdout
    }

    /// Whether `ssh-keygen` accepts a signature of this principal; the files `signers`, `sig` and `revoked` are in the
    /// folder.
    pub fn accepts(&self, principal: &str, namespace: &str, message: &[u8], at: Timestamp) -> bool {
        let time = format!("verify-time={}Z", at.to_string().replace(['-', ':', 'T', 'Z'], ""));
        let mut arguments = vec!["-Y", "verify", "-O", &time, "-f", "signers", "-s", "sig", "-n", namespace];
        arguments.extend(["-I", principal]);
        if self.path("revoked").exists() {
            arguments.extend(["-r", "revoked"]);
        }
        self.keygen(&arguments, message).status.success()
    }
}

pub const KINDS: [(&str, &[&str]); 2] = [("ed25519", &["ed25519"]), ("ecdsa", &["ecdsa", "-b", "256"])];

pub fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

pub fn signers(text: &str) -> AllowedSigners {
    AllowedSigners::parse(&Source::new("signers", text)).unwrap_or_else(|problems| panic!("{text}: {problems:?}"))
}

pub fn revocations(text: &str) -> Revocations {
    Revocations::parse(&Source::new("revoked", text)).unwrap()
}

/// An SSH wire string.
pub fn string(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

pub fn armor(blob: &[u8]) -> Vec<u8> {
    let text = Base64::encode_string(blob);
    let lines: Vec<&str> = text.as_bytes().chunks(70).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n", lines.join("\n")).into_bytes()
}

pub fn dearmor(armored: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(armored).unwrap();
    let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    Base64::decode_vec(&body).unwrap()
}

/// Writes a signature file and gives its content back.
pub fn saved(bench: &Bench, armored: Vec<u8>) -> Vec<u8> {
    bench.write("sig", &armored);
    armored
}

pub fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}
