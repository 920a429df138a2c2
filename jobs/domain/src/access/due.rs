//! Requests whose last day is near: the practice is told a week before it and once more on the day before, within the application and by
//! mail, whoever may answer them. Names no patient.

use chrono::NaiveDate;
use permanence_queue::NewJob;

use super::jobs::{SendAccessDigest, WatchAccessRequests};
use crate::{
    db::{SystemTx, TenantTx},
    error::Result,
    field::Language,
    identity::{Role, Scope},
    ids::{AccessRequestId, DigestId, TenantId, UserId, WatchId},
    notifications::{NewNotification, NotificationKind, content::access_notice, notify},
    scheduling::today,
};

/// How many days before the last one the practice is told first.
const WEEK: i32 = 7;

/// Has every practice looked at that has a request to answer soon; gives how many there are.
pub async fn request_watches(tx: &mut SystemTx) -> Result<usize> {
    let now = tx.now();
    // A day more than is needed: the practice's own clocks decide.
    let tenants = sqlx::query_scalar!(
        r#"SELECT DISTINCT tenant_id AS "id!: TenantId" FROM open_access_requests
           WHERE patient_id IS NOT NULL AND due_on <= $1::timestamptz::date + $2::integer"#,
        now,
        WEEK + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    for tenant in &tenants {
        tx.enqueue(NewJob::of(&WatchAccessRequests {})?.tenant(tenant.0)).await?;
    }
    Ok(tenants.len())
}

/// Tells whoever may answer them of the requests that are to be answered soon, each once a week before and once on the day before the last.
/// Gives how many were told of.
pub async fn watch(tx: &mut TenantTx) -> Result<usize> {
    let (tenant, now, today) = (tx.tenant(), tx.now(), today(tx).await?);
    let watch = WatchId::new(now);
    // What passes unseen for a while is told once, not twice. Of two looks at once the second waits for the key, and finds nothing.
    let found = sqlx::query!(
        r#"WITH near AS (
               SELECT id, due_on, CASE WHEN due_on - $4 <= 1 THEN 1 ELSE 7 END AS days_left
               FROM open_access_requests
               WHERE tenant_id = $1 AND patient_id IS NOT NULL AND due_on - $4 <= 7
           ), told AS (
               INSERT INTO access_alerts (tenant_id, access_request_id, days_left, watch_id, opened_at)
               SELECT $1, n.id, n.days_left, $2, $3 FROM near n
               WHERE NOT EXISTS (SELECT FROM access_alerts a
                                 WHERE a.tenant_id = $1 AND a.access_request_id = n.id AND a.days_left <= n.days_left)
               ON CONFLICT DO NOTHING
               RETURNING access_request_id
           )
           SELECT n.id AS "id!: AccessRequestId", n.due_on AS "due_on!"
           FROM told t JOIN near n ON n.id = t.access_request_id ORDER BY n.due_on, n.id"#,
        tenant.0,
        watch.0,
        now,
        today,
    )
    .fetch_all(tx.conn())
    .await?;
    if found.is_empty() {
        return Ok(0);
    }
    let found: Vec<_> = found.into_iter().map(|row| (row.id, row.due_on)).collect();
    tell(tx, watch, today, &found).await?;
    Ok(found.len())
}

async fn tell(
    tx: &mut TenantTx,
    watch: WatchId,
    today: NaiveDate,
    found: &[(AccessRequestId, NaiveDate)],
) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let language = sqlx::query_scalar!(
        r#"SELECT language AS "language: Language" FROM tenants WHERE id = $1"#,
        tenant.0
    )
    .fetch_one(tx.conn())
    .await?;
    let notices: Vec<NewNotification> = found
        .iter()
        .map(|(id, due_on)| {
            let (title, body) = access_notice(*due_on, today, language);
            NewNotification { kind: NotificationKind::AccessRequestDue, title, body, resource_id: Some(id.0) }
        })
        .collect();
    let users = answerers(tx, None).await?;
    notify(tx, &users, &notices).await?;
    for user in users {
        let id = DigestId::new(now);
        sqlx::query!(
            "INSERT INTO access_digests (tenant_id, id, watch_id, user_id, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $5)",
            tenant.0,
            id.0,
            watch.0,
            user.0,
            now,
        )
        .execute(tx.conn())
        .await?;
        tx.enqueue(NewJob::of(&SendAccessDigest { digest_id: id })?).await?;
    }
    Ok(())
}

/// The members who may answer requests; `of` names one alone.
pub(super) async fn answerers(tx: &mut TenantTx, of: Option<UserId>) -> Result<Vec<UserId>> {
    let rows = sqlx::query!(
        r#"SELECT user_id AS "user_id: UserId", role AS "role: Role" FROM memberships
           WHERE tenant_id = $1 AND accepted_at IS NOT NULL AND suspended_at IS NULL AND ($2::uuid IS NULL OR user_id = $2)
           ORDER BY user_id"#,
        tx.tenant().0,
        of.map(|user| user.0),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().filter(|row| row.role.may(Scope::AccessRead)).map(|row| row.user_id).collect())
}

/// How many requests of patients wait for an answer though their last day has passed, in every practice.
pub async fn overdue(tx: &mut SystemTx) -> Result<i64> {
    let now = tx.now();
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM open_access_requests o JOIN tenants t ON t.id = o.tenant_id
           WHERE o.patient_id IS NOT NULL AND o.due_on < ($1::timestamptz AT TIME ZONE t.time_zone)::date"#,
        now,
    )
    .fetch_one(tx.conn())
    .await?)
}
