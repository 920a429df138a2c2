//! Patients, in the order of their registration.

use super::{
    Holds::{Bool, Code, Day, Instant, Text},
    kind,
};

kind! {
    name: "patients",
    title: "Patients",
    formats: [Csv, Zip, Xlsx],
    filters: ["from", "to"],
    columns: [
        "id" "Identifiant" Code => "p.id",
        "last_name" "Nom" Text => "p.last_name",
        "first_name" "Prénom" Text => "p.first_name",
        "birth_date" "Date de naissance" Day => "p.birth_date",
        "email" "E-mail" Text => "p.email",
        "phone" "Téléphone" Text => "p.phone",
        "language" "Langue" Code => "p.language",
        "reminder_sms" "Rappels par SMS" Bool => "p.sms_consent",
        "reminder_email" "Rappels par e-mail" Bool => "p.email_consent",
        "imaging" "Photographies" Bool => "p.imaging_consent",
        "created_at" "Enregistré le" Instant => "p.created_at",
        "updated_at" "Modifié le" Instant => "p.updated_at",
    ],
    from: "FROM patients p
           WHERE p.tenant_id = current_tenant() AND p.deleted_at IS NULL
             AND p.created_at >= COALESCE((SELECT export_filter('from')::timestamptz), '-infinity')
             AND p.created_at < COALESCE((SELECT export_filter('until')::timestamptz), 'infinity')",
    order: "p.id",
}
