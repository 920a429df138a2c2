//! The standard words, in the form that a practice's own words have: what is shown to be changed is what is sent.
//! The fixed words of an SMS are letters of GSM-7.

use super::Language;
use crate::notifications::{Channel, Purpose};

/// Told where the practice discloses it.
macro_rules! specialty {
    () => {
        "{% if specialty %}\n> {{ practitioner_name }}, {{ specialty }}{% endif %}"
    };
}

/// Told where the practice discloses it.
macro_rules! reason {
    ($reason:literal) => {
        concat!("{% if reason %}\n> ", $reason, " {{ reason }}{% endif %}")
    };
}

/// The standard words of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// The subject, of a mail.
    pub subject: Option<&'static str>,
    /// The text.
    pub body: &'static str,
}

/// The standard words for a purpose, a way and a language.
pub fn standard(purpose: Purpose, channel: Channel, language: Language) -> Words {
    match channel {
        Channel::Sms => Words { subject: None, body: sms(purpose, language) },
        Channel::Email => {
            let (subject, body) = email(purpose, language);
            Words { subject: Some(subject), body }
        }
    }
}

impl Words {
    /// The text without what the practice does not disclose, as the base of its own words.
    pub fn base(&self, specialty: bool, reason: bool) -> String {
        let mut base = self.body.to_owned();
        if !specialty {
            base = base.replace(specialty!(), "");
        }
        if !reason {
            base = base.replace(reason!("Motif :"), "").replace(reason!("Reason:"), "");
        }
        base
    }
}

/// Who and where, at the end of the sentence.
macro_rules! place {
    () => {
        ", {{ practice_name }}{% if practice_address %}, {{ practice_address }}{% endif %}."
    };
}

/// The link and the number, or the number alone.
macro_rules! change_by {
    ($link:literal, $or:literal, $call:literal) => {
        concat!(
            "{% if manage_url %} ",
            $link,
            " {{ manage_url }}{% if practice_phone %} ",
            $or,
            " {{ practice_phone }}{% endif %}{% elif practice_phone %} ",
            $call,
            " {{ practice_phone }}{% endif %}"
        )
    };
}

fn sms(purpose: Purpose, language: Language) -> &'static str {
    match (language, purpose) {
        (Language::Fr, Purpose::Reminder) => concat!(
            "Rappel : RDV le {{ weekday }} {{ date }} à {{ time }}",
            place!(),
            change_by!("Confirmer ou annuler :", "ou", "Pour annuler :")
        ),
        (Language::Fr, Purpose::Confirmation) => concat!(
            "Confirmation : RDV le {{ weekday }} {{ date }} à {{ time }}",
            place!(),
            change_by!("Pour annuler :", "ou", "Pour annuler :")
        ),
        (Language::Fr, Purpose::Cancellation) => {
            "Votre RDV du {{ weekday }} {{ date }} à {{ time }}, {{ practice_name }}, est annulé.\
             {% if practice_phone %} Nouveau RDV : {{ practice_phone }}{% endif %}"
        }
        (Language::En, Purpose::Reminder) => concat!(
            "Reminder: appointment on {{ weekday }} {{ date }} at {{ time }}",
            place!(),
            change_by!("Confirm or cancel:", "or", "To cancel:")
        ),
        (Language::En, Purpose::Confirmation) => concat!(
            "Confirmed: appointment on {{ weekday }} {{ date }} at {{ time }}",
            place!(),
            change_by!("To cancel:", "or", "To cancel:")
        ),
        (Language::En, Purpose::Cancellation) => {
            "Your appointment on {{ weekday }} {{ date }} at {{ time }}, {{ practice_name }}, is cancelled.\
             {% if practice_phone %} To book again: {{ practice_phone }}{% endif %}"
        }
    }
}

