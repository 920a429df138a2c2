//! What is said of a practitioner's availability, and the rules of saying it.

use chrono::{DateTime, Datelike, Days, Duration, NaiveDate, Utc};
use chrono_tz::Tz;
use deserr::{Deserr, ValuePointerRef};
use serde::Serialize;
use utoipa::ToSchema;

use super::Interval;
use crate::{
    error::{Invalid, Problem, Problems, Result, child, field_at},
    field::{Day, Label, Moment, Whole},
    hours::{TimeOfDay, check_order},
    ids::{AvailabilityEntryId, PractitionerId, RoomId},
    scheduling::{day_bounds, resolve},
};

/// Longest exception.
const LONGEST: Duration = Duration::days(366);

/// Hours that come back every week, by the practice's clocks.
#[derive(Debug, Clone, PartialEq, Eq, Deserr, Serialize, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields, validate = consistent -> Invalid)]
pub struct Rule {
    /// ISO day of the week: 1 is Monday.
    #[schema(value_type = u32, minimum = 1, maximum = 7, example = 1)]
    pub weekday: Whole<1, 1, 7>,
    /// Begin.
    pub from: TimeOfDay,
    /// End, itself not in it.
    #[schema(example = "12:00")]
    pub to: TimeOfDay,
    /// First day on which the rule holds.
    #[deserr(default)]
    pub valid_from: Option<Day>,
    /// Last day on which the rule holds.
    #[deserr(default)]
    pub valid_until: Option<Day>,
    /// Every how many weeks, counted from the week of `valid_from`.
    #[deserr(default)]
    #[schema(value_type = u32, minimum = 1, maximum = 4, default = 1)]
    pub every_weeks: Whole<1, 1, 4>,
    /// The room in which the practitioner then works, to be proposed.
    #[deserr(default)]
    pub room_id: Option<RoomId>,
    /// How long a slot is, minutes; the practice's where it is absent.
    #[deserr(default)]
    #[schema(value_type = Option<u32>, minimum = 5, maximum = 240)]
    pub slot_minutes: Option<Whole<30, 5, 240>>,
}

fn consistent(rule: Rule, location: ValuePointerRef<'_>) -> Result<Rule, Invalid> {
    let mut problems: Vec<_> = check_order(rule.from, rule.to, location).into_iter().collect();
    match (rule.valid_from, rule.valid_until) {
        (Some(from), Some(until)) if until.0 < from.0 => {
            let expected = format!("{} or a later day", from.0);
            let field = child(location, "valid_until");
            problems.push(Problem::new(field, "wrong_order", expected).read(until.0));
        }
        (None, _) if rule.every_weeks.get() > 1 => {
            let expected = "a day of the first week, from which the others are counted";
            problems.push(Problem::new(child(location, "valid_from"), "missing", expected));
        }
        _ => {}
    }
    if problems.is_empty() { Ok(rule) } else { Err(Invalid(problems)) }
}

impl Rule {
    /// Whether the rule holds on this day.
    pub(super) fn falls_on(&self, day: NaiveDate) -> bool {
        let monday = |day: NaiveDate| day - Days::new(day.weekday().num_days_from_monday().into());
        let in_turn = self.valid_from.is_none_or(|first| {
            let weeks = (monday(day) - monday(first.0)).num_weeks();
            weeks.rem_euclid(i64::from(self.every_weeks.get())) == 0
        });
        day.weekday().number_from_monday() == self.weekday.get()
            && self.valid_from.is_none_or(|first| first.0 <= day)
            && self.valid_until.is_none_or(|last| day <= last.0)
            && in_turn
    }
}

/// What an exception makes of its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr, Serialize, sqlx::Type, ToSchema)]
#[deserr(rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum ExceptionKind {
    /// The practitioner is away, whatever else says open.
    Closed,
    /// The practitioner is there as well, also outside the opening hours.
    Open,
}

/// An exception to add: a whole day of the practice's calendar, or from a time to another.
#[derive(Debug, Clone, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewException {
    /// Whether the practitioner is away or there.
    pub kind: ExceptionKind,
    /// The day, instead of begin and end.
    #[deserr(default)]
    pub date: Option<Day>,
    /// Begin: the practice's civil time, or an instant with its offset.
    #[deserr(default)]
    #[schema(value_type = Option<String>, example = "2027-03-15T14:30")]
    pub starts_at: Option<Moment>,
    /// End, in the same form; at most 366 days later.
    #[deserr(default)]
    #[schema(value_type = Option<String>, example = "2027-03-15T18:00")]
    pub ends_at: Option<Moment>,
    /// Why, for colleagues.
    #[deserr(default)]
    pub reason: Option<Label>,
}

/// A time at which the weekly rules do not hold, or not alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Exception {
    /// Whether the practitioner is away or there.
    pub kind: ExceptionKind,
    /// Begin.
    pub starts_at: DateTime<Utc>,
    /// End.
    pub ends_at: DateTime<Utc>,
    /// Why, for colleagues.
    pub reason: Option<String>,
}

