//! Every combination of key, namespace, time, tampering and revocation, judged twice.

use crate::signatures::bench::{Bench, KINDS, armor, dearmor, revocations, saved, signers, time};
use cutter::signature::{Presence, RejectionCode, Revocations, verify, verify_one_of};
use proptest::prelude::*;

const MESSAGE: &[u8] = b"{\"id\":\"SG_1\"}\n";
const YES: &str = "cutter-approval";
const NO: &str = "cutter-reject";
/// Options of the signers file, and whether they hold at `NOW`.
const TIMES: [(&str, bool); 6] = [
    ("", true),
    (",valid-after=\"20260521Z\",valid-before=\"202605220000Z\"", true),
    (",valid-after=\"20260521081500Z\"", true),
    (",valid-before=\"20260521081500Z\"", true),
    (",valid-after=\"20260521081501Z\"", false),
    (",valid-before=\"20260521081459Z\"", false),
];
const NOW: &str = "2026-05-21T08:15:00Z";

#[derive(Clone, Copy, PartialEq, Debug)]
enum Tampering {
    Nothing,
    Message,
    Signature,
    Stranger,
}

#[test]
fn every_combination_is_judged_as_ssh_keygen_judges_it_and_with_the_first_code() {
    let (bench, now) = (Bench::new(), time(NOW));
    let mut judged = 0;
    for (kind, arguments) in KINDS {
        let (key, stranger) = (bench.key(kind, arguments), bench.key(&format!("{kind}-stranger"), arguments));
        for signed in [YES, NO] {
            let good = bench.sign(kind, signed, MESSAGE);
            let mut blob = dearmor(&good);
            let last = blob.len() - 1;
            blob[last] ^= 1;
            for tampering in [Tampering::Nothing, Tampering::Message, Tampering::Signature, Tampering::Stranger] {
                let tampered = tampering == Tampering::Signature;
                let signature = saved(&bench, if tampered { armor(&blob) } else { good.clone() });
                let message = if tampering == Tampering::Message { &MESSAGE[1..] } else { MESSAGE };
                let listed = if tampering == Tampering::Stranger { &stranger } else { &key };
                for (asked, allowed, (times, in_time), revoked) in combinations() {
                    let list = format!("x namespaces=\"file\" {stranger}\n");
                    let list = if listed == &stranger { String::new() } else { list };
                    let list = format!("{list}o9@example.com namespaces=\"{allowed}\"{times} {listed}\n");
                    bench.write("signers", &list);
                    let revoked_list = format!("# list\n{}\n", if revoked { &key } else { "" });
                    bench.write("revoked", &revoked_list);

                    let codes: Vec<RejectionCode> = [
                        (matches!(tampering, Tampering::Message | Tampering::Signature), RejectionCode::BadSignature),
                        (asked != signed, RejectionCode::WrongNamespace),
                        (tampering == Tampering::Stranger, RejectionCode::UnknownSigner),
                        (
                            asked == signed && !allowed.split(',').any(|name| name == asked),
                            RejectionCode::UnknownSigner,
                        ),
                        (!in_time, RejectionCode::SignerExpired),
                        (revoked, RejectionCode::Revoked),
                    ]
                    .into_iter()
                    .filter_map(|(fires, code)| fires.then_some(code))
                    .collect();
                    let ours = verify(asked, message, &signature, &signers(&list), &revocations(&revoked_list), now);
                    let case = format!("{kind} {signed} {tampering:?} {asked} {allowed} {times} {revoked}");
                    assert_eq!(ours.as_ref().err().map(|rejection| rejection.code()), codes.first().copied(), "{case}");
                    assert_eq!(ours.is_ok(), bench.accepts("o9@example.com", asked, message, now), "{case}");
                    if let Ok(signer) = ours {
                        assert_eq!(
                            (signer.principal.as_str(), signer.presence),
                            ("o9@example.com", Presence::Unstated)
                        );
                        assert!(!bench.accepts("O9@example.com", asked, message, now), "{case}");
                    }
                    judged += 1;
                }
            }
        }
    }
    assert_eq!(judged, 2 * 2 * 4 * 48);
}

