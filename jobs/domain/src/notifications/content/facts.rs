//! What a message about an appointment tells, and to whom.
//! It holds what may be told and nothing else: what a practice does not disclose is not given here.

use std::fmt;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

/// What a message about an appointment tells.
#[derive(Clone)]
pub struct AppointmentFacts {
    /// The practice, as patients know it.
    pub practice_name: String,
    /// The number to call, as it should be shown.
    pub practice_phone: Option<String>,
    /// The address to come to.
    pub practice_address: Option<String>,
    /// Whom a mail greets; the standard SMS leaves it out.
    pub patient_first_name: String,
    /// When the appointment begins.
    pub starts_at: DateTime<Utc>,
    /// The zone in which that is told.
    pub zone: Tz,
    /// Who treats; the standard words tell it only beside the specialty.
    pub practitioner_name: String,
    /// In what: only where the practice discloses it.
    pub specialty: Option<String>,
    /// Why: only where the practice discloses it.
    pub reason: Option<String>,
    /// Where the patient confirms or cancels; whoever has it may.
    pub manage_url: Option<String>,
    /// Where the patient stops such mails.
    pub unsubscribe_url: Option<String>,
}

/// Shows when alone: that a person goes to a practice is a secret already.
impl fmt::Debug for AppointmentFacts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AppointmentFacts").field("starts_at", &self.starts_at).finish_non_exhaustive()
    }
}
