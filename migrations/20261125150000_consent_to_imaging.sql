-- Pictures of patients: a purpose of its own, apart from reminders. Nobody has agreed before they were asked.
ALTER TABLE patients ADD COLUMN imaging_consent boolean NOT NULL DEFAULT false;
ALTER TABLE patient_consents DROP CONSTRAINT patient_consents_purpose_check;
ALTER TABLE patient_consents ADD CONSTRAINT patient_consents_purpose_check
    CHECK (purpose IN ('reminder_sms', 'reminder_email', 'imaging'));
