//! Changing availability: a practitioner their own, whoever runs the practice everybody's.

use super::{
    Availability, AvailabilityEntry, EntryContent, Exception, ExceptionKind, NewEntry, NewPlan, Rule,
    entry::Content,
    read::{get_availability, get_entry, owner},
};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Invalid, Problem, Problems, Result},
    field::Whole,
    identity::{Role, Scope},
    ids::{AvailabilityEntryId, PractitionerId, RoomId},
    scheduling::practice_zone,
};

/// Counts a change, if the caller may make it; the practitioner's bookings wait until it is kept.
async fn change(
    tx: &mut TenantTx,
    role: Role,
    practitioner: PractitionerId,
    version: Option<i32>,
) -> Result<()> {
    let owner = owner(tx, practitioner).await?;
    let own = owner.user_id.is_some() && owner.user_id == tx.actor().user;
    if !own && !role.may(Scope::PracticeWrite) {
        return Err(Error::Forbidden(Scope::PracticeWrite.as_str()));
    }
    let changed = sqlx::query!(
        "UPDATE practitioners SET availability_version = availability_version + 1
         WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL AND availability_version = COALESCE($3, availability_version)",
        tx.tenant().0,
        practitioner.0,
        version,
    )
    .execute(tx.conn())
    .await?;
    if changed.rows_affected() == 0 { Err(Error::Changed("availability")) } else { Ok(()) }
}

/// Refuses rooms that are not the practice's.
async fn require_rooms(tx: &mut TenantTx, wanted: Vec<(String, RoomId)>) -> Result<()> {
    if wanted.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = wanted.iter().map(|(_, room)| room.0).collect();
    let found = sqlx::query_scalar!(
        "SELECT id FROM rooms WHERE tenant_id = $1 AND id = ANY($2) AND deleted_at IS NULL",
        tx.tenant().0,
        &ids,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut problems = Problems::default();
    for (field, room) in wanted.into_iter().filter(|(_, room)| !found.contains(&room.0)) {
        problems.push(Problem::new(field, "unknown_room", "a room of the practice").read(room));
    }
    problems.finish()
}

/// A rule's room, with the field that names it.
fn room_of(content: &Content) -> Option<(String, RoomId)> {
    match content {
        Content::Rule(rule) => Some(("rule.room_id".to_owned(), rule.room_id?)),
        Content::Exception(_) => None,
    }
}

/// What a row of the table holds of a rule or an exception.
struct Columns<'a> {
    kind: &'static str,
    rule: Option<&'a Rule>,
    exception: Option<&'a Exception>,
}

impl<'a> From<&'a Content> for Columns<'a> {
    fn from(content: &'a Content) -> Self {
        match content {
            Content::Rule(rule) => Self { kind: "weekly", rule: Some(rule), exception: None },
            Content::Exception(exception) => {
                let kind = match exception.kind {
                    ExceptionKind::Closed => "closed",
                    ExceptionKind::Open => "open",
                };
                Self { kind, rule: None, exception: Some(exception) }
            }
        }
    }
}

fn small<const D: u32, const MIN: u32, const MAX: u32>(number: Whole<D, MIN, MAX>) -> Option<i16> {
    i16::try_from(number.get()).ok()
}

