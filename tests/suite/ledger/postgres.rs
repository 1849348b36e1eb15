//! The shared ledger: what its grants allow, and what they do not.

use crate::ledger::scene::{self, Place, entry, one_use, start};
use crate::support::postgres::Server;
use cutter::digest::Digest;
use cutter::ledger::{Consumption, Ledger, LedgerId, RunStarted};

#[test]
fn where_there_is_no_schema_there_is_no_ledger() {
    let server = Server::start();
    let ledger = scene::postgres(&server.conninfo("postgres", "postgres"), None);
    assert_eq!(ledger.id().unwrap(), None);
    assert!(!ledger.is_consumed(Digest::of(b"a"), "cut").unwrap());
    for problem in [
        ledger.consume(&[one_use("a", "cut", "r")]).map(|_| ()).unwrap_err(),
        ledger.start_run(&start("r")).map(|_| ()).unwrap_err(),
        ledger.append(&entry("r", "2026-05-21T08:15:00Z")).map(|_| ()).unwrap_err(),
    ] {
        assert_eq!(problem.message, "there is no ledger at `postgres`");
    }
    let schemas =
        server.connect("postgres", "postgres").query("SELECT FROM pg_namespace WHERE nspname ~ 'cutter'", &[]);
    assert!(schemas.unwrap().is_empty());
}

#[test]
fn the_role_of_runs_can_use_look_and_append_with_its_grants_only() {
    let (server, place) = scene::server();
    let ledger = place.open();
    assert_eq!(ledger.id().unwrap(), Some(LedgerId::from_random(7)));
    assert_eq!(ledger.consume(&[one_use("a", "cut", "r")]).unwrap(), Consumption::Consumed);
    assert_eq!(ledger.start_run(&start("r")).unwrap(), RunStarted::Started);
    assert_eq!(ledger.append(&entry("r", "2026-05-21T08:15:00Z")).unwrap(), 1);
    let mut runs = server.connect("runs", "postgres");
    for statement in [
        "DELETE FROM cutter_ledger.uses",
        "UPDATE cutter_ledger.uses SET action = 'x'",
        "TRUNCATE cutter_ledger.uses",
        "DELETE FROM cutter_ledger.runs",
        "UPDATE cutter_ledger.runs SET run = 'x'",
        "DELETE FROM cutter_ledger.journal",
        "UPDATE cutter_ledger.journal SET record = 'x'",
        "TRUNCATE cutter_ledger.journal",
        "DELETE FROM cutter_ledger.ledger",
        "UPDATE cutter_ledger.ledger SET id = repeat('0', 32)",
        "INSERT INTO cutter_ledger.ledger (version, id) VALUES (1, repeat('0', 32))",
        "INSERT INTO cutter_ledger.uses (recorded_by) VALUES ('somebody')",
        "INSERT INTO cutter_ledger.runs (recorded_at) VALUES (now())",
        "DROP TABLE cutter_ledger.uses",
        "ALTER TABLE cutter_ledger.uses DISABLE TRIGGER ALL",
        "CREATE TABLE cutter_ledger.mine ()",
        "CREATE INDEX ON cutter_ledger.uses (run)",
        "BEGIN; LOCK TABLE cutter_ledger.uses IN ACCESS EXCLUSIVE MODE",
        "DROP SCHEMA cutter_ledger CASCADE",
    ] {
        let error = runs.batch_execute(statement).expect_err(statement);
        let _ = runs.batch_execute("ROLLBACK");
        let state = error.code().map(|state| state.code().to_owned());
        assert_eq!(state.as_deref(), Some("42501"), "{statement}: {error:?}");
    }
    assert!(ledger.is_consumed(Digest::of(b"a"), "cut").unwrap());
}

#[test]
fn another_role_can_do_nothing() {
    let (server, _) = scene::server();
    server.execute("CREATE ROLE stranger LOGIN");
    let ledger = Place::Postgres(server.conninfo("stranger", "postgres")).open();
    let problem = ledger.id().unwrap_err();
    assert!(problem.message.contains("permission denied"), "{}", problem.message);
    assert!(problem.help.unwrap().contains("grants"));
    assert!(ledger.consume(&[one_use("a", "cut", "r")]).is_err());
    assert!(ledger.is_consumed(Digest::of(b"a"), "cut").is_err());
}

