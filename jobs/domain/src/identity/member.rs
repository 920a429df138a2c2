//! Memberships: who belongs to a tenant, and as what.

use chrono::{DateTime, Utc};
use deserr::Deserr;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Role, invitation};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Invalid, Result},
    field::{EmailAddress, FullName},
    ids::UserId,
    page::{Page, PageQuery},
};

/// A person to invite.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewMember {
    /// Where the invitation goes.
    pub email: EmailAddress,
    /// How colleagues know the person.
    pub full_name: FullName,
    /// What the person will be.
    pub role: Role,
}

/// Another role for a member.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct ChangeRole {
    /// The new role.
    pub role: Role,
}

/// A member of the tenant.
#[derive(Debug, Serialize, ToSchema)]
pub struct Member {
    /// The user.
    pub id: UserId,
    /// Address they sign in with.
    pub email: String,
    /// How colleagues know them.
    pub full_name: String,
    /// What they are here.
    pub role: Role,
    /// When they were invited.
    pub created_at: DateTime<Utc>,
    /// When they accepted; `null` while the invitation is open.
    pub accepted_at: Option<DateTime<Utc>>,
    /// Counts the changes, for `If-Match`.
    pub version: i32,
}

/// Invites a person who is no employee: those are brought in with what their company writes down of them.
pub async fn invite(tx: &mut TenantTx, new: &NewMember) -> Result<Member> {
    refuse_employee(new.role)?;
    bring_in(tx, new).await
}

/// Invites a person: an identity is found or made, and the invitation leaves as a job. The answer is the same
/// whether or not the address was known to the platform.
pub(crate) async fn bring_in(tx: &mut TenantTx, new: &NewMember) -> Result<Member> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let kind =
        sqlx::query_scalar!("SELECT kind FROM tenants WHERE id = $1", tenant.0).fetch_one(tx.conn()).await?;
    if !new.role.fits(&kind) {
        return Err(Error::invalid("role", "wrong_role", format!("a role that exists in a {kind}")));
    }
    let user = sqlx::query_scalar!(
        "SELECT invite_member($1, $2, $3, $4)",
        new.email.as_str(),
        new.role as Role,
        new.full_name.as_str(),
        now
    )
    .fetch_one(tx.conn())
    .await?
    .map(UserId)
    .ok_or_else(|| Error::conflict("already_member", "this address belongs to a member already"))?;
    invitation::create(tx, user).await?;
    audit::record(tx, "user.invite", "user", user.0).await?;
    get_member(tx, user).await
}

/// One member.
pub async fn get_member(tx: &mut TenantTx, id: UserId) -> Result<Member> {
    sqlx::query_as!(
        Member,
        r#"SELECT u.id AS "id: UserId", u.email, m.full_name, m.role AS "role: Role", m.created_at, m.accepted_at,
                  m.version
           FROM memberships m JOIN users u ON u.id = m.user_id
           WHERE m.tenant_id = $1 AND m.user_id = $2"#,
        tx.tenant().0,
        id.0
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("user"))
}

