use std::net::SocketAddr;
use std::time::Duration;

use mail_parser::{MessageParser, MimeHeaders};
use permanence_domain::notifications::content::Language;
use permanence_domain::notifications::content::calendar::{CalendarFacts, Method, calendar};
use permanence_workers::clients::smtp::{Email, Smtp, SmtpTimeouts};
use permanence_workers::clients::{Receipt, SendError};

use super::scripted::Step::{Expect, Hang, Mail};
use super::scripted::{Scripted, Step, nobody, say};

fn email() -> Email {
    Email {
        to: "lea@example.org".to_owned(),
        to_name: Some("Léa".to_owned()),
        from_name: Some("Cabinet Martin".to_owned()),
        subject: "Rappel".to_owned(),
        text: "Bonjour\n.un point\n".to_owned(),
        html: None,
        calendar: None,
        file: None,
        message_id: "<0190@permanence.example>".to_owned(),
        date: "2026-03-02T13:30:00Z".parse().unwrap(),
        headers: Vec::new(),
    }
}

fn smtp(credentials: &str, address: SocketAddr, options: &str) -> Smtp {
    let url = format!("smtp://{credentials}{address}{options}");
    Smtp::new(&url, "Permanence <no-reply@permanence.example>").unwrap()
}

async fn send(address: SocketAddr) -> Result<Receipt, SendError> {
    smtp("", address, "").send(&email()).await
}

/// Every test that waits for the client's patience to end waits this long.
fn impatient(smtp: Smtp) -> Smtp {
    let brief = Duration::from_millis(100);
    smtp.with_timeouts(SmtpTimeouts { connect: brief, command: brief, message: brief })
}

fn temporary(code: &str) -> Result<Receipt, SendError> {
    Err(SendError::Temporary { code: code.to_owned(), retry_after: None })
}

fn permanent(code: &str) -> Result<Receipt, SendError> {
    Err(SendError::Permanent { code: code.to_owned() })
}

fn uncertain(code: &str) -> Result<Receipt, SendError> {
    Err(SendError::Uncertain { code: code.to_owned() })
}

/// The conversation up to and with the mail, followed by `last`.
fn up_to_mail(last: Vec<Step>) -> Vec<Step> {
    let mut steps = vec![
        say("220 ready"),
        Expect("EHLO "),
        say("250 hello"),
        Expect("MAIL FROM:<no-reply@permanence.example>"),
        say("250 ok"),
        Expect("RCPT TO:<lea@example.org>"),
        say("250 ok"),
        Expect("DATA"),
        say("354 go"),
        Mail,
    ];
    steps.extend(last);
    steps
}

async fn outcome(steps: Vec<Step>) -> Result<Receipt, SendError> {
    let server = Scripted::start(vec![steps]).await;
    let outcome = send(server.address).await;
    server.heard().await;
    outcome
}

#[tokio::test]
async fn an_accepted_mail_gives_a_receipt_with_its_message_id() {
    let server =
        Scripted::start(vec![up_to_mail(vec![say("250 queued as 4F2"), Expect("QUIT"), say("221 bye")])])
            .await;
    let receipt = send(server.address).await.unwrap();
    assert_eq!(receipt, Receipt { provider: "smtp", message_id: "<0190@permanence.example>".to_owned() });
    let heard = server.heard().await;
    let mail = &heard[4];
    assert!(mail.contains("Message-ID: <0190@permanence.example>\r\n"), "{mail}");
    assert!(mail.contains("From: \"Cabinet Martin\" <no-reply@permanence.example>\r\n"), "{mail}");
    assert!(mail.contains("\r\n..un point\r\n"), "the dot is doubled on the wire: {mail}");
}

#[tokio::test]
async fn a_server_that_hangs_or_drops_after_accepting_has_accepted() {
    assert!(outcome(up_to_mail(vec![say("250 queued")])).await.is_ok());
    assert!(outcome(up_to_mail(vec![say("250 queued"), Hang])).await.is_ok());
}

