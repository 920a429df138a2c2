//! Demonstration data: two practices in two zones, their people and two weeks of appointments, made through the same
//! rules as any. The same day gives the same data.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, Utc, Weekday};
use chrono_tz::Tz;
use permanence_domain::{
    Error, Problem,
    billing::{self, BillingSettings, NewService, NewVat, VatCategory},
    config::Secret,
    crypto::hash_password,
    db::{Actor, Db, SystemTx, TenantTx},
    field::{Day, EmailAddress, FullName, Label, Language, Moment, PersonName, Phone, RppsNumber},
    hours::{Span, TimeOfDay},
    identity::{NewTenant, Role, add_member, create_tenant, find_tenant, list_members},
    ids::{PatientId, PractitionerId, RoomId, TenantId},
    page::PageQuery,
    patients::{self, NewConsents, NewPatient, PatientQuery},
    people::{self, NewPractitioner},
    scheduling::{self, NewAppointment, NewRoom},
    tenants::{self, OpeningHours, QuietHours, Settings, SmsSender},
};
use serde_json::json;

use crate::{Failure, demo_stock};

/// Who may sign in, everywhere with [`PASSWORD`].
pub(crate) const LOGIN: &str = "assistante@cabinet-lilas.example";
/// The password of every demonstration user.
pub(crate) const PASSWORD: &str = "Bonjour1!";

struct Practice {
    name: &'static str,
    domain: &'static str,
    zone: Tz,
    phone: &'static str,
    address: &'static str,
    mobile: &'static str,
    sender: &'static str,
    hours: [(&'static str, &'static str); 2],
    practitioners: [(&'static str, &'static str, &'static str, &'static str); 2],
    patients: usize,
}

const PRACTICES: [Practice; 2] = [
    Practice {
        name: "Cabinet des Lilas",
        domain: "cabinet-lilas.example",
        zone: Tz::Europe__Paris,
        phone: "01 99 00 00 10",
        address: "12 rue des Lilas, 75019 Paris",
        mobile: "+33600000",
        sender: "CabLilas",
        hours: [("08:30", "12:30"), ("13:30", "18:30")],
        practitioners: [
            ("Camille", "Roy", "Médecine générale", "10100000016"),
            ("Naïma", "Benali", "Kinésithérapie", "10100000024"),
        ],
        patients: 40,
    },
    Practice {
        name: "Maison de santé du Port",
        domain: "sante-port.example",
        zone: Tz::Indian__Reunion,
        phone: "02 62 00 00 10",
        address: "3 rue du Bord de Mer, 97420 Le Port",
        mobile: "+262692000",
        sender: "SantePort",
        hours: [("07:30", "12:00"), ("13:00", "17:00")],
        practitioners: [
            ("Marie-Ève", "Hoarau", "Médecine générale", "10100000032"),
            ("Jean-Noël", "Payet", "Psychologie", "10100000040"),
        ],
        patients: 20,
    },
];

const FIRST_NAMES: [&str; 20] = [
    "Hélène",
    "Jules",
    "Inès",
    "Loïc",
    "Françoise",
    "Mehdi",
    "Chloé",
    "André",
    "Zoé",
    "Benoît",
    "Aïcha",
    "Gaël",
    "Thérèse",
    "Noé",
    "Agnès",
    "Étienne",
    "Salomé",
    "Rémi",
    "Joëlle",
    "Maël",
];
const LAST_NAMES: [&str; 23] = [
    "Garcia",
    "Lefèvre",
    "Nguyen",
    "Bénard",
    "Dupont",
    "Traoré",
    "Lemoine",
    "Grondin",
    "Müller",
    "Le Goff",
    "Ferreira",
    "Chevalier",
    "Delaunay",
    "Rossi",
    "Hébert",
    "Fontaine",
    "Diallo",
    "Marchand",
    "Poirier",
    "Guérin",
    "Colin",
    "Baptiste",
    "Noël",
];