/// The members, by name.
pub async fn list_members(tx: &mut TenantTx, page: PageQuery) -> Result<Page<Member>> {
    let tenant = tx.tenant();
    let total =
        sqlx::query_scalar!(r#"SELECT count(*) AS "n!" FROM memberships WHERE tenant_id = $1"#, tenant.0)
            .fetch_one(tx.conn())
            .await?;
    let items = sqlx::query_as!(
        Member,
        r#"SELECT u.id AS "id: UserId", u.email, m.full_name, m.role AS "role: Role", m.created_at, m.accepted_at,
                  m.version
           FROM memberships m JOIN users u ON u.id = m.user_id
           WHERE m.tenant_id = $1
           ORDER BY fold(m.full_name), u.id LIMIT $2 OFFSET $3"#,
        tenant.0,
        page.limit(),
        page.offset(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(Page::new(items, page, total))
}

/// Gives a member another role; it counts from their next request on.
pub async fn change_role(tx: &mut TenantTx, id: UserId, version: i32, change: &ChangeRole) -> Result<Member> {
    let locked = lock(tx, id).await?;
    let member = find(&locked, id)?;
    if member.version != version {
        return Err(Error::Changed("user"));
    }
    let kind = sqlx::query_scalar!("SELECT kind FROM tenants WHERE id = $1", tx.tenant().0)
        .fetch_one(tx.conn())
        .await?;
    if !change.role.fits(&kind) {
        return Err(Error::invalid("role", "wrong_role", format!("a role that exists in a {kind}")));
    }
    if member.role != change.role {
        refuse_employee(change.role)?;
        keep_one_in_charge(&locked, member)?;
        sqlx::query!(
            "UPDATE memberships SET role = $3, version = version + 1 WHERE tenant_id = $1 AND user_id = $2",
            tx.tenant().0,
            id.0,
            change.role as Role,
        )
        .execute(tx.conn())
        .await?;
        audit::record(tx, "user.change_role", "user", id.0).await?;
    }
    get_member(tx, id).await
}

/// Lets a member in no longer, and ends their sessions here; or lets them in again. Twice is the same as once.
pub(crate) async fn suspend(tx: &mut TenantTx, id: UserId, suspended: bool) -> Result<()> {
    let locked = lock(tx, id).await?;
    keep_one_in_charge(&locked, find(&locked, id)?)?;
    let now = tx.now();
    sqlx::query!(
        "UPDATE memberships SET suspended_at = CASE WHEN $3 THEN COALESCE(suspended_at, $4) END
         WHERE tenant_id = $1 AND user_id = $2",
        tx.tenant().0,
        id.0,
        suspended,
        now,
    )
    .execute(tx.conn())
    .await?;
    end_sessions(tx, id).await
}

/// Removes a member and ends their sessions here; the identity stays, it may belong elsewhere.
pub async fn remove_member(tx: &mut TenantTx, id: UserId) -> Result<()> {
    let locked = lock(tx, id).await?;
    keep_one_in_charge(&locked, find(&locked, id)?)?;
    end_sessions(tx, id).await?;
    sqlx::query!("DELETE FROM memberships WHERE tenant_id = $1 AND user_id = $2", tx.tenant().0, id.0)
        .execute(tx.conn())
        .await?;
    audit::record(tx, "user.remove", "user", id.0).await
}

/// Ends all of a member's sessions in this tenant.
async fn end_sessions(tx: &mut TenantTx, id: UserId) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "UPDATE sessions SET revoked_at = $3, revoked_reason = 'membership_removed'
         WHERE tenant_id = $1 AND user_id = $2 AND revoked_at IS NULL",
        tx.tenant().0,
        id.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Nobody becomes an employee by a role alone.
fn refuse_employee(role: Role) -> Result<()> {
    if role == Role::Employee {
        return Err(Error::invalid(
            "role",
            "wrong_role",
            "another role: employees come in by POST /employees",
        ));
    }
    Ok(())
}

struct Locked {
    user_id: UserId,
    role: Role,
    version: i32,
    accepted: bool,
}

/// Locks a member together with everybody in charge, in one order: of two administrators who demote each other at
/// once, the second waits and then finds out.
async fn lock(tx: &mut TenantTx, id: UserId) -> Result<Vec<Locked>> {
    Ok(sqlx::query_as!(
        Locked,
        r#"SELECT user_id AS "user_id: UserId", role AS "role: Role", version, accepted_at IS NOT NULL AS "accepted!"
           FROM memberships
           WHERE tenant_id = $1 AND (user_id = $2 OR role IN ('admin', 'hr_admin', 'super_admin')) ORDER BY user_id FOR UPDATE"#,
        tx.tenant().0,
        id.0
    )
    .fetch_all(tx.conn())
    .await?)
}

fn find(locked: &[Locked], id: UserId) -> Result<&Locked> {
    locked.iter().find(|member| member.user_id == id).ok_or(Error::NotFound("user"))
}

/// Refuses to take away the last one who can invite others. One who has not accepted yet is in charge of nothing.
fn keep_one_in_charge(locked: &[Locked], member: &Locked) -> Result<()> {
    let in_charge = |other: &&Locked| other.role == member.role && other.accepted;
    let last = member.accepted
        && matches!(member.role, Role::Admin | Role::HrAdmin | Role::SuperAdmin)
        && locked.iter().filter(in_charge).count() <= 1;
    if last { Err(Error::conflict("last_admin", "this is the tenant's last administrator")) } else { Ok(()) }
}
