//! Brevo mail over HTTP: `POST /v3/smtp/email`.
//! The provider refuses a key that it has seen in the last half hour; later the tag lets the mail be looked for.

use std::collections::BTreeMap;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use chrono::{DateTime, Utc};
use lettre::Address;
use lettre::message::Mailbox;
use permanence_domain::notifications::content::calendar::Calendar;
use permanence_domain::notifications::receipts;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::message_id;
use crate::clients::brevo::{Account, BrevoSettings, NAME};
use crate::clients::lookup::{Lookup, Sought};
use crate::clients::smtp::{Email, one_line};
use crate::clients::{Receipt, SendError};

/// A client of one Brevo account, for mail.
#[derive(Debug)]
pub struct BrevoMail {
    account: Account,
    from: Mailbox,
}

#[derive(Serialize)]
struct Person<'a> {
    email: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Mail<'a> {
    sender: Person<'a>,
    to: [Person<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<Person<'a>>,
    subject: String,
    text_content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    html_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachment: Vec<File<'a>>,
    headers: BTreeMap<&'a str, String>,
    tags: [&'a str; 1],
}

/// The interface takes no further form of the words: a calendar's entry goes as a file alone.
#[derive(Serialize)]
struct File<'a> {
    content: String,
    name: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Accepted {
    message_id: String,
}

impl BrevoMail {
    /// Prepares a client, or says which setting cannot be right. `from` is an address that the account has
    /// verified, with or without a name.
    pub fn new(settings: BrevoSettings, from: &str) -> Result<Self, String> {
        let from = from.parse().map_err(|error| format!("the sender is not a mail address: {error}"))?;
        Ok(Self { account: Account::new(settings)?, from })
    }

    pub(super) fn message_id(&self, key: Uuid) -> String {
        message_id(key, &self.from)
    }

    pub(super) fn sender_address(&self) -> &str {
        self.from.email.as_ref()
    }

    pub(in crate::clients) async fn look_up(
        &self,
        sought: &Sought<'_>,
        now: DateTime<Utc>,
    ) -> Result<Lookup, SendError> {
        let path = "/v3/smtp/statistics/events";
        self.account.look_up(path, ("email", sought.to), sought, now, receipts::brevo::mail_status).await
    }

    pub(super) async fn send(&self, email: &Email) -> Result<Receipt, SendError> {
        if email.to.parse::<Address>().is_err() {
            return Err(SendError::permanent("invalid_address"));
        }
        let key = key(&email.message_id).ok_or_else(|| SendError::permanent("invalid_message_id"))?;
        let answer = self.account.post("/v3/smtp/email", &self.mail(email, key)).await?;
        let accepted: Accepted = serde_json::from_slice(&answer.body)
            .map_err(|_| SendError::uncertain("brevo_unreadable_answer"))?;
        // Its reports give the identifier sometimes with and sometimes without brackets.
        let message_id = accepted.message_id.trim_matches(['<', '>']).to_owned();
        Ok(Receipt { provider: NAME, message_id })
    }

    fn mail<'a>(&'a self, email: &'a Email, key: &'a str) -> Mail<'a> {
        let person = |email, name: Option<&str>| Person { email, name: name.map(one_line) };
        let is_reply_to = |name: &str| name.eq_ignore_ascii_case("reply-to");
        let given = email.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let reply_to = given.clone().find(|(name, _)| is_reply_to(name)).map(|(_, address)| address);
        // RFC 3834: no holiday notice comes back.
        let own = [("idempotencyKey", key), ("Auto-Submitted", "auto-generated")];
        let headers = given.filter(|(name, _)| !is_reply_to(name)).chain(own);
        let name = email.from_name.as_deref().or(self.from.name.as_deref());
        Mail {
            sender: person(self.from.email.as_ref(), name),
            to: [person(&email.to, email.to_name.as_deref())],
            reply_to: reply_to.map(|address| person(address, None)),
            subject: one_line(&email.subject),
            text_content: &email.text,
            html_content: email.html.as_deref(),
            attachment: files(email),
            headers: headers.map(|(name, value)| (name, one_line(value))).collect(),
            tags: [key],
        }
    }
}

fn files(email: &Email) -> Vec<File<'_>> {
    let entry = email.calendar.iter().map(|entry| (Calendar::FILE, entry.ics.as_bytes()));
    let file = email.file.iter().map(|file| (file.name.as_str(), file.bytes.as_slice()));
    let encoded = |(name, bytes): (_, &[u8])| File { content: BASE64_STANDARD.encode(bytes), name };
    entry.chain(file).map(encoded).collect()
}

/// The key that a mail's identifier was made of.
fn key(message_id: &str) -> Option<&str> {
    message_id.strip_prefix('<')?.split_once('@').map(|(key, _)| key).filter(|key| !key.is_empty())
}
