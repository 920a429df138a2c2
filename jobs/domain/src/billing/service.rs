//! What the practice charges for, and which of it an appointment is.

use chrono::{DateTime, Utc};
use deserr::{Deserr, ValuePointerRef};
use serde::Serialize;
use sqlx::types::Json;
use utoipa::ToSchema;

use super::{Cents, NewLine, NewVat, Price};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Invalid, Problem, Result, child},
    field::{FullName, Whole},
    ids::{PractitionerId, ServiceId},
    page::{Page, PageQuery},
    tenants::{self, Settings},
};

/// A service as the practice writes it down.
#[derive(Debug, Clone, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields, validate = narrowed -> Invalid)]
pub struct NewService {
    /// Its name, unlike any other service's, as it stands on invoices.
    #[schema(example = "Séance d'ostéopathie")]
    pub name: FullName,
    /// Price before VAT, euro cents.
    #[schema(value_type = i64, minimum = 0, maximum = 100_000_000, example = 6000)]
    pub unit_price: Price,
    /// Its VAT; the practice's usual one where none is said.
    #[deserr(default)]
    pub vat: Option<NewVat>,
    /// Whether an appointment that names no service is charged by this one. The most fitting is taken: one of the
    /// practitioner and the length, of the practitioner, of the length, of neither.
    #[deserr(default)]
    #[schema(default = false)]
    pub automatic: bool,
    /// Of an automatic one: only for appointments with this practitioner.
    #[deserr(default)]
    pub practitioner_id: Option<PractitionerId>,
    /// Of an automatic one: only for appointments of this length, minutes.
    #[deserr(default)]
    #[schema(value_type = Option<u32>, minimum = 5, maximum = 720)]
    pub minutes: Option<Whole<30, 5, 720>>,
}

/// A service.
#[derive(Debug, Serialize, ToSchema)]
pub struct Service {
    /// Identifier.
    pub id: ServiceId,
    /// Its name.
    pub name: String,
    /// Price before VAT.
    pub unit_price: Cents,
    /// Its VAT; `null` for the practice's usual one.
    #[schema(value_type = Option<NewVat>)]
    pub vat: Option<Json<NewVat>>,
    /// Whether an appointment that names no service is charged by it.
    pub automatic: bool,
    /// Only for appointments with this practitioner.
    pub practitioner_id: Option<PractitionerId>,
    /// Only for appointments of this length, minutes.
    pub minutes: Option<i32>,
    /// Counts the changes, for `If-Match`.
    pub version: i32,
    /// Added at.
    pub created_at: DateTime<Utc>,
    /// Last changed at.
    pub updated_at: DateTime<Utc>,
}

fn narrowed(service: NewService, location: ValuePointerRef<'_>) -> Result<NewService, Invalid> {
    if !service.automatic && (service.practitioner_id.is_some() || service.minutes.is_some()) {
        let expected = "true, for practitioner_id or minutes say which appointments it is taken for";
        return Err(Invalid(vec![Problem::new(child(location, "automatic"), "not_automatic", expected)]));
    }
    Ok(service)
}

fn refused(error: sqlx::Error) -> Error {
    match Error::violated(&error) {
        Some("services_name") => Error::conflict("name_taken", "another service has this name"),
        Some("services_automatic") => Error::conflict(
            "automatic_taken",
            "another service is automatic for the same practitioner and length",
        ),
        Some("services_tenant_id_practitioner_id_fkey") => {
            Error::invalid("practitioner_id", "unknown_practitioner", "a practitioner of the practice")
        }
        _ => error.into(),
    }
}

async fn check(tx: &mut TenantTx, new: &NewService) -> Result<()> {
    let settings = tenants::settings(tx).await?;
    let of_vat = |problem: Problem| Problem { field: format!("vat.{}", problem.field), ..problem };
    NewVat::of(new.vat, &settings).map_err(|problem| Invalid(vec![of_vat(problem)]))?;
    Ok(())
}

/// Adds a service.
pub async fn add_service(tx: &mut TenantTx, new: &NewService) -> Result<Service> {
    check(tx, new).await?;
    let (tenant, now) = (tx.tenant(), tx.now());
    let id = ServiceId::new(now);
    sqlx::query!(
        "INSERT INTO services (tenant_id, id, name, unit_price, vat, automatic, practitioner_id, minutes, created_at,
                               updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
        tenant.0,
        id.0,
        new.name.as_str(),
        new.unit_price.get().0,
        new.vat.map(Json) as Option<Json<NewVat>>,
        new.automatic,
        new.practitioner_id.map(|id| id.0),
        new.minutes.and_then(|minutes| i32::try_from(minutes.get()).ok()),
        now,
    )
    .execute(tx.conn())
    .await
    .map_err(refused)?;
    audit::record(tx, "service.add", "service", id.0).await?;
    get_service(tx, id).await
}

