-- A practitioner's and a patient's appointments by time. What row-level security guards is searched by operators that leak nothing
-- alone, and the overlap of ranges is none of them: questions compare the begin, which these indexes order.
CREATE INDEX appointments_of_practitioner ON appointments (tenant_id, practitioner_id, starts_at);
CREATE INDEX appointments_of_patient ON appointments (tenant_id, patient_id, starts_at);
