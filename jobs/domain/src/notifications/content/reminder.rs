//! The reminder of an appointment, by SMS and by mail.
//! It tells the patient when and where, and how to cancel.

use std::fmt;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use maud::html;

use super::{EmailContent, Language, dates, gsm7::measure, layout, one_line};

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
///
/// The fixed words and all dates are GSM-7; names are left as they are spelt, so that a practice with a ç pays
/// for UCS-2 unless it chooses [`super::gsm7::fold`]. The place is told only where it needs no further
/// part.
///
/// ```
/// # use permanence_domain::notifications::content::{Language, ReminderContext, reminder_text};
/// # let context = ReminderContext {
/// #     practice_name: "Cabinet Martin".to_owned(),
/// #     practice_phone: Some("01 23 45 67 89".to_owned()),
/// #     starts_at: "2026-03-03T13:30:00Z".parse().unwrap(),
/// #     zone: chrono_tz::Europe::Paris,
/// #     place: None,
/// #     patient_first_name: "Léa".to_owned(),
/// #     language: Language::Fr,
/// # };
/// assert_eq!(
///     reminder_text(&context),
///     "Rappel : RDV le mardi 3 mars à 14h30, Cabinet Martin. Pour annuler : 01 23 45 67 89"
/// );
/// ```
#[must_use]
pub fn reminder_text(context: &ReminderContext) -> String {
    let without = sms(context, None);
    let Some(place) = &context.place else { return without };
    let with = sms(context, Some(&one_line(place)));
    if measure(&with).segments > measure(&without).segments { without } else { with }
}

fn sms(context: &ReminderContext, place: Option<&str>) -> String {
    let at = dates::short(context.starts_at, context.zone, context.language);
    let practice = one_line(&context.practice_name);
    let place = place.map(|place| format!(", {place}")).unwrap_or_default();
    let (begin, cancel) = match context.language {
        Language::Fr => ("Rappel : RDV le", "Pour annuler :"),
        Language::En => ("Reminder: appointment on", "To cancel:"),
    };
    let call = context.practice_phone.as_deref().map(|phone| format!(" {cancel} {}", one_line(phone)));
    format!("{begin} {at}, {practice}{place}.{}", call.unwrap_or_default())
}

/// Writes the reminder as a mail.
#[must_use]
pub fn reminder_email(context: &ReminderContext) -> EmailContent {
    let words = words(context);
    let practice = one_line(&context.practice_name);
    let place = context.place.as_deref().map(one_line);
    let phone = context.practice_phone.as_deref().map(one_line);

    let mut card = vec![practice.as_str()];
    card.extend(place.as_deref());
    let call = match &phone {
        Some(phone) => format!("{} {phone}.", words.call),
        None => words.tell.to_owned(),
    };
    let text = format!(
        "{}\n\n{}\n\n{}\n{}\n\n{call}\n\n{}\n{practice}\n",
        words.greeting,
        words.reminds,
        words.at,
        card.join("\n"),
        words.bye,
    );
    let page = html! {
        (layout::paragraph(&words.greeting))
        (layout::paragraph(words.reminds))
        (layout::card(&words.at, &card))
        @match &phone {
            Some(phone) => (layout::call(words.call, phone)),
            None => (layout::paragraph(words.tell)),
        }
        p style="margin:0" { (words.bye) br; (practice) }
    };
    let html = layout::page(context.language, &words.subject, &page);
    EmailContent { subject: words.subject, text, html }
}

struct Words {
    subject: String,
    greeting: String,
    reminds: &'static str,
    at: String,
    call: &'static str,
    tell: &'static str,
    bye: &'static str,
}