/// Selects services; the text is what follows WHERE.
macro_rules! select_services {
    ($condition:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Service,
            r#"SELECT id AS "id: ServiceId", name, unit_price AS "unit_price: Cents", vat AS "vat: Json<NewVat>",
                      automatic, practitioner_id AS "practitioner_id: PractitionerId", minutes, version, created_at,
                      updated_at
               FROM services WHERE "#
                + $condition,
            $($argument),*
        )
    };
}

/// One service.
pub async fn get_service(tx: &mut TenantTx, id: ServiceId) -> Result<Service> {
    select_services!("tenant_id = $1 AND id = $2 AND deleted_at IS NULL", tx.tenant().0, id.0)
        .fetch_optional(tx.conn())
        .await?
        .ok_or(Error::NotFound("service"))
}

/// The services, by name.
pub async fn list_services(tx: &mut TenantTx, page: PageQuery) -> Result<Page<Service>> {
    let tenant = tx.tenant();
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM services WHERE tenant_id = $1 AND deleted_at IS NULL"#,
        tenant.0
    )
    .fetch_one(tx.conn())
    .await?;
    let items = select_services!(
        "tenant_id = $1 AND deleted_at IS NULL ORDER BY fold(name), id LIMIT $2 OFFSET $3",
        tenant.0,
        page.limit(),
        page.offset(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(Page::new(items, page, total))
}

/// Replaces what is known of a service. Invoices that are issued keep the price they have.
pub async fn update_service(
    tx: &mut TenantTx,
    id: ServiceId,
    version: i32,
    new: &NewService,
) -> Result<Service> {
    check(tx, new).await?;
    get_service(tx, id).await?;
    let (tenant, now) = (tx.tenant(), tx.now());
    let changed = sqlx::query!(
        "UPDATE services SET name = $4, unit_price = $5, vat = $6, automatic = $7, practitioner_id = $8, minutes = $9,
                             version = version + 1, updated_at = $10
         WHERE tenant_id = $1 AND id = $2 AND version = $3 AND deleted_at IS NULL",
        tenant.0,
        id.0,
        version,
        new.name.as_str(),
        new.unit_price.get().0,
        new.vat.map(Json) as Option<Json<NewVat>>,
        new.automatic,
        new.practitioner_id.map(|id| id.0),
        new.minutes.and_then(|minutes| i32::try_from(minutes.get()).ok()),
        now,
    )
    .execute(tx.conn())
    .await
    .map_err(refused)?;
    if changed.rows_affected() == 0 {
        return Err(Error::Changed("service"));
    }
    audit::record(tx, "service.update", "service", id.0).await?;
    get_service(tx, id).await
}

/// Removes a service. Appointments that name it are still charged by it.
pub async fn delete_service(tx: &mut TenantTx, id: ServiceId) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let gone = sqlx::query!(
        "UPDATE services SET deleted_at = $3, updated_at = $3, version = version + 1
         WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL",
        tenant.0,
        id.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    if gone.rows_affected() == 0 {
        return Err(Error::NotFound("service"));
    }
    audit::record(tx, "service.delete", "service", id.0).await
}

/// The line that an appointment is charged by: its own service's, or the most fitting automatic one's.
pub(super) async fn line(
    tx: &mut TenantTx,
    settings: &Settings,
    service: Option<ServiceId>,
    practitioner: PractitionerId,
    minutes: i64,
) -> Result<Option<NewLine>> {
    let found = select_services!(
        "tenant_id = $1
           AND CASE WHEN $2::uuid IS NOT NULL THEN id = $2
                    ELSE automatic AND deleted_at IS NULL AND (practitioner_id = $3 OR practitioner_id IS NULL)
                         AND (minutes = $4::bigint OR minutes IS NULL) END
         ORDER BY practitioner_id IS NULL, minutes IS NULL LIMIT 1",
        tx.tenant().0,
        service.map(|service| service.0),
        practitioner.0,
        minutes,
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(found) = found else { return Ok(None) };
    let broken = |problem: Problem| Error::from(Invalid(vec![problem]));
    let vat = found.vat.map(|Json(vat)| vat);
    // What the settings no longer allow is told as of the service, not as of a line that nobody wrote.
    NewVat::of(vat, settings).map_err(|problem| broken(Problem { field: "lines".to_owned(), ..problem }))?;
    Ok(Some(NewLine {
        name: FullName::parse(&found.name).map_err(broken)?,
        unit_price: Price::try_from(found.unit_price.0).map_err(broken)?,
        description: None,
        quantity: super::Quantity::default(),
        unit: super::Unit::default(),
        discount: None,
        discount_rate: None,
        vat,
    }))
}
