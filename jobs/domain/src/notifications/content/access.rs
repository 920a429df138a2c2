//! What members are told of requests for what is known of a patient: a notice within the application, and the mail that tells of several
//! at once. It names no patient.

use std::fmt;

use chrono::NaiveDate;
use maud::html;

use super::{EmailContent, Language, dates, layout, one_line};
use crate::notifications::Digest;

/// What a mail tells, and to whom.
#[derive(Clone)]
pub struct AccessDigest {
    /// The practice that is to answer.
    pub practice_name: String,
    /// The reader.
    pub full_name: String,
    /// The day on which it is written, where the practice is.
    pub today: NaiveDate,
    /// The last day to answer, of each request.
    pub due_on: Vec<NaiveDate>,
    /// The reader's language.
    pub language: Language,
}

/// Shows no reader.
impl fmt::Debug for AccessDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AccessDigest").field("due_on", &self.due_on.len()).finish_non_exhaustive()
    }
}

impl Digest for AccessDigest {
    fn practice_name(&self) -> &str {
        &self.practice_name
    }

    fn full_name(&self) -> &str {
        &self.full_name
    }

    fn write(&self) -> EmailContent {
        access_digest_email(self)
    }
}

/// The title and the sentence of a notice.
#[must_use]
pub fn access_notice(due_on: NaiveDate, today: NaiveDate, language: Language) -> (String, String) {
    let day = dates::date(due_on, language);
    match (language, due_on < today) {
        (Language::Fr, false) => (
            format!("Demande d’accès : réponse due le {day}"),
            format!(
                "Un patient a demandé ses données. Le dernier jour pour les lui remettre est le {day} (RGPD, art. 12)."
            ),
        ),
        (Language::Fr, true) => (
            format!("Demande d’accès : réponse en retard depuis le {day}"),
            format!(
                "Un patient a demandé ses données. Elles devaient lui être remises le {day} au plus tard (RGPD, art. 12)."
            ),
        ),
        (Language::En, false) => (
            format!("Access request: answer due on {day}"),
            format!(
                "A patient has asked for their data. The last day to hand them over is {day} (GDPR, art. 12)."
            ),
        ),
        (Language::En, true) => (
            format!("Access request: answer overdue since {day}"),
            format!(
                "A patient has asked for their data. They were to be handed over by {day} (GDPR, art. 12)."
            ),
        ),
    }
}

/// Writes the mail.
#[must_use]
pub fn access_digest_email(digest: &AccessDigest) -> EmailContent {
    let (practice, name) = (one_line(&digest.practice_name), one_line(&digest.full_name));
    let count = digest.due_on.len();
    let (subject, greeting, intro, why) = match digest.language {
        Language::Fr => (
            format!("{practice} : {count} demande{} d’accès à traiter", if count > 1 { "s" } else { "" }),
            format!("Bonjour {name},"),
            "Ces demandes attendent encore leur réponse :",
            "Vous les trouvez, la plus urgente d’abord, dans la page des demandes d’accès. Vous recevez ce message parce que vous pouvez y répondre.",
        ),
        Language::En => (
            format!("{practice}: {count} access request{} to answer", if count > 1 { "s" } else { "" }),
            format!("Hello {name},"),
            "These requests still wait for their answer:",
            "You find them, the most urgent first, on the page of access requests. You receive this message because you may answer them.",
        ),
    };
    let notices: Vec<_> =
        digest.due_on.iter().map(|day| access_notice(*day, digest.today, digest.language)).collect();
    let lines: Vec<String> = notices.iter().map(|(title, body)| format!("- {title}\n  {body}")).collect();
    let text = [greeting.clone(), intro.to_owned(), lines.join("\n"), why.to_owned()];
    let page = html! {
        (layout::paragraph(&greeting))
        (layout::paragraph(intro))
        @for (title, body) in &notices { (layout::card(&[html! { (title) }, html! { (body) }])) }
        (layout::paragraph(why))
    };
    let html = layout::page(digest.language, &subject, &page);
    EmailContent { subject, text: text.join("\n\n") + "\n", html }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mail_tells_the_last_days_and_no_patient() {
        let day = |day| NaiveDate::from_ymd_opt(2027, 3, day).unwrap();
        for language in [Language::Fr, Language::En] {
            let digest = AccessDigest {
                practice_name: "Cabinet des Lilas".to_owned(),
                full_name: "Sophie <b>Accueil".to_owned(),
                today: day(2),
                due_on: vec![day(1), day(9)],
                language,
            };
            let mail = access_digest_email(&digest);
            insta::assert_snapshot!(
                format!("access_digest_{}", language.tag()),
                format!("{}\n\n{}", mail.subject, mail.text)
            );
            assert!(!mail.html.contains("<b>") && !format!("{digest:?}").contains("Sophie"));
        }
    }
}
