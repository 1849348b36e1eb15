-- The triggers that keep writers honest: the gateway, the two birth gates, and the immutability of enacted rows.
-- Known limits, as in production: the gateway believes a setting that any session can make, and no row trigger sees TRUNCATE.

BEGIN;
SET LOCAL ROLE directus;

-- Refuses a write that does not come from a canonical writer. A missing configuration row refuses too.
CREATE FUNCTION public.fn_iu_gateway_write_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    marker text := coalesce(current_setting('app.canonical_writer', true), '');
    mode text := (SELECT value FROM public.dot_config WHERE key = 'iu_create.gateway.mode');
    allowed text := (SELECT value FROM public.dot_config WHERE key = 'iu_create.gateway.allowed_marker_values');
BEGIN
    IF mode = 'off' OR marker = ANY (string_to_array(allowed, ',')) THEN
        RETURN NEW;
    ELSIF mode = 'warn' THEN
        RAISE WARNING 'iu gateway: direct % on %.%', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME;
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'iu gateway: direct % on %.% refused', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING HINT = 'write through fn_iu_create, fn_iu_apply_edit_draft or fn_iu_enact';
END $$;

CREATE TRIGGER trg_aa_iu_gateway_write_guard BEFORE INSERT OR UPDATE ON public.information_unit
    FOR EACH ROW EXECUTE FUNCTION public.fn_iu_gateway_write_guard();
CREATE TRIGGER trg_aa_uv_gateway_write_guard BEFORE INSERT OR UPDATE ON public.unit_version
    FOR EACH ROW EXECUTE FUNCTION public.fn_iu_gateway_write_guard();

-- L1, at once: the address is well formed and the profile belongs to it.
CREATE FUNCTION public.fn_iu_birth_gate_l1() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.canonical_address !~ '^[A-Z][A-Z0-9-]*(/[A-Z0-9_-]+)+$' THEN
        RAISE EXCEPTION 'birth gate L1: malformed canonical address %', NEW.canonical_address;
    ELSIF NEW.identity_profile ->> 'docprefix' IS DISTINCT FROM split_part(NEW.canonical_address, '/', 1) THEN
        RAISE EXCEPTION 'birth gate L1: profile of % names another docprefix', NEW.canonical_address;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER trg_ab_iu_birth_gate_l1 BEFORE INSERT ON public.information_unit
    FOR EACH ROW EXECUTE FUNCTION public.fn_iu_birth_gate_l1();

-- L2, at commit: a unit that is still there has its birth row and an anchor to a version of its own.
-- It runs as the role that commits (before PostgreSQL 18), which therefore needs SELECT on the three tables.
CREATE FUNCTION public.fn_iu_birth_gate_l2() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM public.information_unit u
        WHERE u.id = NEW.id AND NOT (
            EXISTS (SELECT FROM public.birth_registry b
                    WHERE b.subject_table = 'information_unit' AND b.subject_id = u.id::text)
            AND EXISTS (SELECT FROM public.unit_version v
                        WHERE v.id = u.version_anchor_ref AND v.unit_id = u.id))
    ) THEN
        RAISE EXCEPTION 'birth gate L2: % was born without a birth row or a version', NEW.canonical_address;
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER trg_iu_birth_gate_l2 AFTER INSERT ON public.information_unit
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.fn_iu_birth_gate_l2();

CREATE FUNCTION public.fn_enacted_immutable() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF OLD.lifecycle_status <> 'draft' THEN
        RAISE EXCEPTION '% of %.% % refused: it is %', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME, OLD.id, OLD.lifecycle_status;
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;

CREATE TRIGGER trg_iu_enacted_immut BEFORE UPDATE OR DELETE ON public.information_unit
    FOR EACH ROW EXECUTE FUNCTION public.fn_enacted_immutable();
CREATE TRIGGER trg_uv_enacted_immut BEFORE UPDATE OR DELETE ON public.unit_version
    FOR EACH ROW EXECUTE FUNCTION public.fn_enacted_immutable();

COMMIT;
