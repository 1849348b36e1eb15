//! The pins of the shipped effects are those of the database of the tests.

use crate::postgres::scene::Scene;
use crate::support::world::root;
use cutter::problem::Source;
use cutter::settings::Config;
use std::collections::BTreeMap;

/// As `docs/effects.md` says it, for whoever pins a function or the triggers of a relation.
const FUNCTION: &str = "SELECT encode(sha256(convert_to(pg_get_functiondef(to_regprocedure($1)), 'UTF8')), 'hex')";
const TRIGGERS: &str = "SELECT t.tgname::text, encode(sha256(convert_to(pg_get_triggerdef(t.oid) || E'\\n' ||
    t.tgenabled::text || E'\\n' || pg_get_functiondef(t.tgfoid), 'UTF8')), 'hex')
    FROM pg_trigger t WHERE t.tgrelid = to_regclass($1) AND NOT t.tgisinternal ORDER BY 1";

#[test]
fn the_shipped_pins_are_those_of_the_database() {
    let text = std::fs::read_to_string(root().join("cutter.toml")).unwrap();
    let config = Config::parse(&Source::new("cutter.toml", text)).unwrap();
    let scene = Scene::new();
    let mut client = scene.server.connect("postgres", "directus");
    client.batch_execute("SET search_path = pg_catalog").unwrap();
    let mut pinned = 0;
    for (name, sql) in config.effects.iter().filter_map(|(name, effect)| Some((name, effect.sql.as_ref()?))) {
        let digest: String = client.query_one(FUNCTION, &[&sql.function]).unwrap().get(0);
        assert_eq!(sql.definition_sha256.to_string(), digest, "{name}");
        for (relation, declared) in &sql.triggers {
            let rows = client.query(TRIGGERS, &[relation]).unwrap();
            let found: BTreeMap<String, String> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
            let declared: BTreeMap<String, String> =
                declared.iter().map(|(name, digest)| (name.clone(), digest.to_string())).collect();
            assert_eq!(declared, found, "{name}: {relation}");
            pinned += found.len();
        }
    }
    assert!(pinned >= 8, "{pinned} triggers are pinned");
}
