//! Watching the stock: one alert for each fall, told once.

use chrono_tz::Tz;
use permanence_domain::{
    db::{Actor, TenantTx},
    field::{Day, EmailAddress, FullName, Label, Whole},
    identity::{Role, add_member},
    ids::{ItemId, UserId},
    inventory::{
        self, MovementKind, NewItem, NewMovement, NewSubscription, SETTLING, UnitName, add_item, move_stock,
    },
    notifications::{Inbox, inbox},
    page::PageQuery,
};
use permanence_embedded::mail::MailFault;
use permanence_workers::schedule::{entries, tick};
use proptest::prelude::*;

use crate::support::{World, soon};

pub(crate) async fn member(world: &World, local: &str, role: Role) -> UserId {
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    let email = EmailAddress::parse(&format!("{local}@lilas.example")).unwrap();
    let name = FullName::parse("Sophie Accueil").unwrap();
    let user = add_member(&mut tx, world.tenant, &email, &name, role, "no hash").await.unwrap();
    tx.commit().await.unwrap();
    user
}

async fn by_mail(world: &World, user: UserId) {
    let actor = Actor { user: Some(user), ..Actor::JOB };
    let mut tx = world.db.tenant(world.tenant, actor).await.unwrap();
    inventory::subscribe(&mut tx, 0, NewSubscription { in_app: true, email: true }).await.unwrap();
    tx.commit().await.unwrap();
}

async fn item(tx: &mut TenantTx, name: &str, threshold: i64, margin: i64) -> ItemId {
    let new = NewItem {
        name: Label::parse(name).unwrap(),
        reference: None,
        unit: UnitName::parse("boîte").unwrap(),
        supplier: None,
        location: None,
        price_cents: None,
        threshold: Whole::try_from(threshold).unwrap(),
        margin: Whole::try_from(margin).unwrap(),
    };
    add_item(tx, &new).await.unwrap().item.id
}

fn movement(kind: MovementKind, quantity: i64) -> NewMovement {
    let counted = (kind == MovementKind::Correction).then(|| Whole::try_from(quantity).unwrap());
    let quantity = (kind != MovementKind::Correction).then(|| Whole::try_from(quantity).unwrap());
    NewMovement { kind, quantity, counted, lot: None, expires_on: None, reason: None, appointment_id: None }
}

