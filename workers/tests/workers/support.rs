//! One harness: a practice with a patient, the reminders pool at work, an outbox that catches what leaves.

use std::{
    future::Future,
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;
use futures::{StreamExt, TryStreamExt, stream};
use permanence_domain::{
    backup::Keep,
    clock::{Clock, SharedClock, SimulatedClock},
    config::{Env, Secret, StorageConfig},
    db::{Actor, Db, TenantTx},
    field::{EmailAddress, Label, Language, Moment, PersonName, Phone},
    identity::{NewTenant, Role, TokenHashes, create_tenant},
    ids::{AppointmentId, PatientId, PractitionerId, TenantId},
    migrate::{MIGRATOR, admit_backup},
    notifications::{MessageLog, MessageStatus, Purpose, messages_of_appointment},
    patients::{self, NewConsents, NewPatient},
    people::{self, NewPractitioner},
    privacy::Signer,
    scheduling::{self, NewAppointment},
    storage::{ObjectKey, Storage, folders},
    tenants,
    vault::{BackupKeys, LocalMaster, Vault},
};
use permanence_embedded::{
    mail::MailServer,
    outbox::{Mail, Outbox},
    sms::SmsServer,
    storage::ObjectStore,
    testing::TestDatabase,
};
use permanence_queue::{Listener, Waker, Worker};
use permanence_workers::{
    backup::{BackupServices, Programs},
    clients::{HttpTimeouts, sms::OvhSettings},
    config::{MailConfig, MessagingConfig, Rated, SmsConfig},
    process::{QUEUES, job_connections},
    registry::Registry,
    services::{Messaging, Services},
};
use sqlx::Connection;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
const BUCKET: &str = "permanence";
pub(crate) const REFRESH_KEY: &str = "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr";

pub(crate) struct World {
    pub(crate) database: TestDatabase,
    pub(crate) clock: Arc<SimulatedClock>,
    pub(crate) db: Db,
    pub(crate) outbox: Outbox,
    pub(crate) mail: MailServer,
    pub(crate) sms: SmsServer,
    pub(crate) objects: ObjectStore,
    _folder: tempfile::TempDir,
    pub(crate) tenant: TenantId,
    pub(crate) patient: PatientId,
    pub(crate) practitioner: PractitionerId,
}

/// The keys of every test's platform.
pub(crate) fn vault() -> Vault {
    Vault::new(LocalMaster::parse(&format!("test:{}", "0e".repeat(32))).expect("a master key"))
}

/// Signs every test's certificates.
pub(crate) fn signer() -> Signer {
    Signer::of(&Secret::new("0d".repeat(32))).expect("a key")
}

/// Waits for a future that must come true soon.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.unwrap_or_else(|_| panic!("never: {what}"))
}

impl World {
    /// A practice in a zone, at a simulated time.
    pub(crate) async fn at(now: &str, zone: Tz) -> Self {
        let clock = Arc::new(SimulatedClock::at(now.parse::<DateTime<Utc>>().expect("a time")));
        Self::with_clock(clock.clone(), clock, zone).await
    }

    /// The same by another clock, such as the machine's.
    pub(crate) async fn with_clock(simulated: Arc<SimulatedClock>, clock: SharedClock, zone: Tz) -> Self {
        let database = TestDatabase::create(&MIGRATOR).await;
        let db = Db::new(database.login_options(), 8, clock, Waker::start(database.login_options()));
        let told = simulated.clone();
        let outbox = Outbox::with_clock(None, move || told.now()).expect("an outbox");
        let mail = MailServer::start(LOCAL, outbox.clone()).await.expect("a mail server");
        let sms = SmsServer::start(LOCAL, outbox.clone()).await.expect("an SMS server");
        let folder = tempfile::tempdir().expect("a folder");
        let objects = ObjectStore::start(folder.path(), LOCAL).await.expect("an object store");
        objects.ensure_bucket(BUCKET).expect("a bucket");
        let mut tx = db.system(Actor::JOB).await.expect("a transaction");
        let new = NewTenant {
            kind: "practice",
            name: Label::parse("Cabinet des Lilas").expect("a name"),
            time_zone: zone,
            language: Language::Fr,
            phone: Some("01 40 00 00 10".to_owned()),
            address: Some("12 rue des Lilas, Paris".to_owned()),
        };
        let tenant = create_tenant(&mut tx, &new).await.expect("a tenant");
        tx.commit().await.expect("committed");
        let mut tx = db.tenant(tenant, Actor::JOB).await.expect("a transaction");
        let patient = patients::register(&mut tx, &by_sms()).await.expect("a patient").id;
        let practitioner = NewPractitioner {
            first_name: PersonName::parse("Camille").expect("a name"),
            last_name: PersonName::parse("Roy").expect("a name"),
            specialty: Some(Label::parse("Psychiatrie").expect("a specialty")),
            rpps_number: None,
            adeli_number: None,
            user_id: None,
        };
        let practitioner = people::add(&mut tx, &practitioner).await.expect("a practitioner").id;
        tx.commit().await.expect("committed");
        Self {
            database,
            clock: simulated,
            db,
            outbox,
            mail,
            sms,
            objects,
            _folder: folder,
            tenant,
            patient,
            practitioner,
        }
    }

