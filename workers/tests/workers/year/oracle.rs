//! What each patient should have been told, reckoned from what happened alone: minute by minute, by none of the rules of
//! the house. It reads what the providers were handed, and of the ledger only which message is which.

use std::collections::HashMap;

use super::{
    AppointmentId, DateTime, PatientId, PractitionerId, TenantId, TimeDelta, Timelike, Tz, Utc, World,
};

/// How a patient may be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    Sms,
    Email,
    Both,
    Nothing,
}

pub(crate) struct Practice {
    pub(crate) tenant: TenantId,
    pub(crate) zone: Tz,
    pub(crate) leads: Vec<u32>,
    /// From and to, minutes of the day.
    pub(crate) quiet: (u32, u32),
    pub(crate) practitioner: PractitionerId,
    pub(crate) patients: Vec<(PatientId, Reach)>,
}

/// What stays the same of an appointment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    pub(crate) practice: usize,
    pub(crate) patient: PatientId,
    pub(crate) reach: Reach,
    pub(crate) version: i32,
}

/// How an appointment stood for a while.
#[derive(Debug, Clone, Copy)]
struct Standing {
    since: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
    starts_at: DateTime<Utc>,
}

struct Story {
    kept: Kept,
    standings: Vec<Standing>,
    cancelled_at: Option<DateTime<Utc>>,
}

/// All that was booked, moved and cancelled.
#[derive(Default)]
pub(crate) struct Agenda {
    stories: Vec<(AppointmentId, Story)>,
}

impl Agenda {
    pub(crate) fn book(
        &mut self,
        id: AppointmentId,
        kept: Kept,
        now: DateTime<Utc>,
        starts_at: DateTime<Utc>,
    ) {
        let standings = vec![Standing { since: now, until: None, starts_at }];
        self.stories.push((id, Story { kept, standings, cancelled_at: None }));
    }

    fn story(&mut self, id: AppointmentId) -> &mut Story {
        &mut self.stories.iter_mut().find(|(other, _)| *other == id).expect("booked").1
    }

    pub(crate) fn kept(&mut self, id: AppointmentId) -> Kept {
        self.story(id).kept
    }

    pub(crate) fn coming(&self, now: DateTime<Utc>) -> Vec<AppointmentId> {
        let coming = |story: &Story| {
            story.cancelled_at.is_none()
                && story.standings.last().is_some_and(|standing| standing.starts_at > now)
        };
        self.stories.iter().filter(|(_, story)| coming(story)).map(|(id, _)| *id).collect()
    }

    pub(crate) fn r#move(&mut self, id: AppointmentId, now: DateTime<Utc>, starts_at: DateTime<Utc>) {
        let story = self.story(id);
        story.kept.version += 1;
        let before = story.standings.last_mut().expect("booked");
        if before.starts_at != starts_at {
            before.until = Some(now);
            story.standings.push(Standing { since: now, until: None, starts_at });
        }
    }

    pub(crate) fn cancel(&mut self, id: AppointmentId, now: DateTime<Utc>) {
        let story = self.story(id);
        story.cancelled_at = Some(now);
        story.standings.last_mut().expect("booked").until = Some(now);
    }
}

/// When providers were away, and when a worker died.
#[derive(Default)]
pub(crate) struct Troubles {
    outages: Vec<(DateTime<Utc>, Option<DateTime<Utc>>)>,
    deaths: Vec<DateTime<Utc>>,
}

impl Troubles {
    pub(crate) fn begin(&mut self, now: DateTime<Utc>) {
        self.outages.push((now, None));
    }

    pub(crate) fn end(&mut self, now: DateTime<Utc>) {
        self.outages.iter_mut().filter(|(_, end)| end.is_none()).for_each(|(_, end)| *end = Some(now));
    }

    pub(crate) fn death(&mut self, now: DateTime<Utc>) {
        self.deaths.push(now);
    }

    /// Whether providers were away at that moment.
    fn away(&self, at: DateTime<Utc>) -> bool {
        self.outages.iter().any(|(from, to)| *from <= at && to.is_none_or(|to| at <= to))
    }

    fn died(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> bool {
        self.deaths.iter().any(|at| from <= *at && *at <= to)
    }
}

/// Which message of the ledger something is.
type Key = (AppointmentId, i32, String, Option<i32>);

/// What the providers were handed, by what it says; and how the ledger says that each message ended.
struct Told {
    handed: HashMap<Key, Vec<DateTime<Utc>>>,
    statuses: HashMap<Key, Vec<String>>,
}

async fn told(world: &World) -> Told {
    let mut tx = world.db.system(permanence_domain::db::Actor::JOB).await.expect("a transaction");
    let rows: Vec<(uuid::Uuid, uuid::Uuid, i32, String, Option<i32>, String)> = sqlx::query_as(
        "SELECT id, appointment_id, appointment_sequence, purpose, lead_minutes, status FROM messages",
    )
    .fetch_all(tx.conn())
    .await
    .expect("messages");
    let (mut names, mut statuses) = (HashMap::new(), HashMap::<Key, Vec<String>>::new());
    for (id, appointment, sequence, purpose, lead, status) in rows {
        let key = (AppointmentId(appointment), sequence, purpose, lead);
        // A text carries the random end of its message's id.
        names.insert(id.simple().to_string()[12..].to_owned(), key.clone());
        statuses.entry(key).or_default().push(status);
    }
    let mut handed = HashMap::<Key, Vec<DateTime<Utc>>>::new();
    let mut note = |name: &str, at| {
        let key = names.get(name).unwrap_or_else(|| panic!("nobody planned {name}"));
        handed.entry(key.clone()).or_default().push(at);
    };
    for text in world.outbox.texts() {
        note(text.key.as_deref().expect("a key"), text.received_at);
    }
    for mail in world.outbox.mails() {
        let id = mail.header("Message-ID").expect("an id");
        let digits: String = id.chars().take_while(|c| *c != '@').filter(char::is_ascii_hexdigit).collect();
        note(&digits[12..], mail.received_at);
    }
    Told { handed, statuses }
}

impl Practice {
    fn quiet_at(&self, at: DateTime<Utc>) -> bool {
        let local = at.with_timezone(&self.zone);
        let (minute, (from, to)) = (local.hour() * 60 + local.minute(), self.quiet);
        if from < to { (from..to).contains(&minute) } else { minute >= from || minute < to }
    }

