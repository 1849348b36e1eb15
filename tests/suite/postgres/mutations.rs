//! Every mutation between two captures is seen, or at least not known: never does all stay UNCHANGED.

use crate::postgres::scene::{EVIDENCE, Scene, remarkable, row, status};
use crate::support::world::root;
use std::thread;
use std::time::Duration;

/// One thing done between the captures, where it must show, and as what.
struct Case {
    kind: &'static str,
    name: &'static str,
    sql: &'static str,
    row: &'static str,
    status: &'static str,
    exit: i32,
    /// The lowest level at which a comparison says that something changed.
    level: &'static str,
}

impl Case {
    fn check(&self) {
        let scene = Scene::new();
        scene.server.execute(SETUP);
        let capture = |level: &str, file: &str| {
            scene.run(&["evidence", "capture", "--level", level, "--format", "json", "--output", file])
        };
        for level in LEVELS {
            capture(level, &format!("a.{level}.json"));
        }
        assert_eq!(scene.capture("a.json"), 0, "{:#?}", scene.unknown("a.json"));
        scene.server.execute_each(self.sql);
        scene.capture("b.json");
        let (exit, comparison) = scene.compare();
        assert_eq!((status(&comparison, self.row), exit), (self.status, self.exit), "{:#?}", remarkable(&comparison));
        let sees = |level: &&&str| {
            let (first, last) = (format!("a.{level}.json"), format!("b.{level}.json"));
            capture(level, &last);
            scene.run(&["evidence", "compare", &first, &last]).status.code() == Some(6)
        };
        let lowest = LEVELS.iter().find(sees).copied();
        let lowest = lowest.unwrap_or(if exit == 6 { "net" } else { "none" });
        assert_eq!(lowest, self.level, "the level of {}", self.name);
    }
}

const LEVELS: &[&str] = &["counts", "quiet"];

macro_rules! mutations {
    ($($kind:literal { $($name:ident: $sql:expr => $row:literal $status:literal $exit:literal $level:literal;)* })*) => {
        const CASES: &[Case] = &[$($(Case {
            kind: $kind, name: stringify!($name), sql: $sql, row: $row, status: $status, exit: $exit, level: $level,
        }),*),*];
        $($(#[test] fn $name() {
            CASES.iter().find(|case| case.name == stringify!($name)).unwrap().check();
        })*)*
    };
}

/// The kinds of the table.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    CASES.iter().map(|case| case.kind)
}

#[test]
fn the_documentation_names_every_kind_of_mutation_with_what_sees_it() {
    let lines = CASES.iter().map(|case| {
        let what = case.name.replace('_', " ");
        let what = ["_is_seen", "_is_seen_once_loaded"]
            .iter()
            .fold(what, |what, end| what.replace(&end.replace('_', " "), ""));
        format!("| {} | {what} | {} | `{}` | `{}` |\n", case.kind, case.level, case.row, case.status)
    });
    marked(
        "docs/evidence.md",
        "kinds",
        &format!(
            "| kind | done between the captures | seen from level | row at `net` | its status |\n|---|---|---|---|---|\n{}",
            lines.collect::<String>()
        ),
    );
}

/// Holds a part of a page between two marks to this text; `CUTTER_BLESS=1` writes it.
fn marked(page: &str, name: &str, text: &str) {
    let path = root().join(page);
    let old = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = old.split_once(&begin).unwrap();
    let (kept, after) = rest.split_once(&end).unwrap();
    if std::env::var_os("CUTTER_BLESS").is_some() {
        std::fs::write(&path, format!("{before}{begin}{text}{end}{after}")).unwrap();
    } else {
        assert_eq!(kept, text, "CUTTER_BLESS=1 rewrites {page}");
    }
}