impl NewException {
    /// Resolves the times in the practice's zone, or tells what is wrong with them.
    fn resolved(&self, zone: Tz, problems: &mut Problems) -> Option<Exception> {
        let mut read = |moment: Option<Moment>, field| match moment.map(|at| resolve(at, zone, field)) {
            Some(Ok(at)) => Some(at),
            Some(Err(problem)) => {
                problems.push(problem);
                None
            }
            None => {
                problems.push(Problem::new(field, "missing", "a time, or `date` alone"));
                None
            }
        };
        let (starts_at, ends_at) = match (self.date, self.starts_at, self.ends_at) {
            (Some(date), None, None) => day_bounds(date.0, zone),
            (None, from, to) => {
                let (from, to) = (read(from, "exception.starts_at"), read(to, "exception.ends_at"));
                from.zip(to)?
            }
            (Some(_), ..) => {
                let expected = "either a whole day or `starts_at` and `ends_at`";
                problems.push(Problem::new("exception.date", "one_of", expected));
                return None;
            }
        };
        if ends_at <= starts_at || ends_at - starts_at > LONGEST {
            let expected = "an end after the begin, at most 366 days later";
            let problem = Problem::new("exception.ends_at", "wrong_length", expected);
            problems.push(problem.read(ends_at.to_rfc3339()));
            return None;
        }
        let reason = self.reason.as_ref().map(|reason| reason.as_str().to_owned());
        Some(Exception { kind: self.kind, starts_at, ends_at, reason })
    }
}

impl Exception {
    pub(super) fn interval(&self) -> Interval {
        Interval::new(self.starts_at, self.ends_at)
    }
}

/// One thing to say: either a rule or an exception.
#[derive(Debug, Clone, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct EntryContent {
    /// Hours that come back.
    #[deserr(default)]
    pub rule: Option<Rule>,
    /// A time that differs.
    #[deserr(default)]
    pub exception: Option<NewException>,
}

/// One thing to say of one practitioner: either a rule or an exception.
#[derive(Debug, Clone, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewEntry {
    /// Of whom.
    pub practitioner_id: PractitionerId,
    /// Hours that come back.
    #[deserr(default)]
    pub rule: Option<Rule>,
    /// A time that differs.
    #[deserr(default)]
    pub exception: Option<NewException>,
}

impl NewEntry {
    /// The rules that take the practice's clocks.
    pub(crate) fn check(&self, zone: Tz) -> Result<()> {
        self.content().checked(zone).map(drop)
    }

    /// What is said.
    pub(super) fn content(&self) -> EntryContent {
        EntryContent { rule: self.rule.clone(), exception: self.exception.clone() }
    }
}

/// A rule or an exception, checked.
#[derive(Debug, Clone)]
pub(super) enum Content {
    Rule(Rule),
    Exception(Exception),
}

impl EntryContent {
    /// The one thing that is said, with its times resolved.
    pub(super) fn checked(&self, zone: Tz) -> Result<Content> {
        let mut problems = Problems::default();
        let content = match (&self.rule, &self.exception) {
            (Some(rule), None) => Some(Content::Rule(rule.clone())),
            (None, Some(exception)) => exception.resolved(zone, &mut problems).map(Content::Exception),
            _ => {
                problems.push(Problem::new("rule", "one_of", "either `rule` or `exception`"));
                None
            }
        };
        problems.finish()?;
        content.ok_or_else(|| crate::Error::internal("an entry was refused without a problem"))
    }
}

/// The whole of a practitioner's weekly rules; exceptions stay as they are.
#[derive(Debug, Clone, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields, validate = not_too_many -> Invalid)]
pub struct NewPlan {
    /// The rules, at most 100; without any the practitioner is available whenever the practice is open.
    #[schema(max_items = 100)]
    pub rules: Vec<Rule>,
}

fn not_too_many(plan: NewPlan, location: ValuePointerRef<'_>) -> Result<NewPlan, Invalid> {
    if plan.rules.len() <= 100 {
        return Ok(plan);
    }
    let field = field_at(location.push_key("rules"));
    Err(Invalid(vec![Problem::new(field, "wrong_length", "at most 100 elements").read(plan.rules.len())]))
}

/// A rule or an exception, as it is kept.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AvailabilityEntry {
    /// Identifier.
    pub id: AvailabilityEntryId,
    /// Of whom.
    pub practitioner_id: PractitionerId,
    /// Hours that come back; absent for an exception.
    pub rule: Option<Rule>,
    /// A time that differs; absent for a rule.
    pub exception: Option<Exception>,
    /// Counts the changes, for `If-Match`.
    pub version: i32,
    /// Added at.
    pub created_at: DateTime<Utc>,
    /// Last changed at.
    pub updated_at: DateTime<Utc>,
}

/// All that is said of a practitioner's availability.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Availability {
    /// Of whom.
    pub practitioner_id: PractitionerId,
    /// Hours that come back, by day of the week and begin.
    pub rules: Vec<AvailabilityEntry>,
    /// Times that differ and are not over, by begin.
    pub exceptions: Vec<AvailabilityEntry>,
    /// Counts the changes to any of it, for `If-Match`.
    pub version: i32,
}
