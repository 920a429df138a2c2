//! Who owes what, one by one: the aged balance for whoever telephones. Reckoned when it is asked for, like every balance.

use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Aged, Cents, Payer};
use crate::{
    db::TenantTx,
    error::Result,
    ids::PatientId,
    page::{Page, PageQuery},
    scheduling::today,
};

/// Somebody who owes something.
#[derive(Debug, Serialize, ToSchema)]
pub struct Debtor {
    /// Whether it is a patient or another buyer, or a complementary insurer.
    pub payer: Payer,
    /// The name on the invoices; none where an insurer was not named.
    pub name: Option<String>,
    /// The patient, where that is who is to pay.
    pub patient_id: Option<PatientId>,
    /// Invoices of which something is left.
    pub invoices: i64,
    /// The earliest last day to pay among them.
    pub due_since: NaiveDate,
    /// What is left by the days since the last day to pay.
    pub owed: Aged,
}

/// A page of those who owe something today, whoever owes the most first.
pub async fn list_debtors(tx: &mut TenantTx, page: PageQuery) -> Result<Page<Debtor>> {
    let today = today(tx).await?;
    let (items, total) = find(tx, today, page.limit(), page.offset()).await?;
    // A page beyond the last has no row to tell how many there are.
    let total = match total {
        None if page.offset() > 0 => find(tx, today, 1, 0).await?.1,
        total => total,
    };
    Ok(Page::new(items, page, total.unwrap_or(0)))
}

async fn find(
    tx: &mut TenantTx,
    today: NaiveDate,
    limit: i64,
    offset: i64,
) -> Result<(Vec<Debtor>, Option<i64>)> {
    let rows = sqlx::query!(
        r#"WITH owed AS (
               SELECT p.payer, p.open, i.due_on, width_bucket($2 - i.due_on, ARRAY[1, 31, 61, 91]) AS age,
                      CASE p.payer WHEN 'patient' THEN i.document #>> '{buyer,name}'
                                   ELSE i.document #>> '{shares,insurer_name}' END AS name,
                      CASE WHEN p.payer = 'patient' AND i.content ->> 'buyer' IS NULL THEN i.patient_id END AS patient
               FROM invoices i
               JOIN invoice_states b ON b.tenant_id = i.tenant_id AND b.invoice_id = i.id,
                    LATERAL (VALUES ('patient', b.patient_left), ('insurer', b.insurer_left)) AS p (payer, open)
               WHERE i.tenant_id = $1 AND (b.patient_left > 0 OR b.insurer_left > 0) AND p.open > 0
           )
           -- A patient is one, whatever the name was on each invoice; the newest is shown.
           SELECT payer AS "payer!: Payer", (array_agg(name ORDER BY due_on DESC))[1] AS name,
                  patient AS "patient?: PatientId", count(*) AS "invoices!", min(due_on) AS "due_since!",
                  coalesce(sum(open) FILTER (WHERE age = 0), 0)::bigint AS "not_due!: Cents",
                  coalesce(sum(open) FILTER (WHERE age = 1), 0)::bigint AS "days_30!: Cents",
                  coalesce(sum(open) FILTER (WHERE age = 2), 0)::bigint AS "days_60!: Cents",
                  coalesce(sum(open) FILTER (WHERE age = 3), 0)::bigint AS "days_90!: Cents",
                  coalesce(sum(open) FILTER (WHERE age = 4), 0)::bigint AS "older!: Cents",
                  sum(open)::bigint AS "total!: Cents", count(*) OVER () AS "debtors!"
           FROM owed GROUP BY payer, patient, CASE WHEN patient IS NULL THEN name END
           ORDER BY sum(open) DESC, 5, 2, 3 LIMIT $3 OFFSET $4"#,
        tx.tenant().0,
        today,
        limit,
        offset,
    )
    .fetch_all(tx.conn())
    .await?;
    let debtors = rows.first().map(|row| row.debtors);
    let items = rows.into_iter().map(|row| Debtor {
        payer: row.payer,
        name: row.name,
        patient_id: row.patient,
        invoices: row.invoices,
        due_since: row.due_since,
        owed: Aged {
            not_due: row.not_due,
            days_30: row.days_30,
            days_60: row.days_60,
            days_90: row.days_90,
            older: row.older,
            total: row.total,
        },
    });
    Ok((items.collect(), debtors))
}
