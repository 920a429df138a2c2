//! The mails about invoices: the paper itself, and the reminder of what is overdue. They tell numbers, amounts and days,
//! never what was supplied.

use chrono::NaiveDate;
use maud::html;

use super::{EmailContent, Language, layout, one_line};
use crate::billing::{Cents, DocumentKind, words};

/// What a mail about an invoice tells.
#[derive(Debug, Clone)]
pub struct InvoiceMail {
    /// Who sells.
    pub practice_name: String,
    /// Where questions go.
    pub practice_phone: Option<String>,
    /// Whom it greets.
    pub buyer_name: String,
    /// What kind of paper it is.
    pub kind: DocumentKind,
    /// Its number.
    pub number: String,
    /// Its day.
    pub issued_on: NaiveDate,
    /// Last day to pay, or to accept.
    pub due_on: NaiveDate,
    /// What it comes to.
    pub gross: Cents,
    /// What is left for the buyer to pay.
    pub left: Cents,
    /// Where transfers go.
    pub iban: Option<String>,
    /// The language of the mail.
    pub language: Language,
}

/// Writes the mail that carries an invoice, a credit note or a quote.
#[must_use]
pub fn invoice_email(mail: &InvoiceMail) -> EmailContent {
    let (practice, number) = (one_line(&mail.practice_name), one_line(&mail.number));
    let (on, gross) = (words::day(mail.issued_on, mail.language), words::money(mail.gross, mail.language));
    let what = match (mail.kind, mail.language) {
        (DocumentKind::Invoice, Language::Fr) => "Facture",
        (DocumentKind::Invoice, Language::En) => "Invoice",
        (DocumentKind::CreditNote, Language::Fr) => "Avoir",
        (DocumentKind::CreditNote, Language::En) => "Credit note",
        (DocumentKind::Quote, Language::Fr) => "Devis",
        (DocumentKind::Quote, Language::En) => "Quote",
    };
    let (subject, told) = match mail.language {
        Language::Fr => (
            format!("{what} {number} – {practice}"),
            format!("Vous trouverez ci-joint : {} {number} du {on}, {gross}.", what.to_lowercase()),
        ),
        Language::En => (
            format!("{what} {number} – {practice}"),
            format!("Please find attached: {} {number} of {on}, {gross}.", what.to_lowercase()),
        ),
    };
    letter(mail, subject, &told, &[])
}

/// Writes the reminder of an invoice whose last day to pay has passed.
#[must_use]
pub fn overdue_email(mail: &InvoiceMail) -> EmailContent {
    let (practice, number) = (one_line(&mail.practice_name), one_line(&mail.number));
    let (on, due) = (words::day(mail.issued_on, mail.language), words::day(mail.due_on, mail.language));
    let left = words::money(mail.left, mail.language);
    let (subject, told, ignore) = match mail.language {
        Language::Fr => (
            format!("Rappel : facture {number} – {practice}"),
            format!(
                "Sauf erreur de notre part, {left} restent à régler sur la facture {number} du {on}, à payer avant le {due}."
            ),
            "Si vous venez de payer, ne tenez pas compte de ce message.".to_owned(),
        ),
        Language::En => (
            format!("Reminder: invoice {number} – {practice}"),
            format!(
                "Unless we are mistaken, {left} are left to pay of invoice {number} of {on}, which was due by {due}."
            ),
            "If you have just paid, please ignore this message.".to_owned(),
        ),
    };
    let how = mail.iban.as_deref().map(|iban| match mail.language {
        Language::Fr => format!("Par virement : IBAN {iban}, référence {number}."),
        Language::En => format!("By transfer: IBAN {iban}, reference {number}."),
    });
    let more: Vec<String> = how.into_iter().chain([ignore]).collect();
    letter(mail, subject, &told, &more)
}

fn letter(mail: &InvoiceMail, subject: String, told: &str, more: &[String]) -> EmailContent {
    let (name, practice) = (one_line(&mail.buyer_name), one_line(&mail.practice_name));
    let greeting = match mail.language {
        Language::Fr => format!("Bonjour {name},"),
        Language::En => format!("Hello {name},"),
    };
    let signed = match mail.practice_phone.as_deref().map(one_line) {
        Some(phone) => format!("{practice}, {phone}"),
        None => practice,
    };
    let paragraphs: Vec<&str> = [greeting.as_str(), told]
        .into_iter()
        .chain(more.iter().map(String::as_str))
        .chain([signed.as_str()])
        .collect();
    let page = html! { @for paragraph in &paragraphs { (layout::paragraph(paragraph)) } };
    EmailContent {
        text: paragraphs.join("\n\n") + "\n",
        html: layout::page(mail.language, &subject, &page),
        subject,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(language: Language) -> InvoiceMail {
        InvoiceMail {
            practice_name: "Cabinet des Lilas".to_owned(),
            practice_phone: Some("01 40 00 00 10".to_owned()),
            buyer_name: "Zoé <b>Noël</b>".to_owned(),
            kind: DocumentKind::Invoice,
            number: "F2027-000001".to_owned(),
            issued_on: NaiveDate::from_ymd_opt(2027, 1, 4).unwrap(),
            due_on: NaiveDate::from_ymd_opt(2027, 2, 3).unwrap(),
            gross: Cents(123_450),
            left: Cents(2_500),
            iban: Some("FR7630006000011234567890189".to_owned()),
            language,
        }
    }

    #[test]
    fn a_reminder_tells_what_is_left_and_how_to_pay_it() {
        let french = overdue_email(&mail(Language::Fr));
        assert_eq!(french.subject, "Rappel : facture F2027-000001 – Cabinet des Lilas");
        assert!(
            french.text.contains("25,00\u{a0}€ restent à régler sur la facture F2027-000001 du 04/01/2027")
        );
        assert!(french.text.contains("IBAN FR7630006000011234567890189"));
        assert!(french.html.contains("Zoé &lt;b&gt;Noël"), "no markup of a name");
        let english = overdue_email(&mail(Language::En));
        assert!(english.text.contains("€25.00 are left to pay of invoice F2027-000001 of 4 Jan 2027"));
    }

    #[test]
    fn the_papers_mail_names_what_is_attached() {
        assert!(
            invoice_email(&mail(Language::Fr))
                .text
                .contains("ci-joint : facture F2027-000001 du 04/01/2027, 1\u{a0}234,50\u{a0}€")
        );
    }
}
