//! The live matrix: objects, roles, rights and memberships as the server has them.

use super::bridges::{self, Bridge};
use crate::db::{DatabaseError, Snapshot};
use crate::settings::grants::ObjectKind;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One thing that rights are about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Object {
    /// Its kind, never a column.
    pub kind: ObjectKind,
    /// Its schema; empty for the database.
    pub schema: String,
    /// Keyword and quoted name, as a statement has them.
    pub sql: String,
    /// Who owns it.
    pub owner: String,
    /// Its columns, where it has any.
    pub columns: BTreeSet<String>,
}

/// One privilege on one object or one of its columns.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Right {
    /// The key of the object: its keyword and its name, unquoted.
    pub object: String,
    /// The column, where it is about one.
    pub column: Option<String>,
    /// Such as `SELECT`.
    pub privilege: String,
}

/// A right that a role was given.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Grant {
    /// The right.
    pub right: Right,
    /// Who has it; [`PUBLIC`] is everybody.
    pub grantee: String,
    /// Who gave it.
    pub grantor: String,
    /// Whether it may be given on.
    pub option: bool,
}

/// A role that is in another.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Membership {
    /// The role that is joined.
    pub group: String,
    /// Who joins.
    pub member: String,
    /// Who gave it; empty where nobody is named.
    pub grantor: String,
    /// `WITH ...`, as a statement has it, but without the right to let others join.
    pub options: String,
    /// Whether the member may let others join.
    pub admin: bool,
}

impl Membership {
    /// Whether it brings anything: since version 16 one may give neither rights nor the role, but then the right to change that.
    pub fn is_usable(&self) -> bool {
        self.admin || self.options.is_empty() || self.options.contains("TRUE")
    }
}

/// Rights and memberships; what GRANT and REVOKE change.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct State {
    /// Rights, those excepted that owners gave themselves.
    pub grants: BTreeSet<Grant>,
    /// Memberships.
    pub members: BTreeSet<Membership>,
}

/// Everything that the audit looks at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Matrix {
    /// Objects by key.
    pub objects: BTreeMap<String, Object>,
    /// Schemas that are there and not audited, with their owners.
    pub unaudited: BTreeMap<String, String>,
    /// Whether `CREATEROLE` lets its holder join every role that is no superuser, as before version 16.
    pub createrole_joins: bool,
    /// What each role may do by what it is, sorted: `SUPERUSER` and the like.
    pub roles: BTreeMap<String, BTreeSet<String>>,
    /// What was given to whom.
    pub state: State,
    /// What can be used by having something else.
    pub bridges: Vec<Bridge>,
    /// What none of this tells.
    pub not_looked_at: Vec<String>,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.column {
            Some(column) => write!(f, "{} ({column}) ON {}", self.privilege, self.object),
            None => write!(f, "{} ON {}", self.privilege, self.object),
        }
    }
}