#[tokio::test]
async fn a_reply_decides_by_its_class() {
    for (reply, expected) in [
        ("450 mailbox busy", temporary("smtp_450")),
        ("550 no such user", permanent("smtp_550")),
        ("421 closing", temporary("smtp_421")),
        ("530 sign in first", temporary("smtp_530")),
    ] {
        let steps = vec![
            say("220 ready"),
            Expect("EHLO "),
            say("250 hello"),
            Expect("MAIL"),
            say("250 ok"),
            Expect("RCPT"),
            say(reply),
            Expect("QUIT"),
        ];
        assert_eq!(outcome(steps).await, expected, "{reply}");
    }
    for (reply, expected) in [
        ("451 try later", temporary("smtp_451")),
        ("554 5.7.1 looks like spam", permanent("smtp_554")),
        ("452-first\r\n452 second", temporary("smtp_452")),
    ] {
        assert_eq!(outcome(up_to_mail(vec![say(reply), Expect("QUIT")])).await, expected, "{reply}");
    }
}

#[tokio::test]
async fn a_server_that_will_not_speak_with_us_has_not_judged_the_mail() {
    assert_eq!(outcome(vec![say("421 too busy")]).await, temporary("smtp_421"));
    assert_eq!(outcome(vec![say("554 not you")]).await, temporary("smtp_554"));
    assert_eq!(outcome(vec![say("hello?")]).await, temporary("broken_in_greeting"));
    assert_eq!(
        outcome(vec![say("220 ready"), Expect("EHLO "), say("502 what?")]).await,
        temporary("smtp_502")
    );
}

#[tokio::test]
async fn nobody_there_is_temporary() {
    assert_eq!(send(nobody().await).await, temporary("connect_refused"));
    let url = format!("smtps://{}", nobody().await);
    let encrypted = Smtp::new(&url, "no-reply@permanence.example").unwrap();
    assert_eq!(encrypted.send(&email()).await, temporary("connect_refused"));
}

#[tokio::test]
async fn a_connection_lost_before_the_mail_is_whole_is_temporary() {
    assert_eq!(outcome(vec![]).await, temporary("broken_in_greeting"));
    let steps = vec![say("220 ready"), Expect("EHLO "), say("250 hello"), Expect("MAIL")];
    assert_eq!(outcome(steps).await, temporary("broken_in_mail"));
}

#[tokio::test]
async fn a_connection_lost_after_the_mail_is_uncertain() {
    assert_eq!(outcome(up_to_mail(vec![])).await, uncertain("broken_after_data"));
    assert_eq!(outcome(up_to_mail(vec![say("2")])).await, uncertain("broken_after_data"));
    assert_eq!(outcome(up_to_mail(vec![say("354 again?")])).await, uncertain("unexpected_after_data"));
}

#[tokio::test]
async fn silence_is_temporary_before_the_mail_and_uncertain_after_it() {
    let before = vec![say("220 ready"), Expect("EHLO "), say("250 hello"), Expect("MAIL"), Hang];
    for (steps, expected) in [
        (vec![Hang], temporary("timeout_in_greeting")),
        (before, temporary("timeout_in_mail")),
        (up_to_mail(vec![Hang]), uncertain("timeout_after_data")),
    ] {
        let server = Scripted::start(vec![steps]).await;
        let outcome = impatient(smtp("", server.address, "")).send(&email()).await;
        assert_eq!(outcome, expected);
        server.heard().await;
    }
}

#[tokio::test]
async fn a_server_that_stops_reading_within_the_mail_has_not_taken_it() {
    let mut steps = up_to_mail(Vec::new());
    steps.pop();
    // More than the sockets between us hold, so that the dot cannot be written.
    let long = Email { text: "x".repeat(60).repeat(500_000), ..email() };
    steps.push(Step::Stall);
    let server = Scripted::start(vec![steps]).await;
    let outcome = impatient(smtp("", server.address, "")).send(&long).await;
    assert_eq!(outcome, temporary("timeout_in_data"));
}

#[tokio::test]
async fn signs_in_and_a_refused_password_is_the_operators_to_mend() {
    let hello = || vec![say("220 ready"), Expect("EHLO "), say("250-hello\r\n250 AUTH PLAIN LOGIN")];
    let mut refused = hello();
    // "\0anne\0p:w" in base64.
    refused.extend([Expect("AUTH PLAIN AGFubmUAcDp3"), say("535 5.7.8 wrong")]);
    let server = Scripted::start(vec![refused]).await;
    let outcome = smtp("anne:p%3Aw@", server.address, "").send(&email()).await;
    assert_eq!(outcome, temporary("smtp_535"));

    let server = Scripted::start(vec![vec![say("220 ready"), Expect("EHLO "), say("250 hello")]]).await;
    let outcome = smtp("anne:p%3Aw@", server.address, "").send(&email()).await;
    assert_eq!(outcome, temporary("not_offered_in_auth"));
}

