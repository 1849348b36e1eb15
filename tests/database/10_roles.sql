-- The roles of the cluster: two lanes that own nothing, two owners, three readers.
-- Run in database `postgres` of a fresh cluster, as its superuser; the files follow in the order of their numbers.

-- Owns `public` and the canonical writers.
CREATE ROLE directus LOGIN;
-- Owns `cutter_governance`.
CREATE ROLE workflow_admin LOGIN SUPERUSER;

-- The executor lane (DOT-991) and the verifier lane (DOT-992).
CREATE ROLE cutter_exec LOGIN CONNECTION LIMIT 2;
CREATE ROLE cutter_verify LOGIN CONNECTION LIMIT 2;

-- A guard: nobody logs in as it, and it is granted nothing.
CREATE ROLE cutter_ro NOLOGIN;
-- Reads `public`, and is blind to `cutter_governance`.
CREATE ROLE context_pack_readonly LOGIN;
-- Reads what evidence of non-mutation needs, and nothing else.
CREATE ROLE cutter_observe LOGIN;
