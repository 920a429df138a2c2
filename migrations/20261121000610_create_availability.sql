-- When a practitioner sees patients: what comes back every week, and what differs from it. One table, because both are
-- read together for each booking and are one resource to the caller; `kind` tells which columns have a value.
CREATE TABLE availability_entries (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    practitioner_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('weekly', 'open', 'closed')),
    -- ISO: 1 is Monday.
    weekday smallint CHECK (weekday BETWEEN 1 AND 7),
    -- Minutes of the practice's clocks since midnight; 1440 is the end of the day, which `time` would not give back.
    from_minute smallint CHECK (from_minute BETWEEN 0 AND 1440),
    to_minute smallint CHECK (to_minute <= 1440),
    every_weeks smallint CHECK (every_weeks BETWEEN 1 AND 4),
    valid_from date,
    valid_until date,
    room_id uuid,
    slot_minutes smallint CHECK (slot_minutes BETWEEN 5 AND 240),
    starts_at timestamptz,
    ends_at timestamptz,
    reason text CHECK (length(reason) BETWEEN 1 AND 100),
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, practitioner_id) REFERENCES practitioners (tenant_id, id),
    FOREIGN KEY (tenant_id, room_id) REFERENCES rooms (tenant_id, id),
    CHECK (from_minute < to_minute),
    CHECK (starts_at < ends_at),
    CHECK (valid_from <= valid_until),
    -- The weeks are counted from the one in which the rule begins.
    CHECK (every_weeks = 1 OR valid_from IS NOT NULL),
    CONSTRAINT availability_entries_shape CHECK (CASE kind
        WHEN 'weekly' THEN num_nulls(weekday, from_minute, to_minute, every_weeks) = 0
                           AND num_nonnulls(starts_at, ends_at, reason) = 0
        ELSE num_nonnulls(weekday, from_minute, to_minute, every_weeks, valid_from, valid_until, room_id,
                          slot_minutes) = 0
             AND num_nulls(starts_at, ends_at) = 0
    END)
);
CREATE INDEX availability_entries_by_practitioner ON availability_entries (tenant_id, practitioner_id, ends_at);

ALTER TABLE availability_entries ENABLE ROW LEVEL SECURITY;
ALTER TABLE availability_entries FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON availability_entries TO permanence_tenant USING (tenant_id = current_tenant());
CREATE POLICY system_all ON availability_entries TO permanence_system USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON availability_entries TO permanence_tenant;
GRANT SELECT ON availability_entries TO permanence_system;

-- Counts the changes of a practitioner's availability. On the practitioner, whose row a booking locks: a change and a
-- booking take turns.
ALTER TABLE practitioners ADD COLUMN availability_version integer NOT NULL DEFAULT 1;