async fn moved(world: &World, item: ItemId, kind: MovementKind, quantity: i64) {
    let mut tx = world.begin().await;
    move_stock(&mut tx, item, &movement(kind, quantity)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn told(world: &World, user: UserId) -> Inbox {
    let mut tx = world.begin().await;
    inbox(&mut tx, user, PageQuery::default()).await.unwrap()
}

/// Lets the stock rest and waits for all that follows.
async fn rest(world: &World) {
    world.clock.advance(SETTLING.to_std().unwrap());
    world.until_idle().await;
}

async fn count(world: &World, query: &'static str) -> i64 {
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    sqlx::query_scalar(query).fetch_one(tx.conn()).await.unwrap()
}

const ALERTS: &str = "SELECT count(*) FROM inventory_alerts";
const OPEN: &str = "SELECT count(*) FROM inventory_alerts WHERE cleared_at IS NULL";

#[tokio::test]
async fn a_fall_is_told_once_and_the_next_one_again() {
    let world = World::at("2027-01-11T08:00:00Z", Tz::Europe__Paris).await;
    let sophie = member(&world, "sophie", Role::Assistant).await;
    by_mail(&world, sophie).await;
    let jules = member(&world, "jules", Role::Nurse).await;
    let (stock, reminders) = (world.work_on("stock"), world.work());
    let mut tx = world.begin().await;
    let gloves = item(&mut tx, "Gants nitrile M", 5_000, 1_000).await;
    tx.commit().await.unwrap();
    rest(&world).await;
    assert_eq!(count(&world, ALERTS).await, 0, "what never came never fell");

    moved(&world, gloves, MovementKind::Receipt, 10_000).await;
    // Ten movements one after another are looked at once.
    for _ in 0..3 {
        moved(&world, gloves, MovementKind::Use, 2_000).await;
    }
    rest(&world).await;
    soon("the mail", world.outbox.wait_for(|messages| !messages.is_empty())).await;
    world.until_idle().await;
    let mails = world.outbox.mails();
    assert_eq!((mails.len(), &*mails[0].to), (1, &["sophie@lilas.example".to_owned()][..]));
    assert_eq!(mails[0].subject().unwrap(), "Cabinet des Lilas : 1 alerte de stock");
    let text = mails[0].text().unwrap();
    assert!(text.contains("Stock bas : Gants nitrile M\n  Il en reste 4 (boîte), le seuil est 5."), "{text}");
    for user in [sophie, jules] {
        let inbox = told(&world, user).await;
        assert_eq!((inbox.total, inbox.unread), (1, 1));
        assert_eq!(inbox.items[0].title, "Stock bas : Gants nitrile M");
        assert_eq!(inbox.items[0].resource_id, Some(gloves.0));
    }

    // Lower still, then above the threshold but not the margin, then below again: the same fall.
    for (kind, quantity) in
        [(MovementKind::Use, 1_000), (MovementKind::Receipt, 3_000), (MovementKind::Use, 2_000)]
    {
        moved(&world, gloves, kind, quantity).await;
        rest(&world).await;
    }
    assert_eq!((count(&world, ALERTS).await, count(&world, OPEN).await), (1, 1));
    moved(&world, gloves, MovementKind::Receipt, 10_000).await;
    rest(&world).await;
    assert_eq!(count(&world, OPEN).await, 0);
    moved(&world, gloves, MovementKind::Correction, 4_999).await;
    rest(&world).await;
    assert_eq!((count(&world, ALERTS).await, count(&world, OPEN).await), (2, 1));
    assert_eq!((told(&world, jules).await.total, world.outbox.mails().len()), (2, 2));
    stock.drain().await;
    reminders.drain().await;
}

#[tokio::test]
async fn a_lot_that_expires_is_told_of_once_and_by_the_hour() {
    let world = World::at("2027-01-11T08:00:00Z", Tz::Europe__Paris).await;
    let sophie = member(&world, "sophie", Role::Assistant).await;
    let pool = world.work_on("stock");
    let mut tx = world.begin().await;
    let drug = item(&mut tx, "Lidocaïne", 0, 0).await;
    for (lot, day) in [("L1", "2027-02-10"), ("L2", "2027-02-11"), ("L3", "2027-01-02")] {
        let new = NewMovement {
            lot: Some(Label::parse(lot).unwrap()),
            expires_on: Some(Day::parse(day).unwrap()),
            ..movement(MovementKind::Receipt, 1_000)
        };
        move_stock(&mut tx, drug, &new).await.unwrap();
    }
    tx.commit().await.unwrap();
    rest(&world).await;
    let titles = async || -> Vec<String> {
        let mut titles: Vec<_> =
            told(&world, sophie).await.items.into_iter().map(|n| n.title + " " + &n.body[..6]).collect();
        titles.sort();
        titles
    };
    assert_eq!(titles().await, ["Lot périmé : Lidocaïne Lot L3", "Péremption proche : Lidocaïne Lot L1"]);

    // The day changes without a movement: the hourly look finds the next.
    world.clock.advance(std::time::Duration::from_hours(24));
    let entries: Vec<_> =
        entries().unwrap().into_iter().filter(|entry| entry.name() == "watch-stock").collect();
    for _ in 0..3 {
        tick(&world.db, &entries).await.unwrap();
        world.until_idle().await;
        world.clock.advance(std::time::Duration::from_hours(1));
    }
    assert_eq!(titles().await.len(), 3);
    assert_eq!(count(&world, ALERTS).await, 3);
    pool.drain().await;
}

#[tokio::test]
async fn movements_that_race_the_watch_make_no_second_alert() {
    let world = World::at("2027-01-11T08:00:00Z", Tz::Europe__Paris).await;
    let sophie = member(&world, "sophie", Role::Assistant).await;
    let mut tx = world.begin().await;
    let gloves = item(&mut tx, "Gants", 5_000, 0).await;
    move_stock(&mut tx, gloves, &movement(MovementKind::Receipt, 1_000)).await.unwrap();
    tx.commit().await.unwrap();
    let watch = async || {
        let mut tx = world.begin().await;
        let watched = inventory::watch(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        watched
    };
    let stay_below = async || {
        for _ in 0..5 {
            moved(&world, gloves, MovementKind::Receipt, 1_000).await;
            moved(&world, gloves, MovementKind::Use, 1_000).await;
        }
    };
    let (one, two, three, four, ()) = tokio::join!(watch(), watch(), watch(), watch(), stay_below());
    assert_eq!([one, two, three, four].iter().map(|watched| watched.low).sum::<usize>(), 1);
    assert_eq!((count(&world, ALERTS).await, told(&world, sophie).await.total), (1, 1));

    // Up and down at once with looks at it: never two open ones, and as many alerts as were told.
    let swing = async || {
        for _ in 0..10 {
            moved(&world, gloves, MovementKind::Correction, 9_000).await;
            moved(&world, gloves, MovementKind::Correction, 1_000).await;
        }
    };
    let look = async || {
        for _ in 0..10 {
            watch().await;
        }
    };
    tokio::join!(swing(), look(), look());
    watch().await;
    assert_eq!(count(&world, OPEN).await, 1);
    assert_eq!(told(&world, sophie).await.total, count(&world, ALERTS).await);
}

#[tokio::test]
async fn a_digest_is_sent_once_whatever_the_mail_server_does() {
    let world = World::at("2027-01-11T08:00:00Z", Tz::Europe__Paris).await;
    let sophie = member(&world, "sophie", Role::Assistant).await;
    by_mail(&world, sophie).await;
    world.mail.faults().next(1, MailFault::MessageDeferred);
    let (stock, reminders) = (world.work_on("stock"), world.work());
    let mut tx = world.begin().await;
    let gloves = item(&mut tx, "Gants", 5_000, 0).await;
    move_stock(&mut tx, gloves, &movement(MovementKind::Receipt, 1_000)).await.unwrap();
    tx.commit().await.unwrap();
    rest(&world).await;
    let pending = "SELECT count(*) FROM inventory_digests WHERE status = 'pending'";
    assert_eq!(count(&world, pending).await, 1, "certainly not taken: it waits");
    world.clock.advance(std::time::Duration::from_mins(1));
    soon("the mail", world.outbox.wait_for(|messages| !messages.is_empty())).await;
    world.until_idle().await;
    assert_eq!(count(&world, "SELECT count(*) FROM inventory_digests WHERE status = 'sent'").await, 1);

    // Of the next the server takes the mail and says nothing: it is not sent again.
    world.mail.faults().always(MailFault::HangAfterData);
    moved(&world, gloves, MovementKind::Correction, 9_000).await;
    rest(&world).await;
    moved(&world, gloves, MovementKind::Correction, 1_000).await;
    world.clock.advance(SETTLING.to_std().unwrap());
    soon("the second", world.outbox.wait_for(|messages| messages.len() == 2)).await;
    reminders.kill().await;
    world.mail.faults().clear();
    let reminders = world.work();
    let uncertain = async {
        const UNCERTAIN: &str = "SELECT count(*) FROM inventory_digests WHERE status = 'uncertain'";
        while count(&world, UNCERTAIN).await == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    soon("uncertain", uncertain).await;
    world.until_idle().await;
    assert_eq!(world.outbox.mails().len(), 2);
    stock.drain().await;
    reminders.drain().await;
}

#[tokio::test]
async fn a_digest_that_nobody_wants_any_more_is_not_sent() {
    let world = World::at("2027-01-11T08:00:00Z", Tz::Europe__Paris).await;
    let sophie = member(&world, "sophie", Role::Assistant).await;
    by_mail(&world, sophie).await;
    let mut tx = world.begin().await;
    let gloves = item(&mut tx, "Gants", 5_000, 0).await;
    move_stock(&mut tx, gloves, &movement(MovementKind::Receipt, 1_000)).await.unwrap();
    inventory::watch(&mut tx).await.unwrap();
    // Mended before the mail leaves.
    move_stock(&mut tx, gloves, &movement(MovementKind::Receipt, 9_000)).await.unwrap();
    inventory::watch(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    let pool = world.work();
    world.until_idle().await;
    assert_eq!(count(&world, "SELECT count(*) FROM inventory_digests WHERE status = 'void'").await, 1);
    assert!(world.outbox.mails().is_empty());
    pool.drain().await;
}

/// What should be open after each step: opened below the threshold, ended above threshold and margin.
#[derive(Default)]
struct Oracle {
    open: bool,
    falls: i64,
}

impl Oracle {
    fn look(&mut self, quantity: i64, threshold: i64, margin: i64) {
        if self.open && quantity > threshold + margin {
            self.open = false;
        } else if !self.open && quantity < threshold {
            self.open = true;
            self.falls += 1;
        }
    }
}

#[test]
fn alerts_follow_the_stock_as_the_rule_says() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::at("2027-01-11T08:00:00Z", Tz::Europe__Paris));
    let steps = (1..6_000_i64, 0..3_000_i64, prop::collection::vec((0..12_000_i64, any::<bool>()), 1..12));
    proptest!(ProptestConfig::with_cases(16), |((threshold, margin, steps) in steps)| {
        let (expected, alerts, open) = runtime.block_on(async {
            let mut tx = world.begin().await;
            let item = item(&mut tx, "Gants", threshold, margin).await;
            let mut oracle = Oracle::default();
            for (level, looked) in steps {
                move_stock(&mut tx, item, &movement(MovementKind::Correction, level)).await.unwrap();
                if looked {
                    inventory::watch(&mut tx).await.unwrap();
                    oracle.look(level, threshold, margin);
                }
            }
            let (alerts, open): (i64, i64) = sqlx::query_as(
                "SELECT count(*), count(*) FILTER (WHERE cleared_at IS NULL) FROM inventory_alerts WHERE item_id = $1")
                .bind(item.0).fetch_one(tx.conn()).await.unwrap();
            (oracle, alerts, open)
        });
        prop_assert_eq!((alerts, open), (expected.falls, i64::from(expected.open)));
    });
}
