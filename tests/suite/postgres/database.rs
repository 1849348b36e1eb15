//! The test database and the servers it runs on: what the other tests of this binary stand on.

use crate::support::waiting::wait_until;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use crate::support::postgres::{Options, Server};
use postgres::Client;
use postgres::error::SqlState;

const COUNTS: &str = "SELECT
    (SELECT count(*) FROM public.information_unit),
    (SELECT count(*) FROM public.information_unit WHERE lifecycle_status = 'draft'),
    (SELECT count(*) FROM public.information_unit WHERE lifecycle_status = 'enacted'),
    (SELECT count(*) FROM public.unit_version),
    (SELECT count(*) FROM public.iu_lifecycle_log),
    (SELECT count(*) FROM cutter_governance.cut_change_set),
    (SELECT count(*) FROM cutter_governance.review_decision),
    (SELECT count(*) FROM cutter_governance.verify_result),
    (SELECT count(*) FROM public.birth_registry)";
const BASELINE: [i64; 9] = [158, 98, 60, 165, 60, 2, 3, 2, 169];
const CREATE: &str = "SELECT public.fn_iu_create('NEW-DOC/DIEU/1', 'Title', 'Body', 'tester')::text";
const INSERT: &str = "INSERT INTO public.information_unit
    (canonical_address, unit_kind, owner_ref, identity_profile, created_by, updated_by)
    VALUES ('NEW-DOC/DIEU/1', 'k', 'o', '{\"docprefix\": \"NEW-DOC\"}', 'x', 'x')";

fn counts(client: &mut Client) -> [i64; 9] {
    let row = client.query_one(COUNTS, &[]).unwrap();
    std::array::from_fn(|column| row.get(column))
}

fn text(client: &mut Client, sql: &str) -> String {
    client.query_one(sql, &[]).unwrap().get(0)
}

fn refusal(client: &mut Client, sql: &str) -> (SqlState, String) {
    let error = client.batch_execute(sql).unwrap_err();
    let error = error.as_db_error().unwrap();
    (error.code().clone(), error.message().to_owned())
}

#[test]
fn the_counts_are_those_of_report_07() {
    let server = Server::start_directus();
    let mut observer = server.connect("cutter_observe", "directus");
    assert_eq!(counts(&mut observer), BASELINE);
    let scoped = "SELECT count(*)::text FROM public.information_unit WHERE canonical_address LIKE 'ICX-CONST/%' AND lifecycle_status = 'enacted'";
    assert_eq!(text(&mut observer, scoped), "60");
    let registered = "SELECT string_agg(docprefix, ',') FROM cutter_governance.source_document_registry";
    assert_eq!(text(&mut observer, registered), "ICX-CONST");
    let rows = "SELECT (SELECT count(*) FROM information_schema.columns WHERE table_name = 'information_unit')
        || ' ' || (SELECT count(*) FROM information_schema.columns WHERE table_name = 'unit_version')
        || ' ' || (SELECT count(*) FROM information_schema.columns WHERE table_name = 'review_decision')
        || ' ' || (SELECT count(*) FROM public.dot_config WHERE key LIKE 'iu_create.gateway.%')
        || ' ' || (SELECT count(*) FROM public.dot_config WHERE key LIKE 'iu_enact.%')";
    assert_eq!(text(&mut observer, rows), "19 16 25 9 8");
}

