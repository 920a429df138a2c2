//! Imports a supplier's file: looked through for its encoding, read and staged batch by batch, checked as a whole, then
//! applied in one transaction. A run that dies leaves nothing but lines that the next one removes.

use permanence_domain::{
    Error,
    error::Result,
    inventory::{
        import::{
            ImportStart, ImportStatus, LineReader, Made, Report, Started, apply, begin_import, check_lines,
            end_import, sniff, stage,
        },
        jobs::ImportItems,
    },
};

use crate::{
    perform::{Outcome, Perform, Run},
    services::Services,
};

/// Lines that are staged together.
const BATCH: usize = 2_000;

impl Perform for ImportItems {
    async fn perform(self, run: Run, services: &Services) -> Result<Outcome> {
        let mut tx = run.begin(services).await?;
        let start = begin_import(&mut tx, self.import_id).await?;
        tx.commit().await?;
        let object = match start {
            ImportStart::Gone => return Ok(Outcome::Done(None)),
            ImportStart::Ended(object) => object,
            ImportStart::Read(started) => {
                if let Err(error) = import(&started, run, services).await {
                    give_up(&started, &error, run, services).await?;
                    return Err(error);
                }
                started.object
            }
        };
        // After the commit: if this process dies in between, the next run comes here again.
        services.storage()?.remove(&object).await?;
        Ok(Outcome::Done(None))
    }
}

async fn import(started: &Started, run: Run, services: &Services) -> Result<()> {
    let storage = services.storage()?;
    let source = storage.read(&started.object).await?;
    let reading = sniff(source, started.mode, started.mapping.clone()).await.map_err(away)?;
    let mut reader = LineReader::new(&reading, storage.read(&started.object).await?);
    loop {
        let lines = reader.next(BATCH).await.map_err(away)?;
        if lines.is_empty() {
            break;
        }
        let mut tx = run.begin(services).await?;
        stage(&mut tx, started.stage, &lines).await?;
        tx.commit().await?;
    }
    let mut report = reader.into_report();
    let mut tx = run.begin(services).await?;
    check_lines(&mut tx, started.stage, &mut report).await?;
    let (status, made) = if report.is_sound() {
        let made =
            apply(&mut tx, started.stage, started.mode, started.dry_run, started.by, report.lines).await?;
        (if started.dry_run { ImportStatus::Checked } else { ImportStatus::Applied }, made)
    } else {
        (ImportStatus::Refused, Made::default())
    };
    end_import(&mut tx, started.stage, status, &report, made).await?;
    tx.commit().await?;
    let name = if status == ImportStatus::Refused { "refused" } else { "done" };
    metrics::counter!("permanence_stock_imports_total", "outcome" => name).increment(1);
    Ok(())
}

/// A stream that broke.
fn away(error: std::io::Error) -> Error {
    Error::Unavailable { what: "object store", source: error.into() }
}

/// After the last attempt whoever waits is told that nothing more will come.
async fn give_up(started: &Started, error: &Error, run: Run, services: &Services) -> Result<()> {
    let overtaken = matches!(error, Error::Conflict { code: "overtaken", .. });
    if !run.last_attempt || overtaken {
        return Ok(());
    }
    let mut tx = run.begin(services).await?;
    end_import(&mut tx, started.stage, ImportStatus::Failed, &Report::default(), Made::default()).await?;
    tx.commit().await
}
