//! Where the mails about the erasure of an account lead while it can be taken back: the person signs in, sees how it stands, and takes it
//! back. A script asks the API, as any frontend would; the session ends with the page.

use maud::{Markup, html};
use permanence_domain::field::Language;

use super::frame::framed;

/// Asks for address and password, then shows what the script finds.
pub(super) async fn show() -> Markup {
    let head = html! {
        link rel="stylesheet" href="pages/style.css";
        script src="pages/deletion.js" defer {}
    };
    let content = html! {
        h1 { "Suppression de votre compte" }
        p lang="en" class="second" { "Deletion of your account" }
        form id="form" {
            label for="email" { "Adresse électronique " span lang="en" class="second" { "Email address" } }
            input id="email" type="email" autocomplete="username" required;
            label for="password" { "Mot de passe " span lang="en" class="second" { "Password" } }
            input id="password" type="password" autocomplete="current-password" required maxlength="128";
            button type="submit" { "Se connecter · Sign in" }
        }
        p id="answer" role="status" {}
        ul id="held" {}
        button id="cancel" type="button" hidden { "Annuler la suppression · Cancel the deletion" }
        noscript { p { "Cette page a besoin de JavaScript. " span lang="en" { "This page needs JavaScript." } } }
    };
    framed(Language::Fr, "Suppression de votre compte · Permanence", &head, &content)
}
