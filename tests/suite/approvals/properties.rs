//! What holds for all approvals: no bit may differ, no time outside, and fewer approvals never allow more.

use crate::approvals::office::{Office, PLAN};
use base64ct::{Base64, Encoding as _, LineEnding};
use cutter::approval::ApprovalFile;
use cutter::approval::judge::{Authority, barred, judge};
use cutter::decision::decide;
use cutter::digest::Digest;
use cutter::facts::Facts;
use cutter::plan::RunPlan;
use cutter::policy::PolicyBundle;
use cutter::problem::Source;
use cutter::request::{Moment, Requests, Stage};
use cutter::signature::Revocations;
use cutter::time::Timestamp;
use cutter::{files, project};
use ed25519_dalek::Signer as _;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::OnceLock;

/// Inputs of an office with all approvals, parsed once; the folder of the office is gone by then.
struct Bench {
    bundle: PolicyBundle,
    facts: Facts,
    plan: RunPlan,
    files: Vec<ApprovalFile>,
    ledger: String,
}

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let office = Office::new();
        office.approve_o9();
        let path = |name: &str| office.world.path(name);
        let sources = project::read_bundle(&path("policies"), Some(&path("cutter.toml"))).unwrap();
        let bundle = PolicyBundle::parse(&sources).unwrap();
        let facts = Facts::admit(&project::read_entities(&path("entities")).unwrap(), &bundle).unwrap().into_measured();
        let config = cutter::settings::Config::parse(&files::read(&path("cutter.toml")).unwrap()).unwrap();
        let plan =
            RunPlan::parse(&files::read(&path(PLAN)).unwrap(), bundle.schema(), Some(&config), &|_| None).unwrap();
        let files = project::read_approvals(&path("approvals")).unwrap();
        let document: serde_json::Value = files[0].source.text().parse().unwrap();
        Bench { bundle, facts, plan, files, ledger: document["ledger"].as_str().unwrap().to_owned() }
    })
}

/// The gates that these documents open at a time.
fn opened(files: &[ApprovalFile], now: Timestamp) -> Vec<String> {
    let bench = bench();
    let requests = Requests::new(&bench.plan, &bench.bundle, &bench.facts).unwrap();
    let moment = Moment::closed(now, Stage::Plan);
    let barred = barred(&requests, &decide(&requests, &moment).unwrap());
    let authority = Authority {
        signers: bench.bundle.signers(),
        revocations: &Revocations::none(),
        ledger: Some(&bench.ledger),
        baseline: None,
        known_keys: &cutter::approval::KnownKeys::default(),
        is_used: &|_, _| Ok(false),
        first_use: &|_| None,
    };
    judge(files, &requests, &barred, &authority, &moment).unwrap().gates.into_iter().collect()
}

fn now() -> Timestamp {
    Timestamp::parse(crate::approvals::office::NOW).unwrap()
}

#[test]
fn the_bench_opens_all_three_gates() {
    assert_eq!(opened(&bench().files, now()), ["FLIP", "SG_1", "SG_2"]);
}

