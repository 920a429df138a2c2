//! Numbers without a gap whatever dies, documents that nobody changes, balances that two at once cannot overdraw.

use std::{future::Future, sync::Arc, time::Duration};

use permanence_domain::{
    Error,
    billing::{self, Payer},
    clock::SimulatedClock,
    db::{Actor, Db, TenantTx},
    field::{Label, Language},
    identity::{NewTenant, create_tenant},
    ids::{InvoiceId, TenantId},
    migrate::MIGRATOR,
};
use permanence_embedded::testing::TestDatabase;
use permanence_queue::Waker;
use sqlx::{Connection, PgConnection};
use tokio::{sync::watch, task::JoinSet};

use crate::bills::{care, credit, issued, pays, sells, written};

struct World {
    database: TestDatabase,
    clock: Arc<SimulatedClock>,
    db: Db,
    tenants: Vec<TenantId>,
}

async fn world(practices: usize) -> World {
    let database = TestDatabase::create(&MIGRATOR).await;
    let clock = Arc::new(SimulatedClock::at("2027-12-30T22:00:00Z".parse().unwrap()));
    let db = Db::new(database.login_options(), 16, clock.clone(), Waker::start(database.login_options()));
    let mut tenants = Vec::new();
    for number in 0..practices {
        let mut tx = db.system(Actor::JOB).await.unwrap();
        let new = NewTenant {
            kind: "practice",
            name: Label::parse(&format!("Cabinet {number}")).unwrap(),
            time_zone: chrono_tz::Tz::Europe__Paris,
            language: Language::Fr,
            phone: None,
            address: None,
        };
        let tenant = create_tenant(&mut tx, &new).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = db.tenant(tenant, Actor::JOB).await.unwrap();
        sells(&mut tx).await;
        tx.commit().await.unwrap();
        tenants.push(tenant);
    }
    World { database, clock, db, tenants }
}

impl World {
    async fn begin(&self, place: usize) -> TenantTx {
        self.db.tenant(self.tenants[place], Actor::JOB).await.unwrap()
    }

    async fn owner(&self) -> PgConnection {
        PgConnection::connect_with(&self.database.owner_options()).await.unwrap()
    }
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(2), future).await.unwrap_or_else(|_| panic!("never: {what}"))
}

