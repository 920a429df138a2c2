//! What was paid and given back, by its day. What was given back is below zero, so that a column adds up.

use super::{
    Holds::{Cents, Code, Day, Instant, Text, Word},
    kind,
};

const KINDS: &[(&str, &str)] = &[("payment", "paiement"), ("refund", "remboursement")];
const PAYERS: &[(&str, &str)] = &[("patient", "patient"), ("insurer", "complémentaire")];
const METHODS: &[(&str, &str)] = &[
    ("card", "carte"),
    ("cash", "espèces"),
    ("cheque", "chèque"),
    ("transfer", "virement"),
    ("direct_debit", "prélèvement"),
    ("other", "autre"),
];

kind! {
    name: "payments",
    title: "Paiements",
    formats: [Csv, Zip, Xlsx],
    filters: ["from", "to"],
    columns: [
        "id" "Identifiant" Code => "p.id",
        "paid_on" "Date" Day => "p.paid_on",
        "kind" "Nature" Word(KINDS) => "p.kind",
        "amount" "Montant" Cents => "CASE p.kind WHEN 'refund' THEN -p.amount ELSE p.amount END",
        "method" "Moyen" Word(METHODS) => "p.method",
        "payer" "Payeur" Word(PAYERS) => "p.payer",
        "reference" "Référence" Text => "p.reference",
        "invoice_id" "Identifiant de la facture" Code => "p.invoice_id",
        "invoice_number" "Facture" Text => "i.number",
        "buyer" "Client" Text => "i.document->'buyer'->>'name'",
        "recorded_at" "Saisi le" Instant => "p.recorded_at",
    ],
    from: "FROM payments p
           JOIN invoices i ON i.tenant_id = p.tenant_id AND i.id = p.invoice_id
           WHERE p.tenant_id = current_tenant()
             AND p.paid_on >= COALESCE((SELECT export_filter('from_day')::date), '-infinity')
             AND p.paid_on <= COALESCE((SELECT export_filter('to_day')::date), 'infinity')",
    order: "p.paid_on, p.id",
}
