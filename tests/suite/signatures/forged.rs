//! Signatures that `ssh-keygen` does not make: of FIDO security keys, played by software keys, and crooked ones.

use crate::signatures::bench::{Bench, KINDS, armor, dearmor, saved, signers, string, time};
use crate::signatures::forgery::{Forgery, MESSAGE, NAMESPACE};
use base64ct::{Base64, Encoding as _};
use cutter::signature::{AllowedSigners, KeyKind, Presence, Rejection, RejectionCode, Revocations, Signer, verify};
use proptest::prelude::*;

fn judged(forgery: &Forgery) -> Result<Signer, Rejection> {
    judge(&forgery.signers(), MESSAGE, &armor(&forgery.blob()))
}

fn ssh_keygen_accepts(bench: &Bench, forgery: &Forgery) -> bool {
    bench.write("signers", forgery.line());
    saved(bench, armor(&forgery.blob()));
    bench.accepts("o9", NAMESPACE, MESSAGE, now())
}

fn now() -> cutter::time::Timestamp {
    time("2026-05-21T08:15:00Z")
}

fn judge(signers: &AllowedSigners, message: &[u8], signature: &[u8]) -> Result<Signer, Rejection> {
    verify(NAMESPACE, message, signature, signers, &Revocations::none(), now())
}

#[test]
fn a_security_key_that_was_touched_is_accepted_by_us_and_by_ssh_keygen() {
    let bench = Bench::new();
    for kind in [KeyKind::SkEd25519, KeyKind::SkEcdsaP256] {
        for (flags, presence) in [(1, Presence::Touched), (5, Presence::Verified)] {
            let forgery = Forgery { flags, ..Forgery::good(kind) };
            assert_eq!(judged(&forgery).map(|signer| (signer.presence, signer.kind)), Ok((presence, kind)));
            assert!(ssh_keygen_accepts(&bench, &forgery), "{kind:?} {flags}");
        }
    }
}

#[test]
fn a_security_key_that_nobody_touched_is_refused_though_ssh_keygen_accepts_it() {
    let bench = Bench::new();
    for kind in [KeyKind::SkEd25519, KeyKind::SkEcdsaP256] {
        for flags in [0, 4] {
            let forgery = Forgery { flags, ..Forgery::good(kind) };
            assert_eq!(judged(&forgery).unwrap_err().code(), RejectionCode::NoPresence, "{kind:?}");
            assert!(ssh_keygen_accepts(&bench, &forgery), "{kind:?} {flags}");
        }
    }
}

#[test]
fn a_touch_that_was_not_signed_for_is_a_bad_signature() {
    for kind in [KeyKind::SkEd25519, KeyKind::SkEcdsaP256] {
        let untouched = Forgery { flags: 0, ..Forgery::good(kind) };
        let mut blob = untouched.blob();
        let flags = blob.len() - 5;
        blob[flags] = 1;
        let judged = judge(&untouched.signers(), MESSAGE, &armor(&blob));
        assert_eq!(judged.unwrap_err().code(), RejectionCode::BadSignature, "{kind:?}");
    }
}

#[test]
fn a_crooked_signature_is_bad_even_where_its_key_signed_it() {
    for kind in KeyKind::ALL {
        let good = Forgery::good(kind);
        assert!(judged(&good).is_ok(), "{kind:?}");
        let other_type = KeyKind::ALL.into_iter().filter(|other| *other != kind).map(|other| other.name().to_owned());
        let mut crooked: Vec<Forgery> =
            other_type.map(|signature_type| Forgery { signature_type, ..good.clone() }).collect();
        crooked.extend([
            Forgery { version: 0, ..good.clone() },
            Forgery { version: 2, ..good.clone() },
            Forgery { namespace: "", ..good.clone() },
            Forgery { reserved: "x", ..good.clone() },
            Forgery { hash: "sha1", ..good.clone() },
            Forgery { hash: "SHA256", ..good.clone() },
            Forgery { after_inner: b"\0", ..good.clone() },
            Forgery { after_all: b"\0", ..good.clone() },
        ]);
        for (index, forgery) in crooked.iter().enumerate() {
            assert_eq!(judged(forgery).unwrap_err().code(), RejectionCode::BadSignature, "{kind:?} {index}");
        }
    }
}

