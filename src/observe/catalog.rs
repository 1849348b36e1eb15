//! The catalogs: what the database is made of and who may do what with it. Everybody may read them.

use crate::db::{DatabaseError, Snapshot};
use crate::digest::Digest;
use crate::evidence::{Observation, ObservationKind};
use crate::settings::evidence::EvidenceSettings;

/// Observes the families that are wanted.
pub fn observe(settings: &EvidenceSettings, snapshot: &mut Snapshot<'_>) -> Result<Vec<Observation>, DatabaseError> {
    let mut observations = Vec::new();
    for (name, query) in QUERIES.iter().filter(|(name, _)| settings.wants_catalog(name)) {
        let mut observation = Observation::new(ObservationKind::Catalog, name);
        // Each family may be bound to schemas; those that are not say so by leaving $1 out of their conditions.
        let rows = snapshot.query(&format!("SELECT * FROM ({query}) AS found LIMIT {MOST}"), &[&settings.schemas]);
        match rows {
            Ok(rows) if rows.len() == MOST => observation.unknown("value", format!("more than {MOST} definitions")),
            Ok(rows) => {
                for row in rows {
                    let cell = |index| row.try_get::<_, Option<String>>(index).ok().flatten().unwrap_or_default();
                    let (name, definition, mark) = (cell(0), cell(1), cell(2));
                    let is_short = definition.len() <= LONGEST && !definition.contains('\n');
                    let digest = || format!("sha256 {}", Digest::of(definition.as_bytes()));
                    observation.value(name.clone(), if is_short { definition.clone() } else { digest() });
                    if !mark.is_empty() {
                        observation.trace(name, mark);
                    }
                }
            }
            Err(error) if error.is_final() => return Err(error),
            Err(error) => observation.refused("value", &error.reason, error.sqlstate.as_deref()),
        }
        observations.push(observation);
    }
    Ok(observations)
}

/// One function: what it is, who owns it, who may call it.
pub fn function(name: &str, snapshot: &mut Snapshot<'_>) -> Result<Observation, DatabaseError> {
    let mut observation = Observation::new(ObservationKind::Function, name);
    let rows = match snapshot.query(FUNCTION, &[&name]) {
        Ok(rows) => rows,
        Err(error) if error.is_final() => return Err(error),
        Err(error) => {
            observation.refused("definition", &error.reason, error.sqlstate.as_deref());
            return Ok(observation);
        }
    };
    observation.value("exists", (!rows.is_empty()).to_string());
    if rows.is_empty() {
        observation.unknown("definition", "there is no such function");
    }
    for row in rows {
        let cell = |index| row.try_get::<_, Option<String>>(index).ok().flatten().unwrap_or_default();
        observation.value(format!("definition ({})", cell(0)), format!("sha256 {}", Digest::of(cell(1).as_bytes())));
        observation.trace(format!("definition ({})", cell(0)), cell(2));
    }
    Ok(observation)
}

const MOST: usize = 200_000;

/// Longer definitions are recorded by their digest.
const LONGEST: usize = 240;

macro_rules! in_schemas {
    () => {
        "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%' AND (cardinality($1::text[]) = 0 OR n.nspname = ANY ($1))"
    };
}

/// For families of the whole cluster or database; the parameter must still have a place.
macro_rules! everywhere {
    () => {
        "cardinality($1::text[]) >= 0"
    };
}

const FUNCTION: &str = "
SELECT pg_get_function_identity_arguments(p.oid), concat_ws(E'\\n', p.prosrc, p.probin, r.rolname, p.prosecdef, p.proconfig::text,
       coalesce(p.proacl::text, 'default'), l.lanname, p.provolatile, p.proargdefaults::text, p.prosqlbody::text), p.xmin::text
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_roles r ON r.oid = p.proowner JOIN pg_language l ON l.oid = p.prolang
WHERE n.nspname || '.' || p.proname = $1 ORDER BY 1";

