//! The user at work: as a practitioner, and what they did, without what it was about.

use super::{UserSection, rows};
use crate::access::section::{
    Holds::{Day, Moment, Text},
    Section, Shape, code, field, words,
};

pub(super) static PRACTITIONERS: UserSection = Section {
    shape: Shape {
        name: "practitioners",
        title: words("Vous, comme praticien", "You, as a practitioner"),
        tables: &["practitioners"],
        fields: &[
            field("last_name", "Nom", "Last name", Text),
            field("first_name", "Prénom", "First name", Text),
            field("specialty", "Spécialité", "Specialty", Text),
            field("rpps_number", "RPPS", "RPPS", Text),
            field("adeli_number", "ADELI", "ADELI", Text),
            field("created_at", "Enregistré le", "Registered on", Moment),
            code("tenant_id"),
        ],
    },
    read: rows!(
        r#"SELECT json_build_object('tenant_id', tenant_id, 'id', id, 'first_name', first_name, 'last_name', last_name,
               'specialty', specialty, 'rpps_number', rpps_number, 'adeli_number', adeli_number, 'created_at', created_at,
               'deleted_at', deleted_at) AS "row!"
           FROM practitioners WHERE user_id = $1 ORDER BY created_at, id"#
    ),
};

pub(super) static AVAILABILITY: UserSection = Section {
    shape: Shape {
        name: "availability",
        title: words("Vos disponibilités", "Your availability"),
        tables: &["availability_entries"],
        fields: &[
            field("kind", "Nature", "Kind", Text),
            field("weekday", "Jour (1 = lundi)", "Day (1 = Monday)", Text),
            field("from_minute", "De (minutes)", "From (minutes)", Text),
            field("to_minute", "À (minutes)", "To (minutes)", Text),
            field("starts_at", "Début", "Begin", Moment),
            field("ends_at", "Fin", "End", Moment),
            field("reason", "Raison", "Reason", Text),
            code("tenant_id"),
        ],
    },
    read: rows!(
        r#"SELECT json_build_object('tenant_id', e.tenant_id, 'kind', e.kind, 'weekday', e.weekday,
               'from_minute', e.from_minute, 'to_minute', e.to_minute, 'every_weeks', e.every_weeks,
               'valid_from', e.valid_from, 'valid_until', e.valid_until, 'starts_at', e.starts_at, 'ends_at', e.ends_at,
               'reason', e.reason, 'created_at', e.created_at) AS "row!"
           FROM availability_entries e
           JOIN practitioners p ON p.tenant_id = e.tenant_id AND p.id = e.practitioner_id
           WHERE p.user_id = $1 ORDER BY e.created_at, e.id"#
    ),
};

pub(super) static REQUESTS: UserSection = Section {
    shape: Shape {
        name: "access_requests",
        title: words("Vos demandes d’accès", "Your access requests"),
        tables: &["access_requests"],
        fields: &[
            field("requested_at", "Demandé le", "Requested on", Moment),
            field("due_on", "Réponse due le", "Answer due on", Day),
            field("fetched_at", "Remis le", "Handed over on", Moment),
            code("tenant_id"),
        ],
    },
    read: rows!(
        r#"SELECT json_build_object('tenant_id', tenant_id, 'id', id, 'requested_at', requested_at, 'due_on', due_on,
               'fetched_at', fetched_at) AS "row!"
           FROM access_requests WHERE user_id = $1 ORDER BY requested_at, id"#
    ),
};

pub(super) static TRAIL: UserSection = Section {
    shape: Shape {
        name: "trail",
        title: words("Ce que vous avez fait", "What you did"),
        tables: &["audit_log"],
        fields: &[
            field("at", "Date", "Date", Moment),
            field("action", "Action", "Action", Text),
            field("resource", "Sur", "On", Text),
            code("tenant_id"),
        ],
    },
    // To whose things it was done is those persons' data: the role cannot even read it.
    read: rows!(
        r#"SELECT json_build_object('tenant_id', tenant_id, 'at', at, 'action', action, 'resource', resource) AS "row!"
           FROM audit_log WHERE actor_id = $1 ORDER BY id"#
    ),
};
