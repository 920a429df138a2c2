//! The developer's letter box: the mail and SMS that would have left.

use axum::{
    Router,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use maud::{DOCTYPE, Markup, html};
use permanence_embedded::outbox::{Message, Outbox};

/// `GET /outbox`, newest first.
pub(crate) fn page(outbox: Outbox) -> Router {
    Router::new().route("/outbox", get(show)).with_state(outbox)
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1c2733;\
background:#f6f8fa}article{background:#fff;border:1px solid #d5dde5;border-radius:8px;padding:1rem 1.25rem;margin:1rem 0}\
h2{font-size:1.05rem;margin:0}p{margin:.2rem 0}small{color:#5b6b7b}pre{white-space:pre-wrap;font:inherit;margin:.8rem 0 0}";

async fn show(State(outbox): State<Outbox>) -> Response {
    let messages = outbox.messages();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Outbox · Permanence" }
                style { (STYLE) }
            }
            body {
                h1 { "Outbox" }
                p { "Nothing here has left this machine. " (messages.len()) " message(s), newest first." }
                @for message in messages.iter().rev() { (article(message)) }
            }
        }
    };
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    let policy = (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    ([policy, (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], page).into_response()
}

fn article(message: &Message) -> Markup {
    let received = message.received_at().format("%Y-%m-%d %H:%M:%S UTC").to_string();
    match message {
        Message::Mail(mail) => html! {
            article {
                h2 { "✉ " (mail.subject().unwrap_or_default()) }
                p { small { (received) " · from " (mail.from) " · to " (mail.to.join(", ")) } }
                pre { (mail.text().unwrap_or_default()) }
            }
        },
        Message::Text(text) => html! {
            article {
                h2 { "SMS to " (text.to) }
                p { small { (received) " · from " (text.sender) } }
                pre { (text.body) }
            }
        },
    }
}
