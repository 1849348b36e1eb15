//! What every ledger keeps to, in a folder and in PostgreSQL.

use crate::ledger::scene::{self, begin, finished, refused, run, started};
use cutter::digest::Digest;
use cutter::ledger::{
    Attestation, Attested, Begun, Conflict, Ledger, LedgerId, ProgramOutput, Published, Record, SeenBundle,
    SwitchedOff, Voided, Vote, Wanted,
};
use serde_json::json;
use std::sync::mpsc::channel;
use std::time::Duration;

fn of<'a>(run: &'a str, approvals: &'a [Digest]) -> Wanted<'a> {
    Wanted::Of { run, approvals }
}

fn conflict(ledger: &dyn Ledger, start: &cutter::ledger::Started) -> Conflict {
    let before = ledger.read(Wanted::Nothing).unwrap().head;
    let Begun::Not(conflict) = begin(ledger, start) else { panic!("it began") };
    assert_eq!(ledger.read(Wanted::Nothing).unwrap().head, before, "a start that is refused writes nothing");
    *conflict
}

#[test]
fn a_start_and_its_end_are_read_as_they_were_written() {
    scene::each(|ledger| {
        let start = started("r-1", "cut", &["a", "b"]);
        let number = run(ledger, &start, Some(3));
        let journal = ledger.read(Wanted::All).unwrap();
        assert_eq!(journal.damages, []);
        let kinds: Vec<&str> = journal
            .entries
            .iter()
            .map(|entry| match entry.record {
                Record::Made(_) => "made",
                Record::NewerBundle(_) => "bundle",
                Record::Started(_) => "started",
                Record::Finished(_) => "finished",
                _ => "another",
            })
            .collect();
        assert_eq!(kinds, ["made", "bundle", "started", "finished"]);
        assert_eq!(
            journal.starts().map(|(entry, found)| (entry.sequence, found)).collect::<Vec<_>>(),
            [(number, &start)]
        );
        assert_eq!(journal.end_of(number).unwrap().1, &finished(&start, number, Some(3)));
        assert!(!journal.ended_well("r-1", start.plan, "cut"));
        assert_eq!(journal.entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert!(journal.entries.iter().all(|entry| !entry.by.is_empty()));
        assert_eq!(journal.last_time, journal.entries.iter().map(|entry| entry.time).max());
        assert_eq!((journal.id, journal.head.unwrap().length), (Some(LedgerId::from_random(7)), 4));
    });
}

#[test]
fn an_approval_is_used_once_for_an_action_whoever_comes_with_it() {
    scene::each(|ledger| {
        assert_eq!(begin(ledger, &started("r-1", "cut", &["b"])), Begun::Begun(3));
        let set = started("r-2", "cut", &["a", "b"]);
        assert!(matches!(conflict(ledger, &set), Conflict::ApprovalUsed { approval, .. } if approval.id == "b"));
        // The one that was not used before stays unused, and each counts for its own action.
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let journal = ledger.read(of("r-3", &[a, b])).unwrap();
        assert!(
            journal.used(a, "cut").is_none() && journal.used(b, "cut").is_some() && journal.used(b, "flip").is_none()
        );
        assert!(matches!(begin(ledger, &started("r-2", "cut", &["a"])), Begun::Begun(_)));
        assert!(matches!(begin(ledger, &started("r-2", "flip", &["b"])), Begun::Begun(_)));
    });
}

#[test]
fn an_action_begins_once_in_a_run_unless_it_is_repeatable_and_a_run_has_one_plan() {
    scene::each(|ledger| {
        let first = started("r-1", "cut", &[]);
        run(ledger, &first, Some(0));
        assert!(matches!(conflict(ledger, &first), Conflict::RanBefore { .. }));
        let mut off = started("r-1", "off", &[]);
        off.repeatable = true;
        run(ledger, &off, Some(0));
        run(ledger, &off, Some(0));
        let mut other = started("r-1", "third", &[]);
        other.plan = Digest::of(b"another plan");
        assert!(matches!(conflict(ledger, &other), Conflict::AnotherPlan { plan, .. } if plan == first.plan));
        run(ledger, &started("r-2", "cut", &[]), Some(0));
    });
}

#[test]
fn an_older_bundle_and_another_one_of_the_same_version_begin_nothing() {
    scene::each(|ledger| {
        let by = |number: u32, version, text: &[u8]| {
            let mut start = started(&format!("r-{number}"), "cut", &[]);
            start.bundle = SeenBundle { version, sha256: Digest::of(text) };
            start
        };
        run(ledger, &by(1, 4, b"four"), Some(0));
        run(ledger, &by(2, 4, b"four"), Some(0));
        assert!(matches!(conflict(ledger, &by(3, 3, b"three")), Conflict::OlderBundle { .. }));
        assert!(matches!(conflict(ledger, &by(3, 4, b"another four")), Conflict::OlderBundle { .. }));
        run(ledger, &by(3, 5, b"five"), Some(0));
        assert!(matches!(conflict(ledger, &by(4, 4, b"four")), Conflict::OlderBundle { .. }));
        let newest = ledger.read(of("none", &[])).unwrap().newest_bundle();
        assert_eq!(newest, Some(SeenBundle { version: 5, sha256: Digest::of(b"five") }));
    });
}

#[test]
fn an_end_is_written_once_and_by_whoever_began() {
    scene::each(|ledger| {
        let start = started("r-1", "cut", &[]);
        let mut held = ledger.hold("r-1").unwrap().unwrap();
        let Begun::Begun(number) = held.begin(&start).unwrap() else { panic!("it did not begin") };
        let mut other = finished(&start, number, Some(0));
        other.action = "flip".to_owned();
        drop(held);
        for (end, case) in [(other, "another action"), (finished(&start, 1, Some(0)), "no beginning")] {
            assert!(ledger.hold("r-1").unwrap().unwrap().finish(&end).is_err(), "{case}");
        }
        let again = started("r-2", "cut", &[]);
        let number = run(ledger, &again, Some(0));
        assert!(ledger.hold("r-2").unwrap().unwrap().finish(&finished(&again, number, Some(0))).is_err());
        assert_eq!(ledger.read(Wanted::All).unwrap().damages, []);
    });
}

#[test]
fn what_a_beginner_that_is_gone_left_open_is_ended_by_whoever_has_the_place_of_the_run_and_not_while_it_works() {
    scene::each(|ledger| {
        let start = started("r-1", "cut", &["a"]);
        let mut held = ledger.hold("r-1").unwrap().unwrap();
        let Begun::Begun(number) = held.begin(&start).unwrap() else { panic!("it did not begin") };
        let open = |ledger: &dyn Ledger| ledger.read(of("r-1", &[])).unwrap().open("r-1").count();
        assert_eq!(open(ledger), 1);
        let mut elsewhere = ledger.hold("r-2").unwrap().unwrap();
        if ledger.name() == "postgres" {
            assert!(elsewhere.finish(&finished(&start, number, Some(0))).is_err(), "it works still");
        }
        drop((held, elsewhere));
        let mut held = ledger.hold("r-1").unwrap().unwrap();
        held.finish(&finished(&start, number, Some(1))).unwrap();
        drop(held);
        assert_eq!(open(ledger), 0);
        assert!(ledger.hold("r-1").unwrap().unwrap().finish(&finished(&start, number, Some(0))).is_err());
        assert!(matches!(conflict(ledger, &start), Conflict::ApprovalUsed { .. } | Conflict::RanBefore { .. }));
    });
}

#[test]
fn what_is_known_of_the_output_of_a_program_is_kept_with_its_end() {
    scene::each(|ledger| {
        let start = started("r-1", "cut", &[]);
        let mut held = ledger.hold("r-1").unwrap().unwrap();
        let Begun::Begun(number) = held.begin(&start).unwrap() else { panic!("it did not begin") };
        let mut end = finished(&start, number, Some(0));
        end.output = Some(ProgramOutput {
            sha256: Digest::of(b"text"),
            length: 4,
            variables: vec!["TOKEN".to_owned(), "PASSWORD".to_owned()],
            shapes: 12,
            found: [("the value of `TOKEN`".to_owned(), 2), ("a \"key\" \u{e9}".to_owned(), 1)].into(),
        });
        held.finish(&end).unwrap();
        let journal = ledger.read(of("r-1", &[])).unwrap();
        assert_eq!(journal.end_of(number).map(|(_, found)| found), Some(&end));
    });
}

#[test]
fn nothing_begins_in_a_run_that_was_voided() {
    scene::each(|ledger| {
        run(ledger, &started("r-1", "cut", &[]), Some(1));
        let (run, plan) = ("r-1".to_owned(), Digest::of(b"plan"));
        ledger.note(&Record::Voided(Voided { run, plan, reason: "the cut failed".to_owned() })).unwrap();
        let mut next = started("r-1", "record", &[]);
        next.repeatable = true;
        assert!(matches!(conflict(ledger, &next), Conflict::Voided { .. }));
        assert!(matches!(begin(ledger, &started("r-2", "record", &[])), Begun::Begun(_)));
        assert!(ledger.read(of("r-1", &[])).unwrap().voided("r-1").is_some());
    });
}

#[test]
fn what_was_turned_off_by_its_declaration_alone_is_kept_with_its_run() {
    scene::each(|ledger| {
        let off = SwitchedOff {
            run: "r-1".to_owned(),
            plan: Digest::of(b"plan"),
            action: "off".to_owned(),
            flag: "posting".to_owned(),
            value: "off \u{e9}".to_owned(),
            note: "the ledger was away".to_owned(),
        };
        ledger.note(&Record::SwitchedOff(off.clone())).unwrap();
        let kept = ledger.read(of("r-1", &[])).unwrap().entries;
        assert!(matches!(kept.as_slice(), [entry] if entry.record == Record::SwitchedOff(off.clone())), "{kept:?}");
    });
}

#[test]
fn the_place_of_a_run_is_taken_by_one_and_others_are_not_held_up() {
    scene::each(|ledger| {
        let held = ledger.hold("r-1").unwrap().unwrap();
        assert!(ledger.hold("r-2").unwrap().is_some());
        ledger.note(&refused("r-1", "denied")).unwrap();
        drop(held);
        assert!(ledger.hold("r-1").unwrap().is_some());
    });
}

#[test]
fn who_waits_for_the_place_of_a_run_gets_it_when_it_is_free() {
    let check = |place: &scene::Place| {
        let (sender, receiver) = channel();
        let ledger = place.open();
        let held = ledger.hold("r-1").unwrap().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let ledger = place.open();
                let held = ledger.hold("r-1").unwrap();
                sender.send(held.is_some()).unwrap();
            });
            assert!(receiver.recv_timeout(Duration::from_millis(300)).is_err(), "nobody waited");
            drop(held);
            assert_eq!(receiver.recv_timeout(Duration::from_secs(60)), Ok(true));
        });
    };
    let (_folder, place) = scene::directory();
    check(&place);
    let (_server, place) = scene::server();
    check(&place);
}

