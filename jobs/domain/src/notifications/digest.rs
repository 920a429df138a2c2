//! Digests, whatever they are about: one mail for a member that tells of several things at once, sent once.

use super::content::EmailContent;
use crate::tenants::Settings;

/// What a digest tells, and to whom.
pub trait Digest: Send {
    /// In whose name it is told.
    fn practice_name(&self) -> &str;
    /// Who reads it.
    fn full_name(&self) -> &str;
    /// Writes the mail.
    fn write(&self) -> EmailContent;
}

/// A digest that is to be sent.
#[derive(Debug)]
pub struct DigestDraft<D> {
    /// Where it goes.
    pub email: String,
    /// In whose name.
    pub settings: Settings,
    /// What it tells.
    pub content: D,
}

/// What the sending job finds.
#[derive(Debug)]
pub enum DigestStart<D> {
    /// The intent is noted: commit, then send this.
    Send(Box<DigestDraft<D>>),
    /// An earlier attempt may have sent it; it is not sent again on suspicion.
    Uncertain,
    /// There is nothing to send any more.
    Settled,
}
