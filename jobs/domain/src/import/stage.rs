//! Where the records of a dump wait until all of it was read. Whoever was overtaken by another run stages nothing.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::types::Json;
use zeroize::Zeroizing;

use super::{Record, Table, read::Visit};
use crate::{
    db::TenantTx,
    error::{Error, Result},
    ids::{MigrationId, TenantId},
    scheduling::AppointmentStatus,
    vault::{Key, Place, Sealed},
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

    fn place(self, tenant: TenantId, place: i64) -> Result<Place> {
        let version = i32::try_from(place).map_err(Error::internal)?;
        Ok(Place { tenant, table: "migration_records", row: self.migration.0, version })
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

/// What a run seals medical records under while they wait. It is kept nowhere: with the run its records turn to noise.
#[derive(Debug)]
pub struct StageKey(Key);

impl StageKey {
    /// A key that nobody had before.
    pub fn random() -> Result<Self> {
        Key::random().map(Self)
    }

    fn seal(&self, tenant: TenantId, stage: Stage, record: &Record) -> Result<Vec<u8>> {
        let plain = Zeroizing::new(serde_json::to_vec(&record.content).map_err(Error::internal)?);
        Ok(self.0.seal(&stage.place(tenant, record.place)?, &plain)?.0)
    }

    pub(super) fn open(&self, tenant: TenantId, stage: Stage, place: i64, sealed: Vec<u8>) -> Result<Value> {
        let plain = self.0.open(&stage.place(tenant, place)?, &Sealed(sealed))?;
        // The cause could quote the text.
        serde_json::from_slice(&plain).map_err(|_| Error::internal("a record that was staged does not read"))
    }
}

fn visit<T>(record: &Record, part: impl Fn(&Visit) -> T) -> Option<T> {
    record.visit.as_ref().map(part)
}

/// Keeps records; what is medical sealed.
pub async fn stage(tx: &mut TenantTx, stage: Stage, key: &StageKey, records: &[Record]) -> Result<()> {
    stage.hold(tx).await?;
    let (tenant, nothing) = (tx.tenant(), json!({}));
    let medical = |record: &Record| record.table == Table::MedicalRecords;
    let sealed = records
        .iter()
        .map(|record| medical(record).then(|| key.seal(tenant, stage, record)).transpose())
        .collect::<Result<Vec<Option<Vec<u8>>>>>()?;
    macro_rules! all {
        ($each:expr) => {
            &records.iter().map($each).collect::<Vec<_>>()
        };
    }
    sqlx::query!(
        "INSERT INTO migration_records (tenant_id, migration_id, run, collection, place, old_id, content, patient,
                                        practitioner_id, starts_at, ends_at, stands, sealed)
         SELECT $1, $2, $3, r.* FROM unnest($4::text[], $5::bigint[], $6::text[], $7::jsonb[], $8::text[], $9::uuid[],
             $10::timestamptz[], $11::timestamptz[], $12::boolean[],
             $13::bytea[]) AS r",
        tenant.0,
        stage.migration.0,
        stage.run,
        all!(|record| record.table.as_str()) as _,
        all!(|record| record.place),
        all!(|record| record.old_id.as_str()) as _,
        all!(|record| Json(if medical(record) { &nothing } else { &record.content })) as _,
        all!(|record| record.patient.as_deref()) as _,
        all!(|record| visit(record, |visit| visit.practitioner.0)) as &Vec<Option<uuid::Uuid>>,
        all!(|record| visit(record, |visit| visit.starts_at)) as &Vec<Option<DateTime<Utc>>>,
        all!(|record| visit(record, |visit| visit.ends_at)) as &Vec<Option<DateTime<Utc>>>,
        all!(|record| visit(record, |visit| visit.status == AppointmentStatus::Scheduled)) as &Vec<Option<bool>>,
        &sealed as &Vec<Option<Vec<u8>>>,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
