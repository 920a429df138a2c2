//! Asking for the erasure of one's own account, looking at it, taking it back. For thirty days nothing happens to the account.

use chrono::{DateTime, Duration, Utc};
use deserr::Deserr;
use serde::Serialize;
use sqlx::types::Json;
use utoipa::ToSchema;

use super::{
    super::{Destroyed, ErasureStatus, Finding, Kept},
    kept::kept,
    standing::{Held, refuse_stranding},
};
use crate::{
    audit,
    config::Secret,
    crypto::{self, PasswordCheck},
    db::{Db, SystemTx, TenantTx},
    error::{Error, Invalid, Result},
    field::Reason,
    identity::{AccountMailKind, create_account_mail},
    ids::{ErasureId, UserId},
};

/// How long an erasure can be taken back.
const PUT_OFF: Duration = Duration::days(30);

/// Somebody who wants their account erased.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct DeleteRequest {
    /// The password that the caller signs in with: an unattended screen is not enough.
    #[schema(value_type = String, format = Password)]
    pub password: Secret,
    /// Why, for the platform's operators; gone with the account.
    #[deserr(default)]
    pub reason: Option<Reason>,
}

/// The erasure of an account.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountErasure {
    /// Identifier.
    pub id: ErasureId,
    /// Whose: a number that leads to nobody once it is completed.
    pub user_id: UserId,
    /// How it stands.
    pub status: ErasureStatus,
    /// Asked for at.
    pub requested_at: DateTime<Utc>,
    /// Can be cancelled until then, and is done in the night after.
    pub due_at: DateTime<Utc>,
    /// Taken back at.
    pub cancelled_at: Option<DateTime<Utc>>,
    /// Erased at.
    pub erased_at: Option<DateTime<Utc>>,
    /// Searched and certified at.
    pub completed_at: Option<DateTime<Utc>>,
    /// Consultations of the person after that day, which will be cancelled.
    pub coming_consultations: i64,
    /// What it waits for although its day has come; empty while nothing is in its way.
    pub held: Vec<Held>,
    /// What was destroyed; empty before.
    pub destroyed: Vec<Destroyed>,
    /// What the law keeps, or will.
    pub kept: Vec<Kept>,
    /// Where the search still finds something; as long as it does there is no certificate.
    pub findings: Vec<Finding>,
}

pub(super) struct Row {
    pub(super) id: ErasureId,
    pub(super) user_id: UserId,
    pub(super) status: ErasureStatus,
    pub(super) requested_at: DateTime<Utc>,
    pub(super) due_at: DateTime<Utc>,
    pub(super) cancelled_at: Option<DateTime<Utc>>,
    pub(super) erased_at: Option<DateTime<Utc>>,
    pub(super) completed_at: Option<DateTime<Utc>>,
    pub(super) coming_consultations: i64,
    pub(super) held: Json<Vec<Held>>,
    pub(super) destroyed: Json<Vec<Destroyed>>,
    pub(super) kept: Json<Vec<Kept>>,
    pub(super) findings: Json<Vec<Finding>>,
}

impl From<Row> for AccountErasure {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            user_id: row.user_id,
            status: row.status,
            requested_at: row.requested_at,
            due_at: row.due_at,
            cancelled_at: row.cancelled_at,
            erased_at: row.erased_at,
            completed_at: row.completed_at,
            coming_consultations: row.coming_consultations,
            held: row.held.0,
            destroyed: row.destroyed.0,
            kept: row.kept.0,
            findings: row.findings.0,
        }
    }
}

/// Selects erasures of accounts; the text is what follows WHERE.
macro_rules! select_account_erasures {
    ($rest:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            $crate::privacy::account::request::Row,
            r#"SELECT e.id AS "id: ErasureId", e.user_id AS "user_id: UserId", e.status AS "status: ErasureStatus",
                      e.requested_at, e.due_at, e.cancelled_at, e.erased_at, e.completed_at,
                      (SELECT count(*) FROM employee_patients p
                       JOIN appointments a ON a.tenant_id = p.tenant_id AND a.patient_id = p.patient_id
                       WHERE p.user_id = e.user_id AND e.status = 'pending' AND a.status = 'scheduled'
                         AND a.ends_at > e.due_at) AS "coming_consultations!",
                      e.held AS "held: Json<Vec<Held>>", e.destroyed AS "destroyed: Json<Vec<Destroyed>>",
                      e.kept AS "kept: Json<Vec<Kept>>", e.findings AS "findings: Json<Vec<Finding>>"
               FROM account_erasures e WHERE "#
                + $rest,
            $($argument),*
        )
    };
}
pub(super) use select_account_erasures;

