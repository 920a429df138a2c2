//! The mails about a password: the link that sets a new one, and the notice that it was changed.
//! They name no practice: the password belongs to the person.

use std::fmt;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use maud::html;

use super::{EmailContent, Language, dates, layout, one_line};

/// Who asked for a new password, and the link that sets it.
#[derive(Clone)]
pub struct PasswordReset {
    /// The person.
    pub full_name: String,
    /// Where to choose a new password, for one hour; it is a secret.
    pub link: String,
    /// The person's language.
    pub language: Language,
}

/// Whose password was changed, and when.
#[derive(Clone)]
pub struct PasswordChanged {
    /// The person.
    pub full_name: String,
    /// When.
    pub changed_at: DateTime<Utc>,
    /// The zone in which that is told.
    pub zone: Tz,
    /// The person's language.
    pub language: Language,
}

/// Shows neither the person nor the link, which opens an account.
impl fmt::Debug for PasswordReset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PasswordReset").finish_non_exhaustive()
    }
}

/// Shows when alone.
impl fmt::Debug for PasswordChanged {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PasswordChanged")
            .field("changed_at", &self.changed_at)
            .finish_non_exhaustive()
    }
}

/// Writes the mail with the link that sets a new password.
#[must_use]
pub fn password_reset_email(reset: &PasswordReset) -> EmailContent {
    let name = one_line(&reset.full_name);
    let (subject, greeting, asked, button, until, ignore) = match reset.language {
        Language::Fr => (
            "Choisir un nouveau mot de passe",
            format!("Bonjour {name},"),
            "Quelqu’un, sans doute vous, a demandé un nouveau mot de passe pour votre compte. \
             Choisissez-le en suivant ce lien :",
            "Choisir un nouveau mot de passe",
            "Ce lien ne sert qu’une fois, pendant une heure.",
            "Si ce n’était pas vous, ignorez ce message : votre mot de passe ne change pas.",
        ),
        Language::En => (
            "Choose a new password",
            format!("Hello {name},"),
            "Someone, probably you, asked for a new password for your account. \
             Choose it by following this link:",
            "Choose a new password",
            "This link works once, for one hour.",
            "If it was not you, ignore this message: your password stays as it is.",
        ),
    };
    let page = html! {
        (layout::paragraph(&greeting))
        (layout::paragraph(asked))
        (layout::button(button, &reset.link))
        (layout::paragraph(until))
        (layout::paragraph(ignore))
    };
    EmailContent {
        subject: subject.to_owned(),
        text: format!("{greeting}\n\n{asked}\n{}\n\n{until}\n{ignore}\n", reset.link),
        html: layout::page(reset.language, subject, &page),
    }
}

/// Writes the notice that a password was changed.
#[must_use]
pub fn password_changed_email(changed: &PasswordChanged) -> EmailContent {
    let name = one_line(&changed.full_name);
    let at = dates::long(changed.changed_at, changed.zone, changed.language);
    let (subject, greeting, told, alarm) = match changed.language {
        Language::Fr => (
            "Votre mot de passe a été changé",
            format!("Bonjour {name},"),
            format!("Votre mot de passe a été changé le {at}. Toutes vos sessions sont fermées."),
            "Si ce n’était pas vous, demandez tout de suite un nouveau mot de passe et prévenez votre cabinet.",
        ),
        Language::En => (
            "Your password was changed",
            format!("Hello {name},"),
            format!("Your password was changed on {at}. All your sessions are closed."),
            "If it was not you, ask for a new password at once and tell your practice.",
        ),
    };
    let page = html! {
        (layout::paragraph(&greeting))
        (layout::paragraph(&told))
        (layout::paragraph(alarm))
    };
    EmailContent {
        subject: subject.to_owned(),
        text: format!("{greeting}\n\n{told}\n\n{alarm}\n"),
        html: layout::page(changed.language, subject, &page),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_is_told_with_its_hour_and_what_to_do_if_it_was_not_asked_for() {
        for language in [Language::Fr, Language::En] {
            let reset = PasswordReset {
                full_name: "Anne <i>Dupont</i>".to_owned(),
                link: "https://permanence.example/password#abc&d".to_owned(),
                language,
            };
            let mail = password_reset_email(&reset);
            insta::assert_snapshot!(
                format!("password_reset_{}", language.tag()),
                format!("{}\n\n{}\n{}", mail.subject, mail.text, mail.html)
            );
            assert!(!mail.html.contains("<i>") && mail.html.contains("#abc&amp;d"));
            assert_eq!(format!("{reset:?}"), "PasswordReset { .. }");
        }
    }

    #[test]
    fn the_notice_says_when_by_the_reader_s_clock() {
        for language in [Language::Fr, Language::En] {
            let changed = PasswordChanged {
                full_name: "Anne\nDupont".to_owned(),
                changed_at: "2026-12-31T21:05:00Z".parse().unwrap(),
                zone: chrono_tz::Indian::Reunion,
                language,
            };
            let mail = password_changed_email(&changed);
            insta::assert_snapshot!(
                format!("password_changed_{}", language.tag()),
                format!("{}\n\n{}\n{}", mail.subject, mail.text, mail.html)
            );
            assert!(!format!("{changed:?}").contains("Anne"));
        }
    }
}
