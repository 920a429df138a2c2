//! How a run of a job ended, in words.

use std::{borrow::Cow, time::Duration};

use serde_json::Value;

use crate::NewJob;

/// How one run of a job ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The work is done; the output is kept with the job.
    Done(Option<Value>),
    /// The work is done, and these jobs follow: they are enqueued in the transaction that completes this one.
    DoneThen(Option<Value>, Vec<NewJob>),
    /// The work was completed inside the handler's own transaction, by [`complete_in`](crate::complete_in).
    Completed,
    /// The attempt failed: another follows after the backoff, or the job is discarded if it was the last.
    Retry(Failure),
    /// It is too early: the job runs again after the wait, and this run does not count as an attempt.
    Snooze(Duration),
    /// The work is no longer wanted, for this reason.
    Cancel(String),
    /// The work can never succeed: the job is discarded at once.
    Discard(Failure),
}

impl Outcome {
    /// Its word, for traces.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Done(_) | Self::DoneThen(..) | Self::Completed => "done",
            Self::Retry(_) => "retry",
            Self::Snooze(_) => "snooze",
            Self::Cancel(_) => "cancel",
            Self::Discard(_) => "discard",
        }
    }

    /// Why it failed, where it did.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Retry(failure) | Self::Discard(failure) => Some(failure),
            _ => None,
        }
    }
}

/// Why an attempt failed; it is stored and logged, so it holds no personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// A stable word for machines, like `smtp_refused`.
    pub code: Cow<'static, str>,
    /// A sentence for people.
    pub message: String,
}

impl Failure {
    /// A failure with a stable code and a sentence, neither of which holds personal data.
    #[must_use]
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }

    /// No handler here knows the kind; retry it, for a newer version may.
    #[must_use]
    pub fn unknown_kind(kind: &str) -> Self {
        Self::new("unknown_kind", format!("no handler for {kind} in this version"))
    }

    pub(crate) fn panicked() -> Self {
        // The panic's own message may quote what was being handled, and so a person.
        Self::new("panicked", "the handler panicked")
    }

    pub(crate) fn timed_out(after: Duration) -> Self {
        Self::new("timed_out", format!("the attempt took longer than {after:?}"))
    }

    pub(crate) fn lost() -> Self {
        Self::new("process_lost", "the process that ran the job died")
    }
}
