-- What members are told within the application, each for themselves. The words are kept as they were said: they name
-- things, never patients.
CREATE TABLE notifications (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('stock_low', 'lot_expiring', 'stock_summary')),
    title text NOT NULL,
    body text NOT NULL,
    -- What it is about, if it is about one thing.
    resource text NOT NULL CHECK (resource IN ('inventory_item')),
    resource_id uuid,
    created_at timestamptz NOT NULL,
    read_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    -- Whoever is no member any more is told nothing.
    FOREIGN KEY (tenant_id, user_id) REFERENCES memberships (tenant_id, user_id) ON DELETE CASCADE
);
CREATE INDEX notifications_by_user ON notifications (tenant_id, user_id, created_at DESC, id DESC);
CREATE INDEX notifications_unread ON notifications (tenant_id, user_id) WHERE read_at IS NULL;

ALTER TABLE notifications ENABLE ROW LEVEL SECURITY;
ALTER TABLE notifications FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON notifications TO permanence_tenant USING (tenant_id = current_tenant());
CREATE POLICY system_all ON notifications TO permanence_system USING (true);
GRANT SELECT, INSERT, DELETE ON notifications TO permanence_tenant;
GRANT UPDATE (read_at) ON notifications TO permanence_tenant;
GRANT SELECT ON notifications TO permanence_system;
