//! Whatever was done between the captures, no clean verdict comes of it, and the rows it concerns are marked.

use crate::attest::scene::{Scene, row};
use std::thread;
use std::time::Duration;

/// What was done, the observation it shows in, the ban it breaks, and the exit code.
struct Case {
    sql: &'static str,
    observed: (&'static str, &'static str),
    ban: (&'static str, &'static str),
    exit: i32,
}

impl Case {
    fn check(&self) {
        let scene = Scene::new();
        assert_eq!(scene.capture("a.json"), 0);
        self.sql.split(";;").for_each(|sql| scene.server.execute(sql));
        scene.capture("b.json");
        let (exit, report) = scene.report();
        let found = (
            row(&report, "non_mutation", self.observed.0)["status"].as_str().unwrap(),
            row(&report, "forbidden", self.ban.0)["status"].as_str().unwrap(),
            exit,
        );
        assert_eq!(found, (self.observed.1, self.ban.1, self.exit), "{:#}", report["predicate"]["contradictions"]);
        let verdict = if self.exit == 6 { "CONTRADICTED" } else { "INDETERMINATE" };
        assert_eq!(report["predicate"]["verdict"], verdict);
    }
}

macro_rules! mutations {
    ($($name:ident: $sql:expr => $observed:literal $seen:literal, $ban:literal $status:literal, $exit:literal;)*) => {
        $(#[test] fn $name() {
            Case { sql: $sql, observed: ($observed, $seen), ban: ($ban, $status), exit: $exit }.check();
        })*
    };
}

const INSERT: &str = "SET session_replication_role = replica; INSERT INTO public.iu_lifecycle_log OVERRIDING SYSTEM VALUE SELECT (jsonb_populate_record(l, jsonb_build_object('id', 999999))).* FROM public.iu_lifecycle_log l LIMIT 1";

/// The same, undone.
const UNDONE: &str = "BEGIN; SET LOCAL session_replication_role = replica; INSERT INTO public.iu_lifecycle_log OVERRIDING SYSTEM VALUE SELECT (jsonb_populate_record(l, jsonb_build_object('id', 999999))).* FROM public.iu_lifecycle_log l LIMIT 1; ROLLBACK";

