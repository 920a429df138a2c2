-- Who wrote a record or treated somebody belongs to the record and is kept as long (CSP R1112-7): of a colleague whose account is
-- erased it is sealed beside what is kept of patients, in the practice where it was written.
ALTER TABLE retained ALTER COLUMN erasure_id DROP NOT NULL;
ALTER TABLE retained ADD COLUMN account_erasure_id uuid REFERENCES account_erasures (id);
ALTER TABLE retained DROP CONSTRAINT retained_what_check;
ALTER TABLE retained ADD CHECK (what IN ('identity', 'invoice', 'payment', 'author'));
ALTER TABLE retained ADD CHECK (num_nonnulls(erasure_id, account_erasure_id) = 1);
ALTER TABLE retained ADD CHECK ((what = 'author') = (account_erasure_id IS NOT NULL));
CREATE INDEX retained_authors ON retained (tenant_id, id) WHERE account_erasure_id IS NOT NULL;

-- It always told the same moment as completed_at.
ALTER TABLE patient_erasures DROP COLUMN verified_at;
