//! Reading the trail, which is itself recorded. A tenant's members read its own, operators of the platform all of them.

use deserr::Deserr;
use serde::Serialize;
use sqlx::{Postgres, QueryBuilder};
use utoipa::{IntoParams, ToSchema};

use super::{Entry, record, record_system};
use crate::{
    db::{SystemTx, TenantTx},
    error::{Error, Invalid, Problem, Result},
    field::{Instant, from_text},
    ids::{TenantId, UserId},
    operations::not_an_operator,
    page::Count,
};

/// Which entries.
#[derive(Debug, Default, Deserr, IntoParams)]
#[into_params(parameter_in = Query)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct TrailQuery {
    /// Entries of one action, such as `patient.update`.
    #[deserr(default)]
    pub action: Option<String>,
    /// Entries about one kind of thing, such as `patient`.
    #[deserr(default)]
    pub resource: Option<String>,
    /// Entries of what one user did.
    #[deserr(default)]
    pub user_id: Option<UserId>,
    /// Entries of one tenant's trail; for operators.
    #[deserr(default)]
    pub tenant_id: Option<TenantId>,
    /// What happened then or later.
    #[deserr(default)]
    pub since: Option<Instant>,
    /// What happened before.
    #[deserr(default)]
    pub until: Option<Instant>,
    /// Only those before this one: `next` of the page before.
    #[deserr(default)]
    #[param(value_type = Option<i64>)]
    pub before: Option<EntryNumber>,
    /// Rows on a page, 1 to 100.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 50)]
    pub limit: Count<50, 100>,
}

/// An entry's number in a query string.
#[derive(Debug, Clone, Copy)]
pub struct EntryNumber(pub i64);

impl Deserr<Invalid> for EntryNumber {
    fn deserialize_from_value<V: deserr::IntoValue>(
        value: deserr::Value<V>,
        location: deserr::ValuePointerRef<'_>,
    ) -> Result<Self, Invalid> {
        from_text(value, location, |text| {
            text.parse()
                .map(Self)
                .map_err(|_| Problem::new("", "not_a_number", "an entry's number").read(text))
        })
    }
}

/// A page of the trail, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Trail {
    /// The entries.
    pub items: Vec<Entry>,
    /// Give it as `before` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// Reads the tenant's own trail, and records that.
pub async fn read_own(tx: &mut TenantTx, query: TrailQuery) -> Result<Trail> {
    if query.tenant_id.is_some() {
        return Err(not_an_operator());
    }
    let query = TrailQuery { tenant_id: Some(tx.tenant()), ..query };
    let trail = page(tx.conn(), &query).await?;
    record(tx, "audit.read", "audit_log", None).await?;
    Ok(trail)
}

/// Reads the trail of all tenants or of one, and records that: in the trail of the tenant that was asked for, else in the
/// platform's.
pub async fn read_all(tx: &mut SystemTx, query: &TrailQuery) -> Result<Trail> {
    let trail = page(tx.conn(), query).await?;
    // A tenant that does not exist has no trail to be noted in.
    let known = sqlx::query_scalar!(
        r#"SELECT id AS "id: TenantId" FROM tenants WHERE id = $1"#,
        query.tenant_id.map(|tenant| tenant.0)
    )
    .fetch_optional(tx.conn())
    .await?;
    record_system(tx, known, "audit.read", "audit_log", None).await?;
    Ok(trail)
}

/// Put together from parts: each filter that is there narrows the range of an index, and one that may be absent would hide it
/// from the plan.
async fn page(conn: &mut sqlx::PgConnection, query: &TrailQuery) -> Result<Trail> {
    if query.since.zip(query.until).is_some_and(|(since, until)| since > until) {
        return Err(Error::invalid("until", "before_since", "an instant that is not before `since`"));
    }
    let mut sql = QueryBuilder::<Postgres>::new(
        "SELECT id, tenant_id, class, at, actor_id, actor_patient_id, action, resource, resource_id, subject, request_id
         FROM audit_log WHERE true",
    );
    if let Some(tenant) = query.tenant_id {
        sql.push(" AND tenant_id = ").push_bind(tenant.0);
    }
    if let Some(user) = query.user_id {
        sql.push(" AND actor_id = ").push_bind(user.0);
    }
    if let Some(action) = &query.action {
        sql.push(" AND action = ").push_bind(action);
    }
    if let Some(resource) = &query.resource {
        sql.push(" AND resource = ").push_bind(resource);
    }
    if let Some(since) = query.since {
        sql.push(" AND at >= ").push_bind(since.0);
    }
    if let Some(until) = query.until {
        sql.push(" AND at < ").push_bind(until.0);
    }
    if let Some(EntryNumber(before)) = query.before {
        // One that retention has removed meanwhile has nothing after it that it has not removed as well.
        sql.push(" AND (at, id) < (SELECT at, id FROM audit_log WHERE id = ").push_bind(before).push(")");
    }
    let limit = query.limit.get();
    sql.push(" ORDER BY at DESC, id DESC LIMIT ").push_bind(limit);
    let items: Vec<Entry> = sql.build_query_as().fetch_all(conn).await?;
    let full = i64::try_from(items.len()).is_ok_and(|count| count == limit);
    let next = items.last().filter(|_| full).map(|entry| entry.id);
    Ok(Trail { items, next })
}
