//! What a patient does with an appointment by the link of a message: sees it, confirms it, cancels it. The link holds for
//! one move of the appointment; everything that is done goes by the rules of a booking.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use sqlx::types::Json;

use super::{
    AppointmentStatus,
    appointment::{cancel, lock},
};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Result},
    field::Language,
    notifications::AppointmentLink,
    tenants::Settings,
};

/// What the patient is shown: no more than the message that brought the link.
#[derive(Debug)]
pub struct PatientView {
    /// The practice, as patients know it.
    pub practice_name: String,
    /// The number to call.
    pub practice_phone: Option<String>,
    /// The address to come to.
    pub practice_address: Option<String>,
    /// The patient's language.
    pub language: Language,
    /// When the appointment begins.
    pub starts_at: DateTime<Utc>,
    /// The zone in which that is told.
    pub zone: Tz,
    /// What may be done about it.
    pub standing: Standing,
}

/// What may be done about an appointment by a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It stands as the message told.
    Open {
        /// Whether the patient has confirmed it.
        confirmed: bool,
        /// Whether it is still early enough to cancel it by the link.
        cancellable: bool,
    },
    /// It was cancelled as the message told of it: by the patient or by the practice.
    Cancelled,
    /// It was moved since, or given to somebody else: a newer message says how it stands.
    Superseded,
    /// It has begun.
    Begun,
    /// The practice does without links.
    Off,
}

struct Row {
    starts_at: DateTime<Utc>,
    time_zone: String,
    status: AppointmentStatus,
    sequence: i32,
    confirmed_at: Option<DateTime<Utc>>,
    practice_name: String,
    practice_phone: Option<String>,
    practice_address: Option<String>,
    language: Language,
    settings: Json<Settings>,
}

impl Row {
    fn standing(&self, link: AppointmentLink, now: DateTime<Utc>) -> Standing {
        let Self { sequence, starts_at, settings, .. } = self;
        match self.status {
            // The cancellation itself counts as a move.
            AppointmentStatus::Cancelled if *sequence == link.sequence + 1 => Standing::Cancelled,
            AppointmentStatus::Scheduled if *sequence == link.sequence => match () {
                () if now >= *starts_at => Standing::Begun,
                () if !settings.patient_links => Standing::Off,
                () => Standing::Open {
                    confirmed: self.confirmed_at.is_some(),
                    cancellable: now + settings.cancellation_notice() <= *starts_at,
                },
            },
            _ => Standing::Superseded,
        }
    }
}

/// Shows an appointment by its link, and changes nothing.
pub async fn view_by_patient(tx: &mut TenantTx, link: AppointmentLink) -> Result<PatientView> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT a.starts_at, a.time_zone, a.status AS "status: AppointmentStatus", a.sequence, a.confirmed_at,
                  t.name AS practice_name, t.phone AS practice_phone, t.address AS practice_address,
                  p.language AS "language: Language",
                  s.document || jsonb_build_object('time_zone', t.time_zone) AS "settings!: Json<Settings>"
           FROM appointments a
           JOIN tenants t ON t.id = a.tenant_id
           JOIN settings s ON s.tenant_id = a.tenant_id
           JOIN patients p ON p.tenant_id = a.tenant_id AND p.id = $3
           WHERE a.tenant_id = $1 AND a.id = $2"#,
        tx.tenant().0,
        link.appointment.0,
        link.patient.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("appointment"))?;
    let standing = row.standing(link, tx.now());
    Ok(PatientView {
        practice_name: row.practice_name,
        practice_phone: row.practice_phone,
        practice_address: row.practice_address,
        language: row.language,
        starts_at: row.starts_at,
        zone: row.time_zone.parse().map_err(|_| Error::internal("an appointment's zone is unknown"))?,
        standing,
    })
}

/// Notes that the patient comes; twice is the same as once, and where the link is dead nothing happens.
pub async fn confirm_by_patient(tx: &mut TenantTx, link: AppointmentLink) -> Result<Standing> {
    lock(tx, link.appointment).await?;
    let standing = view_by_patient(tx, link).await?.standing;
    let Standing::Open { confirmed: false, cancellable } = standing else {
        return Ok(standing);
    };
    let now = tx.now();
    let confirmed = sqlx::query!(
        "UPDATE appointments SET confirmed_at = $3, updated_at = $3, version = version + 1
         WHERE tenant_id = $1 AND id = $2 AND confirmed_at IS NULL",
        tx.tenant().0,
        link.appointment.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    if confirmed.rows_affected() != 1 {
        return Err(Error::internal("an appointment under lock was confirmed by somebody else"));
    }
    audit::record(tx, "appointment.confirm", "appointment", link.appointment.0).await?;
    Ok(Standing::Open { confirmed: true, cancellable })
}

/// Cancels the appointment, where it is still early enough, as the practice would; twice is the same as once, and where
/// the link is dead nothing happens.
pub async fn cancel_by_patient(tx: &mut TenantTx, link: AppointmentLink) -> Result<Standing> {
    lock(tx, link.appointment).await?;
    let standing = view_by_patient(tx, link).await?.standing;
    let Standing::Open { cancellable: true, .. } = standing else {
        return Ok(standing);
    };
    cancel(tx, link.appointment).await?;
    Ok(Standing::Cancelled)
}