/// What is there before each of the cases, so that it can be changed.
pub const SETUP: &str = "
CREATE TYPE public.mood AS ENUM ('sad', 'ok'); CREATE DOMAIN public.short AS text CONSTRAINT few CHECK (length(VALUE) < 9);
CREATE EXTENSION postgres_fdw; CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw OPTIONS (dbname 'x');
CREATE USER MAPPING FOR cutter_exec SERVER other OPTIONS (user 'x');
CREATE FOREIGN TABLE public.far (id int) SERVER other OPTIONS (table_name 'x');
CREATE PUBLICATION pub FOR TABLE public.unit_version;
SELECT lo_from_bytea(4711, 'hello'); GRANT SELECT ON LARGE OBJECT 4711 TO cutter_observe;
CREATE TEXT SEARCH CONFIGURATION public.words (COPY = pg_catalog.simple);
CREATE COLLATION public.plain (locale = 'C');
CREATE STATISTICS public.together ON title, created_at FROM public.unit_version;
CREATE OPERATOR public.=== (FUNCTION = texteq, LEFTARG = text, RIGHTARG = text);
CREATE MATERIALIZED VIEW public.kept AS SELECT id FROM public.knowledge_documents; CREATE UNIQUE INDEX ON public.kept (id)";

mutations! {
    "rows inserted" {
        an_inserted_row_is_seen: "SET session_replication_role = replica; INSERT INTO public.knowledge_documents (slug, title, body, metadata, relevance) VALUES ('x', 'x', 'x', '{}', 1)" => "relation:public.knowledge_documents" "CHANGED" 6 "counts";
        an_insert_that_was_rolled_back_is_seen: "BEGIN; INSERT INTO public.knowledge_documents (slug, title, body, metadata, relevance) VALUES ('x', 'x', 'x', '{}', 1); ROLLBACK" => "relation:public.knowledge_documents" "CHANGED" 6 "quiet";
        an_insert_that_was_deleted_again_is_seen: "INSERT INTO public.knowledge_documents (slug, title, body, metadata, relevance) VALUES ('x', 'x', 'x', '{}', 1); DELETE FROM public.knowledge_documents WHERE slug = 'x'" => "relation:public.knowledge_documents" "CHANGED" 6 "quiet";
    }
    "rows updated" {
        an_updated_row_is_seen_though_the_counts_are_equal: "UPDATE public.knowledge_documents SET title = title || '!' WHERE id = 1" => "relation:public.knowledge_documents" "CHANGED" 6 "net";
        an_update_there_and_back_is_seen: "UPDATE public.knowledge_documents SET title = title || '!' WHERE id = 1; UPDATE public.knowledge_documents SET title = rtrim(title, '!') WHERE id = 1" => "relation:public.knowledge_documents" "CHANGED" 6 "net";
        a_number_that_gains_a_digit_of_nothing_is_seen: "UPDATE public.knowledge_documents SET relevance = (relevance::text || CASE WHEN relevance::text LIKE '%.%' THEN '0' ELSE '.0' END)::numeric WHERE id = 1" => "relation:public.knowledge_documents" "CHANGED" 6 "net";
        a_space_in_a_json_value_is_seen: "UPDATE public.knowledge_documents SET metadata = (' ' || metadata::text)::json WHERE id = 1" => "relation:public.knowledge_documents" "CHANGED" 6 "net";
    }
    "rows deleted" {
        a_deleted_row_is_seen: "DELETE FROM public.iu_lifecycle_log WHERE id = 1" => "relation:public.iu_lifecycle_log" "CHANGED" 6 "counts";
        a_truncated_table_is_seen: "TRUNCATE public.iu_lifecycle_log" => "relation:public.iu_lifecycle_log" "CHANGED" 6 "counts";
        a_table_that_was_truncated_and_filled_again_is_seen: "CREATE TEMP TABLE kept AS TABLE public.iu_lifecycle_log; TRUNCATE public.iu_lifecycle_log; INSERT INTO public.iu_lifecycle_log OVERRIDING SYSTEM VALUE TABLE kept" => "relation:public.iu_lifecycle_log" "CHANGED" 6 "counts";
    }
    "rights on relations" {
        a_grant_is_seen: "GRANT INSERT ON public.information_unit TO cutter_exec" => "catalog:relation_acl" "CHANGED" 6 "net";
        a_grant_that_was_revoked_is_seen: "GRANT INSERT ON public.information_unit TO cutter_exec; REVOKE INSERT ON public.information_unit FROM cutter_exec" => "catalog:relation_acl" "CHANGED" 6 "net";
        a_grant_on_a_column_is_seen: "GRANT UPDATE (title) ON public.unit_version TO cutter_exec" => "catalog:relation_acl" "CHANGED" 6 "net";
        a_right_on_a_table_of_the_system_is_seen: "GRANT SELECT ON pg_catalog.pg_authid TO cutter_exec" => "catalog:relation_acl" "CHANGED" 6 "net";
        a_right_on_a_table_of_the_system_that_was_taken_again_is_seen: "GRANT SELECT ON pg_catalog.pg_authid TO cutter_exec;; REVOKE SELECT ON pg_catalog.pg_authid FROM cutter_exec" => "catalog:relation_acl" "CHANGED" 6 "net";
    }
    "rights on other things" {
        a_default_privilege_is_seen: "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO cutter_exec" => "catalog:default_acl" "CHANGED" 6 "net";
        a_right_on_a_foreign_server_is_seen: "GRANT USAGE ON FOREIGN SERVER other TO cutter_exec" => "catalog:pg_foreign_server" "CHANGED" 6 "net";
        a_right_on_a_large_object_is_seen: "GRANT UPDATE ON LARGE OBJECT 4711 TO cutter_exec" => "catalog:pg_largeobject_metadata" "CHANGED" 6 "net";
        a_right_to_set_a_parameter_is_seen: "GRANT SET ON PARAMETER session_replication_role TO cutter_exec" => "catalog:pg_parameter_acl" "CHANGED" 6 "net";
        a_right_on_a_function_of_the_system_is_seen: "GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO cutter_exec" => "catalog:functions" "CHANGED" 6 "net";
        a_right_on_a_language_is_seen: "REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC" => "catalog:pg_language" "CHANGED" 6 "net";
    }
    "triggers, rules and policies" {
        a_disabled_trigger_is_seen: "ALTER TABLE public.information_unit DISABLE TRIGGER trg_iu_enacted_immut" => "catalog:triggers" "CHANGED" 6 "net";
        a_trigger_that_was_disabled_for_a_while_is_seen: "ALTER TABLE public.information_unit DISABLE TRIGGER trg_iu_enacted_immut; ALTER TABLE public.information_unit ENABLE TRIGGER trg_iu_enacted_immut" => "catalog:triggers" "CHANGED" 6 "net";
        a_new_policy_is_seen: "CREATE POLICY p ON public.information_unit USING (true)" => "catalog:policies" "CHANGED" 6 "net";
        row_security_on_a_watched_table_is_seen: "ALTER TABLE public.information_unit ENABLE ROW LEVEL SECURITY" => "catalog:policies" "CHANGED" 6 "net";
    }
    "functions" {
        a_function_that_was_handed_to_another_role_is_seen: "ALTER FUNCTION public.fn_iu_create OWNER TO workflow_admin" => "function:public.fn_iu_create" "CHANGED" 6 "net";
        a_replaced_function_is_seen: "CREATE OR REPLACE FUNCTION public.fn_iu_gateway_write_guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'" => "catalog:functions" "CHANGED" 6 "net";
        a_cost_of_a_function_is_seen: "ALTER FUNCTION public.fn_iu_gateway_write_guard() COST 7" => "catalog:functions" "CHANGED" 6 "net";
    }
    "roles and memberships" {
        a_new_role_membership_is_seen: "GRANT cutter_verify TO cutter_exec" => "catalog:role_memberships" "CHANGED" 6 "net";
        a_role_that_became_superuser_is_seen: "ALTER ROLE cutter_exec SUPERUSER" => "catalog:roles" "CHANGED" 6 "net";
        a_changed_password_is_seen: "ALTER ROLE cutter_exec PASSWORD 'x'" => "catalog:roles" "CHANGED" 6 "net";
    }
    "calls" {
        a_called_function_is_seen: "BEGIN; SELECT public.fn_iu_create('NEW-DOC/DIEU/1', 'Title', 'Body', 'tester'); ROLLBACK" => "function:public.fn_iu_create" "CHANGED" 6 "quiet";
        a_call_that_ended_in_an_error_is_not_taken_for_nothing: "DO $$ BEGIN PERFORM pg_sleep(0); END $$; SELECT set_config('x.y', '1', false);; DO $$ BEGIN BEGIN PERFORM public.fn_iu_create(NULL, NULL, NULL, NULL); EXCEPTION WHEN OTHERS THEN NULL; END; END $$; BEGIN; SELECT 1; ROLLBACK" => "function:public.fn_iu_create" "UNKNOWN" 7 "none";
    }
    "rows written without being counted" {
        an_update_there_and_back_in_a_session_that_does_not_count_is_seen: "SET track_counts = off; UPDATE public.knowledge_documents SET title = title || '!' WHERE id = 1; UPDATE public.knowledge_documents SET title = rtrim(title, '!') WHERE id = 1" => "relation:public.knowledge_documents" "CHANGED" 6 "net";
    }
    "what a view or a query reads" {
        a_configuration_key_that_was_changed_and_put_back_is_not_taken_for_nothing: "UPDATE public.dot_config SET value = value || '!' WHERE key = 'iu_create.gateway.mode';; UPDATE public.dot_config SET value = rtrim(value, '!') WHERE key = 'iu_create.gateway.mode'" => "config:dot_config" "UNKNOWN" 7 "none";
        a_changed_configuration_key_is_seen: "UPDATE public.dot_config SET value = 'off' WHERE key = 'iu_create.gateway.mode'" => "config:dot_config" "CHANGED" 6 "quiet";
    }
    "sequences" {
        a_bumped_sequence_is_seen: "SELECT nextval('public.birth_registry_id_seq')" => "database:sequences" "CHANGED" 6 "quiet";
    }
    "tables and columns" {
        a_table_that_came_and_went_is_not_taken_for_nothing: "CREATE TABLE public.t (); DROP TABLE public.t" => "catalog:relations" "UNKNOWN" 7 "none";
        a_target_for_statistics_of_a_column_is_seen: "ALTER TABLE public.unit_version ALTER title SET STATISTICS 7" => "catalog:columns" "CHANGED" 6 "net";
        a_column_that_may_be_empty_is_seen: "ALTER TABLE public.unit_version ALTER title DROP NOT NULL" => "catalog:columns" "CHANGED" 6 "net";
        a_table_that_was_rewritten_is_seen: "VACUUM FULL public.knowledge_documents" => "relation:public.knowledge_documents" "CHANGED" 6 "counts";
        a_dropped_table_is_seen: "DROP TABLE public.knowledge_documents CASCADE" => "relation:public.knowledge_documents" "CHANGED" 6 "counts";
    }
    "constraints and indexes" {
        a_dropped_constraint_is_seen: "ALTER TABLE public.information_unit DROP CONSTRAINT information_unit_revision_check" => "catalog:constraints" "CHANGED" 6 "net";
        a_domain_that_allows_more_is_seen: "ALTER DOMAIN public.short DROP CONSTRAINT few" => "catalog:constraints" "CHANGED" 6 "net";
    }
    "settings of the server" {
        a_setting_of_the_system_is_seen_once_loaded: "ALTER SYSTEM SET work_mem = '5MB';; SELECT pg_reload_conf();; SELECT pg_sleep(0.3)" => "database:settings" "CHANGED" 6 "quiet";
        a_setting_of_the_system_is_seen_before_it_is_loaded: "ALTER SYSTEM SET work_mem = '5MB'" => "database:configuration_files" "CHANGED" 6 "quiet";
        a_setting_of_the_system_that_was_reset_is_not_taken_for_nothing: "ALTER SYSTEM SET work_mem = '5MB';; ALTER SYSTEM RESET work_mem" => "database:configuration_files" "UNKNOWN" 7 "none";
        options_of_a_tablespace_are_seen: "ALTER TABLESPACE pg_default SET (seq_page_cost = 2)" => "catalog:pg_tablespace" "CHANGED" 6 "net";
    }
    "counters set to zero" {
        counters_that_were_reset_are_seen: "SELECT pg_stat_reset()" => "database:statistics" "CHANGED" 6 "net";
        counters_of_one_table_that_were_reset_are_seen: "SELECT pg_stat_reset_single_table_counters('public.information_unit'::regclass)" => "database:statistics" "CHANGED" 6 "net";
        an_undone_insert_whose_counters_were_reset_is_not_known: "BEGIN; INSERT INTO public.knowledge_documents (slug, title, body, metadata, relevance) VALUES ('x', 'x', 'x', '{}', 1); ROLLBACK; SELECT pg_stat_reset()" => "relation:public.knowledge_documents" "UNKNOWN" 6 "quiet";
    }
    "publications, subscriptions and slots" {
        a_new_publication_is_seen: "CREATE PUBLICATION leak FOR ALL TABLES" => "catalog:pg_publication" "CHANGED" 6 "net";
        a_publication_that_came_and_went_is_seen: "CREATE PUBLICATION leak FOR ALL TABLES;; DROP PUBLICATION leak" => "catalog:pg_publication" "CHANGED" 6 "net";
        a_table_that_was_added_to_a_publication_is_seen: "ALTER PUBLICATION pub ADD TABLE public.information_unit" => "catalog:pg_publication_rel" "CHANGED" 6 "net";
        a_subscription_that_was_made_is_seen: "CREATE SUBSCRIPTION sub CONNECTION 'dbname=x' PUBLICATION p WITH (connect = false)" => "catalog:pg_subscription" "CHANGED" 6 "net";
        a_replication_slot_is_seen: "SELECT pg_create_physical_replication_slot('leak')" => "database:slots" "CHANGED" 6 "quiet";
    }
    "types" {
        a_new_value_of_an_enum_is_seen: "ALTER TYPE public.mood ADD VALUE 'glad'" => "catalog:pg_enum" "CHANGED" 6 "net";
        a_renamed_value_of_an_enum_is_seen: "ALTER TYPE public.mood RENAME VALUE 'sad' TO 'low'" => "catalog:pg_enum" "CHANGED" 6 "net";
        a_type_of_another_owner_is_seen: "ALTER TYPE public.mood OWNER TO cutter_exec" => "catalog:pg_type" "CHANGED" 6 "net";
        a_cast_is_seen: "CREATE CAST (public.mood AS text) WITH INOUT" => "catalog:pg_cast" "CHANGED" 6 "net";
    }
    "foreign data" {
        options_of_a_foreign_server_are_seen: "ALTER SERVER other OPTIONS (SET dbname 'y')" => "catalog:pg_foreign_server" "CHANGED" 6 "net";
        a_new_user_mapping_is_seen: "CREATE USER MAPPING FOR cutter_verify SERVER other" => "catalog:pg_user_mapping" "CHANGED" 6 "net";
        options_of_a_user_mapping_are_seen: "ALTER USER MAPPING FOR cutter_exec SERVER other OPTIONS (SET user 'y')" => "catalog:pg_user_mapping" "CHANGED" 6 "net";
        options_of_a_foreign_table_are_seen: "ALTER FOREIGN TABLE public.far OPTIONS (SET table_name 'y')" => "catalog:pg_foreign_table" "CHANGED" 6 "net";
    }
    "large objects" {
        a_large_object_that_was_written_is_seen: "SELECT lo_put(4711, 0, 'H')" => "catalog:pg_largeobject" "CHANGED" 6 "net";
        a_large_object_that_was_written_and_put_back_is_seen: "SELECT lo_put(4711, 0, 'H');; SELECT lo_put(4711, 0, 'h')" => "catalog:pg_largeobject" "CHANGED" 6 "net";
        a_new_large_object_is_seen: "SELECT lo_create(4712)" => "catalog:pg_largeobject_metadata" "CHANGED" 6 "net";
        a_large_object_that_is_gone_is_seen: "SELECT lo_unlink(4711)" => "catalog:pg_largeobject" "CHANGED" 6 "net";
    }
    "text search, operators and collations" {
        a_changed_operator_is_seen: "ALTER OPERATOR public.=== (text, text) SET (RESTRICT = eqsel)" => "catalog:pg_operator" "CHANGED" 6 "net";
        a_collation_of_another_name_is_seen: "ALTER COLLATION public.plain RENAME TO other" => "catalog:pg_collation" "CHANGED" 6 "net";
        a_text_search_that_finds_other_words_is_seen: "ALTER TEXT SEARCH CONFIGURATION public.words DROP MAPPING FOR int" => "catalog:pg_ts_config_map" "CHANGED" 6 "net";
        a_new_access_method_is_seen: "CREATE ACCESS METHOD other TYPE TABLE HANDLER heap_tableam_handler" => "catalog:pg_am" "CHANGED" 6 "net";
    }
    "comments, statistics and extensions" {
        an_extension_that_lost_an_object_is_seen: "ALTER EXTENSION postgres_fdw DROP FUNCTION public.postgres_fdw_disconnect_all()" => "catalog:pg_depend" "CHANGED" 6 "net";
        changed_extended_statistics_are_seen: "ALTER STATISTICS public.together SET STATISTICS 7" => "catalog:pg_statistic_ext" "CHANGED" 6 "net";
        a_comment_is_seen: "COMMENT ON TABLE public.unit_version IS 'x'" => "catalog:pg_description" "CHANGED" 6 "net";
    }
    "settings of roles and databases" {
        a_setting_of_a_role_is_seen: "ALTER ROLE cutter_exec SET work_mem = '5MB'" => "catalog:role_settings" "CHANGED" 6 "net";
        a_setting_of_a_role_that_was_reset_is_seen: "ALTER ROLE cutter_exec SET track_counts = off;; ALTER ROLE cutter_exec RESET track_counts" => "catalog:role_settings" "CHANGED" 6 "net";
    }
    "nothing at all" {
        an_index_that_was_rebuilt_is_no_change: "REINDEX INDEX public.knowledge_documents_pkey" => "catalog:relations" "UNCHANGED" 0 "none";
        a_vacuum_is_no_change: "VACUUM ANALYZE public.knowledge_documents" => "relation:public.knowledge_documents" "UNCHANGED" 0 "none";
        a_read_is_no_change: "SELECT count(*) FROM public.knowledge_documents" => "relation:public.knowledge_documents" "UNCHANGED" 0 "none";
    }
    "rows that are hidden from the observer" {
        a_revoked_right_to_read_makes_the_content_unknown: "REVOKE SELECT ON cutter_governance.verify_result FROM cutter_observe" => "relation:cutter_governance.verify_result" "UNKNOWN" 6 "net";
    }
}

