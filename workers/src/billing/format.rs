//! Numbers and dates as a reader of the document's language writes them, and as XML does.

use chrono::{Datelike, NaiveDate};
use permanence_domain::billing::{Cents, Quantity};
use permanence_domain::field::Language;

/// Between groups of digits in French: never at the end of a line. The narrow blank of the typeface is too narrow to be
/// seen.
const BLANK: char = '\u{a0}';
const MINUS: char = '\u{2212}';

/// An amount with its currency: `1 234,56 €`, `€1,234.56`.
pub(super) fn euros(amount: Cents, language: Language) -> String {
    let sign = if amount.0 < 0 { MINUS.to_string() } else { String::new() };
    let (whole, cents) = (amount.0.unsigned_abs() / 100, amount.0.unsigned_abs() % 100);
    match language {
        Language::Fr => format!("{sign}{},{cents:02}\u{a0}€", grouped(whole, BLANK)),
        Language::En => format!("{sign}€{}.{cents:02}", grouped(whole, ',')),
    }
}

/// A quantity with its unit, unless it counts pieces: `1,5 h`.
pub(super) fn quantity(quantity: Quantity, unit: &str, language: Language) -> String {
    let symbol = match (unit, language) {
        ("C62", _) => "",
        ("HUR", _) => "h",
        ("MIN", _) => "min",
        ("DAY", Language::Fr) => "j",
        ("DAY", Language::En) => "d",
        ("KGM", _) => "kg",
        ("GRM", _) => "g",
        ("LTR", _) => "l",
        ("MTR", _) => "m",
        (other, _) => other,
    };
    let number = decimal(quantity.0, 3, language);
    if symbol.is_empty() { number } else { format!("{number}\u{a0}{symbol}") }
}

/// A rate: `5,5 %`.
pub(super) fn rate(hundredths: u32, language: Language) -> String {
    let number = decimal(i64::from(hundredths), 2, language);
    match language {
        Language::Fr => format!("{number}\u{a0}%"),
        Language::En => format!("{number}%"),
    }
}

/// A day in words: `1er mars 2026`, `1 March 2026`.
pub(crate) fn date(day: NaiveDate, language: Language) -> String {
    let month = month(day, language);
    match language {
        Language::Fr if day.day() == 1 => format!("1er\u{a0}{month}\u{a0}{}", day.year()),
        Language::Fr | Language::En => format!("{}\u{a0}{month}\u{a0}{}", day.day(), day.year()),
    }
}

fn month(day: NaiveDate, language: Language) -> &'static str {
    const FRENCH: [&str; 12] = [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ];
    const ENGLISH: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let months = match language {
        Language::Fr => FRENCH,
        Language::En => ENGLISH,
    };
    usize::try_from(day.month0()).ok().and_then(|place| months.get(place)).copied().unwrap_or_default()
}

/// Digits in groups, for identifiers that people compare: `FR76 3000 6000…`.
pub(super) fn in_groups(text: &str, sizes: &[usize]) -> String {
    let mut groups = String::with_capacity(text.len() + text.len() / 3);
    let mut sizes = sizes.iter().chain(sizes.last().into_iter().cycle());
    let mut left = sizes.next().copied().unwrap_or(usize::MAX);
    for character in text.chars().filter(|character| !character.is_whitespace()) {
        if left == 0 {
            groups.push('\u{a0}');
            left = sizes.next().copied().unwrap_or(usize::MAX);
        }
        groups.push(character);
        left = left.saturating_sub(1);
    }
    groups
}

/// A number of so many decimal places as XML has it: `1234.5`.
pub(super) fn xml_decimal(number: i64, places: usize) -> String {
    let (sign, whole, fraction) = split(number, places);
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// An amount as XML has it: `1234.50`.
pub(super) fn xml_amount(amount: Cents) -> String {
    let sign = if amount.0 < 0 { "-" } else { "" };
    let cents = amount.0.unsigned_abs();
    format!("{sign}{}.{:02}", cents / 100, cents % 100)
}

fn decimal(number: i64, places: usize, language: Language) -> String {
    let (sign, whole, fraction) = split(number, places);
    let sign = if sign.is_empty() { String::new() } else { MINUS.to_string() };
    let (group, point) = match language {
        Language::Fr => (BLANK, ','),
        Language::En => (',', '.'),
    };
    let whole = grouped(whole, group);
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}{point}{fraction}") }
}

/// Sign, whole part and decimal places without the zeros at their end.
fn split(number: i64, places: usize) -> (&'static str, u64, String) {
    let scale = 10u64.pow(u32::try_from(places).unwrap_or_default());
    let (whole, fraction) = (number.unsigned_abs() / scale, number.unsigned_abs() % scale);
    let fraction = format!("{fraction:0places$}");
    (if number < 0 { "-" } else { "" }, whole, fraction.trim_end_matches('0').to_owned())
}

fn grouped(number: u64, separator: char) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 2);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(separator);
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_as_their_language_writes_them() {
        let french = |cents| euros(Cents(cents), Language::Fr).replace('\u{a0}', " ");
        assert_eq!(french(999_999_999), "9 999 999,99 €");
        assert_eq!(french(0), "0,00 €");
        assert_eq!(french(-5), "−0,05 €");
        assert_eq!(euros(Cents(123_456), Language::En), "€1,234.56");
        assert_eq!(euros(Cents(-100_000), Language::En), "−€1,000.00");
    }

    #[test]
    fn quantities_and_rates_carry_no_idle_zeros() {
        let shown =
            |thousandths, unit| quantity(Quantity(thousandths), unit, Language::Fr).replace('\u{a0}', " ");
        assert_eq!(shown(1_000, "C62"), "1");
        assert_eq!(shown(1_500, "HUR"), "1,5 h");
        assert_eq!(shown(125, "KGM"), "0,125 kg");
        assert_eq!(rate(550, Language::Fr).replace('\u{a0}', " "), "5,5 %");
        assert_eq!(rate(2_000, Language::En), "20%");
        assert_eq!(xml_decimal(-1_250, 3), "-1.25");
        assert_eq!(xml_decimal(0, 3), "0");
        assert_eq!(xml_amount(Cents(-5)), "-0.05");
    }

    #[test]
    fn days_are_told_in_words() {
        let day = |text: &str, language| date(text.parse().unwrap(), language).replace('\u{a0}', " ");
        assert_eq!(day("2026-03-01", Language::Fr), "1er mars 2026");
        assert_eq!(day("2026-12-24", Language::Fr), "24 décembre 2026");
        assert_eq!(day("2026-03-01", Language::En), "1 March 2026");
    }

    #[test]
    fn identifiers_come_in_groups() {
        let groups = |text: &str, sizes: &[usize]| in_groups(text, sizes).replace('\u{a0}', " ");
        assert_eq!(groups("FR7630006000011234567890189", &[4]), "FR76 3000 6000 0112 3456 7890 189");
        assert_eq!(groups("73282932000074", &[3, 3, 3, 5]), "732 829 320 00074");
    }
}
