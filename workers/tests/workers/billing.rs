//! Invoicing a period at once, and reminding of what is overdue: through the real queue, run twice, refused, cut short.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use chrono_tz::Tz;
use permanence_domain::{
    billing::{
        self, InvoiceContent, InvoiceMailLog, InvoiceRun, NewInvoiceRun, NewPayment, NewService, Payer,
        PaymentMethod, RunStatus,
        jobs::{EndInvoiceRun, FindOverdue, InvoiceAppointment, RemindDebtor},
    },
    db::Actor,
    field::{Day, FullName},
    ids::{AppointmentId, InvoiceId, InvoiceRunId},
    scheduling,
};
use permanence_embedded::mail::MailFault;
use permanence_queue::NewJob;
use serde_json::json;

use crate::support::{World, soon};

/// Makes the practice a seller.
pub(crate) async fn sells(world: &World) {
    let seller = json!({
        "legal_name": "SELARL des Lilas",
        "address": { "line": "12 rue des Lilas", "postcode": "75019", "city": "Paris" },
        "siret": "73282932000074",
        "iban": "FR7630006000011234567890189",
    });
    world.decide(|settings, _| settings["billing"] = seller).await;
}

async fn charges(world: &World, minutes: Option<i64>) {
    let mut tx = world.begin().await;
    let service = NewService {
        name: FullName::parse("Séance").unwrap(),
        unit_price: 6000.try_into().unwrap(),
        vat: None,
        automatic: true,
        practitioner_id: None,
        minutes: minutes.map(|minutes| minutes.try_into().unwrap()),
    };
    billing::add_service(&mut tx, &service).await.unwrap();
    tx.commit().await.unwrap();
}

async fn run_over(world: &World, from: &str, to: &str) -> InvoiceRunId {
    let mut tx = world.begin().await;
    let (from, to) = (Day::parse(from).unwrap(), Day::parse(to).unwrap());
    let run = billing::start_run(&mut tx, &NewInvoiceRun { from, to, practitioner_id: None }).await.unwrap();
    tx.commit().await.unwrap();
    run.id
}

