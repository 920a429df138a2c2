//! What was agreed, what care wrote down, and what was used for it.

use serde_json::{Value, json};

use super::{PatientReading, PatientSection, only, rows};
use crate::{
    access::section::{
        Field,
        Holds::{Day, Flag, List, Moment, Text, Word},
        Section, Shape, Words, code, field, words,
    },
    error::Result,
    records,
};

pub(super) static APPOINTMENTS: PatientSection = Section {
    shape: Shape {
        name: "appointments",
        title: words("Vos rendez-vous", "Your appointments"),
        tables: &["appointments"],
        fields: &[
            field("starts_at", "Début", "Begin", Moment),
            field("ends_at", "Fin", "End", Moment),
            field("practitioner", "Avec", "With", Text),
            field("room", "Salle", "Room", Text),
            field("service", "Prestation", "Service", Text),
            field("reason", "Motif", "Reason", Text),
            field("status", "État", "Status", Word(STATUSES)),
            field("confirmed_at", "Confirmé par vous le", "Confirmed by you on", Moment),
            field("cancelled_at", "Annulé le", "Cancelled on", Moment),
            field("created_at", "Pris le", "Booked on", Moment),
            code("id"),
        ],
    },
    read: rows!(
        r#"SELECT json_build_object('id', a.id, 'starts_at', a.starts_at, 'ends_at', a.ends_at, 'starts_local', a.starts_local,
               'time_zone', a.time_zone, 'practitioner_id', a.practitioner_id,
               'practitioner', c.first_name || ' ' || c.last_name, 'specialty', c.specialty, 'room', r.name,
               'service', s.name, 'reason', a.reason, 'status', a.status, 'confirmed_at', a.confirmed_at,
               'cancelled_at', a.cancelled_at, 'created_at', a.created_at, 'updated_at', a.updated_at) AS "row!"
           FROM appointments a
           JOIN practitioners c ON c.tenant_id = a.tenant_id AND c.id = a.practitioner_id
           LEFT JOIN rooms r ON r.tenant_id = a.tenant_id AND r.id = a.room_id
           LEFT JOIN services s ON s.tenant_id = a.tenant_id AND s.id = a.service_id
           WHERE a.tenant_id = $1 AND a.patient_id = $2 ORDER BY a.starts_at, a.id"#
    ),
};

const STATUSES: &[(&str, Words)] =
    &[("scheduled", words("prévu", "scheduled")), ("cancelled", words("annulé", "cancelled"))];

pub(super) static CONSULTATIONS: PatientSection = Section {
    shape: Shape {
        name: "consultations",
        title: words("Vos consultations par votre employeur", "Your consultations through your employer"),
        tables: &["consultations", "consultation_events"],
        fields: CONSULTATION,
    },
    read: rows!(
        r#"SELECT json_build_object('id', c.id, 'appointment_id', c.appointment_id, 'starts_at', a.starts_at, 'ends_at', a.ends_at,
               'company', c.company_name, 'status', c.status, 'started_at', c.started_at, 'ended_at', c.ended_at,
               'actual_minutes', c.actual_minutes, 'cancelled_at', c.cancelled_at, 'cancel_reason', c.cancel_reason,
               'created_at', c.created_at,
               'events', (SELECT json_agg(json_build_object('at', e.at, 'event', e.kind,
                                                            'by_you', coalesce(e.actor_id = c.employee_id, false)) ORDER BY e.id)
                          FROM consultation_events e WHERE e.tenant_id = c.tenant_id AND e.consultation_id = c.id)) AS "row!"
           FROM consultations c
           JOIN appointments a ON a.tenant_id = c.tenant_id AND a.id = c.appointment_id
           WHERE c.tenant_id = $1 AND a.patient_id = $2 ORDER BY a.starts_at, c.id"#
    ),
};

/// What is told of a consultation, to the patient by the practice and to the employee by the platform.
pub(in crate::access) const CONSULTATION: &[Field] = &[
    field("starts_at", "Début prévu", "Planned begin", Moment),
    field("ends_at", "Fin prévue", "Planned end", Moment),
    field("practice", "Chez", "At", Text),
    field("practitioner", "Avec", "With", Text),
    field("company", "Entreprise", "Company", Text),
    field("status", "État", "Status", Word(CONSULTATIONS_ARE)),
    field("started_at", "Commencée le", "Begun on", Moment),
    field("ended_at", "Terminée le", "Ended on", Moment),
    field("actual_minutes", "Durée (minutes)", "Length (minutes)", Text),
    field("cancel_reason", "Motif d’annulation", "Reason of the cancellation", Text),
    field("created_at", "Prise le", "Booked on", Moment),
    field("events", "Historique", "History", List(CONSULTATION_EVENTS)),
    code("id"),
];

