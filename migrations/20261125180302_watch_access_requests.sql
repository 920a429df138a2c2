-- A request for what is known of a patient is to be answered within a month (GDPR art. 12 (3)). Which are open, whom the practice was
-- told of, and who was mailed.

-- Open: never fetched, with none of the same person that was asked for later and fetched, and with something left to tell.
CREATE VIEW open_access_requests WITH (security_invoker = true) AS
SELECT r.tenant_id, r.id, r.patient_id, r.due_on
FROM access_requests r
LEFT JOIN patients p ON p.tenant_id = r.tenant_id AND p.id = r.patient_id
WHERE r.fetched_at IS NULL AND p.erased_at IS NULL
  AND NOT EXISTS (SELECT FROM access_requests l
                  WHERE l.tenant_id = r.tenant_id AND (l.patient_id = r.patient_id OR l.user_id = r.user_id)
                    AND l.requested_at >= r.requested_at AND l.fetched_at IS NOT NULL);
GRANT SELECT ON open_access_requests TO permanence_tenant, permanence_system;
CREATE INDEX access_requests_unfetched ON access_requests (tenant_id, due_on) WHERE fetched_at IS NULL;

-- What the practice was told of: once a week before the last day, once more on the day before it.
CREATE TABLE access_alerts (
    tenant_id uuid NOT NULL,
    access_request_id uuid NOT NULL,
    days_left integer NOT NULL CHECK (days_left IN (7, 1)),
    -- What one look found: its digests tell of it together.
    watch_id uuid NOT NULL,
    opened_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, access_request_id, days_left),
    FOREIGN KEY (tenant_id, access_request_id) REFERENCES access_requests (tenant_id, id)
);
CREATE INDEX access_alerts_by_watch ON access_alerts (tenant_id, watch_id);

-- One mail for each recipient and look.
CREATE TABLE access_digests (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    watch_id uuid NOT NULL,
    user_id uuid NOT NULL,
    -- As those of the stock: pending → sending (intent committed) → sent | pending again | failed | uncertain; void.
    status text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'sending', 'sent', 'failed', 'uncertain', 'void')),
    failure_code text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES memberships (tenant_id, user_id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX access_digests_once ON access_digests (tenant_id, watch_id, user_id);

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['access_alerts', 'access_digests'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant_rows ON %I TO permanence_tenant USING (tenant_id = current_tenant())', t);
        EXECUTE format('CREATE POLICY system_all ON %I TO permanence_system USING (true)', t);
        EXECUTE format('GRANT SELECT ON %I TO permanence_system', t);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO permanence_tenant', t);
    END LOOP;
END
$$;
GRANT UPDATE (status, failure_code, updated_at) ON access_digests TO permanence_tenant;
CREATE POLICY own_rows ON access_digests FOR SELECT TO permanence_person USING (user_id = current_person());
GRANT SELECT ON access_digests TO permanence_person;

ALTER TABLE notifications DROP CONSTRAINT notifications_kind_check, DROP CONSTRAINT notifications_resource_check;
ALTER TABLE notifications
    ADD CONSTRAINT notifications_kind_check
        CHECK (kind IN ('stock_low', 'lot_expiring', 'stock_summary', 'access_request_due')),
    ADD CONSTRAINT notifications_resource_check CHECK (resource IN ('inventory_item', 'access_request'));
