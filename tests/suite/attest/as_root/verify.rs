//! What was attested can be checked by anybody with the trust root, and by other tools; what was changed cannot.

use crate::attest::as_root::report::readiness;
use crate::attest::scene::{FREE, Scene};
use crate::support::ran::Ran;
use crate::support::world::PLAN;
use cutter::digest::Digest;
use cutter::ledger::{Attestation, Attested, DirectoryLedger, Ledger as _};
use cutter::time::Timestamp;
use proptest::prelude::{ProptestConfig, any};
use proptest::{prop_assert, proptest};
use serde_json::{Value, json};
use std::process::Command;
use std::sync::LazyLock;
use std::time::SystemTime;

/// One attested run that no test changes.
static ATTESTED: LazyLock<Scene> = LazyLock::new(attested);

fn attested() -> Scene {
    let scene = readiness();
    let ran = scene.attest("--attest report.json --key keys/attester");
    assert_eq!(ran.exit, 5, "{}", ran.stderr);
    scene
}

impl Scene {
    pub fn verify(&self, arguments: &str) -> Ran {
        self.cutter(&format!("verify --trust {} {arguments}", self.trust_path().display()))
    }

    /// The faults of the first file, or the refusal to read it; nothing else than exit 8 will do.
    pub fn faults(&self, arguments: &str) -> String {
        let ran = self.verify(&format!("--format json {arguments}"));
        assert_eq!(ran.exit, 8, "{}{}", ran.stdout, ran.stderr);
        if ran.stdout.is_empty() { ran.stderr } else { ran.json()["files"][0]["faults"].to_string() }
    }

    /// Changes a statement and signs it again with a key that may sign.
    pub fn forge(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut statement: Value = self.read("report.json").parse().unwrap();
        change(&mut statement);
        self.write(name, serde_json::to_string_pretty(&Ordered(&statement, &self.read("report.json"))).unwrap() + "\n");
        self.keygen_sign("attester", "cutter-attestation", name);
    }
}

/// A changed statement in the order of keys in which statements are written.
struct Ordered<'a>(&'a Value, &'a str);

impl serde::Serialize for Ordered<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let statement: cutter::attestation::Statement<cutter::attestation::report::Report> =
            serde_json::from_value(self.0.clone()).unwrap_or_else(|error| panic!("{error}: {}", self.1.len()));
        statement.serialize(serializer)
    }
}

#[test]
fn an_attestation_verifies_with_its_files_its_policies_and_its_ledger() {
    let scene = &*ATTESTED;
    let more = format!("--policies policies --plan {PLAN} --baseline a.json --final b.json --ledger .cutter");
    for file in ["report.json", "report.json.dsse.json"] {
        let ran = scene.verify(&format!("{file} {more}"));
        assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
        for held in [
            "signed by attester",
            "follow from its own evidence",
            "decided again by the bundle",
            "it was signed by observer",
            "ledger's chain",
        ] {
            assert!(ran.stdout.contains(held), "no `{held}` in {}", ran.stdout);
        }
    }
}

#[test]
fn ssh_keygen_accepts_the_detached_signature() {
    let scene = &*ATTESTED;
    let mut command = Command::new("ssh-keygen");
    command.args(["-Y", "verify", "-n", "cutter-attestation", "-I", "attester", "-f"]).arg(scene.trust_path());
    command.arg("-s").arg(scene.path("report.json.sig")).stdin(std::fs::File::open(scene.path("report.json")).unwrap());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn another_implementation_of_dsse_accepts_the_envelope_and_refuses_a_changed_one() {
    let scene = &*ATTESTED;
    let here = crate::support::world::root().join("tests/suite/attest/interop");
    let python = crate::support::world::root().join("target/interop/bin/python");
    assert!(python.exists(), "`tests/run` installs securesystemslib into target/interop");
    let public: String = scene.read("keys/attester.pub").split_whitespace().nth(1).unwrap().to_owned();
    let blob = unbase64(&public);
    let raw: String = blob[blob.len() - 32..].iter().map(|byte| format!("{byte:02x}")).collect();
    let envelope: Value = scene.read("report.json.dsse.json").parse().unwrap();
    let keyid = envelope["signatures"][0]["keyid"].as_str().unwrap();
    let verify = |envelope: &std::path::Path| {
        let mut command = Command::new(&python);
        command.arg(here.join("verify.py")).arg(envelope).arg(keyid).arg(&raw).arg(scene.path("report.json"));
        command.output().unwrap()
    };
    let output = verify(&scene.path("report.json.dsse.json"));
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("accepted"), "{output:?}");
    let folder = tempfile::TempDir::new().unwrap();
    let changed = folder.path().join("changed.json");
    let text = scene.read("report.json.dsse.json").replace("vnd.in-toto+json", "vnd.in-toto+jsen");
    std::fs::write(&changed, text).unwrap();
    assert!(!verify(&changed).status.success());
}

