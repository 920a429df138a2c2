//! The entries of a period, as the tax administration wants them: the Fichier des Écritures Comptables (LPF, art. A47 A-1).
//! An entry is what was issued, or what was paid or given back; its lines add up to nothing. No label tells what was
//! supplied: that is between the patient and who cares for them (LPF, art. L13-0 A).

use super::{
    Holds::{Cents, Code, Number, Text},
    kind,
};

kind! {
    name: "accounting_entries",
    title: "Écritures",
    formats: [Txt, Zip],
    filters: ["from", "to"],
    columns: [
        "JournalCode" "JournalCode" Code => "e.accounts->e.journal->>'number'",
        "JournalLib" "JournalLib" Code => "e.accounts->e.journal->>'title'",
        "EcritureNum" "EcritureNum" Number => "e.entry",
        "EcritureDate" "EcritureDate" Code => "to_char(e.day, 'YYYYMMDD')",
        "CompteNum" "CompteNum" Code => "(e.accounts->e.account->>'number') || COALESCE(lpad(e.rate::text, 4, '0'), '')",
        "CompteLib" "CompteLib" Code
            => "(e.accounts->e.account->>'title')
                || COALESCE(' ' || replace(trim_scale(e.rate / 100.0)::text, '.', ',') || ' %', '')",
        "CompAuxNum" "CompAuxNum" Code => "CASE e.account WHEN 'customers' THEN e.buyer END",
        "CompAuxLib" "CompAuxLib" Text => "CASE e.account WHEN 'customers' THEN e.buyer_name END",
        "PieceRef" "PieceRef" Text => "e.piece",
        "PieceDate" "PieceDate" Code => "to_char(e.piece_day, 'YYYYMMDD')",
        "Debit" "Debit" Cents => "greatest(e.amount, 0)",
        "Credit" "Credit" Cents => "greatest(-e.amount, 0)",
        "EcritureLib" "EcritureLib" Text => "e.label || ' ' || e.piece",
        "EcritureLet" "EcritureLet" Code => "NULL::text",
        "DateLet" "DateLet" Code => "NULL::text",
        "ValidDate" "ValidDate" Code => "to_char(e.noted_at, 'YYYYMMDD')",
        "Montantdevise" "Montantdevise" Code => "NULL::text",
        "Idevise" "Idevise" Code => "NULL::text",
    ],
    // `accounts` is the chart, by use; `amount` is a debit above zero and a credit below. Numbers are given last, among
    // the lines that are there, so that they have no gap.
    from: "FROM (
               WITH papers AS (
                   SELECT i.id, i.issued_on AS day, i.issued_at AS noted_at, i.number AS piece, i.issued_on AS piece_day,
                          CASE i.kind WHEN 'credit_note' THEN -1 ELSE 1 END AS sign,
                          CASE i.kind WHEN 'credit_note' THEN 'Avoir' ELSE 'Facture' END AS label, i.gross, i.document,
                          COALESCE(i.patient_id::text, i.document->'buyer'->>'siren', COALESCE(i.credits, i.id)::text)
                              AS buyer, i.document->'buyer'->>'name' AS buyer_name
                   FROM invoices i
                   WHERE i.tenant_id = current_tenant() AND i.kind <> 'quote' AND i.number IS NOT NULL
                     AND i.issued_on >= (SELECT export_filter('from_day')::date)
                     AND i.issued_on <= (SELECT export_filter('to_day')::date)
               ), moves AS (
                   SELECT p.id, p.paid_on AS day, p.recorded_at AS noted_at, i.number AS piece, i.issued_on AS piece_day,
                          CASE p.kind WHEN 'refund' THEN -p.amount ELSE p.amount END AS amount, p.method,
                          CASE p.kind WHEN 'refund' THEN 'Remboursement' ELSE 'Règlement' END
                              || CASE p.payer WHEN 'insurer' THEN ' complémentaire' ELSE '' END AS label,
                          COALESCE(i.patient_id::text, i.document->'buyer'->>'siren', i.id::text) AS buyer,
                          i.document->'buyer'->>'name' AS buyer_name
                   FROM payments p
                   JOIN invoices i ON i.tenant_id = p.tenant_id AND i.id = p.invoice_id
                   WHERE p.tenant_id = current_tenant()
                     AND p.paid_on >= (SELECT export_filter('from_day')::date)
                     AND p.paid_on <= (SELECT export_filter('to_day')::date)
               ), lines AS (
                   SELECT id, day, noted_at, piece, piece_day, label, buyer, buyer_name, 'sales' AS journal, 1 AS place,
                          'customers' AS account, NULL::integer AS rate, sign * gross AS amount
                   FROM papers
                   UNION ALL
                   SELECT id, day, noted_at, piece, piece_day, label, buyer, buyer_name, 'sales', 2,
                          'sold_' || (v->'vat'->>'category'), NULL, -sign * sum((v->>'basis')::bigint)::bigint
                   FROM papers CROSS JOIN LATERAL jsonb_array_elements(document->'vat') v
                   GROUP BY id, day, noted_at, piece, piece_day, label, buyer, buyer_name, sign, v->'vat'->>'category'
                   UNION ALL
                   SELECT id, day, noted_at, piece, piece_day, label, buyer, buyer_name, 'sales', 3, 'vat',
                          (v->'vat'->>'rate')::integer, -sign * (v->>'tax')::bigint
                   FROM papers CROSS JOIN LATERAL jsonb_array_elements(document->'vat') v
                   UNION ALL
                   SELECT id, day, noted_at, piece, piece_day, label, buyer, buyer_name, 'journal_' || method, 4,
                          'paid_' || method, NULL, amount
                   FROM moves
                   UNION ALL
                   SELECT id, day, noted_at, piece, piece_day, label, buyer, buyer_name, 'journal_' || method, 5,
                          'customers', NULL, -amount
                   FROM moves
               )
               SELECT l.*, (SELECT export_filter('accounts')::jsonb) AS accounts,
                      dense_rank() OVER (ORDER BY l.day, l.noted_at, l.place > 3, l.id) AS entry
               FROM lines l WHERE l.amount <> 0
           ) e",
    order: "e.entry, e.place, e.account, e.rate",
}
