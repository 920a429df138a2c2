//! From facts to the message that leaves. It always gives words: where a practice's own fail, the standard ones.

use super::{
    AppointmentFacts, EmailContent, Language, Template, dates,
    fill::{Values, fill},
    gsm7::{Size, fold, measure},
    letter::letter,
    one_line, standard,
};
use crate::{
    notifications::{Channel, Purpose},
    placeholders::Unfilled,
};

/// A message, ready to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A text message.
    Sms {
        /// The words.
        text: String,
        /// How they travel.
        size: Size,
    },
    /// A mail.
    Email(EmailContent),
}

/// Writes a message: in the practice's own words where it has any and they hold, else in the standard words.
///
/// A template that fails now, because it prints what is not known in this case or is no longer disclosed, never holds up
/// a message: it is logged and counted in `permanence_template_fallbacks_total`.
///
/// ```
/// use permanence_domain::notifications::{Channel, Purpose, content::{AppointmentFacts, Content, Language, render}};
/// let facts = AppointmentFacts {
///     practice_name: "Cabinet Martin".to_owned(),
///     practice_phone: Some("01 23 45 67 89".to_owned()),
///     practice_address: None,
///     patient_first_name: "Léa".to_owned(),
///     starts_at: "2026-03-03T13:30:00Z".parse().unwrap(),
///     zone: chrono_tz::Europe::Paris,
///     practitioner_name: "Camille Roy".to_owned(),
///     specialty: None,
///     reason: None,
///     manage_url: None,
///     unsubscribe_url: None,
/// };
/// let Content::Sms { text, size } = render(None, Purpose::Reminder, Channel::Sms, Language::Fr, &facts) else {
///     unreachable!()
/// };
/// assert_eq!(text, "Rappel : RDV le mardi 3 mars à 14h30, Cabinet Martin. Pour annuler : 01 23 45 67 89");
/// assert_eq!(size.segments, 1);
/// ```
#[must_use]
pub fn render(
    template: Option<&Template>,
    purpose: Purpose,
    channel: Channel,
    language: Language,
    facts: &AppointmentFacts,
) -> Content {
    if let Some(template) = template {
        match own(template, purpose, channel, language, facts) {
            Ok(content) => return content,
            Err(unfilled) => note(template, purpose, channel, language, unfilled.reason()),
        }
    }
    usual(purpose, channel, language, facts).unwrap_or_else(|unfilled| {
        let (purpose, reason) = (purpose.name(), unfilled.reason());
        tracing::error!(purpose, reason, "the standard words fail: the least that can be said is sent");
        least(channel, language, facts)
    })
}

/// Writes a message in a practice's own words, or says why they give none.
pub(super) fn own(
    template: &Template,
    purpose: Purpose,
    channel: Channel,
    language: Language,
    facts: &AppointmentFacts,
) -> Result<Content, Unfilled> {
    let values = Values::of(facts, language, channel);
    let body = fill(&template.body, &values)?;
    Ok(match channel {
        Channel::Sms => sms(if template.transliterate { fold(&body) } else { body }),
        Channel::Email => {
            let subject = fill(template.subject.as_deref().unwrap_or_default(), &values)?;
            Content::Email(letter(&subject, &body, purpose, language, facts))
        }
    })
}

/// Writes a message in the standard words. The place is told by SMS only where it needs no further part.
fn usual(
    purpose: Purpose,
    channel: Channel,
    language: Language,
    facts: &AppointmentFacts,
) -> Result<Content, Unfilled> {
    let words = standard(purpose, channel, language);
    let template = Template {
        version: 0,
        subject: words.subject.map(str::to_owned),
        body: words.body.to_owned(),
        transliterate: false,
    };
    let with = own(&template, purpose, channel, language, facts)?;
    let Content::Sms { size: Size { segments, .. }, .. } = with else { return Ok(with) };
    let elsewhere = AppointmentFacts { practice_address: None, ..facts.clone() };
    let without = own(&template, purpose, channel, language, &elsewhere)?;
    Ok(match &without {
        Content::Sms { size, .. } if size.segments < segments => without,
        _ => with,
    })
}

fn sms(text: String) -> Content {
    let size = measure(&text);
    Content::Sms { text, size }
}

/// Who and when, without any template.
fn least(channel: Channel, language: Language, facts: &AppointmentFacts) -> Content {
    let at = dates::long(facts.starts_at, facts.zone, language);
    let words = format!("{} - {at}", one_line(&facts.practice_name));
    match channel {
        Channel::Sms => sms(words),
        Channel::Email => Content::Email(letter(&words, &words, Purpose::Reminder, language, facts)),
    }
}

fn note(template: &Template, purpose: Purpose, channel: Channel, language: Language, reason: &'static str) {
    let (purpose, channel, language) = (purpose.name(), channel.name(), language.tag());
    tracing::warn!(
        purpose,
        channel,
        language,
        version = template.version,
        reason,
        "a practice's own words fail: the standard ones are sent"
    );
    metrics::counter!(
        "permanence_template_fallbacks_total",
        "purpose" => purpose, "channel" => channel, "reason" => reason
    )
    .increment(1);
}
