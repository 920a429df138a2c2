//! A Postgres of the test's own, for tests that crash it.

use permanence_embedded::{
    postgres::{Durability, Options, Postgres},
    testing::LOGIN,
};
use sqlx::{
    Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::support::MIGRATOR;

const DATABASE: &str = "queue";

pub(crate) struct OwnServer {
    pub(crate) postgres: Postgres,
    /// The owner's, which looks past row-level security.
    pub(crate) owner: PgPool,
}

impl OwnServer {
    pub(crate) async fn start(name: &str) -> Self {
        let data = std::env::temp_dir().join(format!("permanence-queue-{name}-{}", std::process::id()));
        let options = Options { data, port: None, durability: Durability::Throwaway };
        let postgres = Postgres::start(options).await.unwrap();
        postgres.ensure_database(DATABASE).await.unwrap();
        let owner = postgres.owner_options(DATABASE);
        let mut conn = PgConnection::connect_with(&owner).await.unwrap();
        MIGRATOR.run_direct(None, &mut conn, false).await.unwrap();
        sqlx::raw_sql(
            "CREATE ROLE permanence_login LOGIN NOINHERIT;
             GRANT permanence_queue, permanence_system, permanence_tenant TO permanence_login;
             GRANT CONNECT ON DATABASE queue TO permanence_login",
        )
        .execute(&mut conn)
        .await
        .unwrap();
        Self { postgres, owner: PgPool::connect_lazy_with(owner) }
    }

    pub(crate) fn login(&self) -> PgConnectOptions {
        self.postgres.options(LOGIN, None, DATABASE)
    }

    pub(crate) fn login_url(&self) -> String {
        self.postgres.url(LOGIN, None, DATABASE)
    }

    pub(crate) fn pool(&self) -> PgPool {
        queue_pool(self.login())
    }
}

/// Connections in the queue's role, as a worker has them.
pub(crate) fn queue_pool(login: PgConnectOptions) -> PgPool {
    PgPoolOptions::new().max_connections(5).connect_lazy_with(permanence_queue::connect_options(login))
}