#[test]
fn a_statement_of_how_it_once_was_does_not_pass_for_one_of_when_it_was_kept() {
    let scene = Scene::new();
    scene.capture("a.json");
    assert_eq!(scene.exec(FREE[0]).exit, 0);
    scene.capture("b.json");
    let ran = scene.attest("--attest report.json --key keys/attester");
    assert!(!scene.read("report.json").is_empty(), "{}", ran.stderr);
    assert_eq!(scene.exec(FREE[1]).exit, 0);
    // What came after a statement was kept is none of its business, and the ledger's own clock is not asked for that.
    let then = scene.verify("report.json --ledger .cutter --policies policies");
    assert!(then.stdout.contains("what was done is what the ledger has"), "{}{}", then.stdout, then.stderr);
    let before = Digest::of(scene.read("report.json").as_bytes());
    scene.forge("old.json", |statement| statement["predicate"]["previous"] = json!(before.to_string()));
    let ledger = DirectoryLedger::new(scene.path(".cutter"), || Timestamp::from_system(SystemTime::now()));
    let kept = ledger.attest(&Attestation { number: 2, statement: scene.read("old.json") }).unwrap();
    assert_eq!(kept, Attested::Appended);
    let faults = scene.faults("old.json --ledger .cutter --policies policies");
    assert!(faults.contains("records: they are not those of the ledger"), "{faults}");
}

/// What is made of a statement before it is signed again.
type Forgery = Box<dyn Fn(&mut Value)>;

