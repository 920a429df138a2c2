//! Reports of what became of messages, called in by their providers: authenticated here, recorded by the domain.
//! They are no part of the API that frontends use, so the OpenAPI document leaves them out.

use std::time::Duration;

use axum::{
    body::to_bytes,
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode, header},
};
use permanence_domain::{
    db::Actor,
    notifications::receipts::{self, DeliveryReport, Provider, Recorded},
};

use crate::{
    error::{ApiError, Result, unknown_route},
    extract::MAX_BODY,
    observe::RequestId,
    state::App,
};

/// A report may overtake the commit of its own message's receipt: it is looked at again after this long.
const SETTLING: Duration = Duration::from_secs(1);

/// Takes a provider's call.
///
/// Any report that is authentic is answered `204`, known or not: the provider would only call again with the same.
pub(crate) async fn receive(
    State(app): State<App>,
    Path(provider): Path<String>,
    request: Request,
) -> Result<StatusCode> {
    let Some(provider) = Provider::parse(&provider) else { return Err(unknown_route().await) };
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY).await.map_err(|_| {
        let detail = format!("a body of at most {MAX_BODY} bytes is expected");
        ApiError::Http(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
    })?;
    let reports = match read(&app, provider, &parts.headers, &body) {
        Ok(reports) => reports,
        Err(Refused::NotSetUp) => return Err(unknown_route().await),
        Err(Refused::Stranger) => {
            count(provider, "stranger");
            let detail = "the signature or the token is not the provider's".to_owned();
            return Err(ApiError::Http(StatusCode::FORBIDDEN, "wrong_signature", detail));
        }
        Err(Refused::Unreadable) => {
            count(provider, "unreadable");
            let detail = "the body is no report of this provider".to_owned();
            return Err(ApiError::Http(StatusCode::BAD_REQUEST, "malformed_report", detail));
        }
    };
    let actor = Actor::unknown(RequestId::of(&parts));
    let unknown = record(&app, actor, reports).await?;
    if !unknown.is_empty() {
        tokio::time::sleep(SETTLING).await;
        for report in record(&app, actor, unknown).await? {
            count(report.provider, Recorded::Unknown.word());
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Records reports, each in a transaction of its own, and gives back those of messages that are not known.
async fn record(app: &App, actor: Actor, reports: Vec<DeliveryReport>) -> Result<Vec<DeliveryReport>> {
    let mut unknown = Vec::new();
    for report in reports {
        match receipts::record(app.db.system(actor).await?, &report).await? {
            Recorded::Unknown => unknown.push(report),
            recorded => count(report.provider, recorded.word()),
        }
    }
    Ok(unknown)
}

fn count(provider: Provider, outcome: &'static str) {
    metrics::counter!("permanence_delivery_reports_total", "provider" => provider.name(), "outcome" => outcome)
        .increment(1);
}

/// Why a call is not listened to.
enum Refused {
    NotSetUp,
    Stranger,
    Unreadable,
}

/// The reports of a call that is the provider's own.
fn read(
    app: &App,
    provider: Provider,
    headers: &HeaderMap,
    body: &[u8],
) -> std::result::Result<Vec<DeliveryReport>, Refused> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let now = app.clock().now();
    match provider {
        Provider::Twilio => {
            let (token, url) = app.webhooks.twilio.as_ref().ok_or(Refused::NotSetUp)?;
            let fields = receipts::twilio::fields(body);
            if !receipts::twilio::is_authentic(token, url, &fields, header("x-twilio-signature")) {
                return Err(Refused::Stranger);
            }
            receipts::twilio::report(&fields, now).map(|report| vec![report]).ok_or(Refused::Unreadable)
        }
        Provider::Brevo => {
            let secret = app.webhooks.brevo.as_ref().ok_or(Refused::NotSetUp)?;
            if !receipts::brevo::is_authentic(secret, header(header::AUTHORIZATION.as_str())) {
                return Err(Refused::Stranger);
            }
            receipts::brevo::reports(body, now).ok_or(Refused::Unreadable)
        }
        // It signs nothing: its receipts are asked for.
        Provider::Ovh => Err(Refused::NotSetUp),
    }
}