impl Matrix {
    /// Reads it in one snapshot. Every login may read these catalogs.
    pub fn read(snapshot: &mut Snapshot<'_>, schemas: &[String]) -> Result<Self, DatabaseError> {
        let mut matrix = Self {
            objects: BTreeMap::new(),
            unaudited: BTreeMap::new(),
            createrole_joins: true,
            roles: BTreeMap::new(),
            state: State::default(),
            bridges: bridges::read(snapshot, schemas)?,
            not_looked_at: bridges::not_looked_at(snapshot, schemas)?,
        };
        for row in snapshot.query(OBJECTS, &[&schemas])? {
            let cell = |index: usize| row.try_get::<_, Option<String>>(index).map_err(|_| DatabaseError::lost());
            let (Some(noun), Some(key), Some(schema), Some(sql), Some(owner)) =
                (cell(0)?, cell(1)?, cell(2)?, cell(3)?, cell(4)?)
            else {
                return Err(DatabaseError::lost());
            };
            let kind = ObjectKind::parse(&noun).ok_or_else(DatabaseError::lost)?;
            let columns = row.try_get::<_, Option<Vec<String>>>(5).map_err(|_| DatabaseError::lost())?;
            let columns = columns.into_iter().flatten().collect();
            let new = Object { kind, schema, sql, owner: owner.clone(), columns };
            matrix.objects.entry(key.clone()).or_insert(new);
            let option = row.try_get::<_, Option<bool>>(10).map_err(|_| DatabaseError::lost())?;
            if let (column, Some(privilege), Some(grantee), Some(grantor), Some(option)) =
                (cell(6)?, cell(7)?, cell(8)?, cell(9)?, option)
                && (grantee != owner || grantor != owner)
            {
                let right = Right { object: key, column, privilege };
                matrix.state.grants.insert(Grant { right, grantee, grantor, option });
            }
        }
        for row in snapshot.texts(ROLES, 100_000)? {
            if let [Some(name), Some(attributes)] = row.as_slice() {
                matrix.roles.insert(name.clone(), attributes.split_whitespace().map(str::to_owned).collect());
            }
        }
        for row in snapshot.texts(MEMBERS, 100_000)? {
            if let [Some(group), Some(member), grantor, Some(options), Some(admin)] = row.as_slice() {
                let grantor = grantor.clone().unwrap_or_default();
                let (group, member, options, admin) = (group.clone(), member.clone(), options.clone(), admin == "true");
                matrix.state.members.insert(Membership { group, member, grantor, options, admin });
            }
        }
        for row in snapshot.query(UNAUDITED, &[&schemas])? {
            let cell = |index: usize| row.try_get::<_, String>(index).map_err(|_| DatabaseError::lost());
            matrix.unaudited.insert(cell(0)?, cell(1)?);
        }
        let joins = snapshot.text("SELECT (current_setting('server_version_num')::int < 160000)::text")?;
        matrix.createrole_joins = joins.as_deref() != Some("false");
        Ok(matrix)
    }

    /// Whether a role is a superuser.
    pub fn is_superuser(&self, role: &str) -> bool {
        self.roles.get(role).is_some_and(|attributes| attributes.contains(SUPERUSER))
    }

    /// The owner of what a right is about.
    pub fn owner(&self, right: &Right) -> &str {
        self.objects.get(&right.object).map_or("", |object| object.owner.as_str())
    }
}

/// What may do everything.
pub const SUPERUSER: &str = "SUPERUSER";

/// Everybody. No role can have this name; one called `PUBLIC` is a role like any other.
pub const PUBLIC: &str = "public";