#[test]
fn a_better_status_that_is_signed_again_is_refused_by_its_own_evidence() {
    let scene = attested();
    let row = |statement: &Value, id: &str| {
        statement["predicate"]["forbidden"].as_array().unwrap().iter().position(|row| row["id"] == id).unwrap()
    };
    let cases: Vec<(&str, Forgery)> = vec![
        ("predicate.verdict", Box::new(|it| it["predicate"]["verdict"] = json!("AUTHORIZED"))),
        ("predicate.decisions.verdict", Box::new(|it| it["predicate"]["decisions"]["verdict"] = json!("AUTHORIZED"))),
        (
            ".basis",
            Box::new(move |it| {
                let at = row(it, "no-fake-pass");
                it["predicate"]["forbidden"][at]["basis"] = json!("measured");
            }),
        ),
        (
            ".status",
            Box::new(move |it| {
                let at = row(it, "no-production-mutation-without-approval");
                it["predicate"]["forbidden"][at]["status"] = json!("NOT_ATTEMPTED");
            }),
        ),
        (
            "predicate.disclosures",
            Box::new(|it| {
                it["predicate"]["disclosures"].as_array_mut().unwrap().remove(0);
            }),
        ),
        (".decision", Box::new(|it| it["predicate"]["decisions"]["decisions"][4]["decision"] = json!("allow"))),
        (
            "predicate.grounds",
            Box::new(|it| {
                it["predicate"]["grounds"]["final"]["capture"]["observations"][0]["values"]["forged"] = json!("1");
            }),
        ),
        ("predicate.window", Box::new(|it| it["predicate"]["window"]["quiet"] = json!(false))),
        (".outcome", Box::new(|it| it["predicate"]["done"][0]["outcome"] = json!("failed"))),
        (".principal", Box::new(|it| it["predicate"]["done"][0]["principal"] = json!("Cutter::Agent::\"other\""))),
        (".started_at", Box::new(|it| it["predicate"]["done"][0]["started_at"] = json!("2026-01-01T00:00:00Z"))),
        (
            "was decided for use",
            Box::new(|it| {
                it["predicate"]["done"].as_array_mut().unwrap().remove(0);
            }),
        ),
        (
            "predicate.done[3]",
            Box::new(|it| drop(it["predicate"]["grounds"]["journal"]["records"].as_array_mut().unwrap().pop())),
        ),
        (
            "predicate.verdict",
            Box::new(|it| it["predicate"]["grounds"]["journal"]["faults"] = json!(["line 1: no record"])),
        ),
        ("predicate.verdict", Box::new(|it| it["predicate"]["grounds"]["journal"]["ledger"] = Value::Null)),
        ("labels", Box::new(|it| it["predicate"]["decisions"]["plan"]["labels"]["host"] = json!("elsewhere"))),
        ("its `run` is not", Box::new(|it| it["predicate"]["decisions"]["plan"]["run"] = json!("another"))),
        (
            "plan's database",
            Box::new(|it| {
                it["predicate"]["grounds"]["baseline"]["capture"]["database"]["system_identifier"] = json!("1");
            }),
        ),
        (
            "vouched",
            Box::new(|it| it["predicate"]["grounds"]["final"]["vouched"]["observer"] = json!("Cutter::Person::\"a\"")),
        ),
        (
            "predicate.verdict",
            Box::new(|it| {
                it["predicate"]["done"][0]["outcome"] = json!("interrupted");
                it["predicate"]["done"][0]["finished_at"] = Value::Null;
                it["predicate"]["done"][0]["exit_status"] = Value::Null;
            }),
        ),
        ("predicate.verdict", Box::new(|it| it["predicate"]["done"][0]["policies_sha256"] = json!("0".repeat(64)))),
        // What was judged, when and by whom: nothing of it is left to be believed.
        (".finished_at", Box::new(|it| it["predicate"]["done"][0]["finished_at"] = json!("2026-01-01T00:00:00Z"))),
        ("predicate.tool", Box::new(|it| it["predicate"]["tool"]["version"] = json!("9.9.9"))),
        ("predicate.time", Box::new(|it| it["predicate"]["time"] = json!("2030-01-01T00:00:00Z"))),
        ("clock", Box::new(|it| it["predicate"]["decisions"]["clock"] = json!("given"))),
        ("previous", Box::new(|it| it["predicate"]["previous"] = json!("the one before"))),
        ("plan_signed", Box::new(|it| it["predicate"]["grounds"]["plan_signed"]["signer"] = json!("reviewer"))),
        (
            "decisions[0].reason",
            Box::new(|it| {
                it["predicate"]["grounds"]["journal"]["records"][0]["record"]["decision"]["row"]["reason"] =
                    json!("because");
            }),
        ),
        ("subject", Box::new(|it| it["subject"][0]["digest"]["sha256"] = json!("0".repeat(64)))),
    ];
    for (number, (field, change)) in cases.into_iter().enumerate() {
        let name = format!("forged-{number}.json");
        scene.forge(&name, change);
        let faults = scene.faults(&name);
        assert!(faults.contains(field), "no `{field}` in {faults}");
    }
}

