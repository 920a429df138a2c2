//! The trail of who did what to what. Owns the audit log, the seals that prove it, and what is forgotten of it; never records
//! content.

mod anchor;
mod class;
mod entry;
pub mod jobs;
mod read;
mod retention;
mod seal;
mod sealing;
mod trail;
pub mod verify;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    db::{Actor, SystemTx, TenantTx},
    error::Result,
    ids::TenantId,
};

pub use self::{
    anchor::{Anchor, anchor_key, anchor_number, anchors_beyond, next_anchor, note_anchor, read_anchors},
    class::Class,
    entry::Entry,
    read::{EntryNumber, Trail, TrailQuery, read_all, read_own},
    retention::{due_chains, forget_batch},
    seal::{Bytes, Chain, Head, Seal},
    sealing::{Backlog, Sealed, backlog, seal_batch, set_fence},
    trail::{Line, Removal, read_trail},
};

/// What an action was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Nothing in particular, or nothing that is known.
    Unknown,
    /// What has a UUID.
    Id(Uuid),
    /// What has a number or a name of its own, such as a job or a queue; never a person's.
    Name(String),
}

impl From<Uuid> for Subject {
    fn from(id: Uuid) -> Self {
        Self::Id(id)
    }
}

impl From<Option<Uuid>> for Subject {
    fn from(id: Option<Uuid>) -> Self {
        id.map_or(Self::Unknown, Self::Id)
    }
}

impl From<i64> for Subject {
    fn from(number: i64) -> Self {
        Self::Name(number.to_string())
    }
}

impl From<&str> for Subject {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

/// Notes an action on one of the tenant's resources, in the transaction of the action itself.
pub async fn record(
    tx: &mut TenantTx,
    action: &str,
    resource: &str,
    subject: impl Into<Subject>,
) -> Result<()> {
    let (tenant, deed) = (tx.tenant(), Deed { now: tx.now(), actor: tx.actor(), action, resource });
    add(tx.conn(), deed, &[(Some(tenant), subject.into())]).await
}

/// Notes an action that no tenant transaction carries, such as signing in.
pub async fn record_system(
    tx: &mut SystemTx,
    tenant: Option<TenantId>,
    action: &str,
    resource: &str,
    subject: impl Into<Subject>,
) -> Result<()> {
    record_many(tx, action, resource, &[(tenant, subject.into())]).await
}

/// Notes one action on many things, each in the trail of the tenant it belongs to.
pub async fn record_many(
    tx: &mut SystemTx,
    action: &str,
    resource: &str,
    subjects: &[(Option<TenantId>, Subject)],
) -> Result<()> {
    let deed = Deed { now: tx.now(), actor: tx.actor(), action, resource };
    add(tx.conn(), deed, subjects).await
}

/// What the rows of one action have in common.
struct Deed<'a> {
    now: DateTime<Utc>,
    actor: Actor,
    action: &'a str,
    resource: &'a str,
}

async fn add(
    conn: &mut PgConnection,
    deed: Deed<'_>,
    subjects: &[(Option<TenantId>, Subject)],
) -> Result<()> {
    let tenants: Vec<Option<Uuid>> =
        subjects.iter().map(|(tenant, _)| tenant.map(|tenant| tenant.0)).collect();
    let (ids, names): (Vec<Option<Uuid>>, Vec<Option<&str>>) = subjects
        .iter()
        .map(|(_, subject)| match subject {
            Subject::Unknown => (None, None),
            Subject::Id(id) => (Some(*id), None),
            Subject::Name(name) => (None, Some(name.as_str())),
        })
        .unzip();
    sqlx::query!(
        "INSERT INTO audit_log (tenant_id, at, actor_id, actor_patient_id, class, action, resource, resource_id, subject,
                                request_id)
         SELECT tenant_id, $1, $2, $9, $10, $3, $4, id, name, $5
         FROM unnest($6::uuid[], $7::uuid[], $8::text[]) AS s (tenant_id, id, name)",
        deed.now,
        deed.actor.user.map(|user| user.0),
        deed.action,
        deed.resource,
        deed.actor.request,
        &tenants as _,
        &ids as _,
        &names as _,
        deed.actor.patient.map(|patient| patient.0),
        Class::of(deed.action).as_str(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
