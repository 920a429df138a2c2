//! The month that a report is of.

use chrono::{DateTime, Months, NaiveDate, Utc};
use chrono_tz::Tz;
use deserr::Deserr;
use utoipa::IntoParams;

use crate::{
    error::{Error, Invalid, Problem, Result},
    scheduling::day_bounds,
};

/// A month of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(NaiveDate);

impl Period {
    /// Reads `YYYY-MM`, from 2000.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let plain = text.len() == 7
            && text.bytes().enumerate().all(|(place, byte)| match place {
                4 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        let day = format!("{text}-01").parse::<NaiveDate>().ok();
        day.filter(|_| plain && text >= "2000")
            .map(Self)
            .ok_or_else(|| Problem::new("", "not_a_period", "a month as YYYY-MM, from 2000-01").read(text))
    }

    /// Its first day.
    pub fn first_day(self) -> NaiveDate {
        self.0
    }

    /// The month that a day is in.
    pub(super) fn of(day: NaiveDate) -> Self {
        Self(chrono::Datelike::with_day(&day, 1).unwrap_or(day))
    }

    /// The instants between which it lies in a zone.
    pub(super) fn bounds(self, zone: Tz) -> (DateTime<Utc>, DateTime<Utc>) {
        let next = self.0.checked_add_months(Months::new(1)).unwrap_or(self.0);
        (day_bounds(self.0, zone).0, day_bounds(next, zone).0)
    }

    /// Refuses a month that has not begun.
    pub(super) fn begun(self, now: DateTime<Utc>, zone: Tz) -> Result<Self> {
        let this = Self::of(now.with_timezone(&zone).date_naive());
        if self <= this {
            return Ok(self);
        }
        let problem = Problem::new("period", "in_the_future", format!("{this} at the latest")).read(self);
        Err(Error::Invalid(Invalid(vec![problem])))
    }
}

impl std::fmt::Display for Period {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m"))
    }
}

impl serde::Serialize for Period {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

crate::read_from_text!(Period);

/// Which month is wanted.
#[derive(Debug, Clone, Copy, Deserr, IntoParams)]
#[into_params(parameter_in = Query)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct PeriodQuery {
    /// The month, `YYYY-MM`.
    #[param(value_type = String, example = "2027-01")]
    pub period: Period,
}

/// Which report on employees is wanted as a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserr, utoipa::ToSchema)]
#[deserr(rename_all = lowercase)]
#[schema(rename_all = "lowercase")]
pub enum UsageExport {
    /// By department, without names: what was published of the month.
    #[default]
    Anonymised,
    /// The counters of each employee, by name.
    Named,
}

/// Which report on employees is wanted as a file, and of which month.
#[derive(Debug, Clone, Copy, Deserr, IntoParams)]
#[into_params(parameter_in = Query)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct UsageExportQuery {
    /// The month, `YYYY-MM`.
    #[param(value_type = String, example = "2027-01")]
    pub period: Period,
    /// The report; the anonymised one where nothing is said.
    #[deserr(default)]
    #[param(inline)]
    pub report: UsageExport,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_a_month_and_nothing_else() {
        assert_eq!(Period::parse("2027-01").unwrap().to_string(), "2027-01");
        for bad in ["", "2027", "2027-1", "2027-13", "2027-00", "2027-01-01", "1999-12", "+027-01", "2027/01"]
        {
            assert_eq!(Period::parse(bad).unwrap_err().code, "not_a_period", "{bad}");
        }
    }

    #[test]
    fn a_month_is_the_zones_own_and_one_to_come_is_refused() {
        let (from, to) = Period::parse("2027-03").unwrap().bounds(Tz::Europe__Paris);
        assert_eq!(from.to_rfc3339(), "2027-02-28T23:00:00+00:00");
        assert_eq!(to.to_rfc3339(), "2027-03-31T22:00:00+00:00");
        // In Paris the next month has begun.
        let now = "2027-03-31T22:30:00Z".parse().unwrap();
        let april = Period::parse("2027-04").unwrap();
        assert!(april.begun(now, Tz::Europe__Paris).is_ok());
        assert!(april.begun(now, Tz::UTC).is_err());
    }
}
