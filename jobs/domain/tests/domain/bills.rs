//! A practice that bills: what the tests of numbers, payments and isolation are tried on.

use permanence_domain::{
    billing::{
        self, Answer, CreditedLine, DocumentKind, Invoice, InvoiceContent, NewAnswer, NewCreditNote,
        NewInvoicePreview, NewInvoiceRun, NewInvoiceTemplate, NewPayment, NewService, Payer, PaymentMethod,
    },
    db::{Actor, Db, TenantTx},
    field::{Day, FullName, Label},
    ids::{InvoiceId, TenantId},
    tenants,
};
use serde_json::{Value, json};

/// Makes the practice known as a seller.
pub(crate) async fn sells(tx: &mut TenantTx) {
    let current = tenants::current_settings(tx).await.unwrap();
    let mut document = serde_json::to_value(&current.settings).unwrap();
    document["billing"] = json!({
        "legal_name": "SELARL des Lilas",
        "address": { "line": "12 rue des Lilas", "postcode": "75019", "city": "Paris" },
        "siret": "73282932000074",
    });
    let settings = serde_json::from_value(document).unwrap();
    tenants::update_settings(tx, current.version, &settings).await.unwrap();
}

/// An invoice to a company, as it is written: one line of care.
pub(crate) fn care(cents: i64) -> InvoiceContent {
    written(json!({
        "buyer": { "name": "TechCorp France", "email": "compta@techcorp.example" },
        "lines": [{ "name": "Séance", "unit_price": cents, "vat": { "category": "care" } }],
    }))
}

/// What is kept of a content; it reads as it was written.
pub(crate) fn written(content: Value) -> InvoiceContent {
    serde_json::from_value(content).unwrap()
}

/// A draft, issued.
pub(crate) async fn issued(tx: &mut TenantTx, content: &InvoiceContent) -> Invoice {
    let draft = billing::draft_invoice(tx, content).await.unwrap();
    billing::issue_invoice(tx, draft.id, draft.version).await.unwrap()
}

pub(crate) fn pays(cents: i64, payer: Payer) -> NewPayment {
    NewPayment {
        amount: cents.try_into().unwrap(),
        method: PaymentMethod::Card,
        payer,
        paid_on: None,
        reference: None,
    }
}

pub(crate) fn credit(lines: Vec<CreditedLine>) -> NewCreditNote {
    NewCreditNote { reason: Label::parse("Erreur").unwrap(), lines, amount: None, insurer_share: None }
}

/// A row in each table of billing.
pub(crate) async fn bill(db: &Db, tenant: TenantId) {
    let mut tx = db.tenant(tenant, Actor::JOB).await.unwrap();
    sells(&mut tx).await;
    let service = NewService {
        name: FullName::parse("Séance").unwrap(),
        unit_price: 6000.try_into().unwrap(),
        vat: None,
        automatic: true,
        practitioner_id: None,
        minutes: None,
    };
    billing::add_service(&mut tx, &service).await.unwrap();
    let words = NewInvoiceTemplate { body: "[[items]]\n[[totals]]".to_owned() };
    billing::put_invoice_template(&mut tx, DocumentKind::Invoice, 0, &words).await.unwrap();
    let invoice = issued(&mut tx, &care(6000)).await.id;
    billing::record_payment(&mut tx, invoice, &pays(1000, Payer::Patient)).await.unwrap();
    billing::send_invoice(&mut tx, invoice).await.unwrap();
    let key = billing::paper_key(tenant, invoice, &[7; 32]).unwrap();
    billing::end_paper(&mut tx, invoice, &key, &[7; 32], 1).await.unwrap();
    let quote = billing::draft_quote(&mut tx, &care(6000)).await.unwrap();
    billing::issue_quote(&mut tx, quote.id, quote.version).await.unwrap();
    billing::answer_quote(&mut tx, quote.id, &NewAnswer { answer: Answer::Accepted }).await.unwrap();
    billing::put_logo(&mut tx, &key, 1).await.unwrap();
    let preview = NewInvoicePreview { body: None, language: None };
    billing::preview_invoice_template(&mut tx, DocumentKind::Invoice, &preview).await.unwrap();
    let day = Day::parse("2027-01-04").unwrap();
    billing::start_run(&mut tx, &NewInvoiceRun { from: day, to: day, practitioner_id: None }).await.unwrap();
    beside(&mut tx, invoice).await;
    tx.commit().await.unwrap();
}

/// What only an appointment that is over would bring.
async fn beside(tx: &mut TenantTx, invoice: InvoiceId) {
    let tenant = tx.tenant().0;
    for statement in [
        "INSERT INTO appointment_invoices SELECT tenant_id, id, $2 FROM appointments WHERE tenant_id = $1",
        "INSERT INTO invoice_run_items (tenant_id, run_id, appointment_id, status, invoice_id)
         SELECT a.tenant_id, r.id, a.id, 'issued', $2 FROM appointments a JOIN invoice_runs r USING (tenant_id)
         WHERE tenant_id = $1",
    ] {
        sqlx::query(statement).bind(tenant).bind(invoice.0).execute(tx.conn()).await.unwrap();
    }
}
