//! The catalogs: what the database is made of and who may do what with it. Everybody may read them.

use super::Observation;
use super::settings::EvidenceSettings;
use crate::db::{DatabaseError, Snapshot};
use crate::digest::Digest;

/// One family of definitions: a query for name, definition and the mark of the last write, and the catalogs it reads.
#[derive(Debug)]
pub struct Family {
    /// Its name in `catalog:NAME`.
    pub name: &'static str,
    /// The catalogs whose counters show that something was written and put back.
    pub tables: &'static [&'static str],
    sql: &'static str,
}

/// Observes the families that are wanted.
pub fn observe(settings: &EvidenceSettings, snapshot: &mut Snapshot<'_>) -> Result<Vec<Observation>, DatabaseError> {
    let mut observations = Vec::new();
    for family in FAMILIES.iter().filter(|family| settings.wants_catalog(family.name)) {
        let mut observation = Observation::new(format!("catalog:{}", family.name));
        // Each family may be bound to schemas; those that are not say so by leaving $1 out of their conditions.
        let rows =
            snapshot.query(&format!("SELECT * FROM ({}) AS found LIMIT {MOST}", family.sql), &[&settings.schemas]);
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
            Err(error) => observation.refused("value", &error),
        }
        observations.push(observation);
    }
    Ok(observations)
}

