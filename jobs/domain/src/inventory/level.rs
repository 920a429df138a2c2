//! What there is of an item, lot by lot, and from which lots something is taken. It changes nothing.

use chrono::{Days, NaiveDate};
use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    billing::Quantity,
    db::TenantTx,
    error::Result,
    ids::{ItemId, LotId},
    tenants::{self, Settings},
};

/// How an item stands, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[deserr(rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Badge {
    /// There is none left.
    Out,
    /// A lot in stock may no longer be used.
    Expired,
    /// There is less than the threshold.
    Low,
    /// A lot in stock expires within the days that the settings tell.
    Expiring,
    /// Nothing is amiss.
    Ok,
}

/// What there is of an item in one lot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LotLevel {
    /// Its number; `null` for what lies in no lot.
    pub lot: Option<String>,
    /// The last day on which it may be used.
    pub expires_on: Option<NaiveDate>,
    /// How much, thousandths of the item's unit.
    pub quantity: Quantity,
    #[serde(skip)]
    pub(super) id: Option<LotId>,
}

/// By which day and notice the badges of this moment go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Today {
    pub(super) date: NaiveDate,
    pub(super) notice_days: i32,
}

impl Today {
    pub(super) fn of(tx: &TenantTx, settings: &Settings) -> Self {
        let notice_days = i32::try_from(settings.expiry_notice_days.get()).unwrap_or(i32::MAX);
        Self { date: tx.now().with_timezone(&settings.zone()).date_naive(), notice_days }
    }

    pub(super) async fn read(tx: &mut TenantTx) -> Result<Self> {
        let settings = tenants::settings(tx).await?;
        Ok(Self::of(tx, &settings))
    }

    /// The last day that counts as soon.
    pub(super) fn notice_until(self) -> NaiveDate {
        let days = Days::new(u64::try_from(self.notice_days).unwrap_or_default());
        self.date.checked_add_days(days).unwrap_or(NaiveDate::MAX)
    }
}

/// The lots of an item in which there is anything, the first to use first: by the day they expire, then those without
/// such a day, at last what lies in no lot.
pub(super) async fn levels(tx: &mut TenantTx, item: ItemId) -> Result<Vec<LotLevel>> {
    Ok(sqlx::query_as!(
        LotLevel,
        r#"SELECT number AS lot, expires_on, quantity AS "quantity!: Quantity", lot_id AS "id: LotId"
           FROM inventory_levels WHERE tenant_id = $1 AND item_id = $2 AND quantity <> 0
           ORDER BY expires_on NULLS LAST, lot_id NULLS LAST"#,
        tx.tenant().0,
        item.0,
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Has Postgres join whole tables by hashing for the rest of the transaction. After an import it knows nothing of the new
/// rows for a minute, takes them for a handful, and would run through all of them once for each.
pub(super) async fn in_bulk(tx: &mut TenantTx) -> Result<()> {
    sqlx::raw_sql("SET LOCAL enable_nestloop = off; SET LOCAL work_mem = '64MB'").execute(tx.conn()).await?;
    Ok(())
}

/// From which lots an amount is taken, the first to expire first (FEFO), and how much could not be found. What has
/// expired by `today` is passed over, if one is given.
pub(super) fn pick(
    levels: &[LotLevel],
    wanted: i64,
    today: Option<NaiveDate>,
) -> (Vec<(Option<LotId>, i64)>, i64) {
    let mut missing = wanted;
    let mut taken = Vec::new();
    for level in levels {
        let expired = today.zip(level.expires_on).is_some_and(|(today, expires)| expires < today);
        let part = missing.min(level.quantity.0);
        if !expired && part > 0 {
            taken.push((level.id, part));
            missing -= part;
        }
    }
    (taken, missing)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2027, 1, day).unwrap()
    }

    fn lot(id: u128, expires_on: Option<NaiveDate>, quantity: i64) -> LotLevel {
        LotLevel { lot: None, expires_on, quantity: Quantity(quantity), id: Some(LotId(Uuid::from_u128(id))) }
    }

    #[test]
    fn what_expires_first_is_taken_first_and_what_has_expired_never() {
        let levels = [lot(1, Some(day(3)), 2_000), lot(2, Some(day(10)), 1_500), lot(3, None, 4_000)];
        let of = |id: u128, quantity| (Some(LotId(Uuid::from_u128(id))), quantity);
        assert_eq!(pick(&levels, 3_000, Some(day(3))), (vec![of(1, 2_000), of(2, 1_000)], 0));
        assert_eq!(pick(&levels, 3_000, Some(day(4))), (vec![of(2, 1_500), of(3, 1_500)], 0));
        assert_eq!(pick(&levels, 6_000, Some(day(4))), (vec![of(2, 1_500), of(3, 4_000)], 500));
        assert_eq!(pick(&levels, 2_000, None), (vec![of(1, 2_000)], 0), "a loss may be of what has expired");
    }

    #[test]
    fn what_is_owed_is_not_taken() {
        let levels = [LotLevel { id: None, ..lot(1, None, -500) }];
        assert_eq!(pick(&levels, 200, None), (vec![], 200));
    }
}
