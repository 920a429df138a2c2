//! A mail server (RFC 5321) that keeps what it is given in the outbox.
//! It never relays, and asks nobody for a password.

use std::net::SocketAddr;

use crate::Error;
use crate::faults::Faults;
use crate::listener::Listener;
use crate::outbox::Outbox;

mod session;

/// What a mail server can be made to do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailFault {
    /// Greets with 421 and hangs up.
    Unavailable,
    /// Answers RCPT with 450: try again later.
    RecipientDeferred,
    /// Answers RCPT with 550: no such mailbox.
    RecipientRefused,
    /// Answers the end of the message with 451 and forgets it.
    MessageDeferred,
    /// Keeps the message, then drops the connection without an answer.
    DropAfterData,
    /// Keeps the message, then never answers.
    HangAfterData,
}

/// A running mail server.
#[derive(Debug)]
pub struct MailServer {
    listener: Listener,
    faults: Faults<MailFault>,
}

impl MailServer {
    /// Listens on an address, port 0 for any, and catches every mail in the outbox.
    pub async fn start(addr: SocketAddr, outbox: Outbox) -> Result<Self, Error> {
        let faults = Faults::default();
        let told = faults.clone();
        let serve = move |stream, stop| session::serve(stream, outbox.clone(), told.clone(), stop);
        Ok(Self { listener: Listener::start(addr, serve).await?, faults })
    }

    /// Returns the address for a client: `smtp://127.0.0.1:2525`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("smtp://{}", self.addr())
    }

    /// Returns where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.listener.addr()
    }

    /// Returns the handle that makes it fail.
    #[must_use]
    pub fn faults(&self) -> Faults<MailFault> {
        self.faults.clone()
    }

    /// Stops listening and ends its sessions with 421.
    pub async fn stop(self) {
        self.listener.stop().await;
    }
}
