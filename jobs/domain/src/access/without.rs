//! Tables that name a person and are not handed over, each with the reason. The test over the catalogue holds this list and the
//! sections to be all there is.

/// Tables that name a patient, an appointment, an invoice or a record, and are in no section of a patient.
pub const WITHOUT_PATIENT: &[(&str, &str)] = &[
    ("access_alerts", "that the practice was reminded of a request, which is told itself"),
    (
        "employee_patients",
        "which account stands behind the patient: the employer's side must not be told here",
    ),
    ("exports", "a practice's files; a person's own are told as access requests"),
    ("invoice_states", "how an invoice stands is told with it"),
    (
        "retained",
        "what the law keeps of somebody who was erased, opened only for whom the law lets ask for it",
    ),
    (
        "subject_keys",
        "the wrapped key of what is sealed: worth nothing to the person, and dangerous in another's hands",
    ),
];

/// Tables that name a user and are in no section of a user.
pub const WITHOUT_USER: &[(&str, &str)] = &[
    ("companies", "that they validated one is in the trail"),
    ("data_migrations", "that they moved a practice in is in the trail"),
    ("employee_patients", "which patient they are at a practice: that is the practice's to tell"),
    ("files", "a patient's or the practice's; that they handed one in is in the trail"),
    ("images", "a patient's; that they announced one is in the trail"),
    ("usage_cohort_members", "a crowd that nobody is told of, not even who is in it"),
    ("exports", "that they asked for one is in the trail"),
    ("idempotency_keys", "answers that they have had, sealed and forgotten after a day"),
    ("inventory_imports", "that they imported a file is in the trail; its lines are things"),
    ("inventory_movements", "that they noted what came or went is in the trail"),
    ("invoice_previews", "specimens with an invented buyer, gone after a day"),
    ("invoice_runs", "that they began one is in the trail"),
    ("invoice_templates", "words of the practice; that they chose them is in the trail"),
    ("medical_record_versions", "clinical notes are their patients'; that they wrote is in the trail"),
    ("medical_records", "clinical notes are their patients'; that they wrote is in the trail"),
    ("message_templates", "words of the practice; that they chose them is in the trail"),
    ("patient_consents", "a patient's; that they noted it is in the trail"),
    ("patient_erasures", "a patient's; that they asked for it is in the trail"),
    ("payments", "a patient's; that they noted it is in the trail"),
    ("practice_logos", "a picture of the practice; that they chose it is in the trail"),
    ("quote_answers", "a patient's; that they noted it is in the trail"),
    (
        "subject_keys",
        "the wrapped key of what is sealed: worth nothing to the person, and dangerous in another's hands",
    ),
];
