//! What papers look like: specimens of a practice's words, and its logo; through the real queue and store.

use std::time::Duration;

use chrono_tz::Tz;
use permanence_domain::{
    billing::{
        self, DocumentKind, NewInvoicePreview, Paper, PaperStart,
        jobs::{RemoveInvoicePreview, RenderInvoicePreview},
    },
    ids::InvoicePreviewId,
    storage::ObjectKey,
};
use permanence_queue::NewJob;

use crate::{
    billing::{owed, sells},
    support::{World, soon},
};

const PICTURE: &[u8] = include_bytes!("../papers/logo.png");

async fn world() -> World {
    let world = World::at("2027-01-04T09:00:00Z", Tz::Europe__Paris).await;
    sells(&world).await;
    world
}

async fn preview(world: &World, kind: DocumentKind, body: Option<&str>) -> InvoicePreviewId {
    let mut tx = world.begin().await;
    let new = NewInvoicePreview { body: body.map(str::to_owned), language: None };
    let preview = billing::preview_invoice_template(&mut tx, kind, &new).await.unwrap();
    tx.commit().await.unwrap();
    preview.id
}

async fn drawn(world: &World, id: InvoicePreviewId) -> Paper {
    let condition = async {
        loop {
            let mut tx = world.begin().await;
            if let Some(paper) = billing::paper_of_preview(&mut tx, id).await.unwrap() {
                return paper;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("the specimen is drawn", condition).await
}

fn kept(world: &World) -> usize {
    let folder = world.objects.bucket_folder("permanence").join("previews").join(world.tenant.to_string());
    std::fs::read_dir(folder).into_iter().flatten().count()
}

async fn logo(world: &World) {
    let key = ObjectKey::of("logos", world.tenant, "logo.picture").unwrap();
    world.storage().put(&key, "image/png", PICTURE.to_vec()).await.unwrap();
    let mut tx = world.begin().await;
    billing::put_logo(&mut tx, &key, 1).await.unwrap();
    tx.commit().await.unwrap();
}

fn holds(pdf: &[u8], text: &[u8]) -> bool {
    pdf.windows(text.len()).any(|piece| piece == text)
}

#[tokio::test]
async fn a_specimen_is_drawn_is_no_factur_x_and_is_gone_after_a_day() {
    let world = world().await;
    logo(&world).await;
    let pool = world.work_on("invoices");
    for kind in [DocumentKind::Invoice, DocumentKind::CreditNote, DocumentKind::Quote] {
        let id = preview(
            &world,
            kind,
            Some("# {{ number }}{% if iban %} {{ iban }}{% endif %}\n\n[[items]]\n\n[[totals]]"),
        )
        .await;
        let paper = drawn(&world, id).await;
        assert_eq!(paper.file_name, "specimen.pdf");
        let pdf = world.storage().get(&paper.key).await.unwrap();
        assert!(pdf.starts_with(b"%PDF-1.7") && holds(&pdf, b"SPECIMEN") && holds(&pdf, b"/Image"));
        assert!(!holds(&pdf, b"factur-x.xml"), "no software may take it for an invoice");
        // Once more, as after a crash before the end was noted: it is the same place.
        let mut tx = world.begin().await;
        tx.enqueue(NewJob::of(&RenderInvoicePreview { preview_id: id }).unwrap()).await.unwrap();
        tx.commit().await.unwrap();
    }
    world.until_idle().await;
    assert_eq!(kept(&world), 3);
    world.clock.advance(Duration::from_hours(24));
    let gone = async {
        while kept(&world) > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("the specimens are gone", gone).await;
    world.until_idle().await;
    pool.drain().await;
}

#[tokio::test]
async fn a_specimen_that_is_drawn_too_late_leaves_nothing() {
    let world = world().await;
    let id = preview(&world, DocumentKind::Invoice, None).await;
    let mut tx = world.begin().await;
    let PaperStart::Draw(_) = billing::begin_preview(&mut tx, id).await.unwrap() else {
        panic!("drawn already")
    };
    billing::forget_preview(&mut tx, id).await.unwrap();
    let key = billing::preview_key(world.tenant, id).unwrap();
    assert!(!billing::end_preview(&mut tx, id, &key).await.unwrap(), "nothing is left to note it at");
    for _ in 0..2 {
        tx.enqueue(NewJob::of(&RemoveInvoicePreview { preview_id: id }).unwrap()).await.unwrap();
    }
    tx.commit().await.unwrap();
    let pool = world.work_on("invoices");
    world.until_idle().await;
    assert_eq!(kept(&world), 0);
    pool.drain().await;
}

#[tokio::test]
async fn what_is_issued_keeps_the_logo_that_it_was_issued_with() {
    let world = world().await;
    logo(&world).await;
    let id = owed(&world).await;
    let mut tx = world.begin().await;
    billing::remove_logo(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    let bare = owed(&world).await;
    let pool = world.work_on("invoices");
    world.until_idle().await;
    for (id, pictured) in [(id, true), (bare, false)] {
        let mut tx = world.begin().await;
        let paper = billing::paper_of_invoice(&mut tx, id).await.unwrap().expect("it is drawn");
        let pdf = world.storage().get(&paper.key).await.unwrap();
        assert_eq!(holds(&pdf, b"/Image"), pictured);
    }
    pool.drain().await;
}
