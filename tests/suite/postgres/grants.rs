//! The audit of grants: what it finds, that its package closes exactly that, and that the inverse leads back.

use crate::postgres::scene::Scene;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The shipped matrix, on the test database.
pub fn shipped() -> Scene {
    let scene = Scene::new();
    configure(&scene, |_| {});
    scene
}

/// Writes the shipped configuration, as edited; the server's first superuser is accepted.
fn configure(scene: &Scene, edit: impl FnOnce(&mut toml::Table)) {
    scene.configure(|shipped| {
        for (_, conflict) in shipped["grants"]["conflicts"].as_table_mut().unwrap() {
            let accepted = conflict["accepted"].as_table_mut().unwrap();
            accepted.insert("postgres".to_owned(), "the first superuser".into());
        }
        let roles = shipped["grants"]["roles"].as_table_mut().unwrap();
        roles.insert("postgres".to_owned(), toml::Table::from_iter([("superuser".to_owned(), true.into())]).into());
        edit(shipped);
    });
}

pub fn audit(scene: &Scene) -> (i32, Value) {
    let output = scene.run(&["evidence", "grants", "--format", "json"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{error}")))
}

fn statements(audit: &Value, which: &str) -> Vec<String> {
    audit[which].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn apply(scene: &Scene, statements: &[String]) {
    let mut client = scene.server.connect("postgres", "directus");
    let mut transaction = client.transaction().unwrap();
    for statement in statements {
        let done = transaction.batch_execute(statement);
        done.unwrap_or_else(|error| panic!("`{statement}` of {statements:#?}: {error:?}; {:#?}", rights(scene)));
    }
    transaction.commit().unwrap();
}

/// Everything that GRANT and REVOKE change, as the server tells it; a default is what it stands for.
fn rights(scene: &Scene) -> Vec<String> {
    let sql = "
        SELECT 'r ' || c.oid::regclass || e::text FROM pg_class c, aclexplode(coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\", c.relowner))) e WHERE c.relnamespace IN ('public'::regnamespace, 'cutter_governance'::regnamespace)
        UNION ALL SELECT 'c ' || attrelid::regclass || attname || e::text FROM pg_attribute, aclexplode(attacl) e
        UNION ALL SELECT 'f ' || p.oid::regprocedure || e::text FROM pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner))) e WHERE pronamespace = 'public'::regnamespace
        UNION ALL SELECT 'n ' || nspname || e::text FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) e
        UNION ALL SELECT 'd ' || datname || e::text FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) e
        UNION ALL SELECT 'm ' || roleid::regrole || member::regrole || admin_option FROM pg_auth_members
        ORDER BY 1";
    let rows = scene.server.connect("postgres", "directus").query(sql, &[]).unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[test]
fn the_test_database_lacks_exactly_the_two_grants_of_report_07() {
    let scene = shipped();
    let (exit, audit) = audit(&scene);
    assert_eq!(
        statements(&audit, "package"),
        [
            "GRANT SELECT ON TABLE cutter_governance.cut_change_set_affected_row TO \"cutter_exec\";",
            "GRANT SELECT ON TABLE cutter_governance.verify_result TO \"cutter_exec\";",
        ],
        "{audit:#}"
    );
    assert_eq!(exit, 4);
    assert_eq!(audit["differences"].as_array().unwrap().len(), 2);
}

#[test]
fn what_extensions_brought_is_theirs_and_what_is_not_looked_at_is_said() {
    let scene = shipped();
    let before = statements(&audit(&scene).1, "package");
    scene.server.execute("CREATE EXTENSION citext");
    scene.server.execute("CREATE DATABASE other");
    let (_, found) = audit(&scene);
    assert_eq!(statements(&found, "package"), before);
    let unseen = found["not_looked_at"].to_string();
    for words in ["citext", "other databases of the server: other", "pg_authid", "row security"] {
        assert!(unseen.contains(words), "{words}: {unseen}");
    }
}