#[test]
fn an_attestation_is_kept_after_the_one_that_it_names_and_anything_else_is_refused() {
    scene::each(|ledger| {
        let statement = |previous: Option<&str>, id: u128| {
            let journal = json!({"ledger": LedgerId::from_random(id).to_string()});
            json!({"predicate": {"previous": previous.map(|text| Digest::of(text.as_bytes()).to_string()),
                "grounds": {"journal": journal}}})
            .to_string()
        };
        let attest = |number, text: &str| ledger.attest(&Attestation { number, statement: text.to_owned() });
        let first = statement(None, 7);
        for wrong in ["{}".to_owned(), "no JSON".to_owned(), statement(None, 8), statement(Some("x"), 7)] {
            assert!(attest(1, &wrong).is_err(), "{wrong}");
        }
        assert_eq!(attest(2, &first).unwrap(), Attested::Taken);
        assert_eq!(attest(1, &first).unwrap(), Attested::Appended);
        assert_eq!(attest(1, &first).unwrap(), Attested::Taken);
        assert!(attest(2, &first).is_err());
        let second = statement(Some(&first), 7);
        assert_eq!(attest(2, &second).unwrap(), Attested::Appended);
        let journal = ledger.read(Wanted::Attestations).unwrap();
        assert_eq!(journal.attestations(), [(1, first.as_str()), (2, second.as_str())]);
        let (_, chain) = journal.chain("it").unwrap();
        assert_eq!((chain.faults.len(), chain.digests.len()), (0, 2));
    });
}

