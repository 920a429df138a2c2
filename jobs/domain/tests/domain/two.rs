//! Two practices, each with a row in every tenant table: what isolation is tried on.

use std::sync::Arc;

use permanence_domain::{
    access,
    clock::SimulatedClock,
    config::{Secret, StorageConfig},
    db::{Actor, Db, TenantTx},
    exports::{self, ExportFormat, ExportKind, NewExport},
    field::{Day, EmailAddress, FullName, Label, Language, Moment, PersonName, Phone, Whole},
    files::{
        self, FileKind, NewFile, Received,
        images::{self, ImageMediaType, NewImage},
    },
    identity::{NewMember, NewTenant, Role, create_tenant, invite},
    ids::{PatientId, PractitionerId, TenantId, UserId},
    inventory::{self, MovementKind, NewItem, NewMovement, UnitName},
    migrate::MIGRATOR,
    notifications::{
        Channel, Purpose, Unreachable, note_unreachable,
        templates::{self, NewTemplate, TemplateKey},
    },
    patients::{self, NewConsents, NewPatient},
    people::{self, NewPractitioner},
    privacy,
    records::Clinical,
    scheduling::{self, ExceptionKind, NewAppointment, NewEntry, NewException, NewRoom},
    storage::{ObjectKey, Storage},
    vault::ContentKey,
};
use permanence_embedded::testing::TestDatabase;
use permanence_queue::Waker;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::{
    bills::bill,
    vault::{OLD as MASTER, noted, vault},
};

/// Two practices, apart.
pub(crate) struct Two {
    pub(crate) database: TestDatabase,
    pub(crate) db: Db,
    pub(crate) own: TenantId,
    pub(crate) other: TenantId,
}

/// Two practices, each with a row in every tenant table.
pub(crate) async fn two() -> Two {
    let database = TestDatabase::create(&MIGRATOR).await;
    let clock = Arc::new(SimulatedClock::at("2027-01-04T08:00:00Z".parse().unwrap()));
    let db = Db::new(database.login_options(), 6, clock, Waker::start(database.login_options()));
    let mut tenants = Vec::new();
    for name in ["Lilas", "Port"] {
        let mut tx = db.system(Actor::JOB).await.unwrap();
        let new = NewTenant {
            kind: "practice",
            name: Label::parse(name).unwrap(),
            time_zone: chrono_tz::Tz::Europe__Paris,
            language: Language::Fr,
            phone: None,
            address: None,
        };
        let tenant = create_tenant(&mut tx, &new).await.unwrap();
        tx.commit().await.unwrap();
        fill(&db, tenant, name).await;
        choose_words(&db, tenant).await;
        stock(&db, tenant).await;
        bill(&db, tenant).await;
        employ(&db, tenant).await;
        tenants.push(tenant);
    }
    seal(&database).await;
    Two { database, db, own: tenants[0], other: tenants[1] }
}

/// Somebody else, who is to be forgotten, and of whom something is kept.
async fn forget(tx: &mut TenantTx, patient: &NewPatient) {
    let patient = patients::register(tx, patient).await.unwrap().id;
    let erasure = privacy::request_erasure(tx, patient).await.unwrap().id;
    sqlx::query(
        "INSERT INTO retained (tenant_id, id, erasure_id, what, row_id, sealed, law, kept_until)
         VALUES ($1, $2, $2, 'identity', $3, '', 'x', now())",
    )
    .bind(tx.tenant().0)
    .bind(erasure.0)
    .bind(patient.0)
    .execute(tx.conn())
    .await
    .unwrap();
}

/// A chain, a seal and a removal of each.
async fn seal(database: &TestDatabase) {
    let mut owner = PgConnection::connect_with(&database.owner_options()).await.unwrap();
    // Written rather than made: what is tried is who sees them.
    sqlx::raw_sql(
        "SET session_replication_role = replica;
         INSERT INTO audit_chains SELECT id, 'record', 1, 1, sha256('') FROM tenants;
         INSERT INTO audit_seals SELECT id, 'record', 1, sha256(''), 1, 1, 1, now(), now(), now(), sha256(''),
                                        substring(sha256('') FOR 16), sha256('') FROM tenants;
         INSERT INTO audit_removals SELECT id, 'record', 0, 1, 1, 1, now() FROM tenants",
    )
    .execute(&mut owner)
    .await
    .unwrap();
}

