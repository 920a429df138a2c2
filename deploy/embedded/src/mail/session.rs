//! One SMTP conversation.
//! It never acknowledges a message that the outbox did not keep.

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::MailFault;
use crate::faults::Faults;
use crate::outbox::Outbox;

/// The largest message taken, as EHLO tells (RFC 1870).
const MAX_SIZE: usize = 25 << 20;
/// RFC 5321 asks for 1000 bytes of text at least; senders that forget to fold get along too.
const MAX_LINE: u64 = 64 << 10;

/// Serves a connection until the client leaves, a fault ends it or the server stops.
pub(super) async fn serve(
    mut stream: TcpStream,
    outbox: Outbox,
    faults: Faults<MailFault>,
    stop: CancellationToken,
) {
    let (reader, writer) = stream.split();
    let mut session = Session {
        reader: BufReader::new(reader),
        writer,
        outbox,
        faults,
        stop,
        envelope: Envelope::default(),
    };
    if let Err(error) = session.run().await {
        tracing::debug!(%error, "a mail connection broke");
    }
}

#[derive(Default)]
struct Envelope {
    greeted: bool,
    from: Option<String>,
    to: Vec<String>,
}

impl Envelope {
    fn reset(&mut self) {
        *self = Self { greeted: self.greeted, ..Self::default() };
    }
}

struct Session<R, W> {
    reader: R,
    writer: W,
    outbox: Outbox,
    faults: Faults<MailFault>,
    stop: CancellationToken,
    envelope: Envelope,
}

/// Whether the conversation goes on.
enum Next {
    Command,
    End,
}

impl<R: AsyncBufRead + Unpin, W: AsyncWrite + Unpin> Session<R, W> {
    async fn run(&mut self) -> std::io::Result<()> {
        if self.faults.take(|fault| fault == MailFault::Unavailable).is_some() {
            return self.reply("421 4.3.2 Service not available, try again later").await;
        }
        self.reply("220 localhost ESMTP, nothing leaves from here").await?;
        loop {
            let Some(line) = self.read_line().await? else { return Ok(()) };
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if let Next::End = self.answer(&line).await? {
                return Ok(());
            }
        }
    }

    /// Reads a line with its end; `None` at the end of the input, or after 421 when the server stops.
    async fn read_line(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let mut bounded = (&mut self.reader).take(MAX_LINE);
        tokio::select! {
            read = bounded.read_until(b'\n', &mut line) => { read?; }
            () = self.stop.cancelled() => {
                self.reply("421 4.3.2 Service closing transmission channel").await?;
                return Ok(None);
            }
        }
        Ok((!line.is_empty()).then_some(line))
    }

