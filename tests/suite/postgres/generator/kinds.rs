//! What the generator does, as data: the kinds of the table in docs/evidence.md, several ways each, and where each must show.

/// One way of doing something. `§` is the number of the step.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    pub kind: &'static str,
    pub sql: &'static str,
    /// What puts everything back; empty where nothing does.
    pub undo: &'static str,
    /// The observation that may not come out clean when it was done; empty where nothing was.
    pub done: &'static str,
    /// The same when it was put back; empty where that is not promised, see "What is not seen".
    pub undone: &'static str,
    /// The same when it was rolled back.
    pub rolled_back: &'static str,
    /// Whether it stands in no transaction with others.
    pub is_alone: bool,
    /// What is done before the baseline, and undone after the final capture.
    pub around: (&'static str, &'static str),
    /// Why a comparison may say that something is not known though nothing was done.
    pub alarm: &'static str,
}

const NOTHING: Way = Way {
    kind: "nothing at all",
    sql: "",
    undo: "",
    done: "",
    undone: "",
    rolled_back: "",
    is_alone: true,
    around: ("", ""),
    alarm: "",
};

const fn way(kind: &'static str, sql: &'static str, undo: &'static str, shows: [&'static str; 3]) -> Way {
    let [done, undone, rolled_back] = shows;
    Way { kind, sql, undo, done, undone, rolled_back, is_alone: false, ..NOTHING }
}

/// Rows of a relation show however they are written.
const fn rows(kind: &'static str, sql: &'static str, undo: &'static str, relation: &'static str) -> Way {
    way(kind, sql, undo, [relation, relation, relation])
}

const fn alone(kind: &'static str, sql: &'static str, undo: &'static str, shows: [&'static str; 2]) -> Way {
    Way { is_alone: true, ..way(kind, sql, undo, [shows[0], shows[1], ""]) }
}

const fn nothing(sql: &'static str, alarm: &'static str) -> Way {
    Way { sql, alarm, ..NOTHING }
}

const PLAIN: &str = "relation:public.plain";
const RELATION_ACL: &str = "catalog:relation_acl";
const RELATIONS: &str = "catalog:relations";
const COLUMNS: &str = "catalog:columns";
const ROLES: &str = "catalog:roles";
const FUNCTIONS: &str = "catalog:functions";
const FILES: &str = "database:configuration_files";

