-- An audit trail that proves itself: each entry has a class, which says how long it is kept; entries are sealed in batches
-- into a chain of hashes for each tenant and class, and the heads of the chains are anchored in the object store. How the
-- hashes are made is in docs/AUDIT.md; what they are worth, and against whom, in docs/decisions/0027.

-- `record`, kept the longest, is what earlier entries get, and those of processes of the release before.
ALTER TABLE audit_log ADD COLUMN class text NOT NULL DEFAULT 'record'
    CHECK (class IN ('security', 'record', 'business'));
-- No content: words of ours, numbers and names of things. No name of a person, address or text fits in.
ALTER TABLE audit_log ADD CONSTRAINT audit_log_holds_no_content CHECK (
    action ~ '^[a-z_]{1,40}(\.[a-z_]{1,40}){0,2}$' AND resource ~ '^[a-z_]{1,40}$'
    AND (subject IS NULL OR subject ~ '^[A-Za-z0-9_.:-]{1,100}$')) NOT VALID;

-- An entry's number is drawn after its transaction has its id, never before. So whoever reads the sequence and then draws a
-- transaction id knows: every number up to the one read belongs to a transaction with a smaller id. See audit_fences.
ALTER TABLE audit_log ALTER COLUMN id DROP IDENTITY;
CREATE SEQUENCE audit_log_id_seq OWNED BY audit_log.id;
SELECT setval('audit_log_id_seq', (SELECT max(id) FROM audit_log));
ALTER TABLE audit_log ALTER COLUMN id
    SET DEFAULT CASE WHEN pg_current_xact_id() IS NOT NULL THEN nextval('audit_log_id_seq') END;
GRANT USAGE ON SEQUENCE audit_log_id_seq TO permanence_tenant, permanence_system;
GRANT SELECT ON SEQUENCE audit_log_id_seq TO permanence_system;
-- Nobody chooses a number: one below the sealed would stand where it never was.
REVOKE INSERT ON audit_log FROM permanence_tenant, permanence_system;
GRANT INSERT (tenant_id, at, actor_id, actor_patient_id, class, action, resource, resource_id, subject, request_id)
    ON audit_log TO permanence_tenant, permanence_system;

-- How far the trail is sealed: every entry up to this number. Its row is locked by whoever seals, and by nobody else.
CREATE TABLE audit_sealing (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    sealed_to bigint NOT NULL DEFAULT 0 CHECK (sealed_to >= 0)
);
INSERT INTO audit_sealing DEFAULT VALUES;

-- Numbers up to `up_to` were drawn by transactions with ids below `xact`: once all of those have ended, none of these entries
-- is still to appear. Kept for minutes.
CREATE TABLE audit_fences (
    xact xid8 PRIMARY KEY,
    up_to bigint NOT NULL
);

-- The head of each chain. The nil UUID stands for the platform: what happens outside any tenant. No reference to tenants,
-- because a seal outlives what it is about.
CREATE TABLE audit_chains (
    tenant_id uuid NOT NULL,
    class text NOT NULL,
    number bigint NOT NULL CHECK (number > 0),
    last_id bigint NOT NULL,
    hash bytea NOT NULL CHECK (length(hash) = 32),
    -- The last seal that an anchor in the object store holds.
    anchored bigint NOT NULL DEFAULT 0 CHECK (anchored BETWEEN 0 AND number),
    -- The last seal whose entries retention has removed.
    removed bigint NOT NULL DEFAULT 0 CHECK (removed BETWEEN 0 AND number),
    PRIMARY KEY (tenant_id, class)
);
CREATE INDEX audit_chains_to_anchor ON audit_chains (tenant_id, class) WHERE anchored < number;

-- A batch of a chain's entries: those after the seal before, up to `last_id`.
CREATE TABLE audit_seals (
    tenant_id uuid NOT NULL,
    class text NOT NULL,
    number bigint NOT NULL CHECK (number > 0),
    previous bytea NOT NULL CHECK (length(previous) = 32),
    first_id bigint NOT NULL,
    last_id bigint NOT NULL CHECK (last_id >= first_id),
    entries bigint NOT NULL CHECK (entries > 0),
    from_at timestamptz NOT NULL,
    until_at timestamptz NOT NULL,
    sealed_at timestamptz NOT NULL,
    root bytea NOT NULL CHECK (length(root) = 32),
    -- The number of each entry and the first 8 bytes of its hash: tells which entry was changed, not only that one was.
    leaves bytea NOT NULL CHECK (length(leaves) = entries * 16),
    hash bytea NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (tenant_id, class, number)
);
CREATE INDEX audit_seals_in_order ON audit_seals (tenant_id, last_id, class, number);

-- The objects that hold heads of chains, in their order.
CREATE TABLE audit_anchors (
    number bigint PRIMARY KEY CHECK (number > 0),
    -- SHA-256 of the object's bytes.
    hash bytea NOT NULL CHECK (length(hash) = 32),
    heads bigint NOT NULL CHECK (heads > 0),
    anchored_at timestamptz NOT NULL
);

CREATE TRIGGER audit_seals_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_seals
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_anchors_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_anchors
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE audit_chains ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_chains FORCE ROW LEVEL SECURITY;
ALTER TABLE audit_seals ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_seals FORCE ROW LEVEL SECURITY;
CREATE POLICY system_all ON audit_chains TO permanence_system USING (true);
CREATE POLICY system_all ON audit_seals TO permanence_system USING (true);
GRANT SELECT, INSERT, UPDATE (number, last_id, hash, anchored) ON audit_chains TO permanence_system;
GRANT SELECT, INSERT ON audit_seals, audit_anchors TO permanence_system;
GRANT SELECT, UPDATE (sealed_to) ON audit_sealing TO permanence_system;
GRANT SELECT, INSERT, DELETE ON audit_fences TO permanence_system;
