//! What an employee may book: the practitioners of the practices that the company has an agreement with, and their slots.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    db::{SystemTx, TenantTx},
    error::{Error, Problem, Result},
    ids::{PractitionerId, TenantId},
    scheduling::{self, AvailableSlots, Slot, SlotQuery},
    tenants,
};

/// A practitioner whom an employee may book.
#[derive(Debug, Serialize, ToSchema)]
pub struct OfferedPractitioner {
    /// Identifier.
    pub id: PractitionerId,
    /// Name.
    pub name: String,
    /// Specialty.
    pub specialty: Option<String>,
    /// The practice's name.
    pub practice_name: String,
}

/// Times to book.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsultationSlots {
    /// Whose.
    pub practitioner_id: PractitionerId,
    /// The practice's zone.
    pub time_zone: String,
    /// The times that are free, by begin.
    pub items: Vec<Slot>,
}

/// The practitioners whom the caller may book, by name. The transaction ends across tenants.
pub async fn offered(mut tx: TenantTx) -> Result<(SystemTx, Vec<OfferedPractitioner>)> {
    tenants::require_active(&mut tx).await?;
    let company = tx.tenant();
    let mut tx = tx.widen().await?;
    let offered = sqlx::query_as!(
        OfferedPractitioner,
        r#"SELECT p.id AS "id: PractitionerId", p.first_name || ' ' || p.last_name AS "name!", p.specialty,
                  t.name AS practice_name
           FROM company_practices c
           JOIN tenants t ON t.id = c.practice_id
           JOIN practitioners p ON p.tenant_id = c.practice_id AND p.deleted_at IS NULL
           WHERE c.tenant_id = $1 ORDER BY fold(p.last_name), fold(p.first_name), p.id"#,
        company.0
    )
    .fetch_all(tx.conn())
    .await?;
    Ok((tx, offered))
}

/// The practice of a practitioner whom a company's employees may book.
pub(super) async fn practice_of(
    tx: &mut SystemTx,
    company: TenantId,
    practitioner: PractitionerId,
) -> Result<TenantId> {
    let practice = sqlx::query_scalar!(
        r#"SELECT p.tenant_id AS "tenant: TenantId"
           FROM practitioners p JOIN company_practices c ON c.practice_id = p.tenant_id AND c.tenant_id = $1
           WHERE p.id = $2 AND p.deleted_at IS NULL"#,
        company.0,
        practitioner.0,
    )
    .fetch_optional(tx.conn())
    .await?;
    practice.ok_or_else(|| {
        let expected = "a practitioner of a practice that the company works with";
        let problem = Problem::new("practitioner_id", "unknown_practitioner", expected).read(practitioner);
        crate::Invalid(vec![problem]).into()
    })
}

/// The times at which a practitioner may be booked. Those that are taken are left out: whose they are is the practice's.
pub async fn offered_slots(mut tx: TenantTx, query: &SlotQuery) -> Result<(TenantTx, ConsultationSlots)> {
    tenants::require_active(&mut tx).await?;
    let company = tx.tenant();
    let mut tx = tx.widen().await?;
    let practice = practice_of(&mut tx, company, query.practitioner_id).await?;
    let mut tx = tx.narrow(practice).await?;
    let AvailableSlots { practitioner_id, time_zone, items } =
        scheduling::available_slots(&mut tx, query).await.map_err(|error| match error {
            // Deleted in between.
            Error::NotFound(_) => Error::NotFound("practitioner"),
            error => error,
        })?;
    let items =
        items.into_iter().filter(|slot| slot.available).map(|slot| Slot { room_id: None, ..slot }).collect();
    Ok((tx, ConsultationSlots { practitioner_id, time_zone, items }))
}