/// File names of which many begin alike.
fn file_names() -> impl Strategy<Value = BTreeSet<Vec<u8>>> {
    let part = || proptest::sample::select(vec!["a", ".json", ".sig", ".bob", "-", ".", "é"]);
    let name = proptest::collection::vec(part(), 1..6).prop_map(|parts| parts.concat().into_bytes());
    let name = prop_oneof![9 => name, 1 => Just(b"a.json\xff.sig".to_vec())];
    let name = name.prop_filter("a folder", |name| name != b"." && name != b"..");
    proptest::collection::btree_set(name, 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_document_is_read_with_every_signature_that_bears_its_name(names in file_names()) {
        let folder = tempfile::tempdir().unwrap();
        for name in &names {
            std::fs::write(folder.path().join(std::ffi::OsStr::from_bytes(name)), name).unwrap();
        }
        let names: Vec<&str> = names.iter().filter_map(|name| std::str::from_utf8(name).ok()).collect();
        let read = project::read_approvals(folder.path()).unwrap();
        let read = read.iter().map(|file| {
            let signatures = file.signatures.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
            (file.source.text(), signatures.collect::<Vec<_>>())
        });
        let of = |document: &str| -> Vec<(&str, &[u8])> {
            let signs = |name: &&&str| {
                let rest = name.strip_prefix(document).and_then(|rest| rest.strip_suffix(".sig"));
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            names.iter().filter(signs).map(|name| (*name, name.as_bytes())).collect()
        };
        let expected = names.iter().filter(|name| name.ends_with(".json")).map(|name| (*name, of(name)));
        prop_assert_eq!(read.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn flipping_any_bit_of_the_document_closes_its_gate(at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let mut files = bench().files.clone();
        let mut bytes = files[1].source.text().as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        files[1] = match String::from_utf8(bytes) {
            Ok(text) => ApprovalFile { source: Source::new("SG_1.json", text), ..files[1].clone() },
            Err(_) => ApprovalFile { unreadable: Some("not UTF-8".to_owned()), ..files[1].clone() },
        };
        prop_assert_eq!(opened(&files, now()), ["FLIP", "SG_2"]);
    }

    #[test]
    fn flipping_any_bit_of_the_decoded_signature_closes_its_gate(at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let mut files = bench().files.clone();
        let mut blob = dearmor(&files[1].signatures[0].1);
        let at = at.index(blob.len());
        blob[at] ^= 1 << bit;
        files[1].signatures[0].1 = armor(&blob);
        prop_assert_eq!(opened(&files, now()), ["FLIP", "SG_2"]);
    }

    #[test]
    fn before_issue_and_from_expiry_on_nothing_is_accepted(milliseconds in prop_oneof![-100_000_000_000i64..0, 86_400_000i64..100_000_000_000], zone in -12..=14i64) {
        // The same moment written with another offset is the same moment.
        let moment = Timestamp::from_milliseconds(now().milliseconds() + milliseconds).unwrap();
        let shifted = Timestamp::from_milliseconds(moment.milliseconds() + zone * 3_600_000).unwrap().to_string();
        let written = format!("{}{}{:02}:00", shifted.trim_end_matches('Z'), if zone < 0 { '-' } else { '+' }, zone.abs());
        let read = Timestamp::parse(&written).unwrap();
        prop_assert_eq!(read, moment);
        prop_assert_eq!(opened(&bench().files, read), Vec::<String>::new());
    }
}

proptest! {
    // There are only eight subsets; a few more draws than that see them all.
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn removing_approvals_never_turns_a_deny_into_an_allow(keep in prop::collection::vec(any::<bool>(), 3)) {
        let bench = bench();
        let files: Vec<ApprovalFile> =
            bench.files.iter().zip(&keep).filter(|(_, keep)| **keep).map(|(file, _)| file.clone()).collect();
        let requests = Requests::new(&bench.plan, &bench.bundle, &bench.facts).unwrap();
        let allowed = |files: &[ApprovalFile]| -> Vec<bool> {
            let gates = opened(files, now()).into_iter().collect();
            let moment = Moment { gates, ..Moment::closed(now(), Stage::Plan) };
            decide(&requests, &moment).unwrap().rows.iter().map(|row| row.basis.allows()).collect()
        };
        for (fewer, all) in allowed(&files).into_iter().zip(allowed(&bench.files)) {
            prop_assert!(!fewer || all);
        }
    }
}

fn dearmor(armored: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(armored).unwrap();
    let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    Base64::decode_vec(&body).unwrap()
}

fn armor(blob: &[u8]) -> Vec<u8> {
    let mut text = vec![0; blob.len() * 2 + 64];
    let mut encoder = base64ct::Encoder::<Base64>::new_wrapped(&mut text, 70, LineEnding::LF).unwrap();
    encoder.encode(blob).unwrap();
    let body = encoder.finish().unwrap();
    format!("-----BEGIN SSH SIGNATURE-----\n{body}\n-----END SSH SIGNATURE-----\n").into_bytes()
}

/// A signature as a FIDO ed25519 key would make it with these flags, and its public key (PROTOCOL.u2f).
pub fn security_key_signature(message: &[u8], flags: u8) -> (String, Vec<u8>) {
    let string = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
    let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let kind: &[u8] = b"sk-ssh-ed25519@openssh.com";
    let public = [string(kind), string(key.verifying_key().as_bytes()), string(b"ssh:")].concat();
    let head = [string(b"cutter-approval"), string(b""), string(b"sha256")].concat();
    let signed = [&b"SSHSIG"[..], &head, &string(Digest::of(message).bytes())].concat();
    let presence = [&[flags][..], &1u32.to_be_bytes()].concat();
    let inner = [&Digest::of(b"ssh:").bytes()[..], &presence, Digest::of(&signed).bytes()].concat();
    let signature = [string(kind), string(&key.sign(&inner).to_bytes()), presence].concat();
    let blob = [&b"SSHSIG"[..], &1u32.to_be_bytes(), &string(&public), &head, &string(&signature)].concat();
    (format!("sk-ssh-ed25519@openssh.com {}", Base64::encode_string(&public)), armor(&blob))
}
