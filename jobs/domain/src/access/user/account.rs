//! Who the user is, where they belong, and when they signed in.

use super::{UserSection, rows};
use crate::access::section::{
    Holds::{Moment, Text, Word},
    Section, Shape, Words, code, field, words,
};

pub(super) static PROFILE: UserSection = Section {
    shape: Shape {
        name: "profile",
        title: words("Votre compte", "Your account"),
        tables: &["users"],
        fields: &[
            field("id", "Identifiant", "Identifier", Text),
            field("email", "Adresse électronique", "Email address", Text),
            field("created_at", "Créé le", "Created on", Moment),
            field("last_login_at", "Dernière connexion", "Last sign-in", Moment),
        ],
    },
    read: rows!(
        r#"SELECT json_build_object('id', id, 'email', email, 'created_at', created_at, 'last_login_at', last_login_at) AS "row!"
           FROM users WHERE id = $1"#
    ),
};

pub(super) static MEMBERSHIPS: UserSection = Section {
    shape: Shape {
        name: "memberships",
        title: words("Où vous êtes membre", "Where you are a member"),
        tables: &["memberships"],
        fields: &[
            field("tenant", "Chez", "At", Text),
            field("full_name", "Nom", "Name", Text),
            field("role", "Rôle", "Role", Word(ROLES)),
            field("created_at", "Invité le", "Invited on", Moment),
            field("accepted_at", "Accepté le", "Accepted on", Moment),
            code("tenant_id"),
        ],
    },
    read: rows!(
        r#"SELECT json_build_object('tenant_id', m.tenant_id, 'tenant', t.name, 'full_name', m.full_name, 'role', m.role,
               'created_at', m.created_at, 'accepted_at', m.accepted_at) AS "row!"
           FROM memberships m JOIN tenants t ON t.id = m.tenant_id WHERE m.user_id = $1 ORDER BY m.created_at, m.tenant_id"#
    ),
};

const ROLES: &[(&str, Words)] = &[
    ("admin", words("administration", "administrator")),
    ("practitioner", words("praticien", "practitioner")),
    ("nurse", words("infirmier", "nurse")),
    ("assistant", words("secrétariat", "assistant")),
    ("hr_admin", words("ressources humaines", "human resources")),
    ("employee", words("salarié", "employee")),
    ("super_admin", words("exploitation de la plateforme", "runs the platform")),
    ("platform_admin", words("assistance de la plateforme", "looks after the platform")),
];

pub(super) static INVITATIONS: UserSection = Section {
    shape: Shape {
        name: "invitations",
        title: words("Invitations", "Invitations"),
        tables: &["invitations"],
        fields: &[
            field("created_at", "Envoyée le", "Sent on", Moment),
            field("expires_at", "Valable jusqu’au", "Valid until", Moment),
            field("status", "État", "Status", Text),
            code("tenant_id"),
        ],
    },
    read: rows!(
        r#"SELECT json_build_object('tenant_id', tenant_id, 'created_at', created_at, 'expires_at', expires_at,
               'status', status) AS "row!"
           FROM invitations WHERE user_id = $1 ORDER BY created_at, id"#
    ),
};

pub(super) static SESSIONS: UserSection = Section {
    shape: Shape {
        name: "sessions",
        title: words("Vos connexions", "Your sessions"),
        tables: &["sessions"],
        fields: &[
            field("created_at", "Ouverte le", "Opened on", Moment),
            field("last_used_at", "Dernier usage", "Last used", Moment),
            field("revoked_at", "Fermée le", "Closed on", Moment),
            code("tenant_id"),
        ],
    },
    read: rows!(
        r#"SELECT json_build_object('tenant_id', tenant_id, 'created_at', created_at, 'last_used_at', last_used_at,
               'expires_at', expires_at, 'revoked_at', revoked_at, 'revoked_reason', revoked_reason) AS "row!"
           FROM sessions WHERE user_id = $1 ORDER BY created_at, id"#
    ),
};

pub(super) static MAILS: UserSection = Section {
    shape: Shape {
        name: "account_mails",
        title: words("Courriels au sujet de votre compte", "Mails about your account"),
        tables: &["account_mails"],
        fields: &[
            field("created_at", "Demandé le", "Asked for on", Moment),
            field("kind", "Objet", "Purpose", Word(MAILS_ARE)),
            field("status", "État", "Status", Text),
            field("used_at", "Utilisé le", "Used on", Moment),
        ],
    },
    read: rows!(
        r#"SELECT json_build_object('kind', kind, 'created_at', created_at, 'expires_at', expires_at, 'used_at', used_at,
               'status', status) AS "row!"
           FROM account_mails WHERE user_id = $1 ORDER BY created_at, id"#
    ),
};

const MAILS_ARE: &[(&str, Words)] = &[
    ("password_reset", words("nouveau mot de passe", "new password")),
    ("password_changed", words("mot de passe modifié", "password changed")),
    ("deletion_requested", words("suppression du compte demandée", "deletion of the account asked for")),
    ("deletion_cancelled", words("suppression du compte annulée", "deletion of the account cancelled")),
    ("deletion_held", words("suppression du compte en attente", "deletion of the account waiting")),
    ("account_erased", words("compte supprimé", "account deleted")),
];

pub(super) static DELETIONS: UserSection = Section {
    shape: Shape {
        name: "account_erasures",
        title: words("Vos demandes de suppression", "Your delete requests"),
        tables: &["account_erasures"],
        fields: &[
            field("requested_at", "Demandée le", "Asked for on", Moment),
            field("due_at", "Prévue après le", "Due after", Moment),
            field("cancelled_at", "Annulée le", "Cancelled on", Moment),
            field("reason", "Raison", "Reason", Text),
        ],
    },
    read: rows!(
        r#"SELECT json_build_object('status', status, 'requested_at', requested_at, 'due_at', due_at,
               'cancelled_at', cancelled_at, 'reason', reason) AS "row!"
           FROM account_erasures WHERE user_id = $1 ORDER BY requested_at, id"#
    ),
};