/// Issues as a client does that loses its connection: again, until it knows that it is done.
async fn issue_until_done(db: Db, tenant: TenantId, id: InvoiceId) -> u32 {
    let mut lost = 0;
    loop {
        let attempt = async {
            let mut tx = db.tenant(tenant, Actor::JOB).await?;
            billing::issue_invoice(&mut tx, id, 1).await?;
            tx.commit().await
        };
        match attempt.await {
            // Or the commit went through and its answer did not.
            Ok(()) | Err(Error::Conflict { code: "already_issued", .. }) => return lost,
            Err(Error::Unavailable { .. }) => lost += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// Ends one busy connection of the application after every few issues, wherever it stands.
async fn kill_connections(mut owner: PgConnection, mut done: watch::Receiver<usize>) -> u64 {
    let mut killed = 0;
    let mut seen = 0;
    while done.wait_for(|count| *count >= seen + 3).await.is_ok() {
        seen = *done.borrow();
        killed += sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'permanence' AND state <> 'idle'
             ORDER BY random() LIMIT 1",
        )
        .fetch_all(&mut owner)
        .await
        .unwrap()
        .len() as u64;
    }
    killed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_issues_at_once_with_connections_killed_leave_no_gap() {
    const ISSUES: usize = 500;
    let world = world(1).await;
    let mut ids = Vec::new();
    let mut tx = world.begin(0).await;
    for _ in 0..ISSUES {
        ids.push(billing::draft_invoice(&mut tx, &care(6000)).await.unwrap().id);
    }
    tx.commit().await.unwrap();
    let (told, done) = watch::channel(0);
    let chaos = tokio::spawn(kill_connections(world.owner().await, done));
    let mut issues = JoinSet::new();
    for id in ids {
        issues.spawn(issue_until_done(world.db.clone(), world.tenants[0], id));
    }
    let mut lost = 0;
    while let Some(attempt) = soon("issued", issues.join_next()).await {
        lost += attempt.unwrap();
        told.send_modify(|count| *count += 1);
        // Half an hour in all, across midnight: some that began before it come after some that began later.
        world.clock.advance(Duration::from_secs(15));
    }
    drop(told);
    let killed = chaos.await.unwrap();
    assert!(killed > 50 && lost > 0, "{killed} connections were killed, {lost} attempts lost");

    let rows: Vec<(String, chrono::NaiveDate)> =
        sqlx::query_as("SELECT number, issued_on FROM invoices ORDER BY number")
            .fetch_all(&mut world.owner().await)
            .await
            .unwrap();
    let expected: Vec<String> = (1..=ISSUES).map(|number| format!("F2027-{number:06}")).collect();
    assert_eq!(rows.iter().map(|(number, _)| number.clone()).collect::<Vec<_>>(), expected);
    assert!(
        rows.is_sorted_by(|(_, one), (_, next)| one <= next),
        "a number is dated before the one before it"
    );
    let days: std::collections::BTreeSet<_> = rows.iter().map(|(_, day)| day).collect();
    assert_eq!(days.len(), 2, "midnight lay between");
    let jobs: i64 =
        sqlx::query_scalar("SELECT count(*) FROM queue.jobs WHERE kind = 'billing.render_invoice_pdf'")
            .fetch_one(&mut world.owner().await)
            .await
            .unwrap();
    assert_eq!(usize::try_from(jobs), Ok(ISSUES), "one paper for each");
}

#[tokio::test]
async fn a_number_that_is_not_committed_was_never_taken_and_the_year_begins_anew() {
    let world = world(1).await;
    let mut tx = world.begin(0).await;
    assert_eq!(issued(&mut tx, &care(1)).await.number.unwrap(), "F2027-000001");
    tx.rollback().await.unwrap();
    let mut tx = world.begin(0).await;
    assert_eq!(issued(&mut tx, &care(1)).await.number.unwrap(), "F2027-000001");
    let second = issued(&mut tx, &care(1)).await;
    assert_eq!(second.number.unwrap(), "F2027-000002");
    let note = billing::credit_invoice(&mut tx, second.id, &credit(vec![])).await.unwrap();
    assert_eq!(note.number.unwrap(), "A2027-000001", "credit notes have their own series");
    tx.commit().await.unwrap();
    // Half past eleven in the evening of the last day is the year of Paris, not of UTC.
    world.clock.set("2027-12-31T23:30:00Z".parse().unwrap());
    let mut tx = world.begin(0).await;
    assert_eq!(issued(&mut tx, &care(1)).await.number.unwrap(), "F2028-000001");
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn practices_do_not_wait_for_each_other() {
    let world = world(3).await;
    let mut held = world.begin(0).await;
    issued(&mut held, &care(1)).await;
    // The first practice's series is locked; the others' are not.
    for place in [1, 2] {
        let mut tx = world.begin(place).await;
        let invoice = soon("another practice issues", issued(&mut tx, &care(1))).await;
        assert_eq!(invoice.number.unwrap(), "F2027-000001");
        tx.commit().await.unwrap();
    }
    held.commit().await.unwrap();
}

#[tokio::test]
async fn what_is_issued_is_never_changed_not_even_by_the_owner() {
    let world = world(1).await;
    let mut tx = world.begin(0).await;
    let invoice = issued(&mut tx, &care(6000)).await;
    billing::record_payment(&mut tx, invoice.id, &pays(6000, Payer::Patient)).await.unwrap();
    let draft = billing::draft_invoice(&mut tx, &care(1)).await.unwrap();
    tx.commit().await.unwrap();
    let mut owner = world.owner().await;
    for attempt in [
        "UPDATE invoices SET gross = 1 WHERE number IS NOT NULL",
        "UPDATE invoices SET document = jsonb_set(document, '{lines}', '[]') WHERE number IS NOT NULL",
        "UPDATE invoices SET number = NULL, document = NULL, issued_on = NULL, issued_at = NULL, due_on = NULL",
        "DELETE FROM invoices WHERE number IS NOT NULL",
        "TRUNCATE invoices CASCADE",
        "UPDATE payments SET amount = 1",
        "DELETE FROM payments",
        "TRUNCATE payments",
    ] {
        let error = sqlx::query(attempt).execute(&mut owner).await.unwrap_err().to_string();
        assert!(
            error.contains("never changed") || error.contains("append-only"),
            "the owner: {attempt}: {error}"
        );
        let mut tx = world.begin(0).await;
        assert!(sqlx::query(attempt).execute(tx.conn()).await.is_err(), "the tenant: {attempt}");
        tx.rollback().await.unwrap();
    }
    let mut tx = world.begin(0).await;
    billing::delete_invoice(&mut tx, draft.id).await.unwrap();
    let refused = billing::delete_invoice(&mut tx, invoice.id).await;
    assert!(matches!(refused, Err(Error::Conflict { code: "already_issued", .. })));
}

#[tokio::test]
async fn two_payments_at_once_never_come_to_more_than_is_owed() {
    let world = world(1).await;
    let mut tx = world.begin(0).await;
    let id = issued(&mut tx, &care(10_000)).await.id;
    tx.commit().await.unwrap();
    let mut payments = JoinSet::new();
    for _ in 0..12 {
        let (db, tenant) = (world.db.clone(), world.tenants[0]);
        payments.spawn(async move {
            let mut tx = db.tenant(tenant, Actor::JOB).await.unwrap();
            let paid = billing::record_payment(&mut tx, id, &pays(3000, Payer::Patient)).await;
            tx.commit().await.unwrap();
            match paid {
                Ok(_) => true,
                Err(Error::Conflict { code: "above_balance", .. }) => false,
                Err(error) => panic!("{error:?}"),
            }
        });
    }
    let taken = soon("paid", payments.join_all()).await.into_iter().filter(|taken| *taken).count();
    assert_eq!(taken, 3);
    let mut tx = world.begin(0).await;
    let list = billing::list_payments(&mut tx, id).await.unwrap();
    assert_eq!((list.balance.paid.0, list.balance.left.0), (9000, 1000));
}

#[tokio::test]
async fn two_credit_notes_at_once_never_take_back_more_than_there_is() {
    let world = world(1).await;
    let mut tx = world.begin(0).await;
    let content = written(serde_json::json!({
        "buyer": { "name": "TechCorp" },
        "lines": [{ "name": "Atelier", "unit_price": 3333, "quantity": 3000 }],
        "discounts": [{ "reason": "Remise", "amount": 1000 }],
    }));
    let invoice = issued(&mut tx, &content).await;
    tx.commit().await.unwrap();
    let mut notes = JoinSet::new();
    for _ in 0..6 {
        let (db, tenant) = (world.db.clone(), world.tenants[0]);
        notes.spawn(async move {
            let mut tx = db.tenant(tenant, Actor::JOB).await.unwrap();
            let note = billing::credit_invoice(&mut tx, invoice.id, &credit(vec![])).await;
            tx.commit().await.unwrap();
            note.is_ok()
        });
    }
    let taken = soon("credited", notes.join_all()).await.into_iter().filter(|taken| *taken).count();
    assert_eq!(taken, 1);
    let mut tx = world.begin(0).await;
    let invoice = billing::get_invoice(&mut tx, invoice.id).await.unwrap();
    assert_eq!(invoice.status, billing::InvoiceStatus::Cancelled);
    assert_eq!(invoice.balance.unwrap().left.0, 0);
}

#[tokio::test]
async fn a_practices_own_words_that_fail_hold_nothing_up() {
    let world = world(1).await;
    let mut tx = world.begin(0).await;
    let words = billing::NewInvoiceTemplate {
        body: "# Facture {{ number }} – {{ buyer_name }}\n\n[[items]]\n\n[[totals]]\n\n{{ total_gross }}"
            .to_owned(),
    };
    billing::put_invoice_template(&mut tx, billing::DocumentKind::Invoice, 0, &words).await.unwrap();
    let invoice = issued(&mut tx, &care(6000)).await;
    assert_eq!(invoice.template_fallback, None);
    let filled: String =
        sqlx::query_scalar("SELECT document ->> 'words' FROM invoices WHERE number IS NOT NULL")
            .fetch_one(tx.conn())
            .await
            .unwrap();
    assert_eq!(
        filled,
        "# Facture F2027\\-000001 – TechCorp France\n\n[[items]]\n\n[[totals]]\n\n60,00\u{a0}€"
    );
    // As an older version may have kept them, before a placeholder went.
    sqlx::query("INSERT INTO invoice_templates VALUES ($1, 'invoice', 2, 'Facture {{ gone }}', now())")
        .bind(world.tenants[0].0)
        .execute(tx.conn())
        .await
        .unwrap();
    let invoice = issued(&mut tx, &care(6000)).await;
    assert_eq!(invoice.template_fallback.as_deref(), Some("unknown_value"));
    assert_eq!(invoice.number.as_deref(), Some("F2027-000002"));
}
