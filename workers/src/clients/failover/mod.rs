//! The way of a message among several providers: in order of preference, around those that are broken, within the
//! rates that each allows. A message goes on to the next provider only if the one before certainly did not take it.

mod breaker;
mod bucket;
mod switch;

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use permanence_domain::clock::SharedClock;
use permanence_queue::trace;
use tokio::time::{Instant, sleep};
use tracing::{Instrument, Span, field::Empty};

use super::{Receipt, SendError};
use switch::{Choice, Switch};

pub use breaker::BreakerSettings;
pub use bucket::Rate;

/// A provider that a route can choose.
pub trait Carrier: Send + Sync {
    /// The channel in metrics: `sms` or `mail`.
    const CHANNEL: &'static str;

    /// The provider's name as receipts give it.
    fn name(&self) -> &'static str;
}

/// What a carrier does with its kind of message.
pub trait Carry<M>: Carrier {
    /// Hands a message over, once.
    fn hand_over(&self, message: &M) -> impl Future<Output = Result<Receipt, SendError>> + Send;
}

/// The providers of a channel, in order of preference.
pub struct Route<P> {
    providers: Vec<P>,
    switch: Mutex<Switch>,
    clock: SharedClock,
}

impl<P: fmt::Debug> fmt::Debug for Route<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Route").field(&self.providers).finish()
    }
}

impl<P: Carrier> Route<P> {
    /// A route over providers, the preferred one first, each with the rate that it allows.
    #[must_use]
    pub fn new(providers: Vec<(P, Option<Rate>)>, clock: SharedClock) -> Self {
        Self::with_breaker(providers, clock, BreakerSettings::default())
    }

    /// The same with breakers of the caller's choice.
    #[must_use]
    pub fn with_breaker(
        providers: Vec<(P, Option<Rate>)>,
        clock: SharedClock,
        settings: BreakerSettings,
    ) -> Self {
        let (providers, rates): (Vec<P>, Vec<_>) = providers.into_iter().unzip();
        for provider in &providers {
            show_open(provider, false);
        }
        Self { providers, switch: Mutex::new(Switch::new(settings, rates)), clock }
    }

    /// The providers, the preferred one first.
    pub fn providers(&self) -> &[P] {
        &self.providers
    }

    pub(super) fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// Hands a message to the first provider that takes it.
    ///
    /// It goes on to the next one at once after a temporary refusal, whose message is certainly not taken; never
    /// after an uncertain end, which could make a second message of it, nor after a permanent one, which concerns the
    /// message or its recipient.
    pub async fn send<M>(&self, message: &M) -> Result<Receipt, SendError>
    where
        P: Carry<M>,
    {
        let mut tried = Vec::new();
        let mut refusal = None;
        loop {
            let choice = self.switch().choose(&tried, self.clock.now());
            let (place, permit, wait) = match choice {
                Choice::Call { place, permit, wait } => (place, permit, wait),
                Choice::Busy(wait) => return Err(refusal.unwrap_or(held_back("provider_busy", Some(wait)))),
                Choice::Paused(left) => return Err(refusal.unwrap_or(held_back("providers_paused", left))),
            };
            if !wait.is_zero() {
                sleep(wait).await;
            }
            let provider = &self.providers[place];
            let started = Instant::now();
            let trace = span(provider);
            let sent = provider.hand_over(message).instrument(trace.clone()).await;
            let took = started.elapsed();
            let open = self.switch().ended(place, permit, is_failure(&sent), took, self.clock.now());
            show(provider, &sent, took, &trace);
            show_open(provider, open);
            match sent {
                Err(error @ SendError::Temporary { .. }) => refusal = Some(error),
                ended => return ended,
            }
            tried.push(place);
        }
    }

