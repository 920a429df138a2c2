//! Moments as a reader at the practice says them.
//! It never shows a time without the practice's zone having been applied.

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};
use chrono_tz::Tz;

use super::Language;
use crate::notifications::Channel;

const WEEKDAYS_FR: [&str; 7] = ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"];
const WEEKDAYS_EN: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS_FR: [&str; 12] = [
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
const MONTHS_EN: [&str; 12] = [
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

/// Writes a moment in full.
///
/// ```
/// use permanence_domain::notifications::content::{Language, dates::long};
/// let at = "2026-03-03T13:30:00Z".parse().unwrap();
/// assert_eq!(long(at, chrono_tz::Europe::Paris, Language::Fr), "mardi 3 mars 2026 à 14 h 30");
/// assert_eq!(long(at, chrono_tz::Europe::Paris, Language::En), "Tuesday 3 March 2026 at 2:30 pm");
/// ```
#[must_use]
pub fn long(at: DateTime<Utc>, zone: Tz, language: Language) -> String {
    let Told { weekday, date, time } = told(at, zone, language, Channel::Email);
    match language {
        Language::Fr => format!("{weekday} {date} à {time}"),
        Language::En => format!("{weekday} {date} at {time}"),
    }
}

/// A moment, in the words of a message.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    /// Day of the week.
    pub weekday: &'static str,
    /// Day and month; in a mail the year too.
    pub date: String,
    /// Time of day.
    pub time: String,
}

/// Finds the words for a moment: in full for mail; for SMS without the year and in letters that GSM-7 has.
///
/// ```
/// use permanence_domain::notifications::{Channel, content::{Language, dates::{Told, told}}};
/// let at = "2026-08-01T07:00:00Z".parse().unwrap();
/// let paris = chrono_tz::Europe::Paris;
/// assert_eq!(
///     told(at, paris, Language::Fr, Channel::Sms),
///     Told { weekday: "samedi", date: "1er aout".to_owned(), time: "9h".to_owned() }
/// );
/// assert_eq!(
///     told(at, paris, Language::Fr, Channel::Email),
///     Told { weekday: "samedi", date: "1er août 2026".to_owned(), time: "9 h".to_owned() }
/// );
/// ```
#[must_use]
pub fn told(at: DateTime<Utc>, zone: Tz, language: Language, channel: Channel) -> Told {
    let local = at.with_timezone(&zone);
    let (weekday, day, time) = match (language, channel) {
        (Language::Fr, Channel::Email) => {
            (weekday(&local, WEEKDAYS_FR), day_fr(&local), time_fr(&local, " "))
        }
        // The û of août is the one letter of a French date that GSM-7 lacks.
        (Language::Fr, Channel::Sms) => {
            (weekday(&local, WEEKDAYS_FR), day_fr(&local).replace('û', "u"), time_fr(&local, ""))
        }
        (Language::En, _) => (weekday(&local, WEEKDAYS_EN), day_en(&local), time_en(&local)),
    };
    let date = match channel {
        Channel::Sms => day,
        Channel::Email => format!("{day} {}", local.year()),
    };
    Told { weekday, date, time }
}

/// A day with its year, without a time: « 1er mars 2027 », "1 March 2027".
pub fn date(day: NaiveDate, language: Language) -> String {
    match language {
        Language::Fr => format!("{} {}", day_fr(&day), day.year()),
        Language::En => format!("{} {}", day_en(&day), day.year()),
    }
}

fn day_fr(local: &impl Datelike) -> String {
    let ordinal = if local.day() == 1 { "er" } else { "" };
    format!("{}{ordinal} {}", local.day(), month(local, MONTHS_FR))
}

fn day_en(local: &impl Datelike) -> String {
    format!("{} {}", local.day(), month(local, MONTHS_EN))
}

fn weekday(local: &DateTime<Tz>, names: [&'static str; 7]) -> &'static str {
    names[local.weekday().num_days_from_monday() as usize]
}

fn month(local: &impl Datelike, names: [&'static str; 12]) -> &'static str {
    names[local.month0() as usize]
}

fn time_fr(local: &DateTime<Tz>, space: &str) -> String {
    match local.minute() {
        0 => format!("{}{space}h", local.hour()),
        minute => format!("{}{space}h{space}{minute:02}", local.hour()),
    }
}

fn time_en(local: &DateTime<Tz>) -> String {
    let (afternoon, hour) = local.hour12();
    format!("{hour}:{:02} {}", local.minute(), if afternoon { "pm" } else { "am" })
}

#[cfg(test)]
mod tests {
    use chrono_tz::{America, Europe, Indian, Pacific};

    use super::*;

    fn at(moment: &str) -> DateTime<Utc> {
        moment.parse().unwrap()
    }

    #[test]
    fn the_same_local_hour_is_told_on_both_sides_of_each_change_of_clocks() {
        for (moment, told) in [
            ("2026-03-28T08:00:00Z", "samedi 28 mars 2026 à 9 h"),
            ("2026-03-29T00:59:00Z", "dimanche 29 mars 2026 à 1 h 59"),
            ("2026-03-29T01:00:00Z", "dimanche 29 mars 2026 à 3 h"),
            ("2026-03-30T07:00:00Z", "lundi 30 mars 2026 à 9 h"),
            ("2026-10-24T07:00:00Z", "samedi 24 octobre 2026 à 9 h"),
            ("2026-10-25T00:30:00Z", "dimanche 25 octobre 2026 à 2 h 30"),
            ("2026-10-25T01:30:00Z", "dimanche 25 octobre 2026 à 2 h 30"),
            ("2026-10-26T08:00:00Z", "lundi 26 octobre 2026 à 9 h"),
        ] {
            assert_eq!(long(at(moment), Europe::Paris, Language::Fr), told);
        }
    }

    #[test]
    fn each_french_zone_tells_its_own_day() {
        let moment = at("2026-12-31T21:05:00Z");
        for (zone, told) in [
            (Europe::Paris, "jeudi 31 décembre 2026 à 22 h 05"),
            (America::Martinique, "jeudi 31 décembre 2026 à 17 h 05"),
            (America::Cayenne, "jeudi 31 décembre 2026 à 18 h 05"),
            (Indian::Reunion, "vendredi 1er janvier 2027 à 1 h 05"),
            (Pacific::Noumea, "vendredi 1er janvier 2027 à 8 h 05"),
        ] {
            assert_eq!(long(moment, zone, Language::Fr), told);
        }
    }

    #[test]
    fn english_knows_noon_and_midnight() {
        for (moment, told) in [
            ("2026-03-03T00:00:00Z", "Tuesday 3 March 2026 at 12:00 am"),
            ("2026-03-03T11:59:00Z", "Tuesday 3 March 2026 at 11:59 am"),
            ("2026-03-03T12:00:00Z", "Tuesday 3 March 2026 at 12:00 pm"),
            ("2026-03-03T13:05:00Z", "Tuesday 3 March 2026 at 1:05 pm"),
        ] {
            assert_eq!(long(at(moment), Tz::UTC, Language::En), told);
        }
    }
}