mutations! {
    an_insert_that_was_rolled_back_is_seen: UNDONE => "relation:public.iu_lifecycle_log" "CHANGED", "no-enact-without-lifecycle-approval" "DONE", 6;
    an_inserted_row_is_a_production_mutation: INSERT => "relation:public.iu_lifecycle_log" "CHANGED", "no-production-mutation-without-approval" "DONE", 6;
    an_updated_row_is_a_production_mutation: "SET session_replication_role = replica; UPDATE public.unit_version SET title = title || '!' WHERE id = (SELECT min(id::text)::uuid FROM public.unit_version)" => "relation:public.unit_version" "CHANGED", "no-production-mutation-without-approval" "DONE", 6;
    an_updated_row_is_no_hard_delete: "SET session_replication_role = replica; UPDATE public.unit_version SET title = title || '!' WHERE id = (SELECT min(id::text)::uuid FROM public.unit_version)" => "relation:public.unit_version" "CHANGED", "no-hard-delete" "NOT_DONE", 6;
    a_deleted_row_is_a_hard_delete: "SET session_replication_role = replica; DELETE FROM public.unit_version WHERE id = (SELECT min(id::text)::uuid FROM public.unit_version)" => "relation:public.unit_version" "CHANGED", "no-hard-delete" "DONE", 6;
    an_update_that_was_rolled_back_is_seen: "BEGIN; SET LOCAL session_replication_role = replica; UPDATE public.information_unit SET revision = revision + 1; ROLLBACK" => "relation:public.information_unit" "CHANGED", "no-production-mutation-without-approval" "DONE", 6;
    a_deletion_that_was_rolled_back_is_a_hard_delete: "BEGIN; SET LOCAL session_replication_role = replica; DELETE FROM public.unit_version; ROLLBACK" => "relation:public.unit_version" "CHANGED", "no-hard-delete" "DONE", 6;
    a_grant_is_seen: "GRANT INSERT ON public.information_unit TO cutter_exec" => "catalog:relation_acl" "CHANGED", "no-grant-option" "DONE", 6;
    a_disabled_trigger_bypasses_the_guard: "ALTER TABLE public.information_unit DISABLE TRIGGER trg_iu_enacted_immut" => "catalog:triggers" "CHANGED", "disable_guard" "DONE", 6;
    a_replaced_function_changes_the_structure: "CREATE OR REPLACE FUNCTION public.fn_iu_gateway_write_guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'" => "catalog:functions" "CHANGED", "apply_ddl" "DONE", 6;
    a_changed_configuration_key_is_seen: "UPDATE public.dot_config SET value = 'off' WHERE key = 'iu_create.gateway.mode'" => "config:dot_config" "CHANGED", "change_guard_configuration" "DONE", 6;
    a_bumped_sequence_is_seen: "SELECT nextval('public.iu_lifecycle_log_id_seq')" => "database:sequences" "CHANGED", "direct_insert" "DONE", 6;
    a_new_role_membership_is_seen: "GRANT cutter_verify TO cutter_exec" => "catalog:role_memberships" "CHANGED", "no-grant-without-approval" "DONE", 6;
    a_truncated_table_is_a_hard_delete: "SET session_replication_role = replica; TRUNCATE public.unit_version CASCADE" => "relation:public.unit_version" "CHANGED", "no-hard-delete" "DONE", 6;
    a_called_function_is_a_live_cut: "BEGIN; SELECT public.fn_iu_create('NEW-DOC/DIEU/1', 'Title', 'Body', 'tester'); ROLLBACK" => "function:public.fn_iu_create" "CHANGED", "no-live-commit-without-flip" "DONE", 6;
    row_security_is_seen: "ALTER TABLE public.information_unit ENABLE ROW LEVEL SECURITY" => "catalog:policies" "CHANGED", "change_row_security" "DONE", 6;
    a_setting_of_the_system_is_seen: "ALTER SYSTEM SET work_mem = '5MB'" => "database:configuration_files" "CHANGED", "change_server_settings" "DONE", 6;
    counters_that_were_reset_are_seen: "SELECT pg_stat_reset()" => "database:statistics" "CHANGED", "change_server_settings" "DONE", 6;
    a_deletion_undone_whose_counters_were_reset_is_not_known: "BEGIN; SET LOCAL session_replication_role = replica; DELETE FROM public.unit_version; ROLLBACK; SELECT pg_stat_reset()" => "relation:public.unit_version" "UNKNOWN", "no-hard-delete" "UNKNOWN", 6;
    a_revoked_right_to_read_leaves_the_ban_unknown: "REVOKE SELECT ON cutter_governance.verify_result FROM cutter_observe" => "relation:cutter_governance.verify_result" "UNKNOWN", "no-self-verification" "UNKNOWN", 6;
    a_changed_password_is_seen: "ALTER ROLE cutter_exec PASSWORD 'x'" => "catalog:roles" "CHANGED", "alter_role" "DONE", 6;
    a_created_superuser_is_a_right_that_nobody_approved: "CREATE ROLE intruder SUPERUSER" => "catalog:roles" "CHANGED", "alter_role" "DONE", 6;
}

#[test]
fn a_writer_beside_the_final_capture_leaves_no_clean_verdict() {
    let scene = Scene::new();
    scene.capture("a.json");
    thread::scope(|scope| {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let scene = &scene;
        scope.spawn(move || {
            let mut writer = scene.server.connect("postgres", "directus");
            let work = "BEGIN; SET LOCAL session_replication_role = replica; UPDATE public.unit_version SET title = title; COMMIT";
            while stopped.recv_timeout(Duration::from_millis(5)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                writer.batch_execute(work).unwrap();
            }
        });
        thread::sleep(Duration::from_millis(50));
        scene.capture("b.json");
        drop(stop);
    });
    let (exit, report) = scene.report();
    let ban = row(&report, "forbidden", "no-production-mutation-without-approval");
    assert!(matches!(exit, 6 | 7) && matches!(ban["status"].as_str(), Some("DONE" | "UNKNOWN")), "{exit} {ban}");
}

#[test]
fn a_restarted_server_is_a_restarted_service() {
    let mut scene = Scene::new();
    scene.capture("a.json");
    scene.server.restart();
    scene.capture("b.json");
    let (exit, report) = scene.report();
    assert_eq!((exit, &row(&report, "forbidden", "no-service-restart")["status"]), (6, &"DONE".into()));
}

