//! The invitation of a person to a practice's team, by mail.
//! It carries the one link that sets a first password, and says until when.

use std::fmt;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use maud::html;

use super::{EmailContent, Language, dates, layout, one_line};

/// What an invitation tells, and to whom.
#[derive(Clone)]
pub struct InvitationContext {
    /// The practice that invites.
    pub practice_name: String,
    /// The person invited.
    pub full_name: String,
    /// Where to choose a password; it is a secret.
    pub link: String,
    /// When the link stops working.
    pub expires_at: DateTime<Utc>,
    /// The practice's zone, in which that is told.
    pub zone: Tz,
    /// The person's language.
    pub language: Language,
}

/// Shows neither the person nor the link, which opens an account.
impl fmt::Debug for InvitationContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("InvitationContext")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Writes the invitation as a mail.
#[must_use]
pub fn invitation_email(context: &InvitationContext) -> EmailContent {
    let words = words(context);
    let text = format!(
        "{}\n\n{}\n\n{}\n{}\n\n{}\n{}\n",
        words.greeting, words.invites, words.choose, context.link, words.until, words.ignore,
    );
    let page = html! {
        (layout::paragraph(&words.greeting))
        (layout::paragraph(&words.invites))
        (layout::button(words.button, &context.link))
        (layout::paragraph(&words.until))
        (layout::paragraph(words.ignore))
    };
    let html = layout::page(context.language, &words.subject, &page);
    EmailContent { subject: words.subject, text, html }
}

struct Words {
    subject: String,
    greeting: String,
    invites: String,
    choose: &'static str,
    button: &'static str,
    until: String,
    ignore: &'static str,
}

fn words(context: &InvitationContext) -> Words {
    let until = dates::long(context.expires_at, context.zone, context.language);
    let practice = one_line(&context.practice_name);
    let name = one_line(&context.full_name);
    match context.language {
        Language::Fr => Words {
            subject: format!("{practice} vous invite à rejoindre son équipe"),
            greeting: format!("Bonjour {name},"),
            invites: format!("{practice} vous ouvre un accès à son espace de travail."),
            choose: "Choisissez votre mot de passe en suivant ce lien :",
            button: "Choisir mon mot de passe",
            until: format!("Ce lien ne sert qu’une fois, jusqu’au {until}."),
            ignore: "Si vous n’attendiez pas cette invitation, ignorez ce message.",
        },
        Language::En => Words {
            subject: format!("{practice} invites you to join its team"),
            greeting: format!("Hello {name},"),
            invites: format!("{practice} gives you access to its workspace."),
            choose: "Choose your password by following this link:",
            button: "Choose my password",
            until: format!("This link works once, until {until}."),
            ignore: "If you did not expect this invitation, ignore this message.",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> InvitationContext {
        InvitationContext {
            practice_name: "Cabinet Martin".to_owned(),
            full_name: "Anne Dupont".to_owned(),
            link: "https://permanence.example/join?token=abc&lang=fr".to_owned(),
            expires_at: "2026-10-25T11:00:00Z".parse().unwrap(),
            zone: chrono_tz::Europe::Paris,
            language: Language::Fr,
        }
    }

    #[test]
    fn tells_who_invites_the_link_and_until_when() {
        let mail = invitation_email(&context());
        assert_eq!(mail.subject, "Cabinet Martin vous invite à rejoindre son équipe");
        assert_eq!(
            mail.text,
            "Bonjour Anne Dupont,\n\nCabinet Martin vous ouvre un accès à son espace de travail.\n\n\
             Choisissez votre mot de passe en suivant ce lien :\n\
             https://permanence.example/join?token=abc&lang=fr\n\n\
             Ce lien ne sert qu’une fois, jusqu’au dimanche 25 octobre 2026 à 12 h.\n\
             Si vous n’attendiez pas cette invitation, ignorez ce message.\n"
        );
        insta::assert_snapshot!(mail.html);
    }

    #[test]
    fn the_english_mail_is_english_and_escaped() {
        let context =
            InvitationContext { language: Language::En, full_name: "<i>Anne</i>".to_owned(), ..context() };
        let mail = invitation_email(&context);
        assert_eq!(mail.subject, "Cabinet Martin invites you to join its team");
        assert!(mail.text.contains("This link works once, until Sunday 25 October 2026 at 12:00 pm."));
        assert!(mail.html.contains("Hello &lt;i&gt;Anne&lt;/i&gt;,"));
    }

    #[test]
    fn shows_neither_the_person_nor_the_link() {
        let shown = format!("{:?}", context());
        assert!(!shown.contains("Anne") && !shown.contains("token"), "{shown}");
    }
}
