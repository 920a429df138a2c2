//! The few pages that messages lead to; French first, English second, no script where a form will do. A page shows no
//! more than the message said, and a GET changes nothing: programs that check mails follow links.

mod appointment;
mod certificate;
mod deletion;
mod frame;
mod password;
mod unsubscribe;
mod visit;

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tower_http::set_header::SetResponseHeaderLayer;

use crate::state::App;

/// The pages with their style and script, all from this server.
pub(crate) fn routes() -> Router<App> {
    let script = "text/javascript; charset=utf-8";
    let robots = HeaderName::from_static("x-robots-tag");
    Router::new()
        .route("/invitation", get(password::invitation))
        .route("/reset-password", get(password::reset))
        .route("/r/{token}", get(appointment::show).post(appointment::answer))
        .route("/u/{token}", get(unsubscribe::show).post(unsubscribe::stop))
        .route("/cancel-deletion", get(deletion::show))
        .route("/e/{token}", get(certificate::show))
        .route("/e/{token}/certificate.json", get(certificate::json))
        .route("/e/{token}/certificate.pdf", get(certificate::pdf))
        .route("/pages/password.js", get(async || text(script, include_str!("password.js"))))
        .route("/pages/deletion.js", get(async || text(script, include_str!("deletion.js"))))
        .route("/pages/style.css", get(async || text("text/css; charset=utf-8", include_str!("style.css"))))
        .layer(SetResponseHeaderLayer::overriding(robots, HeaderValue::from_static("noindex")))
}

fn text(kind: &'static str, content: &'static str) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], content).into_response()
}
