//! One patient: registered, found, changed, deleted.

use chrono::{DateTime, NaiveDate, Utc};
use deserr::Deserr;
use serde::Serialize;
use sqlx::types::Json;
use utoipa::ToSchema;

use super::consent;
use crate::{
    address::PostalAddress,
    audit,
    db::TenantTx,
    error::{Error, Invalid, Problem, Problems, Result},
    field::{Day, EmailAddress, Language, PersonName, Phone},
    files::images,
    ids::PatientId,
    notifications,
    scheduling::today,
};

/// What the patient agreed to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Consents {
    /// Reminders by SMS.
    pub reminder_sms: bool,
    /// Reminders by email.
    pub reminder_email: bool,
    /// Pictures of the body, taken and kept for care.
    pub imaging: bool,
}

/// What the patient agrees to, as it is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewConsents {
    /// Reminders by SMS.
    #[deserr(default)]
    #[schema(default = false)]
    pub reminder_sms: bool,
    /// Reminders by email.
    #[deserr(default)]
    #[schema(default = false)]
    pub reminder_email: bool,
    /// Pictures of the body, taken and kept for care. Left out it stays as it is, `false` at first: whoever does not know of it
    /// withdraws nothing.
    #[deserr(default)]
    pub imaging: Option<bool>,
}

impl NewConsents {
    /// What holds from now on, after what held before.
    fn after(self, before: Consents) -> Consents {
        let Self { reminder_sms, reminder_email, imaging } = self;
        Consents { reminder_sms, reminder_email, imaging: imaging.unwrap_or(before.imaging) }
    }
}

/// A patient as the front desk writes it down.
#[derive(Debug, Clone, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewPatient {
    /// First name.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: PersonName,
    /// Day of birth, not in the future.
    #[deserr(default)]
    pub birth_date: Option<Day>,
    /// Email address; needed to consent to reminders by email.
    #[deserr(default)]
    pub email: Option<EmailAddress>,
    /// Mobile number; needed to consent to reminders by SMS.
    #[deserr(default)]
    pub phone: Option<Phone>,
    /// Where the patient lives, for invoices.
    #[deserr(default)]
    pub address: Option<PostalAddress>,
    /// Language the patient is written to in.
    #[deserr(default)]
    #[schema(default = "fr")]
    pub language: Language,
    /// What the patient agreed to: always said, so that nobody agrees or withdraws by an omission.
    pub consents: NewConsents,
}

/// A patient.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Patient {
    /// Identifier.
    pub id: PatientId,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Day of birth.
    pub birth_date: Option<NaiveDate>,
    /// Email address.
    pub email: Option<String>,
    /// Telephone number, E.164.
    pub phone: Option<String>,
    /// Where the patient lives.
    pub address: Option<PostalAddress>,
    /// Language the patient is written to in.
    pub language: Language,
    /// What the patient agreed to.
    pub consents: Consents,
    /// Counts the changes, for `If-Match`.
    pub version: i32,
    /// Registered at.
    pub created_at: DateTime<Utc>,
    /// Last changed at.
    pub updated_at: DateTime<Utc>,
}

/// Selects patients; the text is what follows FROM patients.
macro_rules! select_patients {
    ($which:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            $crate::patients::patient::Row,
            r#"SELECT id AS "id: PatientId", first_name, last_name, birth_date, email, phone,
                      address AS "address: Json<PostalAddress>", language AS "language: Language", sms_consent, email_consent,
                      imaging_consent, version, created_at, updated_at
               FROM patients "#
                + $which,
            $($argument),*
        )
    };
}
pub(super) use select_patients;

pub(super) struct Row {
    pub(super) id: PatientId,
    pub(super) first_name: String,
    pub(super) last_name: String,
    pub(super) birth_date: Option<NaiveDate>,
    pub(super) email: Option<String>,
    pub(super) phone: Option<String>,
    pub(super) address: Option<Json<PostalAddress>>,
    pub(super) language: Language,
    pub(super) sms_consent: bool,
    pub(super) email_consent: bool,
    pub(super) imaging_consent: bool,
    pub(super) version: i32,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
}