async fn fill(db: &Db, tenant: TenantId, name: &str) {
    let mut tx = db.tenant(tenant, Actor::JOB).await.unwrap();
    let member = NewMember {
        email: EmailAddress::parse(&format!("admin@{name}.example")).unwrap(),
        full_name: FullName::parse("Dominique Admin").unwrap(),
        role: Role::Admin,
    };
    let user = invite(&mut tx, &member).await.unwrap().id;
    let patient = NewPatient {
        first_name: PersonName::parse("Hélène").unwrap(),
        last_name: PersonName::parse("Garcia").unwrap(),
        birth_date: None,
        email: None,
        phone: Some(Phone::parse("06 00 00 00 01").unwrap()),
        address: None,
        language: Language::Fr,
        consents: NewConsents { reminder_sms: true, reminder_email: false, imaging: Some(true) },
    };
    let practitioner = NewPractitioner {
        first_name: PersonName::parse("Camille").unwrap(),
        last_name: PersonName::parse("Roy").unwrap(),
        specialty: None,
        rpps_number: None,
        adeli_number: None,
        user_id: Some(user),
    };
    let room = NewRoom { name: Label::parse("Cabinet 1").unwrap() };
    let booking = NewAppointment {
        patient_id: patients::register(&mut tx, &patient).await.unwrap().id,
        practitioner_id: people::add(&mut tx, &practitioner).await.unwrap().id,
        room_id: Some(scheduling::add_room(&mut tx, &room).await.unwrap().id),
        service_id: None,
        starts_at: Moment::parse("2027-01-15T14:30").unwrap(),
        ends_at: Moment::parse("2027-01-15T15:00").unwrap(),
        reason: None,
        outside_availability: true,
    };
    forget(&mut tx, &patient).await;
    away(&mut tx, booking.practitioner_id).await;
    scheduling::book(&mut tx, Role::Admin, &booking).await.unwrap();
    lose(&mut tx, booking.patient_id).await;
    noted(&mut tx, &vault(&[MASTER]), booking.patient_id).await;
    take_out(&mut tx).await;
    hand_in(&mut tx, booking.patient_id).await;
    link(&mut tx, booking.patient_id).await;
    access::request_of_patient(&mut tx, booking.patient_id).await.unwrap();
    sqlx::query(
        "INSERT INTO idempotency_keys (tenant_id, principal_id, key, fingerprint, created_at)
         VALUES ($1, $2, 'k', '', now())",
    )
    .bind(tenant.0)
    .bind(user.0)
    .execute(tx.conn())
    .await
    .unwrap();
    tx.commit().await.unwrap();
    sign_in(db, tenant, user).await;
}

/// A session and its token.
async fn sign_in(db: &Db, tenant: TenantId, user: UserId) {
    let mut tx = db.system(Actor::JOB).await.unwrap();
    sqlx::query(
        "WITH s AS (INSERT INTO sessions (tenant_id, id, user_id, created_at, last_used_at, expires_at)
                    VALUES ($1, $2, $3, now(), now(), now()) RETURNING tenant_id, id)
         INSERT INTO refresh_tokens SELECT tenant_id, id, decode(md5($1::text), 'hex'), now(), now() FROM s",
    )
    .bind(tenant.0)
    .bind(Uuid::new_v4())
    .bind(user.0)
    .execute(tx.conn())
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

/// The patient has a number that leads nowhere.
async fn lose(tx: &mut TenantTx, patient: PatientId) {
    let (number, reason) = ("+33600000099", Unreachable::Invalid);
    note_unreachable(tx, patient, Channel::Sms, number, reason).await.unwrap();
}