#[test]
fn the_bundle_itself_refuses_rows_that_only_look_consistent() {
    let scene = attested();
    // Left out of the report and of the decisions alike, a ban is missed by the bundle alone.
    scene.forge("forged.json", |it| {
        it["predicate"]["forbidden"].as_array_mut().unwrap().pop();
    });
    assert_eq!(scene.verify("forged.json").exit, 0);
    assert!(scene.faults("forged.json --policies policies").contains("the bans are not those of the bundle"));
    scene.forge("tolerant.json", |it| it["predicate"]["grounds"]["rules"]["oldest_seconds"] = json!(999_999_999));
    assert!(scene.faults("tolerant.json --policies policies").contains("oldest_seconds"));
    for (name, field, change) in [
        (
            "source",
            "facts.source",
            Box::new(|it: &mut Value| it["predicate"]["decisions"]["facts"]["source"] = json!("postgres")) as Forgery,
        ),
        ("missing", "approvals", Box::new(|it| it["predicate"]["decisions"]["approvals"][0]["gate"] = json!("SG_3"))),
        ("work", "work", Box::new(|it: &mut Value| it["predicate"]["done"][0]["work"] = json!("rm -rf /"))),
        ("marked", "marks", Box::new(|it| it["predicate"]["decisions"]["marks"] = json!(["ALL IS WELL"]))),
        ("bundle", "bundle_signer", Box::new(|it| it["predicate"]["decisions"]["bundle_signer"] = json!("mallory"))),
        ("secrets", "variables", Box::new(|it| it["predicate"]["grounds"]["secrets"]["variables"] = json!([]))),
        (
            "twice",
            "predicate.done",
            Box::new(|it| {
                // A second beginning of the same row, which may change anything.
                let mut first = it["predicate"]["done"][0].clone();
                first["expects"] = json!({"relation:public.information_unit": {}});
                it["predicate"]["done"].as_array_mut().unwrap().insert(0, first);
            }),
        ),
    ] {
        scene.forge(&format!("{name}.json"), change);
        let faults = scene.faults(&format!("{name}.json --policies policies"));
        assert!(faults.contains(field), "no `{field}` in {faults}");
    }
    scene.forge("reasoned.json", |it| it["predicate"]["decisions"]["decisions"][0]["reason"] = json!("because"));
    assert!(scene.faults("reasoned.json --policies policies").contains("reason"));
    scene.write("policies/forbidden.cedar", scene.read("policies/forbidden.cedar") + "\n// another\n");
    assert!(scene.faults("report.json --policies policies").contains("not accepted"));
    scene.sign();
    assert!(scene.faults("report.json --policies policies").contains("policies.sha256"));
}

#[test]
fn signatures_count_once_a_signer_and_only_of_those_who_may_sign() {
    let scene = attested();
    let envelope = |change: &dyn Fn(&mut Value)| {
        let mut envelope: Value = scene.read("report.json.dsse.json").parse().unwrap();
        change(&mut envelope);
        let signatures: Vec<String> = envelope["signatures"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                let keyid = one.get("keyid").map_or(String::new(), |keyid| format!("      \"keyid\": {keyid},\n"));
                format!("    {{\n{keyid}      \"sig\": {}\n    }}", one["sig"])
            })
            .collect();
        let signatures =
            if signatures.is_empty() { "[]".to_owned() } else { format!("[\n{}\n  ]", signatures.join(",\n")) };
        scene.write(
            "e.json",
            format!(
                "{{\n  \"payload\": {},\n  \"payloadType\": {},\n  \"signatures\": {signatures}\n}}\n",
                envelope["payload"], envelope["payloadType"]
            ),
        );
    };
    let twice = |it: &mut Value| {
        let first = it["signatures"][0].clone();
        it["signatures"].as_array_mut().unwrap().push(first);
    };
    envelope(&|_| {});
    assert_eq!(scene.verify("e.json").exit, 0);
    envelope(&|it| drop(it["signatures"][0].as_object_mut().unwrap().remove("keyid")));
    assert_eq!(scene.verify("e.json").exit, 0, "a key is found without its id");
    envelope(&|it| it["signatures"][0]["keyid"] = json!("SHA256:another"));
    assert_eq!(scene.verify("e.json").exit, 0, "nothing is decided by the id");
    envelope(&twice);
    assert_eq!(scene.verify("e.json").exit, 0);
    assert!(scene.faults("--threshold 2 e.json").contains("1 accepted signers, and 2 are needed"));
    envelope(&|it| it["payloadType"] = json!("text/plain"));
    assert!(scene.faults("e.json").contains("text/plain"));
    envelope(&|it| it["payloadType"] = json!("application/vnd.in-toto+json "));
    scene.faults("e.json");
    envelope(&|it| it["signatures"] = json!([]));
    scene.faults("e.json");
    envelope(&|it| it["signatures"][0]["sig"] = json!("AAAA"));
    scene.faults("e.json");
    // Somebody whom the trust root does not know, alone and beside a signer that it does.
    let bytes = cutter::signature::PlainKey::parse(scene.read("keys/stranger").as_bytes()).unwrap();
    let payload = scene.read("report.json");
    let stranger =
        cutter::attestation::envelope::Envelope::sign(payload.as_bytes(), "application/vnd.in-toto+json", &[bytes]);
    scene.write("s.json", stranger.text().unwrap());
    assert!(scene.faults("s.json").contains("no key of"));
    let theirs: Value = stranger.text().unwrap().parse().unwrap();
    envelope(&|it| it["signatures"].as_array_mut().unwrap().insert(0, theirs["signatures"][0].clone()));
    assert_eq!(scene.verify("e.json").exit, 0);
    // Two who may, each with a key of their own.
    let keys = ["attester", "second"]
        .map(|name| cutter::signature::PlainKey::parse(scene.read(&format!("keys/{name}")).as_bytes()).unwrap());
    let both = cutter::attestation::envelope::Envelope::sign(payload.as_bytes(), "application/vnd.in-toto+json", &keys);
    scene.write("both.json", both.text().unwrap());
    assert_eq!(scene.verify("--threshold 2 both.json").exit, 0);
    scene.write("other.json", &payload);
    scene.keygen_sign("stranger", "cutter-attestation", "other.json");
    scene.faults("other.json");
    scene.keygen_sign("attester", "cutter-evidence", "other.json");
    scene.faults("other.json");
    std::fs::remove_file(scene.path("other.json.sig")).unwrap();
    assert!(scene.faults("other.json").contains("0 accepted signers"));
}

