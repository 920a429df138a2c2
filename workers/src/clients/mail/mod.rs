//! Mail by SMTP or by a provider's HTTP interface, and by any of several of them.
//! It chooses no words; a mail's form is that of [`super::smtp::Email`].

mod brevo;

use lettre::message::Mailbox;
use uuid::Uuid;

use super::failover::{Carrier, Carry, Route};
use super::smtp::{Email, Smtp};
use super::{Receipt, SendError};

pub use brevo::BrevoMail;

/// A way for mail.
#[derive(Debug)]
pub enum MailProvider {
    /// A mail server.
    Smtp(Smtp),
    /// Brevo over HTTP.
    Brevo(BrevoMail),
}

impl MailProvider {
    /// Returns the provider's name as receipts give it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Smtp(_) => super::smtp::NAME,
            Self::Brevo(_) => super::brevo::NAME,
        }
    }

    /// Hands a mail over, once.
    pub async fn send(&self, email: &Email) -> Result<Receipt, SendError> {
        match self {
            Self::Smtp(smtp) => smtp.send(email).await,
            Self::Brevo(brevo) => brevo.send(email).await,
        }
    }
}

impl Carrier for MailProvider {
    const CHANNEL: &'static str = "mail";

    fn name(&self) -> &'static str {
        self.name()
    }
}

impl Carry<Email> for MailProvider {
    async fn hand_over(&self, email: &Email) -> Result<Receipt, SendError> {
        self.send(email).await
    }
}

/// The ways for mail, in order of preference.
pub type MailRoute = Route<MailProvider>;

impl MailRoute {
    /// Returns the `Message-ID` of the mail of a key: the same however often it is asked for, so that mail
    /// programs show a repeated mail once.
    #[must_use]
    pub fn message_id(&self, key: Uuid) -> String {
        match self.providers().first() {
            Some(MailProvider::Smtp(smtp)) => smtp.message_id(key),
            Some(MailProvider::Brevo(brevo)) => brevo.message_id(key),
            None => format!("<{key}@invalid>"),
        }
    }

    /// Returns the address that mails come from: the organizer of what they put into calendars.
    #[must_use]
    pub fn sender_address(&self) -> &str {
        match self.providers().first() {
            Some(MailProvider::Smtp(smtp)) => smtp.sender_address(),
            Some(MailProvider::Brevo(brevo)) => brevo.sender_address(),
            None => "nobody@invalid",
        }
    }
}

/// The `Message-ID` of the mail of a key, from a sender.
pub(super) fn message_id(key: Uuid, from: &Mailbox) -> String {
    format!("<{key}@{}>", from.email.domain())
}
