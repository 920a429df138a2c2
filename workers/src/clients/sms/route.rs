//! Text messages by any of several providers.
//! It knows none of them.

use super::{SmsProvider, TextMessage};
use crate::clients::failover::{Carrier, Carry, Route};
use crate::clients::{Receipt, SendError};

/// The providers of text messages, in order of preference.
pub type SmsRoute = Route<SmsProvider>;

impl Carrier for SmsProvider {
    const CHANNEL: &'static str = "sms";

    fn name(&self) -> &'static str {
        self.name()
    }
}

impl Carry<TextMessage<'_>> for SmsProvider {
    async fn hand_over(&self, message: &TextMessage<'_>) -> Result<Receipt, SendError> {
        self.send(message).await
    }
}
