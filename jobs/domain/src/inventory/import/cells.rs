//! What a cell says: a text, a number as the French or the English write it, a day. Pure; a cell is never calculated.

use chrono::{Datelike, Months, NaiveDate};

/// Why a cell does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) code: &'static str,
    pub(super) expected: &'static str,
}

const fn unreadable<T>(code: &'static str, expected: &'static str) -> Result<T, Unreadable> {
    Err(Unreadable { code, expected })
}

/// A text of at most `max` characters; nothing but spaces is none. A cell that a spreadsheet would calculate is refused,
/// but for the form `="0012"` by which spreadsheets keep the zeros of a number.
pub(super) fn text(cell: &str, max: usize) -> Result<Option<&str>, Unreadable> {
    let cell = cell.trim();
    let kept =
        cell.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"')).filter(|rest| !rest.contains('"'));
    let text = kept.unwrap_or(cell).trim();
    if text.contains('\u{fffd}') {
        return unreadable("not_decodable", "letters of the file's encoding");
    }
    if text.starts_with(['=', '+', '-', '@']) {
        return unreadable(
            "formula",
            "a text that no spreadsheet would calculate: not beginning with = + - @",
        );
    }
    if text.chars().any(char::is_control) {
        return unreadable("not_a_text", "one line without control characters; a quote may lack its end");
    }
    if text.chars().count() > max {
        return unreadable(
            "too_long",
            if max == 20 { "at most 20 characters" } else { "at most 100 characters" },
        );
    }
    Ok((!text.is_empty()).then_some(text))
}

/// A number as people write it, in units of 10^-`decimals`: « 1 234,5 », "1,234.5", "1234.5". Thousands may be parted by
/// spaces of any width, or by the sign that does not part the decimals. One comma or point alone parts the decimals.
pub(super) fn number(cell: &str, decimals: u32, most: i64) -> Result<Option<i64>, Unreadable> {
    let cell = cell.trim();
    let cell = ["€", "EUR"].iter().find_map(|unit| cell.strip_suffix(unit)).unwrap_or(cell).trim();
    if cell.is_empty() {
        return Ok(None);
    }
    let Some((whole, fraction)) = split(cell) else {
        return unreadable("not_a_number", "a number such as 1 234,5 that is not negative");
    };
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > decimals as usize {
        let expected = if decimals == 2 { "at most two decimals" } else { "at most three decimals" };
        return unreadable("too_precise", expected);
    }
    let digits = format!("{whole}{fraction:0<width$}", width = decimals as usize);
    let Ok(number) = digits.parse::<i64>() else { return unreadable("too_large", "a smaller number") };
    if number > most { unreadable("too_large", "a smaller number") } else { Ok(Some(number)) }
}

/// The digits before and after the sign that parts the decimals.
fn split(cell: &str) -> Option<(String, &str)> {
    let last = cell.rfind([',', '.']);
    let sign = last.and_then(|place| cell[place..].chars().next());
    // Twice the same sign parts thousands: 1.234.567.
    let parts = sign.is_some_and(|sign| cell.matches(sign).count() == 1);
    let (whole, fraction) = match last {
        Some(place) if parts => (&cell[..place], &cell[place + 1..]),
        _ => (cell, ""),
    };
    let mut groups = whole.split(|c: char| matches!(c, ',' | '.' | '\'' | '’') || c.is_whitespace());
    let first = groups.next()?;
    let mut digits = first.to_owned();
    let mut grouped = false;
    for group in groups {
        if group.len() != 3 {
            return None;
        }
        digits.push_str(group);
        grouped = true;
    }
    let sound = digits.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit())
        && !(digits.is_empty() && fraction.is_empty())
        && (!grouped || (1..=3).contains(&first.len()));
    // « ,5 » is half of one.
    let digits = if digits.is_empty() { "0".to_owned() } else { digits };
    sound.then_some((digits, fraction))
}

