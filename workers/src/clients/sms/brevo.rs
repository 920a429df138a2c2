//! Brevo text messages: `POST /v3/transactionalSMS/send`.
//! The provider drops no duplicate: its tag lets an uncertain message be looked for, not repeated.

use chrono::{DateTime, Utc};
use permanence_domain::notifications::{
    content::gsm7::{Coding, measure},
    receipts,
};
use serde::{Deserialize, Serialize};

use super::TextMessage;
use crate::clients::brevo::{Account, BrevoSettings, NAME};
use crate::clients::lookup::{Lookup, Sought};
use crate::clients::{Receipt, SendError};

/// A client of one Brevo account, for text messages.
#[derive(Debug)]
pub struct BrevoSms {
    account: Account,
    sender: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Text<'a> {
    sender: &'a str,
    recipient: &'a str,
    content: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    tag: String,
    /// Otherwise the provider writes other letters in the place of those that GSM-7 lacks.
    unicode_enabled: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Accepted {
    message_id: u64,
}

impl BrevoSms {
    /// Prepares a client that sends from a name of at most 11 characters or a number, or says which setting cannot
    /// be right.
    pub fn new(settings: BrevoSettings, sender: String) -> Result<Self, String> {
        Ok(Self { account: Account::new(settings)?, sender })
    }

    pub(in crate::clients) async fn look_up(
        &self,
        sought: &Sought<'_>,
        now: DateTime<Utc>,
    ) -> Result<Lookup, SendError> {
        let recipient = ("phoneNumber", sought.to.trim_start_matches('+'));
        let path = "/v3/transactionalSMS/statistics/events";
        self.account.look_up(path, recipient, sought, now, receipts::brevo::text_status).await
    }

    pub(super) async fn send(&self, message: &TextMessage<'_>) -> Result<Receipt, SendError> {
        let text = Text {
            sender: message.sender.unwrap_or(&self.sender),
            // With the country's code and without the plus.
            recipient: message.to.trim_start_matches('+'),
            content: message.body,
            kind: "transactional",
            tag: message.key.to_string(),
            unicode_enabled: measure(message.body).coding == Coding::Ucs2,
        };
        let answer = self.account.post("/v3/transactionalSMS/send", &text).await?;
        let accepted: Accepted = serde_json::from_slice(&answer.body)
            .map_err(|_| SendError::uncertain("brevo_unreadable_answer"))?;
        Ok(Receipt { provider: NAME, message_id: accepted.message_id.to_string() })
    }
}
