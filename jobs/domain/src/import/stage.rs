//! Where the records of a dump wait until all of it was read. Whoever was overtaken by another run stages nothing.

use chrono::{DateTime, Utc};
use sqlx::types::Json;

use super::{Record, read::Visit};
use crate::{
    db::TenantTx,
    error::{Error, Result},
    ids::MigrationId,
    scheduling::AppointmentStatus,
};

/// The records of one run of a migration.
#[derive(Debug, Clone, Copy)]
pub struct Stage {
    /// The migration.
    pub migration: MigrationId,
    /// The run.
    pub run: i32,
}

impl Stage {
    /// Keeps other runs out until the transaction ends; an error where another has begun or the migration has ended.
    pub(super) async fn hold(self, tx: &mut TenantTx) -> Result<()> {
        let held = sqlx::query!(
            "SELECT run FROM data_migrations
             WHERE tenant_id = $1 AND id = $2 AND run = $3 AND status = 'running' FOR NO KEY UPDATE",
            tx.tenant().0,
            self.migration.0,
            self.run,
        )
        .fetch_optional(tx.conn())
        .await?;
        held.map(drop).ok_or_else(|| Error::conflict("overtaken", "another run of this migration has begun"))
    }

    /// Removes the records of this run and of earlier ones.
    pub(super) async fn clear(self, tx: &mut TenantTx) -> Result<()> {
        sqlx::query!(
            "DELETE FROM migration_records WHERE tenant_id = $1 AND migration_id = $2",
            tx.tenant().0,
            self.migration.0,
        )
        .execute(tx.conn())
        .await?;
        Ok(())
    }
}

/// Keeps records.
pub async fn stage(tx: &mut TenantTx, stage: Stage, records: &[Record]) -> Result<()> {
    stage.hold(tx).await?;
    fn visit<T>(record: &Record, part: impl Fn(&Visit) -> T) -> Option<T> {
        record.visit.as_ref().map(part)
    }
    macro_rules! all {
        ($each:expr) => {
            &records.iter().map($each).collect::<Vec<_>>()
        };
    }
    sqlx::query!(
        "INSERT INTO migration_records (tenant_id, migration_id, run, collection, place, old_id, content, patient,
                                        practitioner_id, starts_at, ends_at, stands)
         SELECT $1, $2, $3, r.* FROM unnest($4::text[], $5::bigint[], $6::text[], $7::jsonb[], $8::text[], $9::uuid[],
             $10::timestamptz[], $11::timestamptz[], $12::boolean[]) AS r",
        tx.tenant().0,
        stage.migration.0,
        stage.run,
        all!(|record| record.table.as_str()) as _,
        all!(|record| record.place),
        all!(|record| record.old_id.as_str()) as _,
        all!(|record| Json(&record.content)) as _,
        all!(|record| record.visit.as_ref().map(|visit| visit.patient.as_str())) as _,
        all!(|record| visit(record, |visit| visit.practitioner.0)) as &Vec<Option<uuid::Uuid>>,
        all!(|record| visit(record, |visit| visit.starts_at)) as &Vec<Option<DateTime<Utc>>>,
        all!(|record| visit(record, |visit| visit.ends_at)) as &Vec<Option<DateTime<Utc>>>,
        all!(|record| visit(record, |visit| visit.status == AppointmentStatus::Scheduled)) as &Vec<Option<bool>>,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
