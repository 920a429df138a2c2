//! How a patient may be reached: what they agreed to, in the order the practice prefers, but for addresses that are known
//! to lead nowhere.

use sqlx::Type;

use super::Channel;
use crate::{db::TenantTx, error::Result, ids::PatientId, tenants::Settings};

/// The addresses at which a patient may be written to; none where they did not agree, or that lead nowhere.
#[derive(Debug, Clone, Default)]
pub struct Contact {
    /// E.164 number.
    pub phone: Option<String>,
    /// Email address.
    pub email: Option<String>,
}

impl Contact {
    /// The address for a channel.
    pub fn address(&self, channel: Channel) -> Option<&str> {
        match channel {
            Channel::Sms => self.phone.as_deref(),
            Channel::Email => self.email.as_deref(),
        }
    }

    /// The first way that the practice uses and the patient has, if the platform has it too.
    pub(super) fn channel(&self, settings: &Settings, sms: bool) -> Option<Channel> {
        let usable =
            |channel: &Channel| self.address(*channel).is_some() && (sms || *channel != Channel::Sms);
        settings.channels.iter().copied().find(usable)
    }

    /// Whether the practice writes by this way and the patient has it.
    pub(super) fn has(&self, settings: &Settings, channel: Channel) -> bool {
        settings.channels.contains(&channel) && self.address(channel).is_some()
    }
}

/// Why an address leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Unreachable {
    /// The provider refuses it.
    Invalid,
    /// What was sent there came back.
    Bounced,
    /// Its owner called a message unwanted.
    Complained,
    /// Its owner asked for no more.
    OptedOut,
}

/// The addresses of a patient; none at all of one who was deleted.
pub async fn contact(tx: &mut TenantTx, patient: PatientId) -> Result<Contact> {
    let contact = sqlx::query_as!(
        Contact,
        "SELECT phone, email FROM contacts WHERE tenant_id = $1 AND patient_id = $2",
        tx.tenant().0,
        patient.0,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(contact.unwrap_or_default())
}

/// Remembers that an address leads nowhere: it is not written to again until the patient gives another.
pub async fn note_unreachable(
    tx: &mut TenantTx,
    patient: PatientId,
    channel: Channel,
    address: &str,
    reason: Unreachable,
) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    sqlx::query!(
        "INSERT INTO unreachable_addresses (tenant_id, patient_id, channel, address, reason, since)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (tenant_id, patient_id, channel)
         DO UPDATE SET address = excluded.address, reason = excluded.reason, since = excluded.since",
        tenant.0,
        patient.0,
        channel as Channel,
        address,
        reason as Unreachable,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_practice_prefers_and_the_patient_decides() {
        let settings = Settings::of(chrono_tz::Tz::Europe__Paris);
        let both = Contact { phone: Some("+33612345678".to_owned()), email: Some("a@example.fr".to_owned()) };
        let chosen = |contact: &Contact, sms| contact.channel(&settings, sms);
        assert_eq!(chosen(&both, true), Some(Channel::Sms));
        assert_eq!(chosen(&both, false), Some(Channel::Email), "the platform has no SMS");
        let mail = Contact { phone: None, ..both.clone() };
        assert_eq!(chosen(&mail, true), Some(Channel::Email));
        assert_eq!(chosen(&Contact::default(), true), None);
        let text = Contact { email: None, ..both };
        assert_eq!(chosen(&text, false), None);
    }
}
