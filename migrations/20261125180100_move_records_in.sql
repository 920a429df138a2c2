-- Medical records move in as well: sealed under the patient's key like any other, with the date and the author that they had
-- before.
ALTER TABLE medical_record_versions
    -- Who wrote it where it came from, if the practice knows them.
    ADD COLUMN practitioner_id uuid,
    -- When it was moved in; `written_at` is when it was written there.
    ADD COLUMN imported_at timestamptz,
    ADD FOREIGN KEY (tenant_id, practitioner_id) REFERENCES practitioners (tenant_id, id),
    ADD CHECK (practitioner_id IS NULL OR imported_at IS NOT NULL);

ALTER TABLE migration_ids
    DROP CONSTRAINT migration_ids_collection_check,
    ADD CONSTRAINT migration_ids_collection_check
        CHECK (collection IN ('patients', 'appointments', 'medical_records', 'availability'));

-- What is medical waits here sealed, under a key that is in the memory of the run that reads it and nowhere else.
ALTER TABLE migration_records
    ADD COLUMN sealed bytea,
    ADD CHECK ((collection = 'medical_records') = (sealed IS NOT NULL));

-- A rollback removes them, and nothing else of these tables.
GRANT DELETE ON medical_records, medical_record_versions TO permanence_tenant;
CREATE POLICY only_moved_in ON medical_records AS RESTRICTIVE FOR DELETE TO permanence_tenant
    USING (EXISTS (SELECT FROM migration_ids m
                   WHERE m.tenant_id = medical_records.tenant_id AND m.new_id = medical_records.id));
CREATE POLICY only_moved_in ON medical_record_versions AS RESTRICTIVE FOR DELETE TO permanence_tenant
    USING (imported_at IS NOT NULL
           AND EXISTS (SELECT FROM migration_ids m
                       WHERE m.tenant_id = medical_record_versions.tenant_id
                         AND m.new_id = medical_record_versions.record_id));