/// Somebody hands in a file of the patient and announces a picture.
async fn hand_in(tx: &mut TenantTx, patient: PatientId) {
    let (vault, key) = (vault(&[MASTER]), ContentKey::random().unwrap());
    let object = ObjectKey::of(files::AREA, tx.tenant(), "1.sealed").unwrap();
    let new = NewFile { kind: FileKind::Report, patient_id: Some(patient) };
    let received = Received { object: &object, media_type: "application/pdf", bytes: 1, key: &key };
    files::keep(tx, Role::Nurse, &vault, new, &received).await.unwrap();
    let new = NewImage {
        media_type: ImageMediaType::Png,
        bytes: Whole::try_from(1).unwrap(),
        sha256: None,
        taken_on: Day::parse("2027-01-03").unwrap(),
        title: Clinical::parse("Face", 200).unwrap(),
        body_part: None,
    };
    // A link is signed here: nothing is asked of the store.
    let storage = Storage::new(&StorageConfig {
        endpoint: "http://127.0.0.1:9".parse().unwrap(),
        region: "us-east-1".to_owned(),
        bucket: "permanence".to_owned(),
        access_key: "key".to_owned(),
        secret_key: Secret::new("secret"),
    });
    images::invite(tx, &vault, &storage, patient, &new).await.unwrap();
}

/// Somebody asks for the patients as a file.
async fn take_out(tx: &mut TenantTx) {
    let new =
        NewExport { kind: ExportKind::Patients, format: ExportFormat::Zip, profile: None, filters: None };
    exports::request(tx, &new).await.unwrap();
}

/// The patient has a link that stops mails.
async fn link(tx: &mut TenantTx, patient: PatientId) {
    sqlx::query(
        "INSERT INTO patient_links (tenant_id, token_hash, patient_id, created_at)
         VALUES ($1, decode(md5($1::text), 'hex'), $2, now())",
    )
    .bind(tx.tenant().0)
    .bind(patient.0)
    .execute(tx.conn())
    .await
    .unwrap();
}

/// The practitioner is away for a day.
async fn away(tx: &mut TenantTx, practitioner_id: PractitionerId) {
    let date = Some(Day::parse("2027-01-15").unwrap());
    let exception =
        NewException { kind: ExceptionKind::Closed, date, starts_at: None, ends_at: None, reason: None };
    let entry = NewEntry { practitioner_id, rule: None, exception: Some(exception) };
    scheduling::add_entry(tx, Role::Admin, &entry).await.unwrap();
}

async fn choose_words(db: &Db, tenant: TenantId) {
    let mut tx = db.tenant(tenant, Actor::JOB).await.unwrap();
    let key = TemplateKey { purpose: Purpose::Reminder, channel: Channel::Sms, language: Language::Fr };
    let words = NewTemplate { subject: None, body: "RDV {{ date }}".to_owned(), transliterate: false };
    templates::put(&mut tx, key, 0, &words).await.unwrap();
    tx.commit().await.unwrap();
}

