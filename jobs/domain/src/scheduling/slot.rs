//! The time that an appointment takes: read in the practice's zone, of a sensible length, not past.

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use chrono_tz::Tz;

use super::{NewAppointment, availability::Interval, zone::resolve};
use crate::error::{Error, Problem, Problems, Result};

const SHORTEST: Duration = Duration::minutes(5);
const LONGEST: Duration = Duration::hours(12);

/// No appointment that lasts until this moment began before it. What meets an interval is asked for by its begin, for that is what
/// indexes order under row-level security (the overlap of ranges is no operator that leaks nothing).
pub(super) fn earliest_begin(until: DateTime<Utc>) -> DateTime<Utc> {
    until - LONGEST
}
const FARTHEST: Duration = Duration::days(5 * 366);

/// A request whose times are resolved in the practice's zone.
pub(super) struct Slot {
    pub(super) starts_at: DateTime<Utc>,
    pub(super) ends_at: DateTime<Utc>,
    pub(super) starts_local: NaiveDateTime,
    pub(super) zone: Tz,
}

impl Slot {
    /// From its begin to its end.
    pub(super) fn interval(&self) -> Interval {
        Interval::new(self.starts_at, self.ends_at)
    }

    /// Resolves the times of a request, or tells what is wrong with them.
    pub(super) fn of(new: &NewAppointment, zone: Tz, now: DateTime<Utc>) -> Result<Self> {
        Self::read(new, zone, now, false)
    }

    /// The same for what was agreed elsewhere, which may be past.
    pub(super) fn past_too(new: &NewAppointment, zone: Tz, now: DateTime<Utc>) -> Result<Self> {
        Self::read(new, zone, now, true)
    }

    fn read(new: &NewAppointment, zone: Tz, now: DateTime<Utc>, past_too: bool) -> Result<Self> {
        let mut problems = Problems::default();
        let mut read =
            |moment, field| resolve(moment, zone, field).map_err(|problem| problems.push(problem)).ok();
        let (starts_at, ends_at) = (read(new.starts_at, "starts_at"), read(new.ends_at, "ends_at"));
        if let Some((starts_at, ends_at)) = starts_at.zip(ends_at) {
            let length = ends_at - starts_at;
            if length < SHORTEST || length > LONGEST {
                let expected = "an end 5 minutes to 12 hours after the begin";
                problems.push(Problem::new("ends_at", "wrong_length", expected).read(ends_at.to_rfc3339()));
            } else if starts_at > now + FARTHEST {
                let expected = "a time within five years";
                problems.push(Problem::new("starts_at", "too_far", expected).read(starts_at.to_rfc3339()));
            } else if ends_at <= now && !past_too {
                let expected = "a time that is not past";
                problems.push(Problem::new("starts_at", "past_time", expected).read(starts_at.to_rfc3339()));
            }
            problems.finish()?;
            return Ok(Self {
                starts_at,
                ends_at,
                starts_local: starts_at.with_timezone(&zone).naive_local(),
                zone,
            });
        }
        problems.finish()?;
        Err(Error::internal("a time was refused without a problem"))
    }
}
