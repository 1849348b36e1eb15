CREATE SCHEMA cutter_ledger;
-- One row: the end of the chain. Whoever writes holds its lock; nobody but the owner's functions can.
CREATE TABLE cutter_ledger.head (
  single boolean PRIMARY KEY DEFAULT true CHECK (single),
  version integer NOT NULL,
  id text NOT NULL CHECK (id ~ '^[0-9a-f]{32}$'),
  place text NOT NULL,
  sequence bigint NOT NULL,
  sha256 text NOT NULL
);
CREATE TABLE cutter_ledger.records (sequence bigint PRIMARY KEY, line text NOT NULL);
CREATE TABLE cutter_ledger.runs (run text COLLATE "C" PRIMARY KEY);
-- Who began an action knows its token, and may end it.
CREATE TABLE cutter_ledger.tokens (sequence bigint PRIMARY KEY, token uuid NOT NULL);

CREATE FUNCTION cutter_ledger.said(line text) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT (line::jsonb)->'record'
$$;
CREATE FUNCTION cutter_ledger.subject(line text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce((line::jsonb)->'record'->>'run', (line::jsonb)->'record'->>'approval_sha256')
$$;
-- What is found is found by the lines themselves, so that no table beside them can say otherwise.
CREATE INDEX records_subject ON cutter_ledger.records (cutter_ledger.subject(line), sequence);
CREATE INDEX records_kind ON cutter_ledger.records ((cutter_ledger.said(line)->>'kind'), sequence);
CREATE INDEX records_approvals ON cutter_ledger.records USING gin ((cutter_ledger.said(line)->'approvals') jsonb_path_ops);

-- Which server this is, and since when it goes its own way: a restored or promoted one has another timeline.
CREATE FUNCTION cutter_ledger.place() RETURNS text LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  SELECT format('server %s, timeline %s', (SELECT system_identifier FROM pg_control_system()),
    substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))
$$;
CREATE FUNCTION cutter_ledger.now() RETURNS text LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

