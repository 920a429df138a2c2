//! A practice's settings: one document, read in the transaction that goes by it, so that a change counts at once. The
//! zone is kept on the tenant alone.

use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;
use deserr::Deserr;
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use utoipa::ToSchema;

use super::{Channels, LeadTimes, OpeningHours, QuietHours, SmsSender, VatRates};
use crate::{
    audit,
    billing::BillingSettings,
    db::TenantTx,
    error::{Error, Invalid, Result},
    field::{EmailAddress, Label, Whole, Zone},
};

/// What a practice decides for itself. What is left out has its default.
#[derive(Debug, Clone, PartialEq, Eq, Deserr, Serialize, Deserialize, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of the practice, and stands alone")]
pub struct Settings {
    /// Where its clocks hang: an IANA zone. Appointments that are agreed keep theirs.
    pub time_zone: Zone,
    /// When it is open, by ISO weekday; without any hours, always.
    #[deserr(default)]
    #[serde(default)]
    pub opening_hours: OpeningHours,
    /// Between which times of its clocks no message leaves.
    #[deserr(default)]
    #[serde(default)]
    pub quiet_hours: QuietHours,
    /// How long before an appointment its reminders leave.
    #[deserr(default)]
    #[serde(default)]
    pub lead_times: LeadTimes,
    /// How patients are reached, the preferred way first.
    #[deserr(default)]
    #[serde(default)]
    pub channels: Channels,
    /// Whom an SMS comes from; the provider's number where there is none.
    #[deserr(default)]
    #[serde(default)]
    pub sms_sender: Option<SmsSender>,
    /// The name that a mail comes from; the practice's where there is none.
    #[deserr(default)]
    #[serde(default)]
    pub email_sender_name: Option<Label>,
    /// Where answers to a mail go.
    #[deserr(default)]
    #[serde(default)]
    pub reply_to: Option<EmailAddress>,
    /// How long a slot is, minutes.
    #[deserr(default)]
    #[serde(default)]
    #[schema(value_type = u32, minimum = 5, maximum = 240, example = 30)]
    pub slot_minutes: Whole<30, 5, 240>,
    /// What must lie between two appointments of a practitioner, minutes.
    #[deserr(default)]
    #[serde(default)]
    #[schema(value_type = u32, minimum = 0, maximum = 240, example = 0)]
    pub buffer_minutes: Whole<0, 0, 240>,
    /// How long before its begin an appointment must be booked at the latest, minutes; 0 for no such rule.
    #[deserr(default)]
    #[serde(default)]
    #[schema(value_type = u32, minimum = 0, maximum = 43200, example = 0)]
    pub minimum_notice_minutes: Whole<0, 0, 43_200>,
    /// How far ahead an appointment may be booked, days of 24 hours.
    #[deserr(default)]
    #[serde(default)]
    #[schema(value_type = u32, minimum = 1, maximum = 1830, example = 365)]
    pub maximum_notice_days: Whole<365, 1, 1830>,
    /// Whether messages hold a link by which the patient confirms or cancels.
    #[deserr(default = true)]
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub patient_links: bool,
    /// Until how long before its begin a patient may cancel by the link, minutes; later they are asked to call.
    #[deserr(default)]
    #[serde(default)]
    #[schema(value_type = u32, minimum = 0, maximum = 43200, example = 120)]
    pub cancellation_notice_minutes: Whole<120, 0, 43_200>,
    /// Whether messages may name the practitioner's specialty.
    #[deserr(default)]
    #[serde(default)]
    pub disclose_specialty: bool,
    /// Whether messages may name the reason of the visit.
    #[deserr(default)]
    #[serde(default)]
    pub disclose_reason: bool,
    /// The VAT rates that an invoice may use.
    #[deserr(default)]
    #[serde(default)]
    pub vat_rates: VatRates,
    /// How many days before a lot expires that is told.
    #[deserr(default)]
    #[serde(default)]
    #[schema(value_type = u32, minimum = 0, maximum = 730, example = 30)]
    pub expiry_notice_days: Whole<30, 0, 730>,
    /// Whether more may be used than the stock is said to hold.
    #[deserr(default)]
    #[serde(default)]
    pub allow_negative_stock: bool,
    /// The practice as a seller, and how it bills; nothing is issued without.
    #[deserr(default)]
    #[serde(default)]
    pub billing: Option<BillingSettings>,
}

