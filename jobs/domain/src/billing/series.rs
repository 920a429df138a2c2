//! Numbers of invoices, credit notes and quotes: unique, without a gap, in the order of their days (CGI ann. II 242 nonies
//! A). A series belongs to one practice, one prefix and one year.

use chrono::{Datelike, NaiveDate};

use super::{BillingSettings, DocumentKind, SeriesPrefix};
use crate::{db::TenantTx, error::Result};

/// A number and the day that goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Numbered {
    pub(super) number: String,
    pub(super) issued_on: NaiveDate,
}

/// Takes the next number of a series. Its row stays locked until the transaction ends: what can be done before is done
/// before. Rolled back, the number was never taken.
pub(super) async fn take(
    tx: &mut TenantTx,
    billing: &BillingSettings,
    kind: DocumentKind,
    today: NaiveDate,
) -> Result<Numbered> {
    let (family, prefix): (_, &SeriesPrefix) = match kind {
        DocumentKind::Invoice => ("invoice", &billing.invoice_prefix),
        DocumentKind::CreditNote => ("invoice", &billing.credit_note_prefix),
        DocumentKind::Quote => ("quote", &billing.quote_prefix),
    };
    let year = today.year();
    // A transaction that began before midnight may come after one that began after it: no number is dated before the
    // one that precedes it.
    let taken = sqlx::query!(
        "INSERT INTO invoice_series AS s (tenant_id, family, prefix, year, last, last_issued_on)
         VALUES ($1, $2, $3, $4, 1, $5)
         ON CONFLICT (tenant_id, family, prefix, year) DO UPDATE
         SET last = s.last + 1, last_issued_on = greatest(s.last_issued_on, excluded.last_issued_on)
         RETURNING last, last_issued_on",
        tx.tenant().0,
        family,
        prefix.as_str(),
        year,
        today,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Numbered {
        number: format!("{}{year}-{:06}", prefix.as_str(), taken.last),
        issued_on: taken.last_issued_on,
    })
}
