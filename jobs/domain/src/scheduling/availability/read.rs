//! Availability as it is kept: read for callers, and for the question whether a time is free.

use chrono::{DateTime, Duration, NaiveDate, Utc};

use super::{Availability, AvailabilityEntry, Exception, ExceptionKind, Interval, Rule};
use crate::{
    db::TenantTx,
    error::{Error, Result},
    field::{Day, Whole},
    hours::TimeOfDay,
    ids::{AppointmentId, AvailabilityEntryId, PractitionerId, RoomId, UserId},
    scheduling::slot::earliest_begin,
};

/// Selects entries; the text is what follows WHERE. A room that is no longer there is not proposed.
macro_rules! select_entries {
    ($condition:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"SELECT e.id AS "id: AvailabilityEntryId", e.practitioner_id AS "practitioner_id: PractitionerId", e.kind,
                      e.weekday, e.from_minute AS "from: TimeOfDay", e.to_minute AS "to: TimeOfDay", e.every_weeks,
                      e.valid_from, e.valid_until, r.id AS "room_id?: RoomId", e.slot_minutes, e.starts_at, e.ends_at,
                      e.reason, e.version, e.created_at, e.updated_at
               FROM availability_entries e
               LEFT JOIN rooms r ON r.tenant_id = e.tenant_id AND r.id = e.room_id AND r.deleted_at IS NULL
               WHERE "#
                + $condition,
            $($argument),*
        )
    };
}

struct Row {
    id: AvailabilityEntryId,
    practitioner_id: PractitionerId,
    kind: String,
    weekday: Option<i16>,
    from: Option<TimeOfDay>,
    to: Option<TimeOfDay>,
    every_weeks: Option<i16>,
    valid_from: Option<NaiveDate>,
    valid_until: Option<NaiveDate>,
    room_id: Option<RoomId>,
    slot_minutes: Option<i16>,
    starts_at: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
    reason: Option<String>,
    version: i32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

fn whole<const D: u32, const MIN: u32, const MAX: u32>(number: i16) -> Option<Whole<D, MIN, MAX>> {
    Whole::try_from(i64::from(number)).ok()
}

impl Row {
    fn rule(&self) -> Option<Rule> {
        Some(Rule {
            weekday: self.weekday.and_then(whole)?,
            from: self.from?,
            to: self.to?,
            valid_from: self.valid_from.map(Day),
            valid_until: self.valid_until.map(Day),
            every_weeks: self.every_weeks.and_then(whole)?,
            room_id: self.room_id,
            slot_minutes: self.slot_minutes.and_then(whole),
        })
    }

    fn exception(&self) -> Option<Exception> {
        let kind = match self.kind.as_str() {
            "closed" => ExceptionKind::Closed,
            "open" => ExceptionKind::Open,
            _ => return None,
        };
        let (starts_at, ends_at) = self.starts_at.zip(self.ends_at)?;
        Some(Exception { kind, starts_at, ends_at, reason: self.reason.clone() })
    }
}

impl From<Row> for AvailabilityEntry {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            practitioner_id: row.practitioner_id,
            rule: row.rule(),
            exception: row.exception(),
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// What is said of a stretch of time.
pub(super) struct Said {
    pub(super) rules: Vec<Rule>,
    pub(super) exceptions: Vec<Exception>,
}

/// Every rule, and the exceptions that meet the interval. All rules: that there is any closes what none of them opens.
pub(super) async fn load(
    tx: &mut TenantTx,
    practitioner: PractitionerId,
    interval: Interval,
) -> Result<Said> {
    let rows = select_entries!(
        "e.tenant_id = $1 AND e.practitioner_id = $2
           AND (e.kind = 'weekly' OR (e.ends_at > $3 AND e.starts_at < $4))",
        tx.tenant().0,
        practitioner.0,
        interval.from,
        interval.to,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(Said {
        rules: rows.iter().filter_map(Row::rule).collect(),
        exceptions: rows.iter().filter_map(Row::exception).collect(),
    })
}

/// The practitioner's appointments that stand and meet the interval.
pub(super) async fn bookings(
    tx: &mut TenantTx,
    practitioner: PractitionerId,
    interval: Interval,
) -> Result<Vec<Interval>> {
    let rows = sqlx::query!(
        "SELECT starts_at, ends_at FROM appointments
         WHERE tenant_id = $1 AND practitioner_id = $2 AND status = 'scheduled'
           AND starts_at > $5 AND starts_at < $4 AND ends_at > $3",
        tx.tenant().0,
        practitioner.0,
        interval.from,
        interval.to,
        earliest_begin(interval.from),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| Interval::new(row.starts_at, row.ends_at)).collect())
}

/// Whether an appointment comes nearer than the buffer. One that overlaps does not count: the exclusion constraint
/// refuses it, with a code of its own.
pub(super) async fn has_neighbour(
    tx: &mut TenantTx,
    practitioner: PractitionerId,
    wanted: Interval,
    buffer: Duration,
    except: Option<AppointmentId>,
) -> Result<bool> {
    let near = wanted.widened(buffer);
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT 1 FROM appointments
               WHERE tenant_id = $1 AND practitioner_id = $2 AND status = 'scheduled' AND id IS DISTINCT FROM $7
                 AND starts_at > $8 AND starts_at < $4 AND ends_at > $3
                 AND NOT (starts_at < $6 AND ends_at > $5)) AS "found!""#,
        tx.tenant().0,
        practitioner.0,
        near.from,
        near.to,
        wanted.from,
        wanted.to,
        except.map(|id| id.0),
        earliest_begin(near.from),
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Whose availability it is.
pub(super) struct Owner {
    /// The colleague who signs in as this practitioner.
    pub(super) user_id: Option<UserId>,
    version: i32,
}

/// See [`Owner`].
pub(super) async fn owner(tx: &mut TenantTx, practitioner: PractitionerId) -> Result<Owner> {
    sqlx::query_as!(
        Owner,
        r#"SELECT user_id AS "user_id: UserId", availability_version AS version FROM practitioners
           WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL"#,
        tx.tenant().0,
        practitioner.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("practitioner"))
}

/// All that is said of a practitioner's availability, but for exceptions that are over.
pub async fn get_availability(tx: &mut TenantTx, practitioner: PractitionerId) -> Result<Availability> {
    let version = owner(tx, practitioner).await?.version;
    let now = tx.now();
    let rows = select_entries!(
        "e.tenant_id = $1 AND e.practitioner_id = $2 AND (e.kind = 'weekly' OR e.ends_at > $3)
         ORDER BY e.weekday, e.from_minute, e.starts_at, e.id",
        tx.tenant().0,
        practitioner.0,
        now,
    )
    .fetch_all(tx.conn())
    .await?;
    let entries = rows.into_iter().map(AvailabilityEntry::from);
    let (rules, exceptions) = entries.partition(|entry| entry.rule.is_some());
    Ok(Availability { practitioner_id: practitioner, rules, exceptions, version })
}

/// One rule or exception.
pub async fn get_entry(tx: &mut TenantTx, id: AvailabilityEntryId) -> Result<AvailabilityEntry> {
    let row = select_entries!("e.tenant_id = $1 AND e.id = $2", tx.tenant().0, id.0)
        .fetch_optional(tx.conn())
        .await?;
    row.map(AvailabilityEntry::from).ok_or(Error::NotFound("availability entry"))
}