#[test]
fn conflicts_name_who_holds_what_must_not_come_together() {
    let scene = shipped();
    let named = |audit: &Value| -> Vec<String> {
        let open = audit["conflicts"].as_array().unwrap().iter().filter(|conflict| conflict["accepted"].is_null());
        open.map(|conflict| format!("{} {}", conflict["role"].as_str().unwrap(), conflict["name"].as_str().unwrap()))
            .collect()
    };
    // As in production: the executor inserts review decisions, and the verifier change sets.
    let known = ["cutter_exec execute-and-approve", "cutter_verify verify-and-record"];
    assert_eq!(named(&audit(&scene).1), known);
    for (sql, role, through) in [
        ("GRANT cutter_verify TO cutter_exec", "cutter_exec execute-and-verify", "as a member of cutter_verify"),
        (
            "GRANT INSERT ON cutter_governance.verify_result TO PUBLIC",
            "cutter_exec execute-and-verify",
            "through PUBLIC",
        ),
        (
            "GRANT INSERT (state) ON cutter_governance.verify_result TO cutter_exec",
            "cutter_exec execute-and-verify",
            "directly",
        ),
        (
            "ALTER TABLE cutter_governance.verify_result OWNER TO cutter_exec",
            "cutter_exec execute-and-verify",
            "as owner",
        ),
        ("ALTER ROLE cutter_ro SUPERUSER", "cutter_ro execute-and-verify", "as superuser"),
        (
            "GRANT directus TO cutter_ro; GRANT pg_write_all_data TO cutter_ro",
            "cutter_ro execute-and-approve",
            "as a member of pg_write_all_data",
        ),
        (
            "CREATE FUNCTION public.sneak() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN INSERT INTO cutter_governance.verify_result SELECT * FROM cutter_governance.verify_result; END'; ALTER FUNCTION public.sneak() OWNER TO cutter_verify; REVOKE EXECUTE ON FUNCTION public.sneak() FROM PUBLIC; GRANT EXECUTE ON FUNCTION public.sneak() TO cutter_exec",
            "cutter_exec execute-and-verify",
            "by the function public.sneak(), in the name of cutter_verify",
        ),
        (
            "CREATE FUNCTION public.inner_one() RETURNS void LANGUAGE plpgsql AS 'BEGIN MERGE /* */ INTO -- x
 ONLY cutter_governance . verify_result v USING (SELECT) n ON true WHEN MATCHED THEN DO NOTHING; END';
             CREATE FUNCTION public.outer_one() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'SELECT public.inner_one ()'; REVOKE EXECUTE ON FUNCTION public.outer_one() FROM PUBLIC; GRANT EXECUTE ON FUNCTION public.outer_one() TO cutter_exec",
            "cutter_exec execute-and-verify",
            "by the function public.outer_one(), in the name of postgres",
        ),
        (
            "CREATE VIEW public.results AS SELECT * FROM cutter_governance.verify_result; ALTER VIEW public.results OWNER TO workflow_admin; GRANT INSERT ON public.results TO cutter_exec",
            "cutter_exec execute-and-verify",
            "through the view public.results, in the name of workflow_admin",
        ),
        (
            "CREATE TABLE public.inbox (i int); GRANT INSERT ON public.inbox TO cutter_exec;
             CREATE FUNCTION public.pass_on() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN INSERT INTO cutter_governance.verify_result SELECT * FROM cutter_governance.verify_result; RETURN NEW; END';
             CREATE TRIGGER pass AFTER INSERT ON public.inbox FOR EACH ROW EXECUTE FUNCTION public.pass_on()",
            "cutter_exec execute-and-verify",
            "by the trigger pass on public.inbox",
        ),
        (
            "CREATE TABLE public.outbox (i int);
             CREATE FUNCTION public.send_on() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO cutter_governance.verify_result SELECT * FROM cutter_governance.verify_result; RETURN NEW; END';
             CREATE TRIGGER send AFTER INSERT ON public.outbox FOR EACH ROW EXECUTE FUNCTION public.send_on();
             CREATE FUNCTION public.post() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN INSERT INTO public.outbox VALUES (1); END'; REVOKE EXECUTE ON FUNCTION public.post() FROM PUBLIC; GRANT EXECUTE ON FUNCTION public.post() TO cutter_exec",
            "cutter_exec execute-and-verify",
            "by the function public.post(), in the name of postgres",
        ),
        (
            "GRANT pg_execute_server_program TO cutter_exec",
            "cutter_exec execute-and-verify",
            "as a member of pg_execute_server_program, which runs programs",
        ),
        (
            "ALTER ROLE cutter_ro CREATEROLE",
            "cutter_ro execute-and-verify",
            "by CREATEROLE, as a member of cutter_exec",
        ),
    ] {
        let scene = shipped();
        scene.server.execute(sql);
        let (exit, audit) = audit(&scene);
        assert_eq!(exit, 4);
        assert!(named(&audit).contains(&role.to_owned()), "{sql}: {:?}", named(&audit));
        assert!(audit["conflicts"].to_string().contains(through), "{sql}: {}", audit["conflicts"]);
    }
}

