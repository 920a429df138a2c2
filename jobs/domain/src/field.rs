//! The kinds of value that a request's fields hold, each read from JSON with its rule. Never touches the database.

use std::ops::ControlFlow;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, SubsecRound, Utc};
use chrono_tz::Tz;
use deserr::{Deserr, IntoValue, MergeWithError, Value, ValuePointerRef};

use crate::error::{Invalid, Problem};

/// Reads a string and turns it into a value, or into a problem at the place where it stands.
pub fn from_text<T, V: IntoValue>(
    value: Value<V>,
    location: ValuePointerRef<'_>,
    parse: impl FnOnce(&str) -> Result<T, Problem>,
) -> Result<T, Invalid> {
    let text = <String as Deserr<Invalid>>::deserialize_from_value(value, location)?;
    parse(&text).map_err(|problem| at(location, problem))
}

/// A problem of the value at this place.
pub(crate) fn at(location: ValuePointerRef<'_>, problem: Problem) -> Invalid {
    match Invalid::merge(None, problem, location) {
        ControlFlow::Continue(invalid) | ControlFlow::Break(invalid) => invalid,
    }
}

/// Reads a type from a JSON string by its own `parse`.
#[macro_export]
macro_rules! read_from_text {
    ($name:ident) => {
        impl deserr::Deserr<$crate::Invalid> for $name {
            fn deserialize_from_value<V: deserr::IntoValue>(
                value: deserr::Value<V>,
                location: deserr::ValuePointerRef<'_>,
            ) -> Result<Self, $crate::Invalid> {
                $crate::field::from_text(value, location, Self::parse)
            }
        }
    };
}

/// Declares a string newtype with one rule: JSON, SQL and OpenAPI follow from it. Printed for programmers it does not tell its text.
#[macro_export]
macro_rules! text_field {
    ($(#[$doc:meta])* $name:ident, $example:literal, $parse:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, sqlx::Type, utoipa::ToSchema)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        #[schema(value_type = String, example = $example)]
        pub struct $name(String);

        impl $name {
            /// Reads the value by its rule.
            pub fn parse(text: &str) -> Result<Self, $crate::Problem> {
                let parse: fn(&str) -> Result<String, $crate::Problem> = $parse;
                parse(text).map(Self)
            }

            /// The value as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        /// Never the text: it may be somebody's.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }

        $crate::read_from_text!($name);
    };
}

pub(crate) fn trimmed(text: &str, max: usize) -> Result<String, Problem> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > max || text.chars().any(char::is_control) {
        return Err(Problem::new(
            "",
            "not_a_text",
            format!("1 to {max} characters, none of them a control character"),
        )
        .read(text));
    }
    Ok(text.to_owned())
}

text_field!(
    /// A first or last name: 1 to 100 characters.
    PersonName, "Hélène", |text| trimmed(text, 100)
);
text_field!(
    /// The name of a thing, such as a room: 1 to 100 characters.
    Label, "Cabinet 1", |text| trimmed(text, 100)
);
text_field!(
    /// Why a patient comes: 1 to 200 characters.
    Reason, "Suivi", |text| trimmed(text, 200)
);
text_field!(
    /// What is searched for: at most 100 characters; none searches for nothing in particular.
    SearchText, "helene garcia", |text| match text.trim() {
        "" => Ok(String::new()),
        words => trimmed(words, 100),
    }
);
text_field!(
    /// A full name: 1 to 200 characters.
    FullName, "Hélène Garcia", |text| trimmed(text, 200)
);
text_field!(
    /// An email address, in lower case.
    EmailAddress, "helene.garcia@example.fr", |text| {
        let address = text.trim().to_lowercase();
        let well_formed = address.len() <= 254
            && email_address::EmailAddress::parse_with_options(&address, email_address::Options::default()
                .with_required_tld().without_domain_literal().without_display_text()).is_ok();
        if well_formed { Ok(address) } else {
            Err(Problem::new("", "not_an_email", "an email address such as name@example.fr").read(text))
        }
    }
);
text_field!(
    /// A telephone number in E.164; national numbers are read as French.
    Phone, "+33612345678", |text| {
        let number = phonenumber::parse(Some(phonenumber::country::FR), text)
            .ok()
            .filter(phonenumber::PhoneNumber::is_valid)
            .map(|number| number.format().mode(phonenumber::Mode::E164).to_string());
        number.ok_or_else(|| {
            Problem::new("", "not_a_phone", "a telephone number such as +33612345678 or 06 12 34 56 78").read(text)
        })
    }
);
impl Phone {
    /// Whether the number can receive an SMS: mobile, or of a plan that does not tell.
    pub fn receives_sms(&self) -> bool {
        use phonenumber::Type::{FixedLineOrMobile, Mobile};
        phonenumber::parse(None, &self.0).is_ok_and(|number| {
            matches!(number.number_type(&phonenumber::metadata::DATABASE), Mobile | FixedLineOrMobile)
        })
    }
}

text_field!(
    /// An RPPS number: 11 digits with a Luhn check digit (Agence du numérique en santé).
    RppsNumber, "10100000016", |text| digits(text, 11, true, "not_an_rpps", "11 digits of which the last is a Luhn check digit")
);
text_field!(
    /// An ADELI number: 9 digits.
    AdeliNumber, "759312345", |text| digits(text, 9, false, "not_an_adeli", "9 digits")
);

fn digits(
    text: &str,
    length: usize,
    check: bool,
    code: &'static str,
    expected: &str,
) -> Result<String, Problem> {
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let well_formed = compact.len() == length && compact.bytes().all(|b| b.is_ascii_digit());
    if well_formed && (!check || luhn(&compact)) {
        Ok(compact)
    } else {
        Err(Problem::new("", code, expected).read(text))
    }
}

/// Whether the last digit is the Luhn check digit (ISO/IEC 7812-1) of the others.
pub(crate) fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte - b'0');
            match (place % 2, digit * 2) {
                (0, _) => digit,
                (_, doubled) if doubled > 9 => doubled - 9,
                (_, doubled) => doubled,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The years that a day or a time may lie in: four digits, and nobody is older.
const YEARS: std::ops::RangeInclusive<i32> = 1850..=9999;

/// A calendar day, `YYYY-MM-DD`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[serde(transparent)]
#[schema(value_type = String, format = Date, example = "1984-02-29")]
pub struct Day(pub NaiveDate);

impl Day {
    /// Reads `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        // Chrono alone would read other years and spaces too.
        let plain = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let day = text.parse::<NaiveDate>().ok().filter(|day| plain && YEARS.contains(&day.year()));
        day.map(Self).ok_or_else(|| Problem::new("", "not_a_date", "a calendar day as YYYY-MM-DD").read(text))
    }
}

