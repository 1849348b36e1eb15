-- The seeded governance: the v0.4 trial of one unit (15 rows), the v0.5 cut of ICX-CONST (126 rows and the 2 of its
-- verification), the decision to enact it, and the one registered source document.
-- The trial's decision is the odd row that production has: approved at the epoch, with no findings.

BEGIN;
SET LOCAL ROLE workflow_admin;
SET LOCAL search_path = cutter_governance, public;

-- A uuid that begins as the known one does; the rest is the md5 of the row's name.
CREATE FUNCTION pg_temp.named(name text, beginning text DEFAULT '') RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (beginning || substr(md5(name), length(beginning) + 1))::uuid
$$;

CREATE TEMPORARY TABLE cut ON COMMIT DROP AS
SELECT *, pg_temp.named('envelope:' || docprefix) AS envelope, pg_temp.named('change_set:' || docprefix) AS change_set,
    pg_temp.named('verify_result:' || docprefix) AS verification, pg_temp.named('executor:' || docprefix) AS executor_signature,
    pg_temp.named('verifier:' || docprefix) AS verifier_signature, pg_temp.named('backlog:' || docprefix) AS backlog
FROM (VALUES
    ('V04-TRIAL', 'v0.4', pg_temp.named('review_decision:trial', 'a1696b09'), 1, '2026-05-12 09:00:00+00'::timestamptz),
    ('ICX-CONST', 'v0.5', pg_temp.named('review_decision:cut', '29c88a7b'), 60, '2026-05-16 10:00:00+00'::timestamptz)
) AS made (docprefix, revision, decision, units, at);

INSERT INTO source_document_registry VALUES
    ('incomex-constitution', 'ICX-CONST', 'Hiến pháp Incomex', 'authoritative', 'active', 'GPT/User', '2026-05-10 06:00:00+00');
INSERT INTO source_document_version_registry VALUES
    (pg_temp.named('source_version:ICX-CONST'), 'incomex-constitution', 'v5.0', 'snapshot:icx-const-v5.0',
     encode(sha256('icx-const-v5.0'), 'hex'), 96412, 60, 'GPT/User', '2026-05-10 06:05:00+00');

INSERT INTO manifest_envelope
SELECT envelope, revision, docprefix, CASE WHEN units = 60 THEN 'incomex-constitution' END,
    CASE WHEN units = 60 THEN pg_temp.named('source_version:ICX-CONST') END, encode(sha256(docprefix::bytea), 'hex'),
    units, 'sealed', 'parser-' || revision, 'cutter_exec', at, at
FROM cut;

INSERT INTO manifest_unit_block
SELECT envelope, 'u' || lpad(row_number() OVER (PARTITION BY docprefix ORDER BY u.canonical_address)::text, 3, '0'),
    row_number() OVER (PARTITION BY docprefix ORDER BY u.canonical_address), u.canonical_address, u.unit_kind,
    u.section_type, v.title, v.content_hash, NULL, NULL, length(v.body), 'cut', at
FROM cut JOIN information_unit u ON u.identity_profile ->> 'docprefix' = docprefix
    JOIN unit_version v ON v.id = u.version_anchor_ref
ORDER BY docprefix, u.canonical_address;

INSERT INTO review_decision
SELECT decision, kind, envelope, revision, NULL, scope, 'decided', verdict, findings::jsonb, 'decision_authority',
    '{"name": "GPT/User"}'::jsonb, 'high', decided_at, 'GPT/User', false, prior, NULL::uuid, NULL, change_set, NULL, NULL,
    revision, 1, written_at, written_at
FROM (
    SELECT cut.*, 'review_decision' AS kind, 'one unit' AS scope, 'approve' AS verdict, '[]' AS findings,
        'epoch'::timestamptz AS decided_at, NULL::uuid AS prior, at - interval '1 hour' AS written_at
    FROM cut WHERE docprefix = 'V04-TRIAL'
    UNION ALL
    SELECT cut.*, 'cut_first_controlled_canonical', 'ICX-CONST, 60 units', 'PASS', '[{"check": "manifest", "result": "pass"}]',
        at - interval '2 hours', NULL, at - interval '1 hour'
    FROM cut WHERE docprefix = 'ICX-CONST'
) AS decided;
INSERT INTO review_decision
SELECT pg_temp.named('review_decision:enactment', 'e5c1a7d2'), 'lifecycle_phase7_enactment', manifest_id, manifest_version,
    NULL, 'ICX-CONST, 60 units, draft to enacted', 'decided', 'approve', '[{"check": "structural", "result": "pass"}]',
    reviewer_class, reviewer_identity, 'high', '2026-05-18 07:30:00+00', decided_by, false, review_decision_id, NULL, NULL,
    NULL, NULL, NULL, tool_revision, 1, '2026-05-18 08:30:00+00', '2026-05-18 08:30:00+00'