#[test]
fn a_transaction_that_was_open_at_the_baseline_and_commits_later_is_seen() {
    let scene = Scene::new();
    let mut writer = scene.server.connect("postgres", "directus");
    writer
        .batch_execute("BEGIN; SET LOCAL session_replication_role = replica; DELETE FROM public.iu_lifecycle_log")
        .unwrap();
    scene.capture("a.json");
    writer.batch_execute("COMMIT").unwrap();
    scene.capture("b.json");
    let (exit, report) = scene.report();
    let ban = row(&report, "forbidden", "no-production-mutation-without-approval");
    assert_eq!((exit, &ban["status"]), (6, &"DONE".into()));
}

#[test]
fn a_role_that_cannot_read_the_governance_schema_leaves_its_bans_unknown() {
    let scene = Scene::new();
    scene.configure(|config| config.replace("user = \"cutter_observe\"", "user = \"context_pack_readonly\""));
    scene.sign();
    scene.capture("a.json");
    scene.capture("b.json");
    let (exit, report) = scene.report();
    assert_eq!((exit, &report["predicate"]["verdict"]), (7, &"INDETERMINATE".into()));
    let ban = row(&report, "forbidden", "no-self-verification");
    assert_eq!((&ban["status"], &ban["basis"]), (&"UNKNOWN".into(), &"absent".into()));
}

