//! The workers' configuration: each pool reads what its jobs need, and nothing else.

mod messaging;
mod providers;

use std::{net::SocketAddr, sync::Arc};

use permanence_domain::{
    config::{ConfigError, DatabaseConfig, Env, StorageConfig, parsed},
    privacy::Signer,
    telemetry::TelemetryConfig,
    vault::Vault,
};

use crate::backup::BackupServices;

pub use messaging::{MailConfig, MessagingConfig, Rated, SmsConfig};

/// All that a worker process needs to know.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// The database.
    pub database: DatabaseConfig,
    /// Jobs performed at once.
    pub concurrency: usize,
    /// Where `/metrics` is served, if anywhere.
    pub metrics_listen: Option<SocketAddr>,
    /// Mail and SMS, in the pool that sends.
    pub messaging: Option<MessagingConfig>,
    /// The object store, in the pools that keep or fetch objects.
    pub storage: Option<StorageConfig>,
    /// The keys of what is sealed, in the pool that reads or destroys it.
    pub vault: Option<Vault>,
    /// Signs the certificates of erasures, in the same pool.
    pub signer: Option<Signer>,
    /// Where the audit trail is anchored, in the pools that have an object store.
    pub anchors: Option<StorageConfig>,
    /// Where backups lie, in the pools that have an object store.
    pub backups: Option<StorageConfig>,
    /// What backs up, in the pool that does.
    pub backup: Option<Arc<BackupServices>>,
}

/// What the jobs of a pool need besides the database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a list of needs, each there or not")]
pub struct Needs {
    /// Mail and SMS.
    pub messaging: bool,
    /// The object store.
    pub storage: bool,
    /// The keys of what is sealed, and the one that signs certificates and notes of erasures.
    pub vault: bool,
    /// What backs up.
    pub backup: bool,
}

impl WorkerConfig {
    /// Reads what the pool needs, or tells everything that is wrong.
    pub fn from_env(mut env: Env, needs: Needs) -> Result<Self, ConfigError> {
        let config = Self::read(&mut env, needs);
        env.finish(config)
    }

    fn read(env: &mut Env, needs: Needs) -> Option<Self> {
        let database = DatabaseConfig::read(env);
        let concurrency = env.or("WORKER_CONCURRENCY", 16, "a whole number from 1 to 1000", |text| {
            parsed(text).filter(|count| (1..=1_000).contains(count))
        });
        let metrics_listen =
            env.or("METRICS_LISTEN", None, "an address and port such as 127.0.0.1:9100", |text| {
                parsed(text).map(Some)
            });
        let messaging = if needs.messaging { MessagingConfig::read(env).map(Some) } else { Some(None) };
        let storage = if needs.storage { StorageConfig::read(env).map(Some) } else { Some(None) };
        let vault = if needs.vault { Vault::read(env).map(Some) } else { Some(None) };
        let signer = if needs.vault { Signer::read(env).map(Some) } else { Some(None) };
        let anchors = if needs.storage { StorageConfig::read_for_anchors(env).map(Some) } else { Some(None) };
        let backups = if needs.storage { StorageConfig::read_for_backups(env).map(Some) } else { Some(None) };
        let backup =
            if needs.backup { BackupServices::read(env).map(Arc::new).map(Some) } else { Some(None) };
        // Read once more where the process begins, before all else: here for its problems to be told with the others.
        TelemetryConfig::read(env, "")?;
        Some(Self {
            database: database?,
            concurrency: concurrency?,
            metrics_listen: metrics_listen?,
            messaging: messaging?,
            storage: storage?,
            vault: vault?,
            signer: signer?,
            anchors: anchors?,
            backups: backups?,
            backup: backup?,
        })
    }
}
