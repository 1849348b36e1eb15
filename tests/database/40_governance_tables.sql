-- The tables of schema `cutter_governance`: what was proposed, decided, cut, signed and verified, and the source registries.
-- `review_decision` has no CHECK, default or trigger, as in production: its vocabulary is free text, its rows prove nothing alone.

BEGIN;
CREATE SCHEMA cutter_governance AUTHORIZATION workflow_admin;
SET LOCAL ROLE workflow_admin;
SET LOCAL search_path = cutter_governance;

CREATE TABLE source_document_registry (
    source_document_id text PRIMARY KEY,
    docprefix text NOT NULL UNIQUE,
    title text NOT NULL,
    authority_class text NOT NULL,
    status text NOT NULL,
    registered_by text NOT NULL,
    registered_at timestamptz NOT NULL
);

CREATE TABLE source_document_version_registry (
    source_version_id uuid PRIMARY KEY,
    source_document_id text NOT NULL REFERENCES source_document_registry,
    version_label text NOT NULL,
    snapshot_ref text NOT NULL,
    snapshot_sha256 text NOT NULL,
    byte_length bigint NOT NULL,
    unit_count integer NOT NULL,
    captured_by text NOT NULL,
    captured_at timestamptz NOT NULL,
    UNIQUE (source_document_id, version_label)
);

