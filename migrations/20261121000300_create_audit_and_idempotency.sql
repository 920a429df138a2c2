-- What was done, by whom, to what: never the content. Rows are added and never change.
CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- NULL for what happens outside any tenant, such as a refused sign-in.
    tenant_id uuid REFERENCES tenants (id),
    at timestamptz NOT NULL,
    actor_id uuid,
    action text NOT NULL,
    resource text NOT NULL,
    resource_id uuid,
    request_id uuid
);
CREATE INDEX audit_log_by_tenant ON audit_log (tenant_id, id);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_log_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The answer of a POST, kept for a day so that the same key gets the same answer.
CREATE TABLE idempotency_keys (
    -- The nil UUID for routes that are used before signing in.
    tenant_id uuid NOT NULL,
    principal_id uuid NOT NULL,
    key text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    -- HMAC of method, path and body: tells the same request from another without keeping it.
    fingerprint bytea NOT NULL,
    status smallint,
    location text,
    -- AES-256-GCM: answers hold personal data and tokens.
    sealed_body bytea,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, principal_id, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_log FORCE ROW LEVEL SECURITY;
ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY system_all ON audit_log TO permanence_system USING (true);
CREATE POLICY tenant_rows ON audit_log TO permanence_tenant USING (tenant_id = current_tenant());
CREATE POLICY system_all ON idempotency_keys TO permanence_system USING (true);
CREATE POLICY tenant_rows ON idempotency_keys TO permanence_tenant USING (tenant_id = current_tenant());
GRANT SELECT, INSERT ON audit_log TO permanence_tenant, permanence_system;
GRANT SELECT, INSERT, UPDATE ON idempotency_keys TO permanence_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO permanence_system;
