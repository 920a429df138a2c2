//! What a person at the terminal reads.

use crate::demo::{LOGIN, PASSWORD};

/// Writes to the terminal.
#[expect(clippy::print_stderr, reason = "this is the program's voice at a terminal, not its log")]
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}

/// Address, login and three commands to try.
pub(crate) fn welcome(address: &str, outbox: bool, demo: bool) -> String {
    let mut parts = vec![format!(
        "\nPermanence is ready at {address}\n  documentation  {address}/docs\n  health         {address}/health"
    )];
    if outbox {
        parts.push(format!("  outbox         {address}/outbox   (mail and SMS that would have left)"));
    }
    if demo {
        parts.push(format!(
            r#"
Sign in as {LOGIN} with the password {PASSWORD}

TOKEN=$(curl -s {address}/api/v1/auth/login -H 'Content-Type: application/json' \
    -d '{{"email":"{LOGIN}","password":"{PASSWORD}"}}' | sed 's/.*"access_token":"\([^"]*\).*/\1/')
curl -s '{address}/api/v1/patients?search=helene' -H "Authorization: Bearer $TOKEN"
curl -s '{address}/api/v1/appointments' -H "Authorization: Bearer $TOKEN""#
        ));
    }
    parts.push("\nCtrl-C ends it.".to_owned());
    parts.join("\n")
}
