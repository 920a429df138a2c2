//! One caught message, as sent and as its reader sees it.
//! It never changes what was sent.

use chrono::{DateTime, Utc};
use mail_parser::{HeaderForm, MessageParser};
use serde::{Deserialize, Serialize};

/// A caught mail or text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A mail, caught by the mail server.
    Mail(Mail),
    /// A text, caught by the SMS server.
    Text(Text),
}

impl Message {
    /// Returns its number, which grows with every message of an outbox.
    #[must_use]
    pub fn id(&self) -> u64 {
        match self {
            Self::Mail(mail) => mail.id,
            Self::Text(text) => text.id,
        }
    }

    /// Returns when it was caught.
    #[must_use]
    pub fn received_at(&self) -> DateTime<Utc> {
        match self {
            Self::Mail(mail) => mail.received_at,
            Self::Text(text) => text.received_at,
        }
    }

    /// Returns it if it is a mail.
    #[must_use]
    pub fn as_mail(&self) -> Option<&Mail> {
        match self {
            Self::Mail(mail) => Some(mail),
            Self::Text(_) => None,
        }
    }

    /// Returns it if it is a text.
    #[must_use]
    pub fn as_text(&self) -> Option<&Text> {
        match self {
            Self::Mail(_) => None,
            Self::Text(text) => Some(text),
        }
    }
}

impl From<Mail> for Message {
    fn from(mail: Mail) -> Self {
        Self::Mail(mail)
    }
}

impl From<Text> for Message {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

/// A caught mail: its envelope and what was sent, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Its number in the outbox.
    pub id: u64,
    /// When it was caught.
    pub received_at: DateTime<Utc>,
    /// The envelope's sender; empty for a bounce.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// The message as sent (RFC 5322), free of the transport's dot-stuffing.
    pub raw: Vec<u8>,
}

impl Mail {
    /// Returns the decoded subject.
    #[must_use]
    pub fn subject(&self) -> Option<String> {
        self.header("Subject")
    }

    /// Returns the decoded plain text, with `\n` at the line ends; made from the HTML part where there is no other.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let message = MessageParser::default().parse(&self.raw)?;
        message.body_text(0).map(|text| text.replace("\r\n", "\n"))
    }

    /// Returns the decoded HTML part, or the text as HTML where there is no such part.
    #[must_use]
    pub fn html(&self) -> Option<String> {
        let message = MessageParser::default().parse(&self.raw)?;
        message.body_html(0).map(|html| html.replace("\r\n", "\n"))
    }

    /// Returns the first header of a name, unfolded and decoded; upper and lower case are alike.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let message = MessageParser::default().parse(&self.raw)?;
        let values = message.header_as(name.to_owned(), HeaderForm::Text);
        values.first().and_then(|value| value.as_text()).map(str::to_owned)
    }
}

/// The provider whose interface a text was sent through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// `OVHcloud`.
    Ovh,
    /// Twilio.
    Twilio,
    /// Brevo.
    Brevo,
}

/// A caught text message, one per recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// Its number in the outbox.
    pub id: u64,
    /// When it was caught.
    pub received_at: DateTime<Utc>,
    /// The provider whose interface was spoken.
    pub provider: Provider,
    /// The recipient's number, as sent.
    pub to: String,
    /// The sender's name, number or messaging service.
    pub sender: String,
    /// The words.
    pub body: String,
    /// The caller's own key: the header `Idempotency-Key`, else the provider's tag.
    pub key: Option<String>,
}

/// A text to keep, before it has a number and a time.
#[derive(Debug)]
pub(crate) struct NewText {
    pub(crate) provider: Provider,
    pub(crate) to: String,
    pub(crate) sender: String,
    pub(crate) body: String,
    pub(crate) key: Option<String>,
}