#[test]
fn nothing_done_is_all_unchanged_with_the_figures_of_report_07() {
    let scene = Scene::new();
    assert_eq!((scene.capture("a.json"), scene.capture("b.json")), (0, 0));
    let (exit, comparison) = scene.compare();
    assert_eq!((exit, remarkable(&comparison)), (0, Vec::new()));
    assert_eq!((&comparison["quiet"]["proven"], &comparison["level"]["reached"]), (&true.into(), &"net".into()));
    for (id, shown) in [
        ("relation:public.information_unit", "158 rows (98 draft, 60 enacted)"),
        ("relation:public.unit_version", "165 rows"),
        ("relation:public.iu_lifecycle_log", "60 rows"),
        ("relation:cutter_governance.cut_change_set", "2 rows"),
        ("relation:cutter_governance.review_decision", "3 rows"),
        ("relation:cutter_governance.verify_result", "2 rows"),
        ("flag:execution_enabled", "False"),
    ] {
        assert_eq!((&row(&comparison, id)["baseline"], &row(&comparison, id)["final"]), (&shown.into(), &shown.into()));
    }
}

#[test]
fn a_write_elsewhere_moves_the_snapshot_and_nothing_that_is_watched() {
    let scene = Scene::new();
    scene.server.execute("CREATE DATABASE other");
    scene.capture("a.json");
    scene.server.connect("postgres", "other").batch_execute("SELECT pg_current_xact_id()").unwrap();
    scene.capture("b.json");
    let (exit, comparison) = scene.compare();
    assert_eq!((exit, remarkable(&comparison)), (0, Vec::new()));
    assert_eq!(comparison["quiet"]["proven"], false);
    assert_eq!(comparison["level"]["reached"], "net");
}

