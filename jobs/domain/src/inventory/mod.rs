//! What a practice keeps in stock: items, what comes and goes, what is watched for. What there is follows from the
//! movements and is kept nowhere else. Never buys anything, and bills nothing.

mod digest;
pub mod import;
mod item;
pub mod jobs;
mod level;
mod movement;
mod overview;
mod subscription;
mod tell;
mod watch;

use crate::field::Whole;

pub use digest::{begin_digest, end_digest};
pub use item::{
    Item, ItemQuery, ItemStock, NewItem, UnitName, add_item, delete_item, get_item, list_items, update_item,
};
pub use level::{Badge, LotLevel};
pub use movement::{Movement, MovementKind, MovementQuery, NewMovement, Reason, list_movements, move_stock};
pub use overview::{BadgeCounts, Overview, OverviewQuery, StockLine, overview};
pub use subscription::{NewSubscription, Subscription, subscribe, subscription};
pub use watch::{SETTLING, Watched, request_all, watch};

/// Most of anything: four million units.
const MOST: u32 = 4_000_000_000;
/// How much of an item there is or should be, thousandths of its unit.
pub type Amount = Whole<0, 0, MOST>;
/// How much of an item comes or goes, thousandths of its unit.
pub type Portion = Whole<1, 1, MOST>;