/// One bit of a text or of what it encodes.
fn flip(bytes: &mut [u8], at: usize) {
    let at = at % (bytes.len() * 8);
    bytes[at / 8] ^= 1 << (at % 8);
}

fn base64(bytes: &[u8], wrap: usize) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, byte| (word << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let letter = alphabet[(word >> (18 - 6 * at)) as usize & 63];
            text.push(if at > chunk.len() { '=' } else { char::from(letter) });
        }
    }
    text.as_bytes().chunks(wrap).map(|line| std::str::from_utf8(line).unwrap()).collect::<Vec<_>>().join("\n")
}

fn unbase64(text: &str) -> Vec<u8> {
    let value = |letter: u8| match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let letters: Vec<u8> = text.bytes().filter(|letter| !letter.is_ascii_whitespace() && *letter != b'=').collect();
    let bits = letters.iter().flat_map(|letter| (0..6).rev().map(move |bit| value(*letter) >> bit & 1));
    let bits: Vec<u8> = bits.collect();
    bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | bit)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_flipped_bit_of_payload_signature_chain_or_baseline_is_refused(at in any::<usize>()) {
        let scene = &*ATTESTED;
        let report = scene.read("report.json");
        let fresh = tempfile::TempDir::new().unwrap();
        let place = |name: &str, bytes: &[u8]| {
            let path = fresh.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, bytes).unwrap();
            path.display().to_string()
        };
        // The statement under its detached signature.
        let mut bytes = report.clone().into_bytes();
        flip(&mut bytes, at);
        let changed = place("changed.json", &bytes);
        place("changed.json.sig", scene.read("report.json.sig").as_bytes());
        prop_assert!(scene.verify(&changed).exit == 8);
        // The detached signature.
        let armored = scene.read("report.json.sig");
        let body: String = armored.lines().filter(|line| !line.starts_with("-----")).collect();
        let mut bytes = unbase64(&body);
        flip(&mut bytes, at);
        let signed = place("signed.json", report.as_bytes());
        place("signed.json.sig", format!("-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n", base64(&bytes, 70)).as_bytes());
        prop_assert!(scene.verify(&signed).exit == 8);
        // Payload and signature of the envelope.
        let envelope: Value = scene.read("report.json.dsse.json").parse().unwrap();
        for field in ["payload", "sig"] {
            let old = if field == "sig" { &envelope["signatures"][0]["sig"] } else { &envelope["payload"] };
            let old = old.as_str().unwrap();
            let mut bytes = unbase64(old);
            flip(&mut bytes, at);
            let text = scene.read("report.json.dsse.json").replace(old, &base64(&bytes, usize::MAX));
            prop_assert!(scene.verify(&place("envelope.json", text.as_bytes())).exit == 8);
        }
        // An envelope that is not its own encoding; a key's id is a hint that nothing is decided by.
        let text = scene.read("report.json.dsse.json");
        let keyid = envelope["signatures"][0]["keyid"].as_str().unwrap();
        let hint = text.find(keyid).unwrap()..text.find(keyid).unwrap() + keyid.len();
        let payload = text.find("ey").unwrap() + 8..text.find("\",\n  \"payloadType").unwrap();
        let structure: Vec<usize> = (0..text.len()).filter(|at| !hint.contains(at) && !payload.contains(at)).collect();
        let mut bytes = text.into_bytes();
        bytes[structure[at % structure.len()]] ^= 1 << (at / structure.len() % 8);
        prop_assert!(scene.verify(&place("envelope.json", &bytes)).exit == 8);
        // The baseline.
        let mut bytes = scene.read("a.json").into_bytes();
        flip(&mut bytes, at);
        let baseline = place("baseline.json", &bytes);
        let exit = scene.verify(&format!("report.json --baseline {baseline}")).exit;
        prop_assert!(exit == 8);
        // The chain.
        let records = scene.path(".cutter/records.ndjson");
        let whole = std::fs::read(&records).unwrap();
        let mut bytes = whole.clone();
        flip(&mut bytes, at);
        std::fs::write(&records, bytes).unwrap();
        let exit = scene.verify("report.json --ledger .cutter").exit;
        std::fs::write(&records, whole).unwrap();
        prop_assert!(exit == 8, "{exit}");
    }
}