CREATE TABLE manifest_envelope (
    envelope_id uuid PRIMARY KEY,
    manifest_version text NOT NULL,
    docprefix text NOT NULL,
    source_document_id text,
    source_version_id uuid,
    manifest_digest text NOT NULL,
    unit_count integer NOT NULL,
    status text NOT NULL,
    parser_revision text NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE manifest_unit_block (
    envelope_id uuid REFERENCES manifest_envelope,
    unit_local_id text,
    ordinal integer NOT NULL,
    canonical_address text NOT NULL,
    unit_kind text NOT NULL,
    section_type text,
    title text NOT NULL,
    content_hash text NOT NULL,
    parent_local_id text,
    source_offset bigint,
    source_length bigint,
    status text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (envelope_id, unit_local_id)
);

CREATE TABLE review_decision (
    review_decision_id uuid PRIMARY KEY,
    governance_event_kind text NOT NULL,
    manifest_id uuid NOT NULL REFERENCES manifest_envelope,
    manifest_version text NOT NULL,
    manifest_unit_local_id text,
    review_scope text NOT NULL,
    status text NOT NULL,
    verdict text NOT NULL,
    findings jsonb NOT NULL,
    reviewer_class text NOT NULL,
    reviewer_identity jsonb NOT NULL,
    risk_class_assessment text NOT NULL,
    decision_at timestamptz NOT NULL,
    decided_by text NOT NULL,
    cross_signed_by_dot_verifier boolean NOT NULL,
    prior_review_decision_id uuid REFERENCES review_decision,
    superseded_by_review_decision_id uuid REFERENCES review_decision,
    supersede_reason text,
    cut_change_set_ref uuid,
    escalation_ref text,
    review_notes text,
    tool_revision text,
    version integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    FOREIGN KEY (manifest_id, manifest_unit_local_id) REFERENCES manifest_unit_block
);

CREATE TABLE cut_change_set (
    change_set_id uuid PRIMARY KEY,
    rollback_key text NOT NULL UNIQUE,
    idempotency_key text NOT NULL UNIQUE,
    manifest_id uuid NOT NULL REFERENCES manifest_envelope,
    manifest_version text NOT NULL,
    review_decision_id uuid NOT NULL REFERENCES review_decision,
    executor_signature_id uuid,
    state text NOT NULL,
    risk_class text NOT NULL,
    affected_unit_count integer NOT NULL,
    emitted_by text NOT NULL,
    scenario_ref text,
    executor_tool_revision text NOT NULL,
    planner_tool_revision text NOT NULL,
    source_version_id uuid,
    writer_digest text NOT NULL,
    manifest_digest text NOT NULL,
    snapshot_artifact_ref text,
    backup_ref text,
    opened_at timestamptz NOT NULL,
    committed_at timestamptz,
    closed_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE cut_change_set_affected_row (
    affected_row_id uuid PRIMARY KEY,
    change_set_id uuid NOT NULL REFERENCES cut_change_set,
    target_schema text NOT NULL,
    target_table text NOT NULL,
    target_row_id text NOT NULL,
    operation_kind text NOT NULL,
    ordinal integer NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE verify_result (
    verify_result_id uuid PRIMARY KEY,
    change_set_id uuid NOT NULL REFERENCES cut_change_set,
    manifest_id uuid NOT NULL REFERENCES manifest_envelope,
    manifest_version text NOT NULL,
    review_decision_id uuid NOT NULL REFERENCES review_decision,
    executor_signature_id uuid,
    verifier_signature_id uuid,
    executor_tool_revision text NOT NULL,
    verifier_tool_revision text NOT NULL,
    tool_revision_match boolean NOT NULL,
    verify_kind text NOT NULL,
    axis_1_status text NOT NULL,
    axis_1_findings jsonb NOT NULL,
    axis_2_status text NOT NULL,
    axis_2_findings jsonb NOT NULL,
    verdict text NOT NULL,
    state text NOT NULL,
    canonicalization_rule_used text NOT NULL,
    expected_unit_count integer NOT NULL,
    observed_unit_count integer NOT NULL,
    coverage numeric(5, 4) NOT NULL,
    verified_by text NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE dot_pair_signature (
    signature_id uuid PRIMARY KEY,
    signer_lane text NOT NULL,
    signer_role text NOT NULL,
    signer_identity jsonb NOT NULL,
    signature_kind text NOT NULL,
    algorithm text NOT NULL,
    key_reference text,
    payload_digest text NOT NULL,
    signature_value text NOT NULL,
    cross_reference_change_set_id uuid REFERENCES cut_change_set,
    cross_reference_verify_result_id uuid REFERENCES verify_result,
    paired_signature_id uuid REFERENCES dot_pair_signature,
    tool_revision text NOT NULL,
    state text NOT NULL,
    signed_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    CHECK (num_nonnulls(cross_reference_change_set_id, cross_reference_verify_result_id) = 1)
);
ALTER TABLE cut_change_set ADD FOREIGN KEY (executor_signature_id)
    REFERENCES dot_pair_signature DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE verify_result ADD FOREIGN KEY (executor_signature_id)
    REFERENCES dot_pair_signature DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE verify_result ADD FOREIGN KEY (verifier_signature_id)
    REFERENCES dot_pair_signature DEFERRABLE INITIALLY DEFERRED;

CREATE TABLE canonical_address_alias (
    alias_id uuid PRIMARY KEY,
    alias_address text NOT NULL UNIQUE,
    canonical_address text NOT NULL,
    unit_id uuid NOT NULL,
    reason text NOT NULL,
    state text NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    retired_at timestamptz
);

CREATE TABLE decision_backlog_entry (
    entry_id uuid PRIMARY KEY,
    change_set_id uuid REFERENCES cut_change_set,
    subject text NOT NULL,
    status text NOT NULL,
    opened_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE decision_backlog_history (
    history_id uuid PRIMARY KEY,
    entry_id uuid NOT NULL REFERENCES decision_backlog_entry,
    from_status text,
    to_status text NOT NULL,
    reason text NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    tool_revision text,
    created_at timestamptz NOT NULL
);

CREATE TABLE decision_backlog_dependency (
    dependency_id uuid PRIMARY KEY,
    entry_id uuid NOT NULL REFERENCES decision_backlog_entry,
    depends_on_entry_id uuid NOT NULL REFERENCES decision_backlog_entry,
    kind text NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE decision_backlog_sweep_log (
    sweep_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    swept_by text NOT NULL,
    window_hours integer NOT NULL,
    entries_seen integer NOT NULL,
    entries_closed integer NOT NULL,
    entries_overdue integer NOT NULL,
    outcome text NOT NULL,
    tool_revision text NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL
);

COMMIT;
