//! A migrated database, a local provider of SMS, and the pool's real processes.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use permanence_domain::{
    clock::SystemClock,
    config::Secret,
    db::{Actor, Db},
    migrate::migrate,
};
use permanence_embedded::{
    bench::{BenchDatabase, BenchServer},
    outbox::Outbox,
    sms::SmsServer,
};
use permanence_queue::{Waker, maintain};
use sqlx::PgPool;

const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub(crate) struct Platform {
    database: BenchDatabase,
    login_url: String,
    pub(crate) db: Db,
    pub(crate) owner: PgPool,
    pub(crate) outbox: Outbox,
    sms: SmsServer,
}

impl Platform {
    pub(crate) async fn start(server: &BenchServer) -> Self {
        let database = server.database().await.unwrap();
        let login_url = server.url("permanence_login", "bench", &database);
        migrate(&database.owner, &Secret::new(login_url.as_str())).await.unwrap();
        let owner = PgPool::connect_with(database.owner.clone()).await.unwrap();
        maintain(&mut owner.acquire().await.unwrap(), &SystemClock).await.unwrap();
        let options: sqlx::postgres::PgConnectOptions = login_url.parse().unwrap();
        let db = Db::new(options.clone(), 8, Arc::new(SystemClock), Waker::start(options));
        let outbox = Outbox::in_memory();
        let sms = SmsServer::start(LOCAL, outbox.clone()).await.unwrap();
        Self { database, login_url, db, owner, outbox, sms }
    }

    pub(crate) async fn settle(&self) {
        self.database.settle().await.unwrap();
    }

    /// Starts a process of the pool, as an operator would.
    pub(crate) fn worker(&self) -> Child {
        let credentials = self.sms.credentials();
        Command::new(env!("CARGO_BIN_EXE_reminders"))
            .env_clear()
            .envs([
                ("DATABASE_URL", self.login_url.as_str()),
                ("PUBLIC_URL", "https://app.example.fr"),
                ("JWT_REFRESH_KEY", "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr"),
                ("SMTP_URL", "smtp://127.0.0.1:9"),
                ("MAIL_FROM", "rappels@example.fr"),
                ("S3_ENDPOINT", "http://127.0.0.1:9"),
                ("S3_BUCKET", "permanence"),
                ("S3_ACCESS_KEY", "k"),
                ("S3_SECRET_KEY", "k"),
                ("SMS_PROVIDER", "ovh"),
                ("OVH_ENDPOINT", &self.sms.ovh_url()),
                ("OVH_APPLICATION_KEY", &credentials.ovh_application_key),
                ("OVH_APPLICATION_SECRET", &credentials.ovh_application_secret),
                ("OVH_CONSUMER_KEY", &credentials.ovh_consumer_key),
                ("OVH_SMS_SERVICE", &credentials.ovh_service),
                ("RUST_LOG", "warn"),
            ])
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Waits until nothing is on its way any more.
    pub(crate) async fn until_sent(&self) {
        let left = "SELECT count(*) FROM messages WHERE status IN ('planned', 'sending')";
        while sqlx::query_scalar::<_, i64>(left).fetch_one(&self.owner).await.unwrap() > 0 {
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// How late each sent message was, seconds, sorted.
    pub(crate) async fn lateness(&self) -> Vec<f64> {
        sqlx::query_scalar(
            "SELECT greatest(0, extract(epoch FROM m.sent_at - m.due_at))::float8 AS late FROM messages m
             WHERE m.status = 'sent' ORDER BY late",
        )
        .fetch_all(&self.owner)
        .await
        .unwrap()
    }

    pub(crate) async fn system(&self) -> permanence_domain::db::SystemTx {
        self.db.system(Actor::JOB).await.unwrap()
    }

    pub(crate) async fn stop(self, server: &BenchServer) {
        self.sms.stop().await;
        self.db.close().await;
        self.owner.close().await;
        server.discard(self.database).await.unwrap();
    }
}
