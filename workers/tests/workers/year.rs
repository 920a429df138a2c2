//! A year of five practices in five zones by a simulated clock: bookings, moves, cancellations, deaths of the worker,
//! providers that are away; and an oracle that reckons minute by minute what each patient should have been told.
//!
//! `PERMANENCE_YEAR_BOOKINGS` says how many bookings a practice gets, `PERMANENCE_YEAR_SEED` which year it is: the same one
//! unless said otherwise.

mod oracle;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use chrono_tz::Tz;
use permanence_domain::{
    clock::{Clock, SimulatedClock},
    db::{Actor, TenantTx},
    field::{Label, Language, Moment, PersonName},
    identity::{NewTenant, Role, create_tenant},
    ids::{AppointmentId, PatientId, PractitionerId, TenantId},
    notifications::jobs::ReconcileMessages,
    patients,
    people::{self, NewPractitioner},
    scheduling::{self, NewAppointment},
    tenants::{self, Settings},
};
use permanence_embedded::{mail::MailFault, sms::SmsFault};
use permanence_queue::Outcome;
use permanence_workers::perform::{Perform, Run};

use self::oracle::{Agenda, Kept, Practice, Reach, Troubles};
use crate::support::{Pool, World, by_both, by_email, by_nothing, by_sms};

/// Where the practices are, and what they have set: lead times in minutes, quiet hours from and to.
const PRACTICES: [(Tz, &[u32], (&str, &str)); 5] = [
    (Tz::Europe__Paris, &[1440], ("20:00", "08:00")),
    (Tz::Indian__Reunion, &[1440, 10_080], ("21:00", "07:30")),
    (Tz::America__Martinique, &[2880, 240], ("19:30", "09:00")),
    (Tz::America__Cayenne, &[1440], ("12:00", "14:00")),
    (Tz::Pacific__Noumea, &[720, 4320, 20_160], ("18:00", "06:00")),
];

/// What happens at a moment of the year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Book(usize),
    Move,
    Cancel,
    Die,
    ProvidersLeave,
    ProvidersReturn,
    Reconcile,
}

/// A small generator of its own, so that a failing run can be repeated by its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end).expect("small")).expect("small")
    }

    fn minutes(&mut self, end: usize) -> TimeDelta {
        TimeDelta::minutes(i64::try_from(self.below(end)).expect("small"))
    }
}

struct Year {
    world: World,
    practices: Vec<Practice>,
    agenda: Agenda,
    troubles: Troubles,
    random: Random,
    pool: Option<Pool>,
}

fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

fn begin() -> DateTime<Utc> {
    "2027-01-01T00:00:00Z".parse().expect("a time")
}

const MINUTES: usize = 365 * 1440;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_year_of_five_practices_tells_everybody_what_they_should_know_once() {
    let bookings = usize::try_from(variable("PERMANENCE_YEAR_BOOKINGS", 40)).expect("small");
    let seed = variable("PERMANENCE_YEAR_SEED", 2027);
    let mut year = Year::begin(seed).await;
    for (at, event) in year.events(bookings) {
        year.live_until(at).await;
        year.happens(event).await;
    }
    year.happens(Event::ProvidersReturn).await;
    year.live_until(begin() + TimeDelta::days(365 + 60)).await;
    assert_eq!(year.reconcile().await, 0, "in the end nothing differs");
    if let Some(pool) = year.pool.take() {
        pool.drain().await;
    }
    oracle::check(&year.world, &year.practices, &year.agenda, &year.troubles).await;
}

impl Year {
    async fn begin(seed: u64) -> Self {
        let clock = Arc::new(SimulatedClock::at(begin()));
        let world = World::with_clock(clock.clone(), clock, Tz::Europe__Paris).await;
        let mut practices = Vec::new();
        for (zone, leads, quiet) in PRACTICES {
            practices.push(found(&world, zone, leads, quiet).await);
        }
        let pool = Some(world.work());
        let random = Random(seed.max(1));
        Self { world, practices, agenda: Agenda::default(), troubles: Troubles::default(), random, pool }
    }

