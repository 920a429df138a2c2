//! Where the link that stops mails leads: a button for people, and one click for mail programs (RFC 8058).

use axum::{
    body::Bytes,
    response::{IntoResponse, Response},
};
use maud::{Markup, html};
use permanence_domain::patients::{self, MailView};

use super::{
    frame::{PageError, misused, page, say, telephone},
    visit::Visit,
};

/// Shows what would be stopped.
pub(super) async fn show(visit: Visit) -> Result<Markup, PageError> {
    let (mut tx, link) = visit.mail().await?;
    let view = patients::view_mail_link(&mut tx, visit.hashes(), &link).await?;
    tx.commit().await?;
    Ok(written(&view))
}

/// Stops the mails and says so: without a redirect, which a mail program would not follow.
pub(super) async fn stop(visit: Visit, body: Bytes) -> Result<Response, PageError> {
    if !is_one_click(&body) {
        return Ok(misused());
    }
    let (mut tx, link) = visit.mail().await?;
    let view = patients::stop_mail(&mut tx, visit.hashes(), &link).await?;
    tx.commit().await?;
    Ok(written(&view).into_response())
}

/// Whether the body says `List-Unsubscribe=One-Click`; a mail program may send it as either kind of form.
fn is_one_click(body: &[u8]) -> bool {
    let says = |words: &[u8]| body.windows(words.len()).any(|part| part == words);
    says(b"List-Unsubscribe=One-Click") || (says(b"name=\"List-Unsubscribe\"") && says(b"\nOne-Click"))
}

fn written(view: &MailView) -> Markup {
    let say = |french, english| say(view.language, french, english);
    let title = if view.written_to {
        say("Ne plus recevoir de mails\u{a0}?", "Stop these mails?")
    } else {
        say("Vous ne recevrez plus de mails", "You will get no more mails")
    };
    let content = html! {
        h1 { (title) }
        p class="from" { (view.practice_name) }
        @if view.written_to {
            p { (say(
                "Le cabinet ne vous écrira plus de mails : ni confirmations, ni rappels de vos rendez-vous.",
                "The practice will write you no more mails: neither confirmations nor reminders of your appointments.",
            )) }
            form method="post" {
                button name="List-Unsubscribe" value="One-Click" { (say("Ne plus recevoir de mails", "Stop these mails")) }
            }
        } @else {
            p { (say(
                "Plus aucun mail du cabinet ne part à cette adresse. Vos rendez-vous restent pris.",
                "No mail of the practice goes to this address any more. Your appointments stand.",
            )) }
            @if let Some(phone) = &view.practice_phone {
                p { (say("Pour en recevoir de nouveau, appelez le", "To get them again, call")) " " (telephone(phone)) "." }
            } @else {
                p { (say("Pour en recevoir de nouveau, dites-le au cabinet.", "To get them again, tell the practice.")) }
            }
        }
    };
    page(view.language, title, &content)
}

#[cfg(test)]
mod tests {
    use super::is_one_click;

    #[test]
    fn one_click_is_read_from_either_kind_of_form() {
        assert!(is_one_click(b"List-Unsubscribe=One-Click"));
        let parts =
            "--x\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--x--\r\n";
        assert!(is_one_click(parts.as_bytes()));
        for other in ["", "List-Unsubscribe=", "a=One-Click", "name=\"List-Unsubscribe\" No-One-Click"] {
            assert!(!is_one_click(other.as_bytes()), "{other}");
        }
    }
}