const CONSULTATIONS_ARE: &[(&str, Words)] = &[
    ("scheduled", words("prévue", "scheduled")),
    ("confirmed", words("confirmée", "confirmed")),
    ("in_progress", words("en cours", "in progress")),
    ("completed", words("terminée", "completed")),
    ("cancelled", words("annulée", "cancelled")),
    ("no_show", words("manquée", "missed")),
];

const CONSULTATION_EVENTS: &[Field] = &[
    field("at", "Date", "Date", Moment),
    field("event", "Fait", "Event", Word(CONSULTED)),
    field("by_you", "Par vous-même", "By yourself", Flag),
];

const CONSULTED: &[(&str, Words)] = &[
    ("scheduled", words("prise", "booked")),
    ("confirmed", words("confirmée", "confirmed")),
    ("room_joined", words("salle rejointe", "room entered")),
    ("started", words("commencée", "begun")),
    ("ended", words("terminée", "ended")),
    ("cancelled", words("annulée", "cancelled")),
    ("no_show", words("manquée", "missed")),
];

pub(super) static RECORDS: PatientSection = Section {
    shape: Shape {
        name: "medical_records",
        title: words("Votre dossier médical", "Your medical record"),
        tables: &["medical_records", "medical_record_versions"],
        fields: &[
            field("occurred_on", "Date", "Date", Day),
            field("kind", "Nature", "Kind", Word(KINDS)),
            field("title", "Titre", "Title", Text),
            field("content", "Texte", "Text", Text),
            field("version", "Version", "Version", Text),
            field("current", "Version actuelle", "Present version", Flag),
            field("written_at", "Écrit le", "Written on", Moment),
            field("written_by", "Par", "By", Text),
            field("retracted_at", "Retiré le (écrit par erreur)", "Retracted on (written in error)", Moment),
            code("id"),
        ],
    },
    read: |reading| Box::pin(read_records(reading)),
};

const KINDS: &[(&str, Words)] = &[
    ("consultation", words("consultation", "consultation")),
    ("diagnosis", words("diagnostic", "diagnosis")),
    ("observation", words("observation", "observation")),
    ("treatment", words("traitement", "treatment")),
    ("report", words("compte rendu", "report")),
    ("other", words("autre", "other")),
];

/// Every version: the patient has a right to all that was written (CSP L1111-7).
async fn read_records(reading: &mut PatientReading) -> Result<Vec<Value>> {
    let versions = records::every_version(&mut reading.tx, &reading.vault, reading.patient).await?;
    let told = versions.into_iter().map(|version| {
        let records::WholeVersion { record, current, written_by } = version;
        let names =
            ["id", "kind", "title", "content", "occurred_on", "version", "created_at", "retracted_at"];
        let mut row = only(&record, &names)?;
        row["current"] = json!(current);
        row["written_by"] = json!(written_by);
        row["written_at"] = json!(record.summary.updated_at);
        Ok(row)
    });
    told.collect()
}

pub(super) static MATERIALS: PatientSection = Section {
    shape: Shape {
        name: "materials",
        title: words("Ce qui a été utilisé pour vos soins", "What was used for your care"),
        tables: &["inventory_movements"],
        fields: &[
            field("created_at", "Noté le", "Noted on", Moment),
            field("item", "Article", "Item", Text),
            field("lot", "Lot", "Lot", Text),
            field("quantity", "Quantité", "Quantity", Text),
            field("unit", "Unité", "Unit", Text),
            code("appointment_id"),
        ],
    },
    read: rows!(
        r#"SELECT json_build_object('created_at', m.created_at, 'item', i.name, 'lot', l.number, 'quantity', trim_scale(-m.quantity / 1000.0),
               'unit', i.unit, 'kind', m.kind, 'reason', m.reason, 'appointment_id', m.appointment_id) AS "row!"
           FROM inventory_movements m
           JOIN appointments a ON a.tenant_id = m.tenant_id AND a.id = m.appointment_id
           JOIN inventory_items i ON i.tenant_id = m.tenant_id AND i.id = m.item_id
           LEFT JOIN inventory_lots l ON l.tenant_id = m.tenant_id AND l.id = m.lot_id
           WHERE m.tenant_id = $1 AND a.patient_id = $2 ORDER BY m.created_at, m.id"#
    ),
};