#[test]
fn the_governance_rows_are_those_of_the_trial_the_cut_and_the_enactment() {
    let server = Server::start_directus();
    let mut admin = server.connect("workflow_admin", "directus");
    let names = "SELECT relname::text FROM pg_class WHERE relnamespace = 'cutter_governance'::regnamespace AND relkind = 'r' ORDER BY 1";
    let names: Vec<String> = admin.query(names, &[]).unwrap().iter().map(|row| row.get(0)).collect();
    let mut count = |name: &str| text(&mut admin, &format!("SELECT count(*)::text FROM cutter_governance.{name}"));
    let tables: Vec<String> = names.iter().map(|name| format!("{name} {}", count(name))).collect();
    assert_eq!(
        tables.join(", "),
        "canonical_address_alias 1, cut_change_set 2, cut_change_set_affected_row 63, decision_backlog_dependency 1, decision_backlog_entry 2, decision_backlog_history 2, decision_backlog_sweep_log 1, dot_pair_signature 4, manifest_envelope 2, manifest_unit_block 61, review_decision 3, source_document_registry 1, source_document_version_registry 1, verify_result 2"
    );
    assert_eq!(
        text(
            &mut admin,
            "SELECT string_agg(left(review_decision_id::text, 8), ' ' ORDER BY created_at) FROM cutter_governance.review_decision"
        ),
        "a1696b09 29c88a7b e5c1a7d2"
    );
    assert_eq!(
        text(
            &mut admin,
            "SELECT string_agg(DISTINCT relowner::regrole::text || ' ' || relnamespace::regnamespace, ', ') FROM pg_class WHERE relnamespace IN ('public'::regnamespace, 'cutter_governance'::regnamespace)"
        ),
        "directus public, workflow_admin cutter_governance"
    );
}

#[test]
fn the_seed_is_the_same_in_a_cluster_of_its_own() {
    let digest = "SELECT (SELECT md5(string_agg(t::text, '|' ORDER BY id)) FROM public.information_unit t)
        || (SELECT md5(string_agg(t::text, '|' ORDER BY id)) FROM public.unit_version t)
        || (SELECT md5(string_agg(t::text, '|' ORDER BY id)) FROM public.birth_registry t)
        || (SELECT md5(string_agg(t::text, '|' ORDER BY id)) FROM public.iu_lifecycle_log t)
        || (SELECT md5(string_agg(t::text, '|' ORDER BY 1)) FROM cutter_governance.dot_pair_signature t)
        || (SELECT md5(string_agg(t::text, '|' ORDER BY 1)) FROM cutter_governance.review_decision t)";
    let identity = "SELECT system_identifier::text FROM pg_control_system()";
    let (template, own) = (Server::start_directus(), Server::start_with(&Options::directus().own_identity()));
    let mut clients = [&template, &own].map(|server| server.connect("workflow_admin", "directus"));
    let digests = clients.each_mut().map(|client| text(client, digest));
    let identities = clients.each_mut().map(|client| text(client, identity));
    assert_eq!(digests[0], digests[1]);
    assert_ne!(identities[0], identities[1]);
}

#[test]
fn a_direct_insert_is_refused_by_grant_then_by_guard() {
    let server = Server::start_directus();
    let mut executor = server.connect("cutter_exec", "directus");
    assert_eq!(refusal(&mut executor, INSERT).0, SqlState::INSUFFICIENT_PRIVILEGE);
    server.execute("GRANT INSERT ON public.information_unit TO cutter_exec");
    let (code, message) = refusal(&mut executor, INSERT);
    assert_eq!(
        (code, message.as_str()),
        (SqlState::RAISE_EXCEPTION, "iu gateway: direct INSERT on public.information_unit refused")
    );
}

#[test]
fn the_owner_without_the_marker_is_refused_and_with_it_meets_the_birth_gate_at_commit() {
    let server = Server::start_directus();
    let mut owner = server.connect("directus", "directus");
    assert!(refusal(&mut owner, INSERT).1.starts_with("iu gateway: direct INSERT"));
    assert!(
        refusal(&mut owner, "UPDATE public.unit_version SET title = 'x'")
            .1
            .starts_with("iu gateway: direct UPDATE on public.unit_version")
    );
    let mut transaction = owner.transaction().unwrap();
    transaction.batch_execute("SET LOCAL app.canonical_writer = 'fn_iu_create'").unwrap();
    transaction.batch_execute(INSERT).unwrap();
    let error = transaction.commit().unwrap_err();
    assert!(error.as_db_error().unwrap().message().starts_with("birth gate L2"));
    let bad = INSERT.replace("NEW-DOC/DIEU/1", "new doc");
    let (_, message) = refusal(&mut owner, &format!("BEGIN; SET LOCAL app.canonical_writer = 'fn_iu_create'; {bad}"));
    assert!(message.starts_with("birth gate L1: malformed"), "{message}");
    owner.batch_execute("ROLLBACK").unwrap();
    assert_eq!(counts(&mut server.connect("cutter_observe", "directus")), BASELINE);
}

