//! What members are told within the application. Each sees their own; the words are kept as they were said.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    db::TenantTx,
    error::{Error, Result},
    ids::{NotificationId, UserId},
    page::PageQuery,
};

/// What a member is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum NotificationKind {
    /// There is less of an item than its threshold.
    StockLow,
    /// A lot expires soon, or has expired.
    LotExpiring,
    /// So much is amiss in the stock that one notification sums it up.
    StockSummary,
    /// A request for what is known of a patient is to be answered soon, or is overdue.
    AccessRequestDue,
}

impl NotificationKind {
    /// The word for it, as in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::StockLow => "stock_low",
            Self::LotExpiring => "lot_expiring",
            Self::StockSummary => "stock_summary",
            Self::AccessRequestDue => "access_request_due",
        }
    }

    /// What such a notification is about.
    fn resource(self) -> &'static str {
        match self {
            Self::StockLow | Self::LotExpiring | Self::StockSummary => "inventory_item",
            Self::AccessRequestDue => "access_request",
        }
    }
}

/// Something to tell.
#[derive(Debug, Clone)]
pub struct NewNotification {
    /// What it is of.
    pub kind: NotificationKind,
    /// In a few words.
    pub title: String,
    /// In a sentence.
    pub body: String,
    /// The item or the request that it is about, if it is about one.
    pub resource_id: Option<Uuid>,
}

/// What a member was told.
#[derive(Debug, Serialize, ToSchema)]
pub struct Notification {
    /// Identifier.
    pub id: NotificationId,
    /// What it is of.
    pub kind: NotificationKind,
    /// In a few words, in the practice's language.
    pub title: String,
    /// In a sentence.
    pub body: String,
    /// What `resource_id` names: `inventory_item` or `access_request`.
    pub resource: String,
    /// What it is about; `null` where it is about many.
    pub resource_id: Option<Uuid>,
    /// When it was said.
    pub created_at: DateTime<Utc>,
    /// When it was read.
    pub read_at: Option<DateTime<Utc>>,
}

/// A page of what a member was told.
#[derive(Debug, Serialize, ToSchema)]
pub struct Inbox {
    /// The rows of this page, the newest first.
    pub items: Vec<Notification>,
    /// Its number, from 1.
    pub page: i64,
    /// Rows on a full page.
    pub limit: i64,
    /// Rows in all.
    pub total: i64,
    /// How many were not read.
    pub unread: i64,
}

/// Tells members something, in one statement.
pub async fn notify(tx: &mut TenantTx, users: &[UserId], all: &[NewNotification]) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let pairs: Vec<(UserId, &NewNotification)> =
        users.iter().flat_map(|user| all.iter().map(move |new| (*user, new))).collect();
    let ids: Vec<_> = pairs.iter().map(|_| NotificationId::new(now).0).collect();
    let users: Vec<_> = pairs.iter().map(|(user, _)| user.0).collect();
    let kinds: Vec<_> = pairs.iter().map(|(_, new)| new.kind.name()).collect();
    let titles: Vec<_> = pairs.iter().map(|(_, new)| new.title.as_str()).collect();
    let bodies: Vec<_> = pairs.iter().map(|(_, new)| new.body.as_str()).collect();
    let resources: Vec<_> = pairs.iter().map(|(_, new)| new.kind.resource()).collect();
    let resource_ids: Vec<_> = pairs.iter().map(|(_, new)| new.resource_id).collect();
    sqlx::query!(
        "INSERT INTO notifications (tenant_id, id, user_id, kind, title, body, resource, resource_id, created_at)
         SELECT $1, n.id, n.user_id, n.kind, n.title, n.body, n.resource, n.resource_id, $2
         FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::uuid[])
              AS n (id, user_id, kind, title, body, resource, resource_id)",
        tenant.0,
        now,
        &ids,
        &users,
        &kinds as _,
        &titles as _,
        &bodies as _,
        &resources as _,
        &resource_ids as _,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A page of what a member was told, the newest first.
pub async fn inbox(tx: &mut TenantTx, user: UserId, page: PageQuery) -> Result<Inbox> {
    let tenant = tx.tenant();
    let counts = sqlx::query!(
        r#"SELECT count(*) AS "total!", count(*) FILTER (WHERE read_at IS NULL) AS "unread!"
           FROM notifications WHERE tenant_id = $1 AND user_id = $2"#,
        tenant.0,
        user.0,
    )
    .fetch_one(tx.conn())
    .await?;
    let items = sqlx::query_as!(
        Notification,
        r#"SELECT id AS "id: NotificationId", kind AS "kind: NotificationKind", title, body, resource, resource_id,
                  created_at, read_at
           FROM notifications WHERE tenant_id = $1 AND user_id = $2
           ORDER BY created_at DESC, id DESC LIMIT $3 OFFSET $4"#,
        tenant.0,
        user.0,
        page.limit(),
        page.offset(),
    )
    .fetch_all(tx.conn())
    .await?;
    let (total, unread) = (counts.total, counts.unread);
    Ok(Inbox { items, page: page.page.get(), limit: page.limit(), total, unread })
}

/// Notes that a member has read one; twice is the same as once.
pub async fn read_notification(tx: &mut TenantTx, user: UserId, id: NotificationId) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let read = sqlx::query!(
        "UPDATE notifications SET read_at = COALESCE(read_at, $4)
         WHERE tenant_id = $1 AND user_id = $2 AND id = $3",
        tenant.0,
        user.0,
        id.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    if read.rows_affected() == 1 { Ok(()) } else { Err(Error::NotFound("notification")) }
}

/// Notes that a member has read all there is.
pub async fn read_all_notifications(tx: &mut TenantTx, user: UserId) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    sqlx::query!(
        "UPDATE notifications SET read_at = $3 WHERE tenant_id = $1 AND user_id = $2 AND read_at IS NULL",
        tenant.0,
        user.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Removes one for good.
pub async fn delete_notification(tx: &mut TenantTx, user: UserId, id: NotificationId) -> Result<()> {
    let gone = sqlx::query!(
        "DELETE FROM notifications WHERE tenant_id = $1 AND user_id = $2 AND id = $3",
        tx.tenant().0,
        user.0,
        id.0,
    )
    .execute(tx.conn())
    .await?;
    if gone.rows_affected() == 1 { Ok(()) } else { Err(Error::NotFound("notification")) }
}
