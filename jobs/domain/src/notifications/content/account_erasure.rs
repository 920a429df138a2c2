//! The mails about the erasure of an account: asked for, taken back, held up, done. They name no practice and no company: the account
//! belongs to the person, and whoever reads the mail beside them is not to learn where they go.

use std::fmt;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use maud::html;

use super::{EmailContent, Language, dates, layout, one_line};

/// What is told of an erasure.
#[derive(Clone)]
pub enum AccountErasureNews {
    /// It was asked for.
    Requested {
        /// Until then it can be taken back.
        due_at: DateTime<Utc>,
        /// Where to sign in for that.
        link: String,
    },
    /// It was taken back.
    Cancelled,
    /// Its day has come, and something is in the way.
    Held {
        /// Where to sign in to see what.
        link: String,
    },
    /// It has begun: the last mail.
    Erased {
        /// Where the certificate will be; it is a secret.
        link: String,
    },
}

/// Who is told what of the erasure of their account.
#[derive(Clone)]
pub struct AccountErasureMail {
    /// The person.
    pub full_name: String,
    /// What is told.
    pub news: AccountErasureNews,
    /// The zone in which moments are told.
    pub zone: Tz,
    /// The person's language.
    pub language: Language,
}

/// Shows neither the person nor a link.
impl fmt::Debug for AccountErasureMail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AccountErasureMail").finish_non_exhaustive()
    }
}

struct Words {
    subject: &'static str,
    told: String,
    /// What the link is called, and where it leads.
    button: Option<(&'static str, String)>,
    more: &'static str,
}

fn french(mail: &AccountErasureMail) -> Words {
    match &mail.news {
        AccountErasureNews::Requested { due_at, link } => Words {
            subject: "Votre compte sera supprimé",
            told: format!(
                "Vous avez demandé la suppression de votre compte. Elle aura lieu après le {}. Jusque-là rien ne change, \
                 et vous pouvez annuler : connectez-vous et choisissez « Annuler la suppression ».",
                dates::long(*due_at, mail.zone, mail.language)
            ),
            button: Some(("Se connecter", link.clone())),
            more: "Si ce n’était pas vous, connectez-vous, annulez, puis changez votre mot de passe.",
        },
        AccountErasureNews::Cancelled => Words {
            subject: "Votre compte ne sera pas supprimé",
            told: "La suppression de votre compte a été annulée. Tout reste comme avant.".to_owned(),
            button: None,
            more: "Si ce n’était pas vous, changez votre mot de passe.",
        },
        AccountErasureNews::Held { link } => Words {
            subject: "La suppression de votre compte attend",
            told: "Votre compte devait être supprimé aujourd’hui, mais on y compte encore sur vous : personne d’autre n’en \
                   a la charge, ou des patients ont rendez-vous avec vous. Connectez-vous pour voir où. La suppression \
                   aura lieu dès que ce sera réglé, sans autre demande."
                .to_owned(),
            button: Some(("Se connecter", link.clone())),
            more: "Vous pouvez toujours l’annuler.",
        },
        AccountErasureNews::Erased { link } => Words {
            subject: "Votre compte est supprimé",
            told: "Votre compte est fermé et vos données personnelles sont en cours d’effacement. Ceci est notre dernier \
                   message : votre adresse est effacée avec le reste. Ce que la loi oblige à conserver l’est sous scellés, et le \
                   certificat dit quoi, par quelle loi et jusqu’à quand."
                .to_owned(),
            button: Some(("Voir le certificat", link.clone())),
            more: "Le certificat y sera dès que nous aurons vérifié que rien ne reste, en général sous un jour ; le lien \
                   fonctionne 90 jours. Gardez-le pour vous.",
        },
    }
}

fn english(mail: &AccountErasureMail) -> Words {
    match &mail.news {
        AccountErasureNews::Requested { due_at, link } => Words {
            subject: "Your account will be deleted",
            told: format!(
                "You asked for your account to be deleted. That will happen after {}. Until then nothing changes, and you can \
                 cancel: sign in and choose “Cancel the deletion”.",
                dates::long(*due_at, mail.zone, mail.language)
            ),
            button: Some(("Sign in", link.clone())),
            more: "If it was not you, sign in, cancel, then change your password.",
        },
        AccountErasureNews::Cancelled => Words {
            subject: "Your account will not be deleted",
            told: "The deletion of your account was cancelled. Everything stays as it was.".to_owned(),
            button: None,
            more: "If it was not you, change your password.",
        },
        AccountErasureNews::Held { link } => Words {
            subject: "The deletion of your account is waiting",
            told: "Your account was to be deleted today, but you are still needed: nobody else is in charge, or patients \
                   have appointments with you. Sign in to see where. The deletion will happen as soon as that is \
                   settled, without another request."
                .to_owned(),
            button: Some(("Sign in", link.clone())),
            more: "You can still cancel it.",
        },
        AccountErasureNews::Erased { link } => Words {
            subject: "Your account is deleted",
            told: "Your account is closed and your personal data are being erased. This is our last message: your address is \
                   erased with the rest. What the law wants kept is kept under seal, and the certificate says what, by \
                   which law and until when."
                .to_owned(),
            button: Some(("See the certificate", link.clone())),
            more: "The certificate will be there once we have verified that nothing is left, usually within a day; the \
                   link works for 90 days. Keep it to yourself.",
        },
    }
}

/// Writes the mail.
#[must_use]
pub fn account_erasure_email(mail: &AccountErasureMail) -> EmailContent {
    let name = one_line(&mail.full_name);
    let (greeting, words) = match mail.language {
        Language::Fr => (format!("Bonjour {name},"), french(mail)),
        Language::En => (format!("Hello {name},"), english(mail)),
    };
    let page = html! {
        (layout::paragraph(&greeting))
        (layout::paragraph(&words.told))
        @if let Some((button, link)) = &words.button { (layout::button(button, link)) }
        (layout::paragraph(words.more))
    };
    let link = words.button.as_ref().map(|(_, link)| format!("{link}\n\n")).unwrap_or_default();
    EmailContent {
        subject: words.subject.to_owned(),
        text: format!("{greeting}\n\n{}\n\n{link}{}\n", words.told, words.more),
        html: layout::page(mail.language, words.subject, &page),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_says_what_happens_and_what_can_be_done() {
        let link = "https://permanence.example/e/abc&d".to_owned();
        let due_at = "2027-02-03T21:05:00Z".parse().unwrap();
        for language in [Language::Fr, Language::En] {
            let news = [
                AccountErasureNews::Requested { due_at, link: link.clone() },
                AccountErasureNews::Cancelled,
                AccountErasureNews::Held { link: link.clone() },
                AccountErasureNews::Erased { link: link.clone() },
            ];
            let mails = news.map(|news| {
                let mail = AccountErasureMail {
                    full_name: "Anne <i>Dupont</i>".to_owned(),
                    news,
                    zone: chrono_tz::Europe::Paris,
                    language,
                };
                assert_eq!(format!("{mail:?}"), "AccountErasureMail { .. }");
                let written = account_erasure_email(&mail);
                assert!(!written.html.contains("<i>"));
                format!("{}\n\n{}", written.subject, written.text)
            });
            insta::assert_snapshot!(format!("account_erasure_{}", language.tag()), mails.join("\n---\n"));
        }
    }
}
