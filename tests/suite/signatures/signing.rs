//! Signatures that cutter has `ssh-keygen` make.

use crate::signatures::bench::{Bench, KINDS, armor, read, signers, time};
use crate::signatures::forgery::{Forgery, MESSAGE, NAMESPACE};
use crate::support::waiting::wait_until;
use cutter::problem::Problem;
use cutter::signature::sign::{Prompts, SSH_KEYGEN, Signing, sign};
use cutter::signature::{Fingerprint, KeyKind, Revocations, verify};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn sign_with(bench: &Bench, program: &Path, key: &str) -> Result<Fingerprint, Problem> {
    let key = bench.path(key);
    let signing = Signing { program, key: &key, namespace: NAMESPACE, prompts: Prompts::Problem };
    let signed = sign(&signing, MESSAGE)?;
    std::fs::write(bench.path("sig"), signed.text).unwrap();
    Ok(signed.key)
}

#[test]
fn what_cutter_signs_is_accepted_by_cutter_and_by_ssh_keygen() {
    for (name, arguments) in KINDS {
        let bench = Bench::new();
        let list = format!("o9 namespaces=\"{NAMESPACE}\" {}\n", bench.key(name, arguments));
        bench.write("signers", &list);
        let fingerprint = sign_with(&bench, Path::new(SSH_KEYGEN), name).unwrap();
        let now = time("2026-05-21T08:15:00Z");
        let signature = read(&bench.path("sig"));
        let signer = verify(NAMESPACE, MESSAGE, &signature, &signers(&list), &Revocations::none(), now).unwrap();
        assert_eq!(signer.key, fingerprint);
        assert!(bench.accepts("o9", NAMESPACE, MESSAGE, now));
        let shown = bench.keygen(&["-l", "-f", name], b"");
        assert!(String::from_utf8(shown.stdout).unwrap().contains(&fingerprint.to_string()));
    }
}

#[test]
fn a_key_that_only_an_agent_holds_can_sign() {
    let bench = Bench::new();
    bench.key("k", &["ed25519"]);
    let socket = bench.path("agent");
    let mut agent = Command::new("ssh-agent").args(["-D", "-a"]).arg(&socket).stdout(Stdio::null()).spawn().unwrap();
    wait_until("the agent answers", || UnixStream::connect(&socket).is_ok());
    let added = Command::new("ssh-add").arg("-q").arg(bench.path("k")).env("SSH_AUTH_SOCK", &socket).status();
    std::fs::remove_file(bench.path("k")).unwrap();
    let program = script(&bench, &format!("SSH_AUTH_SOCK='{}' exec ssh-keygen \"$@\"", socket.display()));
    let signed = sign_with(&bench, &program, "k.pub");
    agent.kill().unwrap();
    agent.wait().unwrap();
    assert!(added.unwrap().success() && signed.is_ok(), "{signed:?}");
}

#[test]
fn a_key_that_cannot_be_used_is_said_and_leaves_no_file() {
    let bench = Bench::new();
    bench.key("rsa", &["rsa"]);
    let problem = sign_with(&bench, Path::new(SSH_KEYGEN), "rsa").unwrap_err();
    assert!(problem.message.contains("a key of type `ssh-rsa` may not sign"), "{}", problem.message);
    let problem = sign_with(&bench, Path::new(SSH_KEYGEN), "missing").unwrap_err();
    assert!(problem.message.contains("No such file"), "{}", problem.message);
    assert_eq!(std::fs::read_dir(bench.path("")).unwrap().count(), 2);
}

#[test]
fn a_signature_that_nobody_would_accept_is_not_stored() {
    let good = Forgery::good(KeyKind::SkEd25519);
    for (forgery, said) in [
        (Forgery { flags: 0, ..good.clone() }, "without anybody touching it"),
        (Forgery { namespace: "git", ..good.clone() }, "signed for `git`"),
        (Forgery { hash: "sha512", ..good.clone() }, "is not over these bytes"),
    ] {
        let bench = Bench::new();
        bench.write("prepared", armor(&forgery.blob()));
        let program = script(&bench, &format!("cat > /dev/null; cat '{}'", bench.path("prepared").display()));
        let problem = sign_with(&bench, &program, "key").unwrap_err();
        assert!(problem.message.contains(said), "{}", problem.message);
        assert!(!bench.path("sig").exists());
    }
}

/// A program in place of `ssh-keygen`.
fn script(bench: &Bench, line: &str) -> PathBuf {
    let program = bench.write("program", format!("#!/bin/sh\n{line}\n"));
    assert!(Command::new("chmod").arg("+x").arg(&program).status().unwrap().success());
    program
}
