//! The guard that the database itself keeps: with it nobody calls a function but a run that the ledger let begin.

use super::function::{WORK, approved_by, units};
use crate::attest::scene::Scene;
use crate::ledger::scene::{finished, postgres, started, user_of};
use crate::support::world::AUTHOR;
use cutter::ledger::{Begun, Ledger as _, LedgerId, PostgresLedger};
use postgres::Client;
use serde_json::json;
use std::process::Stdio;
use std::time::Duration;

/// A scene whose ledger lies in the database of the functions.
fn shared() -> Scene {
    let scene = Scene::new();
    scene.server.execute(
        "CREATE ROLE \"the \"\"owner\" LOGIN; CREATE ROLE runs LOGIN; GRANT CREATE, CONNECT ON DATABASE directus TO \"the \"\"owner\"; GRANT CONNECT ON DATABASE directus TO runs",
    );
    let made = PostgresLedger::statements(&LedgerId::from_random(7), Some("runs"));
    scene.server.connect("the \"owner", "directus").batch_execute(&made).unwrap();
    let ledger = ledger(&scene);
    scene.configure(|config| config.replacen("[effects.", &ledger, 1));
    scene.sign();
    scene
}

/// What a configuration says of that ledger, before its first effect.
fn ledger(scene: &Scene) -> String {
    let (host, user) = (scene.server.socket_directory().display(), user_of(&scene.server));
    format!(
        "[ledger]\nrole = \"runs\"\nserver_user = \"{user}\"\n[ledger.database]\nhost = \"{host}\"\nuser = \"runs\"\n\
         dbname = \"directus\"\n\n[effects."
    )
}

