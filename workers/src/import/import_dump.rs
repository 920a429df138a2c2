//! Moves in what a dump holds: read and staged batch by batch, checked as a whole, backed up for, then applied in one
//! transaction. A run that dies leaves nothing but records that the next one removes.

use std::io::Write;

use futures::TryStreamExt;
use permanence_domain::{
    Error, Invalid,
    db::{Actor, TenantTx},
    error::Result,
    exports::{Filters, Snapshot},
    import::{
        BACKUP, Checks, Found, MigrationStart, Record, Report, Started, Table, apply, begin, check_records,
        end, fail, jobs::ImportDump, note_backup, stage,
    },
};
use tempfile::NamedTempFile;

use super::pass::pass;
use crate::{
    perform::{Outcome, Perform, Run, failure},
    services::Services,
};

impl Perform for ImportDump {
    async fn perform(self, run: Run, services: &Services) -> Result<Outcome> {
        let mut tx = run.begin(services).await?;
        let start = begin(&mut tx, self.migration_id).await?;
        tx.commit().await?;
        let of_no_use = match start {
            MigrationStart::Gone => return Ok(Outcome::Done(None)),
            MigrationStart::Ended(dump) => dump,
            MigrationStart::Read(started) => {
                let moving = Moving { started: &started, run, services };
                match moving.work().await {
                    Ok(sound) => (started.dry_run || !sound).then_some(started.dump),
                    Err(error) => {
                        moving.give_up(&error).await?;
                        return Err(error);
                    }
                }
            }
        };
        // After the commit: if this process dies in between, the next run comes here again.
        if let Some(dump) = of_no_use {
            services.storage()?.remove(&dump).await?;
        }
        Ok(Outcome::Done(None))
    }
}

/// A run at work.
struct Moving<'a> {
    started: &'a Started,
    run: Run,
    services: &'a Services,
}

impl Moving<'_> {
    /// A transaction of whoever asked: what is made is theirs.
    async fn begin(&self) -> Result<TenantTx> {
        let actor = Actor { user: self.started.by, ..Actor::JOB };
        self.services.db.tenant(self.run.tenant()?, actor).await
    }

    /// Does all of it; false if the dump has faults.
    async fn work(&self) -> Result<bool> {
        let stage = self.started.stage;
        let mut tx = self.begin().await?;
        let checks = Checks::load(&mut tx, self.started.practitioners.clone()).await?;
        tx.commit().await?;
        let mut read = Report::default();
        let (mut batches, passing) = pass(self.services.storage()?, &self.started.dump).await?;
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
            return Ok(report.is_sound());
        }
        tx.commit().await?;
        self.back_up(&checks).await?;
        let mut tx = self.begin().await?;
        note_backup(&mut tx, stage).await?;
        // Once more: the agenda may have changed since.
        check_records(&mut tx, stage, &mut read).await?;
        if read.is_sound() {
            apply(&mut tx, stage, &checks, &mut read).await?;
        }
        end(&mut tx, stage, &read).await?;
        tx.commit().await?;
        let name = if read.is_sound() { "done" } else { "refused" };
        metrics::counter!("permanence_migrations_total", "outcome" => name).increment(1);
        Ok(read.is_sound())
    }

    /// Stages what is sound of a batch, and notes the rest.
    async fn take(&self, batch: Vec<Found>, checks: &Checks, report: &mut Report) -> Result<()> {
        let mut records: Vec<Record> = Vec::new();
        for found in batch {
            match found {
                Found::Table(table) => {
                    report.of(table);
                }
                Found::Closed(table) => {
                    let part = report.of(table);
                    part.found += 1;
                    part.not_imported += 1;
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
                            problems.into_iter().for_each(|problem| report.refuse(table, place, problem));
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
        stage(&mut tx, self.started.stage, &records).await?;
        tx.commit().await
    }

    /// Writes what the practice holds into the object store, by way of a file that vanishes with its handle.
    async fn back_up(&self, checks: &Checks) -> Result<()> {
        let mut file = NamedTempFile::with_prefix("permanence-").map_err(Error::internal)?;
        let (tenant, zone) = (self.run.tenant()?, checks.zone());
        let mut snapshot = Snapshot::open(&self.services.db, tenant, &Filters::default(), zone, zone).await?;
        {
            let rows = snapshot.copy(BACKUP).await?;
            tokio::pin!(rows);
            while let Some(line) = rows.try_next().await? {
                file.write_all(line.as_ref()).map_err(Error::internal)?;
            }
        }
        snapshot.close().await?;
        file.flush().map_err(Error::internal)?;
        let storage = self.services.storage()?;
        storage.put_file(&self.started.backup, "application/jsonl", file.path()).await
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