#[test]
fn a_file_that_is_no_statement_at_all_is_refused_with_its_name() {
    let scene = &*ATTESTED;
    let folder = tempfile::TempDir::new().unwrap();
    for text in ["", "{}", "[]", "null", "{\"_type\":1}", "{\"payloadType\":\"x\"}", &"[".repeat(100_000)] {
        let path = folder.path().join("f.json");
        std::fs::write(&path, text).unwrap();
        let ran = scene.verify(&path.display().to_string());
        assert_eq!(ran.exit, 8, "{text:.20}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("f.json"), "{}", ran.stderr);
    }
    assert_eq!(scene.verify("nothing.json").exit, 1);
}

#[test]
fn decisions_before_a_run_are_no_report_unless_their_type_is_asked_for() {
    let scene = attested();
    let ran = scene.cutter(&format!("authorize {PLAN} --attest before.json"));
    assert_eq!(ran.exit, 5, "{}", ran.stderr);
    scene.keygen_sign("attester", "cutter-attestation", "before.json");
    assert!(scene.faults("before.json").contains("--type decisions asks for it"));
    for kind in ["decisions", cutter::attestation::DECISIONS_TYPE] {
        let ran = scene.verify(&format!("before.json --type {kind}"));
        assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains("nothing was observed"), "{}", ran.stdout);
        assert!(scene.faults(&format!("report.json --type {kind}")).contains("not `decisions`"));
    }
    assert_eq!(scene.verify("report.json --type attestation").exit, 0);
    assert_eq!(scene.verify("report.json --type https://example.com/other/v1").exit, 64);
}

#[test]
fn what_contradicts_or_is_not_known_ends_in_0_only_where_that_is_expected() {
    let scene = Scene::new();
    scene.capture("a.json");
    let ran = scene.cutter(&format!("attest {PLAN} --attest unknown.json --key keys/attester"));
    assert_eq!(ran.exit, 7, "{}", ran.stderr);
    assert_eq!(scene.verify("unknown.json").exit, 7);
    assert_eq!(scene.verify("unknown.json --expect INDETERMINATE").exit, 0);
    scene.server.execute("CREATE ROLE intruder SUPERUSER");
    scene.capture("b.json");
    assert_eq!(scene.attest("--attest seen.json --key keys/attester").exit, 6);
    assert_eq!(scene.verify("seen.json").exit, 6);
    assert_eq!(scene.verify("seen.json --expect CONTRADICTED").exit, 0);
    assert_eq!(scene.verify("seen.json --expect AUTHORIZED").exit, 8);
}
