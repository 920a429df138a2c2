//! What the user was told, and what they want to be told.

use super::{UserSection, rows};
use crate::access::section::{
    Holds::{Flag, Moment, Text},
    Section, Shape, code, field, words,
};

pub(super) static NOTIFICATIONS: UserSection = Section {
    shape: Shape {
        name: "notifications",
        title: words("Vos notifications", "Your notifications"),
        tables: &["notifications"],
        fields: &[
            field("created_at", "Date", "Date", Moment),
            field("title", "Titre", "Title", Text),
            field("body", "Texte", "Text", Text),
            field("read_at", "Lue le", "Read on", Moment),
            code("tenant_id"),
        ],
    },
    read: rows!(
        r#"SELECT json_build_object('tenant_id', tenant_id, 'kind', kind, 'title', title, 'body', body,
               'created_at', created_at, 'read_at', read_at) AS "row!"
           FROM notifications WHERE user_id = $1 ORDER BY created_at, id"#
    ),
};

pub(super) static SUBSCRIPTIONS: UserSection = Section {
    shape: Shape {
        name: "inventory_subscriptions",
        title: words("Alertes de stock que vous recevez", "Alerts about the stock that you receive"),
        tables: &["inventory_subscriptions"],
        fields: &[
            field("in_app", "Dans l’application", "In the application", Flag),
            field("email", "Par courriel", "By email", Flag),
            field("updated_at", "Choisi le", "Chosen on", Moment),
            code("tenant_id"),
        ],
    },
    read: rows!(
        r#"SELECT json_build_object('tenant_id', tenant_id, 'in_app', in_app, 'email', email, 'updated_at', updated_at) AS "row!"
           FROM inventory_subscriptions WHERE user_id = $1 ORDER BY tenant_id"#
    ),
};

pub(super) static ACCESS_DIGESTS: UserSection = Section {
    shape: Shape {
        name: "access_digests",
        title: words("Courriels au sujet de demandes d’accès", "Mails about access requests"),
        tables: &["access_digests"],
        fields: &[
            field("created_at", "Date", "Date", Moment),
            field("status", "État", "Status", Text),
            code("tenant_id"),
        ],
    },
    read: rows!(
        r#"SELECT json_build_object('tenant_id', tenant_id, 'created_at', created_at, 'status', status) AS "row!"
           FROM access_digests WHERE user_id = $1 ORDER BY created_at, id"#
    ),
};

pub(super) static DIGESTS: UserSection = Section {
    shape: Shape {
        name: "inventory_digests",
        title: words("Courriels au sujet du stock", "Mails about the stock"),
        tables: &["inventory_digests"],
        fields: &[
            field("created_at", "Date", "Date", Moment),
            field("status", "État", "Status", Text),
            code("tenant_id"),
        ],
    },
    read: rows!(
        r#"SELECT json_build_object('tenant_id', tenant_id, 'created_at', created_at, 'status', status) AS "row!"
           FROM inventory_digests WHERE user_id = $1 ORDER BY created_at, id"#
    ),
};