/// A day: `31/12/2027`, with points or dashes too, `2027-12-31`, or a month, `12/2027`, whose last day is meant.
pub(super) fn day(cell: &str) -> Result<Option<NaiveDate>, Unreadable> {
    let cell = cell.trim();
    if cell.is_empty() {
        return Ok(None);
    }
    let parts: Vec<&str> = cell.split(['/', '.', '-']).collect();
    let number = |text: &str, length: std::ops::RangeInclusive<usize>| -> Option<u32> {
        let plain = length.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if plain { text.parse().ok() } else { None }
    };
    let year = |text: &str| number(text, 4..=4).and_then(|year| i32::try_from(year).ok());
    let read = match parts[..] {
        [y, m, d] if y.len() == 4 => year(y)
            .zip(number(m, 1..=2))
            .zip(number(d, 1..=2))
            .and_then(|((y, m), d)| NaiveDate::from_ymd_opt(y, m, d)),
        [d, m, y] => year(y)
            .zip(number(m, 1..=2))
            .zip(number(d, 1..=2))
            .and_then(|((y, m), d)| NaiveDate::from_ymd_opt(y, m, d)),
        [m, y] => year(y)
            .zip(number(m, 1..=2))
            .and_then(|(y, m)| NaiveDate::from_ymd_opt(y, m, 1))
            .and_then(|first| (first + Months::new(1)).pred_opt()),
        _ => None,
    };
    match read.filter(|day| (1990..=2200).contains(&day.year())) {
        Some(day) => Ok(Some(day)),
        None => unreadable("not_a_date", "a day such as 31/12/2027 or 2027-12-31"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn thousandths(cell: &str) -> Result<Option<i64>, &'static str> {
        number(cell, 3, 4_000_000_000).map_err(|unreadable| unreadable.code)
    }

    #[test]
    fn numbers_are_read_as_they_are_written() {
        for (cell, read) in [
            ("1 234,5", 1_234_500),
            ("1\u{202f}234,5", 1_234_500),
            ("1\u{a0}234,5", 1_234_500),
            ("1234.5", 1_234_500),
            ("1,234.5", 1_234_500),
            ("1.234,5", 1_234_500),
            ("1.234.567", 1_234_567_000),
            ("1’234,5", 1_234_500),
            ("1,234", 1_234),
            ("12", 12_000),
            ("0,001", 1),
            (",5", 500),
            ("5,", 5_000),
            ("1,50000", 1_500),
            ("0", 0),
        ] {
            assert_eq!(thousandths(cell), Ok(Some(read)), "{cell}");
        }
        assert_eq!(thousandths("  "), Ok(None));
        for cell in [
            "-1",
            "1,2345",
            "12 34",
            "1 2345",
            "1,23,4",
            "un",
            "1e3",
            "1,5,",
            "=1+1",
            "1;2",
            "٣",
            ",",
            "1 234 5,5",
        ] {
            assert!(thousandths(cell).is_err(), "{cell}");
        }
        assert_eq!(thousandths("1,0001"), Err("too_precise"));
        assert_eq!(thousandths("4000001"), Err("too_large"));
        assert_eq!(thousandths(&"9".repeat(40)), Err("too_large"));
        assert_eq!(number("1 234,50 €", 2, 100_000_000), Ok(Some(123_450)));
        assert_eq!(number("1,555", 2, 100_000_000).unwrap_err().code, "too_precise");
    }

    #[test]
    fn days_are_read_as_the_french_write_them() {
        let of = |y, m, d| Ok(NaiveDate::from_ymd_opt(y, m, d));
        assert_eq!(day("31/12/2027"), of(2027, 12, 31));
        assert_eq!(day("1.2.2028"), of(2028, 2, 1));
        assert_eq!(day("2028-02-29"), of(2028, 2, 29));
        assert_eq!(day("02/2028"), of(2028, 2, 29));
        assert_eq!(day(""), Ok(None));
        for cell in [
            "12/31/2027",
            "31/12/27",
            "29/02/2027",
            "2027",
            "31 déc. 2027",
            "46387",
            "31/12/2027 00:00",
            "1/1/0001",
        ] {
            assert!(day(cell).is_err(), "{cell}");
        }
    }

    #[test]
    fn a_text_is_no_formula() {
        assert_eq!(text("  Gants  ", 100), Ok(Some("Gants")));
        assert_eq!(text("=\"00123\"", 100), Ok(Some("00123")));
        for (cell, code) in [
            ("=HYPERLINK(\"http://x\")", "formula"),
            ("@SUM(A1)", "formula"),
            ("+33", "formula"),
            ("-2", "formula"),
            ("=\"=1\"", "formula"),
            ("a\u{fffd}b", "not_decodable"),
            ("a\nb", "not_a_text"),
            ("a\0b", "not_a_text"),
        ] {
            assert_eq!(text(cell, 100).unwrap_err().code, code, "{cell:?}");
        }
        assert_eq!(text(&"é".repeat(100), 100).unwrap().map(str::len), Some(200));
        assert_eq!(text(&"é".repeat(101), 100).unwrap_err().code, "too_long");
    }

    proptest! {
        #[test]
        fn what_was_written_in_french_is_read_again(thousandths in 0..4_000_000_000_i64) {
            let (whole, rest) = (thousandths / 1000, thousandths % 1000);
            let mut groups = Vec::new();
            let mut left = whole;
            while left >= 1000 {
                groups.push(format!("{:03}", left % 1000));
                left /= 1000;
            }
            groups.push(left.to_string());
            groups.reverse();
            let written = format!("{},{rest:03}", groups.join("\u{202f}"));
            prop_assert_eq!(number(&written, 3, 4_000_000_000), Ok(Some(thousandths)));
        }

        #[test]
        fn no_cell_is_too_strange(cell in any::<String>()) {
            let _ = (text(&cell, 100), number(&cell, 3, i64::MAX), day(&cell));
        }
    }
}
