-- The canonical writers: the only road by which a unit is created, edited or enacted. Each tells what it did as jsonb.
-- All run as directus with a pinned search path; each marks the transaction as canonical only while it writes.

BEGIN;
SET LOCAL ROLE directus;

-- The state of the unit at an address: `absent`, `exists_complete`, or what is wrong with it.
CREATE FUNCTION public.fn_iu_state(canonical_address text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    unit public.information_unit;
BEGIN
    SELECT * INTO unit FROM public.information_unit u WHERE u.canonical_address = fn_iu_state.canonical_address;
    RETURN CASE
        WHEN unit.id IS NULL THEN 'absent'
        WHEN unit.deleted_at IS NOT NULL OR unit.lifecycle_status NOT IN ('draft', 'enacted') THEN 'exists_unknown_state'
        WHEN NOT EXISTS (SELECT FROM public.birth_registry b
                         WHERE b.subject_table = 'information_unit' AND b.subject_id = unit.id::text)
            THEN 'exists_missing_birth'
        WHEN NOT EXISTS (SELECT FROM public.unit_version v WHERE v.unit_id = unit.id) THEN 'exists_missing_version'
        WHEN EXISTS (SELECT FROM public.unit_version v WHERE v.unit_id = unit.id
                     GROUP BY v.content_hash HAVING count(*) > 1) THEN 'exists_duplicate_version'
        WHEN NOT EXISTS (SELECT FROM public.unit_version v
                         WHERE v.unit_id = unit.id AND v.id = unit.version_anchor_ref) THEN 'exists_anchor_invalid'
        ELSE 'exists_complete'
    END;
END $$;

CREATE FUNCTION public.fn_iu_content_hash(title text, body text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT encode(sha256(convert_to(title || E'\n' || body, 'UTF8')), 'hex')
$$;

-- What `fn_iu_create` would say: `plan_ok` where it would create.
CREATE FUNCTION public.fn_iu_create_plan(
    canonical_address text, title text, body text, actor text, unit_kind text DEFAULT NULL,
    section_type text DEFAULT NULL, owner_ref text DEFAULT NULL, publication_type text DEFAULT NULL,
    parent_ref uuid DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF num_nulls(nullif(canonical_address, ''), nullif(title, ''), nullif(body, ''), nullif(actor, '')) > 0 THEN
        RAISE EXCEPTION 'canonical_address, title, body and actor are required' USING ERRCODE = '22023';
    END IF;
    RETURN jsonb_build_object(
        'status', replace(public.fn_iu_state(canonical_address), 'absent', 'plan_ok'),
        'canonical_address', canonical_address,
        'content_hash', public.fn_iu_content_hash(title, body));
END $$;

CREATE FUNCTION public.fn_iu_create(
    canonical_address text, title text, body text, actor text, unit_kind text DEFAULT NULL,
    section_type text DEFAULT NULL, owner_ref text DEFAULT NULL, publication_type text DEFAULT NULL,
    parent_ref uuid DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    plan jsonb;
    unit_id uuid := gen_random_uuid();
    version_id uuid := gen_random_uuid();
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(canonical_address, 0));
    plan := public.fn_iu_create_plan(canonical_address, title, body, actor);
    IF plan ->> 'status' <> 'plan_ok' THEN
        RETURN plan;
    END IF;

    PERFORM set_config('app.canonical_writer', 'fn_iu_create', true);
    INSERT INTO public.information_unit (
        id, canonical_address, unit_kind, section_type, publication_type, owner_ref, identity_profile,
        parent_or_container_ref, version_anchor_ref, content_anchor_ref, created_by, updated_by)
    VALUES (
        unit_id, canonical_address,
        coalesce(unit_kind, (SELECT value FROM public.dot_config WHERE key = 'iu_create.default_unit_kind')),
        coalesce(section_type, (SELECT value FROM public.dot_config WHERE key = 'iu_create.default_section_type')),
        coalesce(publication_type, (SELECT value FROM public.dot_config WHERE key = 'iu_create.default_publication_type')),
        coalesce(owner_ref, (SELECT value FROM public.dot_config WHERE key = 'iu_create.default_owner_ref')),
        jsonb_build_object('docprefix', split_part(canonical_address, '/', 1)),
        parent_ref, version_id, 'sha256:' || (plan ->> 'content_hash'), actor, actor);
    INSERT INTO public.unit_version (id, unit_id, version_seq, title, body, content_hash, created_by, updated_by)
    VALUES (version_id, unit_id, 1, title, body, plan ->> 'content_hash', actor, actor);
    INSERT INTO public.birth_registry (subject_table, subject_id, subject_name, born_by)
    VALUES ('information_unit', unit_id::text, canonical_address, actor);
    PERFORM set_config('app.canonical_writer', '', true);

    RETURN plan || jsonb_build_object('status', 'created', 'unit_id', unit_id, 'version_id', version_id);
END $$;

-- Adds a version to a draft and moves its anchor to it.
CREATE FUNCTION public.fn_iu_apply_edit_draft(unit_id uuid, body text, actor text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    editor text := coalesce(actor, session_user);
    version_id uuid := gen_random_uuid();
    unit public.information_unit;
    anchor public.unit_version;
    hash text;
BEGIN
    SELECT * INTO unit FROM public.information_unit u WHERE u.id = fn_iu_apply_edit_draft.unit_id FOR UPDATE;
    SELECT * INTO anchor FROM public.unit_version v WHERE v.id = unit.version_anchor_ref;
    hash := public.fn_iu_content_hash(anchor.title, body);
    IF anchor.id IS NULL THEN
        RETURN jsonb_build_object('status', 'refused', 'refusal', 'iu_not_found');
    ELSIF unit.lifecycle_status <> 'draft' THEN
        RETURN jsonb_build_object('status', 'refused', 'refusal', 'not_draft');
    ELSIF hash = anchor.content_hash THEN
        RETURN jsonb_build_object('status', 'unchanged', 'version_id', anchor.id);
    END IF;

    PERFORM set_config('app.canonical_writer', 'fn_iu_apply_edit_draft', true);
    INSERT INTO public.unit_version (
        id, unit_id, version_seq, title, body, content_hash, previous_version_ref, created_by, updated_by)
    VALUES (version_id, unit.id, anchor.version_seq + 1, anchor.title, body, hash, anchor.id, editor, editor);
    UPDATE public.information_unit u
    SET version_anchor_ref = version_id, content_anchor_ref = 'sha256:' || hash,
        revision = revision + 1, updated_by = editor, updated_at = now()
    WHERE u.id = unit.id;
    PERFORM set_config('app.canonical_writer', '', true);

    RETURN jsonb_build_object('status', 'applied', 'version_id', version_id, 'content_hash', hash);
END $$;

-- Moves a draft and its anchored version to `enacted`. It asks only that the decision exists, not what it decided.
CREATE FUNCTION public.fn_iu_enact(
    canonical_address text, actor text, review_decision_id uuid, target_lifecycle text DEFAULT 'enacted',
    change_set_id uuid DEFAULT NULL, reason text DEFAULT NULL, tool_revision text DEFAULT NULL,
    dry_run boolean DEFAULT false
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    unit public.information_unit;
    refusal text;
    answer jsonb;
BEGIN
    SELECT * INTO unit FROM public.information_unit u
    WHERE u.canonical_address = fn_iu_enact.canonical_address AND u.deleted_at IS NULL FOR UPDATE;
    refusal := CASE
        WHEN coalesce(actor, '') = '' THEN 'actor_required'
        WHEN review_decision_id IS NULL THEN 'review_decision_required'
        WHEN NOT EXISTS (SELECT FROM public.iu_lifecycle_vocab w WHERE w.code = target_lifecycle)
            THEN 'invalid_target_lifecycle'
        WHEN unit.id IS NULL THEN 'iu_not_found'
        WHEN NOT EXISTS (SELECT FROM cutter_governance.review_decision d
                         WHERE d.review_decision_id = fn_iu_enact.review_decision_id)
            THEN 'review_decision_not_found'
        WHEN (unit.lifecycle_status, target_lifecycle) <> ('draft', 'enacted') THEN 'fsm_denied'
    END;
    answer := jsonb_build_object(
        'canonical_address', canonical_address, 'from', unit.lifecycle_status, 'to', target_lifecycle);
    IF refusal IS NOT NULL THEN
        RETURN answer || jsonb_build_object('status', 'refused', 'refusal', refusal);
    ELSIF dry_run THEN
        RETURN answer || jsonb_build_object('status', 'plan_ok');
    END IF;

    PERFORM set_config('app.canonical_writer', 'fn_iu_enact', true);
    UPDATE public.unit_version v
    SET lifecycle_status = target_lifecycle, enacted_at = now(), updated_by = actor, updated_at = now(),
        review_decision_ref = fn_iu_enact.review_decision_id
    WHERE v.id = unit.version_anchor_ref;
    UPDATE public.information_unit u
    SET lifecycle_status = target_lifecycle, enacted_at = now(), updated_by = actor, updated_at = now(),
        revision = revision + 1
    WHERE u.id = unit.id;
    PERFORM set_config('app.canonical_writer', '', true);
    INSERT INTO public.iu_lifecycle_log (
        unit_id, canonical_address, transition, from_status, to_status, review_decision_id, change_set_id,
        reason, performed_by, tool_revision)
    VALUES (
        unit.id, canonical_address, unit.lifecycle_status || '->' || target_lifecycle, unit.lifecycle_status,
        target_lifecycle, review_decision_id, change_set_id, reason, actor, tool_revision);

    RETURN answer || jsonb_build_object('status', 'enacted', 'unit_id', unit.id);
END $$;

COMMIT;