#[test]
fn the_guard_follows_its_configuration_and_refuses_without_it() {
    let server = Server::start_directus();
    let mut owner = server.connect("directus", "directus");
    let edit = "UPDATE public.information_unit SET updated_by = 'x' WHERE canonical_address = 'KB-NOTE/GHI_CHU/1'";
    owner.batch_execute("DELETE FROM public.dot_config WHERE key = 'iu_create.gateway.mode'").unwrap();
    assert!(refusal(&mut owner, edit).1.starts_with("iu gateway"));
    for mode in ["warn", "off"] {
        owner.execute("INSERT INTO public.dot_config VALUES ('iu_create.gateway.mode', $1, '', now()) ON CONFLICT (key) DO UPDATE SET value = $1", &[&mode]).unwrap();
        owner.batch_execute(edit).unwrap();
    }
}

#[test]
fn a_create_that_is_rolled_back_leaves_the_counts() {
    let server = Server::start_directus();
    let mut executor = server.connect("cutter_exec", "directus");
    let mut transaction = executor.transaction().unwrap();
    let answer: String = transaction.query_one(CREATE, &[]).unwrap().get(0);
    assert!(answer.contains("\"status\": \"created\""), "{answer}");
    transaction.rollback().unwrap();
    assert_eq!(counts(&mut server.connect("cutter_observe", "directus")), BASELINE);
}

#[test]
fn a_create_that_is_committed_adds_a_draft_a_version_and_a_birth_and_is_idempotent() {
    let server = Server::start_directus();
    let mut executor = server.connect("cutter_exec", "directus");
    assert!(text(&mut executor, CREATE).contains("\"status\": \"created\""));
    assert!(text(&mut executor, CREATE).contains("\"status\": \"exists_complete\""));
    assert_eq!(counts(&mut server.connect("cutter_observe", "directus")), [159, 99, 60, 166, 60, 2, 3, 2, 170]);
}

#[test]
fn the_marker_does_not_outlive_the_writer() {
    let server = Server::start_directus();
    server.execute("GRANT INSERT ON public.information_unit TO cutter_exec");
    let mut executor = server.connect("cutter_exec", "directus");
    executor.batch_execute("BEGIN").unwrap();
    executor.batch_execute(CREATE).unwrap();
    assert!(refusal(&mut executor, INSERT).1.starts_with("iu gateway"));
}

#[test]
fn a_unit_in_bad_health_is_told_apart() {
    let server = Server::start_directus();
    let mut admin = server.connect("workflow_admin", "directus");
    let plan = |client: &mut Client, address: &str| {
        text(client, &format!("SELECT public.fn_iu_create_plan('{address}', 't', 'b', 'a') ->> 'status'"))
    };
    admin
        .batch_execute(
            "SET app.canonical_writer = 'fn_iu_create';
        DELETE FROM public.birth_registry WHERE subject_name = 'KB-NOTE/GHI_CHU/1';
        UPDATE public.information_unit SET version_anchor_ref = NULL WHERE canonical_address = 'KB-NOTE/GHI_CHU/2';
        UPDATE public.information_unit SET version_anchor_ref = NULL WHERE canonical_address = 'KB-NOTE/GHI_CHU/3';
        DELETE FROM public.unit_version WHERE title = 'Ghi chú 3';
        UPDATE public.unit_version SET content_hash = 'same' WHERE title = 'Hướng dẫn vận hành, mục 1';
        UPDATE public.information_unit SET deleted_at = now() WHERE canonical_address = 'KB-NOTE/GHI_CHU/4'",
        )
        .unwrap();
    let addresses = [
        "KB-NOTE/GHI_CHU/1",
        "KB-NOTE/GHI_CHU/2",
        "KB-NOTE/GHI_CHU/3",
        "OPS-GUIDE/MUC/1",
        "KB-NOTE/GHI_CHU/4",
        "KB-NOTE/GHI_CHU/5",
        "NEW/1",
    ];
    assert_eq!(
        addresses.map(|address| plan(&mut admin, address)).join(" "),
        "exists_missing_birth exists_anchor_invalid exists_missing_version exists_duplicate_version exists_unknown_state exists_complete plan_ok"
    );
}

