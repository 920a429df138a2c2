//! Invoices and credit notes that were issued, in the order of their issue. What a credit note takes back is below zero, so
//! that a column adds up.

use super::{
    Holds::{Cents, Code, Day, Instant, Text, Word},
    kind,
};

const KINDS: &[(&str, &str)] = &[("invoice", "facture"), ("credit_note", "avoir")];
const STATUSES: &[(&str, &str)] =
    &[("issued", "à payer"), ("partly_paid", "payée en partie"), ("paid", "payée"), ("cancelled", "annulée")];

kind! {
    name: "invoices",
    title: "Factures",
    formats: [Csv, Zip, Xlsx],
    filters: ["from", "to"],
    columns: [
        "id" "Identifiant" Code => "i.id",
        "kind" "Nature" Word(KINDS) => "i.kind",
        "number" "Numéro" Text => "i.number",
        "issued_on" "Date" Day => "i.issued_on",
        "due_on" "Échéance" Day => "i.due_on",
        "buyer" "Client" Text => "i.document->'buyer'->>'name'",
        "patient_id" "Identifiant du patient" Code => "i.patient_id",
        "net" "Montant HT" Cents => "s.sign * (i.document->'totals'->>'net')::bigint",
        "vat" "TVA" Cents => "s.sign * (i.document->'totals'->>'vat')::bigint",
        "gross" "Montant TTC" Cents => "s.sign * i.gross",
        "insurer_share" "Part de la complémentaire" Cents => "s.sign * i.insurer_share",
        "credited" "Avoirs" Cents => "b.patient_credited + b.insurer_credited",
        "paid" "Payé" Cents => "b.patient_paid + b.insurer_paid",
        "left_to_pay" "Reste à payer" Cents => "b.patient_left + b.insurer_left",
        "status" "Statut" Word(STATUSES) => "b.status",
        "credits" "Facture d'origine" Text => "o.number",
        "issued_at" "Émise le" Instant => "i.issued_at",
    ],
    from: "FROM invoices i
           CROSS JOIN LATERAL (SELECT CASE i.kind WHEN 'credit_note' THEN -1 ELSE 1 END AS sign) s
           LEFT JOIN invoice_balances b ON b.tenant_id = i.tenant_id AND b.invoice_id = i.id
           LEFT JOIN invoices o ON o.tenant_id = i.tenant_id AND o.id = i.credits
           WHERE i.tenant_id = current_tenant() AND i.kind <> 'quote' AND i.number IS NOT NULL
             AND i.issued_on >= COALESCE((SELECT export_filter('from_day')::date), '-infinity')
             AND i.issued_on <= COALESCE((SELECT export_filter('to_day')::date), 'infinity')",
    order: "i.issued_at, i.id",
}