    /// The year's events in their order.
    fn events(&mut self, bookings: usize) -> Vec<(DateTime<Utc>, Event)> {
        let mut events = Vec::new();
        for practice in 0..self.practices.len() {
            for n in 0..bookings {
                let at = begin() + self.random.minutes(MINUTES);
                events.push((at, Event::Book(practice)));
                match n % 5 {
                    0 => events.push((at + self.random.minutes(9000), Event::Move)),
                    1 => events.push((at + self.random.minutes(9000), Event::Cancel)),
                    _ => {}
                }
            }
        }
        for _ in 0..8 {
            let at = begin() + self.random.minutes(MINUTES);
            events.push((at, Event::ProvidersLeave));
            events.push((at + self.random.minutes(300), Event::ProvidersReturn));
        }
        events.extend((0..12).map(|_| (begin() + self.random.minutes(MINUTES), Event::Die)));
        events.extend((1..12).map(|month| (begin() + TimeDelta::days(month * 30), Event::Reconcile)));
        events.sort_unstable();
        events
    }

    /// Goes on to a moment, through every moment at which a job is due.
    async fn live_until(&mut self, end: DateTime<Utc>) {
        loop {
            self.world.until_idle().await;
            let mut tx = self.world.db.system(Actor::JOB).await.expect("a transaction");
            let due: Option<DateTime<Utc>> = sqlx::query_scalar("SELECT min(run_at) FROM queue.jobs")
                .fetch_one(tx.conn())
                .await
                .expect("a time");
            drop(tx);
            match due.filter(|due| *due <= end) {
                Some(due) => self.world.clock.set(due.max(self.world.clock.now())),
                None => break,
            }
        }
        self.world.clock.set(end.max(self.world.clock.now()));
    }

    async fn happens(&mut self, event: Event) {
        match event {
            Event::Book(practice) => self.book(practice).await,
            Event::Move => self.change(true).await,
            Event::Cancel => self.change(false).await,
            Event::Die => self.die().await,
            Event::ProvidersLeave => {
                self.world.mail.faults().always(MailFault::RecipientDeferred);
                self.world.sms.faults().always(SmsFault::ServerError);
                self.troubles.begin(self.world.clock.now());
            }
            Event::ProvidersReturn => {
                self.world.mail.faults().clear();
                self.world.sms.faults().clear();
                self.troubles.end(self.world.clock.now());
            }
            Event::Reconcile => assert_eq!(self.reconcile().await, 0, "nothing differs"),
        }
    }

    /// A begin between an hour and thirty days ahead, on the quarter of an hour.
    fn ahead(&mut self) -> DateTime<Utc> {
        let at = self.world.clock.now() + TimeDelta::hours(1) + self.random.minutes(30 * 1440);
        at - TimeDelta::minutes(i64::from(at.minute() % 15))
    }

    async fn book(&mut self, number: usize) {
        let starts_at = self.ahead();
        let practice = &self.practices[number];
        let (patient, reach) = practice.patients[self.random.below(practice.patients.len())];
        let mut tx = practice.tx(&self.world).await;
        let new = appointment(patient, practice.practitioner, starts_at);
        // Somebody may be there already.
        if let Ok(booked) = scheduling::book(&mut tx, Role::Admin, &new).await {
            tx.commit().await.expect("committed");
            let now = self.world.clock.now();
            self.agenda.book(
                booked.id,
                Kept { practice: number, patient, reach, version: 1 },
                now,
                starts_at,
            );
        }
    }

    /// Moves or cancels some appointment that has not begun.
    async fn change(&mut self, moves: bool) {
        let now = self.world.clock.now();
        let coming = self.agenda.coming(now);
        if coming.is_empty() {
            return;
        }
        let id = coming[self.random.below(coming.len())];
        let starts_at = self.ahead();
        let kept = self.agenda.kept(id);
        let practice = &self.practices[kept.practice];
        let mut tx = practice.tx(&self.world).await;
        if moves {
            let new = appointment(kept.patient, practice.practitioner, starts_at);
            if scheduling::reschedule(&mut tx, Role::Admin, id, kept.version, &new).await.is_ok() {
                tx.commit().await.expect("committed");
                self.agenda.r#move(id, now, starts_at);
            }
        } else {
            scheduling::cancel(&mut tx, id).await.expect("cancelled");
            tx.commit().await.expect("committed");
            self.agenda.cancel(id, now);
        }
    }

