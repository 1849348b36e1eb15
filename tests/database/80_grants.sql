-- Who may do what: the matrix of O9, the blind reader, and the least that an observer of evidence needs.
-- Kept on purpose, as in production: cutter_exec may insert a review_decision, cutter_verify a cut_change_set.

BEGIN;

REVOKE ALL ON DATABASE directus FROM PUBLIC;
GRANT CONNECT ON DATABASE directus TO cutter_exec, cutter_verify, context_pack_readonly, cutter_observe;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;

-- The owner of the canonical writers, which look up the decision they are given.
GRANT USAGE ON SCHEMA cutter_governance TO directus;
GRANT SELECT ON cutter_governance.review_decision TO directus;

GRANT USAGE ON SCHEMA public, cutter_governance TO cutter_exec, cutter_verify, cutter_observe;

-- The executor. It reads births because the deferred birth gate runs as the role that commits.
GRANT EXECUTE ON FUNCTION public.fn_iu_create, public.fn_iu_enact TO cutter_exec;
GRANT SELECT ON public.information_unit, public.unit_version, public.iu_lifecycle_log, public.birth_registry TO cutter_exec;
GRANT SELECT, INSERT ON
    cutter_governance.cut_change_set, cutter_governance.manifest_envelope, cutter_governance.manifest_unit_block,
    cutter_governance.review_decision, cutter_governance.dot_pair_signature, cutter_governance.decision_backlog_entry,
    cutter_governance.decision_backlog_history, cutter_governance.decision_backlog_dependency TO cutter_exec;
GRANT INSERT ON cutter_governance.cut_change_set_affected_row TO cutter_exec;
GRANT UPDATE (status) ON cutter_governance.decision_backlog_entry TO cutter_exec;
GRANT UPDATE (superseded_by_review_decision_id) ON cutter_governance.review_decision TO cutter_exec;

-- The verifier.
GRANT SELECT ON public.information_unit, public.unit_version, public.iu_lifecycle_log TO cutter_verify;
GRANT SELECT ON
    cutter_governance.manifest_envelope, cutter_governance.manifest_unit_block, cutter_governance.review_decision,
    cutter_governance.cut_change_set_affected_row TO cutter_verify;
GRANT SELECT, INSERT ON
    cutter_governance.verify_result, cutter_governance.dot_pair_signature, cutter_governance.cut_change_set TO cutter_verify;

-- The blind reader: no USAGE on cutter_governance.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO context_pack_readonly;

-- The observer.
GRANT SELECT ON ALL TABLES IN SCHEMA public, cutter_governance TO cutter_observe;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public, cutter_governance TO cutter_observe;
-- Sizes and times of the configuration files, not what is in them: ALTER SYSTEM shows before anybody loads it.
GRANT EXECUTE ON FUNCTION pg_catalog.pg_stat_file(text, boolean) TO cutter_observe;

COMMIT;
