//! The API's configuration.

use std::net::SocketAddr;

use permanence_domain::config::{
    AuthConfig, ConfigError, DatabaseConfig, Env, Secret, StorageConfig, encryption_key, http_url, parsed,
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
        Some(Self {
            listen: listen?,
            cors_origins: cors_origins?,
            database: database?,
            storage: storage?,
            auth: auth?,
            encryption_key: encryption_key?,
        })
    }
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
