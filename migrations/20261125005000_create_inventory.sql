-- What a practice keeps in stock. What there is of an item is the sum of its movements and is kept nowhere else, so it
-- cannot drift from them (docs/decisions/0021).
CREATE TABLE inventory_items (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    -- The supplier's or the practice's own; what an import finds an item by.
    reference text CHECK (length(reference) BETWEEN 1 AND 100),
    unit text NOT NULL CHECK (length(unit) BETWEEN 1 AND 20),
    supplier text,
    location text,
    -- Of one unit before tax, euro cents.
    price_cents bigint CHECK (price_cents >= 0),
    -- Thousandths of the unit, like every quantity here. Below the threshold there is too little; an alert ends once
    -- there is more than threshold and margin.
    threshold bigint NOT NULL CHECK (threshold >= 0),
    margin bigint NOT NULL CHECK (margin >= 0),
    -- What is searched, folded.
    search text NOT NULL GENERATED ALWAYS AS
        (fold(name || ' ' || COALESCE(reference, '') || ' ' || COALESCE(supplier, '') || ' ' || COALESCE(location, '')))
        STORED,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX inventory_items_reference ON inventory_items (tenant_id, lower(reference)) WHERE deleted_at IS NULL;
CREATE INDEX inventory_items_by_name ON inventory_items (tenant_id, fold(name), id) WHERE deleted_at IS NULL;

CREATE TABLE inventory_lots (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    item_id uuid NOT NULL,
    number text NOT NULL CHECK (length(number) BETWEEN 1 AND 100),
    -- The last day on which it may be used.
    expires_on date,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, item_id) REFERENCES inventory_items (tenant_id, id),
    -- Also what keeps a movement from naming the lot of another item.
    UNIQUE (tenant_id, item_id, id)
);
CREATE UNIQUE INDEX inventory_lots_number ON inventory_lots (tenant_id, item_id, number);

CREATE TABLE inventory_movements (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    item_id uuid NOT NULL,
    -- NULL for what lies in no lot.
    lot_id uuid,
    kind text NOT NULL CHECK (kind IN ('receipt', 'use', 'loss', 'correction')),
    -- Signed: what came is positive, what went is negative. A stock-take that found no difference is kept, too.
    quantity bigint NOT NULL,
    reason text CHECK (length(reason) BETWEEN 1 AND 200),
    appointment_id uuid,
    created_at timestamptz NOT NULL,
    created_by uuid,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, item_id) REFERENCES inventory_items (tenant_id, id),
    FOREIGN KEY (tenant_id, item_id, lot_id) REFERENCES inventory_lots (tenant_id, item_id, id),
    FOREIGN KEY (tenant_id, appointment_id) REFERENCES appointments (tenant_id, id),
    CHECK (CASE kind WHEN 'receipt' THEN quantity > 0 WHEN 'correction' THEN true ELSE quantity < 0 END)
);
-- Holds all that a sum needs, so that the table itself is not read.
CREATE INDEX inventory_movements_by_item ON inventory_movements (tenant_id, item_id, lot_id) INCLUDE (quantity);
CREATE INDEX inventory_movements_by_time ON inventory_movements (tenant_id, item_id, created_at DESC, id DESC);
CREATE TRIGGER inventory_movements_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON inventory_movements
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['inventory_items', 'inventory_lots', 'inventory_movements'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant_rows ON %I TO permanence_tenant USING (tenant_id = current_tenant())', t);
        EXECUTE format('CREATE POLICY system_all ON %I TO permanence_system USING (true)', t);
        EXECUTE format('GRANT SELECT ON %I TO permanence_system', t);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO permanence_tenant', t);
    END LOOP;
END
$$;
GRANT UPDATE ON inventory_items TO permanence_tenant;

-- What there is of each item in each lot, and in none; read with the caller's own rights.
CREATE VIEW inventory_levels WITH (security_invoker = true) AS
SELECT m.tenant_id, m.item_id, m.lot_id, l.number, l.expires_on, m.quantity
FROM (SELECT tenant_id, item_id, lot_id, sum(quantity)::bigint AS quantity
      FROM inventory_movements GROUP BY tenant_id, item_id, lot_id) m
LEFT JOIN inventory_lots l ON l.tenant_id = m.tenant_id AND l.item_id = m.item_id AND l.id = m.lot_id;

-- The one rule of how an item stands, the worst first: what a page shows and what a watch looks for.
CREATE FUNCTION inventory_badge(quantity bigint, threshold bigint, soonest date, today date, notice integer) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN quantity <= 0 THEN 'out'
                WHEN soonest < today THEN 'expired'
                WHEN quantity < threshold THEN 'low'
                WHEN soonest <= today + notice THEN 'expiring'
                ELSE 'ok' END;

-- Whether a folded text holds each word of what is searched; nothing searched is in every text.
CREATE FUNCTION holds_words(folded text, words text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN NOT EXISTS (SELECT 1 FROM regexp_split_to_table(fold(words), '\s+') AS word WHERE strpos(folded, word) = 0);

-- Each item that is not deleted, with what there is of it and the soonest day on which a lot in stock expires.
CREATE VIEW inventory_stock WITH (security_invoker = true) AS
SELECT i.tenant_id, i.id, i.name, i.reference, i.unit, i.supplier, i.location, i.price_cents, i.threshold, i.margin,
       i.search, i.version, i.created_at, i.updated_at, COALESCE(s.quantity, 0)::bigint AS quantity, s.soonest,
       s.item_id IS NOT NULL AS moved
FROM inventory_items i
LEFT JOIN (SELECT tenant_id, item_id, sum(quantity)::bigint AS quantity,
                  min(expires_on) FILTER (WHERE quantity > 0) AS soonest
           FROM inventory_levels GROUP BY tenant_id, item_id) s ON s.tenant_id = i.tenant_id AND s.item_id = i.id
WHERE i.deleted_at IS NULL;

GRANT SELECT ON inventory_levels, inventory_stock TO permanence_tenant;
GRANT EXECUTE ON FUNCTION inventory_badge(bigint, bigint, date, date, integer), holds_words(text, text)
    TO permanence_tenant;