FROM review_decision WHERE governance_event_kind = 'cut_first_controlled_canonical';

INSERT INTO cut_change_set
SELECT change_set, 'rollback:' || docprefix, 'idempotency:' || docprefix, envelope, revision, decision, executor_signature,
    'committed', 'high', units, 'cutter_exec', 'scenario:' || lower(docprefix), 'exec-' || revision, 'plan-' || revision,
    CASE WHEN units = 60 THEN pg_temp.named('source_version:ICX-CONST') END, encode(sha256(('writer:' || docprefix)::bytea), 'hex'),
    encode(sha256(docprefix::bytea), 'hex'), 'snapshot:' || lower(docprefix), 'backup:' || lower(docprefix),
    at - interval '1 minute', at, at + interval '2 hours', at, at + interval '2 hours'
FROM cut;

INSERT INTO cut_change_set_affected_row
SELECT pg_temp.named('affected:' || u.id), change_set, 'public', 'information_unit', u.id::text, 'insert',
    row_number() OVER (PARTITION BY docprefix ORDER BY u.canonical_address), at
FROM cut JOIN information_unit u ON u.identity_profile ->> 'docprefix' = docprefix
ORDER BY docprefix, u.canonical_address;
INSERT INTO cut_change_set_affected_row
SELECT pg_temp.named('affected:' || kind), change_set, 'public', kind, row_id, 'insert', ordinal, at
FROM cut JOIN information_unit u ON u.identity_profile ->> 'docprefix' = docprefix,
    LATERAL (VALUES ('unit_version', u.version_anchor_ref::text, 2), ('birth_registry', u.id::text, 3)) AS also (kind, row_id, ordinal)
WHERE docprefix = 'V04-TRIAL';

INSERT INTO verify_result
SELECT verification, change_set, envelope, revision, decision, executor_signature, verifier_signature, 'exec-' || revision,
    'verify-' || revision, false, 'structural', 'pass', '[]'::jsonb, 'pass', '[]'::jsonb, 'PASS', 'final', 'nfc-lf', units, units, 1.0,
    'cutter_verify', at + interval '1 hour', at + interval '61 minutes', at + interval '61 minutes', at + interval '61 minutes'
FROM cut;

-- Placeholders: production signs nothing yet.
INSERT INTO dot_pair_signature
SELECT signature, lane, role, jsonb_build_object('role', role, 'lane', lane), 'stub', 'none', NULL,
    encode(sha256((lane || docprefix)::bytea), 'hex'), 'STUB-SIGNATURE', for_change_set, for_verification, paired,
    role || '-' || revision, 'placeholder', signed_at, signed_at
FROM cut, LATERAL (VALUES
    (1, executor_signature, 'DOT-991', 'cutter_exec', change_set, NULL::uuid, NULL::uuid, at),
    (2, verifier_signature, 'DOT-992', 'cutter_verify', NULL, verification, executor_signature, at + interval '61 minutes')
) AS signed (place, signature, lane, role, for_change_set, for_verification, paired, signed_at)
ORDER BY docprefix, place;

INSERT INTO canonical_address_alias
SELECT pg_temp.named('alias:' || id), 'V04/1', canonical_address, id, 'trial address', 'active', 'cutter_exec', created_at, NULL
FROM information_unit WHERE canonical_address = 'V04-TRIAL/UNIT/1';

INSERT INTO decision_backlog_entry
SELECT backlog, change_set, 'audit of ' || docprefix, 'closed', at, at + interval '2 hours' FROM cut;
INSERT INTO decision_backlog_history
SELECT pg_temp.named('history:' || place), backlog, from_status, to_status, reason, 'cutter_exec', at + place * interval '1 hour',
    revision, at + place * interval '1 hour'
FROM cut, (VALUES (0, NULL, 'open', 'change set committed'), (2, 'open', 'closed', 'verified'))
    AS step (place, from_status, to_status, reason)
WHERE docprefix = 'V04-TRIAL' ORDER BY place;
INSERT INTO decision_backlog_dependency
SELECT pg_temp.named('dependency'), later.backlog, earlier.backlog, 'follows', 'cutter_exec', later.at
FROM cut AS later, cut AS earlier WHERE later.docprefix = 'ICX-CONST' AND earlier.docprefix = 'V04-TRIAL';
INSERT INTO decision_backlog_sweep_log (
    swept_by, window_hours, entries_seen, entries_closed, entries_overdue, outcome, tool_revision, started_at, finished_at)
VALUES ('cutter_exec', 24, 1, 1, 0, 'clean', 'v0.4', '2026-05-13 09:00:00+00', '2026-05-13 09:00:01+00');

COMMIT;
