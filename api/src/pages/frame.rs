//! What the pages have in common: the frame, how the practice is called, and what is shown when something is wrong.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use maud::{DOCTYPE, Markup, html};
use permanence_domain::{Error, field::Language};

use crate::error::ApiError;

/// A page of a link with a token, in one language.
pub(super) fn page(language: Language, title: &str, content: &Markup) -> Markup {
    framed(language, title, &html! { link rel="stylesheet" href="../pages/style.css"; }, content)
}

/// A page with a head of its own. All that it names is relative to its place: the platform may be published under a path.
pub(super) fn framed(language: Language, title: &str, head: &Markup, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) }
                (head)
            }
            body { main { (content) } }
        }
    }
}

/// One of two sentences.
pub(super) fn say(language: Language, french: &'static str, english: &'static str) -> &'static str {
    match language {
        Language::Fr => french,
        Language::En => english,
    }
}

/// A number to call by a touch.
pub(super) fn telephone(number: &str) -> Markup {
    let dialled: String = number.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
    html! { a class="whole" href=(format!("tel:{dialled}")) { (number) } }
}

/// Why a page cannot be shown. A person reads it, in whichever language.
#[derive(Debug)]
pub(super) struct PageError(Error);

impl<E: Into<Error>> From<E> for PageError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        if matches!(self.0, Error::NotFound(_)) {
            return (StatusCode::NOT_FOUND, unknown()).into_response();
        }
        // The one map says the status and logs the cause.
        let status = ApiError::Domain(self.0).into_response().status();
        (status, trouble()).into_response()
    }
}

/// The form was not the page's own.
pub(super) fn misused() -> Response {
    (StatusCode::BAD_REQUEST, trouble()).into_response()
}

fn unknown() -> Markup {
    both(
        "Ce lien n’est pas valable",
        "Vérifiez qu’il est entier, ou suivez celui du message le plus récent.",
        "This link is not valid",
        "Check that it is whole, or follow the one of the newest message.",
    )
}

fn trouble() -> Markup {
    both(
        "Cela n’a pas fonctionné",
        "Rien n’a été changé, autant que nous sachions. Réessayez dans un instant.",
        "That did not work",
        "Nothing was changed, as far as we know. Try again in a moment.",
    )
}

fn both(title: &str, french: &str, english_title: &str, english: &str) -> Markup {
    let content = html! {
        h1 { (title) }
        p { (french) }
        div lang="en" class="second" { p { strong { (english_title) } } p { (english) } }
    };
    page(Language::Fr, title, &content)
}
