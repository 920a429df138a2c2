//! Where the last mail to somebody leads whose account is erased: to the certificate, once there is one. It names nobody, and neither
//! does the page.

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use maud::{Markup, html};
use permanence_domain::{Error, privacy};

use super::{
    frame::{PageError, page, say},
    visit::Visit,
};

/// Tells how the erasure stands, and leads to its certificate.
pub(super) async fn show(visit: Visit) -> Result<Markup, PageError> {
    let (mut tx, id, language) = visit.certificate().await?;
    let there = match privacy::account_certificate_of(&mut tx, id).await {
        Ok(_) => true,
        Err(Error::Conflict { .. }) => false,
        Err(error) => return Err(error.into()),
    };
    let drawn = there && privacy::account_paper_of(&mut tx, id).await?.is_some();
    tx.commit().await?;
    let token = &visit.token;
    let say = |french, english| say(language, french, english);
    let title = if there {
        say("Votre compte est effacé", "Your account is erased")
    } else {
        say("L’effacement est en cours", "The erasure is under way")
    };
    let content = html! {
        h1 { (title) }
        @if there {
            p { (say(
                "Toutes les tables ont été relues\u{a0}: rien de ce qui vous désigne n’y a été trouvé. Le certificat signé dit ce \
                 qui a été détruit et ce que la loi conserve. Il ne nomme personne.",
                "Every table was read again: nothing that names you was found. The signed certificate says what was destroyed \
                 and what the law keeps. It names nobody.",
            )) }
            @if drawn {
                p { a href=(format!("{token}/certificate.pdf")) { (say("Certificat (PDF)", "Certificate (PDF)")) } }
            }
            p { a href=(format!("{token}/certificate.json")) { (say("Certificat signé (JSON)", "Signed certificate (JSON)")) } }
        } @else {
            p { (say(
                "Vos données sont effacées, puis tout est relu pour vérifier que rien ne reste. Le certificat sera ici ensuite, en \
                 général sous un jour.",
                "Your data are erased, then everything is read again to verify that nothing is left. The certificate will be here \
                 afterwards, usually within a day.",
            )) }
        }
    };
    Ok(page(language, title, &content))
}

/// The signed certificate, as a file.
pub(super) async fn json(visit: Visit) -> Result<Response, PageError> {
    let (mut tx, id, _) = visit.certificate().await?;
    let certificate = privacy::account_certificate_of(&mut tx, id).await?;
    tx.commit().await?;
    let disposition = format!("attachment; filename=\"erasure-{id}.json\"");
    Ok(([(header::CONTENT_DISPOSITION, disposition)], Json(certificate)).into_response())
}

/// To the certificate on paper: a link of the object store that lives for five minutes.
pub(super) async fn pdf(visit: Visit) -> Result<Response, PageError> {
    let (mut tx, id, _) = visit.certificate().await?;
    let paper = privacy::account_paper_of(&mut tx, id).await?.ok_or(Error::NotFound("certificate"))?;
    tx.commit().await?;
    let link = paper.link(visit.storage()).await?;
    Ok((StatusCode::FOUND, [(header::LOCATION, link)]).into_response())
}