#[test]
fn votes_and_refusals_are_kept_and_found() {
    scene::each(|ledger| {
        let vote = |text: &str| Vote { approval: Digest::of(b"a"), signature: text.to_owned() };
        let first = ledger.note(&Record::Vote(vote("signature\n"))).unwrap();
        ledger.note(&refused("r-1", "denied: it needs \"SG_1\"")).unwrap();
        ledger.note(&Record::Vote(vote("another"))).unwrap();
        let journal = ledger.read(of("r-1", &[Digest::of(b"a")])).unwrap();
        let votes: Vec<_> = journal.votes(Digest::of(b"a")).collect();
        assert_eq!(votes, [(first, &vote("signature\n")), (first + 2, &vote("another"))]);
        assert!(journal.entries.iter().any(|entry| entry.record == refused("r-1", "denied: it needs \"SG_1\"")));
        assert_eq!(ledger.read(of("r-2", &[])).unwrap().entries.len(), 0);
    });
}

#[test]
fn a_published_head_holds_as_the_ledger_grows_and_another_does_not() {
    scene::each(|ledger| {
        ledger.note(&refused("r-1", "denied")).unwrap();
        let head = ledger.read(Wanted::Nothing).unwrap().head.unwrap();
        let published =
            Published { version: 2, ledger: LedgerId::from_random(7), length: head.length, sha256: head.sha256 };
        assert_eq!(published.missing(ledger).unwrap(), None);
        ledger.note(&refused("r-1", "denied again")).unwrap();
        assert_eq!(published.missing(ledger).unwrap(), None);
        for wrong in [
            Published { length: 99, ..published.clone() },
            Published { sha256: Digest::of(b""), ..published.clone() },
            Published { ledger: LedgerId::from_random(8), ..published.clone() },
        ] {
            assert!(wrong.missing(ledger).unwrap().is_some(), "{wrong:?}");
        }
    });
}

#[test]
fn a_second_init_keeps_the_id() {
    let (server, place) = scene::server();
    let owner = scene::postgres(&server.conninfo("owner", "postgres"), Some("runs"));
    let (world, folder) = scene::directory();
    for (ledger, place) in [(&owner as &dyn Ledger, place), (&scene::folder(world.path(".cutter")), folder)] {
        let problem = ledger.init(LedgerId::from_random(8)).unwrap_err();
        assert!(problem.message.contains("already"), "{}", problem.message);
        assert_eq!(place.open().id().unwrap(), Some(LedgerId::from_random(7)));
    }
}
