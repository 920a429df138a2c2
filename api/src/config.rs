//! The API's configuration.

use std::net::SocketAddr;

use permanence_domain::{
    config::{
        AuthConfig, ConfigError, DatabaseConfig, Env, Secret, StorageConfig, encryption_key, http_url, parsed,
        webhook_base,
    },
    notifications::receipts::{Provider, webhook_url},
};

/// All that the API needs to know.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Origins of the frontends that browsers may call from.
    pub cors_origins: Vec<String>,
    /// The database.
    pub database: DatabaseConfig,
    /// The object store.
    pub storage: StorageConfig,
    /// How people sign in.
    pub auth: AuthConfig,
    /// Seals stored answers.
    pub encryption_key: Secret,
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
        let database = DatabaseConfig::read(env);
        let storage = StorageConfig::read(env);
        let auth = AuthConfig::read(env);
        let encryption_key = encryption_key(env);
        let webhooks = WebhookConfig::read(env);
        Some(Self {
            listen: listen?,
            cors_origins: cors_origins?,
            database: database?,
            storage: storage?,
            auth: auth?,
            encryption_key: encryption_key?,
            webhooks: webhooks?,
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
    /// Reads `TWILIO_AUTH_TOKEN`, `BREVO_WEBHOOK_SECRET`, `WEBHOOK_URL` and `PUBLIC_URL`.
    pub fn read(env: &mut Env) -> Option<Self> {
        let base = webhook_base(env);
        let twilio = optional(env, "TWILIO_AUTH_TOKEN", "the auth token", |_| true);
        let brevo =
            optional(env, "BREVO_WEBHOOK_SECRET", "a secret of at least 16 characters", |text| text.len() >= 16);
        let url = base?.map(|base| webhook_url(&base, Provider::Twilio));
        Some(Self { twilio: twilio?.zip(url), brevo: brevo? })
    }
}

fn optional(
    env: &mut Env,
    name: &str,
    expected: &str,
    accept: impl FnOnce(&str) -> bool,
) -> Option<Option<Secret>> {
    if env.get(name).is_none() { Some(None) } else { env.secret(name, expected, accept).map(Some) }
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