impl From<Row> for Patient {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            first_name: row.first_name,
            last_name: row.last_name,
            birth_date: row.birth_date,
            email: row.email,
            phone: row.phone,
            address: row.address.map(|Json(address)| address),
            language: row.language,
            consents: Consents {
                reminder_sms: row.sms_consent,
                reminder_email: row.email_consent,
                imaging: row.imaging_consent,
            },
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl NewPatient {
    /// The rules that span fields.
    pub(crate) fn check(&self, today: NaiveDate) -> Result<()> {
        let mut problems = Problems::default();
        if let Some(Day(birth)) = self.birth_date
            && (birth > today || today.years_since(birth).is_none_or(|age| age > 130))
        {
            let expected = "a day that is past, at most 130 years ago";
            problems.push(Problem::new("birth_date", "impossible_birth_date", expected).read(birth));
        }
        if self.consents.reminder_sms && !self.phone.as_ref().is_some_and(Phone::receives_sms) {
            let expected = "a mobile number, because reminders by SMS are agreed to";
            problems.push(Problem::new("phone", "mobile_needed", expected));
        }
        if self.consents.reminder_email && self.email.is_none() {
            let expected = "an address, because reminders by email are agreed to";
            problems.push(Problem::new("email", "email_needed", expected));
        }
        problems.finish()
    }
}

/// Registers a patient.
pub async fn register(tx: &mut TenantTx, new: &NewPatient) -> Result<Patient> {
    new.check(today(tx).await?)?;
    let (tenant, now) = (tx.tenant(), tx.now());
    let (id, consents) = (PatientId::new(now), new.consents.after(Consents::default()));
    sqlx::query!(
        "INSERT INTO patients (tenant_id, id, first_name, last_name, birth_date, email, phone, language,
                               sms_consent, email_consent, created_at, updated_at, address, imaging_consent)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12, $13)",
        tenant.0,
        id.0,
        new.first_name.as_str(),
        new.last_name.as_str(),
        new.birth_date.map(|day| day.0),
        new.email.as_ref().map(EmailAddress::as_str),
        new.phone.as_ref().map(Phone::as_str),
        new.language as Language,
        new.consents.reminder_sms,
        new.consents.reminder_email,
        now,
        new.address.as_ref().map(Json) as Option<Json<&PostalAddress>>,
        consents.imaging,
    )
    .execute(tx.conn())
    .await?;
    consent::record(tx, id, None, consents).await?;
    audit::record(tx, "patient.register", "patient", id.0).await?;
    get(tx, id).await
}

/// One patient.
pub async fn get(tx: &mut TenantTx, id: PatientId) -> Result<Patient> {
    let row =
        select_patients!("WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL", tx.tenant().0, id.0)
            .fetch_optional(tx.conn())
            .await?;
    row.map(Patient::from).ok_or(Error::NotFound("patient"))
}

/// Replaces what is known of a patient; coming reminders follow the new address, number and consents at once, and pictures
/// follow theirs.
pub async fn update(tx: &mut TenantTx, id: PatientId, version: i32, new: &NewPatient) -> Result<Patient> {
    new.check(today(tx).await?)?;
    let before = get(tx, id).await?;
    let consents = new.consents.after(before.consents);
    let (tenant, now) = (tx.tenant(), tx.now());
    let changed = sqlx::query!(
        "UPDATE patients
         SET first_name = $4, last_name = $5, birth_date = $6, email = $7, phone = $8, language = $9,
             sms_consent = $10, email_consent = $11, updated_at = $12, address = $13, imaging_consent = $14,
             version = version + 1
         WHERE tenant_id = $1 AND id = $2 AND version = $3 AND deleted_at IS NULL",
        tenant.0,
        id.0,
        version,
        new.first_name.as_str(),
        new.last_name.as_str(),
        new.birth_date.map(|day| day.0),
        new.email.as_ref().map(EmailAddress::as_str),
        new.phone.as_ref().map(Phone::as_str),
        new.language as Language,
        new.consents.reminder_sms,
        new.consents.reminder_email,
        now,
        new.address.as_ref().map(Json) as Option<Json<&PostalAddress>>,
        consents.imaging,
    )
    .execute(tx.conn())
    .await?;
    if changed.rows_affected() == 0 {
        return Err(Error::Changed("patient"));
    }
    consent::record(tx, id, Some(before.consents), consents).await?;
    let (email, phone) =
        (new.email.as_ref().map(EmailAddress::as_str), new.phone.as_ref().map(Phone::as_str));
    if (before.email.as_deref(), before.phone.as_deref(), before.consents) != (email, phone, consents) {
        notifications::replan_patient(tx, id).await?;
    }
    match (before.consents.imaging, consents.imaging) {
        (true, false) => images::withdrawn(tx, id).await?,
        (false, true) => images::given(tx, id).await?,
        _ => {}
    }
    audit::record(tx, "patient.update", "patient", id.0).await?;
    get(tx, id).await
}

/// Deletes a patient who has no coming appointment; what the law keeps is kept, out of sight.
pub async fn delete(tx: &mut TenantTx, id: PatientId) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    // The lock is the one that booking takes: no appointment can slip in between.
    sqlx::query!(
        "SELECT id FROM patients WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL FOR NO KEY UPDATE",
        tenant.0,
        id.0
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("patient"))?;
    let coming = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM appointments
           WHERE tenant_id = $1 AND patient_id = $2 AND status = 'scheduled' AND ends_at > $3"#,
        tenant.0,
        id.0,
        now,
    )
    .fetch_one(tx.conn())
    .await?;
    if coming > 0 {
        return Err(Error::conflict(
            "has_appointments",
            format!("the patient has {coming} coming appointment(s)"),
        ));
    }
    sqlx::query!(
        "UPDATE patients SET deleted_at = $3, updated_at = $3, version = version + 1 WHERE tenant_id = $1 AND id = $2",
        tenant.0,
        id.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    audit::record(tx, "patient.delete", "patient", id.0).await
}