pub const WAYS: &[Way] = &[
    rows(
        "rows inserted",
        "INSERT INTO public.plain (i, v) VALUES (1000 + §, 1)",
        "DELETE FROM public.plain WHERE i = 1000 + §",
        PLAIN,
    ),
    rows(
        "rows inserted",
        "INSERT INTO public.parted VALUES (15, 's§')",
        "DELETE FROM public.parted WHERE t = 's§'",
        "relation:public.parted",
    ),
    rows(
        "rows inserted",
        "INSERT INTO public.loose VALUES (§)",
        "DELETE FROM public.loose WHERE i = §",
        "relation:public.loose",
    ),
    rows(
        "rows inserted",
        "MERGE INTO public.plain p USING (SELECT 2000 + § AS i) n ON p.i = n.i WHEN NOT MATCHED THEN INSERT (i) VALUES (n.i)",
        "DELETE FROM public.plain WHERE i = 2000 + §",
        PLAIN,
    ),
    rows(
        "rows updated",
        "UPDATE public.plain SET t = t || '!' WHERE i = 1",
        "UPDATE public.plain SET t = left(t, -1) WHERE i = 1",
        PLAIN,
    ),
    rows(
        "rows updated",
        "UPDATE public.plain SET v = 1.00 WHERE i = 2",
        "UPDATE public.plain SET v = 1.0 WHERE i = 2",
        PLAIN,
    ),
    rows(
        "rows updated",
        "UPDATE public.plain SET j = '{\"a\":  1}' WHERE i = 3",
        "UPDATE public.plain SET j = '{\"a\": 1}' WHERE i = 3",
        PLAIN,
    ),
    rows(
        "rows updated",
        "UPDATE public.parted SET i = 16 WHERE i = 3",
        "UPDATE public.parted SET i = 3 WHERE i = 16",
        "relation:public.parted",
    ),
    rows(
        "rows deleted",
        "DELETE FROM public.plain WHERE i = 5",
        "INSERT INTO public.plain SELECT * FROM public.plain_kept WHERE i = 5",
        PLAIN,
    ),
    rows(
        "rows deleted",
        "DELETE FROM public.knowledge_documents WHERE id = 2",
        "INSERT INTO public.knowledge_documents OVERRIDING SYSTEM VALUE SELECT * FROM public.documents_kept WHERE id = 2",
        "relation:public.knowledge_documents",
    ),
    way(
        "rows deleted",
        "TRUNCATE public.plain",
        "INSERT INTO public.plain TABLE public.plain_kept",
        [PLAIN, PLAIN, ""],
    ),
    way(
        "rows deleted",
        "ALTER TABLE public.parted DETACH PARTITION public.parted_2",
        "ALTER TABLE public.parted ATTACH PARTITION public.parted_2 FOR VALUES FROM (10) TO (20)",
        ["relation:public.parted", RELATIONS, RELATIONS],
    ),
    way(
        UNCOUNTED,
        "SET track_counts = off; UPDATE public.plain SET t = t || '!' WHERE i = 6; SET track_counts = on",
        "SET track_counts = off; UPDATE public.plain SET t = left(t, -1) WHERE i = 6; SET track_counts = on",
        [PLAIN, PLAIN, ""],
    ),
    way(
        UNCOUNTED,
        "SET track_counts = off; DELETE FROM public.plain WHERE i = 7; SET track_counts = on",
        "SET track_counts = off; INSERT INTO public.plain SELECT * FROM public.plain_kept WHERE i = 7; SET track_counts = on",
        [PLAIN, PLAIN, ""],
    ),
    Way {
        around: ("ALTER DATABASE directus SET track_counts = off", "ALTER DATABASE directus RESET track_counts"),
        ..rows(
            UNCOUNTED,
            "INSERT INTO public.plain (i) VALUES (3000 + §)",
            "DELETE FROM public.plain WHERE i = 3000 + §",
            PLAIN,
        )
    },
    way(
        "rows that are hidden from the observer",
        "SET track_counts = off; UPDATE public.plain SET t = t || '!' WHERE i = 8; REVOKE SELECT ON public.plain FROM cutter_observe; SET track_counts = on",
        "SET track_counts = off; UPDATE public.plain SET t = left(t, -1) WHERE i = 8; GRANT SELECT ON public.plain TO cutter_observe; SET track_counts = on",
        [PLAIN, PLAIN, ""],
    ),
    way(
        "rows that are hidden from the observer",
        "ALTER TABLE public.plain ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE public.plain DISABLE ROW LEVEL SECURITY",
        [PLAIN, RELATIONS, RELATIONS],
    ),
    rows(
        "what a view or a query reads",
        "INSERT INTO public.plain (i) VALUES (4000 + §)",
        "DELETE FROM public.plain WHERE i = 4000 + §",
        "relation:public.seen",
    ),
    rows(
        "what a view or a query reads",
        "UPDATE public.dot_config SET value = value || '!' WHERE key = 'iu_create.gateway.mode'",
        "UPDATE public.dot_config SET value = rtrim(value, '!') WHERE key = 'iu_create.gateway.mode'",
        "config:dot_config",
    ),
    rows(
        "what a view or a query reads",
        "UPDATE public.dot_config SET value = value || '!' WHERE key = 'iu_create.gateway.mode'",
        "UPDATE public.dot_config SET value = rtrim(value, '!') WHERE key = 'iu_create.gateway.mode'",
        "flag:gateway",
    ),
    way(
        "growth that covers something else",
        "SET track_counts = off; UPDATE public.growing SET t = 'forged §' WHERE i = 1; SET track_counts = on; INSERT INTO public.growing VALUES (§)",
        "",
        ["relation:public.growing", "", ""],
    ),
    way(
        "growth that covers something else",
        "DELETE FROM public.growing WHERE i = 2; INSERT INTO public.growing VALUES (2), (§)",
        "",
        ["relation:public.growing", "", ""],
    ),
    way(
        "growth that covers something else",
        "UPDATE public.growing SET t = 'forged §' WHERE i = 3; INSERT INTO public.growing VALUES (§)",
        "",
        ["relation:public.growing", "", ""],
    ),
    way(
        "rights on relations",
        "GRANT INSERT ON public.unit_version TO cutter_ro",
        "REVOKE INSERT ON public.unit_version FROM cutter_ro",
        [RELATION_ACL, RELATION_ACL, RELATIONS],
    ),
    way(
        "rights on relations",
        "GRANT UPDATE (title) ON public.unit_version TO cutter_ro",
        "REVOKE UPDATE (title) ON public.unit_version FROM cutter_ro",
        [RELATION_ACL, COLUMNS, COLUMNS],
    ),
    way(
        "rights on relations",
        "ALTER TABLE public.elsewhere OWNER TO directus",
        "ALTER TABLE public.elsewhere OWNER TO postgres",
        [RELATION_ACL, RELATION_ACL, RELATIONS],
    ),
    way(
        "rights on relations",
        "GRANT SELECT ON pg_catalog.pg_authid TO cutter_ro",
        "REVOKE SELECT ON pg_catalog.pg_authid FROM cutter_ro",
        [RELATION_ACL, RELATION_ACL, RELATIONS],
    ),
    way(
        "rights on other things",
        "GRANT CREATE ON SCHEMA public TO cutter_ro",
        "REVOKE CREATE ON SCHEMA public FROM cutter_ro",
        ["catalog:schemas", "catalog:schemas", "catalog:schemas"],
    ),
    way(
        "rights on other things",
        "GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO cutter_ro",
        "REVOKE EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) FROM cutter_ro",
        [FUNCTIONS, FUNCTIONS, FUNCTIONS],
    ),
    way(
        "rights on other things",
        "GRANT SET ON PARAMETER session_replication_role TO cutter_ro",
        "REVOKE SET ON PARAMETER session_replication_role FROM cutter_ro",
        ["catalog:pg_parameter_acl", "catalog:pg_parameter_acl", "catalog:pg_parameter_acl"],
    ),
    way(
        "rights on other things",
        "GRANT USAGE ON FOREIGN SERVER other TO cutter_ro",
        "REVOKE USAGE ON FOREIGN SERVER other FROM cutter_ro",
        ["catalog:pg_foreign_server", "catalog:pg_foreign_server", "catalog:pg_foreign_server"],
    ),
    way(
        "rights on other things",
        "ALTER DEFAULT PRIVILEGES FOR ROLE directus GRANT SELECT ON TABLES TO cutter_ro",
        "ALTER DEFAULT PRIVILEGES FOR ROLE directus REVOKE SELECT ON TABLES FROM cutter_ro",
        ["catalog:default_acl", "catalog:default_acl", "catalog:default_acl"],
    ),
    way(
        "rights on other things",
        "GRANT UPDATE ON LARGE OBJECT 4711 TO cutter_ro",
        "REVOKE UPDATE ON LARGE OBJECT 4711 FROM cutter_ro",
        ["catalog:pg_largeobject_metadata", "catalog:pg_largeobject_metadata", "catalog:pg_largeobject_metadata"],
    ),
    way(
        "roles and memberships",
        "GRANT cutter_verify TO cutter_ro",
        "REVOKE cutter_verify FROM cutter_ro",
        ["catalog:role_memberships", "catalog:role_memberships", "catalog:role_memberships"],
    ),
    way("roles and memberships", "CREATE ROLE r§", "DROP ROLE r§", [ROLES, ROLES, ROLES]),
    way(
        "roles and memberships",
        "ALTER ROLE cutter_ro SUPERUSER",
        "ALTER ROLE cutter_ro NOSUPERUSER",
        [ROLES, ROLES, ROLES],
    ),
    way(
        "roles and memberships",
        "ALTER ROLE cutter_exec PASSWORD 'p§'",
        "ALTER ROLE cutter_exec PASSWORD NULL",
        [ROLES, ROLES, ROLES],
    ),
    way(
        "settings of roles and databases",
        "ALTER ROLE cutter_exec SET work_mem = '5MB'",
        "ALTER ROLE cutter_exec RESET work_mem",
        ["catalog:role_settings", "catalog:role_settings", "catalog:role_settings"],
    ),
    way(
        "settings of roles and databases",
        "ALTER DATABASE directus SET statement_timeout = '5h'",
        "ALTER DATABASE directus RESET statement_timeout",
        ["catalog:role_settings", "catalog:role_settings", "catalog:role_settings"],
    ),
    way(
        "settings of roles and databases",
        "ALTER DATABASE postgres CONNECTION LIMIT 7",
        "ALTER DATABASE postgres CONNECTION LIMIT -1",
        ["catalog:database", "catalog:database", "catalog:database"],
    ),
    alone(
        "settings of the server",
        "ALTER SYSTEM SET work_mem = '5MB';; SELECT pg_reload_conf();; SELECT pg_sleep(0.3)",
        "ALTER SYSTEM RESET work_mem;; SELECT pg_reload_conf();; SELECT pg_sleep(0.3)",
        ["database:settings", FILES],
    ),
    alone("settings of the server", "ALTER SYSTEM SET work_mem = '1§MB'", "", [FILES, ""]),
    way(
        "tables and columns",
        "CREATE TABLE public.t§ (i int)",
        "DROP TABLE public.t§",
        [RELATIONS, RELATIONS, RELATIONS],
    ),
    way(
        "tables and columns",
        "CREATE TABLE wild.t§ (i int)",
        "DROP TABLE wild.t§",
        ["relation:wild.t§", RELATIONS, RELATIONS],
    ),
    way(
        "tables and columns",
        "ALTER TABLE public.elsewhere ADD COLUMN c§ int",
        "ALTER TABLE public.elsewhere DROP COLUMN c§",
        [COLUMNS, COLUMNS, COLUMNS],
    ),
    way(
        "tables and columns",
        "ALTER TABLE public.unit_version ALTER title DROP NOT NULL",
        "ALTER TABLE public.unit_version ALTER title SET NOT NULL",
        [COLUMNS, COLUMNS, COLUMNS],
    ),
    way(
        "tables and columns",
        "ALTER TABLE public.plain SET (fillfactor = 70)",
        "ALTER TABLE public.plain RESET (fillfactor)",
        [RELATIONS, RELATIONS, RELATIONS],
    ),
    way(
        "tables and columns",
        "ALTER TABLE public.plain SET UNLOGGED",
        "ALTER TABLE public.plain SET LOGGED",
        [PLAIN, PLAIN, RELATIONS],
    ),
    alone("tables and columns", "VACUUM FULL public.plain", "", [PLAIN, ""]),
    way(
        "constraints and indexes",
        "ALTER TABLE public.elsewhere ADD CONSTRAINT few§ CHECK (i < 9000)",
        "ALTER TABLE public.elsewhere DROP CONSTRAINT few§",
        ["catalog:constraints", "catalog:constraints", "catalog:constraints"],
    ),
    way(
        "constraints and indexes",
        "ALTER DOMAIN public.short DROP CONSTRAINT few",
        "ALTER DOMAIN public.short ADD CONSTRAINT few CHECK (length(VALUE) < 9)",
        ["catalog:constraints", "catalog:constraints", "catalog:constraints"],
    ),
    way(
        "constraints and indexes",
        "CREATE INDEX i§ ON public.unit_version (title)",
        "DROP INDEX public.i§",
        ["catalog:indexes", "catalog:indexes", "catalog:indexes"],
    ),
    way(
        "triggers, rules and policies",
        "ALTER TABLE public.information_unit DISABLE TRIGGER trg_iu_enacted_immut",
        "ALTER TABLE public.information_unit ENABLE TRIGGER trg_iu_enacted_immut",
        ["catalog:triggers", "catalog:triggers", "catalog:triggers"],
    ),
    way(
        "triggers, rules and policies",
        "CREATE RULE r§ AS ON DELETE TO public.elsewhere DO INSTEAD NOTHING",
        "DROP RULE r§ ON public.elsewhere",
        ["catalog:rules", "catalog:rules", "catalog:rules"],
    ),
    way(
        "triggers, rules and policies",
        "CREATE POLICY p§ ON public.elsewhere USING (true)",
        "DROP POLICY p§ ON public.elsewhere",
        ["catalog:policies", "catalog:policies", "catalog:policies"],
    ),
    way(
        "triggers, rules and policies",
        "ALTER TABLE public.elsewhere ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE public.elsewhere DISABLE ROW LEVEL SECURITY",
        ["catalog:policies", RELATIONS, RELATIONS],
    ),
    way(
        "triggers, rules and policies",
        "CREATE EVENT TRIGGER e§ ON ddl_command_end EXECUTE FUNCTION public.told()",
        "DROP EVENT TRIGGER e§",
        ["catalog:event_triggers", "catalog:event_triggers", "catalog:event_triggers"],
    ),
    way(
        "functions",
        "CREATE FUNCTION public.f§() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DROP FUNCTION public.f§()",
        [FUNCTIONS, FUNCTIONS, FUNCTIONS],
    ),
    way(
        "functions",
        "ALTER FUNCTION public.calc(int) SECURITY DEFINER",
        "ALTER FUNCTION public.calc(int) SECURITY INVOKER",
        ["function:public.calc", "function:public.calc", FUNCTIONS],
    ),
    way(
        "functions",
        "ALTER FUNCTION public.fn_iu_create OWNER TO workflow_admin",
        "ALTER FUNCTION public.fn_iu_create OWNER TO directus",
        [FUNCTIONS, FUNCTIONS, FUNCTIONS],
    ),
    way("calls", "SELECT public.calc(§)", "", ["function:public.calc", "", "function:public.calc"]),
    way(
        "calls",
        "DO $$ BEGIN PERFORM public.calc(§); END $$",
        "",
        ["function:public.calc", "", "function:public.calc"],
    ),
    Way {
        is_alone: true,
        ..way(
            "calls",
            "BEGIN; SAVEPOINT s; SELECT public.calc(§); ROLLBACK TO s; COMMIT",
            "",
            ["function:public.calc", "", ""],
        )
    },
    Way { is_alone: true, ..way("calls", FAILS, "", ["function:public.calc", "", ""]) },
    way("sequences", "SELECT nextval('public.counted')", "", ["database:sequences", "", "database:sequences"]),
    way("sequences", "SELECT setval('public.counted', 5000 + §)", "", ["database:sequences", "", "database:sequences"]),
    way(
        "sequences",
        "ALTER SEQUENCE public.counted INCREMENT 7",
        "ALTER SEQUENCE public.counted INCREMENT 1",
        ["catalog:sequences", "catalog:sequences", "catalog:sequences"],
    ),
    way(
        "types",
        "ALTER TYPE public.mood RENAME VALUE 'sad' TO 'low'",
        "ALTER TYPE public.mood RENAME VALUE 'low' TO 'sad'",
        ["catalog:pg_enum", "catalog:pg_enum", "catalog:pg_enum"],
    ),
    way(
        "types",
        "CREATE TYPE public.e§ AS ENUM ('a')",
        "DROP TYPE public.e§",
        ["catalog:pg_type", "catalog:pg_type", "catalog:pg_type"],
    ),
    way(
        "types",
        "ALTER TYPE public.mood OWNER TO cutter_exec",
        "ALTER TYPE public.mood OWNER TO postgres",
        ["catalog:pg_type", "catalog:pg_type", "catalog:pg_type"],
    ),
    way(
        "types",
        "CREATE CAST (public.mood AS text) WITH INOUT",
        "DROP CAST (public.mood AS text)",
        ["catalog:pg_cast", "catalog:pg_cast", "catalog:pg_cast"],
    ),
    way(
        "foreign data",
        "ALTER SERVER other OPTIONS (SET dbname 'y')",
        "ALTER SERVER other OPTIONS (SET dbname 'x')",
        ["catalog:pg_foreign_server", "catalog:pg_foreign_server", "catalog:pg_foreign_server"],
    ),
    way(
        "foreign data",
        "CREATE USER MAPPING FOR cutter_verify SERVER other",
        "DROP USER MAPPING FOR cutter_verify SERVER other",
        ["catalog:pg_user_mapping", "catalog:pg_user_mapping", "catalog:pg_user_mapping"],
    ),
    way(
        "foreign data",
        "ALTER USER MAPPING FOR cutter_exec SERVER other OPTIONS (SET user 'y')",
        "ALTER USER MAPPING FOR cutter_exec SERVER other OPTIONS (SET user 'x')",
        ["catalog:pg_user_mapping", "catalog:pg_user_mapping", "catalog:pg_user_mapping"],
    ),
    way(
        "foreign data",
        "ALTER FOREIGN TABLE public.far OPTIONS (SET table_name 'y')",
        "ALTER FOREIGN TABLE public.far OPTIONS (SET table_name 'x')",
        ["catalog:pg_foreign_table", "catalog:pg_foreign_table", "catalog:pg_foreign_table"],
    ),
    way(
        "publications, subscriptions and slots",
        "CREATE PUBLICATION p§ FOR ALL TABLES",
        "DROP PUBLICATION p§",
        ["catalog:pg_publication", "catalog:pg_publication", "catalog:pg_publication"],
    ),
    way(
        "publications, subscriptions and slots",
        "ALTER PUBLICATION pub ADD TABLE public.plain",
        "ALTER PUBLICATION pub DROP TABLE public.plain",
        ["catalog:pg_publication_rel", "catalog:pg_publication_rel", "catalog:pg_publication_rel"],
    ),
    way(
        "publications, subscriptions and slots",
        "CREATE SUBSCRIPTION s§ CONNECTION 'dbname=x' PUBLICATION p WITH (connect = false)",
        "ALTER SUBSCRIPTION s§ SET (slot_name = NONE); DROP SUBSCRIPTION s§",
        ["catalog:pg_subscription", "catalog:pg_subscription", "catalog:pg_subscription"],
    ),
    alone(
        "publications, subscriptions and slots",
        "SELECT pg_create_physical_replication_slot('s§')",
        "SELECT pg_drop_replication_slot('s§')",
        ["database:slots", ""],
    ),
    way(
        "large objects",
        "SELECT lo_put(4711, 0, 'H')",
        "SELECT lo_put(4711, 0, 'h')",
        ["catalog:pg_largeobject", "catalog:pg_largeobject", "catalog:pg_largeobject"],
    ),
    way(
        "large objects",
        "SELECT lo_create(10000 + §)",
        "SELECT lo_unlink(10000 + §)",
        ["catalog:pg_largeobject_metadata", "catalog:pg_largeobject_metadata", "catalog:pg_largeobject_metadata"],
    ),
    way(
        "text search, operators and collations",
        "ALTER TEXT SEARCH CONFIGURATION public.words DROP MAPPING FOR int",
        "ALTER TEXT SEARCH CONFIGURATION public.words ADD MAPPING FOR int WITH simple",
        ["catalog:pg_ts_config_map", "catalog:pg_ts_config_map", "catalog:pg_ts_config_map"],
    ),
    way(
        "text search, operators and collations",
        "ALTER OPERATOR public.=== (text, text) SET (RESTRICT = eqsel)",
        "ALTER OPERATOR public.=== (text, text) SET (RESTRICT = NONE)",
        ["catalog:pg_operator", "catalog:pg_operator", "catalog:pg_operator"],
    ),
    way(
        "text search, operators and collations",
        "ALTER COLLATION public.plain RENAME TO other§",
        "ALTER COLLATION public.other§ RENAME TO plain",
        ["catalog:pg_collation", "catalog:pg_collation", "catalog:pg_collation"],
    ),
    way(
        "comments, statistics and extensions",
        "COMMENT ON TABLE public.unit_version IS '§'",
        "COMMENT ON TABLE public.unit_version IS NULL",
        ["catalog:pg_description", "catalog:pg_description", "catalog:pg_description"],
    ),
    way(
        "comments, statistics and extensions",
        "ALTER STATISTICS public.together SET STATISTICS 7",
        "ALTER STATISTICS public.together SET STATISTICS -1",
        ["catalog:pg_statistic_ext", "catalog:pg_statistic_ext", "catalog:pg_statistic_ext"],
    ),
    way(
        "comments, statistics and extensions",
        "ALTER EXTENSION postgres_fdw DROP FUNCTION public.postgres_fdw_disconnect_all()",
        "ALTER EXTENSION postgres_fdw ADD FUNCTION public.postgres_fdw_disconnect_all()",
        ["catalog:pg_depend", "catalog:pg_depend", "catalog:pg_depend"],
    ),
    alone("counters set to zero", "SELECT pg_stat_reset()", "", ["database:statistics", ""]),
    alone(
        "counters set to zero",
        "SELECT pg_stat_reset_single_table_counters('public.plain'::regclass)",
        "",
        ["database:statistics", ""],
    ),
    Way {
        around: ("SELECT pg_stat_reset()", ""),
        ..alone(
            "counters set to zero",
            "BEGIN; INSERT INTO public.plain (i) VALUES (5000 + §); ROLLBACK;; SELECT pg_stat_reset()",
            "",
            [PLAIN, ""],
        )
    },
    nothing("SELECT count(*) FROM public.plain", ""),
    nothing("VACUUM public.plain", ""),
    nothing("ANALYZE public.plain", ""),
    nothing("REINDEX TABLE public.plain", ""),
    nothing("INSERT INTO public.elsewhere VALUES (§)", ""),
    nothing("INSERT INTO public.growing VALUES (§)", ""),
    nothing(
        "CREATE TEMP TABLE mine AS SELECT 1 AS i; DROP TABLE mine",
        "temporary tables of others write the catalogs as any table does",
    ),
    nothing("REFRESH MATERIALIZED VIEW CONCURRENTLY public.kept", "REFRESH CONCURRENTLY makes a temporary table"),
];

