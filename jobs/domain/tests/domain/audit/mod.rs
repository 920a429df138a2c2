//! The audit trail proves itself: what is sealed, what a change of it looks like, what is forgotten.

mod forgetting;
mod sealing;
mod tampering;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use permanence_domain::{
    audit::{
        self, Anchor, Line, anchor_number, next_anchor, note_anchor, read_trail, seal_batch, set_fence,
        verify::{Report, Verifier},
    },
    clock::{Clock, SimulatedClock, SystemClock},
    db::{Actor, Db},
    field::{Label, Language},
    identity::{NewTenant, create_tenant},
    ids::TenantId,
    migrate::MIGRATOR,
};
use permanence_embedded::testing::TestDatabase;
use permanence_queue::Waker;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

/// A trail with one tenant, and the anchors of it as an object store would keep them.
struct Recorded {
    database: TestDatabase,
    clock: Arc<SimulatedClock>,
    db: Db,
    tenant: TenantId,
    anchors: Vec<(i64, Vec<u8>)>,
}

impl Recorded {
    async fn at(now: &str) -> Self {
        let database = TestDatabase::create(&MIGRATOR).await;
        let clock = Arc::new(SimulatedClock::at(now.parse().unwrap()));
        let waker = Waker::start(database.login_options());
        let db = Db::new(database.login_options(), 8, clock.clone(), waker);
        let mut tx = db.system(Actor::JOB).await.unwrap();
        let new = NewTenant {
            kind: "practice",
            name: Label::parse("Lilas").unwrap(),
            time_zone: chrono_tz::Tz::Europe__Paris,
            language: Language::Fr,
            phone: None,
            address: None,
        };
        let tenant = create_tenant(&mut tx, &new).await.unwrap();
        tx.commit().await.unwrap();
        Self { database, clock, db, tenant, anchors: Vec::new() }
    }

    /// Records an action of the tenant, once for each of `count`, in one transaction.
    async fn act(&self, action: &str, count: usize) {
        let mut tx = self.db.tenant(self.tenant, Actor::JOB).await.unwrap();
        for _ in 0..count {
            audit::record(&mut tx, action, "thing", Uuid::new_v4()).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Draws a number that nothing will have.
    async fn leave_a_gap(&self) {
        let mut tx = self.db.tenant(self.tenant, Actor::JOB).await.unwrap();
        audit::record(&mut tx, "patient.update", "thing", None).await.unwrap();
        tx.rollback().await.unwrap();
    }

    async fn fence(&self) -> bool {
        let mut tx = self.db.system(Actor::JOB).await.unwrap();
        let set = set_fence(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        set
    }

    /// Seals all that was recorded; gives how many entries.
    async fn seal(&self) -> usize {
        let condition = async {
            let mut entries = 0;
            while self.fence().await {
                entries += self.seal_once(10_000).await.map_or(0, |sealed| sealed.entries);
                // Some transaction of another test still runs: the server is shared, and so are transaction ids.
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            entries
        };
        tokio::time::timeout(std::time::Duration::from_mins(1), condition).await.unwrap()
    }

    async fn seal_once(&self, most: usize) -> Option<audit::Sealed> {
        let mut tx = self.db.system(Actor::JOB).await.unwrap();
        let sealed = seal_batch(&mut tx, most).await.unwrap();
        tx.commit().await.unwrap();
        sealed
    }

    async fn anchor(&mut self) -> Anchor {
        let mut tx = self.db.system(Actor::JOB).await.unwrap();
        let anchor = next_anchor(&mut tx).await.unwrap().unwrap();
        let bytes = anchor.to_bytes().unwrap();
        note_anchor(&mut tx, &bytes).await.unwrap();
        tx.commit().await.unwrap();
        let number = anchor_number(anchor.key().unwrap().as_str()).unwrap();
        self.anchors.push((number, bytes));
        anchor
    }

    async fn owner(&self) -> PgConnection {
        PgConnection::connect_with(&self.database.owner_options()).await.unwrap()
    }

    /// What somebody does who owns the database and switches the triggers off.
    async fn tamper(&self, statements: &str) {
        let mut owner = self.owner().await;
        let all = format!("SET session_replication_role = replica; {statements}");
        sqlx::raw_sql(AssertSqlSafe(all)).execute(&mut owner).await.unwrap();
    }

    /// The later of the two clocks: removals go by the database's own.
    fn now(&self) -> DateTime<Utc> {
        self.clock.now().max(SystemClock.now())
    }

    async fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        read_trail(&self.db, None, |line| -> permanence_domain::Result<()> {
            lines.push(line);
            Ok(())
        })
        .await
        .unwrap();
        lines
    }

    fn judge(&self, lines: Vec<Line>, with_anchors: bool, now: DateTime<Utc>) -> Report {
        let mut verifier = Verifier::new(now, TimeDelta::minutes(10), None);
        if with_anchors {
            verifier.read_anchors();
            for (number, bytes) in &self.anchors {
                verifier.anchor(*number, bytes);
            }
        }
        for line in lines {
            verifier.line(line);
        }
        verifier.finish()
    }

    async fn verify(&self) -> Report {
        self.judge(self.lines().await, true, self.now())
    }

    async fn verify_without_anchors(&self) -> Report {
        self.judge(self.lines().await, false, self.now())
    }
}
