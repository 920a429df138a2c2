//! A mail, and its form on the wire (RFC 5322, MIME).
//! It never chooses words.

use std::fmt;

use chrono::{DateTime, Utc};
use lettre::Message;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use permanence_domain::field::Label;
use permanence_domain::notifications::content::calendar::Calendar;
use permanence_domain::tenants::Settings;

use crate::clients::SendError;

/// A mail to hand to a server.
#[derive(Clone)]
pub struct Email {
    /// The address it goes to.
    pub to: String,
    /// The name shown beside it.
    pub to_name: Option<String>,
    /// The name shown as the sender's, instead of the platform's: usually the practice's.
    pub from_name: Option<String>,
    /// The subject.
    pub subject: String,
    /// The words, for programs that show plain text.
    pub text: String,
    /// The same words as HTML.
    pub html: Option<String>,
    /// An entry for the reader's calendar.
    pub calendar: Option<Calendar>,
    /// A file beside the words.
    pub file: Option<AttachedFile>,
    /// What makes this mail one and the same however often it is handed over (see [`super::Smtp::message_id`]).
    pub message_id: String,
    /// When it was written.
    pub date: DateTime<Utc>,
    /// Further headers (`Reply-To`, `List-Unsubscribe`…), as names and values.
    pub headers: Vec<(String, String)>,
}

/// A file that a mail carries.
#[derive(Clone)]
pub struct AttachedFile {
    /// Its name, in ASCII.
    pub name: String,
    /// Its media type.
    pub content_type: &'static str,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl Email {
    /// Sends the mail in a practice's name: that of its settings or else its own, with its address for answers.
    #[must_use]
    pub fn in_name_of(mut self, practice: &str, settings: &Settings) -> Self {
        let chosen = settings.email_sender_name.as_ref().map(Label::as_str);
        self.from_name = Some(chosen.unwrap_or(practice).to_owned());
        if let Some(address) = &settings.reply_to {
            self.headers.push(("Reply-To".to_owned(), address.as_str().to_owned()));
        }
        self
    }

    /// Tells mail programs where the reader stops such mails, with one click (RFC 8058) where the address is encrypted.
    /// The mail server's signature (DKIM) must cover both headers.
    #[must_use]
    pub fn with_unsubscribe(mut self, url: &str) -> Self {
        self.headers.push(("List-Unsubscribe".to_owned(), format!("<{url}>")));
        if url.starts_with("https://") {
            let post = "List-Unsubscribe=One-Click".to_owned();
            self.headers.push(("List-Unsubscribe-Post".to_owned(), post));
        }
        self
    }
}

/// Shows the identifier alone: the address and the words are a person's.
impl fmt::Debug for Email {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Email").field("message_id", &self.message_id).finish_non_exhaustive()
    }
}

/// Writes a mail in the form of the wire, or refuses it for good.
pub(super) fn format(email: &Email, from: &Mailbox) -> Result<Message, SendError> {
    let to = email.to.parse().map_err(|_| SendError::permanent("invalid_address"))?;
    let from_name = email.from_name.as_deref().map(one_line).or_else(|| from.name.clone());
    if !is_message_id(&email.message_id) {
        return Err(SendError::permanent("invalid_message_id"));
    }
    let mut builder = Message::builder()
        .from(Mailbox::new(from_name, from.email.clone()))
        .to(Mailbox::new(email.to_name.as_deref().map(one_line), to))
        .subject(one_line(&email.subject))
        .message_id(Some(email.message_id.clone()))
        .date(email.date.into())
        // RFC 3834: no holiday notice comes back.
        .raw_header(header("Auto-Submitted", "auto-generated")?);
    for (name, value) in &email.headers {
        builder = builder.raw_header(header(name, &one_line(value))?);
    }
    let message = match (&email.html, &email.calendar, &email.file) {
        (None, None, None) => builder.singlepart(SinglePart::plain(email.text.clone())),
        (_, None, None) => builder.multipart(words(email)),
        _ => builder.multipart(with_files(email)?),
    };
    message.map_err(|_| SendError::permanent("message_not_built"))
}

/// The words, in every form there is of them.
fn words(email: &Email) -> MultiPart {
    let plain = MultiPart::alternative().singlepart(SinglePart::plain(email.text.clone()));
    match &email.html {
        Some(html) => plain.singlepart(SinglePart::html(html.clone())),
        None => plain,
    }
}

/// The words with the entry beside them, for programs that show it (RFC 6047), and as a file, for those that do not; and
/// the file that the mail carries.
fn with_files(email: &Email) -> Result<MultiPart, SendError> {
    let content_type = |text: &str| text.parse().map_err(|_| SendError::permanent("message_not_built"));
    let (mut words, mut files) = (words(email), Vec::new());
    if let Some(calendar) = &email.calendar {
        let method = calendar.method.name();
        let shown: ContentType = content_type(&format!("text/calendar; method={method}; charset=utf-8"))?;
        words = words.singlepart(SinglePart::builder().header(shown).body(calendar.ics.clone()));
        let file = Attachment::new(Calendar::FILE.to_owned());
        files.push(file.body(calendar.ics.clone(), content_type("application/ics")?));
    }
    if let Some(file) = &email.file {
        let content_type = content_type(file.content_type)?;
        files.push(Attachment::new(file.name.clone()).body(file.bytes.clone(), content_type));
    }
    Ok(files.into_iter().fold(MultiPart::mixed().multipart(words), MultiPart::singlepart))
}

