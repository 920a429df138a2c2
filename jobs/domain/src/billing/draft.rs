//! The life of a draft, of an invoice or of a quote: written, changed, deleted. What has a number is refused.

use sqlx::types::Json;

use super::{
    Cents, DocumentKind, Invoice, InvoiceContent, appointment, get_invoice,
    invoice::{lock, what},
};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Problem, Problems, Result},
    ids::InvoiceId,
    tenants::{self, Settings},
};

/// Writes a draft.
pub async fn draft_invoice(tx: &mut TenantTx, new: &InvoiceContent) -> Result<Invoice> {
    let settings = tenants::settings(tx).await?;
    let id = write(tx, &settings, DocumentKind::Invoice, new, None).await?;
    audit::record(tx, "invoice.draft", "invoice", id.0).await?;
    get_invoice(tx, id).await
}

/// Keeps a new draft of any kind.
pub(super) async fn write(
    tx: &mut TenantTx,
    settings: &Settings,
    kind: DocumentKind,
    new: &InvoiceContent,
    quote: Option<InvoiceId>,
) -> Result<InvoiceId> {
    let (content, gross) = checked(tx, settings, kind, new).await?;
    let (tenant, now) = (tx.tenant(), tx.now());
    let id = InvoiceId::new(now);
    sqlx::query!(
        "INSERT INTO invoices (tenant_id, id, kind, patient_id, quote_id, content, gross, insurer_share, created_at,
                               updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
        tenant.0,
        id.0,
        kind as DocumentKind,
        content.patient_id.map(|patient| patient.0),
        quote.map(|quote| quote.0),
        Json(&content) as Json<&InvoiceContent>,
        gross.0,
        content.insurer_share().0,
        now,
    )
    .execute(tx.conn())
    .await
    .map_err(refused)?;
    appointment::link(tx, id, content.appointment_id).await?;
    Ok(id)
}

fn refused(error: sqlx::Error) -> Error {
    match Error::violated(&error) {
        Some("invoices_quote") => {
            Error::conflict("quote_invoiced", "the quote has become an invoice already")
        }
        _ => error.into(),
    }
}

/// What is written, completed by what the appointment tells, or all that is wrong with it.
async fn checked(
    tx: &mut TenantTx,
    settings: &Settings,
    kind: DocumentKind,
    new: &InvoiceContent,
) -> Result<(InvoiceContent, Cents)> {
    let mut content = new.clone();
    if let Some(appointment) = content.appointment_id {
        if kind == DocumentKind::Quote {
            let expected = "nothing: a quote is about what is to come";
            return Err(Error::invalid("appointment_id", "not_for_quotes", expected));
        }
        appointment::complete(tx, settings, appointment, &mut content).await?;
    }
    known(tx, &content).await?;
    let gross = content.reckoned(settings)?.totals.gross;
    Ok((content, gross))
}

/// Patient and practitioner are of the practice.
async fn known(tx: &mut TenantTx, content: &InvoiceContent) -> Result<()> {
    let (patient, practitioner) = (content.patient_id, content.practitioner_id);
    let found = sqlx::query!(
        r#"SELECT EXISTS (SELECT FROM patients WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL) AS "patient!",
                  EXISTS (SELECT FROM practitioners WHERE tenant_id = $1 AND id = $3) AS "practitioner!""#,
        tx.tenant().0,
        patient.map(|patient| patient.0),
        practitioner.map(|practitioner| practitioner.0),
    )
    .fetch_one(tx.conn())
    .await?;
    let mut problems = Problems::default();
    if let (Some(patient), false) = (patient, found.patient) {
        let expected = "a patient of the practice";
        problems.push(Problem::new("patient_id", "unknown_patient", expected).read(patient));
    }
    if let (Some(practitioner), false) = (practitioner, found.practitioner) {
        let expected = "a practitioner of the practice";
        problems.push(Problem::new("practitioner_id", "unknown_practitioner", expected).read(practitioner));
    }
    problems.finish()
}

/// Replaces a draft.
pub async fn update_invoice(
    tx: &mut TenantTx,
    id: InvoiceId,
    version: i32,
    new: &InvoiceContent,
) -> Result<Invoice> {
    rewrite(tx, id, DocumentKind::Invoice, version, new).await?;
    audit::record(tx, "invoice.update", "invoice", id.0).await?;
    get_invoice(tx, id).await
}

/// Replaces a draft of any kind.
pub(super) async fn rewrite(
    tx: &mut TenantTx,
    id: InvoiceId,
    kind: DocumentKind,
    version: i32,
    new: &InvoiceContent,
) -> Result<()> {
    let settings = tenants::settings(tx).await?;
    let stored = lock(tx, id, &[kind]).await?;
    stored.still_draft()?;
    if stored.version != version {
        return Err(Error::Changed(what(&[kind])));
    }
    appointment::unlink(tx, id).await?;
    let (content, gross) = checked(tx, &settings, kind, new).await?;
    let (tenant, now) = (tx.tenant(), tx.now());
    sqlx::query!(
        "UPDATE invoices SET patient_id = $3, content = $4, gross = $5, insurer_share = $6, version = version + 1,
                             updated_at = $7
         WHERE tenant_id = $1 AND id = $2",
        tenant.0,
        id.0,
        content.patient_id.map(|patient| patient.0),
        Json(&content) as Json<&InvoiceContent>,
        gross.0,
        content.insurer_share().0,
        now,
    )
    .execute(tx.conn())
    .await?;
    appointment::link(tx, id, content.appointment_id).await
}

/// Deletes a draft. It had no number, so that none is missing.
pub async fn delete_invoice(tx: &mut TenantTx, id: InvoiceId) -> Result<()> {
    remove(tx, id, DocumentKind::Invoice).await?;
    audit::record(tx, "invoice.delete", "invoice", id.0).await
}

/// Deletes a draft of any kind.
pub(super) async fn remove(tx: &mut TenantTx, id: InvoiceId, kind: DocumentKind) -> Result<()> {
    lock(tx, id, &[kind]).await?.still_draft()?;
    sqlx::query!("DELETE FROM invoices WHERE tenant_id = $1 AND id = $2", tx.tenant().0, id.0)
        .execute(tx.conn())
        .await?;
    Ok(())
}
