//! What members are told of the stock: a notice within the application, and the mail that tells of several things at once.
//! It names things, never patients.

use std::fmt;

use chrono::NaiveDate;
use maud::html;

use super::{EmailContent, Language, dates, layout, one_line};
use crate::{billing::Quantity, notifications::Digest};

/// Most lines of one mail; of what is beyond it tells how many there are.
const MOST_LINES: usize = 100;

/// One thing that is amiss: a lot that expires, or else an item of which there is too little.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockFact {
    /// The item.
    pub name: String,
    /// What it is counted in.
    pub unit: String,
    /// How much there is, of the lot where there is one.
    pub quantity: Quantity,
    /// How much there should be at least.
    pub threshold: Quantity,
    /// The lot that expires.
    pub lot: Option<String>,
    /// The last day on which it may be used.
    pub expires_on: Option<NaiveDate>,
}

/// What a mail tells, and to whom.
#[derive(Clone)]
pub struct StockDigest {
    /// Whose stock.
    pub practice_name: String,
    /// The reader.
    pub full_name: String,
    /// The day on which it is written, where the practice is.
    pub today: NaiveDate,
    /// What is amiss.
    pub facts: Vec<StockFact>,
    /// The reader's language.
    pub language: Language,
}

/// Shows no reader.
impl fmt::Debug for StockDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StockDigest").field("facts", &self.facts.len()).finish_non_exhaustive()
    }
}

impl Digest for StockDigest {
    fn practice_name(&self) -> &str {
        &self.practice_name
    }

    fn full_name(&self) -> &str {
        &self.full_name
    }

    fn write(&self) -> EmailContent {
        stock_digest_email(self)
    }
}

/// The title and the sentence of a notice.
#[must_use]
pub fn stock_notice(fact: &StockFact, today: NaiveDate, language: Language) -> (String, String) {
    let name = one_line(&fact.name);
    let unit = one_line(&fact.unit);
    let quantity = amount(fact.quantity, language);
    let (Some(lot), Some(expires_on)) = (&fact.lot, fact.expires_on) else {
        let threshold = amount(fact.threshold, language);
        return match language {
            Language::Fr => (
                format!("Stock bas : {name}"),
                format!("Il en reste {quantity} ({unit}), le seuil est {threshold}."),
            ),
            Language::En => (
                format!("Low stock: {name}"),
                format!("{quantity} left ({unit}), the threshold is {threshold}."),
            ),
        };
    };
    let (lot, day) = (one_line(lot), dates::date(expires_on, language));
    match (language, expires_on < today) {
        (Language::Fr, false) => (
            format!("Péremption proche : {name}"),
            format!("Lot {lot}, à utiliser jusqu’au {day}. Il en reste {quantity} ({unit})."),
        ),
        (Language::Fr, true) => (
            format!("Lot périmé : {name}"),
            format!("Lot {lot}, périmé depuis le {day}. Il en reste {quantity} ({unit})."),
        ),
        (Language::En, false) => (
            format!("Expires soon: {name}"),
            format!("Lot {lot}, to be used by {day}. {quantity} left ({unit})."),
        ),
        (Language::En, true) => (
            format!("Expired: {name}"),
            format!("Lot {lot}, last day of use {day}. {quantity} left ({unit})."),
        ),
    }
}

/// The title and the sentence of a notice that sums up many.
#[must_use]
pub fn stock_summary(low: usize, expiring: usize, language: Language) -> (String, String) {
    match language {
        Language::Fr => (
            format!("Stock : {} alertes", low + expiring),
            format!("Sous le seuil : {low}. Lots périmés ou bientôt périmés : {expiring}."),
        ),
        Language::En => (
            format!("Stock: {} alerts", low + expiring),
            format!("Below the threshold: {low}. Lots expired or soon to expire: {expiring}."),
        ),
    }
}

