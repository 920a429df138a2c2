-- Whoever sees an appointment sees whether its patient came. What is new comes last: a view keeps its columns in their places.
CREATE OR REPLACE VIEW appointment_details WITH (security_invoker = true) AS
SELECT a.tenant_id, a.id, a.patient_id, p.first_name || ' ' || p.last_name AS patient_name, a.practitioner_id,
       c.first_name || ' ' || c.last_name AS practitioner_name, a.room_id, r.name AS room_name, a.starts_at, a.ends_at,
       a.starts_local, a.time_zone, a.status, a.version, a.created_at, a.updated_at, a.confirmed_at,
       a.reason, a.service_id, a.no_show_at
FROM appointments a
JOIN patients p ON p.tenant_id = a.tenant_id AND p.id = a.patient_id
JOIN practitioners c ON c.tenant_id = a.tenant_id AND c.id = a.practitioner_id
LEFT JOIN rooms r ON r.tenant_id = a.tenant_id AND r.id = a.room_id;