#[test]
fn armor_in_any_other_form_is_a_bad_signature() {
    let good = Forgery::good(KeyKind::Ed25519);
    let text = String::from_utf8(armor(&good.blob())).unwrap();
    for other in [
        text.replace('\n', "\r\n"),
        text.trim_end().to_owned(),
        format!("\n{text}"),
        format!("{text}\n"),
        format!("{text}{text}"),
        format!("\u{feff}{text}"),
        text.replacen("U1NIU0lH", "U1NIU0lH\n", 1),
        text.replace("SSH SIGNATURE", "SSH2 SIGNATURE"),
        text.replacen("=\n", "\n", 1),
    ] {
        assert_ne!(other, text);
        let judged = judge(&good.signers(), MESSAGE, other.as_bytes());
        assert_eq!(judged.unwrap_err().code(), RejectionCode::BadSignature, "{other:?}");
    }
}

#[test]
fn signatures_of_certificates_and_other_kinds_of_key_are_refused_by_name() {
    let bench = Bench::new();
    let nobody = signers("");
    for (name, kind) in [("rsa", &["rsa"][..]), ("p384", &["ecdsa", "-b", "384"]), ("p521", &["ecdsa", "-b", "521"])] {
        let key = bench.key(name, kind);
        let rejection = judge(&nobody, MESSAGE, &bench.sign(name, NAMESPACE, MESSAGE)).unwrap_err();
        let said = format!(
            "the key of the signature is refused: a key of type `{}` may not sign",
            key.split(' ').next().unwrap()
        );
        assert_eq!((rejection.code(), rejection.detail()), (RejectionCode::BadSignature, said.as_str()));
    }
    bench.key("ca", &["ed25519"]);
    bench.key("k", &["ed25519"]);
    assert!(bench.keygen(&["-q", "-s", "ca", "-I", "id", "-n", "o9", "k.pub"], b"").status.success());
    let certificate = String::from_utf8(crate::signatures::bench::read(&bench.path("k-cert.pub"))).unwrap();
    let certificate = Base64::decode_vec(certificate.split(' ').nth(1).unwrap()).unwrap();
    let mut blob = dearmor(&bench.sign("k", NAMESPACE, MESSAGE));
    blob.splice(10..10 + 4 + 51, string(certificate));
    let rejection = judge(&nobody, MESSAGE, &armor(&blob)).unwrap_err();
    assert!(rejection.detail().contains("is a certificate, and certificates may not sign"), "{rejection}");
}

#[test]
fn flipping_any_single_bit_of_a_decoded_signature_rejects_it() {
    for kind in KeyKind::ALL {
        let good = Forgery::good(kind);
        let (signers, blob) = (good.signers(), good.blob());
        for bit in 0..blob.len() * 8 {
            let mut flipped = blob.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(judge(&signers, MESSAGE, &armor(&flipped)).is_err(), "{kind:?}: bit {bit}");
        }
    }
}

#[test]
fn flipping_any_single_bit_of_what_ssh_keygen_signed_rejects_it() {
    let bench = Bench::new();
    for (name, arguments) in KINDS {
        let list = signers(&format!("o9 namespaces=\"{NAMESPACE}\" {}", bench.key(name, arguments)));
        proptest!(ProptestConfig::with_cases(64), |(
            message in prop::collection::vec(any::<u8>(), 1..2000),
            in_message in any::<bool>(),
            in_armor in any::<bool>(),
            at in any::<prop::sample::Index>(),
            bit in 0..8u8,
        )| {
            let signature = bench.sign(name, NAMESPACE, &message);
            prop_assert!(judge(&list, &message, &signature).is_ok());
            let flip = |bytes: &[u8]| {
                let mut flipped = bytes.to_vec();
                flipped[at.index(bytes.len())] ^= 1 << bit;
                flipped
            };
            let judged = match (in_message, in_armor) {
                (true, _) => judge(&list, &flip(&message), &signature),
                (false, true) => judge(&list, &message, &flip(&signature)),
                (false, false) => judge(&list, &message, &armor(&flip(&dearmor(&signature)))),
            };
            prop_assert!(judged.is_err());
        });
    }
}

#[test]
fn a_signature_file_of_10_mebibytes_is_refused_at_once() {
    let nobody = signers("");
    for huge in [vec![b'A'; 10 << 20], armor(&vec![0; 10 << 20]), vec![0; 10 << 20]] {
        let started = std::time::Instant::now();
        assert_eq!(judge(&nobody, MESSAGE, &huge).unwrap_err().code(), RejectionCode::BadSignature);
        assert!(started.elapsed().as_millis() < 500);
    }
}

#[test]
fn hostile_words_in_a_signature_are_shown_escaped() {
    let forgery = Forgery { namespace: "\u{1b}[31mcutter-approval\u{202e}", ..Forgery::good(KeyKind::Ed25519) };
    let rejection = judged(&forgery).unwrap_err();
    assert_eq!(rejection.code(), RejectionCode::WrongNamespace);
    assert!(rejection.faults().all(|fault| fault.detail.is_ascii() && !fault.detail.contains('\u{1b}')));
}
