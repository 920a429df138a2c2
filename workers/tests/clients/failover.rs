//! Routes over providers that really answer, refuse, are late and fall silent; and what is found of a message later.

use std::sync::Arc;
use std::time::Duration;

use permanence_domain::clock::{Clock, SimulatedClock};
use permanence_domain::notifications::receipts::DeliveryStatus;
use permanence_embedded::outbox::{Outbox, Provider};
use permanence_embedded::sms::{ReportFault, SmsFault, SmsServer};
use permanence_workers::clients::failover::{BreakerSettings, Rate};
use permanence_workers::clients::mail::{BrevoMail, MailProvider, MailRoute};
use permanence_workers::clients::sms::{
    BrevoSms, Ovh, OvhSettings, SmsProvider, SmsRoute, TextMessage, Twilio, TwilioSender, TwilioSettings,
};
use permanence_workers::clients::smtp::{Email, Smtp};
use permanence_workers::clients::{BrevoSettings, HttpTimeouts, Lookup, Receipt, SendError, Sought};
use uuid::Uuid;

use super::scripted::nobody;

const BODY: &str = "Rappel : RDV demain à 9h";
const TIMEOUTS: HttpTimeouts =
    HttpTimeouts { connect: Duration::from_secs(5), total: Duration::from_millis(500) };

/// A provider's stand-in, on a clock that it shares with the clients.
struct Stand {
    server: SmsServer,
    outbox: Outbox,
    clock: Arc<SimulatedClock>,
}

impl Stand {
    async fn start() -> Self {
        let clock = Arc::new(SimulatedClock::at("2027-01-04T08:00:00Z".parse().unwrap()));
        let time = clock.clone();
        let outbox = Outbox::with_clock(None, move || time.now()).unwrap();
        let server = SmsServer::start(([127, 0, 0, 1], 0).into(), outbox.clone()).await.unwrap();
        Self { server, outbox, clock }
    }

    fn ovh(&self) -> SmsProvider {
        let known = self.server.credentials();
        let settings = OvhSettings {
            endpoint: self.server.ovh_url(),
            application_key: known.ovh_application_key.clone(),
            application_secret: known.ovh_application_secret.clone(),
            consumer_key: known.ovh_consumer_key.clone(),
            service: known.ovh_service.clone(),
            sender: Some("Cabinet".to_owned()),
            timeouts: TIMEOUTS,
        };
        let clock = self.clock.clone();
        SmsProvider::Ovh(Ovh::new(settings, Arc::new(move || clock.now().timestamp())).unwrap())
    }

    fn twilio(&self, sender: TwilioSender) -> SmsProvider {
        let known = self.server.credentials();
        let settings = TwilioSettings {
            endpoint: self.server.twilio_url(),
            account_sid: known.twilio_account_sid.clone(),
            auth_token: known.twilio_auth_token.clone(),
            sender,
            status_callback: None,
            timeouts: TIMEOUTS,
        };
        SmsProvider::Twilio(Twilio::new(settings).unwrap())
    }

    fn account(&self) -> BrevoSettings {
        let api_key = self.server.credentials().brevo_api_key.clone();
        BrevoSettings { endpoint: self.server.brevo_url(), api_key, timeouts: TIMEOUTS }
    }

    fn brevo(&self) -> SmsProvider {
        SmsProvider::Brevo(BrevoSms::new(self.account(), "Cabinet".to_owned()).unwrap())
    }

    fn brevo_mail(&self) -> MailProvider {
        MailProvider::Brevo(BrevoMail::new(self.account(), "rappels@example.fr").unwrap())
    }

    fn route(&self, providers: Vec<SmsProvider>) -> SmsRoute {
        SmsRoute::new(unlimited(providers), self.clock.clone())
    }

    fn mail_route(&self, providers: Vec<MailProvider>) -> MailRoute {
        MailRoute::new(unlimited(providers), self.clock.clone())
    }
}

fn unlimited<P>(providers: Vec<P>) -> Vec<(P, Option<Rate>)> {
    providers.into_iter().map(|provider| (provider, None)).collect()
}

fn from() -> TwilioSender {
    TwilioSender::From("+33700000000".to_owned())
}

fn message(key: Uuid) -> TextMessage<'static> {
    TextMessage { to: "+33612345678", sender: None, body: BODY, key, valid_for: Duration::from_hours(2) }
}

fn email(message_id: String) -> Email {
    Email {
        to: "lea@example.org".to_owned(),
        to_name: None,
        from_name: None,
        subject: "Rappel".to_owned(),
        text: BODY.to_owned(),
        html: None,
        calendar: None,
        message_id,
        date: "2027-01-04T08:00:00Z".parse().unwrap(),
        headers: Vec::new(),
    }
}

fn unknown(ask_again: Option<Duration>) -> Lookup {
    Lookup::Unknown { ask_again }
}