/// Writes the mail.
#[must_use]
pub fn stock_digest_email(digest: &StockDigest) -> EmailContent {
    let (practice, name) = (one_line(&digest.practice_name), one_line(&digest.full_name));
    let count = digest.facts.len();
    let beyond = count.saturating_sub(MOST_LINES);
    let plural = if count > 1 { "s" } else { "" };
    let (subject, greeting, intro, more, why) = match digest.language {
        Language::Fr => (
            format!("{practice} : {count} alerte{plural} de stock"),
            format!("Bonjour {name},"),
            "Voici ce qui demande votre attention dans le stock :",
            format!("Et {beyond} de plus, à voir dans la page du stock."),
            "Vous recevez ce message parce que vous l’avez demandé dans vos préférences de stock.",
        ),
        Language::En => (
            format!("{practice}: {count} stock alert{plural}"),
            format!("Hello {name},"),
            "This is what needs your attention in the stock:",
            format!("And {beyond} more, to be seen on the stock page."),
            "You receive this message because you asked for it in your stock preferences.",
        ),
    };
    let shown = digest.facts.iter().take(MOST_LINES);
    let notices: Vec<_> = shown.map(|fact| stock_notice(fact, digest.today, digest.language)).collect();
    let lines: Vec<String> = notices.iter().map(|(title, body)| format!("- {title}\n  {body}")).collect();
    let more = (beyond > 0).then_some(more);
    let mut text = vec![greeting.clone(), intro.to_owned(), lines.join("\n")];
    text.extend(more.clone());
    text.push(why.to_owned());
    let page = html! {
        (layout::paragraph(&greeting))
        (layout::paragraph(intro))
        @for (title, body) in &notices { (layout::card(&[html! { (title) }, html! { (body) }])) }
        @if let Some(more) = &more { (layout::paragraph(more)) }
        (layout::paragraph(why))
    };
    let html = layout::page(digest.language, &subject, &page);
    EmailContent { subject, text: text.join("\n\n") + "\n", html }
}

/// Thousandths as people write them: `1500` is « 1,5 », "1.5".
fn amount(quantity: Quantity, language: Language) -> String {
    let (sign, size) = (if quantity.0 < 0 { "-" } else { "" }, quantity.0.unsigned_abs());
    let decimals = format!("{:03}", size % 1000);
    let decimals = decimals.trim_end_matches('0');
    let point = match language {
        Language::Fr => ",",
        Language::En => ".",
    };
    let point = if decimals.is_empty() { "" } else { point };
    format!("{sign}{}{point}{decimals}", size / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2027, 3, day).unwrap()
    }

    fn digest(language: Language) -> StockDigest {
        let low = StockFact {
            name: "Gants <nitrile> M".to_owned(),
            unit: "boîte".to_owned(),
            quantity: Quantity(1_500),
            threshold: Quantity(5_000),
            lot: None,
            expires_on: None,
        };
        let lot = |expires_on| StockFact {
            name: "Lidocaïne".to_owned(),
            unit: "flacon".to_owned(),
            quantity: Quantity(2_000),
            lot: Some("L1".to_owned()),
            expires_on: Some(expires_on),
            ..low.clone()
        };
        StockDigest {
            practice_name: "Cabinet des Lilas".to_owned(),
            full_name: "Sophie Accueil".to_owned(),
            today: day(2),
            facts: vec![lot(day(1)), lot(day(2)), low],
            language,
        }
    }

    #[test]
    fn the_mail_tells_what_is_amiss() {
        for language in [Language::Fr, Language::En] {
            let mail = stock_digest_email(&digest(language));
            insta::assert_snapshot!(
                format!("stock_digest_{}", language.tag()),
                format!("{}\n\n{}\n{}", mail.subject, mail.text, mail.html)
            );
            assert!(!mail.html.contains("<nitrile>"));
        }
        assert!(!format!("{:?}", digest(Language::Fr)).contains("Sophie"));
    }

    #[test]
    fn a_mail_has_an_end_and_says_so() {
        let mut many = digest(Language::Fr);
        many.facts = vec![many.facts[0].clone(); MOST_LINES + 3];
        let mail = stock_digest_email(&many);
        assert!(mail.text.contains("Et 3 de plus"));
        assert_eq!(mail.text.matches("- Lot périmé").count(), MOST_LINES);
    }

    #[test]
    fn amounts_are_written_as_people_write_them() {
        for (quantity, fr, en) in [
            (0, "0", "0"),
            (1_500, "1,5", "1.5"),
            (-1, "-0,001", "-0.001"),
            (12_000, "12", "12"),
            (250, "0,25", "0.25"),
        ] {
            assert_eq!(amount(Quantity(quantity), Language::Fr), fr);
            assert_eq!(amount(Quantity(quantity), Language::En), en);
        }
    }
}