-- The parts of a record, each of the one type that it may have.
CREATE FUNCTION cutter_ledger.word(value jsonb) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF jsonb_typeof(value) IS DISTINCT FROM 'string' OR length(value #>> '{}') > 65536 THEN
    RAISE EXCEPTION 'a part of the record is no text' USING ERRCODE = '22023';
  END IF;
  RETURN value #>> '{}';
END $$;
CREATE FUNCTION cutter_ledger.hex(value jsonb) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF cutter_ledger.word(value) !~ '^[0-9a-f]{64}$' THEN
    RAISE EXCEPTION 'a part of the record is no digest' USING ERRCODE = '22023';
  END IF;
  RETURN value #>> '{}';
END $$;
CREATE FUNCTION cutter_ledger.moment(value jsonb) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
  SET DateStyle = 'ISO, YMD' SET TimeZone = 'UTC' AS $$
BEGIN
  IF value #>> '{}' !~ '^[0-9]{4}-' OR to_char((cutter_ledger.word(value))::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') <> value #>> '{}' THEN
    RAISE EXCEPTION 'a part of the record is not a valid time' USING ERRCODE = '22023';
  END IF;
  RETURN value #>> '{}';
END $$;
CREATE FUNCTION cutter_ledger.whole(value jsonb) RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF jsonb_typeof(value) IS DISTINCT FROM 'number' OR (value #>> '{}')::bigint < 0 THEN
    RAISE EXCEPTION 'a part of the record is not a whole number' USING ERRCODE = '22023';
  END IF;
  RETURN (value #>> '{}')::bigint;
END $$;

-- What a reader can read: not too long, not too deep, and only numbers that every reader has.
CREATE FUNCTION cutter_ledger.plain(value jsonb) RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  is_plain boolean := pg_column_size(value) <= 8388608 AND length(value::text) <= 8388608;
BEGIN
  IF is_plain THEN
    WITH RECURSIVE part(value, depth) AS (
      SELECT value, 1
      UNION ALL
      SELECT inner_part.value, part.depth + 1 FROM part, LATERAL (
        SELECT e.value FROM jsonb_array_elements(CASE jsonb_typeof(part.value) WHEN 'array' THEN part.value ELSE '[]' END) e
        UNION ALL
        SELECT m.value FROM jsonb_each(CASE jsonb_typeof(part.value) WHEN 'object' THEN part.value ELSE '{}' END) m) inner_part
      WHERE part.depth <= 64)
    SELECT max(part.depth) <= 64 AND bool_and(jsonb_typeof(part.value) <> 'number' OR part.value::text ~ '^-?[0-9]{1,19}$'
        AND part.value::text::numeric BETWEEN -9223372036854775808 AND 9223372036854775807)
      INTO is_plain FROM part;
  END IF;
  IF NOT is_plain THEN
    RAISE EXCEPTION 'a part of the record is too long, too deep, or holds a number that is not whole' USING ERRCODE = '22023';
  END IF;
  RETURN value;
END $$;

-- Under the lock of the one row: nobody writes to a ledger that was moved before a person has accepted that.
CREATE FUNCTION cutter_ledger.enter() RETURNS cutter_ledger.head LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  h cutter_ledger.head;
BEGIN
  SELECT * INTO STRICT h FROM cutter_ledger.head FOR UPDATE;
  IF h.place <> cutter_ledger.place() THEN
    RAISE EXCEPTION 'made at %, found at %', h.place, cutter_ledger.place() USING ERRCODE = 'CL001';
  END IF;
  RETURN h;
END $$;
-- The next line, as every store writes it: its digest is over all that follows it.
CREATE FUNCTION cutter_ledger.write(body jsonb) RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  h cutter_ledger.head := cutter_ledger.enter();
  number bigint := h.sequence + 1;
  rest text := format('","previous":"%s","sequence":%s,"time":"%s","by":%s,"record":%s}',
    h.sha256, number, cutter_ledger.now(), to_json(session_user::text), body);
  digest text := encode(sha256(convert_to(rest, 'UTF8')), 'hex');
BEGIN
  INSERT INTO cutter_ledger.records VALUES (number, '{"sha256":"' || digest || rest);
  UPDATE cutter_ledger.head SET sequence = number, sha256 = digest;
  RETURN number;
END $$;

CREATE FUNCTION cutter_ledger.identity(OUT version integer, OUT id text, OUT made text, OUT found text, OUT clock text,
  OUT sequence bigint, OUT sha256 text) LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT h.version, h.id, h.place, cutter_ledger.place(), cutter_ledger.now(), h.sequence, h.sha256 FROM cutter_ledger.head h
$$;
CREATE FUNCTION cutter_ledger.line(number bigint) RETURNS text LANGUAGE sql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
  SELECT r.line FROM cutter_ledger.records r WHERE r.sequence = number
$$;
CREATE FUNCTION cutter_ledger.lines() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
  SELECT r.line FROM cutter_ledger.records r ORDER BY r.sequence
$$;
CREATE FUNCTION cutter_ledger.lines_of(kind text, wanted_run text, approvals text[]) RETURNS SETOF text LANGUAGE sql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
  SELECT r.line FROM cutter_ledger.records r WHERE r.sequence IN (
    SELECT min(f.sequence) FROM cutter_ledger.records f
    UNION SELECT max(l.sequence) FROM cutter_ledger.records l
    UNION SELECT k.sequence FROM cutter_ledger.records k WHERE cutter_ledger.said(k.line)->>'kind' IN (kind, 'newer_bundle')
    UNION SELECT s.sequence FROM cutter_ledger.records s WHERE cutter_ledger.subject(s.line) = ANY (approvals || wanted_run)
    UNION SELECT u.sequence FROM unnest(approvals) a, cutter_ledger.records u
      WHERE cutter_ledger.said(u.line)->'approvals' @> jsonb_build_array(jsonb_build_object('sha256', a))
  ) ORDER BY r.sequence
$$;

-- Holds a run until the transaction ends.
CREATE FUNCTION cutter_ledger.hold(wanted text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO cutter_ledger.runs VALUES (wanted) ON CONFLICT DO NOTHING;
  PERFORM FROM cutter_ledger.runs r WHERE r.run = wanted FOR UPDATE;
END $$;

-- Uses approvals up and begins, in one record; nothing where anything stands against it.
CREATE FUNCTION cutter_ledger.begin(said jsonb, OUT number bigint, OUT token text) LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  bounded jsonb := cutter_ledger.plain(said);
  seen jsonb;
  ours jsonb := jsonb_build_object('version', cutter_ledger.whole(said->'bundle'->'version'),
    'sha256', cutter_ledger.hex(said->'bundle'->'sha256'));
  started jsonb := jsonb_build_object(
    'kind', 'started',
    'run', cutter_ledger.word(said->'run'),
    'plan_sha256', cutter_ledger.hex(said->'plan_sha256'),
    'action', cutter_ledger.word(said->'action'),
    'principal', cutter_ledger.word(said->'principal'),
    'argv', (SELECT coalesce(jsonb_agg(cutter_ledger.word(a.value) ORDER BY a.ordinality), '[]')
      FROM jsonb_array_elements(said->'argv') WITH ORDINALITY a),
    'approvals', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', cutter_ledger.word(a.value->'id'),
        'gate', cutter_ledger.word(a.value->'gate'), 'sha256', cutter_ledger.hex(a.value->'sha256')) ORDER BY a.ordinality), '[]')
      FROM jsonb_array_elements(said->'approvals') WITH ORDINALITY a),
    'decided_at', cutter_ledger.moment(said->'decided_at'),
    'bundle', ours,
    'repeatable', cutter_ledger.word(to_jsonb(said->>'repeatable'))::boolean,
    'decision', coalesce(said->'decision', 'null'))
    || CASE WHEN said ? 'transaction' THEN jsonb_build_object('transaction', cutter_ledger.word(said->'transaction')) ELSE '{}' END;
