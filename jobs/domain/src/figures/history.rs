//! The years of a practice, month by month, ready for a chart. All of it comes from a view and is of the moment that it tells.

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use deserr::Deserr;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::{View, overview::not_yet};
use crate::{
    db::TenantTx,
    error::{Invalid, Problem, Problems, Result},
    identity::{Role, Scope},
    scheduling::practice_zone,
};

/// The first year that may be asked for.
const FIRST_YEAR: i32 = 2000;
/// The most years in one answer.
const MOST_YEARS: i32 = 10;

/// A year of the calendar, from 2000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Year(i32);

impl Year {
    /// Reads four digits.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let digits = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
        let year = text.parse().ok().filter(|year| digits && *year >= FIRST_YEAR);
        year.map(Self).ok_or_else(|| {
            Problem::new("", "not_a_year", format!("a year of four digits, from {FIRST_YEAR}")).read(text)
        })
    }
}

crate::read_from_text!(Year);

/// Which years are wanted.
#[derive(Debug, Clone, Copy, Deserr, IntoParams)]
#[into_params(parameter_in = Query)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct Years {
    /// The first year; this year by default, or `to` where that is given.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 2000, maximum = 9999, example = 2026)]
    pub from: Option<Year>,
    /// The last year, at most nine later; this year by default.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 2000, maximum = 9999, example = 2027)]
    pub to: Option<Year>,
}

/// What one step along the labels is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// A month of the calendar.
    Month,
}

/// What a series counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Pieces.
    Count,
    /// Euro cents, with VAT.
    Cents,
}

/// What a series tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SeriesName {
    /// Appointments that stood, up to today.
    Appointments,
    /// Of them, those whose patient did not come.
    NoShows,
    /// Appointments that were cancelled, by the day on which they were to be, up to today.
    Cancelled,
    /// Patients who were registered; takes `patients:read`.
    NewPatients,
    /// Invoices less credit notes, by the day of issue; takes `billing:read`.
    Invoiced,
    /// Payments less refunds, by the day of payment; takes `billing:read`.
    Collected,
}

/// One line of a chart.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Series {
    /// What it tells.
    pub name: SeriesName,
    /// What it counts in.
    pub unit: Unit,
    /// A value for each label; 0 where there was nothing.
    pub values: Vec<i64>,
}

/// The years, ready for a chart.
#[derive(Debug, Serialize, ToSchema)]
pub struct History {
    /// The moment that the figures are of.
    pub as_of: DateTime<Utc>,
    /// The zone of the practice's clocks, by which days are counted.
    pub time_zone: String,
    /// What a label is.
    pub unit: Axis,
    /// The months, `YYYY-MM`, the first of the first year to the last of the last or the present one.
    pub labels: Vec<String>,
    /// The series that the caller may see.
    pub series: Vec<Series>,
}

impl SeriesName {
    /// In the order of the answer, each with what it counts in and takes.
    const ALL: [(Self, Unit, Scope); 6] = [
        (Self::Appointments, Unit::Count, Scope::AppointmentsRead),
        (Self::NoShows, Unit::Count, Scope::AppointmentsRead),
        (Self::Cancelled, Unit::Count, Scope::AppointmentsRead),
        (Self::NewPatients, Unit::Count, Scope::PatientsRead),
        (Self::Invoiced, Unit::Cents, Scope::BillingRead),
        (Self::Collected, Unit::Cents, Scope::BillingRead),
    ];
}

impl Years {
    /// The first and the last day that are wanted, none after today.
    fn days(self, today: NaiveDate) -> Result<(NaiveDate, NaiveDate)> {
        let this = today.year();
        let last = self.to.map_or(this, |year| year.0);
        let first = self.from.map_or(last, |year| year.0);
        let mut problems = Problems::default();
        for (field, year) in [("from", self.from), ("to", self.to)] {
            if let Some(Year(year)) = year.filter(|year| year.0 > this) {
                let expected = format!("{this} at the latest, which is this year");
                problems.push(Problem::new(field, "in_the_future", expected).read(year));
            }
        }
        if last < first {
            let expected = format!("a year that is not before {first}");
            problems.push(Problem::new("to", "wrong_order", expected).read(last));
        } else if last - first >= MOST_YEARS {
            let expected = format!("at most {MOST_YEARS} years: {} at the latest", first + MOST_YEARS - 1);
            problems.push(Problem::new("to", "wrong_length", expected).read(last));
        }
        problems.finish()?;
        let day = |year, month, day| NaiveDate::from_ymd_opt(year, month, day).unwrap_or(today);
        Ok((day(first, 1, 1), day(last, 12, 31).min(today)))
    }
}