#[test]
fn a_matrix_that_matches_without_an_open_conflict_is_exit_0() {
    let scene = shipped();
    configure(&scene, |config| {
        let grants = config["grants"].as_table_mut().unwrap();
        grants.remove("conflicts");
        // What is expected is what is there.
        let exec = grants["roles"]["cutter_exec"]["tables"]["SELECT"].as_array_mut().unwrap();
        exec.retain(|name| !["verify_result", "affected_row"].iter().any(|end| name.as_str().unwrap().ends_with(end)));
    });
    let (exit, audit) = audit(&scene);
    assert_eq!((exit, &audit["status"], &audit["package"]), (0, &json!("MATCHES"), &json!([])), "{audit:#}");
}

/// Applies the package, and looks again; applies the inverse, and looks whether all is as before.
fn round_trip(sql: &str) {
    round_trip_on(&shipped(), sql);
}

fn round_trip_on(scene: &Scene, sql: &str) {
    scene.server.execute(sql);
    let before = rights(scene);
    let (exit, first) = audit(scene);
    assert_eq!(exit, 4);
    let open =
        |audit: &Value| audit["differences"].as_array().unwrap().iter().filter(|found| found["closed"] == true).count();
    assert!(open(&first) > 0, "{sql}: {first:#}");
    apply(scene, &statements(&first, "package"));
    let (_, second) = audit(scene);
    assert_eq!((open(&second), statements(&second, "package")), (0, Vec::new()), "{sql}: {second:#}");
    apply(scene, &statements(&first, "inverse"));
    assert_eq!(rights(scene), before, "{sql}: {first:#}");
    assert_eq!(statements(&audit(scene).1, "package"), statements(&first, "package"), "{sql}");
}