fn caller(tx: &TenantTx) -> Result<UserId> {
    tx.actor().user.ok_or_else(|| Error::internal("nobody asks for the erasure of an account"))
}

/// Asks for the erasure of the caller's account, in every tenant; a mail tells them. Whoever would leave a tenant without anybody in
/// charge, or patients without their practitioner, must see to that first. The transaction ends across tenants.
pub async fn request_deletion(
    db: &Db,
    tx: TenantTx,
    asked: &DeleteRequest,
) -> Result<(SystemTx, AccountErasure)> {
    let (user, home) = (caller(&tx)?, tx.tenant());
    let mut tx = tx.widen().await?;
    // Of two at once the second waits, and finds the first one's.
    let hash = sqlx::query_scalar!("SELECT password_hash FROM users WHERE id = $1 FOR NO KEY UPDATE", user.0)
        .fetch_one(tx.conn())
        .await?;
    if crypto::check_password(asked.password.clone(), hash).await? == PasswordCheck::Wrong {
        let actor = tx.actor();
        tx.rollback().await?;
        let mut tx = db.system(actor).await?;
        audit::record_system(&mut tx, None, "user.delete_refused", "user", user.0).await?;
        tx.commit().await?;
        return Err(Error::invalid("password", "wrong_password", "the password that you sign in with"));
    }
    let (now, due_at) = (tx.now(), tx.now() + PUT_OFF);
    refuse_stranding(&mut tx, user, due_at).await?;
    let (mut tx, kept) = kept(tx, user).await?;
    let id = ErasureId::new(now);
    let added = sqlx::query!(
        "INSERT INTO account_erasures (id, user_id, home_id, requested_at, due_at, reason, kept)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        id.0,
        user.0,
        home.0,
        now,
        due_at,
        asked.reason.as_ref().map(Reason::as_str),
        Json(&kept) as Json<&Vec<Kept>>,
    )
    .execute(tx.conn())
    .await?;
    if added.rows_affected() == 0 {
        return Err(Error::conflict("deletion_requested", "it has been asked for already: look at it"));
    }
    create_account_mail(&mut tx, Some(user), AccountMailKind::DeletionRequested).await?;
    audit::record_system(&mut tx, None, "user.delete_request", "user", user.0).await?;
    let erasure = newest(&mut tx, user).await?;
    Ok((tx, erasure))
}

/// Takes the erasure of the caller's account back, as long as it has not begun; a mail tells them. The transaction ends across
/// tenants.
pub async fn cancel_deletion(tx: TenantTx) -> Result<(SystemTx, AccountErasure)> {
    let user = caller(&tx)?;
    let mut tx = tx.widen().await?;
    newest(&mut tx, user).await?;
    let now = tx.now();
    let cancelled = sqlx::query!(
        "UPDATE account_erasures SET status = 'cancelled', cancelled_at = $2, reason = NULL, held = '[]'
         WHERE user_id = $1 AND status = 'pending'",
        user.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    if cancelled.rows_affected() == 0 {
        return Err(Error::conflict("erasure_begun", "it was cancelled before, or it has begun"));
    }
    create_account_mail(&mut tx, Some(user), AccountMailKind::DeletionCancelled).await?;
    audit::record_system(&mut tx, None, "user.delete_cancel", "user", user.0).await?;
    let erasure = newest(&mut tx, user).await?;
    Ok((tx, erasure))
}

/// The newest erasure of the caller's account that was asked for. The transaction ends across tenants.
pub async fn own_deletion(tx: TenantTx) -> Result<(SystemTx, AccountErasure)> {
    let user = caller(&tx)?;
    let mut tx = tx.widen().await?;
    let erasure = newest(&mut tx, user).await?;
    Ok((tx, erasure))
}

/// The one that stands, else the last that was taken back.
async fn newest(tx: &mut SystemTx, user: UserId) -> Result<AccountErasure> {
    let row = select_account_erasures!(
        "e.user_id = $1 ORDER BY (e.status = 'cancelled'), e.requested_at DESC, e.id DESC LIMIT 1",
        user.0
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(AccountErasure::from).ok_or(Error::NotFound("delete request"))
}
