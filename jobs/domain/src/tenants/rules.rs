//! The values of settings, each with its rule and its default. Never touches the database.

use std::ops::Deref;

use chrono::{Duration, NaiveTime, Weekday};
use deserr::{Deserr, IntoValue, Value, ValuePointerRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    error::{Invalid, Problem, field_at},
    field::{Whole, at},
    hours::{Daily, Span, TimeOfDay},
    notifications::Channel,
    text_field,
};

/// When the practice is open, by ISO weekday (1 is Monday). Without any hours it is open always.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserr, Serialize, Deserialize, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields, validate = apart -> Invalid)]
#[serde(default)]
pub struct OpeningHours {
    /// Monday.
    #[deserr(default, rename = "1")]
    #[serde(rename = "1")]
    pub monday: Vec<Span>,
    /// Tuesday.
    #[deserr(default, rename = "2")]
    #[serde(rename = "2")]
    pub tuesday: Vec<Span>,
    /// Wednesday.
    #[deserr(default, rename = "3")]
    #[serde(rename = "3")]
    pub wednesday: Vec<Span>,
    /// Thursday.
    #[deserr(default, rename = "4")]
    #[serde(rename = "4")]
    pub thursday: Vec<Span>,
    /// Friday.
    #[deserr(default, rename = "5")]
    #[serde(rename = "5")]
    pub friday: Vec<Span>,
    /// Saturday.
    #[deserr(default, rename = "6")]
    #[serde(rename = "6")]
    pub saturday: Vec<Span>,
    /// Sunday.
    #[deserr(default, rename = "7")]
    #[serde(rename = "7")]
    pub sunday: Vec<Span>,
}

impl OpeningHours {
    /// The hours of one day of the week.
    pub fn on(&self, day: Weekday) -> &[Span] {
        match day {
            Weekday::Mon => &self.monday,
            Weekday::Tue => &self.tuesday,
            Weekday::Wed => &self.wednesday,
            Weekday::Thu => &self.thursday,
            Weekday::Fri => &self.friday,
            Weekday::Sat => &self.saturday,
            Weekday::Sun => &self.sunday,
        }
    }

    fn days(&self) -> impl Iterator<Item = (u32, &[Span])> {
        (0..7_u8)
            .filter_map(|number| Weekday::try_from(number).ok())
            .map(|day| (day.number_from_monday(), self.on(day)))
    }

    /// Whether there are no hours at all, so that the practice is open always.
    pub fn always(&self) -> bool {
        self.days().all(|(_, hours)| hours.is_empty())
    }
}

/// The hours of a day do not overlap; in any order.
fn apart(hours: OpeningHours, location: ValuePointerRef<'_>) -> Result<OpeningHours, Invalid> {
    let mut problems = Vec::new();
    for (number, spans) in hours.days() {
        for (place, span) in spans.iter().enumerate() {
            if let Some(before) =
                spans[..place].iter().find(|before| span.from < before.to && before.from < span.to)
            {
                let field = format!("{}.{number}[{place}]", field_at(location));
                let expected = format!("hours apart from {} to {}", before.from, before.to);
                let read = format!("{} to {}", span.from, span.to);
                problems.push(Problem::new(field, "overlapping", expected).read(read));
            }
        }
    }
    if problems.is_empty() { Ok(hours) } else { Err(Invalid(problems)) }
}

/// Between which times of each day nothing is sent; they may lie on both sides of midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr, Serialize, Deserialize, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields, validate = some_sending -> Invalid)]
#[serde(from = "Daily", into = "Daily")]
pub struct QuietHours {
    /// Begin.
    #[schema(example = "20:00")]
    from: TimeOfDay,
    /// End: sending begins.
    #[schema(example = "08:00")]
    to: TimeOfDay,
}

impl QuietHours {
    /// Longest, minutes: four hours a day are left.
    const LONGEST: i16 = 20 * 60;

    /// Quiet hours between two times of the day.
    pub fn of(from: TimeOfDay, to: TimeOfDay) -> Self {
        Self { from, to }
    }

    /// Begin, by the practice's clocks.
    pub fn from(self) -> TimeOfDay {
        self.from
    }

    /// End, by the practice's clocks: from then on messages may leave.
    pub fn to(self) -> TimeOfDay {
        self.to
    }

    /// Whether nothing is sent while the practice's clocks show this.
    pub fn holds(self, time: NaiveTime) -> bool {
        Daily::from(self).holds(time)
    }
}

