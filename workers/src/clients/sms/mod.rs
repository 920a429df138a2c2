//! Text messages over HTTP: one message, one provider, one request; a second only where the first was certainly refused
//! for its sender.
//! Choosing among providers is the route's work, repeating the job's.

mod brevo;
mod ovh;
mod route;
mod twilio;

use std::fmt;
use std::time::Duration;

use uuid::Uuid;

use super::{Receipt, SendError};

pub use brevo::BrevoSms;
pub use ovh::{Now, Ovh, OvhSettings};
pub use route::SmsRoute;
pub use twilio::{Twilio, TwilioSender, TwilioSettings};

/// A text message to hand to a provider.
#[derive(Clone, Copy)]
pub struct TextMessage<'a> {
    /// The number, in E.164 (`+33612345678`).
    pub to: &'a str,
    /// Whom the patient sees it come from; whom the platform is configured with where there is none, and where the
    /// provider does not allow this one.
    pub sender: Option<&'a str>,
    /// The words; [`gsm7`](permanence_domain::notifications::content::gsm7) measures them.
    pub body: &'a str,
    /// What makes this message one and the same however often it is handed over.
    pub key: Uuid,
    /// How long the message is worth delivering: a reminder is worth nothing after the appointment.
    pub valid_for: Duration,
}

/// Shows the key alone: the number and the words are a patient's.
impl fmt::Debug for TextMessage<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TextMessage").field("key", &self.key).finish_non_exhaustive()
    }
}

/// A provider of text messages.
#[derive(Debug)]
pub enum SmsProvider {
    /// `OVHcloud` SMS.
    Ovh(Ovh),
    /// Twilio Programmable Messaging.
    Twilio(Twilio),
    /// Brevo.
    Brevo(BrevoSms),
}

impl SmsProvider {
    /// Returns the provider's name as receipts give it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ovh(_) => ovh::NAME,
            Self::Twilio(_) => twilio::NAME,
            Self::Brevo(_) => super::brevo::NAME,
        }
    }

    /// Hands a message over, once. A practice's sender that the provider does not allow keeps nobody from being told.
    pub async fn send(&self, message: &TextMessage<'_>) -> Result<Receipt, SendError> {
        if !is_e164(message.to) {
            return Err(SendError::permanent("invalid_number"));
        }
        match self.hand_over(message).await {
            Err(refusal) if message.sender.is_some() && refuses_sender(&refusal) => {
                metrics::counter!("permanence_sms_senders_refused_total", "provider" => self.name())
                    .increment(1);
                self.hand_over(&TextMessage { sender: None, ..*message }).await
            }
            sent => sent,
        }
    }

    async fn hand_over(&self, message: &TextMessage<'_>) -> Result<Receipt, SendError> {
        match self {
            Self::Ovh(ovh) => ovh.send(message).await,
            Self::Twilio(twilio) => twilio.send(message).await,
            Self::Brevo(brevo) => brevo.send(message).await,
        }
    }
}

/// Whether a provider certainly did not take a message because of whom it was to come from.
fn refuses_sender(refusal: &SendError) -> bool {
    match refusal {
        SendError::Temporary { code, .. } | SendError::Permanent { code } => {
            code == "ovh_sender_refused" || code == "brevo_sender_refused" || twilio::refuses_sender(code)
        }
        SendError::Uncertain { .. } => false,
    }
}

fn is_e164(number: &str) -> bool {
    number
        .strip_prefix('+')
        .is_some_and(|digits| (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Refuses an identifier that would change the path of a request.
fn path_segment(name: &str, value: &str) -> Result<(), String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if value.is_empty() || value.starts_with('.') || !value.bytes().all(plain) {
        return Err(format!("the {name} must be letters, digits and dashes"));
    }
    Ok(())
}
