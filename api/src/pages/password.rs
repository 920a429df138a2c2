//! Where a mail's secret link lets a person choose a password. The token is in the link's fragment, which the browser sends
//! to nobody; a script gives it to the API, as any frontend would.

use maud::{Markup, html};
use permanence_domain::field::Language;

use super::frame::framed;

/// Words in both languages.
struct Words {
    title: [&'static str; 2],
    button: &'static str,
    hint: [&'static str; 2],
    /// Where the password goes.
    route: &'static str,
    /// What is said of a token that does not hold.
    ended: &'static str,
    /// What is said of a person who has an account already, where that may be.
    wrong: &'static str,
}

const RULE: [&str; 2] = [
    "8 caractères au moins : une minuscule, une majuscule, un chiffre, un caractère spécial. ",
    "At least 8 characters: a lower-case and an upper-case letter, a digit, a special character. ",
];

/// Where an invitation's mail leads: a password is chosen, and the member may sign in.
pub(super) async fn invitation() -> Markup {
    choose(&Words {
        title: ["Accepter l’invitation", "Accept the invitation"],
        button: "Accepter",
        hint: [
            "Si vous avez déjà un compte Permanence, donnez son mot de passe.",
            "If you have a Permanence account already, give its password.",
        ],
        route: "api/v1/auth/accept-invitation",
        ended: "Cette invitation n’est plus valable : demandez-en une autre. — This invitation has ended: ask for another.",
        wrong: "Vous avez déjà un compte : donnez son mot de passe. — You have an account already: give its password.",
    })
}

/// Where the mail to somebody who forgot their password leads: another is chosen, and every session ends.
pub(super) async fn reset() -> Markup {
    choose(&Words {
        title: ["Choisir un nouveau mot de passe", "Choose a new password"],
        button: "Enregistrer",
        hint: ["Toutes vos sessions ouvertes seront fermées.", "All your open sessions will be closed."],
        route: "api/v1/auth/reset-password",
        ended: "Ce lien n’est plus valable : demandez-en un autre. — This link has ended: ask for another.",
        wrong: "",
    })
}

fn choose(words: &Words) -> Markup {
    let [title, second] = words.title;
    let head = html! {
        link rel="stylesheet" href="pages/style.css";
        script src="pages/password.js" defer {}
    };
    let content = html! {
        h1 { (title) }
        p lang="en" class="second" { (second) }
        form id="form" data-route=(words.route) data-ended=(words.ended) data-wrong=(words.wrong) {
            label for="password" { "Mot de passe " span lang="en" class="second" { "Password" } }
            input id="password" type="password" autocomplete="new-password" required minlength="8" maxlength="128";
            p class="hint" { (RULE[0]) (words.hint[0]) }
            p lang="en" class="hint second" { (RULE[1]) (words.hint[1]) }
            button type="submit" { (words.button) }
        }
        p id="answer" role="status" {}
        noscript { p { "Cette page a besoin de JavaScript. " span lang="en" { "This page needs JavaScript." } } }
    };
    framed(Language::Fr, &format!("{title} · Permanence"), &head, &content)
}
