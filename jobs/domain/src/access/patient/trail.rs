//! Who did what with the patient's data, and their requests to know it. When, what and in which function; never which colleague:
//! the dates and purposes are the patient's right, the identity of those who acted under authority is not in general (CJEU
//! C-579/21).

use super::{PatientSection, rows};
use crate::access::section::{
    Holds::{Day, Moment, Word},
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

pub(super) static ERASURES: PatientSection = Section {
    shape: Shape {
        name: "erasures",
        title: words("Vos demandes d’effacement", "Your erasure requests"),
        tables: &["patient_erasures"],
        fields: &[
            field("requested_at", "Demandé le", "Requested on", Moment),
            field("due_at", "Prévu le", "Due on", Moment),
            field("cancelled_at", "Annulé le", "Cancelled on", Moment),
            field("completed_at", "Achevé le", "Completed on", Moment),
            code("id"),
        ],
    },
    read: rows!(
        r#"SELECT json_build_object('id', id, 'status', status, 'requested_at', requested_at, 'due_at', due_at,
               'cancelled_at', cancelled_at, 'completed_at', completed_at, 'destroyed', destroyed, 'kept', kept) AS "row!"
           FROM patient_erasures WHERE tenant_id = $1 AND patient_id = $2 ORDER BY requested_at, id"#
    ),
};

pub(super) static TRAIL: PatientSection = Section {
    shape: Shape {
        name: "trail",
        title: words("Consultations et modifications de vos données", "Who read and changed your data"),
        tables: &["audit_log"],
        fields: &[
            field("at", "Date", "Date", Moment),
            field("action", "Action", "Action", Word(ACTIONS)),
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
               UNION ALL SELECT c.id FROM consultations c
                         JOIN appointments a ON a.tenant_id = c.tenant_id AND a.id = c.appointment_id
                         WHERE c.tenant_id = $1 AND a.patient_id = $2
               UNION ALL SELECT id FROM files WHERE tenant_id = $1 AND patient_id = $2
               UNION ALL SELECT id FROM images WHERE tenant_id = $1 AND patient_id = $2
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

const ACTIONS: &[(&str, Words)] = &[
    ("appointment.book", words("rendez-vous pris", "appointment booked")),
    ("appointment.cancel", words("rendez-vous annulé", "appointment cancelled")),
    ("appointment.confirm", words("rendez-vous confirmé", "appointment confirmed")),
    ("appointment.reschedule", words("rendez-vous déplacé", "appointment moved")),
    ("consultation.book", words("consultation prise", "consultation booked")),
    ("consultation.cancel", words("consultation annulée", "consultation cancelled")),
    ("consultation.confirm", words("consultation confirmée", "consultation confirmed")),
    ("consultation.end", words("consultation terminée", "consultation ended")),
    ("consultation.no_show", words("consultation manquée", "consultation missed")),
    ("consultation.start", words("consultation commencée", "consultation begun")),
    ("erasure.cancel", words("effacement annulé", "erasure taken back")),
    ("erasure.request", words("effacement demandé", "erasure asked for")),
    ("file.list", words("liste des fichiers consultée", "list of the files read")),
    ("file.look", words("fiche d’un fichier consultée", "description of a file read")),
    ("file.read", words("fichier ouvert", "file opened")),
    ("file.retract", words("fichier retiré", "file retracted")),
    ("file.write", words("fichier déposé", "file handed in")),
    ("image.complete", words("image envoyée", "picture sent")),
    ("image.invite", words("image annoncée", "picture announced")),
    ("image.list", words("liste des images consultée", "list of the pictures seen")),
    ("image.read", words("image consultée", "picture seen")),
    ("image.retract", words("image retirée", "picture retracted")),
    ("invoice.credit", words("avoir établi", "invoice credited")),
    ("invoice.draft", words("facture rédigée", "invoice drafted")),
    ("invoice.issue", words("facture émise", "invoice issued")),
    ("invoice.send", words("facture envoyée", "invoice sent")),
    ("invoice.update", words("facture modifiée", "invoice changed")),
    (
        "medical_record.history",
        words("historique d’un document médical consulté", "history of a record read"),
    ),
    ("medical_record.list", words("liste du dossier médical consultée", "list of the records read")),
    ("medical_record.read", words("document médical lu", "record read")),
    ("medical_record.retract", words("document médical retiré", "record retracted")),
    ("medical_record.update", words("document médical modifié", "record changed")),
    ("medical_record.write", words("document médical écrit", "record written")),
    ("message.resolve", words("envoi d’un message vérifié", "fate of a message settled")),
    ("patient.access_download", words("vos données remises", "your data handed over")),
    ("patient.access_request", words("vos données demandées", "your data asked for")),
    ("patient.delete", words("fiche supprimée", "patient deleted")),
    ("patient.register", words("fiche créée", "patient registered")),
    ("patient.stop_mail", words("courriels arrêtés", "mails stopped")),
    ("patient.update", words("fiche modifiée", "patient changed")),
    ("quote.draft", words("devis rédigé", "quote drafted")),
    ("quote.issue", words("devis émis", "quote issued")),
    ("quote.update", words("devis modifié", "quote changed")),
];
