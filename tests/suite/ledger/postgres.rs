//! The shared ledger: what the role of runs can do, and what it cannot.

use crate::ledger::scene::{self, Place, begin, refused, run, started};
use crate::support::postgres::Server;
use cutter::ledger::{Begun, Ledger, LedgerId, Wanted};
use std::time::{Duration, Instant};

#[test]
fn where_there_is_no_schema_there_is_no_ledger() {
    let server = Server::start();
    let ledger = scene::postgres(&server.conninfo("postgres", "postgres"), None);
    assert_eq!(ledger.id().unwrap(), None);
    assert!(ledger.read(Wanted::All).unwrap().entries.is_empty());
    for problem in [ledger.note(&refused("r", "denied")).unwrap_err(), ledger.hold("r").map(drop).unwrap_err()] {
        assert_eq!(problem.message, "there is no ledger at `postgres`");
    }
    let schemas =
        server.connect("postgres", "postgres").query("SELECT FROM pg_namespace WHERE nspname ~ 'cutter'", &[]);
    assert!(schemas.unwrap().is_empty());
}

#[test]
fn a_ledger_of_version_1_is_refused_by_name() {
    let server = Server::start();
    server.execute("CREATE SCHEMA cutter_ledger; CREATE TABLE cutter_ledger.uses ()");
    let problem = scene::postgres(&server.conninfo("postgres", "postgres"), None).id().unwrap_err();
    assert!(problem.message.contains("version 1"), "{}", problem.message);
}

#[test]
fn a_server_that_nothing_vouches_for_is_refused() {
    let resolve = |connection: &'static str| scene::resolve(connection, None);
    for unknown in ["postgres://runs@127.0.0.1:5432/postgres", "host=localhost user=runs dbname=postgres"] {
        let problem = resolve(unknown).unwrap_err();
        assert!(problem.message.contains("nothing shows that it is the right one"), "{}", problem.message);
    }
    for socket in ["postgres://runs@/postgres?host=/run/pg", "postgresql:///postgres?host=/run/pg&user=runs"] {
        assert!(resolve(socket).is_ok(), "{socket}");
    }
}