    /// The first minute that is not quiet, from one on.
    fn soon(&self, mut at: DateTime<Utc>) -> DateTime<Utc> {
        while self.quiet_at(at) {
            at += TimeDelta::minutes(1);
        }
        at
    }

    /// Lead times and due times of the reminders for an appointment that stands since a moment.
    fn reminders(&self, since: DateTime<Utc>, starts_at: DateTime<Utc>) -> Vec<(i32, DateTime<Utc>)> {
        let mut leads: Vec<i32> =
            self.leads.iter().map(|lead| i32::try_from(*lead).expect("small")).collect();
        leads.sort_unstable();
        let mut due: Vec<(i32, DateTime<Utc>)> = Vec::new();
        for lead in &leads {
            let mut at = starts_at - TimeDelta::minutes((*lead).into());
            if self.quiet_at(at) {
                while self.quiet_at(at) {
                    at -= TimeDelta::minutes(1);
                }
                // Now in the last minute before the quiet hours; five minutes before them it leaves.
                at = at - TimeDelta::seconds(at.timestamp() % 60) - TimeDelta::minutes(4);
            }
            if at > since && due.iter().all(|(_, other)| *other != at) {
                due.push((*lead, at));
            }
        }
        if due.is_empty() && self.soon(since) <= starts_at - TimeDelta::hours(2) {
            due.push((leads[0], self.soon(since)));
        }
        due
    }
}

/// Compares what was handed to the providers with what should have been.
pub(crate) async fn check(world: &World, practices: &[Practice], agenda: &Agenda, troubles: &Troubles) {
    let mut told = told(world).await;
    let (mut expected, mut plain) = (0, 0);
    for (id, story) in &agenda.stories {
        let practice = &practices[story.kept.practice];
        for (sequence, standing) in (0_i32..).zip(&story.standings) {
            let mut wanted: Vec<(Key, DateTime<Utc>, DateTime<Utc>)> = Vec::new();
            if story.kept.reach != Reach::Nothing {
                for (lead, due) in practice.reminders(standing.since, standing.starts_at) {
                    let useful = standing.starts_at - TimeDelta::hours(2);
                    wanted.push(((*id, sequence, "reminder".to_owned(), Some(lead)), due, useful));
                }
            }
            if matches!(story.kept.reach, Reach::Email | Reach::Both) {
                let due = practice.soon(standing.since);
                wanted.push(((*id, sequence, "confirmation".to_owned(), None), due, standing.starts_at));
            }
            for (key, due, useful) in wanted {
                expected += 1;
                plain +=
                    u32::from(compare(&mut told, practice, troubles, &key, (due, useful, standing.until)));
            }
        }
        let (Some(at), Some(last)) = (story.cancelled_at, story.standings.last()) else { continue };
        if story.kept.reach != Reach::Nothing {
            let sequence = i32::try_from(story.standings.len()).expect("few");
            let key = (*id, sequence, "cancellation".to_owned(), None);
            compare(&mut told, practice, troubles, &key, (practice.soon(at), last.starts_at, None));
        }
    }
    assert!(told.handed.is_empty(), "nobody should have been told: {:?}", told.handed);
    assert!(expected > 0 && plain * 2 > expected, "of {expected} only {plain} were told without trouble");
}

/// Whether a message left as it should; true if it left, at its minute. Anything else needs its reason.
fn compare(
    told: &mut Told,
    practice: &Practice,
    troubles: &Troubles,
    key: &Key,
    (due, useful, until): (DateTime<Utc>, DateTime<Utc>, Option<DateTime<Utc>>),
) -> bool {
    let handed = told.handed.remove(key).unwrap_or_default();
    let statuses = told.statuses.get(key).cloned().unwrap_or_default();
    let story = format!(
        "{key:?} due {due}, useful until {useful}, void at {until:?}: handed {handed:?}, {statuses:?}"
    );
    assert!(handed.len() <= 1, "twice: {story}");
    for at in &handed {
        assert!(*at >= due, "early: {story}");
        assert!(*at <= useful, "late: {story}");
        assert!(until.is_none_or(|until| *at <= until), "void: {story}");
        assert!(!practice.quiet_at(*at), "in quiet hours: {story}");
    }
    let stood = until.is_none_or(|until| until > due);
    if due > useful || !stood {
        assert!(handed.is_empty() || until == Some(due), "it should not have left: {story}");
        return false;
    }
    match handed.first() {
        Some(at) if *at == due => true,
        Some(at) => {
            assert!(troubles.away(due) || troubles.died(due, *at), "late without a reason: {story}");
            false
        }
        None => {
            let parked = statuses.iter().any(|status| status == "uncertain");
            let lost = troubles.away(due) || parked && troubles.died(due, useful);
            assert!(lost, "never told, without a reason: {story}");
            false
        }
    }
}
