//! The jobs of identity.

use std::time::Duration;

use permanence_queue::Job;
use serde::{Deserialize, Serialize};

use crate::ids::InvitationId;

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
