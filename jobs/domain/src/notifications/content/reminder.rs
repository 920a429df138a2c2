//! The reminder in the standard words, by its own names.

use std::fmt;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::{AppointmentFacts, Content, EmailContent, Language, render};
use crate::notifications::{Channel, Purpose};

/// What a reminder tells, and to whom.
#[derive(Clone)]
pub struct ReminderContext {
    /// The practice, as patients know it.
    pub practice_name: String,
    /// The number to call to cancel, as it should be shown.
    pub practice_phone: Option<String>,
    /// When the appointment begins.
    pub starts_at: DateTime<Utc>,
    /// The practice's zone, in which the time is told.
    pub zone: Tz,
    /// The address to come to.
    pub place: Option<String>,
    /// The patient's first name; the SMS leaves it out.
    pub patient_first_name: String,
    /// The patient's language.
    pub language: Language,
}

/// Shows when alone: that a person goes to a practice is a secret already.
impl fmt::Debug for ReminderContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ReminderContext").field("starts_at", &self.starts_at).finish_non_exhaustive()
    }
}

/// Writes the reminder as an SMS.
#[must_use]
pub fn reminder_text(context: &ReminderContext) -> String {
    match reminder(context, Channel::Sms) {
        Content::Sms { text, .. } | Content::Email(EmailContent { text, .. }) => text,
    }
}

/// Writes the reminder as a mail.
#[must_use]
pub fn reminder_email(context: &ReminderContext) -> EmailContent {
    match reminder(context, Channel::Email) {
        Content::Email(email) => email,
        Content::Sms { text, .. } => EmailContent { subject: text.clone(), html: text.clone(), text },
    }
}

fn reminder(context: &ReminderContext, channel: Channel) -> Content {
    let facts = AppointmentFacts {
        practice_name: context.practice_name.clone(),
        practice_phone: context.practice_phone.clone(),
        practice_address: context.place.clone(),
        patient_first_name: context.patient_first_name.clone(),
        starts_at: context.starts_at,
        zone: context.zone,
        practitioner_name: String::new(),
        specialty: None,
        reason: None,
        manage_url: None,
        unsubscribe_url: None,
    };
    render(None, Purpose::Reminder, channel, context.language, &facts)
}
