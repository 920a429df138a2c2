//! Times of the day and what lies between two of them, on the practice's clocks. Never an instant: a day and a zone
//! make one of it.

use std::fmt;

use chrono::{Duration, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use deserr::{Deserr, ValuePointerRef};
use serde::{Deserialize, Serialize, de::Error as _};
use utoipa::ToSchema;

use crate::{
    error::{Invalid, Problem, child},
    read_from_text,
};

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// A time of the day to the minute, `HH:MM`; `24:00` is the end of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, sqlx::Type, ToSchema)]
#[sqlx(transparent)]
#[schema(value_type = String, example = "08:30")]
pub struct TimeOfDay(i16);

impl TimeOfDay {
    /// Reads `HH:MM`.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let read = || {
            let (hours, minutes) = text.split_once(':')?;
            let number = |digits: &str| {
                let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
                digits.parse::<u16>().ok().filter(|_| plain)
            };
            let (hours, minutes) = (number(hours)?, number(minutes)?);
            let time = hours * 60 + minutes;
            (minutes < 60 && time <= DAY).then_some(time)
        };
        let expected = "a time of the day as HH:MM, from 00:00 to 24:00";
        read()
            .and_then(|time| i16::try_from(time).ok())
            .map(Self)
            .ok_or_else(|| Problem::new("", "not_a_time_of_day", expected).read(text))
    }

    /// A full hour of the clock, for defaults.
    pub(crate) const fn hour(hour: u8) -> Self {
        assert!(hour <= 24, "a day has 24 hours");
        Self(hour as i16 * 60)
    }

    /// Minutes since midnight, by the clock.
    pub fn minutes(self) -> i16 {
        self.0
    }

    /// The same on a day, by the clock; `24:00` is the begin of the next.
    pub(crate) fn on_day(self, day: NaiveDate) -> NaiveDateTime {
        day.and_time(NaiveTime::MIN) + Duration::minutes(self.0.into())
    }

    /// The same on a clock, which shows the end of the day as the begin of the next: `None`.
    pub fn on_clock(self) -> Option<NaiveTime> {
        NaiveTime::from_num_seconds_from_midnight_opt(u32::try_from(self.0).ok()? * 60, 0)
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

read_from_text!(TimeOfDay);

impl Serialize for TimeOfDay {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeOfDay {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(|problem| D::Error::custom(problem.expected))
    }
}

/// A part of a day, from a time to a later one of the same day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr, Serialize, Deserialize, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields, validate = in_order -> Invalid)]
pub struct Span {
    /// Begin.
    pub from: TimeOfDay,
    /// End, itself not in it.
    pub to: TimeOfDay,
}

/// That a span has a length; the problem is its end's.
pub(crate) fn check_order(from: TimeOfDay, to: TimeOfDay, location: ValuePointerRef<'_>) -> Option<Problem> {
    let expected = format!("a time after {from}");
    (to <= from).then(|| Problem::new(child(location, "to"), "wrong_order", expected).read(to))
}

fn in_order(span: Span, location: ValuePointerRef<'_>) -> Result<Span, Invalid> {
    match check_order(span.from, span.to, location) {
        Some(problem) => Err(Invalid(vec![problem])),
        None => Ok(span),
    }
}

/// A part of each day that may go past midnight, such as the night.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daily {
    /// Begin.
    pub from: TimeOfDay,
    /// End, itself not in it; earlier than the begin where midnight lies between.
    pub to: TimeOfDay,
}

impl Daily {
    /// Its length in minutes by the clock; from a time to itself is nothing.
    pub fn minutes(self) -> i16 {
        (self.to.0 - self.from.0).rem_euclid(24 * 60)
    }

    /// Whether a clock shows a time that lies in it.
    pub fn holds(self, time: NaiveTime) -> bool {
        let minute = i16::try_from(time.num_seconds_from_midnight() / 60).unwrap_or_default();
        (minute - self.from.0).rem_euclid(24 * 60) < self.minutes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> TimeOfDay {
        TimeOfDay::parse(text).unwrap()
    }

    #[test]
    fn times_of_the_day_are_read_to_the_minute() {
        assert_eq!(time("08:30").to_string(), "08:30");
        assert_eq!((time("24:00").minutes(), time("24:00").on_clock()), (1440, None));
        for bad in ["", "8:30", "08:60", "24:01", "08:30:00", "+8:30", "08.30", "08:3０"] {
            assert_eq!(TimeOfDay::parse(bad).unwrap_err().code, "not_a_time_of_day", "{bad}");
        }
    }

    #[test]
    fn a_night_goes_past_midnight() {
        let night = Daily { from: time("20:00"), to: time("08:00") };
        assert_eq!(night.minutes(), 12 * 60);
        let holds = |text: &str| night.holds(text.parse().unwrap());
        assert!(holds("20:00:00") && holds("23:59:59") && holds("00:00:00") && holds("07:59:59"));
        assert!(!holds("08:00:00") && !holds("19:59:59"));
        let evening = Daily { from: time("20:00"), to: time("24:00") };
        assert!(evening.holds("23:59:59".parse().unwrap()) && !evening.holds(NaiveTime::MIN));
    }
}
