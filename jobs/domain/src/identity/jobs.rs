//! The jobs of identity.

use std::time::Duration;

use permanence_queue::Job;
use serde::{Deserialize, Serialize};

use crate::ids::{AccountMailId, InvitationId};

/// Mails an invitation to join a tenant.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct SendInvitation {
    /// The invitation.
    pub invitation_id: InvitationId,
}

impl Job for SendInvitation {
    const KIND: &'static str = "identity.send_invitation";
    const QUEUE: &'static str = "reminders";
    // Longer than the longest talk with a mail server, step by step: a run cut short would leave its fate unknown.
    const TIMEOUT: Duration = Duration::from_mins(6);
}

/// Mails a person about their own account: the link that sets a new password, or that it was changed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct SendAccountMail {
    /// The mail.
    pub mail_id: AccountMailId,
}

impl Job for SendAccountMail {
    const KIND: &'static str = "identity.send_account_mail";
    const QUEUE: &'static str = "reminders";
    const TIMEOUT: Duration = SendInvitation::TIMEOUT;
}
