-- The seeded configuration: the life cycle vocabulary and the keys by which the guards and writers are steered.
-- Of the gateway keys production is known by `mode` and `allowed_marker_values`; the names of the other keys are ours.

BEGIN;
SET LOCAL ROLE directus;

INSERT INTO public.iu_lifecycle_vocab (code, name, description, sort_order) VALUES
    ('draft', 'Draft', 'Created, may change', 1),
    ('enacted', 'Enacted', 'In force, immutable', 2),
    ('superseded', 'Superseded', 'Replaced by a later unit', 3),
    ('retired', 'Retired', 'Out of force', 4);

INSERT INTO public.dot_config (key, value, description, updated_at)
SELECT key, value, description, '2026-05-18 08:00:00+00'
FROM (VALUES
    ('iu_create.gateway.mode', 'enforced', 'enforced, warn or off'),
    ('iu_create.gateway.allowed_marker_values', 'fn_iu_create,fn_iu_apply_edit_draft,fn_iu_enact', 'who may write'),
    ('iu_create.gateway.marker_setting', 'app.canonical_writer', 'the transaction-local marker'),
    ('iu_create.gateway.guard_function', 'fn_iu_gateway_write_guard', 'the guard of both tables'),
    ('iu_create.gateway.guarded_tables', 'information_unit,unit_version', 'what the guard covers'),
    ('iu_create.gateway.guarded_operations', 'INSERT,UPDATE', 'which operations the guard covers'),
    ('iu_create.gateway.fail_closed', 'true', 'a missing key refuses'),
    ('iu_create.gateway.enforced_since', '2026-05-02', 'when the mode became enforced'),
    ('iu_create.gateway.approved_by', 'GPT/User', 'who ruled on the mode'),
    ('iu_create.default_unit_kind', 'law_unit', 'unit kind where none is given'),
    ('iu_create.default_section_type', 'DIEU', 'section type where none is given'),
    ('iu_create.default_owner_ref', 'owner:incomex', 'owner where none is given'),
    ('iu_create.default_publication_type', 'internal', 'publication type where none is given'),
    ('iu_edit.policy.default_mode', 'require_review', 'what an edit needs'),
    ('iu_enact.mode', 'enforced', 'enforced or off'),
    ('iu_enact.allowed_transitions', 'draft->enacted', 'the finite state machine'),
    ('iu_enact.require_review_decision', 'true', 'no enactment without a decision'),
    ('iu_enact.require_actor', 'true', 'no enactment without an actor'),
    ('iu_enact.marker_value', 'fn_iu_enact', 'the marker of the enacting function'),
    ('iu_enact.log_table', 'iu_lifecycle_log', 'where a transition is logged'),
    ('iu_enact.dry_run_default', 'false', 'what a call without dry_run does'),
    ('iu_enact.irreversible', 'true', 'there is no way back')
) AS setting (key, value, description);

COMMIT;
