//! The steps of an account's erasure: it begins, and nobody signs in any more; the last mail leaves; then all tables of all tenants,
//! in one transaction; then what hangs on it elsewhere ends: files, and the patients that the person was.

use chrono::{DateTime, Duration, Utc};
use permanence_queue::{NewJob, Unique};
use sqlx::types::Json;

use super::{
    super::{Destroyed, ErasureStatus, Kept, erase::note, erasure::erase_with_account},
    kept::{kept, places},
    leave::leave,
    standing::{Held, held, in_consultation},
    whose,
};
use crate::{
    audit,
    db::{SystemTx, TenantTx},
    error::{Error, Result},
    identity::{AccountMailKind, create_account_mail},
    ids::{AppointmentId, ErasureId, PatientId, TenantId, UserId},
    privacy::jobs::EraseSubjects,
    scheduling,
    vault::Vault,
};

/// How long the last mail may take; then its address is forgotten all the same.
const LAST_MAIL: Duration = Duration::days(3);

/// How far an erasure has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountStep {
    /// It was taken back, or is over.
    Over,
    /// Its day has come, and somebody would be left stranded.
    Held,
    /// Something that others do is not done yet: ask again.
    Waiting,
    /// It is done.
    Done,
}

/// The erasures of accounts that are due or have begun, the oldest first.
pub async fn due_accounts(tx: &mut SystemTx) -> Result<Vec<ErasureId>> {
    let now = tx.now();
    Ok(sqlx::query_scalar!(
        r#"SELECT id AS "id: ErasureId" FROM account_erasures
           WHERE status = 'running' OR (status = 'pending' AND due_at <= $1) ORDER BY due_at, id"#,
        now,
    )
    .fetch_all(tx.conn())
    .await?)
}

struct Locked {
    user: UserId,
    home: TenantId,
    status: ErasureStatus,
    held: Json<Vec<Held>>,
    last_mail_until: Option<DateTime<Utc>>,
}