fn combinations() -> impl Iterator<Item = (&'static str, &'static str, (&'static str, bool), bool)> {
    let asked = [YES, NO].into_iter();
    let allowed = asked.flat_map(|asked| [YES, "cutter-approval,cutter-reject"].map(|allowed| (asked, allowed)));
    let times = allowed.flat_map(|(asked, allowed)| TIMES.map(|times| (asked, allowed, times)));
    times.flat_map(|(asked, allowed, times)| [false, true].map(|revoked| (asked, allowed, times, revoked)))
}

#[test]
fn a_signature_says_in_which_of_several_namespaces_it_is() {
    let bench = Bench::new();
    let key = bench.key("k", &["ed25519"]);
    let (yes, no) = (bench.sign("k", YES, MESSAGE), bench.sign("k", NO, MESSAGE));
    let both = signers(&format!("a namespaces=\"{YES},{NO}\" {key}"));
    let only_yes = signers(&format!("a namespaces=\"{YES}\" {key}"));
    let judge = |signature: &[u8], signers| {
        let judged = verify_one_of(&[YES, NO], MESSAGE, signature, signers, &Revocations::none(), time(NOW));
        judged.map(|signer| signer.namespace).map_err(|rejection| rejection.code())
    };
    assert_eq!(judge(&yes, &both), Ok(YES.to_owned()));
    assert_eq!(judge(&no, &both), Ok(NO.to_owned()));
    assert_eq!(judge(&no, &only_yes), Err(RejectionCode::UnknownSigner));
    assert_eq!(judge(&bench.sign("k", "git", MESSAGE), &both), Err(RejectionCode::WrongNamespace));
}

#[test]
fn all_codes_that_fire_are_kept_in_their_order() {
    let bench = Bench::new();
    let key = bench.key("k", &["ed25519"]);
    let signature = bench.sign("k", "git", MESSAGE);
    let old = signers(&format!("a namespaces=\"{YES}\",valid-before=\"20200101Z\" {key}"));
    let rejection = verify(YES, MESSAGE, &signature, &old, &revocations(&key), time(NOW)).unwrap_err();
    let codes: Vec<RejectionCode> = rejection.faults().map(|fault| fault.code).collect();
    assert_eq!(codes, [RejectionCode::WrongNamespace, RejectionCode::SignerExpired, RejectionCode::Revoked]);
    assert_eq!(rejection.to_string(), "wrong_namespace: the signature is for `git`, not for `cutter-approval`");
}

#[test]
fn a_key_with_two_lines_may_sign_when_one_line_allows_it() {
    let bench = Bench::new();
    let key = bench.key("k", &["ed25519"]);
    let signature = saved(&bench, bench.sign("k", YES, MESSAGE));
    let list = format!(
        "a namespaces=\"{YES}\",valid-before=\"20260101Z\" {key}\na namespaces=\"{YES}\",valid-after=\"20260601Z\" {key}\n"
    );
    bench.write("signers", &list);
    for (at, allowed) in [("2025-12-31T00:00:00Z", true), (NOW, false), ("2026-06-01T00:00:00Z", true)] {
        let ours = verify(YES, MESSAGE, &signature, &signers(&list), &Revocations::none(), time(at));
        assert_eq!((ours.is_ok(), bench.accepts("a", YES, MESSAGE, time(at))), (allowed, allowed), "{at}");
    }
}

#[test]
fn outside_its_times_no_signer_is_accepted_whatever_the_moment() {
    let bench = Bench::new();
    let key = bench.key("k", &["ed25519"]);
    let signature = bench.sign("k", YES, MESSAGE);
    let list = format!("a namespaces=\"{YES}\",valid-after=\"20260521081500Z\",valid-before=\"20260522081500Z\" {key}");
    let (first, last) = (time(NOW).milliseconds(), time("2026-05-22T08:15:00Z").milliseconds());
    let offsets = prop_oneof![-3i64..3, -200_000_000i64..200_000_000, -1_000_000_000_000i64..1_000_000_000_000];
    proptest!(ProptestConfig::with_cases(300), |(offset in offsets, from_last in any::<bool>())| {
        let at = offset + if from_last { last } else { first };
        let moment = cutter::time::Timestamp::from_milliseconds(at).unwrap();
        let ours = verify(YES, MESSAGE, &signature, &signers(&list), &Revocations::none(), moment);
        let expected = if (first..=last).contains(&at) { None } else { Some(RejectionCode::SignerExpired) };
        prop_assert_eq!(ours.err().map(|rejection| rejection.code()), expected);
    });
}
