//! Transactions. Every tenant query goes through [`TenantTx`]; crossing tenants takes [`SystemTx`], or [`PersonTx`] for what is
//! one person's. The login role itself may do nothing, so a query that uses none of them fails closed.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use permanence_queue::{Batch, Enqueued, JobId, NewJob, Waker, trace};
use sqlx::{
    AssertSqlSafe, PgConnection, PgPool, Postgres, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tracing::{Instrument, Span};
use uuid::Uuid;

use crate::{
    clock::SharedClock,
    config::DatabaseConfig,
    error::{Error, Result},
    ids::{PatientId, TenantId, UserId},
};

/// Takes the tenant role for the rest of the transaction; the tenant's id follows.
pub(crate) const TENANT_ROLE: &str = "SET LOCAL ROLE permanence_tenant; SET LOCAL permanence.tenant_id =";

const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// The database as the application sees it: a pool of the login role, the clock, and the bell that wakes workers.
#[derive(Debug, Clone)]
pub struct Db {
    pool: PgPool,
    clock: SharedClock,
    waker: Waker,
}

/// Who acts, for the audit trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// The signed-in user; `None` for a job.
    pub user: Option<UserId>,
    /// The patient who acts for themselves, by the link of a message.
    pub patient: Option<PatientId>,
    /// The request or job that the action belongs to.
    pub request: Option<Uuid>,
}

impl Actor {
    /// A job acting by itself.
    pub const JOB: Self = Self::unknown(None);
    /// Somebody who has the database's address and a terminal: whom, it cannot tell.
    pub const COMMAND_LINE: Self = Self::unknown(None);

    /// Somebody who has not shown who they are.
    pub const fn unknown(request: Option<Uuid>) -> Self {
        Self { user: None, patient: None, request }
    }
}

