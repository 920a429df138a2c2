//! What was supplied, asked for and paid.

use super::{PatientSection, rows};
use crate::access::section::{
    Field,
    Holds::{Cents, Day, List, Moment, Text, Word},
    Section, Shape, Words, code, field, words,
};

pub(super) static INVOICES: PatientSection = Section {
    shape: Shape {
        name: "invoices",
        title: words("Vos factures et devis", "Your invoices and quotes"),
        tables: &["invoices", "invoice_papers", "appointment_invoices", "quote_answers", "invoice_run_items"],
        fields: &[
            field("kind", "Nature", "Kind", Word(KINDS)),
            field("number", "Numéro", "Number", Text),
            field("issued_on", "Émis le", "Issued on", Day),
            field("due_on", "À régler avant le", "Due on", Day),
            field("gross", "Total TTC", "Total with VAT", Cents),
            field("insurer_share", "Dont part mutuelle", "Of which insurer’s share", Cents),
            field("lines", "Lignes", "Lines", List(LINES)),
            field("answer", "Réponse au devis", "Answer to the quote", Text),
            field("created_at", "Écrit le", "Written on", Moment),
            code("id"),
        ],
    },
    read: rows!(
        r#"SELECT json_build_object('id', i.id, 'kind', i.kind, 'number', i.number, 'issued_on', i.issued_on,
               'due_on', i.due_on, 'gross', i.gross, 'insurer_share', i.insurer_share, 'credits', i.credits,
               'quote_id', i.quote_id, 'status', coalesce(b.status, CASE WHEN i.number IS NULL THEN 'draft' ELSE 'issued' END),
               'lines', coalesce(i.document -> 'lines', i.content -> 'lines'), 'buyer', i.document -> 'buyer',
               'totals', i.document -> 'totals', 'answer', q.answer, 'answered_on', q.answered_on,
               'has_pdf', p.invoice_id IS NOT NULL, 'created_at', i.created_at,
               'appointments', (SELECT json_agg(x.appointment_id) FROM appointment_invoices x
                                WHERE x.tenant_id = i.tenant_id AND x.invoice_id = i.id)) AS "row!"
           FROM invoices i
           LEFT JOIN invoice_balances b ON b.tenant_id = i.tenant_id AND b.invoice_id = i.id
           LEFT JOIN quote_answers q ON q.tenant_id = i.tenant_id AND q.quote_id = i.id
           LEFT JOIN invoice_papers p ON p.tenant_id = i.tenant_id AND p.invoice_id = i.id
           WHERE i.tenant_id = $1 AND i.patient_id = $2 ORDER BY i.created_at, i.id"#
    ),
};

const KINDS: &[(&str, Words)] = &[
    ("invoice", words("facture", "invoice")),
    ("credit_note", words("avoir", "credit note")),
    ("quote", words("devis", "quote")),
];

const LINES: &[Field] = &[
    field("name", "Désignation", "Designation", Text),
    field("net", "Montant HT", "Amount before VAT", Cents),
];

pub(super) static PAYMENTS: PatientSection = Section {
    shape: Shape {
        name: "payments",
        title: words("Vos règlements", "Your payments"),
        tables: &["payments"],
        fields: &[
            field("paid_on", "Date", "Date", Day),
            field("number", "Facture", "Invoice", Text),
            field("kind", "Nature", "Kind", Word(PAYMENTS_ARE)),
            field("amount", "Montant", "Amount", Cents),
            field("method", "Moyen", "Method", Word(METHODS)),
            field("payer", "Par", "By", Word(PAYERS)),
            field("reference", "Référence", "Reference", Text),
            code("id"),
        ],
    },
    read: rows!(
        r#"SELECT json_build_object('id', p.id, 'invoice_id', p.invoice_id, 'number', i.number, 'kind', p.kind,
               'amount', p.amount, 'method', p.method, 'payer', p.payer, 'paid_on', p.paid_on, 'reference', p.reference,
               'recorded_at', p.recorded_at) AS "row!"
           FROM payments p JOIN invoices i ON i.tenant_id = p.tenant_id AND i.id = p.invoice_id
           WHERE p.tenant_id = $1 AND i.patient_id = $2 ORDER BY p.paid_on, p.recorded_at, p.id"#
    ),
};

const PAYMENTS_ARE: &[(&str, Words)] =
    &[("payment", words("règlement", "payment")), ("refund", words("remboursement", "refund"))];

const METHODS: &[(&str, Words)] = &[
    ("card", words("carte", "card")),
    ("cash", words("espèces", "cash")),
    ("cheque", words("chèque", "cheque")),
    ("transfer", words("virement", "transfer")),
    ("direct_debit", words("prélèvement", "direct debit")),
    ("other", words("autre", "other")),
];

const PAYERS: &[(&str, Words)] =
    &[("patient", words("vous", "you")), ("insurer", words("votre mutuelle", "your insurer"))];

pub(super) static MAILS: PatientSection = Section {
    shape: Shape {
        name: "invoice_mails",
        title: words("Courriels au sujet de vos factures", "Mails about your invoices"),
        tables: &["invoice_mails"],
        fields: &[
            field("sent_at", "Envoyé le", "Sent on", Moment),
            field("number", "Facture", "Invoice", Text),
            field("purpose", "Objet", "Purpose", Word(MAILS_ARE)),
            field("status", "État", "Status", Text),
            field("provider", "Prestataire", "Provider", Text),
        ],
    },
    read: rows!(
        r#"SELECT json_build_object('sent_at', m.sent_at, 'number', i.number, 'purpose', m.purpose, 'step', m.step,
               'status', m.status, 'code', m.code, 'provider', m.provider, 'created_at', m.created_at) AS "row!"
           FROM invoice_mails m JOIN invoices i ON i.tenant_id = m.tenant_id AND i.id = m.invoice_id
           WHERE m.tenant_id = $1 AND i.patient_id = $2 ORDER BY m.created_at, m.id"#
    ),
};

const MAILS_ARE: &[(&str, Words)] =
    &[("paper", words("envoi de la facture", "the invoice")), ("reminder", words("relance", "reminder"))];
