//! Who the patient is, what they agreed to, and what was said to them.

use super::{PatientSection, rows};
use crate::access::section::{
    Field,
    Holds::{Address, Day, Flag, List, Moment, Text, Word},
    Section, Shape, Words, code, field, words,
};

pub(super) static PATIENT: PatientSection = Section {
    shape: Shape {
        name: "patient",
        title: words("Vous", "You"),
        tables: &["patients"],
        fields: &[
            field("id", "Identifiant", "Identifier", Text),
            field("last_name", "Nom", "Last name", Text),
            field("first_name", "Prénom", "First name", Text),
            field("birth_date", "Date de naissance", "Date of birth", Day),
            field("email", "Adresse électronique", "Email address", Text),
            field("phone", "Téléphone", "Telephone", Text),
            field("address", "Adresse", "Address", Address),
            field("language", "Langue", "Language", Word(LANGUAGES)),
            field("sms_consent", "Rappels par SMS", "Reminders by SMS", Flag),
            field("email_consent", "Rappels par courriel", "Reminders by email", Flag),
            field("imaging_consent", "Images médicales", "Medical pictures", Flag),
            field("created_at", "Enregistré le", "Registered on", Moment),
            field("updated_at", "Modifié le", "Changed on", Moment),
            field("deleted_at", "Supprimé le", "Deleted on", Moment),
        ],
    },
    read: rows!(
        r#"SELECT json_build_object('id', id, 'first_name', first_name, 'last_name', last_name, 'birth_date', birth_date,
               'email', email, 'phone', phone, 'address', address, 'language', language, 'sms_consent', sms_consent,
               'email_consent', email_consent, 'imaging_consent', imaging_consent, 'created_at', created_at, 'updated_at', updated_at,
               'deleted_at', deleted_at) AS "row!"
           FROM patients WHERE tenant_id = $1 AND id = $2"#
    ),
};

const LANGUAGES: &[(&str, Words)] =
    &[("fr", words("français", "French")), ("en", words("anglais", "English"))];

pub(super) static CONSENTS: PatientSection = Section {
    shape: Shape {
        name: "consents",
        title: words("Vos consentements", "Your consents"),
        tables: &["patient_consents"],
        fields: &[
            field("recorded_at", "Date", "Date", Moment),
            field("purpose", "Pour", "For", Word(PURPOSES)),
            field("granted", "Accordé", "Granted", Flag),
            field("by_patient", "Par vous-même, en ligne", "By yourself, online", Flag),
        ],
    },
    read: rows!(
        r#"SELECT json_build_object('recorded_at', recorded_at, 'purpose', purpose, 'granted', granted,
               'by_patient', by_patient) AS "row!"
           FROM patient_consents WHERE tenant_id = $1 AND patient_id = $2 ORDER BY id"#
    ),
};

const PURPOSES: &[(&str, Words)] = &[
    ("reminder_sms", words("rappels par SMS", "reminders by SMS")),
    ("reminder_email", words("rappels par courriel", "reminders by email")),
    ("imaging", words("images médicales", "medical pictures")),
];

pub(super) static MESSAGES: PatientSection = Section {
    shape: Shape {
        name: "messages",
        title: words("Messages qui vous ont été adressés", "Messages to you"),
        tables: &["messages", "message_events"],
        fields: &[
            field("sent_at", "Envoyé le", "Sent on", Moment),
            field("due_at", "Prévu le", "Planned for", Moment),
            field("purpose", "Objet", "Purpose", Word(MESSAGES_ABOUT)),
            field("channel", "Par", "By", Word(CHANNELS)),
            field("status", "État", "Status", Word(STATUSES)),
            code("id"),
            code("appointment_id"),
            field("events", "Historique", "History", List(EVENTS)),
        ],
    },
    read: rows!(
        r#"SELECT json_build_object('id', m.id, 'appointment_id', m.appointment_id, 'purpose', m.purpose, 'channel', m.channel,
               'status', m.status, 'due_at', m.due_at, 'sent_at', m.sent_at, 'created_at', m.created_at,
               'events', (SELECT json_agg(json_build_object('at', e.at, 'event', e.event, 'code', e.code,
                                                            'provider', e.provider) ORDER BY e.id)
                          FROM message_events e WHERE e.tenant_id = m.tenant_id AND e.message_id = m.id)) AS "row!"
           FROM messages m
           WHERE m.tenant_id = $1 AND m.patient_id = $2 ORDER BY m.due_at, m.id"#
    ),
};

