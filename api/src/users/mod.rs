//! Members of the tenant.

use axum::{Json, http::StatusCode, response::Response};
use permanence_domain::{
    identity::{self, ChangeRole, Member, NewMember},
    ids::UserId,
    page::{Page, PageQuery},
};

use crate::{
    error::{CommonErrors, Result},
    extract::{Change, Create, Empty, Path, Query, Read, UsersRead, UsersWrite},
    respond::{Versioned, versioned},
};

/// Invite a person; the mail with the invitation leaves as a job.
#[utoipa::path(post, path = "/users", tag = "users", security(("bearer" = [])), request_body = NewMember,
    params(("Idempotency-Key" = String, Header)), responses((status = 201, body = Member), CommonErrors))]
pub(crate) async fn invite_user(mut create: Create<UsersWrite, NewMember>) -> Result<Response> {
    let member = identity::invite(&mut create.tx, &create.body).await?;
    create.created(format!("/api/v1/users/{}", member.id), &member).await
}

/// The members, by name.
#[utoipa::path(get, path = "/users", tag = "users", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, body = Page<Member>), CommonErrors))]
pub(crate) async fn list_users(
    mut read: Read<UsersRead>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Member>>> {
    let members = identity::list_members(&mut read.tx, page).await?;
    read.tx.commit().await?;
    Ok(Json(members))
}

/// One member.
#[utoipa::path(get, path = "/users/{id}", tag = "users", security(("bearer" = [])), params(("id" = UserId, Path)),
    responses((status = 200, body = Member), CommonErrors))]
pub(crate) async fn get_user(mut read: Read<UsersRead>, Path(id): Path<UserId>) -> Result<Versioned<Member>> {
    let member = identity::get_member(&mut read.tx, id).await?;
    read.tx.commit().await?;
    Ok(versioned(member.version, member))
}

/// Give a member another role; it counts from their next request on.
#[utoipa::path(patch, path = "/users/{id}/role", tag = "users", security(("bearer" = [])), request_body = ChangeRole,
    params(("id" = UserId, Path), ("If-Match" = String, Header)), responses((status = 200, body = Member), CommonErrors))]
pub(crate) async fn change_user_role(
    Path(id): Path<UserId>,
    mut change: Change<UsersWrite, ChangeRole>,
) -> Result<Versioned<Member>> {
    let member = identity::change_role(&mut change.tx, id, change.version, &change.body).await?;
    change.tx.commit().await?;
    Ok(versioned(member.version, member))
}

/// Remove a member; their sessions here end at once.
#[utoipa::path(delete, path = "/users/{id}", tag = "users", security(("bearer" = [])), params(("id" = UserId, Path)),
    responses((status = 204), CommonErrors))]
pub(crate) async fn remove_user(mut write: Read<UsersWrite>, Path(id): Path<UserId>) -> Result<StatusCode> {
    identity::remove_member(&mut write.tx, id).await?;
    write.tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Send a member a new invitation; the earlier ones end.
#[utoipa::path(post, path = "/users/{id}/invitations", tag = "users", security(("bearer" = [])),
    params(("id" = UserId, Path), ("Idempotency-Key" = String, Header)), responses((status = 204), CommonErrors))]
pub(crate) async fn resend_invitation(
    Path(id): Path<UserId>,
    mut create: Create<UsersWrite, Empty>,
) -> Result<Response> {
    identity::resend_invitation(&mut create.tx, id).await?;
    create.done().await
}
