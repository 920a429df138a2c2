//! Where the link of a confirmation or a reminder leads: the appointment, and what the patient may say about it.

use axum::{
    body::Bytes,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use maud::{Markup, html};
use permanence_domain::{
    Error,
    field::Language,
    notifications::content::{dates, unbroken},
    scheduling::{self, PatientView, Standing},
};

use super::{
    frame::{PageError, misused, page, say, telephone},
    visit::Visit,
};

/// Shows the appointment.
pub(super) async fn show(visit: Visit) -> Result<Response, PageError> {
    let (mut tx, link) = visit.appointment().await?;
    let view = scheduling::view_by_patient(&mut tx, link).await?;
    tx.commit().await?;
    let status = match view.standing {
        Standing::Open { .. } | Standing::Cancelled => StatusCode::OK,
        Standing::Superseded | Standing::Begun | Standing::Off => StatusCode::GONE,
    };
    Ok((status, written(&view)).into_response())
}

/// Confirms or cancels, as the button of the form says, and shows how the appointment stands then.
pub(super) async fn answer(visit: Visit, body: Bytes) -> Result<Response, PageError> {
    let (mut tx, link) = visit.appointment().await?;
    match &*body {
        b"answer=confirm" => scheduling::confirm_by_patient(&mut tx, link).await?,
        b"answer=cancel" => scheduling::cancel_by_patient(&mut tx, link).await?,
        _ => return Ok(misused()),
    };
    tx.commit().await?;
    // Relative: whatever path the platform is published under.
    let place = HeaderValue::from_str(&visit.token).map_err(Error::internal)?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response())
}

fn written(view: &PatientView) -> Markup {
    let language = view.language;
    let say = |french, english| say(language, french, english);
    let (title, content) = match view.standing {
        Standing::Open { confirmed, cancellable } => {
            (say("Votre rendez-vous", "Your appointment"), open(view, confirmed, cancellable))
        }
        Standing::Cancelled => (say("Rendez-vous annulé", "Appointment cancelled"), cancelled(view)),
        Standing::Superseded => (
            say("Ce lien ne vaut plus", "This link has ended"),
            html! {
                p { (say(
                    "Ce rendez-vous a changé depuis ce message. Le message le plus récent dit comment.",
                    "This appointment has changed since this message. The newest message says how.",
                )) }
                (call(view, say("Un doute\u{a0}? Appelez le", "In doubt? Call")))
            },
        ),
        Standing::Begun => (
            say("Ce lien ne vaut plus", "This link has ended"),
            html! {
                p { (say("L’heure de ce rendez-vous est passée.", "The time of this appointment has passed.")) }
                (call(view, say("Pour joindre le cabinet, appelez le", "To reach the practice, call")))
            },
        ),
        Standing::Off => (
            say("Répondez par téléphone", "Answer by telephone"),
            html! {
                p { (say(
                    "Le cabinet ne prend pas de réponse en ligne.",
                    "The practice takes no answer online.",
                )) }
                (call(view, say("Pour le joindre, appelez le", "To reach it, call")))
            },
        ),
    };
    page(language, title, &html! { h1 { (title) } p class="from" { (view.practice_name) } (content) })
}

fn open(view: &PatientView, confirmed: bool, cancellable: bool) -> Markup {
    let say = |french, english| say(view.language, french, english);
    html! {
        p class="card" {
            strong { (when(view)) }
            @if let Some(address) = &view.practice_address { br; (address) }
        }
        @if confirmed {
            p class="good" { (say("Vous avez confirmé votre venue. Merci\u{a0}!", "You have confirmed that you come. Thank you!")) }
        } @else {
            form method="post" {
                button name="answer" value="confirm" { (say("Confirmer ma venue", "Confirm that I come")) }
            }
        }
        @if cancellable {
            details {
                summary { (say("Annuler ce rendez-vous", "Cancel this appointment")) }
                p { (say(
                    "Il sera libéré pour quelqu’un d’autre, et vous ne pourrez pas le reprendre ici.",
                    "It will be free for somebody else, and you cannot take it back here.",
                )) }
                form method="post" {
                    button class="grave" name="answer" value="cancel" { (say("Oui, l’annuler", "Yes, cancel it")) }
                }
            }
            (call(view, say("Pour le déplacer, appelez le", "To move it, call")))
        } @else if view.practice_phone.is_some() {
            (call(view, say(
                "Il est trop tard pour l’annuler ici. Si vous ne pouvez pas venir, appelez le",
                "It is too late to cancel it here. If you cannot come, call",
            )))
        } @else {
            p { (say(
                "Il est trop tard pour l’annuler ici. Si vous ne pouvez pas venir, prévenez le cabinet.",
                "It is too late to cancel it here. If you cannot come, let the practice know.",
            )) }
        }
    }
}

fn cancelled(view: &PatientView) -> Markup {
    let at = when(view);
    html! {
        p class="good" {
            @match view.language {
                Language::Fr => { "Votre rendez-vous du " (at) " est annulé." }
                Language::En => { "Your appointment on " (at) " is cancelled." }
            }
        }
        (call(view, say(view.language, "Pour en prendre un autre, appelez le", "To book another, call")))
    }
}

fn when(view: &PatientView) -> String {
    unbroken(&dates::long(view.starts_at, view.zone, view.language))
}

/// Where to call, if the practice has a number.
fn call(view: &PatientView, words: &str) -> Markup {
    html! {
        @if let Some(phone) = &view.practice_phone { p { (words) " " (telephone(phone)) "." } }
    }
}
