//! Companies: tenants of an employer. Founded and validated by the platform, changed by it or by whoever runs them.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use deserr::Deserr;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    audit,
    billing::Siret,
    db::{SystemTx, TenantTx},
    error::{Error, Invalid, Problem, Result},
    field::{EmailAddress, FullName, Label, Language, Whole, Zone},
    identity::{self, NewMember, NewTenant, Role, create_tenant},
    ids::{TenantId, UserId},
    page::{Page, PageQuery},
    text_field,
};

text_field!(
    /// The domain of email addresses, in lower case.
    CompanyDomain, "techcorp.fr", |text| {
        let domain = text.trim().trim_start_matches('@').to_lowercase();
        // What may follow the @ of an address, by the rule of addresses.
        EmailAddress::parse(&format!("a@{domain}")).map(|_| domain).map_err(|_| {
            Problem::new("", "not_a_domain", "the domain of email addresses, such as techcorp.fr").read(text)
        })
    }
);

impl CompanyDomain {
    /// Whether an address is of this domain; one of a domain below it is not.
    pub fn holds(&self, address: &EmailAddress) -> bool {
        address.as_str().rsplit_once('@').is_some_and(|(_, domain)| domain == self.as_str())
    }
}

/// A company to found.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewCompany {
    /// The name it goes by.
    pub name: Label,
    /// The name it is registered under.
    pub legal_name: FullName,
    /// Its SIRET.
    #[deserr(default)]
    pub siret: Option<Siret>,
    /// The domains of which employees' addresses must be; none allows every one.
    #[deserr(default)]
    pub email_domains: Vec<CompanyDomain>,
    /// What it does.
    #[deserr(default)]
    pub sector: Option<Label>,
    /// How many people it employs.
    #[deserr(default)]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 10_000_000)]
    pub size: Option<Whole<1, 1, 10_000_000>>,
    /// Where its clocks hang: by them its months begin. Paris, where nothing is said.
    #[deserr(default)]
    pub time_zone: Option<Zone>,
    /// Who will run it: invited at once.
    #[deserr(default)]
    pub hr_admin: Option<NewHrAdmin>,
}

/// The person who will run a company.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewHrAdmin {
    /// Where the invitation goes.
    pub email: EmailAddress,
    /// Whom it greets.
    pub full_name: FullName,
}

/// What a company is to become, whole.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct UpdateCompany {
    /// The name it goes by.
    pub name: Label,
    /// The name it is registered under.
    pub legal_name: FullName,
    /// Its SIRET.
    #[deserr(default)]
    pub siret: Option<Siret>,
    /// The domains of which new employees' addresses must be; none allows every one.
    #[deserr(default)]
    pub email_domains: Vec<CompanyDomain>,
    /// What it does.
    #[deserr(default)]
    pub sector: Option<Label>,
    /// How many people it employs.
    #[deserr(default)]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 10_000_000)]
    pub size: Option<Whole<1, 1, 10_000_000>>,
}

/// A practice that a company's employees may book with.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewAgreement {
    /// The practice.
    pub practice_id: TenantId,
}

/// A company.
#[derive(Debug, Serialize, ToSchema)]
pub struct Company {
    /// Identifier.
    pub id: TenantId,
    /// A name for addresses, unique on the platform; it stays.
    pub slug: String,
    /// The name it goes by.
    pub name: String,
    /// The name it is registered under.
    pub legal_name: String,
    /// Its SIRET.
    pub siret: Option<String>,
    /// The domains of which employees' addresses must be; none allows every one.
    pub email_domains: Vec<String>,
    /// What it does.
    pub sector: Option<String>,
    /// How many people it employs.
    pub size: Option<i32>,
    /// Where its clocks hang.
    pub time_zone: String,
    /// Whether it was validated: before that it brings in no employees.
    pub is_active: bool,
    /// When it was validated.
    pub validated_at: Option<DateTime<Utc>>,
    /// By whom.
    pub validated_by: Option<UserId>,
    /// Counts the changes, for `If-Match`.
    pub version: i32,
    /// Founded at.
    pub created_at: DateTime<Utc>,
    /// Last changed at.
    pub updated_at: DateTime<Utc>,
}

