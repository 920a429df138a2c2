//! Mail over SMTP: one message, one server, and the message's true fate.
//! It never retries, and never sends a password or a message in the clear beyond this machine unless told to.

mod address;
mod email;
mod session;

use std::fmt;
use std::time::Duration;

use lettre::message::Mailbox;
use uuid::Uuid;

use super::{Receipt, SendError};
use address::Server;
use session::Session;

pub(super) use email::one_line;
pub use email::{AttachedFile, Email};

pub(super) const NAME: &str = "smtp";

/// How long to wait for each step with a mail server.
#[derive(Debug, Clone, Copy)]
pub struct SmtpTimeouts {
    /// For the connection.
    pub connect: Duration,
    /// For the answer to one command; running out of it is temporary.
    pub command: Duration,
    /// For the answer to the whole message; running out of it leaves the message uncertain, so it is generous.
    pub message: Duration,
}

impl Default for SmtpTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            command: Duration::from_secs(30),
            message: Duration::from_mins(2),
        }
    }
}

/// A client of one mail server.
pub struct Smtp {
    server: Server,
    from: Mailbox,
    timeouts: SmtpTimeouts,
}

/// Shows no credential.
impl fmt::Debug for Smtp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Smtp")
            .field("host", &self.server.host)
            .field("port", &self.server.port)
            .field("encryption", &self.server.encryption)
            .field("from", &self.from.email)
            .finish_non_exhaustive()
    }
}

impl Smtp {
    /// Prepares a client, or says what is wrong with its settings, without repeating a password.
    ///
    /// `url` is `smtp://user:password@host:587` (encrypted by STARTTLS, which is required unless the host is
    /// this machine) or `smtps://user:password@host:465` (encrypted from the start); `?tls=none`,
    /// `?tls=opportunistic` and `?tls=required` override `smtp://`. `from` is an address, with or without a
    /// name: `Permanence <bonjour@example.org>`.
    pub fn new(url: &str, from: &str) -> Result<Self, String> {
        let server = Server::parse(url)?;
        let from = from.parse().map_err(|error| format!("the sender is not a mail address: {error}"))?;
        Ok(Self { server, from, timeouts: SmtpTimeouts::default() })
    }

    /// Replaces how long to wait.
    #[must_use]
    pub fn with_timeouts(self, timeouts: SmtpTimeouts) -> Self {
        Self { timeouts, ..self }
    }

    /// Returns the `Message-ID` of the mail of a key: the same however often it is asked for, so that mail
    /// programs show a repeated mail once.
    #[must_use]
    pub fn message_id(&self, key: Uuid) -> String {
        super::mail::message_id(key, &self.from)
    }

    pub(super) fn sender_address(&self) -> &str {
        self.from.email.as_ref()
    }

    /// Hands a mail over, once; the receipt's identifier is the mail's own `Message-ID`.
    pub async fn send(&self, email: &Email) -> Result<Receipt, SendError> {
        let message = email::format(email, &self.from)?;
        let mut session = Session::open(&self.server, self.timeouts).await?;
        let sent = session.deliver(message.envelope(), &message.formatted()).await;
        if is_answered(&sent) {
            session.close().await;
        }
        sent.map(|()| Receipt { provider: NAME, message_id: email.message_id.clone() })
    }
}

/// Says whether the server had the last word: only then is a goodbye not taken for a piece of the message.
fn is_answered(sent: &Result<(), SendError>) -> bool {
    sent.as_ref().map_or_else(|error| error.code().starts_with("smtp_"), |()| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_no_credential_and_derives_stable_message_ids() {
        let smtp =
            Smtp::new("smtps://anne:s3cret@mail.example.org", "Permanence <no-reply@example.org>").unwrap();
        let shown = format!("{smtp:?}");
        assert!(shown.contains("mail.example.org") && !shown.contains("s3cret") && !shown.contains("anne"));
        assert_eq!(smtp.message_id(Uuid::nil()), "<00000000-0000-0000-0000-000000000000@example.org>");
    }

    #[test]
    fn a_wrong_sender_is_said() {
        let error = Smtp::new("smtp://localhost", "Cabinet Martin").unwrap_err();
        assert!(error.starts_with("the sender is not a mail address"), "{error}");
    }
}