/// Objects with what was given on them, defaults included; columns only where something was given on them.
const OBJECTS: &str = "
WITH object AS (
    SELECT 'database' AS kind, 'DATABASE ' || datname AS key, '' AS schema, format('DATABASE %I', datname) AS sql,
           datdba AS owner, NULL::text[] AS columns, coalesce(datacl, acldefault('d', datdba)) AS acl, 0::oid AS relation,
           'pg_database'::regclass::oid AS class, oid AS number, acldefault('d', datdba) AS default_acl
    FROM pg_database WHERE datname = current_database()
    UNION ALL
    SELECT 'schema', 'SCHEMA ' || nspname, nspname::text, format('SCHEMA %I', nspname), nspowner, NULL,
           coalesce(nspacl, acldefault('n', nspowner)), 0, 'pg_namespace'::regclass::oid, oid, acldefault('n', nspowner)
    FROM pg_namespace WHERE nspname = ANY ($1)
    UNION ALL
    SELECT CASE WHEN c.relkind = 'S' THEN 'sequence' ELSE 'table' END,
           format('%s %s.%s', CASE WHEN c.relkind = 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, n.nspname, c.relname), n.nspname::text,
           format('%s %I.%I', CASE WHEN c.relkind = 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, n.nspname, c.relname), c.relowner,
           CASE WHEN c.relkind <> 'S' THEN ARRAY(SELECT attname::text FROM pg_attribute a
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) END,
           coalesce(c.relacl, acldefault(CASE WHEN c.relkind = 'S' THEN 's' ELSE 'r' END::\"char\", c.relowner)), c.oid,
           'pg_class'::regclass::oid, c.oid, acldefault(CASE WHEN c.relkind = 'S' THEN 's' ELSE 'r' END::\"char\", c.relowner)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    UNION ALL
    SELECT 'function', format('%s %s.%s(%s)', f.word, n.nspname, p.proname, f.arguments), n.nspname::text,
           format('%s %I.%I(%s)', f.word, n.nspname, p.proname, f.arguments), p.proowner, NULL,
           coalesce(p.proacl, acldefault('f', p.proowner)), 0, 'pg_proc'::regclass::oid, p.oid, acldefault('f', p.proowner)
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace,
         LATERAL (SELECT CASE WHEN p.prokind = 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END AS word,
                         (SELECT coalesce(string_agg(format_type(t.type, NULL), ', ' ORDER BY t.at), '')
                          FROM unnest(p.proargtypes) WITH ORDINALITY AS t(type, at)) AS arguments) AS f
    WHERE n.nspname = ANY ($1)
), given AS (
    -- What an extension brought with it is its own, as long as the rights on it are.
    SELECT kind, key, schema, sql, owner, columns, NULL::text AS column_name,
           CASE WHEN NOT brought OR acl IS DISTINCT FROM coalesce(initial, default_acl) THEN acl END AS acl
    FROM object LEFT JOIN LATERAL (
        SELECT EXISTS (SELECT FROM pg_depend d WHERE d.classid = class AND d.objid = number AND d.deptype = 'e') AS brought,
               (SELECT initprivs FROM pg_init_privs i WHERE i.classoid = class AND i.objoid = number AND i.objsubid = 0) AS initial
    ) AS extension ON true
    UNION ALL
    SELECT kind, key, schema, sql, owner, columns, a.attname::text, a.attacl
    FROM object o JOIN pg_attribute a ON a.attrelid = o.relation AND NOT a.attisdropped AND a.attacl IS NOT NULL
    WHERE o.kind = 'table'
)
SELECT kind, key, schema, sql, pg_get_userbyid(owner)::text, columns, column_name, e.privilege_type,
       CASE WHEN e.grantee = 0 THEN 'public' ELSE pg_get_userbyid(e.grantee)::text END, pg_get_userbyid(e.grantor)::text,
       e.is_grantable
FROM given LEFT JOIN LATERAL aclexplode(acl) AS e ON true
ORDER BY key, column_name NULLS FIRST";

const ROLES: &str = "
SELECT rolname::text, concat_ws(' ', CASE WHEN rolsuper THEN 'SUPERUSER' END, CASE WHEN rolcreaterole THEN 'CREATEROLE' END,
       CASE WHEN rolcreatedb THEN 'CREATEDB' END, CASE WHEN rolreplication THEN 'REPLICATION' END,
       CASE WHEN rolbypassrls THEN 'BYPASSRLS' END)
FROM pg_roles";

/// Everything that no initdb makes and nobody listed; what sessions make for themselves is theirs.
const UNAUDITED: &str = "
SELECT nspname::text, pg_get_userbyid(nspowner)::text FROM pg_namespace
WHERE nspname <> ALL ($1) AND nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND nspname !~ '^pg_(toast_)?temp_[0-9]+$'";

/// Since version 16 a membership says also whether it is inherited and whether the role can be set.
const MEMBERS: &str = "
SELECT pg_get_userbyid(m.roleid)::text, pg_get_userbyid(m.member)::text,
       CASE WHEN EXISTS (SELECT FROM pg_roles WHERE oid = m.grantor) THEN pg_get_userbyid(m.grantor)::text END,
       CASE WHEN j ? 'set_option'
            THEN format('INHERIT %s, SET %s', upper(j ->> 'inherit_option'), upper(j ->> 'set_option')) ELSE '' END,
       m.admin_option::text
FROM pg_auth_members m, LATERAL to_jsonb(m) AS j";
