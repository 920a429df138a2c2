//! The PDF of an invoice: drawn once, kept, mailed on request; through the real queue, store and mail server.

use std::time::Duration;

use chrono_tz::Tz;
use permanence_domain::{
    billing::{self, Paper, jobs::RenderInvoicePdf},
    ids::InvoiceId,
};
use permanence_embedded::{mail::MailFault, storage::StorageFault};
use permanence_queue::NewJob;
use sha2::{Digest, Sha256};

use crate::{
    billing::{mails, owed, sells},
    support::{World, soon},
};

async fn world() -> (World, InvoiceId) {
    let world = World::at("2027-01-04T09:00:00Z", Tz::Europe__Paris).await;
    sells(&world).await;
    let id = owed(&world).await;
    (world, id)
}

async fn paper(world: &World, id: InvoiceId) -> Option<Paper> {
    let mut tx = world.begin().await;
    billing::paper_of_invoice(&mut tx, id).await.unwrap()
}

async fn drawn(world: &World, id: InvoiceId) -> Paper {
    let condition = async {
        loop {
            if let Some(paper) = paper(world, id).await {
                return paper;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("the paper is drawn", condition).await
}

fn kept(world: &World) -> Vec<std::path::PathBuf> {
    let folder = world.objects.bucket_folder("permanence").join("invoices").join(world.tenant.to_string());
    std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
}

async fn send(world: &World, id: InvoiceId) {
    let mut tx = world.begin().await;
    billing::send_invoice(&mut tx, id).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn what_is_issued_is_drawn_once_and_stays_as_it_was() {
    let (world, id) = world().await;
    assert_eq!(paper(&world, id).await, None);
    let pool = world.work_on("invoices");
    let first = drawn(&world, id).await;
    assert_eq!(first.file_name, "F2027-000001.pdf");
    let pdf = world.storage().get(&first.key).await.unwrap();
    assert!(pdf.starts_with(b"%PDF-1.7"));
    let mut tx = world.begin().await;
    let hash: Vec<u8> = sqlx::query_scalar("SELECT sha256 FROM invoice_papers WHERE invoice_id = $1")
        .bind(id.0)
        .fetch_one(tx.conn())
        .await
        .unwrap();
    assert_eq!(hash, Sha256::digest(&pdf).to_vec());
    tx.enqueue(NewJob::of(&RenderInvoicePdf { invoice_id: id }).unwrap()).await.unwrap();
    // As if the worker had died between keeping the file and noting it; not even the owner may take a note back.
    let unnote = "SET session_replication_role = replica; DELETE FROM invoice_papers";
    sqlx::raw_sql(unnote).execute(&mut world.owner().await).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(drawn(&world, id).await, first, "the same file under the same key");
    world.until_idle().await;
    assert_eq!(kept(&world).len(), 1);
    pool.drain().await;
}

#[tokio::test]
async fn a_store_that_is_away_is_waited_for() {
    let (world, id) = world().await;
    world.objects.faults().always(StorageFault::Away);
    let pool = world.work_on("invoices");
    let tried = async {
        loop {
            let mut tx = world.db.system(permanence_domain::db::Actor::JOB).await.unwrap();
            let failed: i64 = sqlx::query_scalar("SELECT count(*) FROM queue.jobs WHERE state = 'retryable'")
                .fetch_one(tx.conn())
                .await
                .unwrap();
            if failed == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("an attempt fails", tried).await;
    assert_eq!((paper(&world, id).await, kept(&world).len()), (None, 0));
    world.objects.faults().clear();
    world.clock.advance(Duration::from_mins(30));
    drawn(&world, id).await;
    pool.drain().await;
}

#[tokio::test]
async fn an_invoice_is_mailed_with_its_paper_once_that_is_drawn() {
    let (world, id) = world().await;
    let mailing = world.work();
    send(&world, id).await;
    let drawing = world.work_on("invoices");
    drawn(&world, id).await;
    world.clock.advance(Duration::from_mins(1));
    world.until_idle().await;
    let log = mails(&world, id).await;
    assert_eq!((log.len(), log[0].status.as_str()), (1, "sent"));
    let sent = world.outbox.mails();
    assert_eq!((sent.len(), sent[0].to[0].as_str()), (1, "zoe@noel.example"));
    assert!(sent[0].subject().unwrap().starts_with("Facture F2027-000001"));
    let parsed = mail_parser::MessageParser::new().parse(&sent[0].raw).unwrap();
    let file = parsed.attachment(0).unwrap();
    assert_eq!(mail_parser::MimeHeaders::attachment_name(file), Some("F2027-000001.pdf"));
    let paper = paper(&world, id).await.unwrap();
    assert_eq!(file.contents(), world.storage().get(&paper.key).await.unwrap());
    assert_eq!(sent[0].header("List-Unsubscribe"), None, "it was asked for");
    mailing.drain().await;
    drawing.drain().await;
}

#[tokio::test]
async fn a_mail_whose_fate_is_unknown_is_not_sent_again() {
    let (world, id) = world().await;
    let drawing = world.work_on("invoices");
    drawn(&world, id).await;
    world.mail.faults().next(1, MailFault::HangAfterData);
    let mailing = world.work();
    send(&world, id).await;
    soon("the server has it", world.outbox.wait_for(|messages| !messages.is_empty())).await;
    mailing.kill().await;
    let mailing = world.work();
    let condition = async {
        while mails(&world, id).await[0].status == "sending" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("it is known to be uncertain", condition).await;
    assert_eq!(world.outbox.mails().len(), 1);
    mailing.drain().await;
    drawing.drain().await;
}