#[tokio::test]
async fn a_refused_account_sends_the_message_by_the_next_provider() {
    let (ovh, twilio) = (Stand::start().await, Stand::start().await);
    for fault in [SmsFault::Unauthorized, SmsFault::TooManyRequests { retry_after: 60 }] {
        ovh.server.faults().next(1, fault);
        let route = ovh.route(vec![ovh.ovh(), twilio.twilio(from())]);
        assert_eq!(route.send(&message(Uuid::new_v4())).await.unwrap().provider, "twilio");
    }
    assert_eq!((ovh.outbox.texts().len(), twilio.outbox.texts().len()), (0, 2));
}

#[tokio::test]
async fn a_wrong_number_and_a_silence_send_nothing_elsewhere() {
    let (ovh, brevo) = (Stand::start().await, Stand::start().await);
    let route = ovh.route(vec![ovh.ovh(), brevo.brevo()]);
    ovh.server.faults().next(1, SmsFault::InvalidNumber);
    let refused = route.send(&message(Uuid::new_v4())).await.unwrap_err();
    assert_eq!(refused, SendError::Permanent { code: "ovh_invalid_receiver".to_owned() });
    for fault in [SmsFault::DropAfterAccept, SmsFault::HangAfterAccept] {
        ovh.server.faults().next(1, fault);
        let uncertain = route.send(&message(Uuid::new_v4())).await.unwrap_err();
        assert!(matches!(uncertain, SendError::Uncertain { .. }), "{uncertain}");
    }
    assert_eq!((ovh.outbox.texts().len(), brevo.outbox.texts().len()), (2, 0));
}

#[tokio::test]
async fn a_slow_provider_is_left_alone_for_a_while() {
    let (slow, quick) = (Stand::start().await, Stand::start().await);
    slow.server.faults().always(SmsFault::Late { millis: 60 });
    let settings = BreakerSettings { slow: Duration::from_millis(50), ..BreakerSettings::default() };
    let providers = unlimited(vec![slow.brevo(), quick.ovh()]);
    let route = SmsRoute::with_breaker(providers, slow.clock.clone(), settings);
    for _ in 0..7 {
        route.send(&message(Uuid::new_v4())).await.unwrap();
    }
    assert_eq!((slow.outbox.texts().len(), quick.outbox.texts().len()), (5, 2));
    slow.server.faults().clear();
    slow.clock.advance(Duration::from_secs(30));
    assert_eq!(route.send(&message(Uuid::new_v4())).await.unwrap().provider, "brevo");
}

#[tokio::test]
async fn mail_goes_by_the_second_way_when_the_first_is_not_there() {
    let stand = Stand::start().await;
    let smtp = Smtp::new(&format!("smtp://{}", nobody().await), "rappels@example.fr").unwrap();
    let route = stand.mail_route(vec![MailProvider::Smtp(smtp), stand.brevo_mail()]);
    let receipt = route.send(&email(route.message_id(Uuid::new_v4()))).await.unwrap();
    assert_eq!(receipt.provider, "brevo");
    let mail = stand.outbox.mails().remove(0);
    let text = mail.text().unwrap();
    assert_eq!((text.trim_end(), &mail.to[..]), (BODY, &["lea@example.org".to_owned()][..]));
}

#[tokio::test]
async fn an_uncertain_text_is_found_by_its_provider_or_its_absence_believed_after_a_while() {
    let stand = Stand::start().await;
    for (provider, name, grace) in
        [(stand.ovh(), "ovh", 10), (stand.twilio(from()), "twilio", 5), (stand.brevo(), "brevo", 15)]
    {
        let route = stand.route(vec![provider]);
        let (key, since) = (Uuid::new_v4(), stand.clock.now());
        stand.server.faults().next(1, SmsFault::DropAfterAccept);
        route.send(&message(key)).await.unwrap_err();
        let sought = Sought { key, to: "+33612345678", body: BODY, since };
        let Lookup::Found { receipt, status } = route.lookup(&sought).await else { panic!("{name}") };
        assert_eq!((receipt.provider, status), (name, DeliveryStatus::Delivered));
        let id = stand.outbox.texts().last().unwrap().id.to_string();
        assert!(name == "twilio" || receipt.message_id == id, "{receipt:?}");

        let never = Sought { key: Uuid::new_v4(), body: "Autre", ..sought };
        let grace = Duration::from_mins(grace);
        assert_eq!(route.lookup(&never).await, unknown(Some(grace)), "{name}");
        stand.clock.advance(grace);
        assert_eq!(route.lookup(&never).await, Lookup::NotFound, "{name}");
    }
    let both = stand.route(vec![stand.ovh(), stand.brevo()]);
    let last = stand.outbox.texts().into_iter().rfind(|text| text.provider == Provider::Brevo).unwrap();
    let key = Uuid::parse_str(last.key.as_deref().unwrap()).unwrap();
    let sought = Sought { key, to: &last.to, body: BODY, since: last.received_at };
    let Lookup::Found { receipt, .. } = both.lookup(&sought).await else { panic!("all are asked") };
    assert_eq!(receipt.provider, "brevo");
}