read_from_text!(Day);

/// A moment as a person or a program writes it: with an offset it is exact, without one it is the civil time of the
/// practice and still needs its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// RFC 3339 with an offset.
    Exact(DateTime<Utc>),
    /// A civil time without a zone.
    Civil(NaiveDateTime),
}

impl Moment {
    /// Reads `2027-03-15T14:30`, with seconds or an offset if wanted.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        // To the second: what is finer would be lost in storage, and make the same time seem another.
        let exact = DateTime::parse_from_rfc3339(text).ok().map(|at| at.with_timezone(&Utc).trunc_subsecs(0));
        let civil = || {
            ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
                .iter()
                .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        };
        exact
            .filter(|at| YEARS.contains(&at.year()))
            .map(Self::Exact)
            .or_else(|| civil().filter(|at| YEARS.contains(&at.year())).map(Self::Civil))
            .ok_or_else(|| {
                Problem::new(
                    "",
                    "not_a_time",
                    "the practice's local time as 2027-03-15T14:30, or a time with its offset as 2027-03-15T14:30:00+01:00",
                )
                .read(text)
            })
    }
}

read_from_text!(Moment);

/// An instant, written as RFC 3339 with its offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, utoipa::ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2027-03-15T13:30:00Z")]
pub struct Instant(pub DateTime<Utc>);

impl Instant {
    /// Reads `2027-03-15T13:30:00Z`, or with another offset.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let at = DateTime::parse_from_rfc3339(text).ok().map(|at| at.with_timezone(&Utc));
        at.filter(|at| YEARS.contains(&at.year())).map(Self).ok_or_else(|| {
            Problem::new("", "not_a_time", "an instant with its offset as 2027-03-15T13:30:00Z").read(text)
        })
    }
}

read_from_text!(Instant);

/// A whole number from `MIN` to `MAX`, written in a body; `DEFAULT` where it is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Whole<const DEFAULT: u32, const MIN: u32, const MAX: u32>(u32);

