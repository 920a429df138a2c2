//! Finding a message at `OVHcloud`, and what became of it: by tag among the sent ones, by number and words among
//! those that wait. It sends nothing.

use chrono::{DateTime, Utc};
use permanence_domain::notifications::receipts::{self, DeliveryReport, DeliveryStatus, Provider};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{NAME, Ovh, tag};
use crate::clients::lookup::{Lookup, Sought};
use crate::clients::{Receipt, SendError};

/// More waiting messages than this are not gone through.
const MOST_WAITING: usize = 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    delivery_receipt: i64,
    ptt: i64,
    delivered_at: Option<DateTime<Utc>>,
}

/// A message that waits: the provider shows no tag of it.
#[derive(Deserialize)]
struct Waiting {
    receiver: String,
    message: String,
}

impl Ovh {
    pub(in crate::clients) async fn look_up(&self, sought: &Sought<'_>) -> Result<Lookup, SendError> {
        let sent: Vec<i64> = self.list(&format!("outgoing?tag={}", tag(sought.key))).await?;
        if let Some(id) = sent.first() {
            let status = self.sent(&id.to_string()).await?.map_or(DeliveryStatus::Pending, |sent| {
                receipts::ovh::status(sent.delivery_receipt, sent.ptt)
            });
            return Ok(found(*id, status));
        }
        let waiting: Vec<i64> = self.list("jobs").await?;
        if waiting.len() > MOST_WAITING {
            // They leave sooner or later, and then show their tags.
            return Err(SendError::temporary("ovh_many_waiting"));
        }
        for id in waiting {
            let job: Option<Waiting> = self.read(&format!("jobs/{id}")).await?;
            if job.is_some_and(|job| job.receiver == sought.to && job.message == sought.body) {
                return Ok(found(id, DeliveryStatus::Pending));
            }
        }
        Ok(Lookup::NotFound)
    }

    /// Asks what became of a message; one that is not among the sent ones waits yet.
    pub(in crate::clients) async fn delivery(
        &self,
        message_id: &str,
        now: DateTime<Utc>,
    ) -> Result<DeliveryReport, SendError> {
        if !message_id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(SendError::permanent("ovh_invalid_message_id"));
        }
        let sent = self.sent(message_id).await?;
        let at = sent.as_ref().and_then(|sent| sent.delivered_at).unwrap_or(now);
        let status = sent
            .map_or(DeliveryStatus::Pending, |sent| receipts::ovh::status(sent.delivery_receipt, sent.ptt));
        Ok(DeliveryReport { provider: Provider::Ovh, message_id: message_id.to_owned(), status, at })
    }

    async fn sent(&self, id: &str) -> Result<Option<Sent>, SendError> {
        self.read(&format!("outgoing/{id}")).await
    }

    async fn list(&self, path: &str) -> Result<Vec<i64>, SendError> {
        self.read(path).await?.ok_or_else(|| SendError::temporary("ovh_http_404"))
    }

    /// Reads what lies under the SMS service; `None` when it is not there.
    async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, SendError> {
        let answer = self.call(Method::GET, path, String::new()).await?;
        match answer.status {
            status if status.is_success() => serde_json::from_slice(&answer.body)
                .map(Some)
                .map_err(|_| SendError::temporary("ovh_unreadable_answer")),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.refused(&answer).await),
        }
    }
}

fn found(id: i64, status: DeliveryStatus) -> Lookup {
    Lookup::Found { receipt: Receipt { provider: NAME, message_id: id.to_string() }, status }
}