    fn switch(&self) -> MutexGuard<'_, Switch> {
        self.switch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn held_back(code: &str, retry_after: Option<Duration>) -> SendError {
    SendError::Temporary { code: code.to_owned(), retry_after }
}

/// Whether the end of a call speaks against the provider: it did not answer, or not for its account. A refusal of
/// the message or of its recipient shows that the provider works.
fn is_failure(sent: &Result<Receipt, SendError>) -> bool {
    match sent {
        Ok(_) | Err(SendError::Permanent { .. }) => false,
        // RFC 5321: the recipient's mailbox is busy.
        Err(SendError::Temporary { code, .. }) => code != "smtp_450",
        Err(SendError::Uncertain { .. }) => true,
    }
}

/// The call in its trace. The provider is told no trace: it is none of its business.
fn span<P: Carrier>(provider: &P) -> Span {
    tracing::info_span!(
        target: trace::SPANS,
        "hand over",
        otel.name = format!("hand over {}", P::CHANNEL),
        otel.kind = "client",
        otel.status_code = Empty,
        permanence.provider = provider.name(),
        permanence.channel = P::CHANNEL,
        permanence.outcome = Empty,
        permanence.code = Empty,
    )
}

fn show<P: Carrier>(provider: &P, sent: &Result<Receipt, SendError>, took: Duration, trace: &Span) {
    let outcome = match sent {
        Ok(_) => "taken",
        Err(SendError::Temporary { .. }) => "temporary",
        Err(SendError::Permanent { .. }) => "permanent",
        Err(SendError::Uncertain { .. }) => "uncertain",
    };
    trace.record("permanence.outcome", outcome);
    if let Err(error) = sent {
        trace.record("permanence.code", error.code());
        trace.record("otel.status_code", "ERROR");
    }
    let (provider, channel) = (provider.name(), P::CHANNEL);
    metrics::counter!("permanence_provider_calls_total",
        "provider" => provider, "channel" => channel, "outcome" => outcome)
    .increment(1);
    metrics::histogram!("permanence_provider_seconds", "provider" => provider, "channel" => channel)
        .record(took.as_secs_f64());
}

fn show_open<P: Carrier>(provider: &P, open: bool) {
    metrics::gauge!("permanence_provider_open", "provider" => provider.name(), "channel" => P::CHANNEL)
        .set(f64::from(u8::from(open)));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use permanence_domain::clock::SimulatedClock;

    use super::*;

    type Answers = Mutex<Vec<Result<Receipt, SendError>>>;

    /// Answers as it was told, the last answer for ever, and counts the calls.
    struct Scripted {
        name: &'static str,
        answers: Answers,
        calls: Mutex<u32>,
    }

    impl Carrier for Scripted {
        const CHANNEL: &'static str = "test";

        fn name(&self) -> &'static str {
            self.name
        }
    }