BEGIN
  PERFORM cutter_ledger.enter();
  SELECT cutter_ledger.said(r.line) INTO seen FROM cutter_ledger.records r
    WHERE cutter_ledger.said(r.line)->>'kind' = 'newer_bundle' ORDER BY r.sequence DESC LIMIT 1;
  -- Whoever may begin could otherwise name a version that no bundle can ever follow.
  IF (ours->'version')::bigint > coalesce((seen->'version')::bigint + 1000000000, 1000000000000000) THEN
    RAISE EXCEPTION 'the version of the bundle is more than 1000000000 ahead' USING ERRCODE = '22023';
  END IF;
  IF EXISTS (
    SELECT FROM cutter_ledger.records r
      WHERE cutter_ledger.subject(r.line) = started->>'run' AND cutter_ledger.said(r.line)->>'kind' = 'started'
        AND (cutter_ledger.said(r.line)->'plan_sha256' <> started->'plan_sha256'
          OR cutter_ledger.said(r.line)->'action' = started->'action' AND NOT (started->'repeatable')::boolean)
  ) OR EXISTS (
    SELECT FROM cutter_ledger.records r
      WHERE cutter_ledger.subject(r.line) = started->>'run' AND cutter_ledger.said(r.line)->>'kind' = 'voided'
  ) OR EXISTS (
    SELECT FROM jsonb_array_elements(started->'approvals') a, cutter_ledger.records r
      WHERE cutter_ledger.said(r.line)->'approvals' @> jsonb_build_array(jsonb_build_object('sha256', a.value->'sha256'))
        AND cutter_ledger.said(r.line)->'action' = started->'action'
  ) OR (seen->'version')::bigint > (ours->'version')::bigint
    OR seen->'version' = ours->'version' AND seen->'sha256' <> ours->'sha256'
  THEN
    RETURN;
  END IF;
  IF seen IS NULL OR seen->'version' <> ours->'version' THEN
    PERFORM cutter_ledger.write(jsonb_build_object('kind', 'newer_bundle') || ours);
  END IF;
  number := cutter_ledger.write(started);
  token := gen_random_uuid()::text;
  INSERT INTO cutter_ledger.tokens VALUES (number, token::uuid);
END $$;

-- Ends what was begun, once: for whoever has its token, or, without one, for whoever has the place of the run while no other does.
CREATE FUNCTION cutter_ledger.finish(said jsonb, secret text) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  bounded jsonb := cutter_ledger.plain(said);
  began bigint := cutter_ledger.whole(said->'started');
  exit_status integer := (said->>'exit_status')::integer;
  waits text := current_setting('lock_timeout');
  finished jsonb := jsonb_build_object('kind', 'finished', 'run', cutter_ledger.word(said->'run'),
    'action', cutter_ledger.word(said->'action'), 'started', began, 'exit_status', exit_status);