fn words(context: &ReminderContext) -> Words {
    let at = dates::long(context.starts_at, context.zone, context.language);
    let name = one_line(&context.patient_first_name);
    match context.language {
        Language::Fr => Words {
            subject: format!("Rappel : votre rendez-vous du {at}"),
            greeting: format!("Bonjour {name},"),
            reminds: "Nous vous rappelons votre rendez-vous :",
            at,
            call: "Pour l’annuler ou le déplacer, appelez le",
            tell: "Si vous ne pouvez pas venir, merci de prévenir le cabinet.",
            bye: "À bientôt,",
        },
        Language::En => Words {
            subject: format!("Reminder: your appointment on {at}"),
            greeting: format!("Hello {name},"),
            reminds: "This is a reminder of your appointment:",
            at,
            call: "To cancel or move it, call",
            tell: "If you cannot come, please let the practice know.",
            bye: "See you soon,",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notifications::content::gsm7::{Coding, fold};

    fn context() -> ReminderContext {
        ReminderContext {
            practice_name: "Cabinet Martin".to_owned(),
            practice_phone: Some("01 23 45 67 89".to_owned()),
            starts_at: "2026-03-03T13:30:00Z".parse().unwrap(),
            zone: chrono_tz::Europe::Paris,
            place: Some("12 rue de la Paix, 75002 Paris".to_owned()),
            patient_first_name: "Léa".to_owned(),
            language: Language::Fr,
        }
    }

    #[test]
    fn the_sms_tells_when_where_and_how_to_cancel() {
        assert_eq!(
            reminder_text(&context()),
            "Rappel : RDV le mardi 3 mars à 14h30, Cabinet Martin, 12 rue de la Paix, 75002 Paris. \
             Pour annuler : 01 23 45 67 89"
        );
        let english = ReminderContext { language: Language::En, practice_phone: None, ..context() };
        assert_eq!(
            reminder_text(&english),
            "Reminder: appointment on Tuesday 3 March at 2:30 pm, Cabinet Martin, \
             12 rue de la Paix, 75002 Paris."
        );
    }

    #[test]
    fn every_day_of_the_year_fits_one_gsm7_part() {
        let names = ["Cabinet Martin", "Maison de santé des Deux Rivières", "Centre ostéopathique Voltaire"];
        for day in 0..366 {
            for (name, language) in names.iter().flat_map(|n| [(n, Language::Fr), (n, Language::En)]) {
                let mut context = context();
                context.starts_at = context.starts_at + chrono::Days::new(day);
                context.practice_name = (*name).to_owned();
                context.language = language;
                let text = reminder_text(&context);
                let size = measure(&text);
                assert_eq!((size.coding, size.segments), (Coding::Gsm7, 1), "{text}");
            }
        }
    }

    #[test]
    fn the_place_gives_way_rather_than_cost_a_second_part() {
        let place =
            "Résidence Les Jardins de la Fontaine, bâtiment C, 3e étage, 128 avenue Jean Jaurès".to_owned();
        let context = ReminderContext { place: Some(place), ..context() };
        let text = reminder_text(&context);
        assert_eq!(
            text,
            "Rappel : RDV le mardi 3 mars à 14h30, Cabinet Martin. Pour annuler : 01 23 45 67 89"
        );
    }

    #[test]
    fn a_name_outside_gsm7_costs_ucs2_and_folds_back() {
        let context = ReminderContext { practice_name: "Clinique du Château".to_owned(), ..context() };
        let text = reminder_text(&context);
        assert_eq!(measure(&text).coding, Coding::Ucs2);
        assert_eq!(measure(&fold(&text)).segments, 1);
    }

    #[test]
    fn the_mail_says_the_same_in_text_and_html() {
        let mail = reminder_email(&context());
        assert_eq!(mail.subject, "Rappel : votre rendez-vous du mardi 3 mars 2026 à 14 h 30");
        assert_eq!(
            mail.text,
            "Bonjour Léa,\n\nNous vous rappelons votre rendez-vous :\n\n\
             mardi 3 mars 2026 à 14 h 30\nCabinet Martin\n12 rue de la Paix, 75002 Paris\n\n\
             Pour l’annuler ou le déplacer, appelez le 01 23 45 67 89.\n\nÀ bientôt,\nCabinet Martin\n"
        );
        insta::assert_snapshot!(mail.html);
    }

    #[test]
    fn the_english_mail_is_english_throughout() {
        let context = ReminderContext { language: Language::En, practice_phone: None, ..context() };
        let mail = reminder_email(&context);
        assert_eq!(mail.subject, "Reminder: your appointment on Tuesday 3 March 2026 at 2:30 pm");
        assert!(mail.html.contains("lang=\"en\""));
        assert!(mail.text.contains("please let the practice know"));
        assert!(!mail.text.contains("rendez-vous") && !mail.html.contains("rendez-vous"));
    }

    #[test]
    fn names_are_quoted_as_text_never_as_html_or_lines() {
        let mail = reminder_email(&ReminderContext {
            practice_name: "<b>Martin & \"Fils\"</b>\nBcc: x".to_owned(),
            patient_first_name: "<script>alert(1)</script>".to_owned(),
            practice_phone: Some("\"><img src=x>".to_owned()),
            ..context()
        });
        for raw in ["<b>", "<script>", "<img"] {
            assert!(!mail.html.contains(raw), "{raw} in {}", mail.html);
        }
        assert!(mail.html.contains("&lt;b&gt;Martin &amp; &quot;Fils&quot;&lt;/b&gt; Bcc: x"));
        assert!(!mail.text.contains("\nBcc"));
    }
}
