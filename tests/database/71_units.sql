-- The seeded units: 60 enacted ones of ICX-CONST, 98 drafts (one of them the trial), 165 versions, and their births.
-- Nothing here depends on the clock or on chance: a uuid is the md5 of its row's name.

BEGIN;
SET LOCAL ROLE directus;
SET LOCAL app.canonical_writer = 'fn_iu_create';

CREATE TEMPORARY TABLE seed ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY place) AS ordinal, docprefix || '/' || section_type || '/' || number AS address, *
FROM (
    SELECT 1000 + n AS place, 'ICX-CONST' AS docprefix, 'NGUYEN_TAC' AS section_type, n AS number,
        'Nguyên tắc ' || n AS title, '2026-05-16 10:00:00+00'::timestamptz AS born_at
    FROM generate_series(1, 15) n
    UNION ALL
    SELECT 2000 + n, 'ICX-CONST', 'KIEN_TRUC_SECTION', n, 'Kiến trúc, mục ' || n, '2026-05-16 10:00:00+00'
    FROM generate_series(1, 3) n
    UNION ALL
    -- Điều 44 is left out, as in production.
    SELECT 3000 + n, 'ICX-CONST', 'DIEU', n, 'Điều ' || n, '2026-05-16 10:00:00+00'
    FROM generate_series(3, 45) n WHERE n <> 44
    UNION ALL
    SELECT 4000, 'V04-TRIAL', 'UNIT', 1, 'Đơn vị thử nghiệm', '2026-05-12 09:00:00+00'
    UNION ALL
    SELECT 5000 + n, 'OPS-GUIDE', 'MUC', n, 'Hướng dẫn vận hành, mục ' || n, '2026-05-06 08:00:00+00'
    FROM generate_series(1, 40) n
    UNION ALL
    SELECT 6000 + n, 'KB-NOTE', 'GHI_CHU', n, 'Ghi chú ' || n, '2026-05-07 08:00:00+00'
    FROM generate_series(1, 57) n
) AS part;

-- The first seven units of OPS-GUIDE were edited once, so they have two versions and the anchor is the second.
CREATE TEMPORARY TABLE seed_version ON COMMIT DROP AS
SELECT seed.*, version_seq, docprefix = 'ICX-CONST' AS enacted,
    md5('iu:' || address)::uuid AS unit_id,
    md5('uv:' || address || ':' || version_seq)::uuid AS version_id,
    title || E'.\n' || repeat('Nội dung của ' || address || ', bản ' || version_seq || '. ', 6) AS body,
    version_seq = max(version_seq) OVER (PARTITION BY address) AS anchored,
    born_at + (version_seq - 1) * interval '1 day' AS written_at
FROM seed, generate_series(1, CASE WHEN docprefix = 'OPS-GUIDE' AND number <= 7 THEN 2 ELSE 1 END) AS version_seq;

INSERT INTO public.information_unit (
    id, canonical_address, unit_kind, section_type, publication_type, owner_ref, identity_profile, version_anchor_ref,
    content_anchor_ref, lifecycle_status, revision, created_by, updated_by, created_at, updated_at, enacted_at)
SELECT unit_id, address, 'law_unit', section_type, 'internal', 'owner:incomex',
    jsonb_build_object('docprefix', docprefix, 'number', number), version_id,
    'sha256:' || public.fn_iu_content_hash(title, body), CASE WHEN enacted THEN 'enacted' ELSE 'draft' END,
    CASE WHEN enacted THEN 2 ELSE version_seq END, 'cutter_exec', 'cutter_exec', born_at,
    CASE WHEN enacted THEN '2026-05-18 09:00:00+00' ELSE written_at END,
    CASE WHEN enacted THEN '2026-05-18 09:00:00+00'::timestamptz END
FROM seed_version WHERE anchored ORDER BY ordinal;

INSERT INTO public.unit_version (
    id, unit_id, version_seq, title, body, content_hash, previous_version_ref, lifecycle_status, review_decision_ref,
    created_by, updated_by, created_at, updated_at, enacted_at)
SELECT version_id, unit_id, version_seq, title, body, public.fn_iu_content_hash(title, body),
    CASE WHEN version_seq > 1 THEN md5('uv:' || address || ':' || version_seq - 1)::uuid END,
    CASE WHEN enacted THEN 'enacted' ELSE 'draft' END,
    CASE WHEN enacted THEN ('e5c1a7d2' || substr(md5('review_decision:enactment'), 9))::uuid END,
    'cutter_exec', 'cutter_exec', written_at,
    CASE WHEN enacted THEN '2026-05-18 09:00:00+00' ELSE written_at END,
    CASE WHEN enacted THEN '2026-05-18 09:00:00+00'::timestamptz END
FROM seed_version ORDER BY ordinal, version_seq;

INSERT INTO public.knowledge_documents (slug, title, body, metadata, relevance, created_at)
SELECT 'report-' || lpad(n::text, 2, '0'), 'Report ' || n, 'Findings of macro ' || n || '.',
    json_build_object('macro', 'O' || n, 'language', 'vi'), n + 0.50, '2026-05-08 07:00:00+00'::timestamptz + n * interval '1 day'
FROM generate_series(1, 11) n ORDER BY n;

INSERT INTO public.birth_registry (subject_table, subject_id, subject_name, born_by, born_at)
SELECT 'information_unit', md5('iu:' || address)::uuid::text, address, 'cutter_exec', born_at FROM seed ORDER BY ordinal;
INSERT INTO public.birth_registry (subject_table, subject_id, subject_name, born_by, born_at)
SELECT 'knowledge_documents', id::text, slug, 'directus', created_at FROM public.knowledge_documents ORDER BY id;

INSERT INTO public.iu_lifecycle_log (
    unit_id, canonical_address, transition, from_status, to_status, review_decision_id, change_set_id, performed_by,
    performed_at, tool_revision)
SELECT unit_id, address, 'draft->enacted', 'draft', 'enacted',
    ('e5c1a7d2' || substr(md5('review_decision:enactment'), 9))::uuid, NULL, 'cutter_exec',
    '2026-05-18 09:00:00+00', 'v0.5'
FROM seed_version WHERE enacted ORDER BY ordinal;

COMMIT;