#[test]
fn a_second_init_keeps_the_id() {
    let (server, place) = scene::server();
    let owner = scene::postgres(&server.conninfo("owner", "postgres"), Some("runs"));
    let problem = owner.init(LedgerId::from_random(8)).unwrap_err();
    assert!(problem.message.contains("already"), "{}", problem.message);
    assert_eq!(place.open().id().unwrap(), Some(LedgerId::from_random(7)));
}

#[test]
fn a_role_that_could_undo_its_uses_is_refused_and_nothing_is_made() {
    let server = Server::start();
    server.execute(
        "CREATE ROLE owner LOGIN; CREATE ROLE heir LOGIN; GRANT owner TO heir; CREATE ROLE god SUPERUSER; \
         GRANT CREATE ON DATABASE postgres TO owner",
    );
    for (role, told) in [
        ("owner", "role `owner` could remove what the ledger records"),
        ("heir", "role `heir` could remove what the ledger records"),
        ("god", "role `god` could remove what the ledger records"),
        ("nobody\"; --", "there is no role `nobody\"; --`"),
    ] {
        let ledger = scene::postgres(&server.conninfo("owner", "postgres"), Some(role));
        assert_eq!(ledger.init(LedgerId::from_random(7)).unwrap_err().message, told);
        assert_eq!(ledger.id().unwrap(), None);
    }
}

#[test]
fn grants_that_default_privileges_gave_are_taken_back() {
    let server = Server::start();
    server.execute(
        "CREATE ROLE owner LOGIN; CREATE ROLE runs LOGIN; GRANT CREATE ON DATABASE postgres TO owner; \
         ALTER DEFAULT PRIVILEGES FOR ROLE owner GRANT ALL ON TABLES TO runs, PUBLIC",
    );
    let owner = scene::postgres(&server.conninfo("owner", "postgres"), Some("runs"));
    owner.init(LedgerId::from_random(7)).unwrap();
    let error = server.connect("runs", "postgres").batch_execute("DELETE FROM cutter_ledger.uses").unwrap_err();
    assert_eq!(error.code().unwrap().code(), "42501");
}

#[test]
fn a_spoilt_journal_row_is_reported_and_the_rest_is_read() {
    let (server, place) = scene::server();
    let ledger = place.open();
    for _ in 0..3 {
        ledger.append(&entry("r", "2026-05-21T08:15:00Z")).unwrap();
    }
    server.execute("UPDATE cutter_ledger.journal SET record = 'x' WHERE sequence = 2");
    let journal = ledger.journal(None).unwrap();
    assert_eq!(journal.records.len(), 2);
    assert_eq!(journal.damages.iter().map(|damage| damage.line).collect::<Vec<_>>(), [2, 3]);
    server.execute("DELETE FROM cutter_ledger.journal WHERE sequence = 2");
    let damages = ledger.journal(None).unwrap().damages;
    assert_eq!(damages[0].damage, "record 3 stands where 2 belongs");
}

#[test]
fn a_use_is_committed_even_where_the_server_would_not_wait_for_its_disk() {
    let (server, place) = scene::server();
    // The test server runs with `synchronous_commit = off`; the writing session must not.
    server.execute(
        "CREATE TABLE seen (setting text); GRANT INSERT ON seen TO runs; \
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS \
           $$BEGIN INSERT INTO public.seen VALUES (current_setting('synchronous_commit')); RETURN NEW; END$$; \
         CREATE TRIGGER note BEFORE INSERT ON cutter_ledger.uses FOR EACH ROW EXECUTE FUNCTION note()",
    );
    assert_eq!(place.open().consume(&[one_use("a", "cut", "r")]).unwrap(), Consumption::Consumed);
    let row = server.connect("postgres", "postgres").query_one("SELECT setting FROM seen", &[]).unwrap();
    assert_eq!(row.get::<_, String>(0), "on");
}

#[test]
fn a_server_that_is_gone_is_an_error_and_never_an_unused_approval() {
    let (server, place) = scene::server();
    drop(server);
    let ledger = place.open();
    assert!(ledger.is_consumed(Digest::of(b"a"), "cut").is_err());
    assert!(ledger.consume(&[one_use("a", "cut", "r")]).unwrap_err().help.is_some());
}