fn domains(of: &[CompanyDomain]) -> Vec<String> {
    of.iter().map(|domain| domain.as_str().to_owned()).collect()
}

fn count(size: Option<Whole<1, 1, 10_000_000>>) -> Option<i32> {
    size.and_then(|size| i32::try_from(size.get()).ok())
}

/// Goes on across tenants with a company that the caller may reach: any for the platform, else one's own.
pub async fn reach_company(tx: TenantTx, role: Role, id: TenantId) -> Result<SystemTx> {
    if !role.is_platform() && id != tx.tenant() {
        return Err(Error::NotFound("company"));
    }
    tx.widen().await
}

/// Founds a company, inactive; whoever will run it is invited. The caller is the platform.
pub async fn found_company(mut tx: SystemTx, new: &NewCompany) -> Result<(SystemTx, Company)> {
    let tenant = NewTenant {
        kind: "company",
        name: new.name.clone(),
        time_zone: new.time_zone.map_or(Tz::Europe__Paris, |zone| zone.0),
        language: Language::Fr,
        phone: None,
        address: None,
    };
    let id = create_tenant(&mut tx, &tenant).await?;
    let now = tx.now();
    // The first of name, name-2, name-3 … that is free. Of two at once the index refuses one.
    sqlx::query!(
        r#"WITH base AS (
               SELECT COALESCE(NULLIF(btrim(left(regexp_replace(fold($2), '[^a-z0-9]+', '-', 'g'), 60), '-'), ''),
                               'company') AS slug
           )
           INSERT INTO companies (tenant_id, slug, legal_name, siret, email_domains, sector, size, created_at, updated_at)
           SELECT $1, free.slug, $3, $4, $5, $6, $7, $8, $8
           FROM base CROSS JOIN LATERAL (
               SELECT base.slug || CASE n WHEN 1 THEN '' ELSE '-' || n END AS slug
               FROM generate_series(1, 10000) AS n
               WHERE NOT EXISTS (SELECT FROM companies c
                                 WHERE c.slug = base.slug || CASE n WHEN 1 THEN '' ELSE '-' || n END)
               ORDER BY n LIMIT 1
           ) AS free"#,
        id.0,
        new.name.as_str(),
        new.legal_name.as_str(),
        new.siret.as_ref().map(Siret::as_str),
        &domains(&new.email_domains),
        new.sector.as_ref().map(Label::as_str),
        count(new.size),
        now,
    )
    .execute(tx.conn())
    .await
    .map_err(|error| match Error::violated(&error) {
        Some("companies_slug") => Error::conflict("slug_taken", "another company of this name was just founded"),
        _ => error.into(),
    })?;
    audit::record_system(&mut tx, Some(id), "company.found", "company", Some(id.0)).await?;
    if let Some(person) = &new.hr_admin {
        let member = NewMember {
            email: person.email.clone(),
            full_name: person.full_name.clone(),
            role: Role::HrAdmin,
        };
        let mut own = tx.narrow(id).await?;
        identity::invite(&mut own, &member).await?;
        tx = own.widen().await?;
    }
    let company = get_company(&mut tx, id).await?;
    Ok((tx, company))
}

/// One company.
pub async fn get_company(tx: &mut SystemTx, id: TenantId) -> Result<Company> {
    sqlx::query_as!(
        Company,
        r#"SELECT c.tenant_id AS "id: TenantId", c.slug, t.name, c.legal_name, c.siret, c.email_domains, c.sector, c.size,
                  t.time_zone, c.validated_at IS NOT NULL AS "is_active!", c.validated_at,
                  c.validated_by AS "validated_by: UserId", c.version, c.created_at, c.updated_at
           FROM companies c JOIN tenants t ON t.id = c.tenant_id WHERE c.tenant_id = $1"#,
        id.0
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("company"))
}

