//! Ways to a right that no grant tells of: what a table, a view, a trigger or a function does in somebody else's name.

use super::matrix::{Matrix, Right, State};
use crate::db::{DatabaseError, Snapshot};
use crate::settings::grants::ObjectKind;

/// Whoever has one right can use another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bridge {
    /// What is needed.
    from: Right,
    /// What can be done with it.
    to: Right,
    /// In whose name, where it is not one's own.
    as_owner: Option<String>,
    /// How, for people.
    how: String,
}

/// Reads every bridge between objects of these schemas.
pub fn read(snapshot: &mut Snapshot<'_>, schemas: &[String]) -> Result<Vec<Bridge>, DatabaseError> {
    let mut bridges = Vec::new();
    for sql in [TABLES, VIEWS, BODIES] {
        for row in snapshot.query(sql, &[&schemas])? {
            let cell = |index: usize| row.try_get::<_, String>(index).map_err(|_| DatabaseError::lost());
            let right = |object: usize, privilege: usize| -> Result<Right, DatabaseError> {
                Ok(Right { object: cell(object)?, column: None, privilege: cell(privilege)? })
            };
            let as_owner = row.try_get::<_, Option<String>>(4).map_err(|_| DatabaseError::lost())?;
            bridges.push(Bridge { from: right(0, 1)?, to: right(2, 3)?, as_owner, how: cell(5)? });
        }
    }
    Ok(bridges)
}

/// What the audit cannot tell, in words.
pub fn not_looked_at(snapshot: &mut Snapshot<'_>, schemas: &[String]) -> Result<Vec<String>, DatabaseError> {
    let mut found: Vec<String> = ALWAYS.iter().map(|text| (*text).to_owned()).collect();
    for row in snapshot.query(UNSEEN, &[&schemas])? {
        found.extend(row.try_get::<_, Option<String>>(0).map_err(|_| DatabaseError::lost())?);
    }
    Ok(found)
}

impl Matrix {
    /// The ways to a right through something else.
    pub fn detours(&self, state: &State, role: &str, right: &Right) -> Vec<String> {
        self.search(state, role, right, 0)
    }

    fn search(&self, state: &State, role: &str, right: &Right, depth: usize) -> Vec<String> {
        let mut ways = Vec::new();
        let leads = |bridge: &&Bridge| bridge.to.object == right.object && bridge.to.privilege == right.privilege;
        for bridge in self.bridges.iter().filter(leads) {
            let may = bridge.as_owner.as_deref().is_none_or(|owner| !self.ways(state, owner, right, false).is_empty());
            if !may || bridge.from == *right {
                continue;
            }
            let direct = !self.ways(state, role, &bridge.from, false).is_empty();
            if direct || (depth < DEEPEST && !self.search(state, role, &bridge.from, depth + 1).is_empty()) {
                let owner = bridge.as_owner.as_ref().map_or(String::new(), |owner| format!(", in the name of {owner}"));
                ways.push(format!("{}{owner}", bridge.how));
            }
        }
        ways
    }

    /// What roles of the server reach by its files and programs.
    pub fn by_server(&self, role: &str, right: &Right) -> Option<&'static str> {
        let is_data = self.objects.get(&right.object).is_some_and(|object| object.kind == ObjectKind::Table);
        match role {
            "pg_execute_server_program" => Some("which runs programs as the server's own user"),
            "pg_write_server_files" => Some("which writes the server's own files"),
            "pg_read_server_files" if is_data && right.privilege == "SELECT" => {
                Some("which reads the server's own files")
            }
            _ => None,
        }
    }
}

/// Through so many things at most.
const DEEPEST: usize = 4;

const ALWAYS: &[&str] = &[
    "rights on objects in pg_catalog and information_schema, such as pg_authid and pg_read_file: `cutter evidence capture` watches them",
    "default privileges, types, languages, foreign servers, large objects and parameters: the same",
    "row security: a right that a policy narrows counts as whole",
];

/// What this query adds: other databases, functions whose text does not say what they do, and what extensions brought.
const UNSEEN: &str = "
SELECT 'other databases of the server: ' || string_agg(datname, ', ' ORDER BY datname) FROM pg_database
WHERE datallowconn AND datname NOT IN (current_database(), 'template1') HAVING count(*) > 0
UNION ALL
SELECT 'functions that act in their owner''s name, and whose text does not say what they do: '
       || string_agg(p.oid::regprocedure::text, ', ' ORDER BY p.oid::regprocedure::text)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