    pub(crate) async fn begin(&self) -> TenantTx {
        self.db.tenant(self.tenant, Actor::JOB).await.expect("a transaction")
    }

    /// Makes this hour one in which messages may leave, whatever the real clock shows.
    pub(crate) async fn be_awake(&self) {
        let now = self.db.clock().now();
        self.decide(|document, zone| {
            let hour = |ahead| {
                (now.with_timezone(&zone) + chrono::Duration::hours(ahead)).format("%H:00").to_string()
            };
            document["quiet_hours"] = serde_json::json!({ "from": hour(12), "to": hour(13) });
        })
        .await;
    }

    /// Changes the practice's settings.
    pub(crate) async fn decide(&self, change: impl FnOnce(&mut serde_json::Value, Tz)) {
        let mut tx = self.begin().await;
        let current = tenants::current_settings(&mut tx).await.expect("settings");
        let mut document = serde_json::to_value(&current.settings).expect("settings");
        change(&mut document, current.settings.zone());
        let decided = serde_json::from_value(document).expect("settings");
        tenants::update_settings(&mut tx, current.version, &decided).await.expect("set");
        tx.commit().await.expect("committed");
    }

    /// Makes the patient reachable in another way.
    pub(crate) async fn reach(&self, patient: &NewPatient) {
        let mut tx = self.begin().await;
        let version = patients::get(&mut tx, self.patient).await.expect("the patient").version;
        patients::update(&mut tx, self.patient, version, patient).await.expect("updated");
        tx.commit().await.expect("committed");
    }

    pub(crate) fn appointment(&self, civil: &str) -> NewAppointment {
        let starts: NaiveDateTime = civil.parse().expect("a civil time");
        NewAppointment {
            patient_id: self.patient,
            practitioner_id: self.practitioner,
            room_id: None,
            service_id: None,
            starts_at: Moment::Civil(starts),
            ends_at: Moment::Civil(starts + chrono::Duration::minutes(30)),
            reason: None,
            outside_availability: false,
        }
    }

    /// Books half an hour at a civil time such as `2027-03-28T10:00:00`.
    pub(crate) async fn book(&self, civil: &str) -> AppointmentId {
        let mut tx = self.begin().await;
        let id =
            scheduling::book(&mut tx, Role::Assistant, &self.appointment(civil)).await.expect("booked").id;
        tx.commit().await.expect("committed");
        id
    }

    /// The reminders of an appointment, the newest first.
    pub(crate) async fn log(&self, id: AppointmentId) -> Vec<MessageLog> {
        let mut log = self.messages(id).await;
        log.retain(|log| log.message.purpose == Purpose::Reminder);
        log
    }

    /// All that was and is to be said about an appointment.
    pub(crate) async fn messages(&self, id: AppointmentId) -> Vec<MessageLog> {
        let mut tx = self.begin().await;
        messages_of_appointment(&mut tx, id).await.expect("messages")
    }

    /// How many reminders were handed to a provider.
    pub(crate) fn reminded(&self) -> usize {
        let texts = self.outbox.texts().into_iter().filter(|text| text.body.starts_with("Rappel")).count();
        let reminds = |mail: &Mail| mail.subject().is_some_and(|subject| subject.starts_with("Rappel"));
        texts + self.outbox.mails().iter().filter(|mail| reminds(mail)).count()
    }

