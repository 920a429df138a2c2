//! Demonstration stock: a few items, one below its threshold, one that expires soon, one used up.

use chrono::{Days, NaiveDate};
use permanence_domain::{
    Problem,
    db::TenantTx,
    field::{Day, Label},
    inventory::{
        self, ItemQuery, MovementKind, NewItem, NewMovement, Portion, UnitName, add_item, list_items,
        move_stock,
    },
};

use crate::Failure;

/// Name, reference, unit, place, threshold and what came, thousandths; the days until it expires, if it does.
type Sample = (&'static str, &'static str, &'static str, &'static str, i64, i64, Option<u64>);

const ITEMS: [Sample; 7] = [
    ("Gants nitrile M", "GN-M", "boîte", "Réserve", 5_000, 12_000, None),
    ("Compresses stériles 10 × 10", "CS-10", "paquet", "Réserve", 10_000, 4_000, None),
    ("Lidocaïne 1 %", "LIDO-1", "flacon", "Pharmacie", 3_000, 6_000, Some(12)),
    ("Sérum physiologique 5 ml", "SP-5", "dose", "Pharmacie", 20_000, 60_000, Some(400)),
    ("Draps d’examen", "DE-50", "rouleau", "Cabinet 1", 2_000, 1_000, None),
    ("Gel hydroalcoolique", "GHA-1", "litre", "Cabinet 1", 1_000, 2_500, Some(300)),
    ("Bandes cohésives", "BC-7", "unité", "Cabinet 2", 0, 30_000, None),
];

/// What was used since.
const USED_UP: &str = "DE-50";

fn read<T>(parsed: Result<T, Problem>) -> Result<T, Failure> {
    parsed.map_err(|problem| format!("demonstration stock: {problem:?}").into())
}

fn receipt(quantity: i64, expires_on: Option<NaiveDate>) -> Result<NewMovement, Failure> {
    Ok(NewMovement {
        kind: MovementKind::Receipt,
        quantity: Some(read(Portion::try_from(quantity))?),
        counted: None,
        lot: expires_on.map(|_| read(Label::parse("L-2291"))).transpose()?,
        expires_on: expires_on.map(Day),
        reason: None,
        appointment_id: None,
    })
}

/// Fills the stock of a practice that has none.
pub(crate) async fn ensure(tx: &mut TenantTx) -> Result<(), Failure> {
    if list_items(tx, &ItemQuery::default()).await?.total > 0 {
        return Ok(());
    }
    let today = tx.now().date_naive();
    for (name, reference, unit, location, threshold, quantity, expires) in ITEMS {
        let new = NewItem {
            name: read(Label::parse(name))?,
            reference: Some(read(Label::parse(reference))?),
            unit: read(UnitName::parse(unit))?,
            supplier: Some(read(Label::parse("Médistore"))?),
            location: Some(read(Label::parse(location))?),
            price_cents: None,
            threshold: read(inventory::Amount::try_from(threshold))?,
            margin: read(inventory::Amount::try_from(threshold / 5))?,
        };
        let item = add_item(tx, &new).await?.item.id;
        let expires_on = expires.and_then(|days| today.checked_add_days(Days::new(days)));
        let came = receipt(quantity, expires_on)?;
        move_stock(tx, item, &came).await?;
        if reference == USED_UP {
            move_stock(tx, item, &NewMovement { kind: MovementKind::Use, ..came }).await?;
        }
    }
    Ok(())
}