    impl Carry<()> for Scripted {
        async fn hand_over(&self, (): &()) -> Result<Receipt, SendError> {
            *self.calls.lock().unwrap() += 1;
            let mut answers = self.answers.lock().unwrap();
            if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() }
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "one answer among others")]
    fn taken(provider: &'static str) -> Result<Receipt, SendError> {
        Ok(Receipt { provider, message_id: "1".to_owned() })
    }

    fn temporary() -> Result<Receipt, SendError> {
        Err(SendError::temporary("connect_refused"))
    }

    fn route(
        providers: Vec<(&'static str, Result<Receipt, SendError>)>,
    ) -> (Route<Scripted>, Arc<SimulatedClock>) {
        let clock = Arc::new(SimulatedClock::at("2027-01-04T08:00:00Z".parse().unwrap()));
        let provider = |(name, answer)| {
            (Scripted { name, answers: Mutex::new(vec![answer]), calls: Mutex::new(0) }, None)
        };
        (Route::new(providers.into_iter().map(provider).collect(), clock.clone()), clock)
    }

    fn calls(route: &Route<Scripted>) -> Vec<u32> {
        route.providers().iter().map(|provider| *provider.calls.lock().unwrap()).collect()
    }

    #[tokio::test]
    async fn only_a_message_that_was_certainly_not_taken_goes_on() {
        for (first, expected, called) in [
            (taken("ovh"), taken("ovh"), [1, 0]),
            (temporary(), taken("twilio"), [1, 1]),
            (Err(SendError::permanent("invalid")), Err(SendError::permanent("invalid")), [1, 0]),
            (Err(SendError::uncertain("timeout")), Err(SendError::uncertain("timeout")), [1, 0]),
        ] {
            let (route, _) = route(vec![("ovh", first), ("twilio", taken("twilio"))]);
            assert_eq!(route.send(&()).await, expected);
            assert_eq!(calls(&route), called);
        }
    }

    #[tokio::test]
    async fn when_none_takes_it_the_last_refusal_is_told() {
        let (route, _) =
            route(vec![("ovh", temporary()), ("twilio", Err(SendError::temporary("twilio_20003")))]);
        assert_eq!(route.send(&()).await, Err(SendError::temporary("twilio_20003")));
    }

    #[tokio::test]
    async fn a_broken_provider_is_passed_over_and_found_again() {
        let (route, clock) = route(vec![("ovh", temporary()), ("twilio", taken("twilio"))]);
        for _ in 0..20 {
            assert_eq!(route.send(&()).await, taken("twilio"));
        }
        assert_eq!(calls(&route), [5, 20]);
        *route.providers[0].answers.lock().unwrap() = vec![taken("ovh")];
        clock.advance(Duration::from_secs(29));
        assert_eq!(route.send(&()).await, taken("twilio"));
        clock.advance(Duration::from_secs(1));
        assert_eq!(route.send(&()).await, taken("ovh"));
        assert_eq!(route.send(&()).await, taken("ovh"));
    }

    #[tokio::test]
    async fn with_every_provider_broken_nothing_is_called_and_the_time_to_come_back_is_told() {
        let (route, clock) = route(vec![("ovh", temporary())]);
        for _ in 0..5 {
            assert_eq!(route.send(&()).await, temporary());
        }
        clock.advance(Duration::from_secs(10));
        let paused = held_back("providers_paused", Some(Duration::from_secs(20)));
        assert_eq!(route.send(&()).await, Err(paused));
        assert_eq!(calls(&route), [5]);
    }

    #[tokio::test]
    async fn refusals_of_recipients_never_break_a_provider() {
        for error in [SendError::permanent("twilio_21211"), SendError::temporary("smtp_450")] {
            let (route, _) = route(vec![("smtp", Err(error.clone()))]);
            for _ in 0..50 {
                assert_eq!(route.send(&()).await, Err(error.clone()));
            }
        }
    }

    fn limit(route: &Route<Scripted>, messages: f64) {
        let rates = [Rate::per_second(messages), None];
        *route.switch() = Switch::new(BreakerSettings::default(), rates);
    }

    #[tokio::test]
    async fn a_message_waits_shortly_for_its_turn() {
        let (route, _) = route(vec![("ovh", taken("ovh")), ("twilio", taken("twilio"))]);
        limit(&route, 100.0);
        let started = Instant::now();
        for _ in 0..102 {
            assert_eq!(route.send(&()).await, taken("ovh"));
        }
        assert!(started.elapsed() >= Duration::from_millis(30), "10 ms, then 20 ms: the clock stands still");
    }

    #[tokio::test]
    async fn a_message_whose_turn_is_far_goes_back_to_the_queue_and_not_to_another_provider() {
        let (route, clock) = route(vec![("ovh", taken("ovh")), ("twilio", taken("twilio"))]);
        limit(&route, 0.1);
        assert_eq!(route.send(&()).await, taken("ovh"));
        let busy = held_back("provider_busy", Some(Duration::from_secs(10)));
        assert_eq!(route.send(&()).await, Err(busy));
        clock.advance(Duration::from_secs(10));
        assert_eq!(route.send(&()).await, taken("ovh"));
        assert_eq!(calls(&route), [2, 0]);
    }
}