impl<const DEFAULT: u32, const MIN: u32, const MAX: u32> Whole<DEFAULT, MIN, MAX> {
    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl<const DEFAULT: u32, const MIN: u32, const MAX: u32> Default for Whole<DEFAULT, MIN, MAX> {
    fn default() -> Self {
        Self(DEFAULT)
    }
}

impl<const DEFAULT: u32, const MIN: u32, const MAX: u32> TryFrom<i64> for Whole<DEFAULT, MIN, MAX> {
    type Error = Problem;

    fn try_from(number: i64) -> Result<Self, Problem> {
        u32::try_from(number).ok().filter(|number| (MIN..=MAX).contains(number)).map(Self).ok_or_else(|| {
            Problem::new("", "not_a_count", format!("a whole number from {MIN} to {MAX}")).read(number)
        })
    }
}

impl<const DEFAULT: u32, const MIN: u32, const MAX: u32> Deserr<Invalid> for Whole<DEFAULT, MIN, MAX> {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, Invalid> {
        let number = <i64 as Deserr<Invalid>>::deserialize_from_value(value, location)?;
        Self::try_from(number).map_err(|problem| at(location, problem))
    }
}

/// Yes or no, written in a query string; no where it is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flag(bool);

impl Flag {
    /// Reads `true` or `false`.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        text.parse().map(Self).map_err(|_| Problem::new("", "not_a_flag", "true or false").read(text))
    }

    /// Whether it is yes.
    pub fn get(self) -> bool {
        self.0
    }
}

read_from_text!(Flag);

/// A zone of the IANA database, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, example = "Europe/Paris")]
pub struct Zone(pub Tz);

impl Zone {
    /// Reads a zone's name.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let expected = "a zone of the IANA database, such as Europe/Paris or Indian/Reunion";
        text.parse().map(Self).map_err(|_| Problem::new("", "not_a_zone", expected).read(text))
    }
}

read_from_text!(Zone);

/// The language that a person is written to in.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Deserr,
    serde::Serialize,
    serde::Deserialize,
    sqlx::Type,
    utoipa::ToSchema,
)]
#[deserr(rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Language {
    /// French, the default.
    #[default]
    Fr,
    /// English.
    En,
}

impl Language {
    /// The language's tag, as HTML's `lang` wants it.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Fr => "fr",
            Self::En => "en",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_become_e164() {
        assert_eq!(Phone::parse("06 12 34 56 78").unwrap().as_str(), "+33612345678");
        assert_eq!(Phone::parse("+262 692 12 34 56").unwrap().as_str(), "+262692123456");
        let problem = Phone::parse("12").unwrap_err();
        assert_eq!((problem.code, problem.read.as_deref()), ("not_a_phone", Some("12")));
    }

    #[test]
    fn rpps_needs_its_check_digit() {
        assert_eq!(RppsNumber::parse("101 0000 0016").unwrap().as_str(), "10100000016");
        assert_eq!(RppsNumber::parse("10100000017").unwrap_err().code, "not_an_rpps", "wrong check digit");
        assert!(RppsNumber::parse("12345678901").is_err(), "the seed's sample fails Luhn");
        assert!(RppsNumber::parse("1010000001").is_err(), "too short");
    }

    #[test]
    fn emails_are_lower_case_and_well_formed() {
        assert_eq!(EmailAddress::parse(" Helene@Example.FR ").unwrap().as_str(), "helene@example.fr");
        for bad in ["", "helene", "helene@", "@example.fr", "a b@example.fr", "helene@localhost"] {
            assert_eq!(EmailAddress::parse(bad).unwrap_err().code, "not_an_email", "{bad}");
        }
    }

    #[test]
    fn nothing_that_was_read_is_printed_and_the_caller_is_told_it() {
        assert_eq!(format!("{:?}", PersonName::parse("Zoë").unwrap()), "PersonName(…)");
        assert_eq!(
            format!("{:?}", Some(EmailAddress::parse("zoe@noel.example").unwrap())),
            "Some(EmailAddress(…))"
        );
        let problem = Phone::parse("12 Zoë").unwrap_err();
        assert!(!format!("{problem:?}").contains("Zoë"), "{problem:?}");
        assert_eq!(serde_json::to_value(&problem).unwrap()["read"], "12 Zoë");
    }

    #[test]
    fn names_refuse_control_characters() {
        assert_eq!(PersonName::parse("  Zoë ").unwrap().as_str(), "Zoë");
        assert!(PersonName::parse("a\nBcc: x").is_err());
        assert!(PersonName::parse(&"x".repeat(101)).is_err());
    }
}
