//! What every handler shares.

use std::{sync::Arc, time::Instant};

use ipnet::IpNet;
use metrics_exporter_prometheus::PrometheusHandle;
use permanence_domain::{
    clock::SharedClock, crypto::Sealer, db::Db, error::Result, identity::Tokens, storage::Storage,
    vault::Vault,
};

use crate::config::{ApiConfig, WebhookConfig};

/// The API's state; clones share it.
#[derive(Debug, Clone)]
pub struct App {
    pub(crate) db: Db,
    pub(crate) storage: Storage,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) sealer: Sealer,
    pub(crate) vault: Vault,
    pub(crate) fingerprint_key: Arc<[u8]>,
    pub(crate) cors_origins: Arc<[String]>,
    pub(crate) proxies: Arc<[IpNet]>,
    pub(crate) webhooks: Arc<WebhookConfig>,
    pub(crate) metrics: Option<Arc<PrometheusHandle>>,
    /// Since when this process has served.
    pub(crate) started: Instant,
}

impl App {
    /// Assembles the state; nothing is connected yet.
    pub fn new(config: &ApiConfig, db: Db, metrics: Option<PrometheusHandle>) -> Result<Self> {
        Ok(Self {
            db,
            storage: Storage::new(&config.storage),
            tokens: Arc::new(Tokens::new(&config.auth)?),
            vault: config.vault.clone(),
            sealer: Sealer::new(&config.encryption_key)?,
            fingerprint_key: config.encryption_key.expose().as_bytes().into(),
            cors_origins: config.cors_origins.clone().into(),
            proxies: config.trusted_proxies.clone().into(),
            webhooks: Arc::new(config.webhooks.clone()),
            metrics: metrics.map(Arc::new),
            started: Instant::now(),
        })
    }

    pub(crate) fn clock(&self) -> &SharedClock {
        self.db.clock()
    }
}
