//! Mails about invoices: the paper to its buyer on request, and the reminders of what is overdue, once for each step. The
//! intent is noted before a mail leaves, and how it ended after; this sends nothing itself.

use chrono::{DateTime, Duration, Utc};
use permanence_queue::NewJob;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Cents, DocumentKind, InvoiceStatus, Paper, balance, invoice,
    jobs::{RemindDebtor, SendInvoice},
    paper_of_invoice,
};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Result},
    ids::{InvoiceId, InvoiceMailId},
    notifications::{self, content::InvoiceMail},
    scheduling::today,
    tenants::{self, Settings},
};

/// How long a mail waits for its paper before it looks again.
const MAKING: Duration = Duration::seconds(10);

/// What a mail about an invoice is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum InvoiceMailPurpose {
    /// It carries the paper.
    Paper,
    /// It reminds of what is overdue.
    Reminder,
}

/// A mail about an invoice, and how it stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvoiceMailLog {
    /// Identifier.
    pub id: InvoiceMailId,
    /// What it is for.
    pub purpose: InvoiceMailPurpose,
    /// Of a reminder: how many days after the last day to pay it is meant for.
    pub step: Option<i32>,
    /// `planned`, `sending`, `sent`, `failed`, `uncertain` or `cancelled`.
    pub status: String,
    /// The reason or the provider's code.
    pub code: Option<String>,
    /// Asked for at.
    pub created_at: DateTime<Utc>,
    /// Taken by the provider at.
    pub sent_at: Option<DateTime<Utc>>,
}

/// The mails about an invoice.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvoiceMailList {
    /// In the order in which they were asked for.
    pub items: Vec<InvoiceMailLog>,
}

/// A mail that is to leave.
#[derive(Debug)]
pub struct OutgoingInvoiceMail {
    /// The mail: the idempotency key of the sending.
    pub id: InvoiceMailId,
    /// What it is for.
    pub purpose: InvoiceMailPurpose,
    /// Where it goes.
    pub to: String,
    /// What it tells.
    pub mail: InvoiceMail,
    /// The paper that it carries.
    pub paper: Option<Paper>,
    /// The practice's settings.
    pub settings: Settings,
}

/// What the sending job finds.
#[derive(Debug)]
pub enum InvoiceMailStart {
    /// The intent is noted: commit, then send this.
    Send(Box<OutgoingInvoiceMail>),
    /// An earlier attempt noted its intent and never its receipt: it may have left, and is not sent again.
    Uncertain,
    /// It is too early: quiet hours, or the paper is still being made.
    Wait(Duration),
    /// There is nothing to send: sent already, or nothing is owed any more.
    Settled,
}

/// Asks for a mail with the paper to the buyer.
pub async fn send_invoice(tx: &mut TenantTx, id: InvoiceId) -> Result<InvoiceMailLog> {
    let stored = invoice::find(tx, id, &invoice::BILLS).await?;
    if stored.issued()?.buyer.email.is_none() {
        return Err(Error::conflict(
            "buyer_without_email",
            "no address of the buyer was known when it was issued",
        ));
    }
    let mail = plan(tx, id, None).await?;
    tx.enqueue(NewJob::of(&SendInvoice { mail_id: mail })?).await?;
    audit::record(tx, "invoice.send", "invoice", id.0).await?;
    let list = list_invoice_mails(tx, id).await?;
    list.items
        .into_iter()
        .find(|log| log.id == mail)
        .ok_or_else(|| Error::internal("a planned mail has vanished"))
}

async fn plan(tx: &mut TenantTx, invoice: InvoiceId, step: Option<i32>) -> Result<InvoiceMailId> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let id = InvoiceMailId::new(now);
    sqlx::query!(
        "INSERT INTO invoice_mails (tenant_id, id, invoice_id, purpose, step, created_at, updated_at)
         VALUES ($1, $2, $3, CASE WHEN $4::integer IS NULL THEN 'paper' ELSE 'reminder' END, $4, $5, $5)",
        tenant.0,
        id.0,
        invoice.0,
        step,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(id)
}

