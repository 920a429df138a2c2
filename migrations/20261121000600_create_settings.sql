-- One document of settings for each practice: what its bookings and messages go by. A document, because settings come
-- one by one and are only ever read whole; the domain's type holds their rules, and what a document does not name has
-- the type's default. The zone stays on the tenant, so that there is one source of it.
CREATE TABLE settings (
    tenant_id uuid PRIMARY KEY REFERENCES tenants (id),
    document jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(document) = 'object' AND NOT document ? 'time_zone'),
    version integer NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL
);

-- The practices that are there already. Their rows are bound even from their owner, but not for this statement.
ALTER TABLE tenants NO FORCE ROW LEVEL SECURITY;
INSERT INTO settings (tenant_id, updated_at) SELECT id, created_at FROM tenants WHERE kind = 'practice';
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;

ALTER TABLE settings ENABLE ROW LEVEL SECURITY;
ALTER TABLE settings FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON settings TO permanence_tenant USING (tenant_id = current_tenant());
CREATE POLICY system_all ON settings TO permanence_system USING (true);
-- They come with the practice and are never taken away.
GRANT SELECT, UPDATE (document, version, updated_at) ON settings TO permanence_tenant;
GRANT SELECT, INSERT ON settings TO permanence_system;

-- A practice sets its own clocks, and nothing else of the tenant.
CREATE POLICY own_zone ON tenants FOR UPDATE TO permanence_tenant USING (id = current_tenant());
GRANT UPDATE (time_zone) ON tenants TO permanence_tenant;