    /// Waits until the newest reminder of an appointment has this status.
    pub(crate) async fn until(&self, id: AppointmentId, status: MessageStatus) -> MessageLog {
        let condition = async {
            loop {
                let mut log = self.log(id).await;
                if log.first().is_some_and(|log| log.message.status == status) {
                    return log.remove(0);
                }
                // The database tells of no change: ask again shortly.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        soon(&format!("{status:?}"), condition).await
    }

    /// Waits until no job is waiting to run now, running, or about to be tried again within the simulated minute.
    pub(crate) async fn until_idle(&self) {
        self.until_idle_on(None).await;
    }

    /// The same of one queue: what other pools would do waits for them.
    pub(crate) async fn until_idle_on(&self, queue: Option<&str>) {
        let condition = async {
            loop {
                let mut tx = self.db.system(Actor::JOB).await.expect("a transaction");
                let now = self.clock.now();
                let busy: i64 = sqlx::query_scalar(
                    "SELECT count(*) FROM queue.jobs
                     WHERE (state IN ('available', 'running') OR run_at <= $1) AND ($2::text IS NULL OR queue = $2)",
                )
                .bind(now)
                .bind(queue)
                .fetch_one(tx.conn())
                .await
                .expect("a count");
                if busy == 0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        soon("idle", condition).await;
    }

    /// A connection of the owner, to arrange what nobody may.
    pub(crate) async fn owner(&self) -> sqlx::PgConnection {
        sqlx::PgConnection::connect_with(&self.database.owner_options()).await.expect("the owner")
    }

    /// Lets a future take so many steps and drops it then, as a process dies between two of them; `None` if it had not ended. Its
    /// connections die with it, so that a commit on its way has come through or not when this returns.
    pub(crate) async fn dies_after<T>(&self, steps: usize, future: impl Future<Output = T>) -> Option<T> {
        let (mut future, mut left) = (Box::pin(future), steps);
        let lived = std::future::poll_fn(move |cx| match future.as_mut().poll(cx) {
            Poll::Ready(ended) => Poll::Ready(Some(ended)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => {
                left -= 1;
                Poll::Pending
            }
        })
        .await;
        if lived.is_none() {
            self.break_connections().await;
        }
        lived
    }

    /// Ends every connection of the application from the server's side, as a restart does.
    pub(crate) async fn break_connections(&self) {
        let mut owner = self.owner().await;
        sqlx::query(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
             WHERE usename = 'permanence_login' AND datname = current_database()",
        )
        .execute(&mut owner)
        .await
        .expect("terminated");
    }

    pub(crate) fn messaging(&self) -> MessagingConfig {
        let credentials = self.sms.credentials();
        let ovh = OvhSettings {
            endpoint: self.sms.ovh_url(),
            application_key: credentials.ovh_application_key.clone(),
            application_secret: credentials.ovh_application_secret.clone(),
            consumer_key: credentials.ovh_consumer_key.clone(),
            service: credentials.ovh_service.clone(),
            sender: Some("Permanence".to_owned()),
            timeouts: HttpTimeouts { connect: Duration::from_secs(5), total: Duration::from_secs(2) },
        };
        MessagingConfig {
            mail: vec![Rated { provider: MailConfig::Smtp(Secret::new(self.mail.url())), rate: None }],
            mail_from: "rappels@permanence.example".to_owned(),
            sms: vec![Rated { provider: SmsConfig::Ovh(ovh), rate: None }],
            public_url: "https://app.example.fr".parse().expect("a URL"),
            hashes: TokenHashes::new(Secret::new(REFRESH_KEY)),
        }
    }

    /// The object store as the platform sees it.
    pub(crate) fn storage(&self) -> Storage {
        Storage::new(&StorageConfig {
            endpoint: self.objects.endpoint().parse().expect("a URL"),
            region: "us-east-1".to_owned(),
            bucket: BUCKET.to_owned(),
            access_key: self.objects.access_key().to_owned(),
            secret_key: Secret::new(self.objects.secret_key()),
        })
    }

    /// What a process needs to perform jobs beside this one.
    pub(crate) fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("DATABASE_URL", self.database.login_url()),
            ("S3_ENDPOINT", self.objects.endpoint()),
            ("S3_BUCKET", BUCKET.to_owned()),
            ("S3_ACCESS_KEY", self.objects.access_key().to_owned()),
            ("S3_SECRET_KEY", self.objects.secret_key().to_owned()),
        ]
    }

    /// Starts a pool's real binary, one that sends nothing.
    pub(crate) fn start(&self, binary: &str) -> Child {
        Command::new(binary)
            .env_clear()
            .envs(self.environment())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts")
    }

    /// What backs up; its login is let in by [`World::admit_backup`].
    pub(crate) fn backup(&self) -> BackupServices {
        BackupServices {
            source: Secret::new(
                self.database.login_url().replace("permanence_login", "permanence_backup_login"),
            ),
            keys: BackupKeys::parse(&format!("test:{}", "0b".repeat(32))).expect("a backup key"),
            keep: Keep::DEFAULT,
            programs: Programs::read(&mut Env::default()).expect("programs"),
        }
    }

    /// Makes the login of backups, as `migrate` does.
    pub(crate) async fn admit_backup(&self) {
        admit_backup(&self.database.owner_options(), &self.backup().source).await.expect("let in");
    }

    pub(crate) fn services(&self) -> Services {
        let messaging = Messaging::new(&self.messaging(), self.db.clock().clone()).expect("messaging");
        Services {
            db: self.db.clone(),
            messaging: Some(messaging),
            storage: Some(self.storage()),
            anchors: Some(self.storage()),
            backups: Some(self.storage()),
            backup: Some(Arc::new(self.backup())),
            vault: Some(vault()),
            signer: Some(signer()),
        }
    }

    /// Every object of a tenant.
    pub(crate) async fn objects_of(&self, tenant: TenantId) -> Vec<ObjectKey> {
        let storage = self.storage();
        let kept = stream::iter(folders(tenant)).flat_map(|folder| storage.every(folder));
        kept.map_ok(|kept| kept.key).try_collect().await.expect("a list")
    }

    /// Starts the reminders pool.
    pub(crate) fn work(&self) -> Pool {
        self.work_on("reminders")
    }

    /// Starts a pool by its name, with all its queues.
    pub(crate) fn work_on(&self, pool: &str) -> Pool {
        let shutdown = CancellationToken::new();
        let workers = QUEUES.iter().filter(|queue| queue.pool == pool).map(|queue| {
            Worker::builder(job_connections(self.database.login_options()), queue.name)
                .concurrency(queue.concurrency(8))
                .clock(self.db.clock().clone())
                .listener(Listener::start(self.database.login_options()))
                .heartbeat(Duration::from_millis(100), Duration::from_millis(600))
                .run(Registry::new(self.services()), shutdown.clone())
        });
        let working = futures::future::try_join_all(workers);
        Pool { shutdown, task: tokio::spawn(async move { drop(working.await.expect("the pool ends well")) }) }
    }
}

/// A pool at work.
pub(crate) struct Pool {
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Pool {
    /// Dies where it stands, as a process that is killed.
    pub(crate) async fn kill(self) {
        self.task.abort();
        // It ends by being aborted.
        drop(self.task.await);
    }

    pub(crate) async fn drain(self) {
        self.shutdown.cancel();
        soon("drained", self.task).await.expect("the pool did not panic");
    }
}

fn patient() -> NewPatient {
    NewPatient {
        first_name: PersonName::parse("Hélène").expect("a name"),
        last_name: PersonName::parse("Garcia").expect("a name"),
        birth_date: None,
        email: Some(EmailAddress::parse("helene@garcia.example").expect("an address")),
        phone: Some(Phone::parse("06 00 00 00 01").expect("a number")),
        address: None,
        language: Language::Fr,
        consents: NewConsents::default(),
    }
}

pub(crate) fn by_sms() -> NewPatient {
    NewPatient {
        consents: NewConsents { reminder_sms: true, reminder_email: false, imaging: None },
        ..patient()
    }
}

pub(crate) fn by_email() -> NewPatient {
    NewPatient {
        consents: NewConsents { reminder_sms: false, reminder_email: true, imaging: None },
        ..patient()
    }
}

pub(crate) fn by_both() -> NewPatient {
    NewPatient {
        consents: NewConsents { reminder_sms: true, reminder_email: true, imaging: None },
        ..patient()
    }
}

pub(crate) fn by_nothing() -> NewPatient {
    patient()
}