async fn ended(world: &World, id: InvoiceRunId) -> InvoiceRun {
    let condition = async {
        loop {
            let mut tx = world.begin().await;
            let run = billing::get_run(&mut tx, id).await.unwrap();
            if run.status == RunStatus::Ended {
                return run;
            }
            // The database tells of no change: ask again shortly.
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    soon("the run ends", condition).await
}

async fn numbers(world: &World) -> Vec<String> {
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    sqlx::query_scalar("SELECT number FROM invoices WHERE number IS NOT NULL ORDER BY number")
        .fetch_all(tx.conn())
        .await
        .unwrap()
}

/// Three appointments of a Monday, one of them cancelled.
async fn monday(world: &World) -> [AppointmentId; 3] {
    let mut ids = Vec::new();
    for hour in [10, 11, 12] {
        ids.push(world.book(&format!("2027-01-11T{hour}:00:00")).await);
    }
    let mut tx = world.begin().await;
    scheduling::cancel(&mut tx, ids[2]).await.unwrap();
    tx.commit().await.unwrap();
    [ids[0], ids[1], ids[2]]
}

#[tokio::test]
async fn a_run_invoices_each_appointment_once_however_often_it_runs() {
    let world = World::at("2027-01-04T08:00:00Z", Tz::Europe__Paris).await;
    let [first, ..] = monday(&world).await;
    let missed = world.book("2027-01-11T13:00:00").await;
    sells(&world).await;
    charges(&world, None).await;
    world.clock.set("2027-01-12T08:00:00Z".parse().unwrap());
    let mut tx = world.begin().await;
    scheduling::note_no_show(&mut tx, missed).await.unwrap();
    tx.commit().await.unwrap();
    let run = run_over(&world, "2027-01-11", "2027-01-12").await;
    let again = run_over(&world, "2027-01-11", "2027-01-12").await;
    let pool = world.work_on("invoices");
    let (run, again) = (ended(&world, run).await, ended(&world, again).await);
    assert_eq!((run.total, again.total), (2, 2), "neither the cancelled one nor the missed one");
    assert_eq!(run.issued + again.issued, 2);
    assert_eq!(run.skipped + again.skipped, 2);
    for reason in run.reasons.iter().chain(&again.reasons) {
        assert_eq!(reason.code, "appointment_invoiced");
    }
    assert_eq!(numbers(&world).await, ["F2027-000001", "F2027-000002"]);
    // The same job once more, as after a crash before its end was noted.
    let mut tx = world.begin().await;
    for _ in 0..2 {
        let job = InvoiceAppointment { run_id: run.id, appointment_id: first };
        tx.enqueue(NewJob::of(&job).unwrap()).await.unwrap();
    }
    tx.enqueue(NewJob::of(&EndInvoiceRun { run_id: run.id }).unwrap()).await.unwrap();
    tx.commit().await.unwrap();
    let third = run_over(&world, "2027-01-11", "2027-01-12").await;
    assert_eq!(ended(&world, third).await.total, 0, "nothing is left to invoice");
    assert_eq!(numbers(&world).await.len(), 2);
    pool.drain().await;
}

#[tokio::test]
async fn a_run_tells_why_and_the_next_invoices_what_is_left() {
    let world = World::at("2027-01-04T08:00:00Z", Tz::Europe__Paris).await;
    let [first, second, _] = monday(&world).await;
    world.clock.set("2027-01-12T08:00:00Z".parse().unwrap());
    let pool = world.work_on("invoices");
    let run = run_over(&world, "2027-01-11", "2027-01-11").await;
    let run = ended(&world, run).await;
    assert_eq!((run.failed, run.issued), (2, 0));
    assert_eq!((run.reasons[0].code.as_str(), run.reasons[0].count), ("no_service", 2));
    let mut which = run.reasons[0].appointment_ids.clone();
    which.sort();
    let mut both = vec![first, second];
    both.sort();
    assert_eq!(which, both);
    charges(&world, None).await;
    let run = run_over(&world, "2027-01-11", "2027-01-11").await;
    let run = ended(&world, run).await;
    assert_eq!(run.reasons[0].code, "seller_unknown");
    sells(&world).await;
    let run = run_over(&world, "2027-01-11", "2027-01-11").await;
    assert_eq!(ended(&world, run).await.issued, 2);
    pool.drain().await;
}

#[tokio::test]
async fn a_pool_that_dies_in_the_middle_leaves_nothing_half_done() {
    let world = World::at("2027-01-04T08:00:00Z", Tz::Europe__Paris).await;
    for day in 11..=15 {
        for hour in 10..=16 {
            world.book(&format!("2027-01-{day}T{hour}:00:00")).await;
        }
    }
    sells(&world).await;
    charges(&world, Some(30)).await;
    world.clock.set("2027-01-18T08:00:00Z".parse().unwrap());
    let run = run_over(&world, "2027-01-11", "2027-01-15").await;
    for issued in [1, 12] {
        let pool = world.work_on("invoices");
        let some = async {
            while numbers(&world).await.len() < issued {
                tokio::task::yield_now().await;
            }
        };
        soon("some are issued", some).await;
        pool.kill().await;
        world.break_connections().await;
    }
    let pool = world.work_on("invoices");
    let run = ended(&world, run).await;
    assert_eq!((run.total, run.issued), (35, 35));
    let expected: Vec<String> = (1..=35).map(|number| format!("F2027-{number:06}")).collect();
    assert_eq!(numbers(&world).await, expected);
    pool.drain().await;
}

/// An invoice of sixty euros to somebody with an address, due on 3 February.
/// An issued invoice.
pub(crate) async fn owed(world: &World) -> InvoiceId {
    let mut tx = world.begin().await;
    let content: InvoiceContent = serde_json::from_value(json!({
        "buyer": { "name": "Zoé Noël", "email": "zoe@noel.example" },
        "lines": [{ "name": "Séance", "unit_price": 6000, "vat": { "category": "care" } }],
    }))
    .unwrap();
    let draft = billing::draft_invoice(&mut tx, &content).await.unwrap();
    billing::issue_invoice(&mut tx, draft.id, 1).await.unwrap();
    tx.commit().await.unwrap();
    draft.id
}

async fn find_overdue(world: &World) {
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    tx.enqueue(NewJob::of(&FindOverdue {}).unwrap()).await.unwrap();
    tx.commit().await.unwrap();
    world.until_idle_on(Some("reminders")).await;
}

pub(crate) async fn mails(world: &World, id: InvoiceId) -> Vec<InvoiceMailLog> {
    let mut tx = world.begin().await;
    billing::list_invoice_mails(&mut tx, id).await.unwrap().items
}

#[tokio::test]
async fn what_is_overdue_is_reminded_of_once_for_each_step() {
    let world = World::at("2027-01-04T09:00:00Z", Tz::Europe__Paris).await;
    sells(&world).await;
    let id = owed(&world).await;
    let pool = world.work();
    for (now, sent) in [
        ("2027-02-09T09:00:00Z", 0),
        ("2027-02-10T09:00:00Z", 1),
        ("2027-02-10T09:30:00Z", 1),
        ("2027-02-20T09:00:00Z", 1),
        ("2027-03-05T09:00:00Z", 2),
        ("2027-06-01T08:00:00Z", 2),
    ] {
        world.clock.set(now.parse().unwrap());
        find_overdue(&world).await;
        assert_eq!(world.outbox.mails().len(), sent, "{now}");
    }
    let log = mails(&world, id).await;
    assert_eq!(
        log.iter().map(|mail| (mail.step, mail.status.as_str())).collect::<Vec<_>>(),
        [(Some(7), "sent"), (Some(30), "sent")]
    );
    let mail = &world.outbox.mails()[0];
    assert_eq!(mail.to, ["zoe@noel.example"]);
    assert!(mail.subject().unwrap().starts_with("Rappel : facture F2027-000001"));
    assert!(mail.text().unwrap().contains("60,00"));
    // The job once more sends nothing.
    let mut tx = world.begin().await;
    tx.enqueue(NewJob::of(&RemindDebtor { mail_id: log[0].id }).unwrap()).await.unwrap();
    tx.commit().await.unwrap();
    world.until_idle_on(Some("reminders")).await;
    assert_eq!(world.outbox.mails().len(), 2);
    pool.drain().await;
}

#[tokio::test]
async fn whoever_pays_in_time_or_in_the_night_gets_no_reminder() {
    let world = World::at("2027-01-04T09:00:00Z", Tz::Europe__Paris).await;
    sells(&world).await;
    let id = owed(&world).await;
    let pool = world.work();
    // In the quiet hours it waits, and meanwhile it is paid.
    world.clock.set("2027-02-10T22:00:00Z".parse().unwrap());
    find_overdue(&world).await;
    assert_eq!(mails(&world, id).await[0].status, "planned");
    let mut tx = world.begin().await;
    let payment = NewPayment {
        amount: 6000.try_into().unwrap(),
        method: PaymentMethod::Transfer,
        payer: Payer::Patient,
        paid_on: None,
        reference: None,
    };
    billing::record_payment(&mut tx, id, &payment).await.unwrap();
    tx.commit().await.unwrap();
    world.clock.set("2027-02-11T09:00:00Z".parse().unwrap());
    world.until_idle_on(Some("reminders")).await;
    let log = mails(&world, id).await;
    assert_eq!((log[0].status.as_str(), log[0].code.as_deref()), ("cancelled", Some("nothing_owed")));
    assert_eq!(world.outbox.mails().len(), 0);
    pool.drain().await;
}

#[tokio::test]
async fn a_reminder_that_may_have_left_is_not_sent_again() {
    let world = World::at("2027-01-04T09:00:00Z", Tz::Europe__Paris).await;
    sells(&world).await;
    let id = owed(&world).await;
    world.mail.faults().always(MailFault::HangAfterData);
    world.clock.set("2027-02-10T09:00:00Z".parse().unwrap());
    let pool = world.work();
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    tx.enqueue(NewJob::of(&FindOverdue {}).unwrap()).await.unwrap();
    tx.commit().await.unwrap();
    soon("the server has it", world.outbox.wait_for(|messages| !messages.is_empty())).await;
    // The worker dies before it hears that the mail was taken.
    pool.kill().await;
    world.mail.faults().clear();
    assert_eq!(mails(&world, id).await[0].status, "sending");
    let pool = world.work();
    let condition = async {
        while mails(&world, id).await[0].status == "sending" {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    soon("it is known to be uncertain", condition).await;
    let log = mails(&world, id).await;
    assert_eq!((log[0].status.as_str(), log[0].code.as_deref()), ("uncertain", Some("worker_lost")));
    assert_eq!(world.outbox.mails().len(), 1, "no second mail");
    pool.drain().await;
}

#[tokio::test]
async fn a_server_that_refuses_for_now_is_tried_again_and_for_good_is_told() {
    let world = World::at("2027-01-04T09:00:00Z", Tz::Europe__Paris).await;
    sells(&world).await;
    let id = owed(&world).await;
    world.clock.set("2027-02-10T09:00:00Z".parse().unwrap());
    world.mail.faults().next(1, MailFault::RecipientDeferred);
    let pool = world.work();
    find_overdue(&world).await;
    assert_eq!(mails(&world, id).await[0].status, "planned");
    world.clock.advance(std::time::Duration::from_mins(30));
    world.until_idle_on(Some("reminders")).await;
    assert_eq!(mails(&world, id).await[0].status, "sent");
    world.mail.faults().next(1, MailFault::RecipientRefused);
    world.clock.set("2027-03-05T09:00:00Z".parse().unwrap());
    find_overdue(&world).await;
    assert_eq!(mails(&world, id).await[1].status, "failed");
    assert_eq!(world.outbox.mails().len(), 1);
    pool.drain().await;
}
