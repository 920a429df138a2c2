//! The platform in one process: parts, migrations, demonstration data, API, every pool, the scheduler.

use std::{net::SocketAddr, path::Path, sync::Arc};

use permanence_api::{App, bind, config::ApiConfig, router, serve};
use permanence_domain::{
    clock::{SharedClock, SystemClock},
    config::{Env, StorageConfig, postgres_url},
    db::Db,
    migrate::{admit_backup, migrate},
    privacy::Signer,
    storage::Storage,
    telemetry,
};
use permanence_queue::{Listener, Waker};
use permanence_workers::{
    backup::BackupServices,
    config::MessagingConfig,
    process::{self, QUEUES},
    registry::Registry,
    schedule,
    services::{Messaging, Services},
};
use sqlx::postgres::PgConnectOptions;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    Failure, banner, demo, outbox,
    parts::{self, Parts},
};

/// Jobs that each pool performs at once.
const CONCURRENCY: usize = 8;

/// A running platform.
#[derive(Debug)]
pub(crate) struct Platform {
    address: String,
    demo: bool,
    parts: Parts,
    db: Db,
    tasks: JoinSet<Result<(), Failure>>,
    shutdown: CancellationToken,
}

struct Config {
    api: ApiConfig,
    messaging: MessagingConfig,
    signer: Signer,
    anchors: StorageConfig,
    backups: StorageConfig,
    /// Only where the environment says how: a platform that is tried out on another database need not back it up.
    backup: Option<Arc<BackupServices>>,
    owner: PgConnectOptions,
}

/// Where a person on this machine finds an address that is listened on.
fn reachable(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("http://127.0.0.1:{}", address.port())
    } else {
        format!("http://{address}")
    }
}

/// Reads the configuration.
fn configure(mut env: Env) -> Result<Config, Failure> {
    let owner = postgres_url(&mut env, "DATABASE_OWNER_URL");
    let api = ApiConfig::read(&mut env);
    let messaging = MessagingConfig::read(&mut env);
    let signer = Signer::read(&mut env);
    let anchors = StorageConfig::read_for_anchors(&mut env);
    let backups = StorageConfig::read_for_backups(&mut env);
    let backup = match env.get("BACKUP_DATABASE_URL") {
        Some(_) => BackupServices::read(&mut env).map(Arc::new).map(Some),
        None => Some(None),
    };
    let stores = anchors.zip(backups).zip(backup);
    let all = owner.zip(api).zip(messaging).zip(signer).zip(stores);
    let ((((owner, api), messaging), signer), ((anchors, backups), backup)) = env.finish(all)?;
    Ok(Config { api, messaging, signer, anchors, backups, backup, owner: owner.expose().parse()? })
}

/// What the jobs need, for all pools are in this process.
fn services(config: &Config, db: &Db) -> Result<Services, Failure> {
    Ok(Services {
        db: db.clone(),
        messaging: Some(Messaging::new(&config.messaging, db.clock().clone())?),
        storage: Some(Storage::new(&config.api.storage)),
        anchors: Some(Storage::new(&config.anchors)),
        backups: Some(Storage::new(&config.backups)),
        backup: config.backup.clone(),
        vault: Some(config.api.vault.clone()),
        signer: Some(config.signer.clone()),
    })
}

impl Platform {
    /// Starts everything; when it returns, the platform is ready.
    pub(crate) async fn start(folder: &Path, mut env: Env) -> Result<Self, Failure> {
        // All that can be told is told before anything is started: the settings, then a port in use.
        let mut trial = env.clone();
        parts::imagine(&mut trial);
        let listener = bind(configure(trial)?.api.listen).await?;
        let parts = Parts::start(folder, &mut env).await?;
        env.set_default("PUBLIC_URL", reachable(listener.local_addr()?));
        let config = configure(env)?;
        migrate(&config.owner, &config.api.database.url).await.map_err(|error| {
            let way_out = "; a local platform is cleared with `cargo run -- reset`";
            format!("{error}{}", if parts.postgres.is_some() { way_out } else { "" })
        })?;
        if let Some(backup) = &config.backup {
            admit_backup(&config.owner, &backup.source).await?;
        }
        Storage::new(&config.api.storage).ensure_bucket().await?;

        let clock: SharedClock = Arc::new(SystemClock);
        let options: PgConnectOptions = config.api.database.url.expose().parse()?;
        let db = Db::open(&config.api.database, clock.clone(), Waker::start(options.clone()))?;
        let demo = parts.are_all_embedded();
        if demo {
            demo::ensure(&db).await?;
        } else if demo::is_present(&db).await? {
            return Err("the database holds demonstration patients, and messages would leave for real: clear it with \
                        `cargo run -- reset`, or leave out the settings that replace embedded parts"
                .into());
        }

        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let registry = Registry::new(services(&config, &db)?);
        let bell = Listener::start(options.clone());
        // Without a way to back up, its queue has no worker, and whoever looks sees that.
        for queue in QUEUES.into_iter().filter(|queue| queue.pool != "backups" || config.backup.is_some()) {
            let pool = process::Pool {
                queue: queue.name,
                jobs: process::job_connections(options.clone()),
                concurrency: queue.concurrency(CONCURRENCY),
                clock: clock.clone(),
                waker: db.waker().clone(),
                listener: bell.clone(),
                shutdown: shutdown.clone(),
            };
            let registry = registry.clone();
            tasks.spawn(async move { Ok(process::perform(pool, registry).await?) });
        }
        let scheduled = schedule::run(db.clone(), shutdown.clone());
        tasks.spawn(scheduled);

        let metrics = telemetry::record_metrics()?;
        let app = App::new(&config.api, db.clone(), Some(metrics))?;
        let address = reachable(listener.local_addr()?);
        let mut routes = router(app);
        if let Some(caught) = &parts.outbox {
            routes = routes.merge(outbox::page(caught.clone()));
        }
        let ending = shutdown.clone();
        tasks.spawn(
            async move { Ok(serve(listener, routes, async move { ending.cancelled().await }).await?) },
        );
        Ok(Self { address, demo, parts, db, tasks, shutdown })
    }

    /// What a newcomer reads.
    pub(crate) fn welcome(&self) -> String {
        banner::welcome(&self.address, self.parts.outbox.is_some(), self.demo)
    }

    /// Completes when a part of it has ended by itself, which none should.
    pub(crate) async fn broken(&mut self) -> Failure {
        match self.tasks.join_next().await {
            Some(Ok(Err(error))) => error,
            Some(Err(error)) => error.into(),
            Some(Ok(Ok(()))) | None => "a part of the platform ended by itself".into(),
        }
    }

    /// Drains and stops everything that was started.
    pub(crate) async fn stop(mut self) -> Result<(), Failure> {
        self.shutdown.cancel();
        let mut ended = Ok(());
        while let Some(task) = self.tasks.join_next().await {
            ended = ended.and(task.map_err(Failure::from).and_then(|task| task));
        }
        self.db.close().await;
        self.parts.stop().await?;
        ended
    }
}
