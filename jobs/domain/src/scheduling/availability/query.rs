//! The slots that a caller may choose from.

use chrono::{DateTime, Duration, Utc};
use deserr::Deserr;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    Interval,
    plan::{Options, Plan, slots},
    read,
};
use crate::{
    db::TenantTx,
    error::{Invalid, Problem, Problems, Result},
    field::Day,
    ids::{PractitionerId, RoomId},
    page::Count,
    people,
    scheduling::day_bounds,
    tenants,
};

/// Most days of one question.
const MOST_DAYS: i64 = 62;

/// Whose slots, and when.
#[derive(Debug, Deserr, IntoParams)]
#[into_params(parameter_in = Query)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct SlotQuery {
    /// Whose.
    pub practitioner_id: PractitionerId,
    /// First day, of the practice's calendar.
    #[param(value_type = String, format = Date, example = "2027-03-15")]
    pub from: Day,
    /// Last day; at most 62 days in all.
    #[param(value_type = String, format = Date, example = "2027-03-19")]
    pub to: Day,
    /// How long each is, instead of the rule's or the practice's length.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 5, maximum = 720, example = 30)]
    pub duration_minutes: Option<Count<30, 720, 5>>,
}

/// A time to book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Slot {
    /// Begin.
    pub start_time: DateTime<Utc>,
    /// End.
    pub end_time: DateTime<Utc>,
    /// Whether it may be booked.
    pub available: bool,
    /// The room that the rule proposes.
    pub room_id: Option<RoomId>,
}

/// The slots of some days.
#[derive(Debug, Serialize, ToSchema)]
pub struct AvailableSlots {
    /// Whose.
    pub practitioner_id: PractitionerId,
    /// The practice's zone.
    pub time_zone: String,
    /// The slots, by begin.
    pub items: Vec<Slot>,
}

impl SlotQuery {
    fn check(&self) -> Result<()> {
        let mut problems = Problems::default();
        let days = (self.to.0 - self.from.0).num_days() + 1;
        if days < 1 {
            let expected = format!("{} or a later day", self.from.0);
            problems.push(Problem::new("to", "wrong_order", expected).read(self.to.0));
        } else if days > MOST_DAYS {
            let expected = format!("at most {MOST_DAYS} days");
            problems.push(Problem::new("to", "wrong_length", expected).read(self.to.0));
        }
        problems.finish()
    }
}

/// The slots of a practitioner, also those that are taken.
pub async fn available_slots(tx: &mut TenantTx, query: &SlotQuery) -> Result<AvailableSlots> {
    query.check()?;
    people::get(tx, query.practitioner_id).await?;
    let settings = tenants::settings(tx).await?;
    let (zone, buffer, now) = (settings.zone(), settings.buffer(), tx.now());
    let days = query.from.0..=query.to.0;
    let window = Interval::new(day_bounds(*days.start(), zone).0, day_bounds(*days.end(), zone).1);
    // A day more before, for what goes past midnight, and after, for a slot that does.
    let near = window.widened(Duration::days(1) + buffer);
    let said = read::load(tx, query.practitioner_id, near).await?;
    let bookings = read::bookings(tx, query.practitioner_id, near).await?;
    let plan =
        Plan { zone, opening: &settings.opening_hours, rules: &said.rules, exceptions: &said.exceptions };
    let options = Options {
        slot: settings.slot(),
        length: query.duration_minutes.map(|minutes| Duration::minutes(minutes.get())),
        buffer,
        minimum_notice: settings.minimum_notice(),
        maximum_notice: settings.maximum_notice(),
    };
    Ok(AvailableSlots {
        practitioner_id: query.practitioner_id,
        time_zone: zone.name().to_owned(),
        items: slots(&plan, &bookings, days, now, &options),
    })
}