/// Makes what is not there yet, also after a start that was cut short.
pub(crate) async fn ensure(db: &Db) -> Result<(), Failure> {
    for practice in &PRACTICES {
        let mut tx = db.system(Actor::JOB).await?;
        let tenant = match find_tenant(&mut tx, practice.name).await? {
            Some(tenant) => tenant,
            None => found(&mut tx, practice).await?,
        };
        tx.commit().await?;
        let mut tx = db.tenant(tenant, Actor::JOB).await?;
        if patients::list(&mut tx, &PatientQuery::default()).await?.total == 0 {
            fill(&mut tx, practice).await?;
        }
        demo_stock::ensure(&mut tx).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Whether invented patients are in the database.
pub(crate) async fn is_present(db: &Db) -> Result<bool, Failure> {
    let mut tx = db.system(Actor::JOB).await?;
    let mut present = false;
    for practice in &PRACTICES {
        present |= find_tenant(&mut tx, practice.name).await?.is_some();
    }
    tx.rollback().await?;
    Ok(present)
}

fn read<T>(parsed: Result<T, Problem>) -> Result<T, Failure> {
    parsed.map_err(|problem| format!("demonstration data: {problem:?}").into())
}

async fn found(tx: &mut SystemTx, practice: &Practice) -> Result<TenantId, Failure> {
    let hash = hash_password(Secret::new(PASSWORD)).await?;
    let new = NewTenant {
        kind: "practice",
        name: read(Label::parse(practice.name))?,
        time_zone: practice.zone,
        language: Language::Fr,
        phone: Some(practice.phone.to_owned()),
        address: Some(practice.address.to_owned()),
    };
    let tenant = create_tenant(tx, &new).await?;
    let staff =
        [("admin", "Dominique Admin", Role::Admin), ("assistante", "Sophie Accueil", Role::Assistant)];
    let mut members: Vec<_> =
        staff.into_iter().map(|(local, name, role)| (local.to_owned(), name.to_owned(), role)).collect();
    for (first, last, ..) in practice.practitioners {
        members.push((last.to_lowercase(), format!("{first} {last}"), Role::Practitioner));
    }
    for (local, name, role) in members {
        let email = read(EmailAddress::parse(&format!("{local}@{}", practice.domain)))?;
        add_member(tx, tenant, &email, &read(FullName::parse(&name))?, role, &hash).await?;
    }
    Ok(tenant)
}

/// Open on working days, in the morning of a Saturday too.
fn settings(practice: &Practice) -> Result<Settings, Failure> {
    let span = |(from, to)| {
        Ok::<_, Failure>(Span { from: read(TimeOfDay::parse(from))?, to: read(TimeOfDay::parse(to))? })
    };
    let day: Vec<Span> = practice.hours.into_iter().map(span).collect::<Result<_, _>>()?;
    let opening_hours = OpeningHours {
        monday: day.clone(),
        tuesday: day.clone(),
        wednesday: day.clone(),
        thursday: day.clone(),
        saturday: day.iter().take(1).copied().collect(),
        friday: day,
        sunday: Vec::new(),
    };
    Ok(Settings {
        opening_hours,
        sms_sender: Some(read(SmsSender::parse(practice.sender))?),
        email_sender_name: Some(read(Label::parse(practice.name))?),
        // Short, so that a first try in the evening is answered at once.
        quiet_hours: QuietHours::of(read(TimeOfDay::parse("03:00"))?, read(TimeOfDay::parse("04:00"))?),
        reply_to: Some(read(EmailAddress::parse(&format!("accueil@{}", practice.domain)))?),
        billing: Some(seller(practice)?),
        ..Settings::of(practice.zone)
    })
}

/// The practice as a seller, under invented numbers.
fn seller(practice: &Practice) -> Result<BillingSettings, Failure> {
    let (line, town) = practice.address.split_once(", ").unwrap_or((practice.address, ""));
    let (postcode, city) = town.split_once(' ').unwrap_or((town, ""));
    Ok(serde_json::from_value(json!({
        "legal_name": format!("SELARL {}", practice.name),
        "address": { "line": line, "postcode": postcode, "city": city },
        "siret": "73282932000074",
        "iban": "FR7630006000011234567890189",
    }))?)
}

/// What is charged for: by length, for whoever comes.
async fn services(tx: &mut TenantTx) -> Result<(), Failure> {
    let care = Some(NewVat { category: VatCategory::Care, rate: None });
    let prices = [
        ("Consultation", 6000, care, true),
        ("Bilan détaillé", 9000, care, false),
        ("Coussin", 3000, None, false),
    ];
    for (name, price, vat, automatic) in prices {
        let service = NewService {
            name: read(FullName::parse(name))?,
            unit_price: read(price.try_into())?,
            vat,
            automatic,
            practitioner_id: None,
            minutes: None,
        };
        billing::add_service(tx, &service).await?;
    }
    Ok(())
}

/// Settings, people, rooms and appointments.
async fn fill(tx: &mut TenantTx, practice: &Practice) -> Result<(), Failure> {
    let current = tenants::current_settings(tx).await?;
    tenants::update_settings(tx, current.version, &settings(practice)?).await?;
    services(tx).await?;
    let mut rooms = Vec::new();
    for name in ["Cabinet 1", "Cabinet 2"] {
        rooms.push(scheduling::add_room(tx, &NewRoom { name: read(Label::parse(name))? }).await?.id);
    }
    let members = list_members(tx, PageQuery::default()).await?.items;
    let mut practitioners = Vec::new();
    for (first, last, specialty, rpps) in practice.practitioners {
        let new = NewPractitioner {
            first_name: read(PersonName::parse(first))?,
            last_name: read(PersonName::parse(last))?,
            specialty: Some(read(Label::parse(specialty))?),
            rpps_number: Some(read(RppsNumber::parse(rpps))?),
            adeli_number: None,
            user_id: members
                .iter()
                .find(|member| member.full_name == format!("{first} {last}"))
                .map(|m| m.id),
        };
        practitioners.push(people::add(tx, &new).await?.id);
    }
    let mut ids = Vec::new();
    for number in 0..practice.patients {
        ids.push(patients::register(tx, &patient(practice, number)?).await?.id);
    }
    agenda(tx, practice.zone, &rooms, &practitioners, &ids).await
}

fn patient(practice: &Practice, number: usize) -> Result<NewPatient, Failure> {
    let first = FIRST_NAMES[number % FIRST_NAMES.len()];
    let last = LAST_NAMES[(number * 7) % LAST_NAMES.len()];
    let year = i32::try_from(1938 + (number * 13) % 78)?;
    let month = u32::try_from(1 + number % 12)?;
    let day = u32::try_from(1 + (number * 5) % 28)?;
    let mobile = number % 4 != 3;
    Ok(NewPatient {
        first_name: read(PersonName::parse(first))?,
        last_name: read(PersonName::parse(last))?,
        birth_date: NaiveDate::from_ymd_opt(year, month, day).map(Day),
        email: Some(read(EmailAddress::parse(&format!("patient{number:02}@{}", practice.domain)))?),
        phone: mobile.then(|| read(Phone::parse(&format!("{}{number:03}", practice.mobile)))).transpose()?,
        address: None,
        language: if number % 11 == 10 { Language::En } else { Language::Fr },
        consents: NewConsents { reminder_sms: mobile, reminder_email: true, imaging: None },
    })
}

/// Two weeks of half-hours on working days, and today whatever the day; what is past already is left out.
async fn agenda(
    tx: &mut TenantTx,
    zone: Tz,
    rooms: &[RoomId],
    practitioners: &[PractitionerId],
    patients: &[PatientId],
) -> Result<(), Failure> {
    let now = tx.now();
    let mut turn = 0;
    for day in working_days(now, zone) {
        for (place, (practitioner, room)) in practitioners.iter().zip(rooms).enumerate() {
            for half_hour in [18, 21, 28, 33] {
                let starts = civil(day, half_hour);
                let new = NewAppointment {
                    patient_id: patients[(turn * 3 + place) % patients.len()],
                    practitioner_id: *practitioner,
                    room_id: Some(*room),
                    service_id: None,
                    starts_at: starts,
                    ends_at: civil(day, half_hour + 1),
                    // Today has something to show even where it is closed.
                    reason: None,
                    outside_availability: is_weekend(day),
                };
                turn += 1;
                match scheduling::book(tx, Role::Admin, &new).await {
                    Ok(_) => {}
                    Err(Error::Invalid(invalid))
                        if invalid.0.iter().all(|problem| problem.code == "past_time") => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
    Ok(())
}

fn civil(day: NaiveDate, half_hour: u32) -> Moment {
    let time = NaiveTime::from_hms_opt(half_hour / 2, 30 * (half_hour % 2), 0).unwrap_or_default();
    Moment::Civil(day.and_time(time))
}

fn working_days(now: DateTime<Utc>, zone: Tz) -> impl Iterator<Item = NaiveDate> {
    let today = now.with_timezone(&zone).date_naive();
    (0..14)
        .filter_map(move |ahead| today.checked_add_days(Days::new(ahead)))
        .filter(move |day| *day == today || !is_weekend(*day))
}

fn is_weekend(day: NaiveDate) -> bool {
    matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
}
