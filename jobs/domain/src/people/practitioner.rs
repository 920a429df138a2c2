//! One practitioner: added, changed, removed.

use chrono::{DateTime, Utc};
use deserr::Deserr;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    audit,
    db::TenantTx,
    error::{Error, Invalid, Result},
    field::{AdeliNumber, Label, PersonName, RppsNumber},
    ids::{PractitionerId, UserId},
    page::{Page, PageQuery},
    scheduling,
};

/// A practitioner as the practice writes them down.
#[derive(Debug, Clone, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewPractitioner {
    /// First name.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: PersonName,
    /// Specialty; never part of a message to a patient.
    #[deserr(default)]
    pub specialty: Option<Label>,
    /// RPPS number: 11 digits with a Luhn check digit.
    #[deserr(default)]
    pub rpps_number: Option<RppsNumber>,
    /// ADELI number: 9 digits.
    #[deserr(default)]
    pub adeli_number: Option<AdeliNumber>,
    /// The member who signs in as this practitioner.
    #[deserr(default)]
    pub user_id: Option<UserId>,
}

/// A practitioner.
#[derive(Debug, Serialize, ToSchema)]
pub struct Practitioner {
    /// Identifier.
    pub id: PractitionerId,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Specialty.
    pub specialty: Option<String>,
    /// RPPS number.
    pub rpps_number: Option<String>,
    /// ADELI number.
    pub adeli_number: Option<String>,
    /// The member who signs in as this practitioner.
    pub user_id: Option<UserId>,
    /// Counts the changes, for `If-Match`.
    pub version: i32,
    /// Added at.
    pub created_at: DateTime<Utc>,
    /// Last changed at.
    pub updated_at: DateTime<Utc>,
}

/// What a refused constraint means for the caller.
fn refused(error: sqlx::Error) -> Error {
    match Error::violated(&error) {
        Some("practitioners_rpps") => {
            Error::conflict("rpps_taken", "another practitioner has this RPPS number")
        }
        Some("practitioners_user") => {
            Error::conflict("user_taken", "this member is another practitioner already")
        }
        Some("practitioners_tenant_id_user_id_fkey") => {
            Error::invalid("user_id", "unknown_user", "a member's id")
        }
        _ => error.into(),
    }
}

/// Adds a practitioner.
pub async fn add(tx: &mut TenantTx, new: &NewPractitioner) -> Result<Practitioner> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let id = PractitionerId::new(now);
    sqlx::query!(
        "INSERT INTO practitioners (tenant_id, id, first_name, last_name, specialty, rpps_number, adeli_number,
                                    user_id, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
        tenant.0,
        id.0,
        new.first_name.as_str(),
        new.last_name.as_str(),
        new.specialty.as_ref().map(Label::as_str),
        new.rpps_number.as_ref().map(RppsNumber::as_str),
        new.adeli_number.as_ref().map(AdeliNumber::as_str),
        new.user_id.map(|user| user.0),
        now,
    )
    .execute(tx.conn())
    .await
    .map_err(refused)?;
    audit::record(tx, "practitioner.add", "practitioner", id.0).await?;
    get(tx, id).await
}

/// One practitioner.
pub async fn get(tx: &mut TenantTx, id: PractitionerId) -> Result<Practitioner> {
    sqlx::query_as!(
        Practitioner,
        r#"SELECT id AS "id: PractitionerId", first_name, last_name, specialty, rpps_number, adeli_number,
                  user_id AS "user_id: UserId", version, created_at, updated_at
           FROM practitioners WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL"#,
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("practitioner"))
}

/// The practitioners, by name.
pub async fn list(tx: &mut TenantTx, page: PageQuery) -> Result<Page<Practitioner>> {
    let tenant = tx.tenant();
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM practitioners WHERE tenant_id = $1 AND deleted_at IS NULL"#,
        tenant.0
    )
    .fetch_one(tx.conn())
    .await?;
    let items = sqlx::query_as!(
        Practitioner,
        r#"SELECT id AS "id: PractitionerId", first_name, last_name, specialty, rpps_number, adeli_number,
                  user_id AS "user_id: UserId", version, created_at, updated_at
           FROM practitioners WHERE tenant_id = $1 AND deleted_at IS NULL
           ORDER BY fold(last_name), fold(first_name), id LIMIT $2 OFFSET $3"#,
        tenant.0,
        page.limit(),
        page.offset(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(Page::new(items, page, total))
}

/// Replaces what is known of a practitioner.
pub async fn update(
    tx: &mut TenantTx,
    id: PractitionerId,
    version: i32,
    new: &NewPractitioner,
) -> Result<Practitioner> {
    get(tx, id).await?;
    let (tenant, now) = (tx.tenant(), tx.now());
    let changed = sqlx::query!(
        "UPDATE practitioners
         SET first_name = $4, last_name = $5, specialty = $6, rpps_number = $7, adeli_number = $8, user_id = $9,
             updated_at = $10, version = version + 1
         WHERE tenant_id = $1 AND id = $2 AND version = $3 AND deleted_at IS NULL",
        tenant.0,
        id.0,
        version,
        new.first_name.as_str(),
        new.last_name.as_str(),
        new.specialty.as_ref().map(Label::as_str),
        new.rpps_number.as_ref().map(RppsNumber::as_str),
        new.adeli_number.as_ref().map(AdeliNumber::as_str),
        new.user_id.map(|user| user.0),
        now,
    )
    .execute(tx.conn())
    .await
    .map_err(refused)?;
    if changed.rows_affected() == 0 {
        return Err(Error::Changed("practitioner"));
    }
    audit::record(tx, "practitioner.update", "practitioner", id.0).await?;
    get(tx, id).await
}

/// Removes a practitioner who has no coming appointment.
pub async fn delete(tx: &mut TenantTx, id: PractitionerId) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    // The lock is the one that booking takes: no appointment can slip in between.
    sqlx::query!(
        "SELECT id FROM practitioners WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL FOR NO KEY UPDATE",
        tenant.0,
        id.0
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("practitioner"))?;
    scheduling::refuse_if_booked(tx, scheduling::Resource::Practitioner(id)).await?;
    sqlx::query!(
        "UPDATE practitioners SET deleted_at = $3, updated_at = $3, version = version + 1
         WHERE tenant_id = $1 AND id = $2",
        tenant.0,
        id.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    audit::record(tx, "practitioner.delete", "practitioner", id.0).await
}
