//! What providers know of a message whose fate is uncertain: asked before a person is.
//! Nothing here sends or decides.

use std::time::Duration;

use chrono::{DateTime, Utc};
use permanence_domain::notifications::receipts::{DeliveryReport, DeliveryStatus};
use uuid::Uuid;

use super::failover::{Carrier, Route};
use super::mail::{MailProvider, MailRoute};
use super::sms::{SmsProvider, SmsRoute};
use super::{Receipt, SendError};

/// A message that may have left.
#[derive(Clone, Copy)]
pub struct Sought<'a> {
    /// What it was handed over with.
    pub key: Uuid,
    /// The number, in E.164, or the address.
    pub to: &'a str,
    /// The words of a text message; a mail is known by its key alone.
    pub body: &'a str,
    /// When it was handed over, or shortly before.
    pub since: DateTime<Utc>,
}

/// Shows the key alone: the number and the words are a patient's.
impl std::fmt::Debug for Sought<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Sought").field("key", &self.key).finish_non_exhaustive()
    }
}

/// What is known of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// A provider has it.
    Found {
        /// As the provider would have answered.
        receipt: Receipt,
        /// What has become of it so far.
        status: DeliveryStatus,
    },
    /// No provider of the route has it, and each had the time to show it: it may be sent again.
    NotFound,
    /// Nobody can tell.
    Unknown {
        /// After how long the answer may be another; `None` when it will not be, so that a person decides.
        ask_again: Option<Duration>,
    },
}

impl Lookup {
    /// What will not become clearer.
    pub(super) const NEVER: Self = Self::Unknown { ask_again: None };
}

/// After how long a provider that did not answer is asked again.
const ASK_AGAIN: Duration = Duration::from_mins(1);

/// A provider that may know of messages.
pub(super) trait Knows: Carrier {
    /// How long a provider may take to show a message that it took: only then does its absence say something.
    fn grace(&self) -> Duration;

    /// Looks a message up.
    fn look_up(
        &self,
        sought: &Sought<'_>,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Lookup, SendError>> + Send;
}

/// Asks every provider of a route, since a worker that died did not say to which it was talking.
async fn ask_all<P: Knows>(route: &Route<P>, sought: &Sought<'_>) -> Lookup {
    let mut all = Lookup::NotFound;
    for provider in route.providers() {
        let now = route.clock().now();
        let answer = match provider.look_up(sought, now).await {
            Ok(Lookup::NotFound) => not_found(provider.grace(), sought.since, now),
            Ok(answer) => answer,
            Err(SendError::Temporary { retry_after, .. }) => {
                Lookup::Unknown { ask_again: Some(retry_after.unwrap_or(ASK_AGAIN)) }
            }
            Err(_) => Lookup::Unknown { ask_again: Some(ASK_AGAIN) },
        };
        all = both(all, answer);
        if let Lookup::Found { .. } = all {
            break;
        }
    }
    all
}

/// An absence, which says nothing before the provider had its time.
fn not_found(grace: Duration, since: DateTime<Utc>, now: DateTime<Utc>) -> Lookup {
    let passed = (now - since).to_std().unwrap_or_default();
    match grace.saturating_sub(passed) {
        Duration::ZERO => Lookup::NotFound,
        left => Lookup::Unknown { ask_again: Some(left) },
    }
}

/// What two providers know together.
fn both(first: Lookup, second: Lookup) -> Lookup {
    match (first, second) {
        (found @ Lookup::Found { .. }, _) | (_, found @ Lookup::Found { .. }) => found,
        (Lookup::Unknown { ask_again: first }, Lookup::Unknown { ask_again: second }) => {
            Lookup::Unknown { ask_again: [first, second].into_iter().flatten().min() }
        }
        (unknown @ Lookup::Unknown { .. }, Lookup::NotFound)
        | (Lookup::NotFound, unknown @ Lookup::Unknown { .. }) => unknown,
        (Lookup::NotFound, Lookup::NotFound) => Lookup::NotFound,
    }
}

impl SmsRoute {
    /// Looks a text message of uncertain fate up, wherever it may have gone.
    pub async fn lookup(&self, sought: &Sought<'_>) -> Lookup {
        ask_all(self, sought).await
    }

    /// Asks what became of a message that a provider took; `None` where the provider calls back, or is not on this
    /// route.
    pub async fn delivery(
        &self,
        provider: &str,
        message_id: &str,
    ) -> Result<Option<DeliveryReport>, SendError> {
        match self.providers().iter().find(|known| known.name() == provider) {
            Some(SmsProvider::Ovh(ovh)) => ovh.delivery(message_id, self.clock().now()).await.map(Some),
            _ => Ok(None),
        }
    }
}

impl MailRoute {
    /// Looks a mail of uncertain fate up, wherever it may have gone. A mail server cannot be asked.
    pub async fn lookup(&self, sought: &Sought<'_>) -> Lookup {
        ask_all(self, sought).await
    }
}

impl Knows for SmsProvider {
    fn grace(&self) -> Duration {
        match self {
            Self::Ovh(_) => Duration::from_mins(10),
            Self::Twilio(_) => Duration::from_mins(5),
            Self::Brevo(_) => Duration::from_mins(15),
        }
    }

    async fn look_up(&self, sought: &Sought<'_>, now: DateTime<Utc>) -> Result<Lookup, SendError> {
        match self {
            Self::Ovh(ovh) => ovh.look_up(sought).await,
            Self::Twilio(twilio) => twilio.look_up(sought).await,
            Self::Brevo(brevo) => brevo.look_up(sought, now).await,
        }
    }
}

impl Knows for MailProvider {
    fn grace(&self) -> Duration {
        Duration::from_mins(15)
    }

    async fn look_up(&self, sought: &Sought<'_>, now: DateTime<Utc>) -> Result<Lookup, SendError> {
        match self {
            Self::Smtp(_) => Ok(Lookup::NEVER),
            Self::Brevo(brevo) => brevo.look_up(sought, now).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(seconds: Option<u64>) -> Lookup {
        Lookup::Unknown { ask_again: seconds.map(Duration::from_secs) }
    }

    #[test]
    fn one_who_cannot_tell_keeps_the_absence_at_others_from_being_believed() {
        assert_eq!(both(Lookup::NotFound, Lookup::NotFound), Lookup::NotFound);
        assert_eq!(both(Lookup::NotFound, Lookup::NEVER), Lookup::NEVER);
        assert_eq!(both(unknown(Some(60)), Lookup::NEVER), unknown(Some(60)), "it may yet be found");
        assert_eq!(both(unknown(Some(60)), unknown(Some(30))), unknown(Some(30)));
    }

    #[test]
    fn an_absence_is_believed_after_the_grace() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let grace = Duration::from_mins(10);
        assert_eq!(not_found(grace, at(0), at(0)), unknown(Some(600)));
        assert_eq!(not_found(grace, at(0), at(599)), unknown(Some(1)));
        assert_eq!(not_found(grace, at(0), at(600)), Lookup::NotFound);
        assert_eq!(not_found(grace, at(60), at(0)), unknown(Some(600)), "the clocks differ");
    }
}
