//! What a person at the terminal reads.

use crate::demo::{self, PASSWORD};

/// Writes to the terminal.
#[expect(clippy::print_stderr, reason = "this is the program's voice at a terminal, not its log")]
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}

/// Address, login and three commands to try.
pub(crate) fn welcome(address: &str, mail: bool, demo: bool) -> String {
    let mut text = format!(
        "\nPermanence is ready at {address}\n  documentation  {address}/docs\n  health         {address}/health\n"
    );
    if mail {
        text += &format!("  outbox         {address}/outbox   (mail and SMS that would have left)\n");
    }
    if demo {
        text += &format!(
            "\nSign in as {login} with the password {PASSWORD}\n\n\
             TOKEN=$(curl -s {address}/api/v1/auth/login -H 'Content-Type: application/json' \\\n    \
             -d '{{\"email\":\"{login}\",\"password\":\"{PASSWORD}\"}}' | sed 's/.*\"access_token\":\"\\([^\"]*\\).*/\\1/')\n\
             curl -s '{address}/api/v1/patients?search=helene' -H \"Authorization: Bearer $TOKEN\"\n\
             curl -s '{address}/api/v1/appointments' -H \"Authorization: Bearer $TOKEN\"\n",
            login = demo::LOGIN,
        );
    }
    text + "\nCtrl-C ends it."
}