/// The mails about an invoice, in the order in which they were asked for.
pub async fn list_invoice_mails(tx: &mut TenantTx, id: InvoiceId) -> Result<InvoiceMailList> {
    invoice::find(tx, id, &invoice::BILLS).await?;
    let items = sqlx::query_as!(
        InvoiceMailLog,
        r#"SELECT id AS "id: InvoiceMailId", purpose AS "purpose: InvoiceMailPurpose", step, status, code, created_at,
                  sent_at
           FROM invoice_mails WHERE tenant_id = $1 AND invoice_id = $2 ORDER BY created_at, id"#,
        tx.tenant().0,
        id.0,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(InvoiceMailList { items })
}

/// Plans the reminders that are due today, at most `most` of them; answers how many. Of the steps that have passed the last
/// counts, and each is planned once, so that a practice that was away does not send all of them in a row.
pub async fn plan_reminders(tx: &mut TenantTx, most: i64) -> Result<usize> {
    let settings = tenants::settings(tx).await?;
    let Some(billing) = &settings.billing else { return Ok(0) };
    let days: Vec<i32> =
        billing.reminder_days.days().iter().filter_map(|day| i32::try_from(*day).ok()).collect();
    let today = today(tx).await?;
    let due = sqlx::query!(
        r#"SELECT i.id AS "id: InvoiceId", s.step AS "step!"
           FROM invoices i
           JOIN invoice_states b ON b.tenant_id = i.tenant_id AND b.invoice_id = i.id,
                LATERAL (SELECT max(d) AS step FROM unnest($2::integer[]) AS d WHERE i.due_on + d <= $3) AS s
           WHERE i.tenant_id = $1 AND s.step IS NOT NULL
             AND b.patient_left > 0 AND i.document #>> '{buyer,email}' IS NOT NULL
             AND NOT EXISTS (SELECT FROM invoice_mails m
                             WHERE m.tenant_id = i.tenant_id AND m.invoice_id = i.id AND m.step >= s.step)
           ORDER BY i.due_on, i.id LIMIT $4"#,
        tx.tenant().0,
        &days,
        today,
        most,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut jobs = Vec::new();
    for row in &due {
        let mail_id = plan(tx, row.id, Some(row.step)).await?;
        jobs.push(NewJob::of(&RemindDebtor { mail_id })?);
    }
    tx.enqueue_all(jobs).await?;
    Ok(due.len())
}

struct Planned {
    invoice_id: InvoiceId,
    purpose: InvoiceMailPurpose,
    status: String,
    practice_name: String,
    practice_phone: Option<String>,
}

/// Checks that the mail is still wanted and notes the intent to send it. The caller commits before it sends.
pub async fn begin_invoice_mail(tx: &mut TenantTx, id: InvoiceMailId) -> Result<InvoiceMailStart> {
    let planned = sqlx::query_as!(
        Planned,
        r#"SELECT m.invoice_id AS "invoice_id: InvoiceId", m.purpose AS "purpose: InvoiceMailPurpose", m.status,
                  t.name AS practice_name, t.phone AS practice_phone
           FROM invoice_mails m JOIN tenants t ON t.id = m.tenant_id
           WHERE m.tenant_id = $1 AND m.id = $2 FOR UPDATE OF m"#,
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(planned) = planned else { return Ok(InvoiceMailStart::Settled) };
    match planned.status.as_str() {
        "planned" => {}
        "sending" => return Ok(InvoiceMailStart::Uncertain),
        _ => return Ok(InvoiceMailStart::Settled),
    }
    let settings = tenants::settings(tx).await?;
    if let Some(wait) = notifications::quiet(&settings, tx.now()) {
        return Ok(InvoiceMailStart::Wait(wait));
    }
    let paper = match planned.purpose {
        InvoiceMailPurpose::Reminder => None,
        InvoiceMailPurpose::Paper => match paper_of_invoice(tx, planned.invoice_id).await? {
            None => return Ok(InvoiceMailStart::Wait(MAKING)),
            paper => paper,
        },
    };
    let purpose = planned.purpose;
    match addressed(tx, planned).await? {
        Err(reason) => {
            settle(tx, id, "cancelled", Some(reason)).await?;
            Ok(InvoiceMailStart::Settled)
        }
        Ok((to, mail)) => {
            settle(tx, id, "sending", None).await?;
            let outgoing = OutgoingInvoiceMail { id, purpose, to, mail, paper, settings };
            Ok(InvoiceMailStart::Send(Box::new(outgoing)))
        }
    }
}

/// What a mail tells and where it goes, or why it is not wanted any more.
async fn addressed(
    tx: &mut TenantTx,
    planned: Planned,
) -> Result<std::result::Result<(String, InvoiceMail), &'static str>> {
    let stored = invoice::find(tx, planned.invoice_id, &invoice::BILLS).await?;
    let document = stored.issued()?.clone();
    let left = match stored.kind {
        DocumentKind::Invoice => left(tx, planned.invoice_id).await?,
        _ => Cents::ZERO,
    };
    if planned.purpose == InvoiceMailPurpose::Reminder && left <= Cents::ZERO {
        return Ok(Err("nothing_owed"));
    }
    let Some(to) = document.buyer.email else { return Ok(Err("buyer_without_email")) };
    let mail = InvoiceMail {
        practice_name: planned.practice_name,
        practice_phone: planned.practice_phone,
        buyer_name: document.buyer.name,
        kind: stored.kind,
        number: document.number,
        issued_on: document.issued_on,
        due_on: document.due_on,
        gross: document.totals.gross,
        left,
        iban: document.terms.iban,
        language: document.language,
    };
    Ok(Ok((to, mail)))
}

/// What is left for the buyer to pay; nothing of what is cancelled.
async fn left(tx: &mut TenantTx, id: InvoiceId) -> Result<Cents> {
    let (status, balance) = balance::of(tx, id).await?;
    Ok(if status == InvoiceStatus::Cancelled { Cents::ZERO } else { balance.patient.left })
}

async fn settle(tx: &mut TenantTx, id: InvoiceMailId, status: &str, code: Option<&str>) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    sqlx::query!(
        "UPDATE invoice_mails SET status = $3, code = $4, updated_at = $5 WHERE tenant_id = $1 AND id = $2",
        tenant.0,
        id.0,
        status,
        code,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes how the sending ended: `sent`, `planned` (certainly not taken, to be tried again), `failed` or `uncertain`. A
/// receipt always counts; anything else only while nobody else has settled it.
pub async fn end_invoice_mail(
    tx: &mut TenantTx,
    id: InvoiceMailId,
    status: &str,
    code: Option<&str>,
    receipt: Option<(&str, &str)>,
) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    sqlx::query!(
        "UPDATE invoice_mails
         SET status = $3, code = $4, provider = $5, provider_message_id = $6, updated_at = $7,
             sent_at = CASE WHEN $3 = 'sent' THEN $7::timestamptz END
         WHERE tenant_id = $1 AND id = $2 AND (status = 'sending' OR $3 = 'sent' AND status <> 'sent')",
        tenant.0,
        id.0,
        status,
        code,
        receipt.map(|(provider, _)| provider),
        receipt.map(|(_, message)| message),
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
