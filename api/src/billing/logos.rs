//! The picture that heads a practice's papers.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use permanence_domain::billing::{self, Logo};

use crate::{
    error::{CommonErrors, Result},
    extract::{LogoPicture, PracticeRead, PracticeWrite, Read, Upload},
    state::App,
};

/// Head what is issued from now on with a picture: the body is a PNG or a JPEG of at most 2 MB and 4000 pixels each way.
#[utoipa::path(post, path = "/settings/logo", tag = "settings", security(("bearer" = [])),
    request_body(content = Vec<u8>, content_type = "image/png"),
    params(("Idempotency-Key" = String, Header)), responses((status = 201, body = Logo), CommonErrors))]
pub(crate) async fn put_logo(
    Upload { mut create, .. }: Upload<PracticeWrite, LogoPicture>,
) -> Result<Response> {
    let (object, bytes) = (&create.body.object, create.body.bytes);
    let logo = billing::put_logo(&mut create.tx, object, bytes).await?;
    create.created("/api/v1/settings/logo".to_owned(), &logo).await
}

/// The logo in force: a link that lives for five minutes.
#[utoipa::path(get, path = "/settings/logo", tag = "settings", security(("bearer" = [])),
    responses((status = 302, description = "`Location` is the picture."), CommonErrors))]
pub(crate) async fn get_logo(State(app): State<App>, mut read: Read<PracticeRead>) -> Result<Response> {
    let logo = billing::get_logo(&mut read.tx).await?;
    read.tx.commit().await?;
    let link = logo.link(&app.storage).await?;
    Ok((StatusCode::FOUND, [(header::LOCATION, link)]).into_response())
}

/// Issue without a logo from now on.
#[utoipa::path(delete, path = "/settings/logo", tag = "settings", security(("bearer" = [])),
    responses((status = 204), CommonErrors))]
pub(crate) async fn remove_logo(mut write: Read<PracticeWrite>) -> Result<StatusCode> {
    billing::remove_logo(&mut write.tx).await?;
    write.tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
