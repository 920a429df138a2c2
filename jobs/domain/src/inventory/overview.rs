//! The stock at a glance: each item with what there is of it and how it stands. It changes nothing.

use chrono::NaiveDate;
use deserr::Deserr;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::level::{Badge, Today, in_bulk};
use crate::{
    billing::Quantity,
    db::TenantTx,
    error::{Invalid, Result},
    field::{Label, SearchText},
    ids::ItemId,
    page::{Count, PageQuery},
};

/// Which items are wanted.
#[derive(Debug, Default, Deserr, IntoParams)]
#[into_params(parameter_in = Query)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct OverviewQuery {
    /// Those that stand so.
    #[deserr(default)]
    #[param(inline)]
    pub badge: Option<Badge>,
    /// Words of name, reference, supplier or place; accents and case do not matter.
    #[deserr(default)]
    #[param(value_type = Option<String>)]
    pub search: Option<SearchText>,
    /// Those of this supplier; accents and case do not matter.
    #[deserr(default)]
    #[param(value_type = Option<String>)]
    pub supplier: Option<Label>,
    /// Those in this place; accents and case do not matter.
    #[deserr(default)]
    #[param(value_type = Option<String>)]
    pub location: Option<Label>,
    /// Number of the page, from 1.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, example = 1)]
    pub page: Count<1, 100_000>,
    /// Rows on a page, 1 to 100.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 50)]
    pub limit: Count<50, 100>,
}

/// An item at a glance.
#[derive(Debug, Serialize, ToSchema)]
pub struct StockLine {
    /// Identifier.
    pub id: ItemId,
    /// What it is.
    pub name: String,
    /// Its reference.
    pub reference: Option<String>,
    /// What it is counted in.
    pub unit: String,
    /// Whom it is bought from.
    pub supplier: Option<String>,
    /// Where it lies.
    pub location: Option<String>,
    /// How much there is, thousandths of the unit.
    pub quantity: Quantity,
    /// Below it there is too little, thousandths of the unit.
    pub threshold: Quantity,
    /// The soonest day on which a lot in stock expires, or did.
    pub expires_on: Option<NaiveDate>,
    /// How it stands.
    pub badge: Badge,
}

/// How many items stand how; each is counted once, by what is worst about it.
#[derive(Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct BadgeCounts {
    /// Nothing is amiss.
    pub ok: i64,
    /// Below the threshold.
    pub low: i64,
    /// None left.
    pub out: i64,
    /// Expires soon.
    pub expiring: i64,
    /// Has expired.
    pub expired: i64,
}

impl BadgeCounts {
    fn of(&self, badge: Option<Badge>) -> i64 {
        match badge {
            None => self.ok + self.low + self.out + self.expiring + self.expired,
            Some(Badge::Ok) => self.ok,
            Some(Badge::Low) => self.low,
            Some(Badge::Out) => self.out,
            Some(Badge::Expiring) => self.expiring,
            Some(Badge::Expired) => self.expired,
        }
    }
}

/// A page of the stock.
#[derive(Debug, Serialize, ToSchema)]
pub struct Overview {
    /// The rows of this page, by name.
    pub items: Vec<StockLine>,
    /// Its number, from 1.
    pub page: i64,
    /// Rows on a full page.
    pub limit: i64,
    /// Rows in all.
    pub total: i64,
    /// How many stand how, whatever badge was asked for.
    pub counts: BadgeCounts,
}

/// A page of the stock with its counts.
pub async fn overview(tx: &mut TenantTx, query: &OverviewQuery) -> Result<Overview> {
    let today = Today::read(tx).await?;
    in_bulk(tx).await?;
    let counts = count(tx, query, today).await?;
    Ok(Overview {
        items: lines(tx, query, today).await?,
        page: query.page.get(),
        limit: query.limit.get(),
        total: counts.of(query.badge),
        counts,
    })
}

async fn count(tx: &mut TenantTx, query: &OverviewQuery, today: Today) -> Result<BadgeCounts> {
    Ok(sqlx::query_as!(
        BadgeCounts,
        r#"SELECT count(*) FILTER (WHERE badge = 'ok') AS "ok!", count(*) FILTER (WHERE badge = 'low') AS "low!",
                  count(*) FILTER (WHERE badge = 'out') AS "out!",
                  count(*) FILTER (WHERE badge = 'expiring') AS "expiring!",
                  count(*) FILTER (WHERE badge = 'expired') AS "expired!"
           FROM (SELECT inventory_badge(quantity, threshold, soonest, $2, $3) AS badge FROM inventory_stock
                 WHERE tenant_id = $1 AND ($4 = '' OR holds_words(search, $4))
                   AND ($5::text IS NULL OR fold(supplier) = fold($5))
                   AND ($6::text IS NULL OR fold(location) = fold($6))) AS stock"#,
        tx.tenant().0,
        today.date,
        today.notice_days,
        query.search.as_ref().map_or("", SearchText::as_str),
        query.supplier.as_ref().map(Label::as_str),
        query.location.as_ref().map(Label::as_str),
    )
    .fetch_one(tx.conn())
    .await?)
}

async fn lines(tx: &mut TenantTx, query: &OverviewQuery, today: Today) -> Result<Vec<StockLine>> {
    let page = PageQuery { page: query.page, limit: query.limit };
    Ok(sqlx::query_as!(
        StockLine,
        r#"SELECT id AS "id!: ItemId", name AS "name!", reference, unit AS "unit!", supplier, location,
                  quantity AS "quantity!: Quantity", threshold AS "threshold!: Quantity", soonest AS expires_on,
                  badge AS "badge!: Badge"
           FROM (SELECT *, inventory_badge(quantity, threshold, soonest, $2, $3) AS badge FROM inventory_stock
                 WHERE tenant_id = $1) AS stock
           WHERE ($4 = '' OR holds_words(search, $4))
             AND ($5::text IS NULL OR fold(supplier) = fold($5))
             AND ($6::text IS NULL OR fold(location) = fold($6))
             AND ($7::text IS NULL OR badge = $7)
           ORDER BY fold(name), id LIMIT $8 OFFSET $9"#,
        tx.tenant().0,
        today.date,
        today.notice_days,
        query.search.as_ref().map_or("", SearchText::as_str),
        query.supplier.as_ref().map(Label::as_str),
        query.location.as_ref().map(Label::as_str),
        query.badge as Option<Badge>,
        page.limit(),
        page.offset(),
    )
    .fetch_all(tx.conn())
    .await?)
}
