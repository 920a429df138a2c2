-- The picture that heads a practice's papers. A version is never changed, for papers that were issued with it are drawn from
-- it; the newest is in force, and taking it away is a version too.
CREATE TABLE practice_logos (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    version integer NOT NULL CHECK (version >= 1),
    -- Without an object: no logo any more.
    object_key text,
    created_at timestamptz NOT NULL,
    created_by uuid,
    PRIMARY KEY (tenant_id, version)
);
ALTER TABLE practice_logos ENABLE ROW LEVEL SECURITY;
ALTER TABLE practice_logos FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON practice_logos TO permanence_tenant USING (tenant_id = current_tenant());
CREATE POLICY system_all ON practice_logos TO permanence_system USING (true);
GRANT SELECT, INSERT ON practice_logos TO permanence_tenant;
GRANT SELECT ON practice_logos TO permanence_system;