BEGIN
  PERFORM cutter_ledger.enter();
  IF said ? 'note' THEN
    finished := finished || jsonb_build_object('note', cutter_ledger.word(said->'note'));
  END IF;
  IF said ? 'produced' THEN
    finished := finished || jsonb_build_object('produced', (
      SELECT coalesce(jsonb_object_agg(p.key, p.value), '{}') FROM jsonb_each(said->'produced') p));
  END IF;
  IF said ? 'output' THEN
    finished := finished || jsonb_build_object('output', jsonb_build_object(
      'sha256', cutter_ledger.hex(said->'output'->'sha256'), 'length', cutter_ledger.whole(said->'output'->'length'),
      'variables', (SELECT coalesce(jsonb_agg(cutter_ledger.word(v.value) ORDER BY v.ordinality), '[]')
        FROM jsonb_array_elements(said->'output'->'variables') WITH ORDINALITY v),
      'shapes', cutter_ledger.whole(said->'output'->'shapes'),
      'found', (SELECT coalesce(jsonb_object_agg(f.key, cutter_ledger.whole(f.value)), '{}')
        FROM jsonb_each(said->'output'->'found') f)));
  END IF;
  IF secret = '' THEN
    PERFORM set_config('lock_timeout', '500ms', true);
    PERFORM cutter_ledger.hold(finished->>'run');
    PERFORM set_config('lock_timeout', waits, true);
  END IF;
  DELETE FROM cutter_ledger.tokens t USING cutter_ledger.records r
    WHERE t.sequence = began AND secret IN ('', t.token::text) AND r.sequence = began
      AND cutter_ledger.said(r.line)->'run' = finished->'run' AND cutter_ledger.said(r.line)->'action' = finished->'action';
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no open beginning' USING ERRCODE = 'CL002';
  END IF;
  RETURN cutter_ledger.write(finished);
END $$;

CREATE FUNCTION cutter_ledger.note(said jsonb) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  CASE said->>'kind'
    WHEN 'refused' THEN RETURN cutter_ledger.write(jsonb_build_object('kind', 'refused',
      'run', cutter_ledger.word(said->'run'), 'plan_sha256', cutter_ledger.hex(said->'plan_sha256'),
      'action', cutter_ledger.word(said->'action'), 'principal', cutter_ledger.word(said->'principal'),
      'reason', cutter_ledger.word(said->'reason')));
    WHEN 'voided' THEN RETURN cutter_ledger.write(jsonb_build_object('kind', 'voided',
      'run', cutter_ledger.word(said->'run'), 'plan_sha256', cutter_ledger.hex(said->'plan_sha256'),
      'reason', cutter_ledger.word(said->'reason')));
    WHEN 'switched_off' THEN RETURN cutter_ledger.write(jsonb_build_object('kind', 'switched_off',
      'run', cutter_ledger.word(said->'run'), 'plan_sha256', cutter_ledger.hex(said->'plan_sha256'),
      'action', cutter_ledger.word(said->'action'), 'flag', cutter_ledger.word(said->'flag'),
      'value', cutter_ledger.word(said->'value'), 'note', cutter_ledger.word(said->'note')));
    WHEN 'vote' THEN RETURN cutter_ledger.write(jsonb_build_object('kind', 'vote',
      'approval_sha256', cutter_ledger.hex(said->'approval_sha256'), 'signature', cutter_ledger.word(said->'signature')));
    ELSE RAISE EXCEPTION 'no such note' USING ERRCODE = '22023';
  END CASE;
END $$;

CREATE FUNCTION cutter_ledger.attest(number bigint, statement text) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  h cutter_ledger.head;
  said jsonb;
  last jsonb;
BEGIN
  -- The longest and deepest that can be read back.
  IF octet_length(statement) > 33554432 OR jsonb_path_exists(statement::jsonb, '$.**{100}') THEN
    RAISE EXCEPTION 'the attestation is too long or too deep' USING ERRCODE = '22023';
  END IF;
  h := cutter_ledger.enter();
  said := statement::jsonb->'predicate';
  SELECT cutter_ledger.said(r.line) INTO last FROM cutter_ledger.records r
    WHERE cutter_ledger.said(r.line)->>'kind' = 'attestation' ORDER BY r.sequence DESC LIMIT 1;
  IF number IS DISTINCT FROM coalesce((last->>'number')::bigint, 0) + 1 THEN
    RETURN false;
  END IF;
  IF NOT coalesce(said ? 'previous', false) OR said #>> '{grounds,journal,ledger}' IS DISTINCT FROM h.id
    OR said->>'previous' IS DISTINCT FROM encode(sha256(convert_to(last->>'statement', 'UTF8')), 'hex') THEN
    RAISE EXCEPTION 'it does not follow' USING ERRCODE = 'CL003';
  END IF;
  PERFORM cutter_ledger.write(jsonb_build_object('kind', 'attestation', 'number', number, 'statement', statement));
  RETURN true;
END $$;

-- For the ledger's owner alone: the server was restored or promoted, and a person has looked at what was lost.
CREATE FUNCTION cutter_ledger.accept_place() RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE cutter_ledger.head SET place = cutter_ledger.place();
  PERFORM cutter_ledger.write(jsonb_build_object('kind', 'moved', 'place', cutter_ledger.place()));
  RETURN cutter_ledger.place();
END $$;
REVOKE ALL ON SCHEMA cutter_ledger FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA cutter_ledger FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA cutter_ledger FROM PUBLIC;