/// Everything that the database is, as text.
fn schema(scene: &Scene) -> String {
    let dumped = scene.server.client("pg_dump").args(["--schema-only", "directus"]).stderr(Stdio::inherit()).output();
    let text = String::from_utf8(dumped.unwrap().stdout).unwrap();
    assert!(text.contains("fn_iu_create") && text.contains("cutter_ledger"));
    // Newer ones write a number of their own beside it.
    text.lines()
        .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// What a call ends with.
fn call(session: &mut Client, sql: &str) -> Result<(), String> {
    session.batch_execute(sql).map_err(|error| error.as_db_error().unwrap().message().to_owned())
}

/// What a call by hand ends with, as the role of the runs' effects; nothing of it lasts.
fn by_hand(scene: &Scene, before: &str) -> Result<(), String> {
    let mut session = scene.server.connect("cutter_exec", "directus");
    let begun = session.batch_execute(&format!("BEGIN; {before}"));
    begun.map_err(|error| error.as_db_error().unwrap().message().to_owned())?;
    call(&mut session, BY_HAND)
}

/// The same while a run of this function is at work in this transaction, by the ledger's own session.
fn while_begun(scene: &Scene, run: &str, transaction: Option<&str>, function: &str) -> Result<(), String> {
    while_begun_for(scene, (run, transaction), function, BY_HAND)
}

fn while_begun_for(
    scene: &Scene,
    (run, transaction): (&str, Option<&str>),
    function: &str,
    sql: &str,
) -> Result<(), String> {
    let mut session = scene.server.connect("cutter_exec", "directus");
    session.batch_execute("BEGIN").unwrap();
    let own: String = session.query_one("SELECT pg_current_xact_id()::text", &[]).unwrap().get(0);
    let mut start = started(run, "it", &[]);
    (start.bundle.version, start.repeatable) = (0, true);
    start.transaction = Some(transaction.unwrap_or(&own).to_owned());
    start.decision = json!({"row": {"work": {"function": function}}});
    let ledger = postgres(&scene.server.conninfo("runs", "directus"), None);
    let mut held = ledger.hold(run).unwrap().unwrap();
    let Begun::Begun(number) = held.begin(&start).unwrap() else { panic!("it did not begin") };
    let called = call(&mut session, sql);
    held.finish(&finished(&start, number, Some(0))).unwrap();
    assert!(call(&mut session, sql).is_err(), "after its end");
    called
}

const BY_HAND: &str = "SELECT public.fn_iu_create('BY-HAND/ARTICLE-1', 'x', 'y', 'cutter_exec')";

/// The function as the configuration, and so the ledger, names it.
const CREATE: &str = "public.fn_iu_create(text, text, text, text, text, text, text, text, uuid)";

const REFUSED: &str = "is called by nobody but a run that the ledger lets begin";

#[test]
fn with_the_guard_a_function_is_called_by_a_run_alone_and_its_inverse_leaves_nothing() {
    let scene = shared();
    let before = schema(&scene);
    let printed = scene.cutter("enforce sql --format json");
    assert_eq!(printed.exit, 0, "{}{}", printed.stdout, printed.stderr);
    let printed = printed.json();
    assert_eq!(scene.cutter("enforce sql --package .").exit, 0);
    assert_eq!(schema(&scene), before, "it applies nothing");
    assert_eq!(by_hand(&scene, ""), Ok(()), "without the guard");
    let (guard, inverse) = (scene.read("guard.sql"), scene.read("guard-inverse.sql"));
    for (text, script) in [(&guard, &printed["guard"]), (&inverse, &printed["inverse"])] {
        assert_eq!(script["sql"], text.as_str());
        assert_eq!(script["sha256"], cutter::digest::Digest::of(text.as_bytes()).to_string());
    }
    scene.server.execute(&guard);
    assert_ne!(schema(&scene), before);
    let create = printed["functions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|of| of["function"].as_str().unwrap().contains("fn_iu_create"));
    let pin = |name: &str| create.unwrap()[name].as_str().unwrap().to_owned();

    // By hand it is refused, whatever else is going on: another run, or the very transaction with other work.
    assert!(by_hand(&scene, "").unwrap_err().contains(REFUSED));
    assert!(while_begun(&scene, "r-1", Some("747"), CREATE).unwrap_err().contains(REFUSED));
    assert!(while_begun(&scene, "r-2", None, "pg_catalog.now()").unwrap_err().contains(REFUSED));
    // The start of this work in this transaction is what lets it go on, until its end.
    assert_eq!(while_begun(&scene, "r-3", None, CREATE), Ok(()));
    // The role itself has no right to write a record, and one that it could write is its own.
    let mut start = started("r-4", "it", &[]);
    start.decision = json!({"row": {"work": {"function": CREATE}}});
    let start = serde_json::to_string(&start).unwrap();
    let forge = format!(
        "DO $$ BEGIN PERFORM cutter_ledger.begin(replace($j${start}$j$, '747', pg_current_xact_id()::text)::jsonb); END $$"
    );
    for forge in [&forge, "INSERT INTO cutter_ledger.tokens VALUES (2, gen_random_uuid())"] {
        assert!(by_hand(&scene, forge).unwrap_err().contains("permission denied"), "{forge}");
    }
    scene.server.execute(
        "GRANT USAGE ON SCHEMA cutter_ledger TO cutter_exec; GRANT EXECUTE ON FUNCTION cutter_ledger.begin(jsonb) TO cutter_exec",
    );
    assert!(by_hand(&scene, &forge).unwrap_err().contains(REFUSED), "by a record of its own");
    scene.server.execute(
        "REVOKE USAGE ON SCHEMA cutter_ledger FROM cutter_exec; REVOKE EXECUTE ON FUNCTION cutter_ledger.begin(jsonb) FROM cutter_exec",
    );

    // A run: the pin of what it calls is that of the guarded function.
    let ledger = ledger(&scene);
    let scene = approved_by(scene, WORK, |config| {
        format!("version = 1\n{config}")
            .replacen("[effects.", &ledger, 1)
            .replace(&pin("without_sha256"), &pin("with_sha256"))
    });
    let ran = scene.exec("it");
    assert_eq!((ran.exit, units(&scene)), (0, 1), "{}{}", ran.stdout, ran.stderr);
    assert!(by_hand(&scene, "").unwrap_err().contains(REFUSED), "after it");
    let there = scene.cutter("enforce sql --format json").json();
    assert_eq!((&there["functions"][0]["is_there"], &there["inverse"]), (&true.into(), &printed["inverse"]));

    scene.server.execute(&inverse);
    assert_eq!(schema(&scene), before);
    assert_eq!(by_hand(&scene, ""), Ok(()), "with the guard gone");
}

/// A row of this run turned the switch, by the ledger's own session.
fn turned(scene: &Scene, to: &str, exit_status: Option<i32>) {
    let mut start = started("r-1", to, &[]);
    (start.bundle.version, start.transaction, start.repeatable) = (0, None, true);
    start.decision = json!({"row": {"work": {"kind": "flag", "flag": "posting", "to": to}}});
    crate::ledger::scene::run(&postgres(&scene.server.conninfo("runs", "directus"), None), &start, exit_status);
}

#[test]
fn a_call_is_refused_when_its_run_turned_a_switch_on_too_long_ago() {
    let scene = shared();
    let refused = scene.cutter("enforce sql --switch-seconds 60");
    assert!(refused.exit == 3 && refused.stderr.contains("no switch stands in a row"), "{}", refused.stderr);
    let config = scene.read("cutter.toml");
    let switch = "query = \"SELECT 'on'\"\nset = \"SELECT $1\"\non = \"on\"\noff = \"off\"\n";
    scene.write("cutter.toml", format!("{config}\n[evidence.flags.posting]\n{switch}"));
    let before = schema(&scene);
    let printed = |seconds: u32| {
        let printed = scene.cutter(&format!("enforce sql --switch-seconds {seconds} --format json"));
        assert_eq!(printed.exit, 0, "{}", printed.stderr);
        let printed = printed.json();
        let script = |name: &str| printed[name]["sql"].as_str().unwrap().to_owned();
        (script("guard"), script("inverse"))
    };
    let (guard, inverse) = printed(3600);
    scene.server.execute(&guard);
    assert_eq!(while_begun(&scene, "r-1", None, CREATE), Ok(()), "nothing was turned on");
    turned(&scene, "on", Some(0));
    assert_eq!(while_begun(&scene, "r-1", None, CREATE), Ok(()));
    scene.server.execute(&inverse);
    let (guard, inverse) = printed(1);
    scene.server.execute(&guard);
    std::thread::sleep(Duration::from_millis(1100));
    let late = while_begun(&scene, "r-1", None, CREATE).unwrap_err();
    assert!(late.contains("turned a switch on more than 1 seconds ago"), "{late}");
    assert_eq!(while_begun(&scene, "r-2", None, CREATE), Ok(()), "another run turned nothing on");
    // Off that failed, was cut off, or was only noted is not off.
    let ledger = postgres(&scene.server.conninfo("runs", "directus"), None);
    let noted = json!({"kind": "switched_off", "run": "r-1", "plan_sha256": "0".repeat(64), "action": "off", "flag": "posting",
        "value": "off", "note": "by hand"});
    turned(&scene, "off", Some(1));
    turned(&scene, "off", None);
    ledger.note(&serde_json::from_value(noted).unwrap()).unwrap();
    assert_eq!(while_begun(&scene, "r-1", None, CREATE).unwrap_err(), late);
    turned(&scene, "off", Some(0));
    assert_eq!(while_begun(&scene, "r-1", None, CREATE), Ok(()));
    scene.server.execute(&inverse);
    assert_eq!(schema(&scene), before);
}

/// Functions with bodies of all kinds: how an effect spells it, how it is made, and a call that fails where it answers anything else.
const KINDS: &[(&str, &str, &str)] = &[
    (
        "public.add_one(int)",
        "FUNCTION public.add_one(x integer DEFAULT 1) RETURNS integer LANGUAGE sql STABLE AS 'SELECT x + 1 -- no end'",
        "SELECT 1 / (public.add_one() = 2)::int",
    ),
    (
        "public.odd(text)",
        "FUNCTION public.odd(\"a 'b\" text, OUT t text) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_temp AS $f$
            #variable_conflict error
            <<it>> DECLARE said text := $q$;$q$; BEGIN t := it.said || \"a 'b\"; RETURN; EXCEPTION WHEN others THEN t := 'no';
            END it /* ; -- */ -- that is all$f$",
        "SELECT 1 / (public.odd('$function$') = ';$function$')::int",
    ),
    (
        "public.rows(integer)",
        "FUNCTION public.rows(most integer) RETURNS SETOF integer LANGUAGE plpgsql AS $$BEGIN
            RETURN QUERY SELECT * FROM pg_catalog.generate_series(1, most); -- $function$
        END;$$",
        "SELECT 1 / (count(*) = 3)::int FROM public.rows(3)",
    ),
];

#[test]
fn functions_of_all_kinds_are_guarded_and_answer_as_they_did() {
    let scene = shared();
    let mut config = scene.read("cutter.toml");
    let mut connection = scene.server.connect("postgres", "directus");
    connection.batch_execute("SET search_path = pg_catalog").unwrap();
    for (number, (name, made, _)) in KINDS.iter().enumerate() {
        connection.batch_execute(&format!("CREATE {made}; ALTER FUNCTION {name} OWNER TO directus")).unwrap();
        let sql = "SELECT encode(sha256(convert_to(pg_get_functiondef(to_regprocedure($1)), 'UTF8')), 'hex')";
        let sha256: String = connection.query_one(sql, &[name]).unwrap().get(0);
        config.push_str(&format!(
            "\n[effects.kind-{number}]\n{AUTHOR}\ndoes = \"answers\"\n[effects.kind-{number}.sql]\nfunction = \"{name}\"\n\
             role = \"cutter_exec\"\nowner = \"directus\"\ndefinition_sha256 = \"{sha256}\"\n"
        ));
    }
    scene.write("cutter.toml", &config);
    let before = schema(&scene);
    let printed = scene.cutter("enforce sql --format json");
    assert_eq!(printed.exit, 0, "{}", printed.stderr);
    let printed = printed.json();
    scene.server.execute(printed["guard"]["sql"].as_str().unwrap());
    for (name, _, sql) in KINDS {
        let mut session = scene.server.connect("cutter_exec", "directus");
        assert!(call(&mut session, sql).unwrap_err().contains(REFUSED), "{name}");
        drop(session);
        assert_eq!(while_begun_for(&scene, (name, None), name, sql), Ok(()), "{name}");
        // The definition is the one whose digest was printed.
        let function = printed["functions"].as_array().unwrap().iter().find(|of| {
            let is_it = "SELECT to_regprocedure($1) = to_regprocedure($2)";
            connection.query_one(is_it, &[&of["function"].as_str().unwrap(), name]).unwrap().get(0)
        });
        let sql = "SELECT encode(sha256(convert_to(pg_get_functiondef(to_regprocedure($1)), 'UTF8')), 'hex')";
        let is: String = connection.query_one(sql, &[name]).unwrap().get(0);
        assert_eq!(function.unwrap()["with_sha256"], is, "{name}");
    }
    let inverse = printed["inverse"]["sql"].as_str().unwrap();
    // What was changed meanwhile is not replaced.
    scene.server.execute("ALTER FUNCTION public.add_one(int) SET work_mem = '4MB'");
    let changed = connection.batch_execute(inverse).unwrap_err();
    assert!(changed.as_db_error().unwrap().message().contains("is not what it was"), "{changed}");
    connection.batch_execute("ROLLBACK").unwrap();
    scene.server.execute("ALTER FUNCTION public.add_one(int) RESET work_mem");
    scene.server.execute(inverse);
    assert_eq!(schema(&scene), before);
}

#[test]
fn a_function_that_cannot_be_guarded_is_refused_by_name() {
    let scene = shared();
    let config = scene.read("cutter.toml");
    for (made, words) in [
        ("FUNCTION public.other() RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT 1; END", "`BEGIN ATOMIC`"),
        (
            "FUNCTION public.other() RETURNS double precision LANGUAGE internal AS 'drandom'",
            "it is written in `internal`",
        ),
        ("FUNCTION public.other() RETURNS text LANGUAGE sql AS $$ SELECT '\u{1b}[2J' $$", "control characters"),
        ("FUNCTION public.other() RETURNS integer LANGUAGE sql AS 'SELECT 1'", "and `other` pins"),
    ] {
        scene.server.execute(&format!("CREATE {made}; ALTER FUNCTION public.other() OWNER TO directus"));
        let pin = "0".repeat(64);
        scene.write(
            "cutter.toml",
            format!(
                "{config}\n[effects.other]\n{AUTHOR}\ndoes = \"answers\"\n[effects.other.sql]\nfunction = \"public.other()\"\n\
                 role = \"cutter_exec\"\nowner = \"directus\"\ndefinition_sha256 = \"{pin}\"\n"
            ),
        );
        let ran = scene.cutter("enforce sql --package .");
        assert_eq!((ran.exit, ran.stdout.as_str()), (1, ""), "{made}: {}", ran.stderr);
        assert!(ran.stderr.contains("public.other()") && ran.stderr.contains(words), "{made}: {}", ran.stderr);
        assert!(!scene.path("guard.sql").exists() && !ran.stderr.contains('\u{1b}'), "{made}");
        scene.server.execute("DROP FUNCTION public.other()");
    }
    // The caller could write the ledger itself.
    scene.write("cutter.toml", &config);
    scene.server.execute("GRANT runs TO cutter_exec");
    let ran = scene.cutter("enforce sql");
    assert!(ran.exit == 1 && ran.stderr.contains("can become the ledger's writer"), "{}", ran.stderr);
}

/// The ledger lies in another database, and somebody made a schema in this one that looks like it.
#[test]
fn no_guard_is_made_for_whoever_owns_a_schema_that_looks_like_the_ledger() {
    let scene = shared();
    assert_eq!(scene.cutter("enforce sql").exit, 0);
    scene.server.execute("CREATE DATABASE elsewhere");
    let made = PostgresLedger::statements(&LedgerId::from_random(7), Some("runs"));
    scene.server.connect("postgres", "elsewhere").batch_execute(&made).unwrap();
    scene.replace("cutter.toml", "user = \"runs\"\ndbname = \"directus\"", "user = \"runs\"\ndbname = \"elsewhere\"");
    let refused = scene.cutter("enforce sql --package .");
    assert_eq!((refused.exit, refused.stdout.as_str()), (1, ""), "{}", refused.stderr);
    assert!(refused.stderr.contains("not in the database of the functions"), "{}", refused.stderr);
    assert!(!scene.path("guard.sql").exists());
    // Nor is one where the run's ledger is a folder.
    scene.replace("cutter.toml", "[ledger]\n", "[ledger]\npath = \".cutter\"\n");
    let folder = scene.cutter("enforce sql");
    assert!(folder.exit == 3 && folder.stderr.contains("lies in a folder"), "{}", folder.stderr);
}