    async fn answer(&mut self, line: &str) -> std::io::Result<Next> {
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => {
                self.greet();
                self.reply(&format!(
                    "250-localhost\r\n250-SIZE {MAX_SIZE}\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 PIPELINING"
                ))
                .await?;
            }
            "HELO" => {
                self.greet();
                self.reply("250 localhost").await?;
            }
            "MAIL" => self.mail(argument).await?,
            "RCPT" => self.rcpt(argument).await?,
            "DATA" => return self.data().await,
            "RSET" => {
                self.envelope.reset();
                self.reply("250 2.0.0 Reset").await?;
            }
            "NOOP" => self.reply("250 2.0.0 Fine").await?,
            "VRFY" => self.reply("252 2.5.2 Send and see").await?,
            "QUIT" => {
                self.reply("221 2.0.0 Bye").await?;
                return Ok(Next::End);
            }
            _ => self.reply("500 5.5.1 Unknown command").await?,
        }
        Ok(Next::Command)
    }

    fn greet(&mut self) {
        self.envelope = Envelope { greeted: true, ..Envelope::default() };
    }

    async fn mail(&mut self, argument: &str) -> std::io::Result<()> {
        let reply = match path_of(argument, "FROM:") {
            _ if !self.envelope.greeted => "503 5.5.1 EHLO first",
            _ if self.envelope.from.is_some() => "503 5.5.1 One sender at a time",
            None => "501 5.5.4 Write MAIL FROM:<address>",
            Some((_, parameters)) if announced_size(parameters) > MAX_SIZE => "552 5.3.4 Message too large",
            Some((address, _)) => {
                self.envelope.from = Some(address.to_owned());
                "250 2.1.0 Sender fine"
            }
        };
        self.reply(reply).await
    }

    async fn rcpt(&mut self, argument: &str) -> std::io::Result<()> {
        let shows = |fault| matches!(fault, MailFault::RecipientDeferred | MailFault::RecipientRefused);
        let reply = match path_of(argument, "TO:") {
            _ if self.envelope.from.is_none() => "503 5.5.1 MAIL first",
            None | Some(("", _)) => "501 5.5.4 Write RCPT TO:<address>",
            Some((address, _)) => match self.faults.take(shows) {
                Some(MailFault::RecipientDeferred) => "450 4.2.1 Mailbox busy, try again later",
                Some(_) => "550 5.1.1 No such mailbox",
                None => {
                    self.envelope.to.push(address.to_owned());
                    "250 2.1.5 Recipient fine"
                }
            },
        };
        self.reply(reply).await
    }

    async fn data(&mut self) -> std::io::Result<Next> {
        if self.envelope.to.is_empty() {
            self.reply("503 5.5.1 RCPT first").await?;
            return Ok(Next::Command);
        }
        self.reply("354 End with a line that is a dot").await?;
        let Some(raw) = self.read_message().await? else { return Ok(Next::End) };
        if raw.len() > MAX_SIZE {
            self.envelope.reset();
            self.reply("552 5.3.4 Message too large").await?;
            return Ok(Next::Command);
        }
        let shows = |fault| {
            matches!(fault, MailFault::MessageDeferred | MailFault::DropAfterData | MailFault::HangAfterData)
        };
        let fault = self.faults.take(shows);
        if fault == Some(MailFault::MessageDeferred) {
            self.envelope.reset();
            self.reply("451 4.3.0 Try again later").await?;
            return Ok(Next::Command);
        }
        let kept = self.keep(raw);
        match fault {
            Some(MailFault::DropAfterData) => return Ok(Next::End),
            Some(MailFault::HangAfterData) => {
                self.hang().await?;
                return Ok(Next::End);
            }
            _ => {}
        }
        match kept {
            Ok(id) => self.reply(&format!("250 2.0.0 Kept as {id}")).await?,
            Err(error) => {
                tracing::error!(%error, "cannot keep a mail");
                self.reply("451 4.3.0 Cannot keep the message").await?;
            }
        }
        Ok(Next::Command)
    }

    /// Reads up to the line that is a dot and removes the dots put before others (RFC 5321, 4.5.2); `None` at an end before it.
    ///
    /// Of a message that is too large it keeps only enough to tell so.
    async fn read_message(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut raw = Vec::new();
        let mut at_line_start = true;
        loop {
            let Some(line) = self.read_line().await? else { return Ok(None) };
            if at_line_start && (line == b".\r\n" || line == b".\n") {
                return Ok(Some(raw));
            }
            let text = if at_line_start { line.strip_prefix(b".").unwrap_or(&line) } else { &line };
            if raw.len() <= MAX_SIZE {
                raw.extend_from_slice(text);
            }
            at_line_start = line.ends_with(b"\n");
        }
    }

    fn keep(&mut self, raw: Vec<u8>) -> Result<u64, crate::Error> {
        let from = self.envelope.from.take().unwrap_or_default();
        let to = std::mem::take(&mut self.envelope.to);
        self.outbox.keep_mail(from, to, raw).map(|mail| mail.id)
    }

    /// Says nothing until the client gives up or the server stops.
    async fn hang(&mut self) -> std::io::Result<()> {
        while self.read_line().await?.is_some() {}
        Ok(())
    }

    async fn reply(&mut self, reply: &str) -> std::io::Result<()> {
        self.writer.write_all(format!("{reply}\r\n").as_bytes()).await?;
        self.writer.flush().await
    }
}

/// Splits `FROM:<a@b> SIZE=9` into the address and what follows it.
fn path_of<'a>(argument: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let head = argument.get(..keyword.len())?;
    let rest = argument[keyword.len()..].trim_start().strip_prefix('<')?;
    let (address, parameters) = rest.split_once('>')?;
    head.eq_ignore_ascii_case(keyword).then_some((address, parameters.trim()))
}

fn announced_size(parameters: &str) -> usize {
    parameters
        .split_ascii_whitespace()
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("SIZE"))
        .and_then(|(_, size)| size.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_with_their_parameters() {
        assert_eq!(
            path_of("FROM:<a@b.fr> SIZE=12 BODY=8BITMIME", "FROM:"),
            Some(("a@b.fr", "SIZE=12 BODY=8BITMIME"))
        );
        assert_eq!(path_of("to: <a@b.fr>", "TO:"), Some(("a@b.fr", "")));
        assert_eq!(path_of("FROM:<>", "FROM:"), Some(("", "")));
        assert_eq!(path_of("FROM:a@b.fr", "FROM:"), None);
        assert_eq!(path_of("é", "TO:"), None);
        assert_eq!(announced_size("BODY=8BITMIME size=12"), 12);
    }
}