#[test]
fn a_transaction_that_was_open_at_the_baseline_and_commits_later_is_seen() {
    let scene = Scene::new();
    let mut writer = scene.server.connect("postgres", "directus");
    writer.batch_execute("BEGIN; DELETE FROM public.iu_lifecycle_log").unwrap();
    scene.capture("a.json");
    writer.batch_execute("COMMIT").unwrap();
    scene.capture("b.json");
    let (exit, comparison) = scene.compare();
    assert_eq!((exit, status(&comparison, "relation:public.iu_lifecycle_log")), (6, "CHANGED"));
}

#[test]
fn a_transaction_that_was_open_at_the_baseline_and_is_rolled_back_is_not_taken_for_nothing() {
    let scene = Scene::new();
    let mut writer = scene.server.connect("postgres", "directus");
    writer.batch_execute("BEGIN; DELETE FROM public.iu_lifecycle_log").unwrap();
    scene.capture("a.json");
    writer.batch_execute("ROLLBACK").unwrap();
    scene.capture("b.json");
    let (exit, comparison) = scene.compare();
    assert!(exit == 6 || exit == 7, "{comparison:#}");
    assert_ne!(status(&comparison, "relation:public.iu_lifecycle_log"), "UNCHANGED");
}

#[test]
fn a_writer_beside_the_captures_is_not_taken_for_nothing() {
    for during in ["a.json", "b.json"] {
        let scene = Scene::new();
        if during == "b.json" {
            scene.capture("a.json");
        }
        thread::scope(|scope| {
            let (stop, stopped) = std::sync::mpsc::channel::<()>();
            let scene = &scene;
            scope.spawn(move || {
                let mut writer = scene.server.connect("postgres", "directus");
                while stopped.recv_timeout(Duration::from_millis(5)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                    writer
                        .batch_execute("UPDATE public.knowledge_documents SET title = title || '!' WHERE id = 1; UPDATE public.knowledge_documents SET title = rtrim(title, '!') WHERE id = 1")
                        .unwrap();
                }
            });
            thread::sleep(Duration::from_millis(50));
            scene.capture(during);
            drop(stop);
        });
        if during == "a.json" {
            scene.capture("b.json");
        }
        let (exit, comparison) = scene.compare();
        assert!(exit == 6 || exit == 7, "{during}: {comparison:#}");
        assert_ne!(status(&comparison, "relation:public.knowledge_documents"), "UNCHANGED", "{during}");
    }
}

