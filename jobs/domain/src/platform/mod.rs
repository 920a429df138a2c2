//! The platform's own housekeeping: jobs that belong to no tenant.

use std::time::Duration;

use permanence_queue::Job;
use serde::{Deserialize, Serialize};

use crate::{db::SystemTx, error::Result, idempotency, identity, notifications};

/// What is forgotten once it has served its time.
#[derive(Debug, Clone, Copy)]
pub enum Ended {
    /// The stored answers of POSTs.
    Answers,
    /// Sessions and their refresh tokens.
    Sessions,
    /// Invitations.
    Invitations,
    /// Mails about accounts.
    AccountMails,
    /// The links of appointments that are over.
    Links,
    /// How often somebody tried to sign in, once they may again.
    SignInLimits,
}

impl Ended {
    /// All of it.
    pub const ALL: [Self; 6] = [
        Self::Answers,
        Self::Sessions,
        Self::Invitations,
        Self::AccountMails,
        Self::Links,
        Self::SignInLimits,
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answers => "answers",
            Self::Sessions => "sessions",
            Self::Invitations => "invitations",
            Self::AccountMails => "account_mails",
            Self::Links => "links",
            Self::SignInLimits => "sign_in_limits",
        }
    }

    /// Forgets up to `limit` rows; gives how many.
    pub async fn purge(self, tx: &mut SystemTx, limit: i64) -> Result<u64> {
        match self {
            Self::Answers => idempotency::purge(tx, limit).await,
            Self::Sessions => identity::purge_sessions(tx, limit).await,
            Self::Invitations => identity::purge_invitations(tx, limit).await,
            Self::AccountMails => identity::purge_account_mails(tx, limit).await,
            Self::Links => notifications::purge_links(tx, limit).await,
            Self::SignInLimits => identity::purge_sign_in_limits(tx, limit).await,
        }
    }
}

/// Forgets the stored answers of POSTs after a day, and what ended long ago.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct PurgeAnswers {}

/// Tidies the queue: the coming days of its history made, the old ones dropped, released keys forgotten.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct MaintainQueue {}

impl Job for MaintainQueue {
    const KIND: &'static str = "platform.maintain_queue";
    const QUEUE: &'static str = "privacy";
    const TIMEOUT: Duration = Duration::from_mins(10);
}

impl Job for PurgeAnswers {
    const KIND: &'static str = "platform.purge_answers";
    const QUEUE: &'static str = "privacy";
    const TIMEOUT: Duration = Duration::from_mins(10);
}