#[tokio::test]
async fn required_encryption_comes_before_any_password_or_mail() {
    let server = Scripted::start(vec![vec![say("220 ready"), Expect("EHLO "), say("250 hello"), Hang]]).await;
    let outcome = smtp("anne:s3cret@", server.address, "?tls=required").send(&email()).await;
    assert_eq!(outcome, temporary("not_offered_in_starttls"));
    assert_eq!(server.heard().await.len(), 1, "nothing was said after EHLO");

    let broken = vec![
        say("220 ready"),
        Expect("EHLO "),
        say("250-hello\r\n250 STARTTLS"),
        Expect("STARTTLS"),
        say("220 go"),
        say("this is no handshake"),
        Hang,
    ];
    let server = Scripted::start(vec![broken]).await;
    let outcome = smtp("anne:s3cret@", server.address, "?tls=required").send(&email()).await;
    assert_eq!(outcome, temporary("tls_failed_in_starttls"));

    let server = Scripted::start(vec![vec![say("220 plain words"), Hang]]).await;
    let url = format!("smtps://{}", server.address);
    let outcome = Smtp::new(&url, "no-reply@permanence.example").unwrap().send(&email()).await;
    assert_eq!(outcome, temporary("tls_failed_in_greeting"));
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_before_any_connection() {
    let email = Email { to: "lea".to_owned(), ..email() };
    let outcome = smtp("", nobody().await, "").send(&email).await;
    assert_eq!(outcome, permanent("invalid_address"));
}

#[tokio::test]
async fn an_appointment_is_shown_by_the_mail_program_and_goes_as_a_file() {
    let facts = CalendarFacts {
        appointment: "01a1fd1a-f487-7a1e-bc82-a9271c090277".parse().unwrap(),
        sequence: 1,
        written_at: "2026-03-02T13:30:00Z".parse().unwrap(),
        starts_at: "2026-03-03T13:30:00Z".parse().unwrap(),
        ends_at: "2026-03-03T14:00:00Z".parse().unwrap(),
        practice_name: "Cabinet du Château".to_owned(),
        practice_address: Some("12 rue de la Paix, 75002 Paris".to_owned()),
        organizer: "no-reply@permanence.example".to_owned(),
        attendee: "lea@example.org".to_owned(),
        language: Language::Fr,
    };
    let server =
        Scripted::start(vec![up_to_mail(vec![say("250 queued"), Expect("QUIT"), say("221 bye")])]).await;
    let entry = calendar(Method::Cancel, &facts);
    let email = Email { html: Some("<p>Bonjour</p>".to_owned()), calendar: Some(entry.clone()), ..email() };
    let email = email.with_unsubscribe("https://rdv.permanence.example/u/7Gk2");
    smtp("", server.address, "").send(&email).await.unwrap();
    let heard = server.heard().await;
    let wire = &heard[4];
    assert!(wire.is_ascii(), "{wire}");
    for expected in [
        "Content-Type: multipart/mixed;",
        "Content-Type: multipart/alternative;",
        "Content-Type: text/calendar; method=CANCEL; charset=utf-8\r\n",
        "Content-Disposition: attachment; filename=\"invite.ics\"\r\n",
        "Content-Type: application/ics\r\n",
        "List-Unsubscribe: <https://rdv.permanence.example/u/7Gk2>\r\n",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
    ] {
        assert_eq!(wire.matches(expected).count(), 1, "{expected} in {wire}");
    }
    // Another program reads the parts in this order, and the entry as it was written.
    let read = MessageParser::new().parse(wire.as_bytes()).unwrap();
    let kinds: Vec<String> = read
        .parts
        .iter()
        .filter_map(|part| part.content_type())
        .map(|kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()))
        .collect();
    assert_eq!(
        kinds,
        [
            "multipart/mixed",
            "multipart/alternative",
            "text/plain",
            "text/html",
            "text/calendar",
            "application/ics"
        ]
    );
    let of = |kind: &str| {
        let place = kinds.iter().position(|found| found == kind).unwrap();
        String::from_utf8(read.parts[place].contents().to_vec()).unwrap()
    };
    assert_eq!(of("text/calendar"), entry.ics);
    assert_eq!(of("application/ics"), entry.ics);
}