/// Everything that a runner's role tried: rights on tables, functions that are not its own, and records that never were.
#[test]
fn the_role_of_runs_can_write_nothing_but_what_the_functions_let_it() {
    let (server, place) = scene::server();
    let ledger = place.open();
    let number = run(&*ledger, &started("r", "cut", &["a"]), Some(0));
    let mut runs = server.connect("runs", "postgres");
    let digest = "0".repeat(64);
    for (statement, state) in [
        ("SELECT * FROM cutter_ledger.records", "42501"),
        ("SELECT * FROM cutter_ledger.tokens", "42501"),
        ("DELETE FROM cutter_ledger.records", "42501"),
        ("UPDATE cutter_ledger.records SET line = 'x'", "42501"),
        ("TRUNCATE cutter_ledger.records", "42501"),
        ("INSERT INTO cutter_ledger.records VALUES (9223372036854775807, '{}')", "42501"),
        ("UPDATE cutter_ledger.head SET sequence = 9223372036854775806", "42501"),
        ("BEGIN; LOCK TABLE cutter_ledger.head IN ACCESS EXCLUSIVE MODE", "42501"),
        ("BEGIN; SELECT * FROM cutter_ledger.head FOR UPDATE", "42501"),
        ("DROP SCHEMA cutter_ledger CASCADE", "42501"),
        ("CREATE TABLE cutter_ledger.mine ()", "42501"),
        ("SELECT cutter_ledger.write('{\"kind\":\"finished\"}')", "42501"),
        ("SELECT cutter_ledger.accept_place()", "42501"),
        ("SELECT cutter_ledger.attest(1, '{}')", "CL003"),
        ("SELECT cutter_ledger.attest(1, 'no JSON')", "22P02"),
        ("SELECT cutter_ledger.note('{\"kind\":\"finished\"}')", "22023"),
        ("SELECT cutter_ledger.note('{\"kind\":\"refused\",\"run\":7}')", "22023"),
        (
            "SELECT cutter_ledger.finish('{\"run\":\"r\",\"action\":\"cut\",\"started\":3,\"exit_status\":0}', '')",
            "CL002",
        ),
        (
            "SELECT cutter_ledger.finish('{\"run\":\"r\",\"action\":\"cut\",\"started\":-3,\"exit_status\":0}', '')",
            "22023",
        ),
        ("SELECT cutter_ledger.begin('{\"run\":\"r\"}')", "22023"),
    ] {
        let error = runs.batch_execute(statement).expect_err(statement);
        let _ = runs.batch_execute("ROLLBACK");
        let found = error.code().map(|state| state.code().to_owned());
        assert_eq!(found.as_deref(), Some(state), "{statement}: {error:?}");
    }
    // What no reader could read, and a version that no bundle could follow.
    let with = |part: &str, value: &str| {
        let digest = cutter::digest::Digest::of(b"bundle");
        let mut said = serde_json::json!({"run": "x", "plan_sha256": digest.to_string(), "action": "cut", "principal": "p", "argv": [],
            "approvals": [], "decided_at": "2026-01-01T00:00:00.000Z", "bundle": {"version": 1, "sha256": digest.to_string()},
            "repeatable": false, "decision": null});
        *said.pointer_mut(part).unwrap() = "VALUE".into();
        format!("SELECT * FROM cutter_ledger.begin('{}')", said.to_string().replace("\"VALUE\"", value))
    };
    let deep = format!("{}0{}", "[".repeat(200), "]".repeat(200));
    let long = format!("\"{}\"", "x".repeat(9_000_000));
    let many = format!("[{}]", vec![format!("\"{}\"", "x".repeat(60_000)); 200].join(","));
    for (part, value) in [
        ("/bundle/version", "9223372036854775807"),
        ("/bundle/version", "1.5"),
        ("/decision", deep.as_str()),
        ("/decision", "{\"n\": 1e400}"),
        ("/decision", "{\"n\": 0.5}"),
        ("/decision", long.as_str()),
        ("/decided_at", "\"10000-01-01T00:00:00.000Z\""),
        ("/argv", many.as_str()),
        ("/repeatable", "null"),
    ] {
        let error = runs.batch_execute(&with(part, value)).expect_err(part);
        let found = error.code().map(|state| state.code().to_owned()).unwrap_or_default();
        assert!(found.starts_with("22"), "{part} {error:?}");
    }
    let long = format!("SELECT cutter_ledger.attest(1, '{{\"a\":{long}}}')").replace('x', "xxxx");
    assert_eq!(runs.batch_execute(&long).unwrap_err().code().map(|state| state.code()), Some("22023"));
    let statement = format!("SELECT cutter_ledger.attest(1, '{{\"a\":{deep}}}')");
    assert_eq!(runs.batch_execute(&statement).unwrap_err().code().map(|state| state.code()), Some("22023"));
    // An end of its own that gives no facts is one that readers read.
    let begun = runs.query_one(&with("/decision", "null"), &[]).unwrap();
    let (began, token): (i64, String) = (begun.get(0), begun.get(1));
    let end = |more: &str| {
        format!(
            "SELECT cutter_ledger.finish('{{\"run\":\"x\",\"action\":\"cut\",\"started\":{began},\"exit_status\":0,{more}}}', '{token}')"
        )
    };
    let key = "x".repeat(9_000_000);
    let found = format!(
        "\"output\":{{\"sha256\":\"{digest}\",\"length\":1,\"variables\":[],\"shapes\":0,\"found\":{{\"{key}\":1}}}}"
    );
    assert_eq!(runs.batch_execute(&end(&found)).unwrap_err().code().map(|state| state.code()), Some("22023"));
    runs.batch_execute(&end("\"produced\":{}")).unwrap();
    // A beginning of its own is one of today, whatever time it names, and of the next number.
    let forged = format!(
        r#"SELECT cutter_ledger.begin('{{"run":"y","plan_sha256":"{digest}","action":"cut","principal":"p","argv":[],"approvals":[],
        "decided_at":"2099-01-01T00:00:00.000Z","bundle":{{"version":1,"sha256":"{}"}},"repeatable":false,"decision":null,
        "sequence":9223372036854775807,"time":"2099-01-01T00:00:00.000Z","more":1}}')"#,
        cutter::digest::Digest::of(b"bundle")
    );
    runs.batch_execute(&forged).unwrap();
    let journal = ledger.read(Wanted::All).unwrap();
    assert_eq!(journal.damages, []);
    assert!(journal.last_time.unwrap() < scene::time("2098-01-01T00:00:00Z"));
    assert_eq!(journal.head.unwrap().length, number + 4);
    run(&*ledger, &started("r", "next", &[]), Some(0));
}

#[test]
fn a_stranger_who_may_connect_holds_nobody_up() {
    let (server, place) = scene::server();
    server.execute("CREATE ROLE stranger LOGIN");
    let mut stranger = server.connect("stranger", "postgres");
    // Every lock that anybody may take: the whole space of small keys, and that of the ledger's schema.
    let oid = "(SELECT oid::bigint FROM pg_namespace WHERE nspname = 'cutter_ledger')";
    let locks = format!(
        "BEGIN; SELECT pg_advisory_lock(number) FROM generate_series(0, 300) number; \
         SELECT pg_advisory_lock({oid}), pg_advisory_lock({oid} + 7310000000000)"
    );
    stranger.batch_execute(&locks).unwrap();
    for statement in ["BEGIN; LOCK TABLE cutter_ledger.head", "SELECT cutter_ledger.hold('r')"] {
        let _ = stranger.batch_execute("COMMIT");
        assert!(stranger.batch_execute(statement).is_err(), "{statement}");
        let _ = stranger.batch_execute("ROLLBACK");
    }
    let began = Instant::now();
    run(&*place.open(), &started("r", "cut", &["a"]), Some(0));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn another_role_can_do_nothing() {
    let (server, _) = scene::server();
    server.execute("CREATE ROLE stranger LOGIN");
    let ledger = Place::Postgres(server.conninfo("stranger", "postgres")).open();
    let problem = ledger.id().unwrap_err();
    assert!(problem.message.contains("permission denied"), "{}", problem.message);
    assert!(problem.help.unwrap().contains("grants"));
    assert!(ledger.hold("r").is_err() && ledger.read(Wanted::All).is_err());
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
         ALTER DEFAULT PRIVILEGES FOR ROLE owner GRANT ALL ON TABLES TO runs, PUBLIC; \
         ALTER DEFAULT PRIVILEGES FOR ROLE owner GRANT ALL ON FUNCTIONS TO runs, PUBLIC",
    );
    let owner = scene::postgres(&server.conninfo("owner", "postgres"), Some("runs"));
    owner.init(LedgerId::from_random(7)).unwrap();
    for statement in ["DELETE FROM cutter_ledger.records", "SELECT cutter_ledger.write('{}')"] {
        let error = server.connect("runs", "postgres").batch_execute(statement).unwrap_err();
        assert_eq!(error.code().unwrap().code(), "42501", "{statement}");
    }
}

