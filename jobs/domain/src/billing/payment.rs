//! What was paid of an invoice and what was given back: noted once, never changed. It moves no money.

use chrono::{DateTime, NaiveDate, SubsecRound, Utc};
use deserr::Deserr;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Balance, Cents, DocumentKind, InvoiceStatus, Paid, Side, balance, invoice};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Invalid, Problem, Result},
    field::{Day, Label},
    ids::{InvoiceId, PaymentId, UserId},
    scheduling::today,
};

/// How money changed hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr, Serialize, sqlx::Type, ToSchema)]
#[deserr(rename_all = lowercase)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum PaymentMethod {
    /// Card.
    Card,
    /// Cash.
    Cash,
    /// Cheque.
    Cheque,
    /// Transfer.
    Transfer,
    /// Direct debit.
    #[deserr(rename = "direct_debit")]
    DirectDebit,
    /// Anything else.
    Other,
}

/// Who pays which part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserr, Serialize, sqlx::Type, ToSchema)]
#[deserr(rename_all = lowercase)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Payer {
    /// The patient, or who buys instead.
    #[default]
    Patient,
    /// The complementary insurer (mutuelle).
    Insurer,
}

/// Whether money came or went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum PaymentKind {
    /// It came.
    Payment,
    /// It was given back.
    Refund,
}

/// A payment to note.
#[derive(Debug, Clone, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewPayment {
    /// Euro cents.
    #[schema(value_type = i64, minimum = 1, example = 2500)]
    pub amount: Paid,
    /// How.
    pub method: PaymentMethod,
    /// Whose part it pays.
    #[deserr(default)]
    #[schema(default = "patient")]
    pub payer: Payer,
    /// When; today where no day is said. Not in the future.
    #[deserr(default)]
    pub paid_on: Option<Day>,
    /// What it is found by, such as a cheque's number.
    #[deserr(default)]
    pub reference: Option<Label>,
}

/// What was paid or given back.
#[derive(Debug, Serialize, ToSchema)]
pub struct Payment {
    /// Identifier.
    pub id: PaymentId,
    /// The invoice.
    pub invoice_id: InvoiceId,
    /// Whether it came or went.
    pub kind: PaymentKind,
    /// Euro cents.
    pub amount: Cents,
    /// How.
    pub method: PaymentMethod,
    /// Whose part.
    pub payer: Payer,
    /// When.
    pub paid_on: NaiveDate,
    /// What it is found by.
    pub reference: Option<String>,
    /// Noted at.
    pub recorded_at: DateTime<Utc>,
    /// Who noted it.
    pub recorded_by: Option<UserId>,
}

/// A payment, and what is left after it.
#[derive(Debug, Serialize, ToSchema)]
pub struct PaymentReceipt {
    /// What was noted.
    #[serde(flatten)]
    #[schema(inline)]
    pub payment: Payment,
    /// How the invoice stands now.
    pub status: InvoiceStatus,
    /// What is left of it.
    pub balance: Balance,
}

/// An invoice's payments, and what is left.
#[derive(Debug, Serialize, ToSchema)]
pub struct PaymentList {
    /// In the order in which they were noted.
    pub items: Vec<Payment>,
    /// How the invoice stands.
    pub status: InvoiceStatus,
    /// What is left of it.
    pub balance: Balance,
}

/// Notes a payment, never above what its payer has left to pay.
pub async fn record_payment(tx: &mut TenantTx, id: InvoiceId, new: &NewPayment) -> Result<PaymentReceipt> {
    record(tx, id, PaymentKind::Payment, new).await
}

/// Notes what was given back, never above what its payer has paid.
pub async fn record_refund(tx: &mut TenantTx, id: InvoiceId, new: &NewPayment) -> Result<PaymentReceipt> {
    record(tx, id, PaymentKind::Refund, new).await
}

async fn record(
    tx: &mut TenantTx,
    invoice: InvoiceId,
    kind: PaymentKind,
    new: &NewPayment,
) -> Result<PaymentReceipt> {
    let paid_on = past(tx, new.paid_on).await?;
    // Two at once take turns here: the second reckons with the first.
    invoice::lock(tx, invoice, &[DocumentKind::Invoice]).await?.issued()?;
    let (_, before) = balance::of(tx, invoice).await?;
    within(kind, new, &before)?;
    // As finely as it is stored: what is answered now is what is read later.
    let (tenant, now, by) = (tx.tenant(), tx.now().trunc_subsecs(6), tx.actor().user);
    let id = PaymentId::new(now);
    sqlx::query!(
        "INSERT INTO payments (tenant_id, id, invoice_id, kind, amount, method, payer, paid_on, reference, recorded_at,
                               recorded_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        tenant.0,
        id.0,
        invoice.0,
        kind as PaymentKind,
        new.amount.get().0,
        new.method as PaymentMethod,
        new.payer as Payer,
        paid_on,
        new.reference.as_ref().map(Label::as_str),
        now,
        by.map(|user| user.0),
    )
    .execute(tx.conn())
    .await?;
    let action = match kind {
        PaymentKind::Payment => "invoice.pay",
        PaymentKind::Refund => "invoice.refund",
    };
    audit::record(tx, action, "invoice", invoice.0).await?;
    let (status, balance) = balance::of(tx, invoice).await?;
    let payment = Payment {
        id,
        invoice_id: invoice,
        kind,
        amount: new.amount.get(),
        method: new.method,
        payer: new.payer,
        paid_on,
        reference: new.reference.as_ref().map(|reference| reference.as_str().to_owned()),
        recorded_at: now,
        recorded_by: by,
    };
    Ok(PaymentReceipt { payment, status, balance })
}

/// The day that was said, or today; money does not change hands in the future.
async fn past(tx: &mut TenantTx, said: Option<Day>) -> Result<NaiveDate> {
    let today = today(tx).await?;
    match said {
        Some(Day(day)) if day > today => {
            let problem = Problem::new("paid_on", "in_the_future", "today or a day before").read(day);
            Err(Invalid(vec![problem]).into())
        }
        said => Ok(said.map_or(today, |day| day.0)),
    }
}

fn within(kind: PaymentKind, new: &NewPayment, balance: &Balance) -> Result<()> {
    let (payer, side): (_, &Side) = match new.payer {
        Payer::Patient => ("patient", &balance.patient),
        Payer::Insurer => ("insurer", &balance.insurer),
    };
    match kind {
        PaymentKind::Payment if new.amount.get() > side.left => Err(Error::conflict(
            "above_balance",
            format!("{} cents are left for the {payer} to pay", side.left.0.max(0)),
        )),
        PaymentKind::Refund if new.amount.get() > side.paid => Err(Error::conflict(
            "above_paid",
            format!("the {payer} has paid {} cents that can be given back", side.paid.0),
        )),
        _ => Ok(()),
    }
}

/// What was paid of an invoice and given back.
pub async fn list_payments(tx: &mut TenantTx, invoice: InvoiceId) -> Result<PaymentList> {
    let (status, balance) = balance::of(tx, invoice).await?;
    let items = sqlx::query_as!(
        Payment,
        r#"SELECT id AS "id: PaymentId", invoice_id AS "invoice_id: InvoiceId", kind AS "kind: PaymentKind",
                  amount AS "amount: Cents", method AS "method: PaymentMethod", payer AS "payer: Payer", paid_on,
                  reference, recorded_at, recorded_by AS "recorded_by: UserId"
           FROM payments WHERE tenant_id = $1 AND invoice_id = $2 ORDER BY recorded_at, id"#,
        tx.tenant().0,
        invoice.0,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(PaymentList { items, status, balance })
}