fn yes() -> bool {
    true
}

impl Settings {
    /// The defaults, in a zone.
    pub fn of(zone: Tz) -> Self {
        Self {
            time_zone: Zone(zone),
            opening_hours: OpeningHours::default(),
            quiet_hours: QuietHours::default(),
            lead_times: LeadTimes::default(),
            channels: Channels::default(),
            sms_sender: None,
            email_sender_name: None,
            reply_to: None,
            slot_minutes: Whole::default(),
            buffer_minutes: Whole::default(),
            minimum_notice_minutes: Whole::default(),
            maximum_notice_days: Whole::default(),
            patient_links: true,
            cancellation_notice_minutes: Whole::default(),
            disclose_specialty: false,
            disclose_reason: false,
            vat_rates: VatRates::default(),
            expiry_notice_days: Whole::default(),
            allow_negative_stock: false,
            billing: None,
        }
    }

    /// The practice's zone.
    pub fn zone(&self) -> Tz {
        self.time_zone.0
    }

    /// How long a slot is.
    pub fn slot(&self) -> Duration {
        Duration::minutes(self.slot_minutes.get().into())
    }

    /// What must lie between two appointments of a practitioner.
    pub fn buffer(&self) -> Duration {
        Duration::minutes(self.buffer_minutes.get().into())
    }

    /// How long before its begin an appointment must be booked at the latest.
    pub fn minimum_notice(&self) -> Duration {
        Duration::minutes(self.minimum_notice_minutes.get().into())
    }

    /// Until how long before its begin a patient may cancel an appointment by the link.
    pub fn cancellation_notice(&self) -> Duration {
        Duration::minutes(self.cancellation_notice_minutes.get().into())
    }

    /// How far ahead an appointment may be booked.
    pub fn maximum_notice(&self) -> Duration {
        Duration::days(self.maximum_notice_days.get().into())
    }
}

/// The settings as they stand.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CurrentSettings {
    /// What is set.
    #[serde(flatten)]
    #[schema(inline)]
    pub settings: Settings,
    /// Counts the changes, for `If-Match`.
    pub version: i32,
    /// Last changed at.
    pub updated_at: DateTime<Utc>,
}

/// The settings that this transaction goes by. Only a practice has any.
pub async fn settings(tx: &mut TenantTx) -> Result<Settings> {
    Ok(current_settings(tx).await?.settings)
}

/// The settings with their version.
pub async fn current_settings(tx: &mut TenantTx) -> Result<CurrentSettings> {
    let row = sqlx::query!(
        r#"SELECT s.document || jsonb_build_object('time_zone', t.time_zone) AS "settings!: Json<Settings>",
                  s.version, s.updated_at
           FROM settings s JOIN tenants t ON t.id = s.tenant_id WHERE s.tenant_id = $1"#,
        tx.tenant().0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("settings"))?;
    Ok(CurrentSettings { settings: row.settings.0, version: row.version, updated_at: row.updated_at })
}

/// Replaces the settings; the next transaction goes by the new ones.
pub async fn update_settings(tx: &mut TenantTx, version: i32, new: &Settings) -> Result<CurrentSettings> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let changed = sqlx::query!(
        "WITH kept AS (UPDATE settings SET document = $3::jsonb - 'time_zone', version = version + 1, updated_at = $4
                       WHERE tenant_id = $1 AND version = $2 RETURNING tenant_id)
         UPDATE tenants t SET time_zone = $5 FROM kept WHERE t.id = kept.tenant_id",
        tenant.0,
        version,
        Json(new) as Json<&Settings>,
        now,
        new.zone().name(),
    )
    .execute(tx.conn())
    .await?;
    if changed.rows_affected() == 0 {
        return Err(Error::Changed("settings"));
    }
    audit::record(tx, "settings.update", "settings", None).await?;
    current_settings(tx).await
}
