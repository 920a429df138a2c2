//! The consultations that somebody takes part in: an employee's with whichever practice, a practitioner's in their own.

use super::{
    Consultation, ConsultationStatus, Side,
    consultation::{BillingStatus, select_consultations},
};
use crate::{
    db::TenantTx,
    error::{Error, Result},
    identity::Role,
    ids::{AppointmentId, ConsultationId, TenantId},
    operations::JobsTx,
    page::{Page, PageQuery},
};

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All, the newest first.
    All,
    /// Those that are to take place or are under way, the next first.
    Upcoming,
    /// Those that are over, cancelled or missed, the newest first.
    History,
}

/// A page of consultations, and the transaction in which it was read.
pub type ConsultationPage = (JobsTx, Page<Consultation>);

/// The caller's consultations.
pub async fn list(tx: TenantTx, role: Role, which: Which, page: PageQuery) -> Result<ConsultationPage> {
    let (tenant, user) = (tx.tenant(), tx.actor().user.ok_or(Error::NotFound("user"))?);
    let conducts = Side::of(role) == Side::Practitioner;
    // A practitioner's are all in the practice; an employee's are found across tenants, bound to company and person.
    let mut tx = if conducts { JobsTx::Own(tx) } else { JobsTx::All(tx.widen().await?) };
    let upcoming = (which != Which::All).then_some(which == Which::Upcoming);
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!"
           FROM consultations c
           JOIN appointments a ON a.tenant_id = c.tenant_id AND a.id = c.appointment_id
           JOIN practitioners p ON p.tenant_id = a.tenant_id AND p.id = a.practitioner_id
           WHERE CASE WHEN $1 THEN c.tenant_id = $2 AND p.user_id = $3 ELSE c.company_id = $2 AND c.employee_id = $3 END
             AND ($4::boolean IS NULL OR (c.status IN ('scheduled', 'confirmed', 'in_progress')) = $4)"#,
        conducts,
        tenant.0,
        user.0,
        upcoming,
    )
    .fetch_one(tx.conn())
    .await?;
    let rows = select_consultations!(
        "CASE WHEN $1 THEN c.tenant_id = $2 AND p.user_id = $3 ELSE c.company_id = $2 AND c.employee_id = $3 END
           AND ($4::boolean IS NULL OR (c.status IN ('scheduled', 'confirmed', 'in_progress')) = $4)
         ORDER BY CASE WHEN $4 THEN a.starts_at END, a.starts_at DESC, c.id LIMIT $5 OFFSET $6",
        conducts,
        tenant.0,
        user.0,
        upcoming,
        page.limit(),
        page.offset(),
    )
    .fetch_all(tx.conn())
    .await?;
    let items = rows.into_iter().map(Consultation::from).collect();
    Ok((tx, Page::new(items, page, total)))
}
