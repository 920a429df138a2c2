//! Clients of the services that carry messages out of the platform, and what may become of a message there.
//! Nothing here records, or tries a provider again: the job that sends does, by the fate it is told.

mod brevo;
pub mod failover;
mod http;
mod lookup;
pub mod mail;
pub mod sms;
pub mod smtp;

use std::time::Duration;

pub use brevo::BrevoSettings;
pub use http::HttpTimeouts;
pub use lookup::{Lookup, Sought};

/// Says what became of a message that was not certainly accepted.
///
/// Codes are short stable words (`smtp_450`, `connect_refused`, `twilio_21211`): never an address, a number
/// or a server's own text, so that they can be stored and logged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The provider certainly did not take the message, and may take it later; sending again is safe.
    #[error("not taken for now: {code}")]
    Temporary {
        /// The stable word for what happened.
        code: String,
        /// How long the provider asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// The provider certainly refused the message, and would again.
    #[error("refused: {code}")]
    Permanent {
        /// The stable word for what happened.
        code: String,
    },
    /// The provider may have taken the message: sending again could repeat it.
    #[error("perhaps taken: {code}")]
    Uncertain {
        /// The stable word for what happened.
        code: String,
    },
}

impl SendError {
    /// Returns the stable word for what happened.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Temporary { code, .. } | Self::Permanent { code } | Self::Uncertain { code } => code,
        }
    }

    fn temporary(code: impl Into<String>) -> Self {
        Self::Temporary { code: code.into(), retry_after: None }
    }

    fn permanent(code: impl Into<String>) -> Self {
        Self::Permanent { code: code.into() }
    }

    fn uncertain(code: impl Into<String>) -> Self {
        Self::Uncertain { code: code.into() }
    }
}

/// Proves that a provider accepted a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Who took it: `smtp`, `ovh`, `twilio` or `brevo`.
    pub provider: &'static str,
    /// The name under which the provider, or the mail's reader, knows the message.
    pub message_id: String,
}
