//! Who did what with the patient's data, and their requests to know it. When, what and in which function; never which colleague:
//! the dates and purposes are the patient's right, the identity of those who acted under authority is not in general (CJEU
//! C-579/21).

use super::{PatientSection, rows};
use crate::privacy::section::{
    Holds::{Day, Moment, Text, Word},
    Section, Shape, Words, code, field, words,
};

pub(super) static REQUESTS: PatientSection = Section {
    shape: Shape {
        name: "access_requests",
        title: words("Vos demandes d’accès", "Your access requests"),
        tables: &["access_requests"],
        fields: &[
            field("requested_at", "Demandé le", "Requested on", Moment),
            field("due_on", "Réponse due le", "Answer due on", Day),
            field("fetched_at", "Remis le", "Handed over on", Moment),
            code("id"),
        ],
    },
    read: rows!(
        r#"SELECT json_build_object('id', id, 'requested_at', requested_at, 'due_on', due_on, 'fetched_at', fetched_at) AS "row!"
           FROM access_requests WHERE tenant_id = $1 AND patient_id = $2 ORDER BY requested_at, id"#
    ),
};

pub(super) static TRAIL: PatientSection = Section {
    shape: Shape {
        name: "trail",
        title: words("Consultations et modifications de vos données", "Who read and changed your data"),
        tables: &["audit_log"],
        fields: &[
            field("at", "Date", "Date", Moment),
            field("action", "Action", "Action", Text),
            field("by", "Par", "By", Word(ROLES)),
            code("resource"),
            code("resource_id"),
        ],
    },
    // Each of the patient's things is looked up by its id (audit_log_of_resource), what the patient did by their own.
    read: rows!(
        r#"WITH things (id) AS (
               SELECT $2::uuid
               UNION ALL SELECT id FROM appointments WHERE tenant_id = $1 AND patient_id = $2
               UNION ALL SELECT id FROM medical_records WHERE tenant_id = $1 AND patient_id = $2
               UNION ALL SELECT id FROM messages WHERE tenant_id = $1 AND patient_id = $2
               UNION ALL SELECT id FROM invoices WHERE tenant_id = $1 AND patient_id = $2
           )
           SELECT json_build_object('at', l.at, 'action', l.action, 'resource', l.resource, 'resource_id', l.resource_id,
               'by', CASE WHEN l.actor_patient_id IS NOT NULL THEN 'patient' WHEN l.actor_id IS NULL THEN 'platform'
                          ELSE coalesce(m.role, 'former_member') END) AS "row!"
           FROM things t
           JOIN audit_log l ON l.tenant_id = $1 AND l.resource_id = t.id
           LEFT JOIN memberships m ON m.tenant_id = l.tenant_id AND m.user_id = l.actor_id
           ORDER BY l.id"#
    ),
};

const ROLES: &[(&str, Words)] = &[
    ("patient", words("vous-même", "yourself")),
    ("platform", words("traitement automatique", "automatic processing")),
    ("admin", words("administration du cabinet", "the practice’s administration")),
    ("practitioner", words("praticien", "practitioner")),
    ("nurse", words("infirmier", "nurse")),
    ("assistant", words("secrétariat", "front desk")),
    ("former_member", words("ancien membre du cabinet", "a former member of the practice")),
];