WHERE p.prosecdef AND n.nspname = ANY ($1)
  AND (l.lanname NOT IN ('sql', 'plpgsql') OR l.lanname = 'plpgsql' AND p.prosrc ~* '\\mexecute\\M(?!\\s+(function|procedure))'
       OR p.prosrc ~* '\\m(dblink|(query|cursor)_to_xml|u&\")')
HAVING count(*) > 0
UNION ALL
SELECT 'what extensions brought with the rights that they gave: ' || string_agg(DISTINCT e.extname, ', ')
FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND n.nspname = ANY ($1) HAVING count(*) > 0";

/// A partition is read and written by its table's rights, and a foreign key does what it says in the child's owner's name.
const TABLES: &str = "
SELECT format('TABLE %s.%s', pn.nspname, p.relname), v.privilege, format('TABLE %s.%s', cn.nspname, c.relname), v.privilege,
       NULL::text, format('through the table %s, of which it is a part', p.oid::regclass)
FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace,
     (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE')) AS v (privilege)
WHERE pn.nspname = ANY ($1) AND p.relkind IN ('r', 'p') AND (v.privilege <> 'INSERT' OR p.relkind = 'p')
UNION ALL
SELECT format('TABLE %s.%s', pn.nspname, p.relname), a.on_parent, format('TABLE %s.%s', cn.nspname, c.relname), a.on_child,
       NULL::text, format('by the foreign key %s, which follows what is done to %s', k.conname, p.oid::regclass)
FROM pg_constraint k JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace,
     LATERAL (SELECT 'DELETE' AS on_parent, CASE k.confdeltype WHEN 'c' THEN 'DELETE' ELSE 'UPDATE' END AS on_child
              WHERE k.confdeltype IN ('c', 'n', 'd')
              UNION ALL SELECT 'UPDATE', 'UPDATE' WHERE k.confupdtype IN ('c', 'n', 'd')) AS a
WHERE k.contype = 'f' AND pn.nspname = ANY ($1)";

/// What a view or a rule does is done in its owner's name, unless it says otherwise.
const VIEWS: &str = "
SELECT format('TABLE %s.%s', vn.nspname, v.relname), a.privilege, format('TABLE %s.%s', tn.nspname, t.relname), a.does,
       CASE WHEN r.ev_type <> '1' OR NOT coalesce(v.reloptions::text ~ 'security_invoker=(true|on|1|yes)', false)
            THEN pg_get_userbyid(v.relowner)::text END,
       format('through %s %s', CASE WHEN r.ev_type = '1' THEN 'the view' ELSE 'a rule on' END, v.oid::regclass)
FROM pg_rewrite r JOIN pg_class v ON v.oid = r.ev_class JOIN pg_namespace vn ON vn.oid = v.relnamespace
JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid
JOIN pg_class t ON t.oid = d.refobjid AND t.relkind IN ('r', 'p', 'v', 'm', 'f') JOIN pg_namespace tn ON tn.oid = t.relnamespace,
     LATERAL (SELECT 'SELECT' AS privilege, 'SELECT' AS does WHERE r.ev_type = '1'
              UNION ALL
              SELECT w.privilege, w.privilege FROM (VALUES ('UPDATE', 4), ('INSERT', 8), ('DELETE', 16)) AS w (privilege, bit)
              WHERE r.ev_type = '1' AND v.relkind = 'v' AND pg_relation_is_updatable(v.oid, false) & w.bit > 0
              UNION ALL
              SELECT CASE r.ev_type WHEN '2' THEN 'UPDATE' WHEN '3' THEN 'INSERT' ELSE 'DELETE' END, w.does
              FROM (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE')) AS w (does) WHERE r.ev_type <> '1') AS a
WHERE vn.nspname = ANY ($1)
GROUP BY 1, 2, 3, 4, 5, 6";

/// What the text of a function that acts in its owner's name says that it does, itself, by a function that it names, or by a trigger
/// of what it writes.
const BODIES: &str = "
WITH RECURSIVE body AS MATERIALIZED (
    SELECT p.oid, p.proname::text AS name, p.prosecdef, p.proowner,
           lower(t.text || ' ' || regexp_replace(t.text, '/\\*.*?\\*/|--[^\\n]*', ' ', 'g')) AS source
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace,
         LATERAL (SELECT p.prosrc || coalesce(pg_get_function_sqlbody(p.oid), '') AS text) AS t
    WHERE n.nspname = ANY ($1) AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
), target AS MATERIALIZED (
    SELECT c.oid, format('TABLE %s.%s', n.nspname, c.relname) AS key, lower(c.relname) AS name,
           '([a-z0-9_\"]+\\s*\\.\\s*)?\"?' || regexp_replace(lower(c.relname), '([^a-z0-9_])', '\\\\\\1', 'g') || '(?![a-z0-9_])' AS pattern
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
), called AS MATERIALIZED (
    SELECT b.oid, b.source, lower(b.name) AS word, '(?<![a-z0-9_])' || regexp_replace(lower(b.name), '([^a-z0-9_])', '\\\\\\1', 'g') || '\"?\\s*\\(' AS pattern
    FROM body b WHERE NOT b.prosecdef
    UNION ALL
    SELECT b.oid, b.source, t.name, '((insert|merge)\\s+into|update|delete\\s+from|truncate(\\s+table)?|copy)\\s+(only\\s+)?' || t.pattern
    FROM body b JOIN pg_trigger g ON g.tgfoid = b.oid AND NOT g.tgisinternal AND g.tgenabled <> 'D' JOIN target t ON t.oid = g.tgrelid
    WHERE NOT b.prosecdef
), acts AS (
    SELECT oid AS actor, proowner, oid, source FROM body WHERE prosecdef
    UNION
    SELECT a.actor, a.proowner, c.oid, c.source FROM acts a JOIN called c
      ON c.oid <> a.oid AND strpos(a.source, c.word) > 0 AND a.source ~ c.pattern
), does AS MATERIALIZED (
    SELECT DISTINCT a.actor, a.proowner, t.key, v.privilege
    FROM acts a JOIN target t ON strpos(a.source, t.name) > 0,
         (VALUES ('SELECT', ''), ('INSERT', '(insert|merge)\\s+into\\s+(only\\s+)?|copy\\s+'),
                 ('UPDATE', 'update\\s+(only\\s+)?|do\\s+update\\s+|merge\\s+into\\s+(only\\s+)?'),
                 ('DELETE', '(delete\\s+from|merge\\s+into)\\s+(only\\s+)?'), ('TRUNCATE', 'truncate\\s+(table\\s+)?(only\\s+)?')) AS v (privilege, word)
    WHERE a.source ~ ('(' || v.word || ')' || t.pattern)
       OR v.privilege <> 'SELECT' AND a.source ~ '\\m(execute\\M(?!\\s+(function|procedure))|dblink)'
)
SELECT format('%s %s.%s(%s)', CASE WHEN p.prokind = 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, n.nspname, p.proname,
              (SELECT coalesce(string_agg(format_type(t.type, NULL), ', ' ORDER BY t.at), '')
               FROM unnest(p.proargtypes) WITH ORDINALITY AS t(type, at))), 'EXECUTE', d.key, d.privilege,
       pg_get_userbyid(d.proowner)::text, format('by the function %s', p.oid::regprocedure)
FROM does d JOIN pg_proc p ON p.oid = d.actor JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.prorettype <> 'trigger'::regtype
UNION ALL
SELECT format('TABLE %s.%s', n.nspname, c.relname), e.privilege, d.key, d.privilege,
       pg_get_userbyid(d.proowner)::text, format('by the trigger %s on %s', g.tgname, c.oid::regclass)
FROM does d JOIN pg_trigger g ON g.tgfoid = d.actor AND NOT g.tgisinternal AND g.tgenabled <> 'D'
JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace,
     (VALUES ('INSERT', 4), ('DELETE', 8), ('UPDATE', 16), ('TRUNCATE', 32)) AS e (privilege, bit)
WHERE n.nspname = ANY ($1) AND g.tgtype & e.bit > 0";
