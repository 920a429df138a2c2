//! The mail server: what a real client sends arrives, and each fault looks as it does in the world.

use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::transport::smtp::Error as SmtpError;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use permanence_embedded::Error;
use permanence_embedded::mail::{MailFault, MailServer};
use permanence_embedded::outbox::Outbox;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::ANY;

async fn start() -> (MailServer, Outbox) {
    let outbox = Outbox::in_memory();
    (MailServer::start(ANY, outbox.clone()).await.unwrap(), outbox)
}

async fn send(server: &MailServer, body: &str) -> Result<(), SmtpError> {
    let message = Message::builder()
        .from("Cabinet <cabinet@example.fr>".parse().unwrap())
        .to("patient@example.fr".parse().unwrap())
        .subject("Rappel : demain à 9 h")
        .header(ContentType::TEXT_PLAIN)
        .body(body.to_owned())
        .unwrap();
    let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&server.url()).unwrap().build();
    transport.send(message).await.map(|_| ())
}

#[tokio::test]
async fn a_mail_arrives_with_its_envelope_and_its_lone_dots() {
    let (server, outbox) = start().await;
    send(&server, "Bonjour,\n.\n..à demain\n").await.unwrap();
    let mails = outbox.mails();
    assert_eq!(
        (mails[0].from.as_str(), mails[0].to.as_slice()),
        ("cabinet@example.fr", &["patient@example.fr".to_owned()][..])
    );
    assert_eq!(mails[0].subject().unwrap(), "Rappel : demain à 9 h");
    assert_eq!(mails[0].text().unwrap().trim_end(), "Bonjour,\n.\n..à demain");
    assert_eq!(mails[0].header("to").unwrap(), "patient@example.fr");
    server.stop().await;
}

#[tokio::test]
async fn refusals_are_permanent_or_transient_as_their_code_says() {
    let (server, outbox) = start().await;
    for (fault, transient) in [
        (MailFault::Unavailable, true),
        (MailFault::RecipientDeferred, true),
        (MailFault::RecipientRefused, false),
        (MailFault::MessageDeferred, true),
    ] {
        server.faults().always(fault);
        let error = send(&server, "Bonjour").await.unwrap_err();
        assert_eq!(
            (error.is_transient(), error.is_permanent()),
            (transient, !transient),
            "{fault:?}: {error}"
        );
    }
    assert!(outbox.mails().is_empty());
    server.faults().next(2, MailFault::RecipientDeferred);
    assert!(send(&server, "un").await.is_err() && send(&server, "deux").await.is_err());
    send(&server, "trois").await.unwrap();
    assert_eq!(outbox.mails().len(), 1);
}

#[tokio::test]
async fn a_mail_may_have_arrived_although_nobody_said_so() {
    let (server, outbox) = start().await;
    for (count, fault) in [(1, MailFault::DropAfterData), (2, MailFault::HangAfterData)] {
        server.faults().next(1, fault);
        // This client bounds its connecting only, not the wait for an answer.
        let sent = tokio::time::timeout(Duration::from_secs(1), send(&server, "Bonjour")).await;
        assert_eq!(sent.is_err(), fault == MailFault::HangAfterData);
        if let Ok(answer) = sent {
            assert!(!answer.unwrap_err().is_permanent());
        }
        assert_eq!(outbox.mails().len(), count);
    }
}

#[tokio::test]
async fn commands_sent_at_once_are_answered_in_order() {
    let (server, outbox) = start().await;
    let mut stream = TcpStream::connect(server.addr()).await.unwrap();
    let talk = concat!(
        "RCPT TO:<early@example.fr>\r\nEHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.fr>\r\nRSET\r\n",
        "MAIL FROM:<b@example.fr> SIZE=999999999\r\nMAIL FROM:<b@example.fr> BODY=8BITMIME\r\n",
        "RCPT TO:<c@example.fr>\r\nRCPT TO:<d@example.fr>\r\nDATA\r\nSubject: x\r\n\r\n..\r\n.\r\nNOOP\r\nWHAT\r\nQUIT\r\n",
    );
    stream.write_all(talk.as_bytes()).await.unwrap();
    let mut heard = String::new();
    stream.read_to_string(&mut heard).await.unwrap();
    let codes: Vec<&str> =
        heard.lines().filter(|line| line.as_bytes()[3] == b' ').map(|line| &line[..3]).collect();
    let expected = [
        "220", "503", "250", "250", "250", "250", "552", "250", "250", "250", "354", "250", "250", "500",
        "221",
    ];
    assert_eq!(codes, expected);
    let mail = outbox.mails().remove(0);
    assert_eq!(mail.to, ["c@example.fr", "d@example.fr"]);
    assert_eq!(mail.raw, b"Subject: x\r\n\r\n.\r\n");
}

#[tokio::test]
async fn a_stop_ends_idle_sessions_and_a_busy_port_is_named() {
    let (server, outbox) = start().await;
    let addr = server.addr();
    let busy = MailServer::start(addr, outbox).await.unwrap_err();
    assert!(matches!(busy, Error::PortInUse { addr: named } if named == addr), "{busy}");
    let mut idle = TcpStream::connect(addr).await.unwrap();
    let mut greeting = [0; 4];
    idle.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"220 ");
    tokio::time::timeout(Duration::from_secs(5), server.stop()).await.unwrap();
    let mut heard = String::new();
    idle.read_to_string(&mut heard).await.unwrap();
    assert!(heard.contains("\r\n421 "), "{heard}");
    assert!(TcpStream::connect(addr).await.is_err());
}