const MESSAGES_ABOUT: &[(&str, Words)] = &[
    ("reminder", words("rappel de rendez-vous", "reminder of an appointment")),
    ("confirmation", words("confirmation de rendez-vous", "confirmation of an appointment")),
    ("cancellation", words("annulation de rendez-vous", "cancellation of an appointment")),
];

const STATUSES: &[(&str, Words)] = &[
    ("planned", words("prévu", "planned")),
    ("sending", words("en cours d’envoi", "being sent")),
    ("sent", words("envoyé", "sent")),
    ("delivered", words("arrivé", "delivered")),
    ("undelivered", words("non arrivé", "not delivered")),
    ("failed", words("refusé", "refused")),
    ("uncertain", words("incertain", "uncertain")),
    ("cancelled", words("annulé", "cancelled")),
    ("expired", words("trop tard", "too late")),
    ("intent", words("remis à l’envoi", "handed over to be sent")),
    ("retry", words("nouvel essai", "tried again")),
    ("quiet", words("différé par les heures calmes", "put off by quiet hours")),
    ("complained", words("signalé comme indésirable", "reported as unwanted")),
    ("opted_out", words("refusé par vous", "declined by you")),
    ("resolved", words("vérifié par le cabinet", "settled by the practice")),
];

const CHANNELS: &[(&str, Words)] = &[("sms", words("SMS", "SMS")), ("email", words("courriel", "email"))];

const EVENTS: &[Field] = &[
    field("at", "Date", "Date", Moment),
    field("event", "Fait", "Event", Word(STATUSES)),
    field("provider", "Prestataire", "Provider", Text),
    field("code", "Code", "Code", Text),
];

pub(super) static UNREACHABLE: PatientSection = Section {
    shape: Shape {
        name: "unreachable",
        title: words(
            "Adresses auxquelles on ne vous écrit plus",
            "Addresses that you are no longer written to at",
        ),
        tables: &["unreachable_addresses"],
        fields: &[
            field("since", "Depuis", "Since", Moment),
            field("channel", "Par", "By", Word(CHANNELS)),
            field("address", "Adresse", "Address", Text),
            field("reason", "Raison", "Reason", Word(REASONS)),
        ],
    },
    read: rows!(
        r#"SELECT json_build_object('since', since, 'channel', channel, 'address', address, 'reason', reason) AS "row!"
           FROM unreachable_addresses WHERE tenant_id = $1 AND patient_id = $2 ORDER BY channel"#
    ),
};

const REASONS: &[(&str, Words)] = &[
    ("invalid", words("n’existe pas", "does not exist")),
    ("bounced", words("revenu à l’expéditeur", "bounced")),
    ("complained", words("signalé comme indésirable", "reported as unwanted")),
    ("opted_out", words("vous l’avez demandé", "you asked for it")),
];

pub(super) static LINKS: PatientSection = Section {
    shape: Shape {
        name: "links",
        title: words("Liens personnels dans ces messages", "Personal links in these messages"),
        tables: &["patient_links"],
        fields: &[field("created_at", "Créé le", "Created on", Moment), code("appointment_id")],
    },
    read: rows!(
        r#"SELECT json_build_object('created_at', created_at, 'appointment_id', appointment_id) AS "row!"
           FROM patient_links WHERE tenant_id = $1 AND patient_id = $2 ORDER BY created_at"#
    ),
};