impl Db {
    /// Opens the pool; a connection is made when first needed.
    pub fn new(options: PgConnectOptions, max_connections: u32, clock: SharedClock, waker: Waker) -> Self {
        let options = options.application_name("permanence").options([
            ("statement_timeout", "30s"),
            ("lock_timeout", "10s"),
            ("idle_in_transaction_session_timeout", "60s"),
            ("timezone", "UTC"),
            // Statements here are short: compiling one costs more than it ever saves.
            ("jit", "off"),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(Duration::from_secs(5))
            // A ping before each use would cost a round trip; `begin` tries again instead.
            .test_before_acquire(false)
            .connect_lazy_with(options);
        Self { pool, clock, waker }
    }

    /// Opens the pool of a configuration.
    pub fn open(config: &DatabaseConfig, clock: SharedClock, waker: Waker) -> Result<Self> {
        let options: PgConnectOptions = config.url.expose().parse().map_err(Error::from)?;
        Ok(Self::new(options, config.max_connections, clock, waker))
    }

    /// The clock that everything here goes by.
    pub fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// The bell that wakes workers.
    pub fn waker(&self) -> &Waker {
        &self.waker
    }

    /// How its connections are made, for one that must not be the pool's.
    pub(crate) fn connect_options(&self) -> Arc<PgConnectOptions> {
        self.pool.connect_options()
    }

    /// Begins a transaction that sees one tenant's rows.
    pub async fn tenant(&self, tenant: TenantId, actor: Actor) -> Result<TenantTx> {
        // The value is a UUID, so nothing in the text can be anything but hexadecimal digits and dashes.
        let statement = format!("BEGIN; {TENANT_ROLE} '{}'", tenant.0.as_hyphenated());
        Ok(TenantTx { tx: self.begin(statement, "tenant", Some(tenant)).await?, tenant, actor })
    }

    /// Begins a transaction that sees one tenant's rows as they stand at one moment, and changes nothing.
    pub async fn tenant_snapshot(&self, tenant: TenantId, actor: Actor) -> Result<TenantTx> {
        let statement = format!("{SNAPSHOT}; {TENANT_ROLE} '{}'", tenant.0.as_hyphenated());
        Ok(TenantTx { tx: self.begin(statement, "tenant", Some(tenant)).await?, tenant, actor })
    }

    /// Begins a transaction that sees one person's rows in every tenant, as they stand at one moment, and changes nothing.
    pub async fn person(&self, person: UserId) -> Result<PersonTx> {
        let statement = format!(
            "{SNAPSHOT}; SET LOCAL ROLE permanence_person; SET LOCAL permanence.person_id = '{}'",
            person.0.as_hyphenated()
        );
        Ok(PersonTx { tx: self.begin(statement, "person", None).await?, person })
    }

    /// Begins a transaction that sees every tenant's rows: for signing in, sweeping and seeding only.
    pub async fn system(&self, actor: Actor) -> Result<SystemTx> {
        let statement = "BEGIN; SET LOCAL ROLE permanence_system".to_owned();
        Ok(SystemTx { tx: self.begin(statement, "system", None).await?, actor })
    }

    async fn begin(&self, statement: String, role: &'static str, tenant: Option<TenantId>) -> Result<Tx> {
        // Ends with the transaction. What is asked in it is not told: it may hold values.
        let trace = tracing::info_span!(
            target: trace::SPANS,
            "transaction",
            otel.kind = "client",
            db.system.name = "postgresql",
            permanence.role = role,
            permanence.tenant_id = tenant.map(tracing::field::display),
        );
        // After a restart every pooled connection may be broken; each try takes one out.
        let (mut attempt, attempts) = (1, self.pool.options().get_max_connections() + 1);
        loop {
            match self.pool.begin_with(AssertSqlSafe(statement.clone())).instrument(trace.clone()).await {
                Ok(inner) => {
                    return Ok(Tx {
                        inner,
                        now: self.clock.now(),
                        clock: self.clock.clone(),
                        waker: self.waker.clone(),
                        queues: BTreeSet::new(),
                        trace,
                    });
                }
                // A pooled connection that broke while it was idle: nothing was done on it.
                Err(error) if attempt < attempts && is_broken(&error) => attempt += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whether the database answers and lets this login take its roles.
    pub async fn ping(&self) -> Result<()> {
        let mut tx = self.system(Actor::JOB).await?;
        sqlx::query!("SELECT 1 AS one").fetch_one(tx.conn()).await?;
        tx.rollback().await
    }

    /// Closes the pool once its transactions have ended.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Whether the connection itself is gone: a broken pipe, or the server's last word that it ends (57P, 08).
fn is_broken(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(cause) => {
            cause.code().is_some_and(|code| code.starts_with("57P") || code.starts_with("08"))
        }
        _ => false,
    }
}

#[derive(Debug)]
struct Tx {
    inner: Transaction<'static, Postgres>,
    now: DateTime<Utc>,
    clock: SharedClock,
    waker: Waker,
    queues: BTreeSet<String>,
    trace: Span,
}

impl Tx {
    async fn enqueue(&mut self, job: NewJob) -> Result<Enqueued> {
        let trace = self.enqueuing(std::slice::from_ref(&job));
        Ok(permanence_queue::enqueue(&mut self.inner, &*self.clock, job).instrument(trace).await?)
    }

    async fn enqueue_all(&mut self, jobs: Vec<NewJob>) -> Result<Vec<Enqueued>> {
        let trace = self.enqueuing(&jobs);
        Ok(permanence_queue::enqueue_all(&mut self.inner, &*self.clock, jobs).instrument(trace).await?)
    }

    async fn enqueue_batch(&mut self, jobs: Vec<NewJob>, then: NewJob) -> Result<Batch> {
        self.queues.insert(then.queue().to_owned());
        let trace = self.enqueuing(&jobs);
        Ok(permanence_queue::enqueue_batch(&mut self.inner, &*self.clock, jobs, then)
            .instrument(trace)
            .await?)
    }

    /// Notes which queues are to be woken; answers the span that the jobs go on from.
    fn enqueuing(&mut self, jobs: &[NewJob]) -> Span {
        self.queues.extend(jobs.iter().map(|job| job.queue().to_owned()));
        let first = jobs.first().map(NewJob::kind);
        tracing::info_span!(
            target: trace::SPANS,
            parent: &self.trace,
            "enqueue",
            otel.kind = "producer",
            messaging.system = "permanence",
            messaging.destination.name = jobs.first().map(NewJob::queue),
            messaging.batch.message_count = jobs.len(),
            permanence.job.kind = first,
        )
    }

    async fn commit(self) -> Result<()> {
        self.inner.commit().await?;
        for queue in &self.queues {
            self.waker.wake(queue);
        }
        Ok(())
    }
}

/// A transaction in which only one tenant's rows exist. Dropped without [`TenantTx::commit`], it leaves nothing.
#[derive(Debug)]
#[must_use = "nothing is kept without commit"]
pub struct TenantTx {
    tx: Tx,
    tenant: TenantId,
    actor: Actor,
}

/// A transaction across tenants. Dropped without [`SystemTx::commit`], it leaves nothing.
#[derive(Debug)]
#[must_use = "nothing is kept without commit"]
pub struct SystemTx {
    tx: Tx,
    actor: Actor,
}

/// A transaction in which only one person's rows exist, of every tenant. It only reads.
#[derive(Debug)]
pub struct PersonTx {
    tx: Tx,
    person: UserId,
}

impl PersonTx {
    /// The person whose rows are seen.
    pub fn person(&self) -> UserId {
        self.person
    }

    /// The connection, for SQL in this transaction.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx.inner
    }

    /// Ends the moment.
    pub async fn rollback(self) -> Result<()> {
        Ok(self.tx.inner.rollback().await?)
    }
}

impl TenantTx {
    /// Goes on across tenants, in the same transaction: for what has been checked as the tenant.
    pub async fn widen(mut self) -> Result<SystemTx> {
        sqlx::raw_sql("SET LOCAL ROLE permanence_system").execute(self.conn()).await?;
        Ok(SystemTx { tx: self.tx, actor: self.actor })
    }

    /// The tenant whose rows are seen.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// From now on the patient acts who has just shown a link of theirs.
    pub fn act_as_patient(&mut self, patient: PatientId) {
        self.actor.patient = Some(patient);
    }

    /// Adds a job of this tenant; it exists once the transaction commits.
    pub async fn enqueue(&mut self, job: NewJob) -> Result<Enqueued> {
        self.tx.enqueue(job.tenant(self.tenant.0)).await
    }

    /// Adds jobs of this tenant, in one statement; answers in their order.
    pub async fn enqueue_all(&mut self, jobs: Vec<NewJob>) -> Result<Vec<Enqueued>> {
        let tenant = self.tenant.0;
        self.tx.enqueue_all(jobs.into_iter().map(|job| job.tenant(tenant)).collect()).await
    }

    /// Adds jobs of this tenant, and one more that runs when all of them have ended.
    pub async fn enqueue_batch(&mut self, jobs: Vec<NewJob>, then: NewJob) -> Result<Batch> {
        let tenant = self.tenant.0;
        let jobs = jobs.into_iter().map(|job| job.tenant(tenant)).collect();
        self.tx.enqueue_batch(jobs, then.tenant(tenant)).await
    }

    /// Takes back a job that has not run yet.
    pub async fn cancel_job(&mut self, id: JobId) -> Result<()> {
        permanence_queue::cancel(&mut self.tx.inner, &*self.tx.clock, id).await?;
        Ok(())
    }
}

impl SystemTx {
    /// Goes on as one tenant, in the same transaction.
    pub async fn narrow(mut self, tenant: TenantId) -> Result<TenantTx> {
        let statement = format!("{TENANT_ROLE} '{}'", tenant.0.as_hyphenated());
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(self.conn()).await?;
        Ok(TenantTx { tx: self.tx, tenant, actor: self.actor })
    }

    /// From now on the user acts who has just proved who they are.
    pub fn act_as(&mut self, user: UserId) {
        self.actor.user = Some(user);
    }

    /// Wakes a queue's workers after the commit, for jobs that were enqueued by other means.
    pub fn wake(&mut self, queue: &str) {
        self.tx.queues.insert(queue.to_owned());
    }

    /// Adds a job that belongs to no tenant, or to one that the job names itself.
    pub async fn enqueue(&mut self, job: NewJob) -> Result<Enqueued> {
        self.tx.enqueue(job).await
    }
}

macro_rules! shared {
    ($($name:ident),*) => {$(
        impl $name {
            /// The connection, for SQL in this transaction.
            pub fn conn(&mut self) -> &mut PgConnection {
                &mut self.tx.inner
            }

            /// The moment this transaction goes by.
            pub fn now(&self) -> DateTime<Utc> {
                self.tx.now
            }

            /// The clock behind [`Self::now`].
            pub fn clock(&self) -> SharedClock {
                self.tx.clock.clone()
            }

            /// Who acts.
            pub fn actor(&self) -> Actor {
                self.actor
            }

            /// Keeps everything and wakes the workers of what was enqueued.
            pub async fn commit(self) -> Result<()> {
                self.tx.commit().await
            }

            /// Undoes everything.
            pub async fn rollback(self) -> Result<()> {
                Ok(self.tx.inner.rollback().await?)
            }
        }
    )*};
}

shared!(TenantTx, SystemTx);