/// What the French card tells, line by line.
macro_rules! card_fr {
    () => {
        concat!(
            "\n\n> {{ weekday }} {{ date }} à {{ time }}\n> {{ practice_name }}\
             {% if practice_address %}\n> {{ practice_address }}{% endif %}",
            specialty!(),
            reason!("Motif :"),
            "\n\n"
        )
    };
}

/// What the English card tells, line by line.
macro_rules! card_en {
    () => {
        concat!(
            "\n\n> {{ weekday }} {{ date }} at {{ time }}\n> {{ practice_name }}\
             {% if practice_address %}\n> {{ practice_address }}{% endif %}",
            specialty!(),
            reason!("Reason:"),
            "\n\n"
        )
    };
}

/// How to change it, and the farewell.
macro_rules! change_fr {
    () => {
        "{{ manage_url }}\n\n\
         {% if practice_phone %}Pour {% if not manage_url %}l’annuler ou {% endif %}le déplacer, \
         appelez le {{ practice_phone }}.{% else %}\
         Si vous ne pouvez pas venir, merci de prévenir le cabinet.{% endif %}\n\n\
         À bientôt,\n{{ practice_name }}"
    };
}

/// How to change it, and the farewell.
macro_rules! change_en {
    () => {
        "{{ manage_url }}\n\n\
         {% if practice_phone %}To {% if not manage_url %}cancel or {% endif %}move it, \
         call {{ practice_phone }}.{% else %}\
         If you cannot come, please let the practice know.{% endif %}\n\n\
         See you soon,\n{{ practice_name }}"
    };
}

fn email(purpose: Purpose, language: Language) -> (&'static str, &'static str) {
    match (language, purpose) {
        (Language::Fr, Purpose::Reminder) => (
            "Rappel : votre rendez-vous du {{ weekday }} {{ date }} à {{ time }}",
            concat!(
                "Bonjour {{ patient_first_name }},\n\nNous vous rappelons votre rendez-vous :",
                card_fr!(),
                change_fr!()
            ),
        ),
        (Language::Fr, Purpose::Confirmation) => (
            "Votre rendez-vous du {{ weekday }} {{ date }} à {{ time }}",
            concat!(
                "Bonjour {{ patient_first_name }},\n\nVotre rendez-vous est noté :",
                card_fr!(),
                change_fr!()
            ),
        ),
        (Language::Fr, Purpose::Cancellation) => (
            "Annulé : votre rendez-vous du {{ weekday }} {{ date }} à {{ time }}",
            concat!(
                "Bonjour {{ patient_first_name }},\n\nVotre rendez-vous est annulé :",
                card_fr!(),
                "{% if practice_phone %}Pour en prendre un autre, appelez le {{ practice_phone }}.{% else %}\
                 Pour en prendre un autre, contactez le cabinet.{% endif %}\n\n\
                 Cordialement,\n{{ practice_name }}"
            ),
        ),
        (Language::En, Purpose::Reminder) => (
            "Reminder: your appointment on {{ weekday }} {{ date }} at {{ time }}",
            concat!(
                "Hello {{ patient_first_name }},\n\nThis is a reminder of your appointment:",
                card_en!(),
                change_en!()
            ),
        ),
        (Language::En, Purpose::Confirmation) => (
            "Your appointment on {{ weekday }} {{ date }} at {{ time }}",
            concat!(
                "Hello {{ patient_first_name }},\n\nYour appointment is booked:",
                card_en!(),
                change_en!()
            ),
        ),
        (Language::En, Purpose::Cancellation) => (
            "Cancelled: your appointment on {{ weekday }} {{ date }} at {{ time }}",
            concat!(
                "Hello {{ patient_first_name }},\n\nYour appointment is cancelled:",
                card_en!(),
                "{% if practice_phone %}To book another, call {{ practice_phone }}.{% else %}\
                 To book another, please contact the practice.{% endif %}\n\n\
                 Kind regards,\n{{ practice_name }}"
            ),
        ),
    }
}
