//! Erasure through the real queue and store: nothing is left, what the law keeps is under seal, and the certificate holds; run
//! twice, cut short, taken back, and stopped where something was overlooked.

use std::time::Duration;

use chrono_tz::Tz;
use permanence_domain::{
    Error,
    billing::{self, Answer, InvoiceContent, NewAnswer, NewPayment, Payer, PaymentMethod},
    db::Actor,
    exports::{self, ExportFormat, ExportKind, NewExport},
    field::{Day, Label},
    ids::{ErasureId, ImageId, InvoiceId, PatientId, TenantId},
    patients::{self, NewConsents, NewPatient},
    privacy::{self, Checked, Erasure, ErasureStatus, check_certificate, jobs::FindDueErasures},
    records::{self, Clinical, NewRecord, RecordKind},
    scheduling::{self, NewRoom},
};
use permanence_embedded::storage::StorageFault;
use permanence_queue::NewJob;
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::{
    access::pictured,
    billing::sells,
    support::{World, by_sms, signer, soon, vault},
};

const MONTH: Duration = Duration::from_hours(24 * 30);

/// A practice that has treated, billed and written to a patient.
async fn world() -> (World, InvoiceId) {
    let world = World::at("2027-01-04T09:00:00Z", Tz::Europe__Paris).await;
    sells(&world).await;
    let visit = world.book("2027-01-05T10:00:00").await;
    let reminders = world.work();
    world.until_idle().await;
    world.clock.set("2027-01-06T09:00:00Z".parse().unwrap());
    world.until_idle_on(Some("reminders")).await;
    let mut tx = world.begin().await;
    sqlx::query("UPDATE appointments SET reason = 'Hélène Garcia a mal' WHERE id = $1")
        .bind(visit.0)
        .execute(tx.conn())
        .await
        .unwrap();
    let invoice = issued(&mut tx, world.patient).await;
    let payment = NewPayment {
        amount: 1000.try_into().unwrap(),
        method: PaymentMethod::Cheque,
        payer: Payer::Patient,
        paid_on: None,
        reference: Some(Label::parse("Chèque de Hélène Garcia").unwrap()),
    };
    billing::record_payment(&mut tx, invoice, &payment).await.unwrap();
    billing::draft_invoice(&mut tx, &content(world.patient)).await.unwrap();
    let quote = billing::draft_quote(&mut tx, &content(world.patient)).await.unwrap();
    billing::issue_quote(&mut tx, quote.id, quote.version).await.unwrap();
    billing::answer_quote(&mut tx, quote.id, &NewAnswer { answer: Answer::Accepted }).await.unwrap();
    let note = NewRecord {
        kind: RecordKind::Consultation,
        occurred_on: Day::parse("2027-01-05").unwrap(),
        title: Clinical::parse("Épaule", 200).unwrap(),
        content: Clinical::parse("Hélène Garcia récupère", 200).unwrap(),
    };
    records::write(&mut tx, &vault(), world.patient, &note).await.unwrap();
    let wanted =
        NewExport { kind: ExportKind::Patients, format: ExportFormat::Csv, profile: None, filters: None };
    exports::request(&mut tx, &wanted).await.unwrap();
    tx.commit().await.unwrap();
    for queue in ["invoices", "exports"] {
        let pool = world.work_on(queue);
        world.until_idle_on(Some(queue)).await;
        pool.drain().await;
    }
    reminders.drain().await;
    (world, invoice)
}

fn content(patient: PatientId) -> InvoiceContent {
    serde_json::from_value(json!({
        "patient_id": patient,
        "lines": [{ "name": "Séance de Hélène Garcia", "description": "helene@garcia.example", "unit_price": 6000,
                    "vat": { "category": "care" } }],
    }))
    .unwrap()
}

async fn issued(tx: &mut permanence_domain::db::TenantTx, patient: PatientId) -> InvoiceId {
    let draft = billing::draft_invoice(tx, &content(patient)).await.unwrap();
    billing::issue_invoice(tx, draft.id, 1).await.unwrap();
    draft.id
}

async fn asked(world: &World) -> ErasureId {
    let mut tx = world.begin().await;
    let erasure = privacy::request_erasure(&mut tx, world.patient).await.unwrap();
    tx.commit().await.unwrap();
    erasure.id
}

pub(crate) async fn erasure(world: &World, id: ErasureId) -> Erasure {
    let mut tx = world.begin().await;
    privacy::get_erasure(&mut tx, id).await.unwrap()
}

