//! The words of the messages: pure functions of what they tell.
//! They say when and where, never why: no specialty, no reason, no clinical detail.

pub mod dates;
mod invitation;
mod layout;
mod reminder;

pub use invitation::{InvitationContext, invitation_email};
pub use reminder::{ReminderContext, reminder_email, reminder_text};

/// A language that messages are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// French.
    Fr,
    /// English.
    En,
}

impl Language {
    /// Returns the language of a tag (`en-GB`), French for all that is not English.
    #[must_use]
    pub fn from_tag(tag: &str) -> Self {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        if primary.eq_ignore_ascii_case("en") { Self::En } else { Self::Fr }
    }

    /// Returns the language's tag, as HTML's `lang` wants it.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::Fr => "fr",
            Self::En => "en",
        }
    }
}

/// The words of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailContent {
    /// The subject.
    pub subject: String,
    /// The words as plain text.
    pub text: String,
    /// The same words as an HTML document.
    pub html: String,
}

/// Names come from forms: a line end in one would break the line that quotes it.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_read_from_its_tag() {
        for (tag, language) in
            [("fr", Language::Fr), ("en", Language::En), ("en-GB", Language::En), ("EN_us", Language::En)]
        {
            assert_eq!(Language::from_tag(tag), language, "{tag}");
        }
        assert_eq!(Language::from_tag("de-DE"), Language::Fr);
        assert_eq!(Language::from_tag(""), Language::Fr);
    }
}