#[test]
fn a_restart_in_between_is_seen() {
    let mut scene = Scene::new();
    scene.capture("a.json");
    scene.server.restart();
    scene.capture("b.json");
    let (exit, comparison) = scene.compare();
    assert_eq!((exit, status(&comparison, "service:postgres")), (6, "CHANGED"));
    assert_eq!(status(&comparison, "database:start"), "CHANGED");
}

#[test]
fn a_table_with_row_security_is_unknown_and_not_empty() {
    let scene = Scene::new();
    scene.server.execute("ALTER TABLE public.information_unit ENABLE ROW LEVEL SECURITY");
    assert_eq!((scene.capture("a.json"), scene.capture("b.json")), (7, 7));
    let (exit, comparison) = scene.compare();
    assert_eq!((exit, status(&comparison, "relation:public.information_unit")), (7, "UNKNOWN"));
    assert!(row(&comparison, "relation:public.information_unit")["because"].to_string().contains("42501"));
}

#[test]
fn a_role_that_cannot_read_the_governance_schema_knows_nothing_of_it() {
    let scene = Scene::new();
    scene.write("cutter.toml", scene.config("context_pack_readonly", EVIDENCE));
    assert_eq!((scene.capture("a.json"), scene.capture("b.json")), (7, 7));
    let (exit, comparison) = scene.compare();
    assert_eq!(exit, 7);
    for name in ["cut_change_set", "review_decision", "verify_result"] {
        let row = row(&comparison, &format!("relation:cutter_governance.{name}"));
        assert_eq!((&row["status"], &row["baseline"]), (&"UNKNOWN".into(), &"unknown".into()));
        assert!(row["because"].to_string().contains("42501"));
    }
    assert_eq!(status(&comparison, "relation:public.information_unit"), "UNCHANGED");
}

