//! The requests of a practice's patients: those first that wait for an answer, by their last day.

use deserr::Deserr;
use utoipa::IntoParams;

use super::{AccessRequest, Standing, row::select_requests};
use crate::{
    db::TenantTx,
    error::{Invalid, Result},
    ids::{AccessRequestId, ExportId, PatientId, UserId},
    page::{Count, Page, PageQuery},
    scheduling::today,
};

/// Which requests.
#[derive(Debug, Clone, Copy, Deserr, IntoParams)]
#[into_params(parameter_in = Query)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct AccessRequestQuery {
    /// Those that stand so; all where it is left out.
    #[deserr(default)]
    #[param(inline)]
    pub standing: Option<Standing>,
    /// Number of the page, from 1.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, example = 1)]
    pub page: Count<1, 100_000>,
    /// Rows on a page, 1 to 100.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 50)]
    pub limit: Count<50, 100>,
}

/// A page of the patients' requests: those that wait by their last day, then the others, the newest first. A user's own is nobody else's
/// business.
pub async fn list(tx: &mut TenantTx, query: &AccessRequestQuery) -> Result<Page<AccessRequest>> {
    let (tenant, today) = (tx.tenant(), today(tx).await?);
    let page = PageQuery { page: query.page, limit: query.limit };
    let standing = query.standing.map(Standing::name);
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!"
           FROM access_requests r
           LEFT JOIN open_access_requests o ON o.tenant_id = r.tenant_id AND o.id = r.id
           LEFT JOIN patients p ON p.tenant_id = r.tenant_id AND p.id = r.patient_id
           WHERE r.tenant_id = $1 AND r.patient_id IS NOT NULL AND ($2::text IS NULL OR $2 = CASE
               WHEN o.due_on < $3 THEN 'overdue' WHEN o.id IS NOT NULL THEN 'open'
               WHEN r.fetched_at IS NULL AND p.erased_at IS NOT NULL THEN 'void' ELSE 'answered' END)"#,
        tenant.0,
        standing,
        today,
    )
    .fetch_one(tx.conn())
    .await?;
    let rows = select_requests!(
        "WHERE r.tenant_id = $1 AND r.patient_id IS NOT NULL AND ($2::text IS NULL OR $2 = CASE
             WHEN o.due_on < $3 THEN 'overdue' WHEN o.id IS NOT NULL THEN 'open'
             WHEN r.fetched_at IS NULL AND p.erased_at IS NOT NULL THEN 'void' ELSE 'answered' END)
         ORDER BY o.due_on NULLS LAST, r.requested_at DESC, r.id DESC LIMIT $4 OFFSET $5",
        tenant.0,
        standing,
        today,
        page.limit(),
        page.offset(),
    )
    .fetch_all(tx.conn())
    .await?;
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        items.push(row.on(tx, today).await?);
    }
    Ok(Page::new(items, page, total))
}
