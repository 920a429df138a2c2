-- What a patient does by a link has no user: the trail names the patient instead, and a consent tells that the answer
-- came from the patient's own hand.
ALTER TABLE audit_log ADD COLUMN actor_patient_id uuid;
ALTER TABLE patient_consents ADD COLUMN by_patient boolean NOT NULL DEFAULT false;