/// Keeps an entry, new or in place of what it said before.
async fn put(
    tx: &mut TenantTx,
    id: AvailabilityEntryId,
    practitioner: PractitionerId,
    content: &Content,
) -> Result<()> {
    let Columns { kind, rule, exception } = content.into();
    let (tenant, now) = (tx.tenant(), tx.now());
    sqlx::query!(
        "INSERT INTO availability_entries AS e
             (tenant_id, id, practitioner_id, kind, weekday, from_minute, to_minute, every_weeks, valid_from, valid_until,
              room_id, slot_minutes, starts_at, ends_at, reason, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $16)
         ON CONFLICT (tenant_id, id) DO UPDATE
         SET kind = $4, weekday = $5, from_minute = $6, to_minute = $7, every_weeks = $8, valid_from = $9,
             valid_until = $10, room_id = $11, slot_minutes = $12, starts_at = $13, ends_at = $14, reason = $15,
             updated_at = $16, version = e.version + 1",
        tenant.0,
        id.0,
        practitioner.0,
        kind,
        rule.and_then(|rule| small(rule.weekday)),
        rule.map(|rule| rule.from.minutes()),
        rule.map(|rule| rule.to.minutes()),
        rule.and_then(|rule| small(rule.every_weeks)),
        rule.and_then(|rule| rule.valid_from).map(|day| day.0),
        rule.and_then(|rule| rule.valid_until).map(|day| day.0),
        rule.and_then(|rule| rule.room_id).map(|room| room.0),
        rule.and_then(|rule| rule.slot_minutes).and_then(small),
        exception.map(|exception| exception.starts_at),
        exception.map(|exception| exception.ends_at),
        exception.and_then(|exception| exception.reason.as_deref()),
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Replaces a practitioner's weekly rules. Exceptions stay.
pub async fn replace_availability(
    tx: &mut TenantTx,
    role: Role,
    practitioner: PractitionerId,
    version: i32,
    new: &NewPlan,
) -> Result<Availability> {
    change(tx, role, practitioner, Some(version)).await?;
    let rules = new.rules.iter().enumerate();
    let rooms = rules.filter_map(|(place, rule)| Some((format!("rules[{place}].room_id"), rule.room_id?)));
    require_rooms(tx, rooms.collect()).await?;
    sqlx::query!(
        "DELETE FROM availability_entries WHERE tenant_id = $1 AND practitioner_id = $2 AND kind = 'weekly'",
        tx.tenant().0,
        practitioner.0,
    )
    .execute(tx.conn())
    .await?;
    for rule in &new.rules {
        let id = AvailabilityEntryId::new(tx.now());
        put(tx, id, practitioner, &Content::Rule(rule.clone())).await?;
    }
    audit::record(tx, "availability.replace", "practitioner", practitioner.0).await?;
    get_availability(tx, practitioner).await
}

/// Adds a rule or an exception.
pub async fn add_entry(tx: &mut TenantTx, role: Role, new: &NewEntry) -> Result<AvailabilityEntry> {
    let id = AvailabilityEntryId::new(tx.now());
    let content = new.content().checked(practice_zone(tx).await?)?;
    change(tx, role, new.practitioner_id, None).await.map_err(|error| match error {
        Error::NotFound(_) => {
            let expected = "a practitioner of the practice";
            let problem = Problem::new("practitioner_id", "unknown_practitioner", expected);
            Invalid(vec![problem.read(new.practitioner_id)]).into()
        }
        other => other,
    })?;
    require_rooms(tx, room_of(&content).into_iter().collect()).await?;
    put(tx, id, new.practitioner_id, &content).await?;
    audit::record(tx, "availability.add", "availability_entry", id.0).await?;
    get_entry(tx, id).await
}

/// Replaces a rule or an exception.
pub async fn update_entry(
    tx: &mut TenantTx,
    role: Role,
    id: AvailabilityEntryId,
    version: i32,
    new: &EntryContent,
) -> Result<AvailabilityEntry> {
    let practitioner = get_entry(tx, id).await?.practitioner_id;
    let content = new.checked(practice_zone(tx).await?)?;
    change(tx, role, practitioner, None).await?;
    // Changes of one practitioner take turns from here on: what is read now stays.
    if get_entry(tx, id).await?.version != version {
        return Err(Error::Changed("availability entry"));
    }
    require_rooms(tx, room_of(&content).into_iter().collect()).await?;
    put(tx, id, practitioner, &content).await?;
    audit::record(tx, "availability.update", "availability_entry", id.0).await?;
    get_entry(tx, id).await
}

/// Takes a rule or an exception away.
pub async fn delete_entry(tx: &mut TenantTx, role: Role, id: AvailabilityEntryId) -> Result<()> {
    let practitioner = get_entry(tx, id).await?.practitioner_id;
    change(tx, role, practitioner, None).await?;
    let deleted = sqlx::query!(
        "DELETE FROM availability_entries WHERE tenant_id = $1 AND id = $2",
        tx.tenant().0,
        id.0
    )
    .execute(tx.conn())
    .await?;
    if deleted.rows_affected() == 0 {
        return Err(Error::NotFound("availability entry"));
    }
    audit::record(tx, "availability.delete", "availability_entry", id.0).await
}
