-- The tables of schema `public`: information units, their versions, their life cycle, births, documents, configuration.
-- Run in database `directus`, as are all files from here on.

BEGIN;
SET LOCAL ROLE directus;

CREATE TABLE public.dot_config (
    key text PRIMARY KEY,
    value text NOT NULL,
    description text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE public.iu_lifecycle_vocab (
    code text PRIMARY KEY,
    name text NOT NULL,
    description text NOT NULL,
    sort_order integer NOT NULL UNIQUE
);

CREATE TABLE public.information_unit (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    canonical_address text NOT NULL UNIQUE,
    unit_kind text NOT NULL,
    section_type text,
    publication_type text,
    owner_ref text NOT NULL,
    identity_profile jsonb NOT NULL,
    parent_or_container_ref uuid REFERENCES public.information_unit (id),
    version_anchor_ref uuid,
    content_anchor_ref text,
    lifecycle_status text NOT NULL DEFAULT 'draft' REFERENCES public.iu_lifecycle_vocab (code),
    conformance_status text NOT NULL DEFAULT 'open',
    revision integer NOT NULL DEFAULT 1 CHECK (revision > 0),
    created_by text NOT NULL,
    updated_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    enacted_at timestamptz,
    deleted_at timestamptz,
    CHECK ((lifecycle_status = 'draft') = (enacted_at IS NULL))
);
CREATE INDEX information_unit_parent ON public.information_unit (parent_or_container_ref);

CREATE TABLE public.unit_version (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    unit_id uuid NOT NULL REFERENCES public.information_unit (id),
    version_seq integer NOT NULL CHECK (version_seq > 0),
    title text NOT NULL,
    body text NOT NULL,
    content_format text NOT NULL DEFAULT 'markdown',
    content_hash text NOT NULL,
    previous_version_ref uuid REFERENCES public.unit_version (id),
    lifecycle_status text NOT NULL DEFAULT 'draft' REFERENCES public.iu_lifecycle_vocab (code),
    review_decision_ref uuid,
    created_by text NOT NULL,
    updated_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    enacted_at timestamptz,
    deleted_at timestamptz,
    UNIQUE (unit_id, version_seq),
    CHECK ((lifecycle_status = 'draft') = (enacted_at IS NULL))
);

-- A unit and its first version name each other, so one of the two is checked at commit.
ALTER TABLE public.information_unit ADD CONSTRAINT information_unit_version_anchor
    FOREIGN KEY (version_anchor_ref) REFERENCES public.unit_version (id) DEFERRABLE INITIALLY DEFERRED;

CREATE TABLE public.iu_lifecycle_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    unit_id uuid NOT NULL REFERENCES public.information_unit (id),
    canonical_address text NOT NULL,
    transition text NOT NULL,
    from_status text NOT NULL REFERENCES public.iu_lifecycle_vocab (code),
    to_status text NOT NULL REFERENCES public.iu_lifecycle_vocab (code),
    review_decision_id uuid NOT NULL,
    change_set_id uuid,
    reason text,
    performed_by text NOT NULL,
    performed_at timestamptz NOT NULL DEFAULT now(),
    tool_revision text
);

CREATE TABLE public.birth_registry (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject_table text NOT NULL,
    subject_id text NOT NULL,
    subject_name text NOT NULL,
    born_by text NOT NULL,
    born_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (subject_table, subject_id)
);

CREATE TABLE public.knowledge_documents (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    title text NOT NULL,
    body text NOT NULL,
    metadata json NOT NULL,
    relevance numeric NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

COMMIT;
