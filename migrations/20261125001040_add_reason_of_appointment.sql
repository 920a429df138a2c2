-- Why the patient comes, in the practice's own words. Health data: seen by who sees the appointment, told in a message only
-- where the practice discloses it.
ALTER TABLE appointments ADD COLUMN reason text CHECK (length(reason) BETWEEN 1 AND 200);

CREATE OR REPLACE VIEW appointment_details WITH (security_invoker = true) AS
SELECT a.tenant_id, a.id, a.patient_id, p.first_name || ' ' || p.last_name AS patient_name, a.practitioner_id,
       c.first_name || ' ' || c.last_name AS practitioner_name, a.room_id, r.name AS room_name, a.starts_at, a.ends_at,
       a.starts_local, a.time_zone, a.status, a.version, a.created_at, a.updated_at, a.confirmed_at, a.reason
FROM appointments a
JOIN patients p ON p.tenant_id = a.tenant_id AND p.id = a.patient_id
JOIN practitioners c ON c.tenant_id = a.tenant_id AND c.id = a.practitioner_id
LEFT JOIN rooms r ON r.tenant_id = a.tenant_id AND r.id = a.room_id;