#[test]
fn undone_work_of_a_session_that_stays_is_not_taken_for_nothing_before_the_lag_is_over() {
    let scene = Scene::new();
    let mut writer = scene.server.connect("postgres", "directus");
    scene.capture("a.json");
    writer.batch_execute("BEGIN; DELETE FROM public.iu_lifecycle_log; ROLLBACK").unwrap();
    writer.batch_execute("BEGIN; SELECT 1").unwrap();
    scene.capture("b.json");
    let (exit, comparison) = scene.compare();
    assert!(exit == 6 || exit == 7, "{comparison:#}");
    assert_ne!(status(&comparison, "relation:public.iu_lifecycle_log"), "UNCHANGED");
}

#[test]
fn a_switch_that_is_on_and_one_that_was_flipped_and_put_back_are_seen() {
    let off = "__execution_enabled__ = False\n";
    for writes in [&["__execution_enabled__ = True\n"][..], &["__execution_enabled__ = True\n", off]] {
        let scene = Scene::new();
        scene.capture("a.json");
        thread::sleep(Duration::from_millis(20));
        writes.iter().for_each(|text| scene.write("tree/switch.py", text));
        scene.capture("b.json");
        let (exit, comparison) = scene.compare();
        assert_eq!(
            (exit, status(&comparison, "flag:execution_enabled"), status(&comparison, "tree:v0.4-skeleton")),
            (6, "CHANGED", "CHANGED")
        );
    }
}

#[test]
fn counts_alone_prove_nothing_once_the_snapshot_moved() {
    let scene = Scene::new();
    let capture =
        |name: &str| scene.run(&["evidence", "capture", "--level", "counts", "--format", "json", "--output", name]);
    capture("a.json");
    scene.server.execute("UPDATE public.knowledge_documents SET title = title || '!' WHERE id = 1");
    capture("b.json");
    let (exit, comparison) = scene.compare();
    assert_eq!((exit, status(&comparison, "relation:public.knowledge_documents")), (7, "UNKNOWN"));
}
