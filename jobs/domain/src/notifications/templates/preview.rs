//! Words that are still being chosen, as they would arrive. Keeps nothing.

use deserr::Deserr;
use serde::Serialize;
use utoipa::ToSchema;

use super::NewTemplate;
use crate::{
    db::TenantTx,
    error::{Error, Invalid, Result},
    field::Language,
    notifications::{
        Channel, Purpose,
        content::{AppointmentFacts, Content, check, gsm7},
    },
    tenants,
};

/// Words to try.
#[derive(Debug, Clone, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct PreviewRequest {
    /// What the message is for.
    pub purpose: Purpose,
    /// How it travels.
    pub channel: Channel,
    /// Its language.
    pub language: Language,
    /// The subject, of a mail: one line.
    #[deserr(default)]
    pub subject: Option<String>,
    /// The text.
    #[schema(example = "RDV le {{ weekday }} {{ date }} à {{ time }}, {{ practice_name }}.")]
    pub body: String,
    /// For SMS: replaces letters that cost a lot, such as ê, by their closest.
    #[deserr(default)]
    pub transliterate: bool,
}

/// The alphabet of an SMS, which sets its price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Coding {
    /// 160 letters in a lone part, 153 in each of several.
    Gsm7,
    /// 70 letters in a lone part, 67 in each of several.
    Ucs2,
}

/// A message about an invented appointment, as it would arrive.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Preview {
    /// An SMS.
    Sms {
        /// The words.
        text: String,
        /// The alphabet that they need.
        coding: Coding,
        /// What is paid for by length: a letter counts one, `€` and a few others two.
        characters: usize,
        /// Parts that are sent, and paid for.
        segments: usize,
        /// The letters that force the costly alphabet upon the whole, each once.
        forcing: Vec<String>,
    },
    /// A mail.
    Email {
        /// The subject.
        subject: String,
        /// The words as plain text.
        text: String,
        /// The same words as an HTML document.
        html: String,
    },
}

/// Shows words as they would arrive, or all that is wrong with them.
pub async fn preview(tx: &mut TenantTx, request: &PreviewRequest) -> Result<Preview> {
    let PreviewRequest { purpose, channel, language, .. } = *request;
    let new = NewTemplate {
        subject: request.subject.clone(),
        body: request.body.clone(),
        transliterate: request.transliterate,
    };
    let sample = sample(tx, language).await?;
    Ok(match check(&new.template(0), purpose, channel, language, &sample)? {
        Content::Sms { text, size } => Preview::Sms {
            coding: match size.coding {
                gsm7::Coding::Gsm7 => Coding::Gsm7,
                gsm7::Coding::Ucs2 => Coding::Ucs2,
            },
            characters: size.units,
            segments: size.segments,
            forcing: gsm7::forcing(&text).into_iter().map(String::from).collect(),
            text,
        },
        Content::Email(mail) => Preview::Email { subject: mail.subject, text: mail.text, html: mail.html },
    })
}

/// An invented appointment at the practice as it is, on a day whose name is long.
pub(super) async fn sample(tx: &mut TenantTx, language: Language) -> Result<AppointmentFacts> {
    let settings = tenants::settings(tx).await?;
    let practice = sqlx::query!("SELECT name, phone, address FROM tenants WHERE id = $1", tx.tenant().0)
        .fetch_one(tx.conn())
        .await?;
    let (specialty, reason) = match language {
        Language::Fr => ("Ostéopathie", "Suivi"),
        Language::En => ("Osteopathy", "Follow-up"),
    };
    let disclosed = |disclosed: bool, words: &str| disclosed.then(|| words.to_owned());
    Ok(AppointmentFacts {
        practice_name: practice.name,
        practice_phone: practice.phone,
        practice_address: practice.address,
        patient_first_name: "Camille".to_owned(),
        starts_at: "2027-09-22T12:30:00Z".parse().map_err(Error::internal)?,
        zone: settings.zone(),
        practitioner_name: "Dominique Martin".to_owned(),
        specialty: disclosed(settings.disclose_specialty, specialty),
        reason: disclosed(settings.disclose_reason, reason),
        manage_url: Some("https://rdv.example.fr/r/7Gk2Qx9bT4mWc3Zn".to_owned()),
        unsubscribe_url: None,
    })
}