#[test]
fn rows_that_the_owner_edited_removed_or_put_in_are_found() {
    let (server, place) = scene::server();
    let ledger = place.open();
    for number in 0..3 {
        run(&*ledger, &started(&format!("r-{number}"), "cut", &["a"][..usize::from(number == 0)]), Some(0));
    }
    assert_eq!(ledger.read(Wanted::All).unwrap().damages, []);
    for damage in [
        "UPDATE cutter_ledger.records SET line = replace(line, '\"cut\"', '\"cot\"') WHERE sequence = 4",
        "UPDATE cutter_ledger.records SET line = '{}' WHERE sequence = 5",
        "DELETE FROM cutter_ledger.records WHERE sequence = 4",
        "DELETE FROM cutter_ledger.records WHERE sequence >= 7",
        "INSERT INTO cutter_ledger.records SELECT 99, line FROM cutter_ledger.records WHERE sequence = 3",
    ] {
        let mut session = server.connect("postgres", "postgres");
        session.batch_execute("CREATE TABLE kept AS SELECT * FROM cutter_ledger.records").unwrap();
        session.batch_execute(damage).unwrap();
        assert!(!ledger.read(Wanted::All).unwrap().damages.is_empty(), "{damage}");
        let restore =
            "TRUNCATE cutter_ledger.records; INSERT INTO cutter_ledger.records SELECT * FROM kept; DROP TABLE kept";
        session.batch_execute(restore).unwrap();
    }
    assert_eq!(ledger.read(Wanted::All).unwrap().damages, []);
}

#[test]
fn a_ledger_of_another_server_begins_nothing_until_its_owner_accepts_that() {
    let (server, place) = scene::server();
    let ledger = place.open();
    run(&*ledger, &started("r-1", "cut", &["a"]), Some(0));
    server.execute("UPDATE cutter_ledger.head SET place = 'server 1, timeline 00000001'");
    for problem in [ledger.id().unwrap_err(), ledger.hold("r-2").map(drop).unwrap_err()] {
        assert!(problem.message.contains("is a copy") && problem.help.unwrap().contains("accept-place"));
    }
    let note = "SELECT cutter_ledger.note('{\"kind\":\"vote\"}')";
    assert!(server.connect("runs", "postgres").batch_execute(note).is_err());
    assert!(scene::postgres(&server.conninfo("runs", "postgres"), None).accept_place().is_err());
    scene::postgres(&server.conninfo("owner", "postgres"), None).accept_place().unwrap();
    let journal = ledger.read(Wanted::All).unwrap();
    assert!(
        journal.damages.is_empty()
            && matches!(journal.entries.last().unwrap().record, cutter::ledger::Record::Moved(_))
    );
    assert!(matches!(begin(&*ledger, &started("r-2", "cut", &["b"])), Begun::Begun(_)));
}

#[test]
fn a_use_is_committed_even_where_the_server_would_not_wait_for_its_disk() {
    let (server, place) = scene::server();
    // The test server runs with `synchronous_commit = off`; the writing session must not.
    server.execute(
        "CREATE TABLE seen (setting text); GRANT INSERT ON seen TO owner; \
         CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS \
           $$BEGIN INSERT INTO public.seen VALUES (current_setting('synchronous_commit')); RETURN NEW; END$$; \
         CREATE TRIGGER noted BEFORE INSERT ON cutter_ledger.records FOR EACH ROW EXECUTE FUNCTION noted()",
    );
    assert!(matches!(begin(&*place.open(), &started("r", "cut", &["a"])), Begun::Begun(_)));
    let row = server.connect("postgres", "postgres").query_one("SELECT DISTINCT setting FROM seen", &[]).unwrap();
    assert_eq!(row.get::<_, String>(0), "on");
}

#[test]
fn a_server_that_is_gone_is_an_error_and_never_an_unused_approval() {
    let (server, place) = scene::server();
    drop(server);
    let ledger = place.open();
    assert!(ledger.read(Wanted::All).is_err());
    assert!(ledger.hold("r").map(drop).unwrap_err().help.is_some());
}