impl From<Daily> for QuietHours {
    fn from(Daily { from, to }: Daily) -> Self {
        Self { from, to }
    }
}

impl From<QuietHours> for Daily {
    fn from(QuietHours { from, to }: QuietHours) -> Self {
        Self { from, to }
    }
}

impl Default for QuietHours {
    fn default() -> Self {
        let (from, to) = (TimeOfDay::hour(20), TimeOfDay::hour(8));
        Self { from, to }
    }
}

fn some_sending(quiet: QuietHours, location: ValuePointerRef<'_>) -> Result<QuietHours, Invalid> {
    if (1..=QuietHours::LONGEST).contains(&Daily::from(quiet).minutes()) {
        return Ok(quiet);
    }
    let expected = "two different times that leave at least four hours of sending a day";
    let problem = Problem::new("", "too_quiet", expected).read(format!("{} to {}", quiet.from, quiet.to));
    Err(at(location, problem))
}

/// Reads a list of 1 to `MAX` values, each once.
fn distinct<T: Deserr<Invalid> + PartialEq, V: IntoValue>(
    value: Value<V>,
    location: ValuePointerRef<'_>,
    max: usize,
) -> Result<Vec<T>, Invalid> {
    let values = <Vec<T> as Deserr<Invalid>>::deserialize_from_value(value, location)?;
    let field = field_at(location);
    let mut problems = Vec::new();
    if !(1..=max).contains(&values.len()) {
        let expected = format!("1 to {max} elements");
        problems.push(Problem::new(&field, "wrong_length", expected).read(values.len()));
    }
    for (place, value) in values.iter().enumerate() {
        if values[..place].contains(value) {
            problems.push(Problem::new(format!("{field}[{place}]"), "repeated", "each value once"));
        }
    }
    if problems.is_empty() { Ok(values) } else { Err(Invalid(problems)) }
}

/// Declares a list of distinct values with its longest length and its default.
macro_rules! list {
    ($(#[$doc:meta])* $name:ident of $item:ty, $max:literal, $default:expr) => {
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        $(#[$doc])*
        pub struct $name(Vec<$item>);

        impl Default for $name {
            fn default() -> Self {
                Self($default)
            }
        }

        impl Deref for $name {
            type Target = [$item];

            fn deref(&self) -> &[$item] {
                &self.0
            }
        }

        impl Deserr<Invalid> for $name {
            fn deserialize_from_value<V: IntoValue>(
                value: Value<V>,
                location: ValuePointerRef<'_>,
            ) -> Result<Self, Invalid> {
                distinct(value, location, $max).map(Self)
            }
        }
    };
}

/// Elapsed minutes before an appointment: from two hours to sixty days.
type LeadTime = Whole<1440, 120, 86_400>;
/// Hundredths of a percent.
type VatRate = Whole<0, 0, 10_000>;

list!(
    /// How long before an appointment its reminders leave, in elapsed minutes: 1 to 5 lead times from 120 (two hours) to
    /// 86400 (sixty days).
    #[schema(value_type = Vec<u32>, min_items = 1, max_items = 5, example = json!([1440]))]
    LeadTimes of LeadTime, 5, vec![LeadTime::default()]
);
list!(
    /// How patients are reached, the preferred way first; one that is not named is not used.
    #[schema(value_type = Vec<Channel>, min_items = 1, max_items = 2, example = json!(["sms", "email"]))]
    Channels of Channel, 2, vec![Channel::Sms, Channel::Email]
);
list!(
    /// The VAT rates that an invoice may use, in hundredths of a percent: `550` is 5.5 %.
    #[schema(value_type = Vec<u32>, min_items = 1, max_items = 10, example = json!([0, 550, 1000, 2000]))]
    VatRates of VatRate, 10, [0, 550, 1000, 2000].into_iter().filter_map(|rate| VatRate::try_from(rate).ok()).collect()
);

impl LeadTimes {
    /// The lead times as durations, in the order that was written.
    pub fn durations(&self) -> impl Iterator<Item = Duration> {
        self.iter().map(|minutes| Duration::minutes(minutes.get().into()))
    }
}

text_field!(
    /// Whom an SMS comes from: 1 to 11 letters of ASCII and digits, at least one of them a letter.
    SmsSender, "CabLilas", |text| {
        let plain = text.len() <= 11 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if plain && text.bytes().any(|byte| byte.is_ascii_alphabetic()) { Ok(text.to_owned()) } else {
            let expected = "1 to 11 letters without accents and digits, at least one letter";
            Err(Problem::new("", "not_a_sender", expected).read(text))
        }
    }
);