/// The query of each family: name, definition and the mark of the last write.
const QUERIES: &[(&str, &str)] = &[
    ("columns", concat!(
            "SELECT n.nspname || '.' || c.relname || '.' || a.attname, concat_ws(' ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'not null' END, 'default ' || pg_get_expr(d.adbin, d.adrelid), 'identity ' || nullif(a.attidentity::text, ''), 'generated ' || nullif(a.attgenerated::text, ''), 'acl ' || a.attacl::text), a.xmin::text
             FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
             WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND ",
            in_schemas!()
        )),
    ("constraints", concat!(
            "SELECT n.nspname || '.' || coalesce(c.relname, t.typname) || '.' || k.conname, pg_get_constraintdef(k.oid) || CASE WHEN k.convalidated THEN '' ELSE ' not valid' END, k.xmin::text
             FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace LEFT JOIN pg_class c ON c.oid = k.conrelid LEFT JOIN pg_type t ON t.oid = k.contypid WHERE ",
            in_schemas!()
        )),
    ("database", concat!(
            "SELECT d.datname::text, concat_ws(' ', r.rolname, coalesce(d.datacl::text, 'default'), d.datallowconn, d.datconnlimit), d.xmin::text FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE ",
            everywhere!()
        )),
    ("default_acl", concat!(
            "SELECT concat_ws(' ', r.rolname, n.nspname, a.defaclobjtype), a.defaclacl::text, a.xmin::text FROM pg_default_acl a JOIN pg_roles r ON r.oid = a.defaclrole LEFT JOIN pg_namespace n ON n.oid = a.defaclnamespace WHERE ",
            everywhere!()
        )),
    ("event_triggers", concat!(
            "SELECT e.evtname::text, concat_ws(' ', e.evtevent, e.evtfoid::regprocedure::text, e.evtenabled, e.evttags::text, r.rolname), e.xmin::text FROM pg_event_trigger e JOIN pg_roles r ON r.oid = e.evtowner WHERE ",
            everywhere!()
        )),
    ("extensions", concat!(
            "SELECT e.extname::text, concat_ws(' ', e.extversion, r.rolname, n.nspname), e.xmin::text FROM pg_extension e JOIN pg_roles r ON r.oid = e.extowner JOIN pg_namespace n ON n.oid = e.extnamespace WHERE ",
            everywhere!()
        )),
    ("functions", concat!(
            "SELECT n.nspname || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', concat_ws(E'\\n', p.prosrc, p.probin, r.rolname, p.prosecdef, p.proconfig::text, coalesce(p.proacl::text, 'default'), l.lanname, p.provolatile, p.proargdefaults::text, p.prosqlbody::text, p.proisstrict, p.proleakproof, p.proparallel, p.prokind, format_type(p.prorettype, NULL)), p.xmin::text
             FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_roles r ON r.oid = p.proowner JOIN pg_language l ON l.oid = p.prolang WHERE ",
            in_schemas!()
        )),
    ("indexes", concat!(
            "SELECT n.nspname || '.' || c.relname, pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' invalid' END, ''::text
             FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ",
            in_schemas!()
        )),
    ("policies", concat!(
            "SELECT n.nspname || '.' || c.relname || '.' || p.polname, concat_ws(' ', p.polcmd, p.polpermissive, (SELECT string_agg(coalesce(r.rolname, 'public'), ',' ORDER BY 1) FROM unnest(p.polroles) AS o (oid) LEFT JOIN pg_roles r ON r.oid = o.oid), pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)), p.xmin::text
             FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ",
            in_schemas!(),
            " UNION ALL SELECT n.nspname || '.' || c.relname, 'row security' || CASE WHEN c.relforcerowsecurity THEN ' forced' ELSE '' END, ''::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relrowsecurity AND ",
            in_schemas!()
        )),
    ("relation_acl", concat!(
            "SELECT n.nspname || '.' || c.relname, r.rolname || ' ' || coalesce(c.relacl::text, 'default') || coalesce((SELECT ' ' || string_agg(a.attname || ' ' || a.attacl::text, ' ' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL), ''), c.xmin::text
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = c.relowner WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND ",
            in_schemas!()
        )),
    ("relations", concat!(
            "SELECT n.nspname || '.' || c.relname, concat_ws(' ', c.relkind, r.rolname, c.relpersistence, c.reloptions::text, 'row security ' || c.relrowsecurity || ' ' || c.relforcerowsecurity, 'replica ' || c.relreplident::text, (SELECT string_agg(p.oid::regclass::text, ',') FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent WHERE i.inhrelid = c.oid)), c.xmin::text
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = c.relowner WHERE c.relkind <> 'i' AND ",
            in_schemas!()
        )),
    ("role_memberships", concat!(
            "SELECT g.rolname || ' -> ' || m.rolname || coalesce(' by ' || b.rolname, ''), CASE WHEN a.admin_option THEN 'with admin option' ELSE 'member' END, a.xmin::text FROM pg_auth_members a JOIN pg_roles g ON g.oid = a.roleid JOIN pg_roles m ON m.oid = a.member LEFT JOIN pg_roles b ON b.oid = a.grantor WHERE ",
            everywhere!()
        )),
    ("role_settings", concat!(
            "SELECT concat_ws(' in ', coalesce(r.rolname, 'all roles'), d.datname), s.setconfig::text, s.xmin::text FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase WHERE ",
            everywhere!()
        )),
    ("roles", concat!(
            "SELECT r.rolname::text, concat_ws(' ', CASE WHEN r.rolsuper THEN 'superuser' END, CASE WHEN r.rolinherit THEN 'inherit' END, CASE WHEN r.rolcreaterole THEN 'createrole' END, CASE WHEN r.rolcreatedb THEN 'createdb' END, CASE WHEN r.rolcanlogin THEN 'login' END, CASE WHEN r.rolreplication THEN 'replication' END, CASE WHEN r.rolbypassrls THEN 'bypassrls' END, 'limit ' || r.rolconnlimit, r.rolvaliduntil::text), ''::text FROM pg_roles r WHERE ",
            everywhere!()
        )),
    ("rules", concat!(
            "SELECT n.nspname || '.' || c.relname || '.' || w.rulename, pg_get_ruledef(w.oid) || ' ' || w.ev_enabled::text, w.xmin::text FROM pg_rewrite w JOIN pg_class c ON c.oid = w.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ",
            in_schemas!()
        )),
    ("schemas", concat!(
            "SELECT n.nspname::text, r.rolname || ' ' || coalesce(n.nspacl::text, 'default'), n.xmin::text FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner WHERE ",
            in_schemas!()
        )),
    ("sequences", concat!(
            "SELECT n.nspname || '.' || c.relname, concat_ws(' ', format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle), s.xmin::text FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ",
            in_schemas!()
        )),
    ("triggers", concat!(
            "SELECT n.nspname || '.' || c.relname || '.' || CASE WHEN t.tgisinternal THEN 'constraint ' || coalesce(k.conname, '') || ' ' || t.tgfoid::regproc || ' ' || t.tgtype ELSE t.tgname END, CASE t.tgenabled WHEN 'O' THEN 'enabled' WHEN 'D' THEN 'DISABLED' WHEN 'R' THEN 'on replicas' ELSE 'always' END || CASE WHEN t.tgisinternal THEN '' ELSE ' ' || pg_get_triggerdef(t.oid) END, t.xmin::text
             FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_constraint k ON k.oid = t.tgconstraint WHERE ",
            in_schemas!()
        )),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::evidence::CATALOGS;

    #[test]
    fn every_family_that_the_configuration_may_name_has_its_query() {
        assert!(QUERIES.iter().map(|(name, _)| name).eq(CATALOGS.iter().map(|(name, _)| name)));
    }
}