#[test]
fn enacted_rows_are_immutable_even_with_the_marker() {
    let server = Server::start_directus();
    let mut owner = server.connect("directus", "directus");
    owner.batch_execute("SET app.canonical_writer = 'fn_iu_create'").unwrap();
    for sql in [
        "UPDATE public.information_unit SET updated_by = 'x' WHERE canonical_address LIKE 'ICX-CONST/%'",
        "DELETE FROM public.information_unit WHERE canonical_address LIKE 'ICX-CONST/%'",
        "UPDATE public.unit_version SET body = 'x' WHERE lifecycle_status = 'enacted'",
        "DELETE FROM public.unit_version WHERE lifecycle_status = 'enacted'",
    ] {
        assert!(refusal(&mut owner, sql).1.ends_with("it is enacted"));
    }
    let armed =
        "SELECT string_agg(tgname || tgenabled::text, ' ' ORDER BY tgname) FROM pg_trigger WHERE tgname LIKE '%immut'";
    assert_eq!(text(&mut owner, armed), "trg_iu_enacted_immutO trg_uv_enacted_immutO");
}

#[test]
fn enactment_refuses_and_enacts() {
    let server = Server::start_directus();
    let mut executor = server.connect("cutter_exec", "directus");
    let decision = "(SELECT review_decision_id FROM cutter_governance.review_decision WHERE governance_event_kind = 'lifecycle_phase7_enactment')";
    let mut call = |arguments: &str| {
        text(
            &mut executor,
            &format!(
                "SELECT coalesce(a ->> 'refusal', a ->> 'status') FROM (SELECT public.fn_iu_enact({}) AS a) answer",
                arguments.replace("D", decision)
            ),
        )
    };
    assert_eq!(call("'KB-NOTE/GHI_CHU/1', NULL, D"), "actor_required");
    assert_eq!(call("'KB-NOTE/GHI_CHU/1', 'me', NULL"), "review_decision_required");
    assert_eq!(call("'KB-NOTE/GHI_CHU/1', 'me', gen_random_uuid()"), "review_decision_not_found");
    assert_eq!(call("'NOPE/1', 'me', D"), "iu_not_found");
    assert_eq!(call("'KB-NOTE/GHI_CHU/1', 'me', D, 'published'"), "invalid_target_lifecycle");
    assert_eq!(call("'KB-NOTE/GHI_CHU/1', 'me', D, 'superseded'"), "fsm_denied");
    assert_eq!(call("'ICX-CONST/NGUYEN_TAC/1', 'me', D"), "fsm_denied");
    assert_eq!(call("'KB-NOTE/GHI_CHU/1', 'me', D, dry_run => true"), "plan_ok");
    assert_eq!(counts(&mut server.connect("cutter_observe", "directus")), BASELINE);
    assert_eq!(call("'KB-NOTE/GHI_CHU/1', 'me', D"), "enacted");
    assert_eq!(call("'KB-NOTE/GHI_CHU/1', 'me', D"), "fsm_denied");
    assert_eq!(counts(&mut server.connect("cutter_observe", "directus")), [158, 97, 61, 165, 61, 2, 3, 2, 169]);
}

#[test]
fn an_edit_adds_a_version_to_a_draft_only() {
    let server = Server::start_directus();
    let mut owner = server.connect("directus", "directus");
    let mut call = |address: &str| {
        text(
            &mut owner,
            &format!(
                "SELECT coalesce(a ->> 'refusal', a ->> 'status') FROM (SELECT public.fn_iu_apply_edit_draft((SELECT id FROM public.information_unit WHERE canonical_address = '{address}'), 'new') AS a) answer"
            ),
        )
    };
    assert_eq!(call("KB-NOTE/GHI_CHU/1"), "applied");
    assert_eq!(call("KB-NOTE/GHI_CHU/1"), "unchanged");
    assert_eq!(call("ICX-CONST/DIEU/3"), "not_draft");
    assert_eq!(call("NOPE/1"), "iu_not_found");
    assert_eq!(counts(&mut server.connect("cutter_observe", "directus"))[3], 166);
}

