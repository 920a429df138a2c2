//! Who hears of alerts about the stock, and how. A member without a choice hears within the application if their role looks
//! after the stock, and gets no mail.

use deserr::Deserr;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    db::TenantTx,
    error::{Error, Invalid, Result},
    identity::{Role, Scope},
    ids::UserId,
};

/// How a member wants to hear of alerts.
#[derive(Debug, Clone, Copy, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewSubscription {
    /// Within the application.
    pub in_app: bool,
    /// By mail.
    pub email: bool,
}

/// How a member hears of alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Subscription {
    /// Within the application.
    pub in_app: bool,
    /// By mail, one for all that a look at the stock found.
    pub email: bool,
    /// Counts the changes, for `If-Match`; 0 before the first.
    pub version: i32,
}

impl Subscription {
    fn of(role: Role, chosen: Option<Self>) -> Self {
        if !role.may(Scope::InventoryRead) {
            return Self { in_app: false, email: false, version: chosen.map_or(0, |chosen| chosen.version) };
        }
        chosen.unwrap_or(Self { in_app: role.may(Scope::InventoryWrite), email: false, version: 0 })
    }
}

/// A member with how they want to hear.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subscriber {
    pub(super) user: UserId,
    pub(super) how: Subscription,
}

/// The members who have accepted, with how they want to hear; `of` names one alone.
pub(super) async fn subscribers(tx: &mut TenantTx, of: Option<UserId>) -> Result<Vec<Subscriber>> {
    let rows = sqlx::query!(
        r#"SELECT m.user_id AS "user_id: UserId", m.role AS "role: Role", s.in_app AS "in_app?", s.email AS "email?",
                  s.version AS "version?"
           FROM memberships m
           LEFT JOIN inventory_subscriptions s ON s.tenant_id = m.tenant_id AND s.user_id = m.user_id
           WHERE m.tenant_id = $1 AND m.accepted_at IS NOT NULL AND ($2::uuid IS NULL OR m.user_id = $2)
           ORDER BY m.user_id"#,
        tx.tenant().0,
        of.map(|user| user.0),
    )
    .fetch_all(tx.conn())
    .await?;
    let subscribers = rows.into_iter().map(|row| {
        let chosen = match (row.in_app, row.email, row.version) {
            (Some(in_app), Some(email), Some(version)) => Some(Subscription { in_app, email, version }),
            _ => None,
        };
        Subscriber { user: row.user_id, how: Subscription::of(row.role, chosen) }
    });
    Ok(subscribers.collect())
}

/// How the caller hears of alerts.
pub async fn subscription(tx: &mut TenantTx) -> Result<Subscription> {
    let user = caller(tx)?;
    let found = subscribers(tx, Some(user)).await?;
    found.first().map(|subscriber| subscriber.how).ok_or(Error::NotFound("user"))
}

/// Lets the caller hear of alerts as they want to.
pub async fn subscribe(tx: &mut TenantTx, version: i32, new: NewSubscription) -> Result<Subscription> {
    let (tenant, user, now) = (tx.tenant(), caller(tx)?, tx.now());
    let kept = sqlx::query_scalar!(
        "INSERT INTO inventory_subscriptions AS s (tenant_id, user_id, in_app, email, updated_at)
         SELECT $1, $2, $3, $4, $5 WHERE $6 = 0
            OR EXISTS (SELECT FROM inventory_subscriptions WHERE tenant_id = $1 AND user_id = $2)
         ON CONFLICT (tenant_id, user_id) DO UPDATE
         SET in_app = excluded.in_app, email = excluded.email, updated_at = excluded.updated_at,
             version = s.version + 1
         WHERE s.version = $6
         RETURNING version",
        tenant.0,
        user.0,
        new.in_app,
        new.email,
        now,
        version,
    )
    .fetch_optional(tx.conn())
    .await?;
    match kept {
        Some(_) => subscription(tx).await,
        None => Err(Error::Changed("subscription")),
    }
}

fn caller(tx: &TenantTx) -> Result<UserId> {
    tx.actor().user.ok_or_else(|| Error::internal("a subscription belongs to a member"))
}
