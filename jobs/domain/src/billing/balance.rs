//! What is left to pay, by whom and since when. All of it is reckoned from invoices, credit notes and payments at the moment
//! it is asked for; nothing is kept.

use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Cents, InvoiceStatus};
use crate::{
    db::TenantTx,
    error::{Error, Result},
    ids::InvoiceId,
    scheduling::today,
};

/// What is paid and left of an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Balance {
    /// With VAT.
    pub gross: Cents,
    /// Taken back by credit notes.
    pub credited: Cents,
    /// Paid, less what was given back.
    pub paid: Cents,
    /// Left to pay; below zero where more was paid than is owed, which is to be given back.
    pub left: Cents,
    /// The patient's part, or the buyer's.
    pub patient: Side,
    /// The complementary insurer's part.
    pub insurer: Side,
}

/// One payer's part of an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Side {
    /// Its part of the whole.
    pub share: Cents,
    /// Of it, taken back by credit notes.
    pub credited: Cents,
    /// Paid, less what was given back.
    pub paid: Cents,
    /// Left to pay; below zero where it is to be given back.
    pub left: Cents,
}

/// Who is owed how much, and since when.
#[derive(Debug, Serialize, ToSchema)]
pub struct Receivables {
    /// The day that it is reckoned for: today by the practice's clocks.
    pub as_of: NaiveDate,
    /// What patients and other buyers owe.
    pub patient: Aged,
    /// What complementary insurers owe.
    pub insurer: Aged,
    /// Both.
    pub total: Aged,
}

/// What is left to pay by the days since the last day to pay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Aged {
    /// Not due yet, or due today.
    pub not_due: Cents,
    /// 1 to 30 days.
    pub days_30: Cents,
    /// 31 to 60 days.
    pub days_60: Cents,
    /// 61 to 90 days.
    pub days_90: Cents,
    /// More than 90 days.
    pub older: Cents,
    /// All of it.
    pub total: Cents,
}

/// How an invoice stands, and what is left of it.
pub(super) async fn of(tx: &mut TenantTx, id: InvoiceId) -> Result<(InvoiceStatus, Balance)> {
    let row = sqlx::query!(
        r#"SELECT gross AS "gross!: Cents", status AS "status!: InvoiceStatus",
                  patient_share AS "patient_share!: Cents", patient_credited AS "patient_credited!: Cents",
                  patient_paid AS "patient_paid!: Cents", patient_left AS "patient_left!: Cents",
                  insurer_share AS "insurer_share!: Cents", insurer_credited AS "insurer_credited!: Cents",
                  insurer_paid AS "insurer_paid!: Cents", insurer_left AS "insurer_left!: Cents"
           FROM invoice_balances WHERE tenant_id = $1 AND invoice_id = $2"#,
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("invoice"))?;
    let patient = Side {
        share: row.patient_share,
        credited: row.patient_credited,
        paid: row.patient_paid,
        left: row.patient_left,
    };
    let insurer = Side {
        share: row.insurer_share,
        credited: row.insurer_credited,
        paid: row.insurer_paid,
        left: row.insurer_left,
    };
    Ok((row.status, Balance::new(row.gross, patient, insurer)))
}

impl Balance {
    /// The whole of two parts.
    fn new(gross: Cents, patient: Side, insurer: Side) -> Self {
        Self {
            gross,
            credited: patient.credited + insurer.credited,
            paid: patient.paid + insurer.paid,
            left: patient.left + insurer.left,
            patient,
            insurer,
        }
    }

    /// Of an invoice that has just been issued.
    pub(super) fn untouched(gross: Cents, insurer_share: Cents) -> Self {
        let side = |share| Side { share, credited: Cents::ZERO, paid: Cents::ZERO, left: share };
        Self::new(gross, side(gross - insurer_share), side(insurer_share))
    }
}

/// What is owed to the practice today, by payer and age.
pub async fn receivables(tx: &mut TenantTx) -> Result<Receivables> {
    let as_of = today(tx).await?;
    // What is to be given back is not subtracted from what others owe.
    let rows = sqlx::query!(
        r#"SELECT p.payer AS "payer!", width_bucket($2 - i.due_on, ARRAY[1, 31, 61, 91]) AS "age!",
                  sum(p.open)::bigint AS "open!: Cents"
           FROM invoices i
           JOIN invoice_states b ON b.tenant_id = i.tenant_id AND b.invoice_id = i.id,
                LATERAL (VALUES ('patient', b.patient_left), ('insurer', b.insurer_left)) AS p (payer, open)
           WHERE i.tenant_id = $1 AND (b.patient_left > 0 OR b.insurer_left > 0) AND p.open > 0
           GROUP BY 1, 2"#,
        tx.tenant().0,
        as_of,
    )
    .fetch_all(tx.conn())
    .await?;
    let (mut patient, mut insurer) = (Aged::default(), Aged::default());
    for row in rows {
        let side = if row.payer == "insurer" { &mut insurer } else { &mut patient };
        side.add(row.age, row.open);
    }
    Ok(Receivables { as_of, patient, insurer, total: patient.and(insurer) })
}

impl Aged {
    fn add(&mut self, age: i32, open: Cents) {
        let bucket = match age {
            0 => &mut self.not_due,
            1 => &mut self.days_30,
            2 => &mut self.days_60,
            3 => &mut self.days_90,
            _ => &mut self.older,
        };
        *bucket += open;
        self.total += open;
    }

    fn and(self, other: Self) -> Self {
        Self {
            not_due: self.not_due + other.not_due,
            days_30: self.days_30 + other.days_30,
            days_60: self.days_60 + other.days_60,
            days_90: self.days_90 + other.days_90,
            older: self.older + other.older,
            total: self.total + other.total,
        }
    }
}
