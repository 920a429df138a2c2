//! Appointments, in the order of their begin.

use super::{
    Holds::{Civil, Code, Instant, Number, Text, Word},
    kind,
};

kind! {
    name: "appointments",
    title: "Rendez-vous",
    formats: [Csv, Zip, Xlsx],
    filters: ["from", "to", "practitioner_id", "status"],
    columns: [
        "id" "Identifiant" Code => "a.id",
        "starts_local" "Heure convenue" Civil => "a.starts_local",
        "time_zone" "Fuseau horaire" Code => "a.time_zone",
        "starts_at" "Début" Instant => "a.starts_at",
        "ends_at" "Fin" Instant => "a.ends_at",
        "minutes" "Durée (min)" Number => "(extract(epoch FROM a.ends_at - a.starts_at) / 60)::integer",
        "status" "Statut" Word(&[("scheduled", "prévu"), ("cancelled", "annulé")]) => "a.status",
        "patient_id" "Identifiant du patient" Code => "a.patient_id",
        "patient_last_name" "Nom du patient" Text => "p.last_name",
        "patient_first_name" "Prénom du patient" Text => "p.first_name",
        "practitioner_id" "Identifiant du praticien" Code => "a.practitioner_id",
        "practitioner_last_name" "Nom du praticien" Text => "c.last_name",
        "practitioner_first_name" "Prénom du praticien" Text => "c.first_name",
        "room" "Salle" Text => "r.name",
        "created_at" "Pris le" Instant => "a.created_at",
        "cancelled_at" "Annulé le" Instant => "a.cancelled_at",
    ],
    from: "FROM appointments a
           JOIN patients p ON p.tenant_id = a.tenant_id AND p.id = a.patient_id
           JOIN practitioners c ON c.tenant_id = a.tenant_id AND c.id = a.practitioner_id
           LEFT JOIN rooms r ON r.tenant_id = a.tenant_id AND r.id = a.room_id
           WHERE a.tenant_id = current_tenant()
             AND a.starts_at >= COALESCE((SELECT export_filter('from')::timestamptz), '-infinity')
             AND a.starts_at < COALESCE((SELECT export_filter('until')::timestamptz), 'infinity')
             AND ((SELECT export_filter('practitioner')) IS NULL
                  OR a.practitioner_id = (SELECT export_filter('practitioner')::uuid))
             AND ((SELECT export_filter('status')) IS NULL OR a.status = (SELECT export_filter('status')))",
    order: "a.starts_at, a.id",
}
