CREATE SCHEMA cutter_ledger;
CREATE TABLE cutter_ledger.ledger (
  single boolean PRIMARY KEY DEFAULT true CHECK (single),
  version integer NOT NULL,
  id text NOT NULL CHECK (id ~ '^[0-9a-f]{32}$')
);
CREATE TABLE cutter_ledger.uses (
  approval_sha256 text COLLATE "C" NOT NULL CHECK (approval_sha256 ~ '^[0-9a-f]{64}$'),
  action text COLLATE "C" NOT NULL,
  approval_id text NOT NULL,
  gate text NOT NULL,
  run text COLLATE "C" NOT NULL,
  "time" timestamptz NOT NULL,
  principal text NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  recorded_by name NOT NULL DEFAULT session_user,
  PRIMARY KEY (approval_sha256, action)
);
CREATE TABLE cutter_ledger.runs (
  run text COLLATE "C" PRIMARY KEY,
  plan_sha256 text NOT NULL CHECK (plan_sha256 ~ '^[0-9a-f]{64}$'),
  "time" timestamptz NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  recorded_by name NOT NULL DEFAULT session_user
);
CREATE TABLE cutter_ledger.journal (
  sequence bigint PRIMARY KEY CHECK (sequence > 0),
  run text COLLATE "C" NOT NULL,
  "time" timestamptz NOT NULL,
  record text NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  recorded_by name NOT NULL DEFAULT session_user
);
CREATE INDEX journal_run ON cutter_ledger.journal (run, sequence);
CREATE TABLE cutter_ledger.attestations (
  sequence bigint PRIMARY KEY CHECK (sequence > 0),
  statement text NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  recorded_by name NOT NULL DEFAULT session_user
);
REVOKE ALL ON SCHEMA cutter_ledger FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA cutter_ledger FROM PUBLIC;
