//! One cell of a CSV: from what Postgres writes to what a person or a program reads.

use permanence_domain::exports::{Holds, Profile};

/// What a spreadsheet takes for the begin of a formula, or skips before it looks for one (OWASP, CSV injection).
const FORMULA: &[u8] = b"=+-@\t\r\n";

/// Writes cells one by one, in a buffer that they share.
pub(super) struct Cells {
    profile: Profile,
    cell: Vec<u8>,
}

impl Cells {
    pub(super) fn new(profile: Profile) -> Self {
        Self { profile, cell: Vec::new() }
    }

    /// The cell of a field; an empty one stays empty.
    pub(super) fn written<'a>(&'a mut self, holds: Holds, field: &'a [u8]) -> &'a [u8] {
        let french = self.profile == Profile::French;
        match holds {
            Holds::Text => self.defused(field),
            Holds::Word(words) if french => {
                let word = words.iter().find(|(word, _)| word.as_bytes() == field);
                word.map_or(field, |(_, french)| french.as_bytes())
            }
            Holds::Bool => match (field, french) {
                (b"t", true) => b"oui",
                (b"f", true) => b"non",
                (b"t", false) => b"true",
                (b"f", false) => b"false",
                _ => field,
            },
            Holds::Cents => self.cents(field, point(french)),
            Holds::Thousandths => self.thousandths(field, point(french)),
            Holds::Day if french => self.french_day(field, b""),
            Holds::Code | Holds::Word(_) | Holds::Number | Holds::Day => field,
            Holds::Civil | Holds::Instant if french => match field.get(10..19) {
                Some(time) => self.french_day(field, time),
                None => field,
            },
            Holds::Civil => self.iso(field, b""),
            Holds::Instant => self.iso(field, b"Z"),
        }
    }

    /// What people wrote, behind an apostrophe where a spreadsheet would calculate it.
    fn defused<'a>(&'a mut self, field: &'a [u8]) -> &'a [u8] {
        match field.first() {
            Some(first) if FORMULA.contains(first) => self.of(&[b"'", field]),
            _ => field,
        }
    }

    fn cents<'a>(&'a mut self, field: &'a [u8], point: u8) -> &'a [u8] {
        let (sign, digits) = field.strip_prefix(b"-").map_or((&b""[..], field), |digits| (b"-", digits));
        match digits {
            [] => field,
            [cent] => self.of(&[sign, &[b'0', point, b'0', *cent]]),
            [ten, one] => self.of(&[sign, &[b'0', point, *ten, *one]]),
            [units @ .., ten, one] => self.of(&[sign, units, &[point, *ten, *one]]),
        }
    }

    /// `1500` as `1,5`, and no decimals where there are none.
    fn thousandths<'a>(&'a mut self, field: &'a [u8], point: u8) -> &'a [u8] {
        let (sign, digits) = field.strip_prefix(b"-").map_or((&b""[..], field), |digits| (b"-", digits));
        if digits.is_empty() {
            return field;
        }
        let padded = [&b"000"[digits.len().min(4).saturating_sub(1)..], digits].concat();
        let (units, decimals) = padded.split_at(padded.len() - 3);
        let kept = decimals.iter().rposition(|&digit| digit != b'0').map_or(0, |last| last + 1);
        let point = [point];
        self.of(&[sign, units, if kept > 0 { &point } else { b"" }, &decimals[..kept]])
    }

    /// `1984-02-29` as `29/02/1984`, and what follows.
    fn french_day<'a>(&'a mut self, field: &'a [u8], rest: &[u8]) -> &'a [u8] {
        match field.get(..10) {
            Some(&[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2]) => {
                self.of(&[&[d1, d2, b'/', m1, m2, b'/', y1, y2, y3, y4], rest])
            }
            _ => field,
        }
    }

    /// `2027-01-15 14:30:00.123+00` as ISO 8601 has it, to the second.
    fn iso<'a>(&'a mut self, field: &'a [u8], zone: &[u8]) -> &'a [u8] {
        match (field.get(..10), field.get(11..19)) {
            (Some(day), Some(time)) => self.of(&[day, b"T", time, zone]),
            _ => field,
        }
    }

    fn of(&mut self, pieces: &[&[u8]]) -> &[u8] {
        self.cell.clear();
        for piece in pieces {
            self.cell.extend_from_slice(piece);
        }
        &self.cell
    }
}

fn point(french: bool) -> u8 {
    if french { b',' } else { b'.' }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(profile: Profile, holds: Holds, field: &str) -> String {
        String::from_utf8(Cells::new(profile).written(holds, field.as_bytes()).to_vec()).unwrap()
    }

    #[test]
    fn what_people_wrote_is_never_calculated_and_our_numbers_are() {
        for profile in [Profile::French, Profile::Rfc4180] {
            for text in ["=1+1", "+33612345678", "-2", "@SUM(A1)", "\tx", "\rx", "\nx"] {
                assert_eq!(written(profile, Holds::Text, text), format!("'{text}"));
            }
            for text in ["", "Zoé", "a=b", "'=1", "1-2"] {
                assert_eq!(written(profile, Holds::Text, text), text);
            }
            assert_eq!(written(profile, Holds::Number, "-12"), "-12");
        }
    }

    #[test]
    fn money_has_two_decimals_and_its_sign() {
        for (cents, french, plain) in [
            ("0", "0,00", "0.00"),
            ("-5", "-0,05", "-0.05"),
            ("99", "0,99", "0.99"),
            ("-1250", "-12,50", "-12.50"),
            ("123456", "1234,56", "1234.56"),
            ("", "", ""),
        ] {
            assert_eq!(written(Profile::French, Holds::Cents, cents), french);
            assert_eq!(written(Profile::Rfc4180, Holds::Cents, cents), plain);
        }
    }

    #[test]
    fn quantities_have_the_decimals_that_they_need() {
        for (thousandths, french, plain) in [
            ("0", "0", "0"),
            ("5", "0,005", "0.005"),
            ("-50", "-0,05", "-0.05"),
            ("500", "0,5", "0.5"),
            ("1500", "1,5", "1.5"),
            ("-12000", "-12", "-12"),
            ("1234567", "1234,567", "1234.567"),
            ("", "", ""),
        ] {
            assert_eq!(written(Profile::French, Holds::Thousandths, thousandths), french);
            assert_eq!(written(Profile::Rfc4180, Holds::Thousandths, thousandths), plain);
        }
    }

    #[test]
    fn days_and_times_are_the_readers() {
        let both =
            |holds, field| (written(Profile::French, holds, field), written(Profile::Rfc4180, holds, field));
        let pair = |french: &str, plain: &str| (french.to_owned(), plain.to_owned());
        assert_eq!(both(Holds::Day, "1984-02-29"), pair("29/02/1984", "1984-02-29"));
        assert_eq!(
            both(Holds::Instant, "2027-01-15 14:30:00.123456+00"),
            pair("15/01/2027 14:30:00", "2027-01-15T14:30:00Z")
        );
        assert_eq!(
            both(Holds::Civil, "2027-01-15 14:30:00"),
            pair("15/01/2027 14:30:00", "2027-01-15T14:30:00")
        );
        assert_eq!(both(Holds::Bool, "t"), pair("oui", "true"));
        assert_eq!(both(Holds::Word(&[("scheduled", "prévu")]), "scheduled"), pair("prévu", "scheduled"));
        for holds in [Holds::Day, Holds::Instant, Holds::Civil, Holds::Bool] {
            assert_eq!(both(holds, ""), pair("", ""));
        }
    }
}