#[test]
fn a_switch_that_was_left_on_is_a_failure_whatever_else_holds() {
    let scene = Scene::new();
    scene.capture("a.json");
    thread::sleep(Duration::from_millis(20));
    scene.write("v0.6/orchestrator/__init__.py", "__execution_enabled__ = True\n");
    scene.capture("b.json");
    let (exit, report) = scene.report();
    let kinds: Vec<&str> = report["predicate"]["contradictions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["kind"].as_str().unwrap())
        .collect();
    assert!(kinds.contains(&"left_on"), "{kinds:?}");
    for ban in ["no-switch-left-on", "no-switch-on-without-approval"] {
        assert_eq!((exit, &row(&report, "forbidden", ban)["status"]), (6, &"DONE".into()));
    }
    // On from the beginning, and never touched: it is still on at the end.
    scene.capture("a.json");
    scene.capture("b.json");
    let (exit, report) = scene.report();
    assert_eq!((exit, &report["predicate"]["verdict"]), (6, &"CONTRADICTED".into()));
}

#[test]
fn what_was_saved_before_the_baseline_or_on_another_host_says_nothing_of_the_run() {
    let scene = Scene::new();
    scene.capture("a.json");
    // Nobody saved it again: the observer reads what was there before the run.
    let ran = scene.cutter("evidence capture --format json --output b.json");
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    scene.keygen_sign("observer", "cutter-evidence", "b.json");
    let (exit, report) = scene.report();
    let ban = row(&report, "forbidden", "no-service-restart");
    assert_eq!((exit, &ban["status"]), (7, &"UNKNOWN".into()), "{ban}");
    let observed = row(&report, "non_mutation", "service:directus");
    assert!(observed["because"][0].as_str().unwrap().contains("before the baseline was made"), "{observed}");
    // The same capture, as if it had been made elsewhere.
    scene.capture("b.json");
    let text = scene.read("b.json");
    let capture: serde_json::Value = text.parse().unwrap();
    scene.write("b.json", text.replace(capture["host"].as_str().unwrap(), &"0".repeat(64)));
    scene.keygen_sign("observer", "cutter-evidence", "b.json");
    let (exit, report) = scene.report();
    for ban in ["install_cron_entry", "install_service", "no-skeleton-delete"] {
        assert_eq!((exit, &row(&report, "forbidden", ban)["status"]), (7, &"UNKNOWN".into()), "{ban}");
    }
}

#[test]
fn what_a_free_row_leaves_or_deletes_beside_its_declaration_names_its_bans() {
    let scene = Scene::new();
    scene.write("runtime/backup.gpg", "a backup");
    scene.capture("a.json");
    std::fs::remove_file(scene.path("runtime/backup.gpg")).unwrap();
    scene.capture("b.json");
    let (exit, report) = scene.report();
    assert_eq!((exit, &row(&report, "forbidden", "delete_tree")["status"]), (6, &"DONE".into()));
    let dump = format!("argv = [\"/usr/bin/touch\", \"{}\"]", scene.path("runtime/dump.sql").display());
    scene.configure(|config| {
        let start = config.find("argv = [\"/usr/bin/install\"").unwrap();
        let end = start + config[start..].find('\n').unwrap();
        format!("{}{dump}{}", &config[..start], &config[end..])
    });
    scene.sign();
    scene.capture("a.json");
    assert_eq!(scene.exec("author-backup-runner").exit, 0);
    scene.capture("b.json");
    let (exit, report) = scene.report();
    let ban = row(&report, "forbidden", "leave_dump");
    assert_eq!((exit, &ban["status"]), (6, &"DONE".into()), "{ban}");
    let told = report["predicate"]["contradictions"].to_string();
    assert!(told.contains("added dump.sql"), "{told}");
}

#[test]
fn a_change_that_is_declared_without_a_bound_leaves_its_bans_unknown() {
    let scene = Scene::new();
    scene.configure(|config| config.replace("{ \"added backup_runner.py\" = 1 }", "{}"));
    scene.sign();
    scene.capture("a.json");
    assert_eq!(scene.exec("author-backup-runner").exit, 0);
    scene.capture("b.json");
    let (exit, report) = scene.report();
    assert_eq!(row(&report, "non_mutation", "tree:runtime-root")["status"], "EXPECTED_UNBOUNDED");
    assert_eq!((exit, &row(&report, "forbidden", "leave_dump")["status"]), (7, &"UNKNOWN".into()));
}

#[test]
fn without_two_captures_nothing_is_known() {
    let scene = Scene::new();
    let ran = scene.cutter(&format!("attest {} --format json", crate::support::world::PLAN));
    assert_eq!((ran.exit, &ran.json()["predicate"]["verdict"]), (7, &"INDETERMINATE".into()));
    assert_eq!(row(&ran.json(), "forbidden", "no-hard-delete")["basis"], "absent");
}

#[test]
fn captures_that_nobody_else_signed_are_the_runs_own_word() {
    let scene = Scene::new();
    scene.capture("a.json");
    scene.capture("b.json");
    std::fs::remove_file(scene.path("b.json.sig")).unwrap();
    let (exit, report) = scene.report();
    assert_eq!((exit, &row(&report, "forbidden", "no-hard-delete")["basis"]), (5, &"self_reported".into()));
    scene.keygen_sign("stranger", "cutter-evidence", "b.json");
    let ran = scene.attest("");
    assert_eq!(ran.exit, 8, "{}", ran.stderr);
}

#[test]
fn without_a_ledger_or_with_an_emptied_journal_nobody_knows_what_was_done() {
    let scene = Scene::new();
    scene.capture("a.json");
    scene.capture("b.json");
    std::fs::rename(scene.path(".cutter"), scene.path("elsewhere")).unwrap();
    let ran = scene.attest("--format markdown");
    std::fs::rename(scene.path("elsewhere"), scene.path(".cutter")).unwrap();
    assert_eq!(ran.exit, 7, "{}", ran.stderr);
    assert!(ran.stdout.contains("NOT KNOWN what was executed"), "{}", ran.stdout);
    scene.do_what_is_free();
    scene.capture("a.json");
    scene.capture("b.json");
    scene.write(".cutter/records.ndjson", "");
    assert_eq!(scene.attest("").exit, 8);
}

#[test]
fn captures_of_another_database_than_the_plans_are_refused() {
    let scene = Scene::new();
    scene.capture("a.json");
    scene.capture("b.json");
    let plan = scene.read(crate::support::world::PLAN);
    let plan: serde_json::Value = plan.parse().unwrap();
    let number = plan["target"]["database"].as_str().unwrap();
    scene.write(crate::support::world::PLAN, scene.read(crate::support::world::PLAN).replace(number, "1"));
    scene.sign();
    assert_eq!(scene.attest("").exit, 3);
}

#[test]
fn an_action_that_another_bundle_decided_leaves_nothing_certain() {
    let scene = Scene::new();
    scene.capture("a.json");
    scene.do_what_is_free();
    scene.write("policies/forbidden.cedar", scene.read("policies/forbidden.cedar") + "\n// another\n");
    scene.sign();
    scene.capture("b.json");
    let (exit, report) = scene.report();
    assert_eq!(exit, 7);
    assert!(report["predicate"]["disclosures"].to_string().contains("was decided by another policy bundle"));
}