#[tokio::test]
async fn another_text_of_a_messaging_service_may_be_the_one_in_other_letters() {
    let stand = Stand::start().await;
    let route = stand.route(vec![stand.twilio(TwilioSender::MessagingService("MG7".to_owned()))]);
    route.send(&message(Uuid::new_v4())).await.unwrap();
    let sought = Sought { key: Uuid::new_v4(), to: "+33612345678", body: "Autre", since: stand.clock.now() };
    stand.clock.advance(Duration::from_hours(1));
    assert_eq!(route.lookup(&sought).await, unknown(None));
    let later = Sought { since: stand.clock.now(), ..sought };
    stand.clock.advance(Duration::from_hours(1));
    assert_eq!(route.lookup(&later).await, Lookup::NotFound, "that one left earlier");
}

#[tokio::test]
async fn a_mail_is_found_at_brevo_and_never_at_a_mail_server() {
    let stand = Stand::start().await;
    let route = stand.mail_route(vec![stand.brevo_mail()]);
    let (key, since) = (Uuid::new_v4(), stand.clock.now());
    stand.server.faults().next(1, SmsFault::HangAfterAccept);
    let email = email(route.message_id(key));
    assert!(matches!(route.send(&email).await, Err(SendError::Uncertain { .. })));
    let again = route.send(&email).await;
    assert_eq!(again, Err(SendError::Uncertain { code: "brevo_duplicate".to_owned() }), "no second one");
    assert_eq!(stand.outbox.mails().len(), 1);

    let sought = Sought { key, to: "lea@example.org", body: "", since };
    let receipt = Receipt { provider: "brevo", message_id: "202701040800.1@smtp-relay.mailin.fr".to_owned() };
    let status = DeliveryStatus::Delivered;
    assert_eq!(
        route.lookup(&sought).await,
        Lookup::Found { receipt: receipt.clone(), status: status.clone() }
    );
    let smtp = || MailProvider::Smtp(Smtp::new("smtp://localhost", "rappels@example.fr").unwrap());
    let both = stand.mail_route(vec![smtp(), stand.brevo_mail()]);
    assert_eq!(both.lookup(&sought).await, Lookup::Found { receipt, status });
    stand.clock.advance(Duration::from_hours(1));
    let never = Sought { key: Uuid::new_v4(), ..sought };
    assert_eq!(both.lookup(&never).await, unknown(None), "a mail server cannot be asked");
    assert_eq!(stand.mail_route(vec![stand.brevo_mail()]).lookup(&never).await, Lookup::NotFound);
}

#[tokio::test]
async fn a_provider_that_is_away_is_asked_again_later() {
    let stand = Stand::start().await;
    let settings = BrevoSettings { endpoint: format!("http://{}", nobody().await), ..stand.account() };
    let away = SmsProvider::Brevo(BrevoSms::new(settings, "Cabinet".to_owned()).unwrap());
    let sought = Sought { key: Uuid::new_v4(), to: "+33612345678", body: BODY, since: stand.clock.now() };
    stand.clock.advance(Duration::from_hours(1));
    let route = stand.route(vec![stand.ovh(), away]);
    assert_eq!(route.lookup(&sought).await, unknown(Some(Duration::from_mins(1))));
}

#[tokio::test]
async fn ovh_is_asked_what_became_of_a_message() {
    let stand = Stand::start().await;
    let route = stand.route(vec![stand.ovh(), stand.brevo()]);
    let receipt = route.send(&message(Uuid::new_v4())).await.unwrap();
    for (fault, expected) in [
        (ReportFault::Never, DeliveryStatus::Pending),
        (
            ReportFault::Undelivered,
            DeliveryStatus::Failed { permanent: false, code: "ovh_ptt_1003".to_owned() },
        ),
    ] {
        stand.server.reports().next(1, fault);
        let report = route.delivery("ovh", &receipt.message_id).await.unwrap().unwrap();
        assert_eq!((report.message_id.as_str(), report.status), (receipt.message_id.as_str(), expected));
    }
    let report = route.delivery("ovh", &receipt.message_id).await.unwrap().unwrap();
    assert_eq!((report.status, report.at), (DeliveryStatus::Delivered, stand.clock.now()));
    let waiting = route.delivery("ovh", "999").await.unwrap().unwrap();
    assert_eq!(waiting.status, DeliveryStatus::Pending, "it is not among the sent ones yet");
    assert_eq!(route.delivery("brevo", "1").await, Ok(None), "it calls back");
    assert_eq!(route.delivery("twilio", "SM1").await, Ok(None), "it is not on this route");
}
