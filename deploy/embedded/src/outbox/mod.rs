//! The mails and texts that the stand-ins caught, kept in memory and, if wished, as files to open.
//! It never sends anything on.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use crate::Error;

mod files;
mod message;

pub(crate) use message::NewText;
pub use message::{Mail, Message, Provider, Text};

/// What was caught, oldest first; clones share it.
#[derive(Clone)]
pub struct Outbox {
    inner: Arc<Inner>,
}

struct Inner {
    kept: Mutex<Kept>,
    /// Counts the changes, so that a waiting test looks again.
    changes: watch::Sender<u64>,
    folder: Option<PathBuf>,
    now: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>,
}

#[derive(Default)]
struct Kept {
    messages: Vec<Message>,
    last_id: u64,
}

impl Outbox {
    /// Makes an outbox that is gone with its last clone.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::build(None, Kept::default(), wall_clock)
    }

    /// Makes an outbox that also keeps its messages as files, and finds there those of the last run.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Result<Self, Error> {
        Self::with_clock(Some(folder.into()), wall_clock)
    }

    /// Makes an outbox that takes the time of receipt from `now`.
    pub fn with_clock(
        folder: Option<PathBuf>,
        now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let messages = match &folder {
            Some(folder) => files::load(folder)?,
            None => Vec::new(),
        };
        let last_id = messages.iter().map(Message::id).max().unwrap_or(0);
        Ok(Self::build(folder, Kept { messages, last_id }, now))
    }

    fn build(
        folder: Option<PathBuf>,
        kept: Kept,
        now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
    ) -> Self {
        let inner =
            Inner { kept: Mutex::new(kept), changes: watch::Sender::new(0), folder, now: Box::new(now) };
        Self { inner: Arc::new(inner) }
    }

    /// Returns every message, oldest first.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.kept().messages.clone()
    }

    /// Returns the mails, oldest first.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        self.kept().messages.iter().filter_map(Message::as_mail).cloned().collect()
    }

    /// Returns the texts, oldest first.
    #[must_use]
    pub fn texts(&self) -> Vec<Text> {
        self.kept().messages.iter().filter_map(Message::as_text).cloned().collect()
    }

    /// Waits until the messages satisfy a condition and returns them; the caller sets the bound.
    pub async fn wait_for(&self, condition: impl Fn(&[Message]) -> bool) -> Vec<Message> {
        let mut changes = self.inner.changes.subscribe();
        loop {
            let messages = self.messages();
            if condition(&messages) {
                return messages;
            }
            // The sender lives as long as this outbox, so this only ever ends with a change.
            let _ = changes.changed().await;
        }
    }

    /// Forgets every message and removes its file.
    pub fn clear(&self) -> Result<(), Error> {
        let mut kept = self.kept();
        if let Some(folder) = &self.inner.folder {
            kept.messages.iter().try_for_each(|message| files::remove(folder, message))?;
        }
        kept.messages.clear();
        drop(kept);
        self.inner.changes.send_modify(|changes| *changes += 1);
        Ok(())
    }

    /// Keeps one more mail.
    pub(crate) fn keep_mail(&self, from: String, to: Vec<String>, raw: Vec<u8>) -> Result<Mail, Error> {
        self.keep(|id, received_at| Mail { id, received_at, from, to, raw })
    }

    /// Keeps one more text.
    pub(crate) fn keep_text(&self, text: NewText) -> Result<Text, Error> {
        let NewText { provider, to, sender, body, key } = text;
        self.keep(|id, received_at| Text { id, received_at, provider, to, sender, body, key })
    }

    fn keep<M: Clone + Into<Message>>(&self, make: impl FnOnce(u64, DateTime<Utc>) -> M) -> Result<M, Error> {
        let received_at = self.now();
        let mut kept = self.kept();
        let id = kept.last_id + 1;
        let caught = make(id, received_at);
        let message = caught.clone().into();
        if let Some(folder) = &self.inner.folder {
            files::write(folder, &message)?;
        }
        kept.last_id = id;
        kept.messages.push(message);
        drop(kept);
        self.inner.changes.send_modify(|changes| *changes += 1);
        Ok(caught)
    }

    /// Tells the time by the outbox's clock.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        (self.inner.now)()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.inner.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kept = self.kept().messages.len();
        formatter.debug_struct("Outbox").field("messages", &kept).field("folder", &self.inner.folder).finish()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a stand-in tells when a message really came, whatever the platform believes"
)]
fn wall_clock() -> DateTime<Utc> {
    Utc::now()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn keep_text(outbox: &Outbox, body: &str) -> Text {
        let (to, sender) = ("+33612345678".into(), "CABINET".into());
        outbox
            .keep_text(NewText { provider: Provider::Twilio, to, sender, body: body.into(), key: None })
            .unwrap()
    }

    fn keep_mail(outbox: &Outbox, raw: &str) -> Mail {
        let to = vec!["a@example.fr".into(), "b@example.fr".into()];
        outbox.keep_mail("cabinet@example.fr".into(), to, raw.into()).unwrap()
    }

    #[test]
    fn the_next_run_finds_the_messages_of_the_last() {
        let temp = tempfile::tempdir().unwrap();
        let moment: DateTime<Utc> = "2026-11-21T08:00:00.123456Z".parse().unwrap();
        let first = Outbox::with_clock(Some(temp.path().join("outbox")), move || moment).unwrap();
        keep_mail(&first, "Subject: Rappel\r\n\r\nÀ demain\r\n");
        keep_text(&first, "À demain");

        let second = Outbox::in_folder(temp.path().join("outbox")).unwrap();
        assert_eq!(second.messages(), first.messages());
        assert_eq!(second.mails()[0].received_at, moment);
        second.clear().unwrap();
        assert_eq!(std::fs::read_dir(temp.path().join("outbox")).unwrap().count(), 0);
        assert_eq!(keep_text(&second, "encore").id, 3);
    }

    #[tokio::test]
    async fn a_waiter_sees_the_message_that_it_waits_for() {
        let outbox = Outbox::in_memory();
        let waiting = tokio::spawn({
            let outbox = outbox.clone();
            async move { outbox.wait_for(|messages| messages.len() == 2).await }
        });
        keep_text(&outbox, "un");
        keep_text(&outbox, "deux");
        let seen = tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
        assert_eq!(seen, outbox.messages());
    }

    #[test]
    fn a_mail_is_read_as_its_reader_would() {
        let outbox = Outbox::in_memory();
        let raw = concat!(
            "Subject: =?utf-8?Q?Rappel_de_votre_rendez-vous_=C3=A0_?=\r\n =?utf-8?Q?9_h?=\r\n",
            "X-Long: one\r\n two\r\n",
            "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n",
            "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
            "=C3=80 demain, =\r\nle cabinet\r\n",
        );
        let mail = keep_mail(&outbox, raw);
        assert_eq!(mail.subject().as_deref(), Some("Rappel de votre rendez-vous à 9 h"));
        assert_eq!(mail.text().as_deref(), Some("À demain, le cabinet\n"));
        assert_eq!(mail.header("x-long").as_deref(), Some("one two"));
        assert_eq!(mail.header("X-None"), None);
    }
}
