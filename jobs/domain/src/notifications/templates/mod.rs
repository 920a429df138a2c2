//! The words that a practice has chosen for its messages, version by version. It keeps and finds them; what they may be
//! and what becomes of them belongs to `content`.

mod in_force;
mod preview;
mod store;

use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Channel, Purpose, content::Template};
use crate::{error::Invalid, field::Language};

pub use in_force::{InForce, all_in_force, in_force};
pub use preview::{Coding, Preview, PreviewRequest, preview};
pub use store::{
    MessageTemplate, StandardWords, TemplateList, TemplateSummary, TemplateVersion, get, list, put, reset,
};

/// Which message a template is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Path)]
pub struct TemplateKey {
    /// What the message is for.
    pub purpose: Purpose,
    /// How it travels.
    pub channel: Channel,
    /// Its language.
    pub language: Language,
}

impl TemplateKey {
    /// Every message there is.
    pub fn all() -> impl Iterator<Item = Self> {
        [Purpose::Reminder, Purpose::Confirmation, Purpose::Cancellation].into_iter().flat_map(|purpose| {
            [Channel::Sms, Channel::Email].into_iter().flat_map(move |channel| {
                [Language::Fr, Language::En].into_iter().map(move |language| Self {
                    purpose,
                    channel,
                    language,
                })
            })
        })
    }
}

/// A practice's own words. Placeholders stand in double braces, and `{% if … %}` asks whether one is known.
#[derive(Debug, Clone, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewTemplate {
    /// The subject, of a mail: one line.
    #[deserr(default)]
    #[schema(example = "Votre rendez-vous du {{ date }}")]
    pub subject: Option<String>,
    /// The text. In a mail blank lines part paragraphs, and a line with nothing but the link becomes a button.
    #[schema(example = "RDV le {{ weekday }} {{ date }} à {{ time }}, {{ practice_name }}.")]
    pub body: String,
    /// For SMS: replaces letters that cost a lot, such as ê, by their closest.
    #[deserr(default)]
    pub transliterate: bool,
}

impl NewTemplate {
    fn template(&self, version: i32) -> Template {
        let trimmed = |text: &str| text.trim().replace("\r\n", "\n");
        Template {
            version,
            subject: self.subject.as_deref().map(trimmed),
            body: trimmed(&self.body),
            transliterate: self.transliterate,
        }
    }
}
