//! The API's configuration.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use permanence_domain::{
    config::{
        AuthConfig, ConfigError, DatabaseConfig, Env, Secret, StorageConfig, encryption_key, http_url, parsed,
    },
    notifications::receipts::{Provider, webhook_base, webhook_url},
    telemetry::TelemetryConfig,
    vault::Vault,
};

/// All that the API needs to know.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Origins of the frontends that browsers may call from.
    pub cors_origins: Vec<String>,
    /// The networks of the proxies in front, whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The database.
    pub database: DatabaseConfig,
    /// The object store.
    pub storage: StorageConfig,
    /// How people sign in.
    pub auth: AuthConfig,
    /// Seals stored answers.
    pub encryption_key: Secret,
    /// The keys of what people's care is written down in.
    pub vault: Vault,
    /// What providers that report deliveries prove themselves with.
    pub webhooks: WebhookConfig,
}

impl ApiConfig {
    /// Reads the environment, or tells everything that is wrong with it.
    pub fn from_env(mut env: Env) -> Result<Self, ConfigError> {
        let config = Self::read(&mut env);
        env.finish(config)
    }

    /// Reads its part of an environment; `None` means that problems were noted there.
    pub fn read(env: &mut Env) -> Option<Self> {
        let listen = listen(env);
        let cors_origins = env.or(
            "CORS_ORIGINS",
            Vec::new(),
            "comma-separated origins such as https://app.example.fr",
            origins,
        );
        let trusted_proxies = env.or(
            "TRUSTED_PROXIES",
            Vec::new(),
            "comma-separated networks or addresses such as 10.0.0.0/8 or 192.0.2.7",
            networks,
        );
        let database = DatabaseConfig::read(env);
        let storage = StorageConfig::read(env);
        let auth = AuthConfig::read(env);
        let encryption_key = encryption_key(env);
        let vault = Vault::read(env);
        let webhooks = WebhookConfig::read(env);
        // Read once more where the process begins, before all else: here for its problems to be told with the others.
        TelemetryConfig::read(env, "")?;
        Some(Self {
            listen: listen?,
            cors_origins: cors_origins?,
            trusted_proxies: trusted_proxies?,
            database: database?,
            storage: storage?,
            auth: auth?,
            encryption_key: encryption_key?,
            vault: vault?,
            webhooks,
        })
    }
}

/// What tells a provider's call from anybody's. A provider without it has no webhook.
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// Twilio: the account's token, and the URL that Twilio is told and signs.
    pub twilio: Option<(Secret, String)>,
    /// Brevo: the token that its webhooks were set up with.
    pub brevo: Option<Secret>,
}

impl WebhookConfig {
    /// Reads `TWILIO_AUTH_TOKEN`, `BREVO_WEBHOOK_SECRET`, `WEBHOOK_URL` and `PUBLIC_URL`, all of which may be absent;
    /// a wrong one is noted in the environment.
    fn read(env: &mut Env) -> Self {
        let url = webhook_base(env).map(|base| webhook_url(&base, Provider::Twilio));
        let token = secret_if_set(env, "TWILIO_AUTH_TOKEN", "the auth token", |_| true);
        let long_enough = |text: &str| text.chars().count() >= 16;
        let brevo =
            secret_if_set(env, "BREVO_WEBHOOK_SECRET", "a secret of at least 16 characters", long_enough);
        Self { twilio: token.zip(url), brevo }
    }
}

fn secret_if_set(
    env: &mut Env,
    name: &str,
    expected: &str,
    accept: impl FnOnce(&str) -> bool,
) -> Option<Secret> {
    if env.get(name).is_some() { env.secret(name, expected, accept) } else { None }
}

/// Reads `LISTEN`.
pub fn listen(env: &mut Env) -> Option<SocketAddr> {
    env.or(
        "LISTEN",
        SocketAddr::from(([127, 0, 0, 1], 8080)),
        "an address and port such as 127.0.0.1:8080",
        parsed,
    )
}

/// Networks; an address is a network of its own.
fn networks(text: &str) -> Option<Vec<IpNet>> {
    let network = |text: &str| text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    text.split(',').map(|part| network(part.trim())).collect()
}

fn origins(text: &str) -> Option<Vec<String>> {
    text.split(',')
        .map(|origin| {
            let origin = origin.trim().trim_end_matches('/');
            http_url(origin)
                .filter(|url| url.path() == "/" && url.query().is_none())
                .map(|_| origin.to_owned())
        })
        .collect()
}