/// One function: what it is, who owns it, who may call it.
pub fn function(name: &str, snapshot: &mut Snapshot<'_>) -> Result<Observation, DatabaseError> {
    let mut observation = Observation::new(format!("function:{name}"));
    let rows = match snapshot.query(FUNCTION, &[&name]) {
        Ok(rows) => rows,
        Err(error) if error.is_final() => return Err(error),
        Err(error) => {
            observation.refused("definition", &error);
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

/// Every family, sorted by name.
pub const FAMILIES: &[Family] = &[
    Family {
        name: "columns",
        tables: &["pg_attribute", "pg_attrdef"],
        sql: concat!(
            "SELECT n.nspname || '.' || c.relname || '.' || a.attname, concat_ws(' ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'not null' END, 'default ' || pg_get_expr(d.adbin, d.adrelid), 'identity ' || nullif(a.attidentity::text, ''), 'generated ' || nullif(a.attgenerated::text, ''), 'acl ' || a.attacl::text), a.xmin::text
             FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
             WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND ",
            in_schemas!()
        ),
    },
    Family {
        name: "constraints",
        tables: &["pg_constraint"],
        sql: concat!(
            "SELECT n.nspname || '.' || coalesce(c.relname, t.typname) || '.' || k.conname, pg_get_constraintdef(k.oid) || CASE WHEN k.convalidated THEN '' ELSE ' not valid' END, k.xmin::text
             FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace LEFT JOIN pg_class c ON c.oid = k.conrelid LEFT JOIN pg_type t ON t.oid = k.contypid WHERE ",
            in_schemas!()
        ),
    },
    Family {
        name: "database",
        tables: &["pg_database"],
        sql: concat!(
            "SELECT d.datname::text, concat_ws(' ', r.rolname, coalesce(d.datacl::text, 'default'), d.datallowconn, d.datconnlimit), d.xmin::text FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE ",
            everywhere!()
        ),
    },
    Family {
        name: "default_acl",
        tables: &["pg_default_acl"],
        sql: concat!(
            "SELECT concat_ws(' ', r.rolname, n.nspname, a.defaclobjtype), a.defaclacl::text, a.xmin::text FROM pg_default_acl a JOIN pg_roles r ON r.oid = a.defaclrole LEFT JOIN pg_namespace n ON n.oid = a.defaclnamespace WHERE ",
            everywhere!()
        ),
    },
    Family {
        name: "event_triggers",
        tables: &["pg_event_trigger"],
        sql: concat!(
            "SELECT e.evtname::text, concat_ws(' ', e.evtevent, e.evtfoid::regprocedure::text, e.evtenabled, e.evttags::text, r.rolname), e.xmin::text FROM pg_event_trigger e JOIN pg_roles r ON r.oid = e.evtowner WHERE ",
            everywhere!()
        ),
    },
    Family {
        name: "extensions",
        tables: &["pg_extension"],
        sql: concat!(
            "SELECT e.extname::text, concat_ws(' ', e.extversion, r.rolname, n.nspname), e.xmin::text FROM pg_extension e JOIN pg_roles r ON r.oid = e.extowner JOIN pg_namespace n ON n.oid = e.extnamespace WHERE ",
            everywhere!()
        ),
    },
    Family {
        name: "functions",
        tables: &["pg_proc"],
        sql: concat!(
            "SELECT n.nspname || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', concat_ws(E'\\n', p.prosrc, p.probin, r.rolname, p.prosecdef, p.proconfig::text, coalesce(p.proacl::text, 'default'), l.lanname, p.provolatile, p.proargdefaults::text, p.prosqlbody::text, p.proisstrict, p.proleakproof, p.proparallel, p.prokind, format_type(p.prorettype, NULL)), p.xmin::text
             FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_roles r ON r.oid = p.proowner JOIN pg_language l ON l.oid = p.prolang WHERE ",
            in_schemas!()
        ),
    },
    Family {
        name: "indexes",
        tables: &["pg_index"],
        sql: concat!(
            "SELECT n.nspname || '.' || c.relname, pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' invalid' END, ''::text
             FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ",
            in_schemas!()
        ),
    },
    Family {
        name: "policies",
        tables: &["pg_policy"],
        sql: concat!(
            "SELECT n.nspname || '.' || c.relname || '.' || p.polname, concat_ws(' ', p.polcmd, p.polpermissive, (SELECT string_agg(coalesce(r.rolname, 'public'), ',' ORDER BY 1) FROM unnest(p.polroles) AS o (oid) LEFT JOIN pg_roles r ON r.oid = o.oid), pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)), p.xmin::text
             FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ",
            in_schemas!(),
            " UNION ALL SELECT n.nspname || '.' || c.relname, 'row security' || CASE WHEN c.relforcerowsecurity THEN ' forced' ELSE '' END, ''::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relrowsecurity AND ",
            in_schemas!()
        ),
    },
    Family {
        name: "relation_acl",
        tables: &["pg_class", "pg_attribute"],
        sql: concat!(
            "SELECT n.nspname || '.' || c.relname, r.rolname || ' ' || coalesce(c.relacl::text, 'default') || coalesce((SELECT ' ' || string_agg(a.attname || ' ' || a.attacl::text, ' ' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL), ''), c.xmin::text
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = c.relowner WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND ",
            in_schemas!()
        ),
    },
    Family {
        name: "relations",
        tables: &["pg_class"],
        sql: concat!(
            "SELECT n.nspname || '.' || c.relname, concat_ws(' ', c.relkind, r.rolname, c.relpersistence, c.reloptions::text, 'row security ' || c.relrowsecurity || ' ' || c.relforcerowsecurity, 'replica ' || c.relreplident::text, (SELECT string_agg(p.oid::regclass::text, ',') FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent WHERE i.inhrelid = c.oid)), c.xmin::text
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = c.relowner WHERE c.relkind <> 'i' AND ",
            in_schemas!()
        ),
    },
    Family {
        name: "role_memberships",
        tables: &["pg_auth_members"],
        sql: concat!(
            "SELECT g.rolname || ' -> ' || m.rolname || coalesce(' by ' || b.rolname, ''), CASE WHEN a.admin_option THEN 'with admin option' ELSE 'member' END, a.xmin::text FROM pg_auth_members a JOIN pg_roles g ON g.oid = a.roleid JOIN pg_roles m ON m.oid = a.member LEFT JOIN pg_roles b ON b.oid = a.grantor WHERE ",
            everywhere!()
        ),
    },
    Family {
        name: "role_settings",
        tables: &["pg_db_role_setting"],
        sql: concat!(
            "SELECT concat_ws(' in ', coalesce(r.rolname, 'all roles'), d.datname), s.setconfig::text, s.xmin::text FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase WHERE ",
            everywhere!()
        ),
    },
    Family {
        name: "roles",
        // The passwords stand here, and nobody but the counters sees that one was changed.
        tables: &["pg_authid"],
        sql: concat!(
            "SELECT r.rolname::text, concat_ws(' ', CASE WHEN r.rolsuper THEN 'superuser' END, CASE WHEN r.rolinherit THEN 'inherit' END, CASE WHEN r.rolcreaterole THEN 'createrole' END, CASE WHEN r.rolcreatedb THEN 'createdb' END, CASE WHEN r.rolcanlogin THEN 'login' END, CASE WHEN r.rolreplication THEN 'replication' END, CASE WHEN r.rolbypassrls THEN 'bypassrls' END, 'limit ' || r.rolconnlimit, r.rolvaliduntil::text), ''::text FROM pg_roles r WHERE ",
            everywhere!()
        ),
    },
    Family {
        name: "rules",
        tables: &["pg_rewrite"],
        sql: concat!(
            "SELECT n.nspname || '.' || c.relname || '.' || w.rulename, pg_get_ruledef(w.oid) || ' ' || w.ev_enabled::text, w.xmin::text FROM pg_rewrite w JOIN pg_class c ON c.oid = w.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ",
            in_schemas!()
        ),
    },
    Family {
        name: "schemas",
        tables: &["pg_namespace"],
        sql: concat!(
            "SELECT n.nspname::text, r.rolname || ' ' || coalesce(n.nspacl::text, 'default'), n.xmin::text FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner WHERE ",
            in_schemas!()
        ),
    },
    Family {
        name: "sequences",
        tables: &["pg_sequence"],
        sql: concat!(
            "SELECT n.nspname || '.' || c.relname, concat_ws(' ', format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle), s.xmin::text FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ",
            in_schemas!()
        ),
    },
    Family {
        name: "triggers",
        tables: &["pg_trigger"],
        sql: concat!(
            "SELECT n.nspname || '.' || c.relname || '.' || CASE WHEN t.tgisinternal THEN 'constraint ' || coalesce(k.conname, '') || ' ' || t.tgfoid::regproc || ' ' || t.tgtype ELSE t.tgname END, CASE t.tgenabled WHEN 'O' THEN 'enabled' WHEN 'D' THEN 'DISABLED' WHEN 'R' THEN 'on replicas' ELSE 'always' END || CASE WHEN t.tgisinternal THEN '' ELSE ' ' || pg_get_triggerdef(t.oid) END, t.xmin::text
             FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_constraint k ON k.oid = t.tgconstraint WHERE ",
            in_schemas!()
        ),
    },
];
