//! The few pages that mails lead to; French first, English second. No page holds data: each asks the API like any
//! frontend.

use axum::{
    Router,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use maud::{DOCTYPE, Markup, html};

use crate::state::App;

/// The pages with their style and script, all from this server.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/invitation", get(invitation))
        .route(
            "/pages/invitation.js",
            get(async || text("text/javascript; charset=utf-8", include_str!("invitation.js"))),
        )
        .route("/pages/style.css", get(async || text("text/css; charset=utf-8", include_str!("style.css"))))
}

fn text(kind: &'static str, content: &'static str) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], content).into_response()
}

/// Where an invitation's mail leads: a password is chosen, and the member may sign in. The token is in the link's
/// fragment, which the browser sends to nobody.
async fn invitation() -> Markup {
    html! {
        (DOCTYPE)
        html lang="fr" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Accepter l’invitation · Permanence" }
                link rel="stylesheet" href="/pages/style.css";
                script src="/pages/invitation.js" defer {}
            }
            body {
                main {
                    h1 { "Accepter l’invitation" }
                    p lang="en" class="second" { "Accept the invitation" }
                    form id="form" {
                        label for="password" { "Mot de passe " span lang="en" class="second" { "Password" } }
                        input id="password" type="password" autocomplete="new-password" required minlength="8" maxlength="128";
                        p class="hint" {
                            "8 caractères au moins : une minuscule, une majuscule, un chiffre, un caractère spécial. "
                            "Si vous avez déjà un compte Permanence, donnez son mot de passe."
                        }
                        p lang="en" class="hint second" {
                            "At least 8 characters: a lower-case and an upper-case letter, a digit, a special character. "
                            "If you have a Permanence account already, give its password."
                        }
                        button type="submit" { "Accepter" }
                    }
                    p id="answer" role="status" {}
                    noscript { p { "Cette page a besoin de JavaScript. " span lang="en" { "This page needs JavaScript." } } }
                }
            }
        }
    }
}
