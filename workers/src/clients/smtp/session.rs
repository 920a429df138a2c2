//! A conversation with a mail server, step by step (RFC 5321), so that a failure before the message was whole
//! is never taken for one after it.

use std::error::Error as _;
use std::future::Future;
use std::io;
use std::iter;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lettre::address::Envelope;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::Mechanism;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Quit, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use lettre::transport::smtp::response::Response;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::SmtpTimeouts;
use super::address::{Encryption, Server};
use crate::clients::SendError;

/// How long a server may take over a farewell that changes nothing.
const FAREWELL: Duration = Duration::from_secs(1);

/// An open conversation, ready for a message.
pub(super) struct Session {
    connection: AsyncSmtpConnection,
    timeouts: SmtpTimeouts,
}

impl Session {
    /// Connects, encrypts and signs in. No failure here concerns a message: all are temporary.
    pub(super) async fn open(server: &Server, timeouts: SmtpTimeouts) -> Result<Self, SendError> {
        let hello = ClientId::default();
        let mut connection = connect(server, timeouts, &hello).await?;
        let starttls = match server.encryption {
            Encryption::Required => true,
            Encryption::Opportunistic => connection.can_starttls(),
            Encryption::Implicit | Encryption::None => false,
        };
        if starttls {
            let upgrade = connection.starttls(server.tls.clone(), &hello);
            within(timeouts.command, "starttls", upgrade).await.map_err(SendError::of_session)?;
        }
        if let Some(credentials) = &server.credentials {
            if !connection.is_encrypted() && !server.local {
                return Err(SendError::temporary("starttls_not_offered"));
            }
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            let auth = connection.auth(&mechanisms, credentials);
            within(timeouts.command, "auth", auth).await.map_err(SendError::of_session)?;
        }
        Ok(Self { connection, timeouts })
    }

    /// Hands one message over. Only a failure after its last byte was on the way is uncertain.
    pub(super) async fn deliver(&mut self, envelope: &Envelope, message: &[u8]) -> Result<(), SendError> {
        let limit = self.timeouts.command;
        let mut options = Vec::new();
        let addresses = envelope.from().into_iter().chain(envelope.to());
        if !addresses.into_iter().all(|address| AsRef::<str>::as_ref(address).is_ascii()) {
            if !self.connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err(SendError::permanent("smtputf8_not_offered"));
            }
            options.push(MailParameter::SmtpUtfEight);
        }
        let mail = self.connection.command(Mail::new(envelope.from().cloned(), options));
        // A server that refuses our sender has not judged the message.
        within(limit, "mail", mail).await.map_err(SendError::of_session)?;
        for recipient in envelope.to() {
            let rcpt = self.connection.command(Rcpt::new(recipient.clone(), Vec::new()));
            within(limit, "rcpt", rcpt).await?;
        }
        let reply = within(limit, "data", self.connection.command(Data)).await?;
        if !reply.has_code(354) {
            return Err(SendError::temporary("unexpected_in_data"));
        }
        self.write(message).await
    }

    async fn write(&mut self, message: &[u8]) -> Result<(), SendError> {
        // The parts are asked for one by one, each when the one before it is written; when the end of them is
        // asked for, all that is left to write is the dot that makes the message whole.
        let whole = AtomicBool::new(false);
        let end = iter::from_fn(|| {
            whole.store(true, Ordering::Relaxed);
            None
        });
        let parts = iter::once(message).chain(end);
        let written = timeout(self.timeouts.message, self.connection.message_iter(parts)).await;
        let whole = whole.load(Ordering::Relaxed);
        match written {
            Ok(Ok(reply)) if is_acceptance(&reply) => Ok(()),
            Ok(Err(error)) if error.status().is_some() => Err(refusal(&error, "data")),
            Ok(Ok(_)) if whole => Err(SendError::uncertain("unexpected_after_data")),
            Ok(Err(_)) if whole => Err(SendError::uncertain("broken_after_data")),
            Err(_) if whole => Err(SendError::uncertain("timeout_after_data")),
            Err(_) => Err(SendError::temporary("timeout_in_data")),
            Ok(_) => Err(SendError::temporary("broken_in_data")),
        }
    }

    /// Says goodbye, for courtesy: the message's fate is known, and a server that is slow to answer is left.
    pub(super) async fn close(mut self) {
        let _ = timeout(FAREWELL, self.connection.command(Quit)).await;
    }
}

async fn connect(
    server: &Server,
    timeouts: SmtpTimeouts,
    hello: &ClientId,
) -> Result<AsyncSmtpConnection, SendError> {
    let address = (server.host.as_str(), server.port);
    if server.encryption == Encryption::Implicit {
        let tls = Some(server.tls.clone());
        let greeted = AsyncSmtpConnection::connect_tokio1(address, Some(timeouts.connect), hello, tls, None);
        let limit = timeouts.connect + timeouts.command;
        return within(limit, "greeting", greeted).await.map_err(SendError::of_session);
    }
    let stream = match timeout(timeouts.connect, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(SendError::temporary(connect_code(&error))),
        Err(_) => return Err(SendError::temporary("connect_timeout")),
    };
    // The dot is a packet of its own: without this it would wait for the message's acknowledgement.
    let _ = stream.set_nodelay(true);
    let greeted = AsyncSmtpConnection::connect_with_transport(Box::new(stream), hello);
    within(timeouts.command, "greeting", greeted).await.map_err(SendError::of_session)
}

fn connect_code(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connect_refused",
        io::ErrorKind::TimedOut => "connect_timeout",
        _ => "connect_failed",
    }
}

/// Runs a step that comes before the message is whole: none of its failures is uncertain.
async fn within<T>(
    limit: Duration,
    step: &str,
    action: impl Future<Output = Result<T, Error>>,
) -> Result<T, SendError> {
    match timeout(limit, action).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(refusal(&error, step)),
        Err(_) => Err(SendError::temporary(format!("timeout_in_{step}"))),
    }
}

fn refusal(error: &Error, step: &str) -> SendError {
    let Some(code) = error.status().map(u16::from) else {
        return SendError::temporary(match cause(error) {
            // Only `smtps` connects within this step.
            Some(io) if step == "greeting" && connect_code(io) != "connect_failed" => {
                connect_code(io).to_owned()
            }
            Some(io) if is_of_tls(io) => {
                format!("tls_failed_in_{step}")
            }
            _ if error.is_client() => format!("not_offered_in_{step}"),
            _ => format!("broken_in_{step}"),
        });
    };
    let word = format!("smtp_{code}");
    match code {
        // RFC 4954: sign in first, or better. The operator's to mend, not the message's fault.
        530 | 534 | 535 | 538 => SendError::temporary(word),
        500.. => SendError::permanent(word),
        _ => SendError::temporary(word),
    }
}

/// A certificate that is not trusted, or words that are no handshake.
fn is_of_tls(error: &io::Error) -> bool {
    error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).is_some()
}

fn cause(error: &Error) -> Option<&io::Error> {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref() {
            return Some(io);
        }
        source = inner.source();
    }
    None
}

impl SendError {
    /// A server that will not speak with us has not judged the message.
    fn of_session(self) -> Self {
        match self {
            Self::Permanent { code } | Self::Uncertain { code } => Self::temporary(code),
            temporary @ Self::Temporary { .. } => temporary,
        }
    }
}

fn is_acceptance(reply: &Response) -> bool {
    (200..300).contains(&u16::from(reply.code()))
}