pub(crate) async fn night(world: &World) {
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    tx.enqueue(NewJob::of(&FindDueErasures {}).unwrap()).await.unwrap();
    tx.commit().await.unwrap();
    for queue in ["privacy", "erasures"] {
        world.until_idle_on(Some(queue)).await;
    }
}

/// Whether a text stands in any row of any table, or in any object.
pub(crate) async fn stands(world: &World, text: &str) -> Vec<String> {
    let mut owner = world.owner().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname IN ('public', 'queue') AND c.relkind = 'r'",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    let mut places = Vec::new();
    for table in tables {
        let count = format!("SELECT count(*) FROM {table} t WHERE strpos(lower(t::text), lower($1)) > 0");
        let count: i64 =
            sqlx::query_scalar(AssertSqlSafe(count)).bind(text).fetch_one(&mut owner).await.unwrap();
        if count > 0 {
            places.push(table);
        }
    }
    let tenants: Vec<uuid::Uuid> =
        sqlx::query_scalar("SELECT id FROM tenants").fetch_all(&mut owner).await.unwrap();
    for tenant in tenants {
        for key in world.objects_of(TenantId(tenant)).await {
            let object = world.storage().get(&key).await.unwrap();
            if String::from_utf8_lossy(&object).to_lowercase().contains(&text.to_lowercase()) {
                places.push(key.to_string());
            }
        }
    }
    places
}

#[expect(clippy::too_many_lines, reason = "one erasure, looked at from every side")]
#[tokio::test]
async fn nothing_is_left_but_what_the_law_keeps_and_that_is_under_seal() {
    let (world, invoice) = world().await;
    assert!(stands(&world, "garcia").await.len() >= 5, "there is something to erase");
    let id = asked(&world).await;
    let pool = world.work_on("privacy");
    night(&world).await;
    assert_eq!(erasure(&world, id).await.status, ErasureStatus::Pending, "not before its day");
    world.clock.advance(MONTH);
    night(&world).await;
    night(&world).await;
    let done = erasure(&world, id).await;
    assert_eq!((done.status, done.findings.len()), (ErasureStatus::Completed, 0), "{done:?}");
    for text in ["garcia", "helene@garcia.example", "600000001", "06 00 00 00 01"] {
        assert_eq!(stands(&world, text).await, Vec::<String>::new(), "{text}");
    }
    let kept: Vec<(&str, i64, &str, Option<String>)> = done
        .kept
        .iter()
        .map(|kept| {
            (kept.what.as_str(), kept.count, kept.law.as_str(), kept.until.map(|day| day.to_string()))
        })
        .collect();
    let until = |day: &str| Some(day.to_owned());
    assert_eq!(
        kept[..5],
        [
            ("medical_records", 1, "CSP R1112-7", until("2047-01-06")),
            ("identity", 1, "CSP R1112-7", until("2047-01-06")),
            ("invoices", 1, "C. com. L123-22", until("2037-01-06")),
            ("payments", 1, "C. com. L123-22", until("2037-01-06")),
            ("quotes", 1, "C. civ. art. 2224", until("2032-01-06")),
        ]
    );
    let mut tx = world.begin().await;
    // The number and the amounts are as they were; the rest opens for whoever the law lets ask.
    let bill = billing::get_invoice(&mut tx, invoice).await.unwrap();
    assert_eq!(
        (bill.number.as_deref(), bill.buyer_name.as_deref()),
        (Some("F2027-000001"), Some("Personne effacée"))
    );
    assert_eq!(bill.balance.unwrap().left.0, 5000);
    let paper = billing::paper_of_invoice(&mut tx, invoice).await;
    assert!(matches!(paper, Err(Error::Conflict { code: "person_erased", .. })), "{paper:?}");
    let sealed = privacy::list_retained(&mut tx, id).await.unwrap().items;
    assert_eq!(sealed.len(), 4, "identity, invoice, quote, reference");
    let bill = sealed.iter().find(|row| row.row_id == invoice.0).unwrap();
    let opened = privacy::open_retained(&mut tx, &vault(), bill.id).await.unwrap();
    assert_eq!(opened.content["document"]["buyer"]["name"], "Hélène Garcia");
    let certificate = privacy::certificate_of(&mut tx, id).await.unwrap();
    let json = serde_json::to_vec(&certificate).unwrap();
    assert_eq!(check_certificate(&json, Some(&signer().public_key())).0, Checked::Genuine);
    assert!(certificate.certificate.rows_searched > 50 && certificate.certificate.objects_searched == 0);
    assert!(matches!(patients::get(&mut tx, world.patient).await, Err(Error::NotFound(_))));
    tx.rollback().await.unwrap();
    let drawing = world.work_on("invoices");
    world.until_idle_on(Some("invoices")).await;
    let mut tx = world.begin().await;
    let paper = privacy::paper_of_certificate(&mut tx, id).await.unwrap().expect("it is drawn");
    let pdf = world.storage().get(&paper.key).await.unwrap();
    assert!(pdf.starts_with(b"%PDF-1.7"));
    if let Some(folder) = std::env::var_os("SHOW_PAPERS") {
        std::fs::write(std::path::Path::new(&folder).join("certificate.pdf"), pdf).unwrap();
    }
    drawing.drain().await;
    pool.drain().await;
}