#[test]
fn every_role_may_do_what_the_matrix_says_and_no_more() {
    let server = Server::start_directus();
    let mut observer = server.connect("cutter_observe", "directus");
    observer.batch_execute("SELECT last_value FROM public.birth_registry_id_seq; SELECT * FROM public.knowledge_documents; SELECT * FROM cutter_governance.verify_result").unwrap();
    let denied = |user: &str, sql: &str| {
        let (code, message) = refusal(&mut server.connect(user, "directus"), sql);
        assert_eq!(code, SqlState::INSUFFICIENT_PRIVILEGE, "{user}: {sql}: {message}");
    };
    denied("cutter_observe", "SELECT * FROM pg_authid");
    denied("cutter_observe", "INSERT INTO public.dot_config VALUES ('a', 'b', 'c')");
    denied("cutter_observe", "SELECT nextval('public.birth_registry_id_seq')");
    denied("cutter_observe", CREATE);
    denied("cutter_observe", "CREATE TABLE public.t ()");
    denied("cutter_observe", "CREATE TEMPORARY TABLE t ()");
    denied("context_pack_readonly", "SELECT * FROM cutter_governance.review_decision");
    denied("context_pack_readonly", CREATE);
    denied("cutter_exec", "SELECT * FROM cutter_governance.verify_result");
    denied("cutter_exec", "SELECT * FROM cutter_governance.cut_change_set_affected_row");
    denied("cutter_exec", "UPDATE cutter_governance.review_decision SET verdict = 'x'");
    denied("cutter_exec", "SELECT public.fn_iu_create_plan('A/1', 't', 'b', 'a')");
    denied("cutter_verify", CREATE);
    denied("directus", "INSERT INTO cutter_governance.review_decision SELECT * FROM cutter_governance.review_decision");
    denied("directus", "SELECT * FROM cutter_governance.cut_change_set");
    server.connect("context_pack_readonly", "directus").batch_execute("SELECT * FROM public.information_unit").unwrap();
    server.connect("cutter_exec", "directus").batch_execute("UPDATE cutter_governance.decision_backlog_entry SET status = 'open'; INSERT INTO cutter_governance.review_decision SELECT gen_random_uuid(), governance_event_kind, manifest_id, manifest_version, manifest_unit_local_id, review_scope, status, verdict, findings, reviewer_class, reviewer_identity, risk_class_assessment, decision_at, decided_by, cross_signed_by_dot_verifier, prior_review_decision_id, superseded_by_review_decision_id, supersede_reason, cut_change_set_ref, escalation_ref, review_notes, tool_revision, version, created_at, updated_at FROM cutter_governance.review_decision").unwrap();
    assert!(server.try_connect("cutter_ro", "directus").is_err());
    let executor = [(); 2].map(|()| server.connect("cutter_exec", "directus"));
    assert!(server.try_connect("cutter_exec", "directus").is_err());
    drop(executor);
    let public = "SELECT count(*)::text FROM pg_proc p, LATERAL aclexplode(coalesce(proacl, acldefault('f', proowner))) a WHERE pronamespace = 'public'::regnamespace AND grantee = 0";
    assert_eq!(text(&mut observer, public), "0");
    let open = "SELECT count(*)::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND (proconfig IS NULL OR proowner <> 'directus'::regrole)";
    assert_eq!(text(&mut observer, open), "0");
}

#[test]
fn reading_moves_no_transaction_id() {
    let server = Server::start_directus();
    let mut observer = server.connect("cutter_observe", "directus");
    let before = text(&mut observer, "SELECT pg_current_snapshot()::text");
    counts(&mut observer);
    thread::sleep(Duration::from_secs(2));
    assert_eq!(text(&mut observer, "SELECT pg_current_snapshot()::text"), before);
}

#[test]
fn settings_hold_and_alter_system_outranks_them_after_a_restart() {
    let mut server =
        Server::start_with(&Options::directus().setting("wal_level", "logical").setting("track_functions", "all"));
    let shown =
        |server: &Server, name: &str| text(&mut server.connect("postgres", "postgres"), &format!("SHOW {name}"));
    assert_eq!(
        ["wal_level", "track_functions", "autovacuum", "listen_addresses"].map(|name| shown(&server, name)),
        ["logical", "all", "off", ""]
    );
    server.execute("ALTER SYSTEM SET track_functions = 'pl'");
    server.restart();
    assert_eq!(shown(&server, "track_functions"), "pl");
    assert_eq!(counts(&mut server.connect("cutter_observe", "directus")), BASELINE);
    assert!(server.client("pg_dump").args(["-s", "directus"]).output().unwrap().status.success());
    let mut client =
        postgres::Client::connect(&server.conninfo("cutter_observe", "directus"), postgres::NoTls).unwrap();
    assert_eq!(counts(&mut client), BASELINE);
    assert!(!server.log().is_empty());
}

