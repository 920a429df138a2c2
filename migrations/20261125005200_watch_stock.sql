-- What is watched in the stock, and who is told. A watch of a practice takes its row first, so that two never judge at
-- once by two pictures of the stock: an alert ended by one could be opened again by the other.
CREATE TABLE inventory_watches (
    tenant_id uuid PRIMARY KEY REFERENCES tenants (id),
    watched_at timestamptz NOT NULL
);

-- One row for each fall below the threshold, and one for each lot that expires soon.
CREATE TABLE inventory_alerts (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('stock_low', 'lot_expiring')),
    item_id uuid NOT NULL,
    lot_id uuid,
    -- How much there was when it was found, thousandths of the unit.
    quantity bigint NOT NULL,
    -- What one look found: its digests tell of it together.
    watch_id uuid NOT NULL,
    opened_at timestamptz NOT NULL,
    -- Above threshold and margin again, used up, or removed.
    cleared_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, item_id) REFERENCES inventory_items (tenant_id, id),
    FOREIGN KEY (tenant_id, item_id, lot_id) REFERENCES inventory_lots (tenant_id, item_id, id),
    CHECK ((kind = 'lot_expiring') = (lot_id IS NOT NULL))
);
-- Never two alerts for one fall, nor for one lot, whoever watches.
CREATE UNIQUE INDEX inventory_alerts_fall ON inventory_alerts (tenant_id, item_id)
    WHERE kind = 'stock_low' AND cleared_at IS NULL;
CREATE UNIQUE INDEX inventory_alerts_lot ON inventory_alerts (tenant_id, lot_id) WHERE kind = 'lot_expiring';
CREATE INDEX inventory_alerts_open ON inventory_alerts (tenant_id, item_id) WHERE cleared_at IS NULL;
CREATE INDEX inventory_alerts_by_watch ON inventory_alerts (tenant_id, watch_id);

-- Who wants to hear of it, where they chose; without a row the role decides.
CREATE TABLE inventory_subscriptions (
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    in_app boolean NOT NULL,
    email boolean NOT NULL,
    version integer NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES memberships (tenant_id, user_id) ON DELETE CASCADE
);

-- One mail for each recipient and look.
CREATE TABLE inventory_digests (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    watch_id uuid NOT NULL,
    user_id uuid NOT NULL,
    -- pending → sending (intent committed) → sent | pending again (certainly not taken) | failed | uncertain;
    -- void: there was nothing to tell any more, or nobody who wanted to hear it.
    status text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'sending', 'sent', 'failed', 'uncertain', 'void')),
    failure_code text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES memberships (tenant_id, user_id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX inventory_digests_once ON inventory_digests (tenant_id, watch_id, user_id);

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY
        ARRAY['inventory_watches', 'inventory_alerts', 'inventory_subscriptions', 'inventory_digests']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant_rows ON %I TO permanence_tenant USING (tenant_id = current_tenant())', t);
        EXECUTE format('CREATE POLICY system_all ON %I TO permanence_system USING (true)', t);
        EXECUTE format('GRANT SELECT ON %I TO permanence_system', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO permanence_tenant', t);
    END LOOP;
END
$$;
