//! Moves in what a dump holds: read and staged batch by batch, checked as a whole, backed up for, then applied in one
//! transaction. A run that dies leaves nothing but records that the next one removes.

use std::io::BufWriter;

use futures::TryStreamExt;
use permanence_domain::{
    Error, Invalid,
    db::{Actor, TenantTx},
    error::Result,
    exports::{Filters, Snapshot},
    import::{
        BACKUP, Backup, Checks, Found, MigrationStart, Record, Report, StageKey, Started, Table, apply,
        begin, check_records, end, fail, jobs::ImportDump, note_backup, stage,
    },
    vault::ContentKey,
};
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

use super::pass::{Bytes, CHUNKS, pass};
use crate::{
    perform::{Outcome, Perform, Run, failure},
    services::Services,
};

/// Bytes of the backup that are handed on to be sealed at once.
const LINES_BYTES: usize = 64 * 1024;

impl Perform for ImportDump {
    async fn perform(self, run: Run, services: &Services) -> Result<Outcome> {
        let mut tx = run.begin(services).await?;
        let start = begin(&mut tx, services.vault()?, self.migration_id).await?;
        tx.commit().await?;
        if let MigrationStart::Read(started) = start {
            let key = StageKey::random()?;
            let moving = Moving { started: &started, key, run, services };
            if let Err(error) = moving.work().await {
                moving.give_up(&error).await?;
                return Err(error);
            }
        }
        Ok(Outcome::Done(None))
    }
}

/// A run at work.
struct Moving<'a> {
    started: &'a Started,
    key: StageKey,
    run: Run,
    services: &'a Services,
}

impl Moving<'_> {
    /// A transaction of whoever asked: what is made is theirs.
    async fn begin(&self) -> Result<TenantTx> {
        let actor = Actor { user: self.started.by, ..Actor::JOB };
        self.services.db.tenant(self.run.tenant()?, actor).await
    }

    /// Does all of it, or finds what is wrong.
    async fn work(&self) -> Result<()> {
        let stage = self.started.stage;
        let mut tx = self.begin().await?;
        let checks = Checks::load(&mut tx, self.started.practitioners.clone()).await?;
        tx.commit().await?;
        let mut read = Report::default();
        let (mut batches, passing) =
            pass(self.services.storage()?, &self.started.dump, &self.started.key).await?;
        let taking = async {
            while let Some(batch) = batches.recv().await {
                self.take(batch, &checks, &mut read).await?;
            }
            Ok(())
        };
        tokio::try_join!(passing, taking)?;
        let mut tx = self.begin().await?;
        let mut report = read.clone();
        check_records(&mut tx, stage, &mut report).await?;
        if self.started.dry_run || !report.is_sound() {
            end(&mut tx, stage, &report).await?;
            tx.commit().await?;
            return Ok(());
        }
        tx.commit().await?;
        let (backup, vault) = (self.back_up(&checks).await?, self.services.vault()?);
        let mut tx = self.begin().await?;
        note_backup(&mut tx, vault, stage, &backup).await?;
        // Once more: the agenda may have changed since.
        check_records(&mut tx, stage, &mut read).await?;
        if read.is_sound() {
            apply(&mut tx, (stage, &self.key), vault, &checks, &mut read).await?;
        }
        end(&mut tx, stage, &read).await?;
        tx.commit().await?;
        let name = if read.is_sound() { "done" } else { "refused" };
        metrics::counter!("permanence_migrations_total", "outcome" => name).increment(1);
        Ok(())
    }

    /// Stages what is sound of a batch, and notes the rest.
    async fn take(&self, batch: Vec<Found>, checks: &Checks, report: &mut Report) -> Result<()> {
        let mut records: Vec<Record> = Vec::new();
        for found in batch {
            match found {
                Found::Table(table) => {
                    report.of(table);
                }
                Found::Unknown(key) => {
                    let tables = Table::ALL.map(Table::as_str).join(", ");
                    report.refuse_whole("unknown_table", &format!("one of {tables}"), key);
                }
                Found::Malformed(place) => {
                    let expected = "one object of JSON with an array of records for each table";
                    report.refuse_whole("malformed", expected, place);
                }
                Found::Record(table, place, value) => {
                    report.of(table).found += 1;
                    match checks.record(table, place, value) {
                        Ok(record) => records.push(record),
                        Err(Error::Invalid(Invalid(problems))) => {
                            for problem in problems {
                                report.refuse(table, place, problem);
                            }
                        }
                        Err(other) => return Err(other),
                    }
                }
            }
        }
        if records.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        stage(&mut tx, self.started.stage, &self.key, &records).await?;
        tx.commit().await
    }

    /// Writes what the practice holds into the object store, by way of a file that vanishes with its handle. It is sealed by a
    /// thread of its own before it touches the disk.
    async fn back_up(&self, checks: &Checks) -> Result<Backup> {
        let (key, file) =
            (ContentKey::random()?, NamedTempFile::with_prefix("permanence-").map_err(Error::internal)?);
        let (to_thread, chunks) = mpsc::channel(CHUNKS);
        let sealing = tokio::task::spawn_blocking(move || {
            let sealed = key.seal(Bytes::of(chunks), BufWriter::new(file.as_file()));
            sealed.map(|()| (key, file))
        });
        let (tenant, zone) = (self.run.tenant()?, checks.zone());
        let mut snapshot = Snapshot::open(&self.services.db, tenant, &Filters::default(), zone, zone).await?;
        {
            let rows = snapshot.copy(BACKUP).await?;
            tokio::pin!(rows);
            let mut lines = Vec::new();
            while let Some(line) = rows.try_next().await? {
                lines.extend_from_slice(line.as_ref());
                if lines.len() >= LINES_BYTES {
                    // Whoever takes no more has failed, and says so below.
                    let _ = to_thread.send(std::mem::take(&mut lines)).await;
                }
            }
            let _ = to_thread.send(lines).await;
        }
        snapshot.close().await?;
        let _ = to_thread.send(Vec::new()).await;
        let (key, file) = sealing.await.map_err(Error::internal)??;
        let object = self.started.backup.clone();
        self.services.storage()?.put_file(&object, "application/octet-stream", file.path()).await?;
        Ok(Backup { object, key })
    }

    /// After the last attempt whoever waits is told that nothing more will come.
    async fn give_up(&self, error: &Error) -> Result<()> {
        let overtaken = matches!(error, Error::Conflict { code: "overtaken", .. });
        if !self.run.last_attempt || overtaken {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        fail(&mut tx, self.started.stage, &failure(error).code).await?;
        tx.commit().await
    }
}