/// The companies, by name. The caller is the platform.
pub async fn list_companies(tx: &mut SystemTx, page: PageQuery) -> Result<Page<Company>> {
    let total = sqlx::query_scalar!(r#"SELECT count(*) AS "n!" FROM companies"#).fetch_one(tx.conn()).await?;
    let items = sqlx::query_as!(
        Company,
        r#"SELECT c.tenant_id AS "id: TenantId", c.slug, t.name, c.legal_name, c.siret, c.email_domains, c.sector, c.size,
                  t.time_zone, c.validated_at IS NOT NULL AS "is_active!", c.validated_at,
                  c.validated_by AS "validated_by: UserId", c.version, c.created_at, c.updated_at
           FROM companies c JOIN tenants t ON t.id = c.tenant_id
           ORDER BY fold(t.name), c.tenant_id LIMIT $1 OFFSET $2"#,
        page.limit(),
        page.offset(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(Page::new(items, page, total))
}

/// Locks a company at the version that was read.
async fn lock(tx: &mut SystemTx, id: TenantId, version: i32) -> Result<()> {
    let present =
        sqlx::query_scalar!("SELECT version FROM companies WHERE tenant_id = $1 FOR NO KEY UPDATE", id.0)
            .fetch_optional(tx.conn())
            .await?
            .ok_or(Error::NotFound("company"))?;
    if present == version { Ok(()) } else { Err(Error::Changed("company")) }
}

/// Changes a company. Consultations that were booked keep the name it had.
pub async fn update_company(
    tx: &mut SystemTx,
    id: TenantId,
    version: i32,
    new: &UpdateCompany,
) -> Result<Company> {
    lock(tx, id, version).await?;
    let now = tx.now();
    sqlx::query!("UPDATE tenants SET name = $2 WHERE id = $1", id.0, new.name.as_str())
        .execute(tx.conn())
        .await?;
    sqlx::query!(
        "UPDATE companies
         SET legal_name = $2, siret = $3, email_domains = $4, sector = $5, size = $6, version = version + 1, updated_at = $7
         WHERE tenant_id = $1",
        id.0,
        new.legal_name.as_str(),
        new.siret.as_ref().map(Siret::as_str),
        &domains(&new.email_domains),
        new.sector.as_ref().map(Label::as_str),
        count(new.size),
        now,
    )
    .execute(tx.conn())
    .await?;
    audit::record_system(tx, Some(id), "company.update", "company", Some(id.0)).await?;
    get_company(tx, id).await
}

/// Validates a company; twice is the same as once. The caller is the platform.
pub async fn validate_company(tx: &mut SystemTx, id: TenantId, version: i32) -> Result<Company> {
    lock(tx, id, version).await?;
    let (now, by) = (tx.now(), tx.actor().user.map(|user| user.0));
    let validated = sqlx::query!(
        "UPDATE companies SET validated_at = $2, validated_by = $3, version = version + 1, updated_at = $2
         WHERE tenant_id = $1 AND validated_at IS NULL",
        id.0,
        now,
        by,
    )
    .execute(tx.conn())
    .await?;
    if validated.rows_affected() == 1 {
        audit::record_system(tx, Some(id), "company.validate", "company", Some(id.0)).await?;
    }
    get_company(tx, id).await
}

/// Notes that a company's employees may book with a practice; twice is the same as once. The caller is the platform.
pub async fn add_agreement(tx: &mut SystemTx, id: TenantId, new: &NewAgreement) -> Result<()> {
    get_company(tx, id).await?;
    let practice =
        sqlx::query_scalar!("SELECT id FROM tenants WHERE id = $1 AND kind = 'practice'", new.practice_id.0)
            .fetch_optional(tx.conn())
            .await?;
    if practice.is_none() {
        return Err(Error::invalid("practice_id", "unknown_practice", "a practice of the platform"));
    }
    let now = tx.now();
    let added = sqlx::query!(
        "INSERT INTO company_practices (tenant_id, practice_id, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        id.0,
        new.practice_id.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    if added.rows_affected() == 1 {
        audit::record_system(tx, Some(id), "company.agree", "practice", Some(new.practice_id.0)).await?;
    }
    Ok(())
}

/// The domains that the caller's company allows, if it is active.
pub async fn require_active(tx: &mut TenantTx) -> Result<Vec<CompanyDomain>> {
    let row =
        sqlx::query!("SELECT email_domains, validated_at FROM companies WHERE tenant_id = $1", tx.tenant().0)
            .fetch_optional(tx.conn())
            .await?
            .ok_or(Error::NotFound("company"))?;
    if row.validated_at.is_none() {
        return Err(Error::conflict("company_inactive", "the platform has not validated this company yet"));
    }
    Ok(row.email_domains.into_iter().map(CompanyDomain).collect())
}
