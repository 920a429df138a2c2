//! The words of messages, as a practice sees, tries and changes them.

use axum::{Json, http::StatusCode};
use permanence_domain::notifications::templates::{
    self, MessageTemplate, NewTemplate, Preview, PreviewRequest, TemplateKey, TemplateList,
};

use crate::{
    error::{CommonErrors, Result},
    extract::{Ask, Change, PracticeRead, PracticeWrite, Read, TemplatePath},
    respond::{Versioned, versioned},
};

/// Every message, and whether the practice has its own words for it.
#[utoipa::path(get, path = "/message-templates", tag = "templates", security(("bearer" = [])),
    responses((status = 200, body = TemplateList), CommonErrors))]
pub(crate) async fn list_templates(mut read: Read<PracticeRead>) -> Result<Json<TemplateList>> {
    let list = templates::list(&mut read.tx).await?;
    read.tx.commit().await?;
    Ok(Json(list))
}

/// The words of one message: those in force, the standard ones, those that were before.
#[utoipa::path(get, path = "/message-templates/{purpose}/{channel}/{language}", tag = "templates",
    security(("bearer" = [])), params(TemplateKey),
    responses((status = 200, body = MessageTemplate), CommonErrors))]
pub(crate) async fn get_template(
    mut read: Read<PracticeRead>,
    TemplatePath(key): TemplatePath,
) -> Result<Versioned<MessageTemplate>> {
    let template = templates::get(&mut read.tx, key).await?;
    read.tx.commit().await?;
    Ok(versioned(template.version, template))
}

/// Put the practice's own words in force. The next message goes by them.
#[utoipa::path(put, path = "/message-templates/{purpose}/{channel}/{language}", tag = "templates",
    security(("bearer" = [])), request_body = NewTemplate, params(TemplateKey, ("If-Match" = String, Header)),
    responses((status = 200, body = MessageTemplate), CommonErrors))]
pub(crate) async fn replace_template(
    TemplatePath(key): TemplatePath,
    mut change: Change<PracticeWrite, NewTemplate>,
) -> Result<Versioned<MessageTemplate>> {
    let template = templates::put(&mut change.tx, key, change.version, &change.body).await?;
    change.tx.commit().await?;
    Ok(versioned(template.version, template))
}

/// Go back to the standard words.
#[utoipa::path(delete, path = "/message-templates/{purpose}/{channel}/{language}", tag = "templates",
    security(("bearer" = [])), params(TemplateKey), responses((status = 204), CommonErrors))]
pub(crate) async fn reset_template(
    mut write: Read<PracticeWrite>,
    TemplatePath(key): TemplatePath,
) -> Result<StatusCode> {
    templates::reset(&mut write.tx, key).await?;
    write.tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Show words as they would arrive, with an invented appointment. Nothing is kept, so no key is needed.
#[utoipa::path(post, path = "/message-templates/preview", tag = "templates", security(("bearer" = [])),
    request_body = PreviewRequest, responses((status = 200, body = Preview), CommonErrors))]
pub(crate) async fn preview_template(mut ask: Ask<PracticeRead, PreviewRequest>) -> Result<Json<Preview>> {
    let preview = templates::preview(&mut ask.tx, &ask.body).await?;
    ask.tx.commit().await?;
    Ok(Json(preview))
}