/// An item of which a lot came in that expires soon, and a member who is told.
async fn stock(db: &Db, tenant: TenantId) {
    let mut tx = db.tenant(tenant, Actor::JOB).await.unwrap();
    let item = NewItem {
        name: Label::parse("Lidocaïne").unwrap(),
        reference: Some(Label::parse("LIDO").unwrap()),
        unit: UnitName::parse("flacon").unwrap(),
        supplier: None,
        location: None,
        price_cents: None,
        threshold: Whole::try_from(5_000).unwrap(),
        margin: Whole::default(),
    };
    let item = inventory::add_item(&mut tx, &item).await.unwrap().item.id;
    let receipt = NewMovement {
        kind: MovementKind::Receipt,
        quantity: Some(Whole::try_from(1_000).unwrap()),
        counted: None,
        lot: Some(Label::parse("L1").unwrap()),
        expires_on: Some(Day::parse("2027-01-20").unwrap()),
        reason: None,
        appointment_id: None,
    };
    inventory::move_stock(&mut tx, item, &receipt).await.unwrap();
    inventory::watch(&mut tx).await.unwrap();
    // The member has not accepted yet, so nobody is told by the rules.
    for row in [
        "INSERT INTO inventory_subscriptions (tenant_id, user_id, in_app, email, updated_at)
         SELECT tenant_id, user_id, true, true, now() FROM memberships WHERE tenant_id = $1",
        "INSERT INTO inventory_digests (tenant_id, id, watch_id, user_id, created_at, updated_at)
         SELECT tenant_id, user_id, user_id, user_id, now(), now() FROM memberships WHERE tenant_id = $1",
        "INSERT INTO access_alerts (tenant_id, access_request_id, days_left, watch_id, opened_at)
         SELECT tenant_id, id, 7, id, now() FROM access_requests WHERE tenant_id = $1",
        "INSERT INTO access_digests (tenant_id, id, watch_id, user_id, created_at, updated_at)
         SELECT tenant_id, user_id, user_id, user_id, now(), now() FROM memberships WHERE tenant_id = $1",
        "INSERT INTO inventory_imports (tenant_id, id, mode, dry_run, mapping, object, bytes, created_at)
         SELECT tenant_id, user_id, 'count', false, '[]', 'imports/x/y', 0, now() FROM memberships WHERE tenant_id = $1",
        "INSERT INTO inventory_import_lines (tenant_id, import_id, run, line, item_id, lot_id, movement_id, reference, name)
         SELECT tenant_id, user_id, 1, 1, user_id, user_id, user_id, 'r', 'n' FROM memberships WHERE tenant_id = $1",
        "INSERT INTO data_migrations (tenant_id, id, dry_run, practitioners, dump_object, bytes, backup_object, job_id,
                                      created_at)
         SELECT tenant_id, user_id, false, '{}', 'migrations/x/y', 0, 'migrations/x/z', 1, now()
         FROM memberships WHERE tenant_id = $1",
        "INSERT INTO migration_ids (tenant_id, collection, old_id, new_id, migration_id)
         SELECT tenant_id, 'patients', '1', user_id, user_id FROM memberships WHERE tenant_id = $1",
        "INSERT INTO migration_records (tenant_id, migration_id, run, collection, place, old_id, content)
         SELECT tenant_id, user_id, 1, 'patients', 0, '1', '{}' FROM memberships WHERE tenant_id = $1",
        "INSERT INTO notifications (tenant_id, id, user_id, kind, title, body, resource, created_at)
         SELECT tenant_id, user_id, user_id, 'stock_summary', 't', 'b', 'inventory_item', now()
         FROM memberships WHERE tenant_id = $1",
    ] {
        sqlx::query(row).bind(tenant.0).execute(tx.conn()).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// What a company has, and what its employee has with a practice: both of one tenant here, which no rule of the tables minds.
async fn employ(db: &Db, tenant: TenantId) {
    let mut tx = db.system(Actor::JOB).await.unwrap();
    for row in [
        "INSERT INTO companies (tenant_id, slug, legal_name, created_at, updated_at)
         VALUES ($1, md5($1::text), 'A', now(), now())",
        "INSERT INTO company_practices (tenant_id, practice_id, created_at) VALUES ($1, $1, now())",
    ] {
        sqlx::query(row).bind(tenant.0).execute(tx.conn()).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut tx = db.tenant(tenant, Actor::JOB).await.unwrap();
    for row in [
        "INSERT INTO employees (tenant_id, user_id, first_name, last_name, created_at, updated_at)
         SELECT tenant_id, user_id, 'A', 'B', now(), now() FROM memberships WHERE tenant_id = $1",
        "INSERT INTO employee_patients (tenant_id, user_id, patient_id)
         SELECT m.tenant_id, m.user_id, p.id FROM memberships m, patients p WHERE m.tenant_id = $1 AND p.tenant_id = $1 ORDER BY p.id LIMIT 1",
        "INSERT INTO consultations (tenant_id, id, appointment_id, company_id, company_name, employee_id, created_at, updated_at)
         SELECT a.tenant_id, a.id, a.id, a.tenant_id, 'A', m.user_id, now(), now()
         FROM appointments a, memberships m WHERE a.tenant_id = $1 AND m.tenant_id = $1 ORDER BY a.id LIMIT 1",
        "INSERT INTO consultation_events (tenant_id, consultation_id, kind, at)
         SELECT tenant_id, id, 'scheduled', now() FROM consultations WHERE tenant_id = $1",
        "INSERT INTO usage_cohorts (tenant_id, id, department, created_at) VALUES ($1, $1, 'A', now())",
        "INSERT INTO usage_cohort_members (tenant_id, user_id, cohort_id)
         SELECT tenant_id, user_id, tenant_id FROM memberships WHERE tenant_id = $1",
        "INSERT INTO usage_publications (tenant_id, month, as_of, published_at) VALUES ($1, '2026-12-01', now(), now())",
        "INSERT INTO usage_publication_groups (tenant_id, month, department, employees, consultations, minutes)
         VALUES ($1, '2026-12-01', 'A', 10, 10, 500)",
    ] {
        sqlx::query(row).bind(tenant.0).execute(tx.conn()).await.unwrap();
    }
    tx.commit().await.unwrap();
}