#[test]
fn servers_start_in_parallel() {
    let started = Instant::now();
    let servers: Vec<Server> = thread::scope(|scope| {
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(Server::start_directus)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    println!("six servers: {:?}", started.elapsed());
    for server in &servers {
        assert_eq!(counts(&mut server.connect("cutter_observe", "directus")), BASELINE);
    }
}

#[test]
fn an_empty_server_starts_fast_and_leaves_nothing() {
    let server = Server::start();
    server.execute("CREATE TABLE t ()");
    let directory = server.socket_directory().to_owned();
    drop(server);
    assert!(is_gone(&directory));
    for (name, make) in [("empty", Server::start as fn() -> Server), ("directus", Server::start_directus)] {
        let mut up: Vec<Duration> = Vec::new();
        let mut down: Vec<Duration> = Vec::new();
        for _ in 0..5 {
            let started = Instant::now();
            let server = make();
            up.push(started.elapsed());
            let stopped = Instant::now();
            drop(server);
            down.push(stopped.elapsed());
        }
        println!("{name}: up {up:?} down {down:?}");
    }
}

#[test]
fn a_panicking_test_leaves_nothing() {
    let directory = thread::spawn(|| {
        let server = Server::start();
        std::panic::panic_any(server.socket_directory().to_owned());
    })
    .join()
    .unwrap_err()
    .downcast::<std::path::PathBuf>()
    .unwrap();
    assert!(is_gone(&directory));
}

/// What the next two tests kill: the first of them again, in a process that this variable tells to be the victim.
const VICTIM: &str = "CUTTER_TEST_VICTIM";

fn victim(of: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "postgres::database::a_killed_test_process_leaves_nothing", "--nocapture"])
        .env(VICTIM, of);
    command
}

fn wait_to_be_killed(options: &Options) {
    let server = Server::start_with(options);
    println!("\nat {}", server.socket_directory().display());
    thread::sleep(Duration::from_secs(60));
}

#[test]
fn a_killed_test_process_leaves_nothing() {
    match env::var(VICTIM).as_deref() {
        Ok("shared") => return wait_to_be_killed(&Options::directus()),
        Ok(_) => return wait_to_be_killed(&Options::directus().own_identity()),
        Err(_) => {}
    }
    let mut child = victim("shared").stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.map(Result::unwrap).find(|line| line.starts_with("at ")).unwrap();
    let directory = Path::new(line.strip_prefix("at ").unwrap());
    assert!(directory.join("data/postmaster.pid").exists() && !processes_naming(directory).is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    let killed = Instant::now();
    wait_until("nothing is left of the server", || is_gone(directory));
    println!("gone after {:?}", killed.elapsed());
}

#[test]
fn a_process_killed_at_any_moment_of_the_start_leaves_nothing() {
    for delay in [5, 40, 120, 250, 400, 700, 1100, 1500, 1900] {
        let mut child = victim("own").stdout(Stdio::null()).spawn().unwrap();
        let prefix = format!("cutter-pg-{}-", child.id());
        thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
        let killed = Instant::now();
        let left = || {
            ["/tmp", "/dev/shm"]
                .into_iter()
                .flat_map(|parent| fs::read_dir(parent).unwrap().flatten())
                .any(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
                || !processes_naming(Path::new(&prefix)).is_empty()
        };
        wait_until(format!("nothing is left after {delay} ms"), || !left());
        println!("killed after {delay} ms: gone after {:?}", killed.elapsed());
    }
}

fn is_gone(directory: &Path) -> bool {
    !directory.exists() && processes_naming(directory).is_empty()
}

fn processes_naming(directory: &Path) -> Vec<String> {
    let name = directory.to_str().unwrap();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let commands = processes.filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok());
    commands.filter(|command| command.contains(name)).collect()
}