#[tokio::test]
async fn a_run_that_dies_goes_on_where_it_was() {
    let (world, _) = world().await;
    let id = asked(&world).await;
    world.clock.advance(MONTH);
    // The tables are done, and the worker is gone.
    let mut tx = world.begin().await;
    let objects = privacy::erase(&mut tx, &vault(), id).await.unwrap().unwrap();
    assert_eq!(objects.keys.len(), 2, "the PDFs of the invoice and of the quote");
    tx.commit().await.unwrap();
    let mut tx = world.begin().await;
    let again = privacy::erase(&mut tx, &vault(), id).await.unwrap().unwrap();
    assert_eq!(again.keys, objects.keys);
    tx.commit().await.unwrap();
    let refused = {
        let mut tx = world.begin().await;
        privacy::cancel_erasure(&mut tx, id).await
    };
    assert!(matches!(refused, Err(Error::Conflict { code: "erasure_begun", .. })));
    // The store is away at first.
    world.objects.faults().always(StorageFault::Away);
    let pool = world.work_on("privacy");
    night(&world).await;
    assert_eq!(erasure(&world, id).await.status, ErasureStatus::Running);
    world.objects.faults().clear();
    world.clock.advance(Duration::from_hours(2));
    let done = async {
        while erasure(&world, id).await.status != ErasureStatus::Completed {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("it is certified", done).await;
    let destroyed = erasure(&world, id).await.destroyed;
    let removed = destroyed.iter().filter(|gone| gone.what == "objects/invoices").map(|gone| gone.count);
    assert_eq!(removed.collect::<Vec<_>>(), [2], "noted once");
    assert_eq!(stands(&world, "garcia").await, Vec::<String>::new());
    pool.drain().await;
}

#[tokio::test]
async fn what_was_overlooked_is_told_and_not_certified() {
    let (world, _) = world().await;
    let mut tx = world.begin().await;
    let room = NewRoom { name: Label::parse("Salle de Hélène Garcia").unwrap() };
    let room = scheduling::add_room(&mut tx, &room).await.unwrap().id;
    // Her daughter shares the number, and another patient's row is another's.
    let mut daughter = by_sms();
    daughter.first_name = permanence_domain::field::PersonName::parse("Léa").unwrap();
    patients::register(&mut tx, &daughter).await.unwrap();
    tx.commit().await.unwrap();
    let id = asked(&world).await;
    world.clock.advance(MONTH);
    let pool = world.work_on("privacy");
    night(&world).await;
    let open = erasure(&world, id).await;
    assert_eq!(open.status, ErasureStatus::Running);
    let places: Vec<&str> = open.findings.iter().map(|finding| finding.place.as_str()).collect();
    assert_eq!(places, ["public.rooms"]);
    let mut tx = world.begin().await;
    assert!(matches!(
        privacy::certificate_of(&mut tx, id).await,
        Err(Error::Conflict { code: "erasure_not_completed", .. })
    ));
    sqlx::query("UPDATE rooms SET name = 'Salle 1' WHERE id = $1")
        .bind(room.0)
        .execute(tx.conn())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    world.clock.advance(Duration::from_hours(2));
    let done = async {
        while erasure(&world, id).await.status != ErasureStatus::Completed {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("it is certified", done).await;
    pool.drain().await;
}

#[tokio::test]
async fn taken_back_before_its_day_it_has_done_nothing() {
    let (world, _) = world().await;
    let id = asked(&world).await;
    let twice = {
        let mut tx = world.begin().await;
        privacy::request_erasure(&mut tx, world.patient).await
    };
    assert!(matches!(twice, Err(Error::Conflict { code: "erasure_requested", .. })));
    let mut tx = world.begin().await;
    assert!(matches!(patients::get(&mut tx, world.patient).await, Err(Error::NotFound(_))));
    privacy::cancel_erasure(&mut tx, id).await.unwrap();
    assert_eq!(patients::get(&mut tx, world.patient).await.unwrap().last_name, "Garcia");
    tx.commit().await.unwrap();
    world.clock.advance(MONTH);
    let pool = world.work_on("privacy");
    night(&world).await;
    assert_eq!(erasure(&world, id).await.status, ErasureStatus::Cancelled);
    assert_ne!(asked(&world).await, id, "it may be asked for anew");
    pool.drain().await;
}

#[tokio::test]
async fn pictures_of_the_erased_are_removed_when_the_law_lets_go_of_them() {
    let world = World::at("2027-01-04T09:00:00Z", Tz::Europe__Paris).await;
    let consents = NewConsents { reminder_sms: true, reminder_email: false, imaging: Some(true) };
    world.reach(&NewPatient { consents, ..by_sms() }).await;
    let kept = pictured(&world, true).await;
    pictured(&world, false).await;
    let id = asked(&world).await;
    let pool = world.work_on("privacy");
    world.clock.advance(MONTH);
    night(&world).await;
    let objects = async || {
        let keys = world.objects_of(world.tenant).await.into_iter().map(|key| key.to_string());
        keys.filter(|key| !key.starts_with("certificates/")).collect::<Vec<_>>()
    };
    let rows = async || {
        let mut tx = world.begin().await;
        let statement = "SELECT id, status FROM images ORDER BY id";
        sqlx::query_as::<_, (ImageId, String)>(statement).fetch_all(tx.conn()).await.unwrap()
    };
    for now in ["2027-03-04T09:00:00Z", "2047-01-04T09:00:00Z"] {
        world.clock.set(now.parse().unwrap());
        night(&world).await;
        assert_eq!((objects().await.len(), rows().await.len()), (1, 2), "{now}: the law keeps it");
        assert_eq!(erasure(&world, id).await.status, ErasureStatus::Completed);
    }
    // The store is away in the night when its time is over: row and object stay until it is back.
    world.clock.set("2047-01-05T09:00:00Z".parse().unwrap());
    world.objects.faults().always(StorageFault::Away);
    night(&world).await;
    assert!(rows().await.contains(&(kept, "refused".to_owned())), "it is known as long as it lies there");
    world.objects.faults().clear();
    world.clock.advance(Duration::from_hours(2));
    let gone = async {
        while !rows().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("the rows are gone", gone).await;
    assert_eq!(objects().await, [""; 0]);
    night(&world).await;
    // A row whose time is not over cannot be deleted, whatever the code says.
    let mut tx = world.begin().await;
    sqlx::query(
        "INSERT INTO images (tenant_id, id, patient_id, status, media_type, bytes, sealed, upload_key, upload_until, created_at)
         SELECT tenant_id, id, id, 'awaiting', 'image/png', 1, '', 'x', now(), now() FROM patients",
    )
    .execute(tx.conn())
    .await
    .unwrap();
    let deleted = sqlx::query("DELETE FROM images").execute(tx.conn()).await.unwrap();
    assert_eq!(deleted.rows_affected(), 0);
    tx.rollback().await.unwrap();
    pool.drain().await;
}

#[tokio::test]
async fn what_the_law_lets_go_of_is_destroyed_in_its_time() {
    let (world, invoice) = world().await;
    let id = asked(&world).await;
    let pool = world.work_on("privacy");
    world.clock.advance(MONTH);
    night(&world).await;
    let left = async || {
        let mut tx = world.begin().await;
        privacy::list_retained(&mut tx, id).await.unwrap().items
    };
    for (now, count) in
        [("2032-01-07T09:00:00Z", 3), ("2037-01-07T09:00:00Z", 1), ("2047-01-07T09:00:00Z", 0)]
    {
        world.clock.set(now.parse().unwrap());
        night(&world).await;
        assert_eq!(left().await.len(), count, "{now}");
    }
    let mut tx = world.begin().await;
    let keys: i64 = sqlx::query_scalar("SELECT count(*) FROM subject_keys WHERE destroyed_at IS NULL")
        .fetch_one(tx.conn())
        .await
        .unwrap();
    assert_eq!(keys, 0, "nothing of the record opens any more");
    assert_eq!(billing::get_invoice(&mut tx, invoice).await.unwrap().number.as_deref(), Some("F2027-000001"));
    pool.drain().await;
}
