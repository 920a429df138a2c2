//! From a booking over HTTP to the message that leaves by real SMTP and HTTP: once, a day before, in every zone.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use permanence_api::{App, config::ApiConfig, router, serve};
use permanence_domain::{
    clock::SimulatedClock,
    config::{Env, Secret},
    crypto::hash_password,
    db::{Actor, Db},
    field::{EmailAddress, FullName, Label, Language},
    identity::{NewTenant, Role, add_member, create_tenant},
    migrate::MIGRATOR,
    storage::Storage,
};
use permanence_embedded::{
    mail::MailServer, outbox::Outbox, sms::SmsServer, storage::ObjectStore, testing::TestDatabase,
};
use permanence_queue::{Listener, Waker, Worker};
use permanence_workers::{
    config::MessagingConfig,
    process::job_connections,
    registry::Registry,
    services::{Messaging, Services},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
const PASSWORD: &str = "Bonjour1!";

/// API and reminders pool on one simulated clock, as two processes would run.
struct Platform {
    clock: Arc<SimulatedClock>,
    db: Db,
    outbox: Outbox,
    base: String,
    http: reqwest::Client,
    _database: TestDatabase,
    _parts: (ObjectStore, MailServer, SmsServer, tempfile::TempDir),
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

impl Platform {
    async fn at(now: &str) -> Self {
        let database = TestDatabase::create(&MIGRATOR).await;
        let folder = tempfile::tempdir().expect("a folder");
        let storage = ObjectStore::start(folder.path(), LOCAL).await.expect("an object store");
        let outbox = Outbox::in_memory();
        let mail = MailServer::start(LOCAL, outbox.clone()).await.expect("a mail server");
        let sms = SmsServer::start(LOCAL, outbox.clone()).await.expect("an SMS server");
        let mut env = environment(&database, &storage, &mail, &sms);
        let api = ApiConfig::read(&mut env);
        let messaging = MessagingConfig::read(&mut env);
        let (api, messaging) = env.finish(api.zip(messaging)).expect("a configuration");

        let clock = Arc::new(SimulatedClock::at(at(now)));
        let db = Db::new(database.login_options(), 8, clock.clone(), Waker::start(database.login_options()));
        let messaging = Messaging::new(&messaging, clock.clone()).expect("messaging");
        let objects = Some(Storage::new(&api.storage));
        let worker = Worker::builder(job_connections(database.login_options()), "reminders")
            .clock(clock.clone())
            .listener(Listener::start(database.login_options()))
            .run(
                Registry::new(Services {
                    db: db.clone(),
                    messaging: Some(messaging),
                    storage: objects.clone(),
                    anchors: objects.clone(),
                    backups: objects,
                    backup: None,
                    vault: None,
                    signer: None,
                }),
                CancellationToken::new(),
            );
        tokio::spawn(worker);
        let listener = tokio::net::TcpListener::bind(LOCAL).await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let app = App::new(&api, db.clone(), None).expect("an app");
        tokio::spawn(serve(listener, router(app), std::future::pending()));
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { clock, db, outbox, base, http, _database: database, _parts: (storage, mail, sms, folder) }
    }

    /// A practice whose assistant has signed in: her token.
    async fn practice(&self, zone: Tz) -> String {
        let mut tx = self.db.system(Actor::JOB).await.expect("a transaction");
        let tenant = NewTenant {
            kind: "practice",
            name: Label::parse("Cabinet des Lilas").expect("a name"),
            time_zone: zone,
            language: Language::Fr,
            phone: Some("01 40 00 00 10".to_owned()),
            address: None,
        };
        let tenant = create_tenant(&mut tx, &tenant).await.expect("a tenant");
        let hash = hash_password(Secret::new(PASSWORD)).await.expect("a hash");
        let email = format!("assistante@{}.example", tenant.0.simple());
        let address = EmailAddress::parse(&email).expect("an address");
        let name = FullName::parse("Sophie Accueil").expect("a name");
        add_member(&mut tx, tenant, &address, &name, Role::Admin, &hash).await.expect("a member");
        tx.commit().await.expect("committed");
        let body = json!({ "email": email, "password": PASSWORD });
        let signed_in = self.send(reqwest::Method::POST, "auth/login", "", body).await;
        signed_in["access_token"].as_str().expect("a token").to_owned()
    }

    async fn send(&self, method: reqwest::Method, path: &str, token: &str, body: Value) -> Value {
        let request = self
            .http
            .request(method, format!("{}/api/v1/{path}", self.base))
            .bearer_auth(token)
            .header("idempotency-key", uuid::Uuid::new_v4().to_string())
            .header("if-match", "1")
            .json(&body);
        let response = request.send().await.expect("an answer");
        let status = response.status();
        let text = response.text().await.expect("a body");
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// Books half an hour for a new patient, at a civil time.
    async fn book(&self, token: &str, consents: Value, starts: &str, ends: &str) -> Value {
        let post = async |path: &str, body: Value| self.send(reqwest::Method::POST, path, token, body).await;
        let patient = json!({ "first_name": "Hélène", "last_name": "Garcia", "phone": "06 00 00 00 01",
            "email": "helene@garcia.example", "consents": consents });
        let patient = post("patients", patient).await;
        let practitioner =
            post("practitioners", json!({ "first_name": "Camille", "last_name": "Roy" })).await;
        let booking = json!({ "patient_id": patient["id"], "practitioner_id": practitioner["id"],
            "starts_at": starts, "ends_at": ends });
        post("appointments", booking).await
    }

    /// The reminders of an appointment, the newest first.
    async fn reminders(&self, token: &str, appointment: &Value) -> Vec<Value> {
        let id = appointment["id"].as_str().expect("an id");
        let path = format!("appointments/{id}/messages");
        let messages = self.send(reqwest::Method::GET, &path, token, json!({})).await;
        let all = messages.as_array().expect("messages").iter();
        all.filter(|message| message["purpose"] == "reminder").cloned().collect()
    }

    /// The words of what announces an appointment to come: neither confirmations nor cancellations.
    fn reminded(&self) -> Vec<String> {
        let texts =
            self.outbox.texts().into_iter().map(|text| text.body).filter(|body| body.starts_with("Rappel"));
        let reminds = |mail: &permanence_embedded::outbox::Mail| {
            mail.subject().is_some_and(|subject| subject.starts_with("Rappel"))
        };
        let mails = self.outbox.mails().into_iter().filter(reminds).map(|mail| mail.text().expect("a text"));
        texts.chain(mails).collect()
    }

    /// Moves the clock and waits until every due job has ended.
    async fn settle_at(&self, now: &str) {
        self.clock.set(at(now));
        let idle = async {
            loop {
                let mut tx = self.db.system(Actor::JOB).await.expect("a transaction");
                let busy: i64 = sqlx::query_scalar("SELECT count(*) FROM queue.jobs WHERE run_at <= $1")
                    .bind(at(now))
                    .fetch_one(tx.conn())
                    .await
                    .expect("a count");
                if busy == 0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), idle).await.expect("never idle");
    }
}

fn environment(database: &TestDatabase, storage: &ObjectStore, mail: &MailServer, sms: &SmsServer) -> Env {
    let credentials = sms.credentials();
    let pairs = [
        ("DATABASE_URL", database.login_url()),
        ("S3_ENDPOINT", storage.endpoint()),
        ("S3_BUCKET", "permanence".to_owned()),
        ("S3_ACCESS_KEY", storage.access_key().to_owned()),
        ("S3_SECRET_KEY", storage.secret_key().to_owned()),
        ("JWT_ACCESS_KEYS", format!("k:{}", "a".repeat(32))),
        ("JWT_REFRESH_KEY", "r".repeat(32)),
        ("ENCRYPTION_KEY", "0f".repeat(32)),
        ("MASTER_KEYS", format!("test:{}", "0e".repeat(32))),
        ("SMTP_URL", mail.url()),
        ("MAIL_FROM", "rappels@permanence.example".to_owned()),
        ("PUBLIC_URL", "https://app.example.fr".to_owned()),
        ("SMS_PROVIDER", "twilio".to_owned()),
        ("TWILIO_ENDPOINT", sms.twilio_url()),
        ("TWILIO_ACCOUNT_SID", credentials.twilio_account_sid.clone()),
        ("TWILIO_AUTH_TOKEN", credentials.twilio_auth_token.clone()),
        ("SMS_SENDER", "+33700000000".to_owned()),
    ];
    Env::of(pairs.map(|(name, value)| (name.to_owned(), value)))
}

/// Books, goes to the second before the reminder is due, then to the second: exactly one reminder, in civil words.
async fn reminded(
    zone: Tz,
    now: &str,
    (starts, ends): (&str, &str),
    due: &str,
    consents: Value,
    words: &str,
) {
    let platform = Platform::at(now).await;
    let token = platform.practice(zone).await;
    let appointment = platform.book(&token, consents, starts, ends).await;
    let log = platform.reminders(&token, &appointment).await;
    assert_eq!((&log[0]["status"], &log[0]["due_at"]), (&json!("planned"), &json!(due)), "{zone} {starts}");
    let (starts_at, due_at) = (at(appointment["starts_at"].as_str().expect("a time")), at(due));

    let before = (due_at - chrono::Duration::seconds(1)).to_rfc3339();
    platform.settle_at(&before).await;
    assert_eq!(platform.reminded(), Vec::<String>::new(), "{zone} {starts}: too early");
    // The token of the booking has expired by now, as a day later it would: sign in again is the client's part.
    platform.settle_at(due).await;
    let told = platform.reminded();
    assert_eq!(told.len(), 1, "{zone} {starts}");
    assert!(told[0].contains(words), "{zone} {starts}: {}", told[0]);
    platform.settle_at(&starts_at.to_rfc3339()).await;
    assert_eq!(platform.reminded().len(), 1, "{zone} {starts}: once");
}

fn sms() -> Value {
    json!({ "reminder_sms": true })
}

fn mail() -> Value {
    json!({ "reminder_email": true })
}

#[tokio::test]
async fn in_paris_on_the_day_the_clocks_go_forward() {
    let times = ("2027-03-28T10:00", "2027-03-28T10:30");
    let words = "dimanche 28 mars à 10h";
    reminded(Tz::Europe__Paris, "2027-03-20T09:00:00Z", times, "2027-03-27T08:00:00Z", sms(), words).await;
    let words = "dimanche 28 mars 2027 à 10 h";
    reminded(Tz::Europe__Paris, "2027-03-20T09:00:00Z", times, "2027-03-27T08:00:00Z", mail(), words).await;
}

#[tokio::test]
async fn in_paris_on_the_day_the_clocks_go_back() {
    let times = ("2027-10-31T10:00", "2027-10-31T10:30");
    let words = "dimanche 31 octobre à 10h";
    reminded(Tz::Europe__Paris, "2027-10-20T09:00:00Z", times, "2027-10-30T09:00:00Z", sms(), words).await;
}

#[tokio::test]
async fn in_la_reunion_whose_clocks_never_change() {
    let times = ("2027-03-28T10:00", "2027-03-28T10:30");
    let words = "dimanche 28 mars à 10h";
    reminded(Tz::Indian__Reunion, "2027-03-20T09:00:00Z", times, "2027-03-27T06:00:00Z", sms(), words).await;
}

#[tokio::test]
async fn what_would_leave_at_night_leaves_the_evening_before() {
    let times = ("2027-03-29T01:30", "2027-03-29T02:00");
    let words = "lundi 29 mars 2027 à 1 h 30";
    reminded(Tz::Europe__Paris, "2027-03-20T09:00:00Z", times, "2027-03-27T18:55:00Z", mail(), words).await;
}

#[tokio::test]
async fn what_is_moved_or_cancelled_on_the_way_leaves_as_it_stands_or_not_at_all() {
    let platform = Platform::at("2027-01-04T08:00:00Z").await;
    let token = platform.practice(Tz::Europe__Paris).await;
    let appointment = platform.book(&token, sms(), "2027-01-15T14:30", "2027-01-15T15:00").await;
    let path = format!("appointments/{}", appointment["id"].as_str().expect("an id"));
    let moved = json!({ "patient_id": appointment["patient"]["id"], "practitioner_id": appointment["practitioner"]["id"],
        "starts_at": "2027-01-18T09:00", "ends_at": "2027-01-18T09:30" });
    platform.send(reqwest::Method::PUT, &path, &token, moved).await;
    let other = platform.book(&token, mail(), "2027-01-18T11:00", "2027-01-18T11:30").await;
    let other = format!("appointments/{}", other["id"].as_str().expect("an id"));
    platform.send(reqwest::Method::DELETE, &other, &token, json!({})).await;
    platform.settle_at("2027-01-14T15:00:00Z").await;
    assert_eq!(platform.reminded(), Vec::<String>::new(), "the first time is void");
    platform.settle_at("2027-01-17T12:00:00Z").await;
    let told = platform.reminded();
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("lundi 18 janvier à 9h"), "{}", told[0]);
    let mails = platform.outbox.mails();
    assert!(mails.iter().any(|mail| mail.text().expect("a text").contains("annulé")), "{mails:?}");
}