    /// The worker dies at the very moment that something is due, if anything is; another takes over.
    async fn die(&mut self) {
        let mut tx = self.world.db.system(Actor::JOB).await.expect("a transaction");
        let due: Option<DateTime<Utc>> = sqlx::query_scalar("SELECT min(run_at) FROM queue.jobs")
            .fetch_one(tx.conn())
            .await
            .expect("a time");
        drop(tx);
        if let Some(due) = due {
            self.world.clock.set(due.max(self.world.clock.now()));
        }
        self.troubles.death(self.world.clock.now());
        // Somewhere between the claim and the receipt.
        tokio::time::sleep(Duration::from_millis(u64::try_from(self.random.below(25)).expect("small"))).await;
        if let Some(pool) = self.pool.take() {
            pool.kill().await;
        }
        self.pool = Some(self.world.work());
        self.world.until_idle().await;
    }

    /// What the daily reconciliation finds to mend.
    async fn reconcile(&self) -> u64 {
        let run = Run { tenant: None, last_attempt: false };
        let outcome = ReconcileMessages {}.perform(run, &self.world.services()).await.expect("reconciled");
        let Outcome::Done(Some(found)) = outcome else { panic!("{outcome:?}") };
        let counts = found.as_object().expect("counts").iter().filter(|(what, _)| *what != "checked");
        counts.map(|(_, count)| count.as_u64().expect("a count")).sum()
    }
}

fn appointment(patient: PatientId, practitioner: PractitionerId, starts_at: DateTime<Utc>) -> NewAppointment {
    NewAppointment {
        patient_id: patient,
        practitioner_id: practitioner,
        room_id: None,
        service_id: None,
        starts_at: Moment::Exact(starts_at),
        ends_at: Moment::Exact(starts_at + TimeDelta::minutes(15)),
        reason: None,
        outside_availability: false,
    }
}

/// A practice with its settings, a practitioner and patients that are reached in every way.
async fn found(world: &World, zone: Tz, leads: &[u32], quiet: (&str, &str)) -> Practice {
    let mut tx = world.db.system(Actor::JOB).await.expect("a transaction");
    let new = NewTenant {
        kind: "practice",
        name: Label::parse("Cabinet du Lagon").expect("a name"),
        time_zone: zone,
        language: Language::Fr,
        phone: None,
        address: None,
    };
    let tenant = create_tenant(&mut tx, &new).await.expect("a tenant");
    tx.commit().await.expect("committed");
    let mut tx = world.db.tenant(tenant, Actor::JOB).await.expect("a transaction");
    let mut document = serde_json::to_value(Settings::of(zone)).expect("settings");
    document["lead_times"] = serde_json::json!(leads);
    document["quiet_hours"] = serde_json::json!({ "from": quiet.0, "to": quiet.1 });
    let settings = serde_json::from_value(document).expect("settings");
    tenants::update_settings(&mut tx, 1, &settings).await.expect("set");
    let practitioner = NewPractitioner {
        first_name: PersonName::parse("Camille").expect("a name"),
        last_name: PersonName::parse("Roy").expect("a name"),
        specialty: None,
        rpps_number: None,
        adeli_number: None,
        user_id: None,
    };
    let practitioner = people::add(&mut tx, &practitioner).await.expect("a practitioner").id;
    let mut patients = Vec::new();
    let ways = [
        (by_sms(), Reach::Sms),
        (by_email(), Reach::Email),
        (by_both(), Reach::Both),
        (by_nothing(), Reach::Nothing),
    ];
    for (new, reach) in ways.iter().cycle().take(12) {
        patients.push((patients::register(&mut tx, new).await.expect("a patient").id, *reach));
    }
    tx.commit().await.expect("committed");
    Practice {
        tenant,
        zone,
        leads: leads.to_vec(),
        quiet: (clock(quiet.0), clock(quiet.1)),
        practitioner,
        patients,
    }
}

/// Minutes since midnight.
fn clock(text: &str) -> u32 {
    let (hours, minutes) = text.split_once(':').expect("a time");
    hours.parse::<u32>().expect("hours") * 60 + minutes.parse::<u32>().expect("minutes")
}

impl Practice {
    async fn tx(&self, world: &World) -> TenantTx {
        world.db.tenant(self.tenant, Actor::JOB).await.expect("a transaction")
    }
}