/// A line end in a header would begin another header.
pub(in crate::clients) fn one_line(text: &str) -> String {
    text.split(char::is_control).collect::<Vec<_>>().join(" ")
}

fn is_message_id(text: &str) -> bool {
    text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).is_some_and(|id| {
        id.contains('@') && id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'<' && byte != b'>')
    })
}

fn header(name: &str, value: &str) -> Result<HeaderValue, SendError> {
    let name =
        HeaderName::new_from_ascii(name.to_owned()).map_err(|_| SendError::permanent("invalid_header"))?;
    Ok(HeaderValue::new(name, value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email() -> Email {
        Email {
            to: "lea@example.org".to_owned(),
            to_name: Some("Léa Marchand".to_owned()),
            from_name: Some("Cabinet du Château".to_owned()),
            subject: "Rappel : août".to_owned(),
            text: "Bonjour Léa".to_owned(),
            html: Some("<p>Bonjour Léa</p>".to_owned()),
            calendar: None,
            file: None,
            message_id: "<1@example.org>".to_owned(),
            date: "2026-03-02T13:30:00Z".parse().unwrap(),
            headers: vec![("List-Unsubscribe".to_owned(), "<https://example.org/u>".to_owned())],
        }
    }

    fn written(email: &Email) -> Result<String, SendError> {
        let from = "Permanence <no-reply@permanence.example>".parse().unwrap();
        format(email, &from).map(|message| String::from_utf8(message.formatted()).unwrap())
    }

    #[test]
    fn is_plain_ascii_with_both_parts_and_its_own_identifier_and_date() {
        let wire = written(&email()).unwrap();
        assert!(wire.is_ascii());
        for expected in [
            "Message-ID: <1@example.org>\r\n",
            "Date: Mon, 02 Mar 2026 13:30:00 +0000\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "List-Unsubscribe: <https://example.org/u>\r\n",
            "<no-reply@permanence.example>\r\n",
            "Content-Type: multipart/alternative;",
            "Content-Type: text/plain; charset=utf-8\r\n",
            "Content-Type: text/html; charset=utf-8\r\n",
        ] {
            assert!(wire.contains(expected), "{expected} in {wire}");
        }
    }

    fn settings(of: serde_json::Value) -> Settings {
        serde_json::from_value(of).unwrap()
    }

    #[test]
    fn a_practice_s_name_and_address_for_answers_come_from_its_settings() {
        let plain = settings(serde_json::json!({ "time_zone": "Europe/Paris" }));
        let wire = written(&email().in_name_of("Cabinet Martin", &plain)).unwrap();
        assert!(wire.contains("From: \"Cabinet Martin\" <no-reply@permanence.example>\r\n"), "{wire}");
        assert!(!wire.contains("Reply-To"), "{wire}");
        let chosen = settings(serde_json::json!({
            "time_zone": "Europe/Paris", "email_sender_name": "Accueil", "reply_to": "accueil@martin.example",
        }));
        let wire = written(&email().in_name_of("Cabinet Martin", &chosen)).unwrap();
        assert!(wire.contains("From: Accueil <no-reply@permanence.example>\r\n"), "{wire}");
        assert!(wire.contains("Reply-To: accueil@martin.example\r\n"), "{wire}");
    }

    #[test]
    fn one_click_stops_such_mails_where_the_address_is_encrypted() {
        let stop = |url: &str| {
            let wire = written(&Email { headers: Vec::new(), ..email() }.with_unsubscribe(url)).unwrap();
            let lines = wire.split("\r\n").filter(|line| line.starts_with("List-"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let long = format!("https://rdv.example/u/{}", "7Gk2Qx9bT4mW".repeat(8));
        assert_eq!(
            stop(&long),
            [
                format!("List-Unsubscribe: <{long}>"),
                "List-Unsubscribe-Post: List-Unsubscribe=One-Click".to_owned()
            ]
        );
        assert_eq!(stop("http://127.0.0.1:8080/u/1"), ["List-Unsubscribe: <http://127.0.0.1:8080/u/1>"]);
    }

    #[test]
    fn no_text_begins_a_header_of_its_own() {
        let hostile = "x\r\nBcc: all@example.org";
        let mut email = email();
        email.subject = hostile.to_owned();
        email.to_name = Some(hostile.to_owned());
        email.from_name = Some(hostile.to_owned());
        email.headers = vec![("Reply-To".to_owned(), hostile.to_owned())];
        let wire = written(&email).unwrap();
        assert!(!wire.contains("\nBcc:"), "{wire}");
    }

    #[test]
    fn refuses_for_good_what_no_server_would_take() {
        let with = |change: fn(&mut Email)| {
            let mut email = email();
            change(&mut email);
            written(&email).unwrap_err()
        };
        assert_eq!(with(|email| email.to = "lea".to_owned()), SendError::permanent("invalid_address"));
        assert_eq!(
            with(|email| email.message_id = "<a b@c>".to_owned()),
            SendError::permanent("invalid_message_id")
        );
        assert_eq!(
            with(|email| email.headers = vec![("A: b".to_owned(), String::new())]),
            SendError::permanent("invalid_header")
        );
    }

    #[test]
    fn shows_nothing_of_a_person() {
        assert_eq!(format!("{:?}", email()), r#"Email { message_id: "<1@example.org>", .. }"#);
    }
}