pub const UNCOUNTED: &str = "rows written without being counted";

/// A call that ends in an error, which its caller bears.
const FAILS: &str =
    "BEGIN; DO $$ BEGIN BEGIN PERFORM public.calc(0); EXCEPTION WHEN OTHERS THEN NULL; END; END $$; ROLLBACK";

/// What is there before the first step, beside what the table's own tests change.
pub const SETUP: &str = "
CREATE TABLE public.plain (i int PRIMARY KEY, v numeric, j json, t text);
INSERT INTO public.plain SELECT i, 1.0, '{\"a\": 1}', md5(i::text) FROM generate_series(1, 20) AS i;
CREATE TABLE public.plain_kept AS TABLE public.plain; CREATE TABLE public.documents_kept AS TABLE public.knowledge_documents;
CREATE UNLOGGED TABLE public.loose (i int); CREATE TABLE public.elsewhere (i int); CREATE SEQUENCE public.counted;
CREATE TABLE public.parted (i int, t text) PARTITION BY RANGE (i);
CREATE TABLE public.parted_1 PARTITION OF public.parted FOR VALUES FROM (0) TO (10);
CREATE TABLE public.parted_2 PARTITION OF public.parted FOR VALUES FROM (10) TO (20); INSERT INTO public.parted SELECT i, 'x' FROM generate_series(1, 12) AS i;
CREATE TABLE public.growing (i int, t text); INSERT INTO public.growing SELECT i, 'x' FROM generate_series(1, 5) AS i;
CREATE VIEW public.seen AS SELECT t FROM public.plain WHERE i < 3;
CREATE SCHEMA wild; CREATE TABLE wild.first (i int); GRANT USAGE ON SCHEMA wild TO cutter_observe;
CREATE FUNCTION public.calc(i int) RETURNS int LANGUAGE plpgsql AS 'BEGIN IF i = 0 THEN RAISE ''no''; END IF; RETURN i; END';
CREATE FUNCTION public.told() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
GRANT SELECT ON ALL TABLES IN SCHEMA public, wild TO cutter_observe; GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO cutter_observe;
ALTER DEFAULT PRIVILEGES IN SCHEMA wild GRANT SELECT ON TABLES TO cutter_observe;
GRANT EXECUTE ON FUNCTION pg_stat_file(text, boolean), pg_read_binary_file(text) TO cutter_observe";

/// What is watched.
pub const EVIDENCE: &str = "
[evidence]
counter_lag_seconds = 1
functions = [\"public.calc\"]
[evidence.relations.\"public.plain\"]
[evidence.relations.\"public.loose\"]
[evidence.relations.\"public.parted\"]
[evidence.relations.\"public.growing\"]
[evidence.relations.\"public.seen\"]
[evidence.relations.\"public.knowledge_documents\"]
newest = \"created_at\"
[evidence.relations.\"wild.*\"]
[evidence.rows]
\"config:dot_config\" = \"SELECT key, value FROM public.dot_config\"
[evidence.flags.gateway]
query = \"SELECT value FROM public.dot_config WHERE key = 'iu_create.gateway.mode'\"
[[evidence.tolerate]]
id = \"relation:public.growing\"
growth = 20
why = \"it grows\"
";