macro_rules! round_trips {
    ($($name:ident: $sql:expr;)*) => { $(#[test] fn $name() { round_trip($sql) })* };
}

round_trips! {
    the_package_closes_the_gap_and_the_inverse_opens_it_again: "SELECT 1";
    a_right_too_many_is_revoked: "GRANT INSERT, DELETE ON public.information_unit TO cutter_exec";
    a_right_of_everybody_is_revoked: "GRANT EXECUTE ON FUNCTION public.fn_iu_create TO PUBLIC; GRANT CREATE ON SCHEMA public TO PUBLIC";
    a_right_on_a_table_where_a_column_is_expected_is_revoked_and_the_column_kept: "GRANT UPDATE ON cutter_governance.review_decision TO cutter_exec";
    a_right_on_a_column_too_many_is_revoked: "GRANT UPDATE (title), INSERT (body) ON public.unit_version TO cutter_verify";
    a_membership_is_revoked: "GRANT cutter_verify TO cutter_exec WITH ADMIN OPTION";
    a_grant_option_is_revoked_and_the_right_kept: "GRANT SELECT ON public.unit_version TO cutter_exec WITH GRANT OPTION";
    what_was_given_on_to_a_role_that_nobody_named_is_revoked: "GRANT SELECT ON public.unit_version TO cutter_exec WITH GRANT OPTION; CREATE ROLE other; SET ROLE cutter_exec; GRANT SELECT ON public.unit_version TO other";
    a_role_that_nobody_named_loses_what_it_was_given_and_what_it_is_in: "CREATE ROLE stranger; GRANT SELECT ON public.unit_version TO stranger; GRANT cutter_exec TO stranger; CREATE ROLE other; GRANT stranger TO other";
    what_was_given_on_by_two_hands_is_revoked: "GRANT DELETE ON public.unit_version TO cutter_exec WITH GRANT OPTION; SET ROLE cutter_exec; GRANT DELETE ON public.unit_version TO cutter_verify WITH GRANT OPTION; SET ROLE cutter_verify; GRANT DELETE ON public.unit_version TO cutter_ro";
    a_revoked_right_is_given_again: "REVOKE ALL ON ALL TABLES IN SCHEMA cutter_governance FROM cutter_verify; REVOKE USAGE ON SCHEMA cutter_governance FROM cutter_verify";
    a_membership_of_a_role_of_the_server_itself_is_revoked: "GRANT pg_write_all_data TO pg_monitor; GRANT pg_monitor TO cutter_ro";
    a_role_called_public_is_not_everybody: "CREATE ROLE \"PUBLIC\"; GRANT INSERT ON public.unit_version TO \"PUBLIC\"; GRANT DELETE ON public.unit_version TO PUBLIC";
    an_ordered_set_aggregate_is_named_by_its_types: "CREATE AGGREGATE public.odd(ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = mode_final, FINALFUNC_EXTRA = true)";
    odd_names_are_quoted: "CREATE TABLE public.\"odd \"\"name\" (\"c \"\"x\" int); GRANT UPDATE (\"c \"\"x\"), INSERT ON public.\"odd \"\"name\" TO cutter_exec; CREATE FUNCTION public.\"f'\"(a public.information_unit, \"B\" text[]) RETURNS int LANGUAGE sql AS 'SELECT 1'";
    what_an_extension_brought_is_left_alone: "CREATE EXTENSION citext; GRANT INSERT ON public.unit_version TO cutter_ro";
    procedures_and_sequences_are_named_as_such: "CREATE PROCEDURE public.p(inout a int) LANGUAGE sql AS 'SELECT 1'; GRANT USAGE, UPDATE ON SEQUENCE public.birth_registry_id_seq TO cutter_verify";
}

#[test]
fn what_was_given_on_is_kept_though_the_option_goes() {
    let scene = Scene::new();
    configure(&scene, |config| {
        let tables = toml::Table::from_iter([("SELECT".to_owned(), vec!["public.unit_version"].into())]);
        let other = toml::Table::from_iter([("tables".to_owned(), tables.into())]);
        config["grants"]["roles"].as_table_mut().unwrap().insert("other".to_owned(), other.into());
    });
    round_trip_on(
        &scene,
        "GRANT SELECT ON public.unit_version TO cutter_exec WITH GRANT OPTION; CREATE ROLE other; SET ROLE cutter_exec; GRANT SELECT ON public.unit_version TO other",
    );
    let may = "SELECT has_table_privilege('other', 'public.unit_version', 'SELECT')";
    apply(&scene, &statements(&audit(&scene).1, "package"));
    assert!(scene.server.connect("postgres", "directus").query_one(may, &[]).unwrap().get::<_, bool>(0));
}

/// The server, asked itself: each role may do on these tables what the shipped matrix says, and is in no other.
fn assert_server_says(scene: &Scene, tables: &[&str], roles: &[&str], privileges: &[&str], what: &str) {
    let config: toml::Table = scene.read("cutter.toml").parse().unwrap();
    let named = |role: &str, list: &str, privilege: &str, fits: &dyn Fn(&str) -> bool| {
        let names =
            config["grants"]["roles"].get(role).and_then(|own| own.get(list)?.get(privilege)?.as_array().cloned());
        names.into_iter().flatten().any(|name| fits(name.as_str().unwrap()))
    };
    let mut client = scene.server.connect("postgres", "directus");
    for role in roles.iter().filter(|role| **role != "PUBLIC") {
        for (table, privilege) in tables.iter().flat_map(|table| privileges.iter().map(move |of| (table, of))) {
            let schema = table.split('.').next().unwrap();
            // An owner may take his own rights away and give them back; that is not looked at.
            if *role == "directus" && schema == "public" {
                continue;
            }
            let whole = named(role, "tables", privilege, &|name| name == *table || name == format!("{schema}.*"));
            let part = named(role, "columns", privilege, &|name| name.starts_with(&format!("{table}."))) || whole;
            // Of a row's deletion no column can be spoken of.
            let sql = if *privilege == "DELETE" {
                "SELECT has_table_privilege($1, $2, $3), has_table_privilege($1, $2, $3)"
            } else {
                "SELECT has_table_privilege($1, $2, $3), has_any_column_privilege($1, $2, $3)"
            };
            let row = client
                .query_one(
                    &sql.replace("$1", &format!("'{role}'"))
                        .replace("$2", &format!("'{table}'"))
                        .replace("$3", &format!("'{privilege}'")),
                    &[],
                )
                .unwrap();
            assert_eq!(
                (row.get::<_, bool>(0), row.get::<_, bool>(1)),
                (whole, part),
                "{role} {privilege} {table}; {what}"
            );
        }
        for other in roles.iter().filter(|other| *other != role && **other != "PUBLIC") {
            let sql = format!("SELECT pg_has_role('{role}', '{other}', 'MEMBER')");
            assert!(!client.query_one(&sql, &[]).unwrap().get::<_, bool>(0), "{role} is in {other}; {what}");
        }
    }
}

#[test]
fn any_state_of_rights_is_led_to_the_expected_one_and_back() {
    let tables = [
        "public.information_unit",
        "public.unit_version",
        "cutter_governance.verify_result",
        "cutter_governance.review_decision",
    ];
    let roles =
        ["cutter_exec", "cutter_verify", "cutter_ro", "context_pack_readonly", "directus", "PUBLIC", "stranger"];
    let privileges = ["SELECT", "INSERT", "UPDATE", "DELETE"];
    let mut chance: u64 = 7;
    let mut next = |below: usize| {
        // A fixed walk through states, the same in each run.
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(chance >> 33).unwrap() % below
    };
    let scene = shipped();
    scene.server.execute("CREATE ROLE stranger");
    let owner: u32 = scene
        .server
        .connect("postgres", "directus")
        .query_one("SELECT oid FROM pg_roles WHERE rolname = 'directus'", &[])
        .unwrap()
        .get(0);
    for round in 0..60 {
        for _ in 0..12 {
            let (table, role, privilege) = (tables[next(4)], roles[next(7)], privileges[next(4)]);
            let column = if privilege != "DELETE" && next(4) == 0 { "(updated_at)" } else { "" };
            let option = if role != "PUBLIC" && next(3) == 0 { " WITH GRANT OPTION" } else { "" };
            let sql = match next(5) {
                4 => {
                    let (group, admin) = (
                        ["cutter_exec", "cutter_verify", "directus"][next(3)],
                        if next(2) == 0 { " WITH ADMIN OPTION" } else { "" },
                    );
                    // Whoever gives on, group or member, must reach the schema without a membership, which goes first.
                    let member = ["cutter_exec", "cutter_verify", "stranger"][next(3)];
                    // Nobody is in himself, and nobody in a circle.
                    format!("DO $$ BEGIN GRANT {group} TO {member}{admin}; EXCEPTION WHEN OTHERS THEN NULL; END $$")
                }
                0 => format!("REVOKE {privilege} {column} ON {table} FROM {role} CASCADE"),
                1 => {
                    // Somebody gives on what they may, if they may.
                    let giver = roles[next(4)];
                    format!(
                        "DO $$ BEGIN SET LOCAL ROLE {giver}; GRANT {privilege} {column} ON {table} TO {role}; EXCEPTION WHEN OTHERS THEN NULL; END $$"
                    )
                }
                _ => format!("GRANT {privilege} {column} ON {table} TO {role}{option}"),
            };
            // A table without that column has no right on it.
            let guarded = format!(
                "DO $guard$ BEGIN EXECUTE $sql${sql}$sql$; EXCEPTION WHEN undefined_column THEN NULL; END $guard$"
            );
            scene.server.execute(&guarded);
        }
        let before = rights(&scene);
        let (_, first) = audit(&scene);
        apply(&scene, &statements(&first, "package"));
        let after = audit(&scene).1;
        assert_eq!(statements(&after, "package"), Vec::<String>::new(), "round {round}: {first:#}");
        assert_server_says(&scene, &tables, &roles, &privileges, &format!("round {round}: {first:#}"));
        apply(&scene, &statements(&first, "inverse"));
        // What hung on an option that was gone comes back from the owner, who needs none himself.
        let lends = statements(&first, "package").iter().any(|text| text.ends_with(" WITH GRANT OPTION;"));
        let held = |rights: Vec<String>| -> BTreeSet<String> {
            let plain = |text: String| match text.split_once('(') {
                Some((object, given)) if lends && (text.starts_with("c ") || text.starts_with("r ")) => {
                    let parts: Vec<&str> = given.split(',').collect();
                    let owner = owner.to_string();
                    (parts[1] != owner).then(|| format!("{object} {} {}", parts[1], parts[2]))
                }
                _ => Some(text),
            };
            rights.into_iter().filter_map(plain).collect()
        };
        let (now, before) = (held(rights(&scene)), held(before));
        let differ: Vec<&String> = now.symmetric_difference(&before).collect();
        assert_eq!(differ, Vec::<&String>::new(), "round {round}: {first:#}");
    }
}

#[test]
fn the_right_to_let_others_join_is_revoked_and_the_membership_kept() {
    let scene = Scene::new();
    configure(&scene, |config| {
        config["grants"]["roles"]["cutter_exec"]
            .as_table_mut()
            .unwrap()
            .insert("member_of".to_owned(), vec!["cutter_ro"].into());
    });
    scene.server.execute("GRANT cutter_ro TO cutter_exec");
    assert_eq!(statements(&audit(&scene).1, "package").len(), 2);
    round_trip_on(&scene, "GRANT cutter_ro TO cutter_exec WITH ADMIN OPTION");
    let (_, found) = audit(&scene);
    assert!(found["differences"].to_string().contains("MEMBER OF cutter_ro WITH ADMIN OPTION"), "{found:#}");
    let package = statements(&found, "package");
    assert!(package[0].starts_with("REVOKE ADMIN OPTION FOR \"cutter_ro\" FROM \"cutter_exec\""), "{package:#?}");
    apply(&scene, &package);
    let may = "SELECT pg_has_role('cutter_exec', 'cutter_ro', 'MEMBER'), pg_has_role('cutter_exec', 'cutter_ro', 'MEMBER WITH ADMIN OPTION')";
    let row = scene.server.connect("postgres", "directus").query_one(may, &[]).unwrap();
    assert_eq!((row.get::<_, bool>(0), row.get::<_, bool>(1)), (true, false));
}

#[test]
fn what_hangs_on_an_option_that_is_gone_is_revoked() {
    let scene = shipped();
    // The server lets the column's right stand, and nobody may take it.
    for sql in [
        "GRANT INSERT ON public.unit_version TO cutter_exec WITH GRANT OPTION; SET ROLE cutter_exec; GRANT INSERT (body) ON public.unit_version TO cutter_verify",
        "REVOKE INSERT ON public.unit_version FROM cutter_exec CASCADE",
    ] {
        scene.server.execute(sql);
    }
    let may = "SELECT has_column_privilege('cutter_verify', 'public.unit_version', 'body', 'INSERT')";
    let may = || scene.server.connect("postgres", "directus").query_one(may, &[]).unwrap().get::<_, bool>(0);
    assert!(may());
    let (_, first) = audit(&scene);
    apply(&scene, &statements(&first, "package"));
    assert!(!may());
    assert_eq!(statements(&audit(&scene).1, "package"), Vec::<String>::new());
    apply(&scene, &statements(&first, "inverse"));
    assert!(may());
}

#[test]
fn an_option_that_comes_back_needs_no_revoke() {
    let scene = shipped();
    scene.server.execute("GRANT SELECT ON public.unit_version TO cutter_exec WITH GRANT OPTION");
    let inverse = statements(&audit(&scene).1, "inverse");
    let about: Vec<&String> = inverse.iter().filter(|text| text.contains("unit_version")).collect();
    assert_eq!(about, ["GRANT SELECT ON TABLE public.unit_version TO \"cutter_exec\" WITH GRANT OPTION;"]);
}

#[test]
fn a_name_that_a_terminal_would_obey_is_written_by_its_numbers() {
    let scene = shipped();
    scene.server.execute("CREATE TABLE public.\"a\u{1b}[2J\u{202e}\"\"\\b\" (c int); CREATE ROLE \"r\u{1b}\"");
    round_trip_on(&scene, "GRANT INSERT ON public.\"a\u{1b}[2J\u{202e}\"\"\\b\" TO \"r\u{1b}\"");
    let shown = String::from_utf8(scene.run(&["evidence", "grants", "--package", "."]).stdout).unwrap();
    assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown}");
    let name = "public.U&\"a\\+00001B[2J\\+00202E\"\"\\+00005Cb\" FROM U&\"r\\+00001B\";";
    assert!(shown.contains(name) && scene.read("grants.sql").contains(name), "{shown}");
}

#[test]
fn a_name_of_several_functions_is_refused_and_one_with_arguments_is_not() {
    let scene = shipped();
    scene.server.execute("CREATE FUNCTION public.fn_iu_create(evil text) RETURNS int LANGUAGE sql AS 'SELECT 1'");
    let (_, found) = audit(&scene);
    // Everybody may call a new function, which nobody expects.
    assert_eq!(found["differences"].as_array().unwrap().len(), 3, "{found:#}");
    assert!(
        !statements(&found, "package").iter().any(|text| text.starts_with("GRANT") && text.contains("fn_iu_create"))
    );
    configure(&scene, |config| {
        config["grants"]["roles"]["cutter_exec"]["functions"]["EXECUTE"] = vec!["public.fn_iu_create"].into();
    });
    let output = scene.run(&["evidence", "grants"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(3) && error.contains("of which there are 2"), "{error}");
    assert!(error.contains("`public.fn_iu_create(text)`"), "{error}");
}

#[test]
fn what_no_grant_closes_is_named_and_left_out_of_the_package() {
    for (sql, role, right) in [
        ("ALTER ROLE cutter_exec SUPERUSER", "cutter_exec", "everything, as superuser"),
        ("CREATE ROLE stranger SUPERUSER", "stranger", "everything, as superuser"),
        ("ALTER ROLE cutter_exec CREATEROLE BYPASSRLS", "cutter_exec", "CREATEROLE"),
        (
            "ALTER TABLE public.unit_version OWNER TO cutter_verify",
            "cutter_verify",
            "everything on TABLE public.unit_version, as owner",
        ),
        (
            "DROP TABLE cutter_governance.verify_result CASCADE",
            "cutter_verify",
            "INSERT on the table cutter_governance.verify_result",
        ),
        (
            "DROP OWNED BY context_pack_readonly; DROP ROLE context_pack_readonly",
            "context_pack_readonly",
            "the role itself",
        ),
        (
            "DROP FUNCTION public.fn_iu_create CASCADE",
            "conflict execute-and-verify",
            "EXECUTE on the function public.fn_iu_create",
        ),
        (
            "CREATE SCHEMA hidden AUTHORIZATION cutter_ro",
            "cutter_ro",
            "everything in the schema hidden, which `schemas` does not list",
        ),
        ("ALTER SCHEMA cutter_governance RENAME TO gone", "public", "the schema cutter_governance of `schemas`"),
    ] {
        let scene = shipped();
        scene.server.execute(sql);
        let (exit, audit) = audit(&scene);
        let found = audit["differences"]
            .as_array()
            .unwrap()
            .iter()
            .find(|found| found["role"] == role && found["right"] == right);
        assert_eq!((exit, found.map(|found| &found["closed"])), (4, Some(&json!(false))), "{sql}: {audit:#}");
        apply(&scene, &statements(&audit, "package"));
    }
}

#[test]
fn the_audit_writes_nothing_but_the_package_that_it_is_asked_for() {
    let scene = shipped();
    let before = rights(&scene);
    let output = scene.run(&["evidence", "grants", "--package", "."]);
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(rights(&scene), before);
    let (package, inverse) = (scene.read("grants.sql"), scene.read("grants-inverse.sql"));
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains(&package) && shown.contains(&inverse), "{shown}");
    scene.server.execute(&package);
    scene.server.execute(&inverse);
    assert_eq!(rights(&scene), before);
}

#[test]
fn a_catalog_that_may_not_be_read_is_unknown_and_a_matrix_that_says_nothing_is_refused() {
    let scene = shipped();
    scene.server.execute("REVOKE SELECT ON pg_catalog.pg_auth_members FROM PUBLIC");
    let (exit, audit) = audit(&scene);
    assert!(exit == 7 && audit["unknown"].to_string().contains("42501"), "{audit:#}");
    for (grants, words) in [
        ("", "does not say what is expected"),
        ("[grants]\nschemas = [\"public\"]\n[grants.roles.a]\ntables.EXECUTE = [\"public.t\"]", "`EXECUTE` on a table"),
        (
            "[grants]\nschemas = [\"public\"]\n[grants.roles.a]\ntables.SELECT = [\"other.t\"]",
            "names the table `other.t`",
        ),
        ("[grants]\nschemas = [\"public\"]\n[grants.roles.a]\nmember_of = [\"b\"]", "of which nothing is said"),
        (
            "[grants]\nschemas = [\"public\"]\n[grants.roles.a]\n[grants.conflicts.x]\nwhy = \"x\"\nrights = []",
            "is not complete",
        ),
        (
            "[grants]\nschemas = [\"public\"]\n[grants.roles.a]\n[grants.conflicts.x]\nwhy = \"x\"\nrights = [{ privilege = \"insert\", table = \"public.t\" }]",
            "the conflict `x` of `[grants]` has `insert` on a table",
        ),
        (
            "[grants]\nschemas = [\"public\"]\n[grants.roles.a]\n[grants.conflicts.x]\nwhy = \"x\"\nrights = [{ privilege = \"INSERT\", table = \"other.t\" }]",
            "the conflict `x` of `[grants]` names the table `other.t`",
        ),
    ] {
        scene.write("cutter.toml", scene.config("cutter_observe", grants));
        let output = scene.run(&["evidence", "grants"]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(3) && error.contains(words), "{grants}: {error}");
    }
}
