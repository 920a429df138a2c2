-- Practices that move in with the data that their browsers kept: what was asked for, what became of it, and which old
-- record became which row. The dump and the backup lie in the object store.
CREATE TABLE data_migrations (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    -- pending → running → completed | failed; completed → rolled_back
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'running', 'completed', 'failed', 'rolled_back')),
    dry_run boolean NOT NULL,
    -- Which practitioner an old identifier means.
    practitioners jsonb NOT NULL,
    dump_object text NOT NULL,
    bytes bigint NOT NULL,
    -- What the practice held before; named before it is written, so that nothing is left that no row knows.
    backup_object text NOT NULL,
    backed_up_at timestamptz,
    -- Counts the runs of the job: one that was overtaken may neither stage nor apply.
    run integer NOT NULL DEFAULT 0,
    job_id bigint NOT NULL,
    -- What was found and made of it, by table.
    tables jsonb NOT NULL DEFAULT '[]',
    fault_count bigint,
    -- The first ones.
    faults jsonb NOT NULL DEFAULT '[]',
    failure text,
    created_at timestamptz NOT NULL,
    created_by uuid,
    finished_at timestamptz,
    rolled_back_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    CHECK ((status IN ('pending', 'running')) = (finished_at IS NULL)),
    CHECK ((status = 'rolled_back') = (rolled_back_at IS NOT NULL)),
    CHECK ((status = 'failed') = (failure IS NOT NULL))
);
CREATE INDEX data_migrations_by_age ON data_migrations (tenant_id, created_at DESC, id);

-- Outlives the migration, so that a record that comes again is known.
CREATE TABLE migration_ids (
    tenant_id uuid NOT NULL,
    collection text NOT NULL CHECK (collection IN ('patients', 'appointments', 'availability')),
    old_id text NOT NULL CHECK (length(old_id) BETWEEN 1 AND 100),
    new_id uuid NOT NULL,
    migration_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, collection, old_id),
    FOREIGN KEY (tenant_id, migration_id) REFERENCES data_migrations (tenant_id, id)
);
CREATE UNIQUE INDEX migration_ids_by_new ON migration_ids (tenant_id, new_id);
CREATE INDEX migration_ids_by_migration ON migration_ids (tenant_id, migration_id, collection);

-- The records of a dump while it is being moved in; made anew by each run, worth nothing after it. Never what is medical.
CREATE UNLOGGED TABLE migration_records (
    tenant_id uuid NOT NULL,
    migration_id uuid NOT NULL,
    run integer NOT NULL,
    collection text NOT NULL,
    -- Its index in the dump, from 0.
    place bigint NOT NULL,
    old_id text NOT NULL,
    content jsonb NOT NULL,
    -- Of an appointment: whose, with whom, when, and whether it stands.
    patient text,
    practitioner_id uuid,
    starts_at timestamptz,
    ends_at timestamptz,
    stands boolean,
    PRIMARY KEY (tenant_id, migration_id, run, collection, place)
);

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['data_migrations', 'migration_ids', 'migration_records'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant_rows ON %I TO permanence_tenant USING (tenant_id = current_tenant())', t);
        EXECUTE format('CREATE POLICY system_all ON %I TO permanence_system USING (true)', t);
        EXECUTE format('GRANT SELECT ON %I TO permanence_system', t);
    END LOOP;
END
$$;
GRANT SELECT, INSERT, UPDATE ON data_migrations TO permanence_tenant;
GRANT SELECT, INSERT, DELETE ON migration_ids, migration_records TO permanence_tenant;

-- Taking a migration back removes what it brought. Nothing else of these tables can be deleted, whatever the code says.
GRANT DELETE ON patients, patient_consents, appointments, messages, message_events TO permanence_tenant;
CREATE POLICY only_moved_in ON patients AS RESTRICTIVE FOR DELETE TO permanence_tenant
    USING (EXISTS (SELECT FROM migration_ids m WHERE m.tenant_id = patients.tenant_id AND m.new_id = patients.id));
CREATE POLICY only_moved_in ON patient_consents AS RESTRICTIVE FOR DELETE TO permanence_tenant
    USING (EXISTS (SELECT FROM migration_ids m
                   WHERE m.tenant_id = patient_consents.tenant_id AND m.new_id = patient_consents.patient_id));
CREATE POLICY only_moved_in ON appointments AS RESTRICTIVE FOR DELETE TO permanence_tenant
    USING (EXISTS (SELECT FROM migration_ids m WHERE m.tenant_id = appointments.tenant_id AND m.new_id = appointments.id));
CREATE POLICY only_moved_in ON messages AS RESTRICTIVE FOR DELETE TO permanence_tenant
    USING (EXISTS (SELECT FROM migration_ids m
                   WHERE m.tenant_id = messages.tenant_id AND m.new_id = messages.appointment_id));
CREATE POLICY only_moved_in ON message_events AS RESTRICTIVE FOR DELETE TO permanence_tenant
    USING (EXISTS (SELECT FROM messages s JOIN migration_ids m ON m.tenant_id = s.tenant_id AND m.new_id = s.appointment_id
                   WHERE s.tenant_id = message_events.tenant_id AND s.id = message_events.message_id));
