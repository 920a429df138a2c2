//! Tells members what a look at the stock found: within the application at once, by mail through one digest each.

use chrono::NaiveDate;
use permanence_queue::NewJob;

use super::{jobs::SendDigest, subscription::subscribers, watch::Found};
use crate::{
    db::TenantTx,
    error::Result,
    field::Language,
    ids::{DigestId, UserId, WatchId},
    notifications::{
        NewNotification, NotificationKind,
        content::{stock_notice, stock_summary},
        notify,
    },
};

/// Most notices of one look; where more was found, as after an import, one notice sums it up.
const MOST_NOTICES: usize = 20;

/// Tells whoever wants to hear of it.
pub(super) async fn tell(tx: &mut TenantTx, watch: WatchId, today: NaiveDate, found: &[Found]) -> Result<()> {
    let subscribers = subscribers(tx, None).await?;
    let language = language(tx).await?;
    let in_app: Vec<UserId> = subscribers.iter().filter(|s| s.how.in_app).map(|s| s.user).collect();
    notify(tx, &in_app, &notices(found, today, language)).await?;
    let by_mail: Vec<UserId> = subscribers.iter().filter(|s| s.how.email).map(|s| s.user).collect();
    send(tx, watch, &by_mail).await
}

/// The language that the practice works in.
pub(super) async fn language(tx: &mut TenantTx) -> Result<Language> {
    Ok(sqlx::query_scalar!(
        r#"SELECT language AS "language: Language" FROM tenants WHERE id = $1"#,
        tx.tenant().0
    )
    .fetch_one(tx.conn())
    .await?)
}

fn notices(found: &[Found], today: NaiveDate, language: Language) -> Vec<NewNotification> {
    if found.len() > MOST_NOTICES {
        let low = found.iter().filter(|found| found.kind == NotificationKind::StockLow).count();
        let (title, body) = stock_summary(low, found.len() - low, language);
        return vec![NewNotification {
            kind: NotificationKind::StockSummary,
            title,
            body,
            resource_id: None,
        }];
    }
    let notice = |found: &Found| {
        let (title, body) = stock_notice(&found.fact, today, language);
        NewNotification { kind: found.kind, title, body, resource_id: Some(found.item.0) }
    };
    found.iter().map(notice).collect()
}

/// Plans a digest for each recipient, and the jobs that send them.
async fn send(tx: &mut TenantTx, watch: WatchId, users: &[UserId]) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    for user in users {
        let id = DigestId::new(now);
        sqlx::query!(
            "INSERT INTO inventory_digests (tenant_id, id, watch_id, user_id, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $5)",
            tenant.0,
            id.0,
            watch.0,
            user.0,
            now,
        )
        .execute(tx.conn())
        .await?;
        tx.enqueue(NewJob::of(&SendDigest { digest_id: id })?).await?;
    }
    Ok(())
}