/// The years month by month, in the series that the role may see.
pub async fn history(tx: &mut TenantTx, role: Role, years: Years) -> Result<History> {
    let zone = practice_zone(tx).await?;
    let (first, last) = years.days(tx.now().with_timezone(&zone).date_naive())?;
    let rows = sqlx::query!(
        r#"SELECT to_char(m.month, 'YYYY-MM') AS "label!", view_as_of($3) AS as_of,
                  COALESCE(d.appointments, 0) AS "appointments!", COALESCE(d.no_shows, 0) AS "no_shows!",
                  COALESCE(d.cancelled, 0) AS "cancelled!", COALESCE(d.new_patients, 0) AS "new_patients!",
                  COALESCE(d.invoiced, 0) AS "invoiced!", COALESCE(d.collected, 0) AS "collected!"
           FROM generate_series($1::date::timestamp, $2::date::timestamp, '1 month') AS m (month)
           LEFT JOIN (
               SELECT date_trunc('month', day::timestamp) AS month, sum(appointments)::bigint AS appointments,
                      sum(no_shows)::bigint AS no_shows, sum(cancelled)::bigint AS cancelled,
                      sum(new_patients)::bigint AS new_patients, sum(invoiced)::bigint AS invoiced,
                      sum(collected)::bigint AS collected
               FROM practice_days_between($1, $2) GROUP BY 1
           ) AS d ON d.month = m.month
           ORDER BY m.month"#,
        first,
        last,
        View::PracticeDays.name(),
    )
    .fetch_all(tx.conn())
    .await?;
    let as_of = rows.first().and_then(|row| row.as_of).ok_or_else(not_yet)?;
    let series = SeriesName::ALL.into_iter().filter(|(.., scope)| role.may(*scope)).map(|(name, unit, _)| {
        let values = rows.iter().map(|row| match name {
            SeriesName::Appointments => row.appointments,
            SeriesName::NoShows => row.no_shows,
            SeriesName::Cancelled => row.cancelled,
            SeriesName::NewPatients => row.new_patients,
            SeriesName::Invoiced => row.invoiced,
            SeriesName::Collected => row.collected,
        });
        Series { name, unit, values: values.collect() }
    });
    let series = series.collect();
    let labels = rows.into_iter().map(|row| row.label).collect();
    Ok(History { as_of, time_zone: zone.name().to_owned(), unit: Axis::Month, labels, series })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(from: Option<i32>, to: Option<i32>) -> Result<(String, String), Vec<(String, &'static str)>> {
        let years = Years { from: from.map(Year), to: to.map(Year) };
        match years.days("2027-03-15".parse().unwrap()) {
            Ok((first, last)) => Ok((first.to_string(), last.to_string())),
            Err(crate::Error::Invalid(Invalid(problems))) => {
                Err(problems.into_iter().map(|problem| (problem.field, problem.code)).collect())
            }
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn years_end_today_and_say_what_is_wrong() {
        let days = |first: &str, last: &str| Ok((first.to_owned(), last.to_owned()));
        assert_eq!(asked(None, None), days("2027-01-01", "2027-03-15"));
        assert_eq!(asked(None, Some(2024)), days("2024-01-01", "2024-12-31"));
        assert_eq!(asked(Some(2018), None), days("2018-01-01", "2027-03-15"));
        assert_eq!(asked(Some(2017), None), Err(vec![("to".to_owned(), "wrong_length")]));
        assert_eq!(asked(Some(2026), Some(2025)), Err(vec![("to".to_owned(), "wrong_order")]));
        assert_eq!(
            asked(Some(2028), Some(2028)),
            Err(["from", "to"].map(|field| (field.to_owned(), "in_the_future")).to_vec())
        );
    }

    #[test]
    fn a_year_has_four_digits() {
        assert!(Year::parse("2027").is_ok());
        for wrong in ["", "27", "1999", "+2027", "02027", "２０２７"] {
            assert_eq!(Year::parse(wrong).unwrap_err().code, "not_a_year", "{wrong}");
        }
    }
}