/// The erasure, then the memberships, then the user: whoever locks several of them does so in this order.
async fn lock(tx: &mut SystemTx, id: ErasureId) -> Result<Locked> {
    let row = sqlx::query!(
        r#"SELECT user_id AS "user: UserId", home_id AS "home: TenantId", status AS "status: ErasureStatus",
                  held AS "held: Json<Vec<Held>>", begun_at
           FROM account_erasures WHERE id = $1 FOR UPDATE"#,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("erasure"))?;
    sqlx::query!(
        "SELECT tenant_id FROM memberships WHERE user_id = $1 ORDER BY tenant_id FOR UPDATE",
        row.user.0
    )
    .fetch_all(tx.conn())
    .await?;
    sqlx::query!("SELECT id FROM users WHERE id = $1 FOR UPDATE", row.user.0).fetch_one(tx.conn()).await?;
    Ok(Locked {
        user: row.user,
        home: row.home,
        status: row.status,
        held: row.held,
        last_mail_until: row.begun_at.map(|at| at + LAST_MAIL),
    })
}

/// Begins an erasure whose day has come: from here on nobody signs in with the account, and it cannot be taken back. What is to be
/// searched for is sealed, the last mail planned, and the patients that the person is are erased by their practices' own jobs.
pub async fn begin_account(
    mut tx: SystemTx,
    vault: &Vault,
    id: ErasureId,
) -> Result<(SystemTx, AccountStep)> {
    let locked = lock(&mut tx, id).await?;
    match locked.status {
        ErasureStatus::Running => return Ok((tx, AccountStep::Done)),
        ErasureStatus::Cancelled | ErasureStatus::Completed => return Ok((tx, AccountStep::Over)),
        ErasureStatus::Pending => {}
    }
    let (user, home) = (locked.user, locked.home);
    let held = held(&mut tx, user).await?;
    if !held.is_empty() {
        hold(&mut tx, id, user, &locked.held, &held).await?;
        return Ok((tx, AccountStep::Held));
    }
    if in_consultation(&mut tx, user).await? {
        return Ok((tx, AccountStep::Waiting));
    }
    let (mut tenants, patients) = places(&mut tx, user).await?;
    let identifiers = whose::identifiers(&mut tx, user, &patients).await?;
    let (mut tx, kept) = kept(tx, user).await?;
    let gone = shut(&mut tx, user).await?;
    for (practice, patient) in &patients {
        let mut own = tx.narrow(*practice).await?;
        end_patient(&mut own, id, *patient).await?;
        tx = own.widen().await?;
    }
    tenants.extend(patients.iter().map(|(practice, _)| *practice));
    let plain = zeroize::Zeroizing::new(serde_json::to_vec(&identifiers).map_err(Error::internal)?);
    let mut own = tx.narrow(home).await?;
    let sealed =
        vault.writing(&mut own, whose::subject(user)).await?.seal(&whose::place(home, id), &plain)?;
    let mut tx = own.widen().await?;
    create_account_mail(&mut tx, Some(user), AccountMailKind::AccountErased).await?;
    let now = tx.now();
    let tenants: Vec<_> = tenants.iter().map(|tenant| tenant.0).collect();
    sqlx::query!(
        "UPDATE account_erasures
         SET status = 'running', begun_at = $2, reason = NULL, held = '[]', identifiers = $3, tenants = $4, kept = $5,
             destroyed = $6
         WHERE id = $1",
        id.0,
        now,
        sealed.0,
        &tenants,
        Json(&kept) as Json<&Vec<Kept>>,
        Json(&gone) as Json<&Vec<Destroyed>>,
    )
    .execute(tx.conn())
    .await?;
    audit::record_system(&mut tx, None, "erasure.begin", "user", user.0).await?;
    Ok((tx, AccountStep::Done))
}

/// Notes what an erasure waits for; the person is told once.
async fn hold(
    tx: &mut SystemTx,
    id: ErasureId,
    user: UserId,
    before: &Json<Vec<Held>>,
    held: &Vec<Held>,
) -> Result<()> {
    sqlx::query!("UPDATE account_erasures SET held = $2 WHERE id = $1", id.0, Json(held) as Json<&Vec<Held>>)
        .execute(tx.conn())
        .await?;
    if before.0.is_empty() {
        create_account_mail(tx, Some(user), AccountMailKind::DeletionHeld).await?;
    }
    Ok(())
}

/// Closes the account: no session, no password, no link or invitation by which it could be opened again.
async fn shut(tx: &mut SystemTx, user: UserId) -> Result<Vec<Destroyed>> {
    let mut gone = Vec::new();
    let sessions = sqlx::query!("DELETE FROM sessions WHERE user_id = $1", user.0)
        .execute(tx.conn())
        .await?
        .rows_affected();
    note(&mut gone, "sessions", sessions, "deleted");
    let invitations = sqlx::query!(
        "DELETE FROM invitations WHERE (tenant_id, user_id) IN
             (SELECT tenant_id, user_id FROM memberships WHERE user_id = $1)",
        user.0
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    note(&mut gone, "invitations", invitations, "deleted");
    let mails = sqlx::query!("DELETE FROM account_mails WHERE user_id = $1", user.0)
        .execute(tx.conn())
        .await?
        .rows_affected();
    note(&mut gone, "account_mails", mails, "deleted");
    sqlx::query!("UPDATE users SET password_hash = NULL, last_login_at = NULL WHERE id = $1", user.0)
        .execute(tx.conn())
        .await?;
    Ok(gone)
}

/// Cancels what the patient has booked, and has the practice erase them now.
async fn end_patient(tx: &mut TenantTx, id: ErasureId, patient: PatientId) -> Result<()> {
    let now = tx.now();
    // The patient before the appointment, as everywhere.
    sqlx::query!(
        "SELECT id FROM patients WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE",
        tx.tenant().0,
        patient.0
    )
    .fetch_optional(tx.conn())
    .await?;
    let coming = sqlx::query_scalar!(
        r#"SELECT id AS "id: AppointmentId" FROM appointments
           WHERE tenant_id = $1 AND patient_id = $2 AND status = 'scheduled' AND starts_at > $3 ORDER BY id"#,
        tx.tenant().0,
        patient.0,
        now,
    )
    .fetch_all(tx.conn())
    .await?;
    for appointment in coming {
        scheduling::cancel(tx, appointment).await?;
    }
    erase_with_account(tx, patient, id).await?;
    let job = NewJob::of(&EraseSubjects {})?.unique(Unique::until_finished(tx.tenant().to_string()));
    tx.enqueue(job).await?;
    Ok(())
}

/// Takes the person out of every table of every tenant, once the last mail has left. What came back meanwhile goes with the next
/// call: it can be done any number of times.
pub async fn erase_account(
    mut tx: SystemTx,
    vault: &Vault,
    id: ErasureId,
) -> Result<(SystemTx, AccountStep)> {
    let locked = lock(&mut tx, id).await?;
    let user = locked.user;
    if locked.status != ErasureStatus::Running {
        return Ok((tx, AccountStep::Over));
    }
    let now = tx.now();
    let leaving = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM account_mails
           WHERE user_id = $1 AND kind = 'account_erased' AND status IN ('pending', 'sending')"#,
        user.0,
    )
    .fetch_one(tx.conn())
    .await?;
    if leaving > 0 && locked.last_mail_until.is_some_and(|until| now < until) {
        return Ok((tx, AccountStep::Waiting));
    }
    let mut gone = Vec::new();
    let (tenants, _) = places(&mut tx, user).await?;
    for tenant in tenants {
        let mut own = tx.narrow(tenant).await?;
        leave(&mut own, vault, id, user, &mut gone).await?;
        tx = own.widen().await?;
    }
    forget(&mut tx, user, &mut gone).await?;
    sqlx::query!(
        "UPDATE account_erasures SET erased_at = coalesce(erased_at, $2), destroyed = destroyed || $3 WHERE id = $1",
        id.0,
        now,
        Json(&gone) as Json<&Vec<Destroyed>>,
    )
    .execute(tx.conn())
    .await?;
    if !gone.is_empty() {
        audit::record_system(&mut tx, None, "erasure.erase", "user", user.0).await?;
    }
    Ok((tx, AccountStep::Done))
}

/// Forgets what belongs to no tenant: the address, mails, stored answers. The row stays, as that of nobody.
async fn forget(tx: &mut SystemTx, user: UserId, gone: &mut Vec<Destroyed>) -> Result<()> {
    let now = tx.now();
    gone.extend(shut(tx, user).await?);
    let answers = sqlx::query!("DELETE FROM idempotency_keys WHERE principal_id = $1", user.0)
        .execute(tx.conn())
        .await?
        .rows_affected();
    note(gone, "idempotency_keys", answers, "deleted");
    // A name that no mail can reach (RFC 2606).
    let emptied = sqlx::query!(
        "UPDATE users SET email = 'deleted-' || id || '@deleted.invalid', password_hash = NULL, erased_at = $2
         WHERE id = $1 AND erased_at IS NULL",
        user.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    note(gone, "users", emptied.rows_affected(), "emptied");
    Ok(())
}

/// Whether all is done that others do: the patients are erased and proved, the files have left the store.
pub async fn account_objects(tx: &mut SystemTx, id: ErasureId) -> Result<AccountStep> {
    let left = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM patient_erasures p WHERE p.account_erasure_id = e.id AND p.status <> 'completed')
                  OR EXISTS (SELECT FROM exports x
                             WHERE x.tenant_id = ANY (e.tenants) AND x.status = 'removed' AND x.cleared_at IS NULL) AS "left!"
           FROM account_erasures e WHERE e.id = $1 AND e.status = 'running' AND e.erased_at IS NOT NULL"#,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(match left {
        None => AccountStep::Over,
        Some(true) => AccountStep::Waiting,
        Some(false) => AccountStep::Done,
    })
}
