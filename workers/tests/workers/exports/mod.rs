//! Exports through the real queue and a real object store: what is in the files, what becomes of them, what goes wrong.

mod content;
mod ends;
mod killed;
mod ledger;
mod troubles;

use std::{path::Path, time::Duration};

use permanence_domain::{
    db::Actor,
    exports::{self, AREA, Export, ExportFormat, ExportKind, ExportStatus, Filters, NewExport, Profile},
    ids::{ExportId, TenantId},
};

use crate::support::{World, soon};

/// An export of patients as it is asked for.
fn of(kind: ExportKind, format: ExportFormat, profile: Option<Profile>) -> NewExport {
    NewExport { kind, format, profile, filters: None }
}

fn within(kind: ExportKind, filters: Filters) -> NewExport {
    NewExport { kind, format: ExportFormat::Csv, profile: Some(Profile::Rfc4180), filters: Some(filters) }
}

async fn ask(world: &World, new: &NewExport) -> Export {
    ask_as(world, world.tenant, new).await
}

async fn ask_as(world: &World, tenant: TenantId, new: &NewExport) -> Export {
    let mut tx = world.db.tenant(tenant, Actor::JOB).await.expect("a transaction");
    let export = exports::request(&mut tx, new).await.expect("asked");
    tx.commit().await.expect("committed");
    export
}

/// Waits until an export stands so.
async fn until(world: &World, id: ExportId, status: ExportStatus) -> Export {
    let condition = async {
        loop {
            let mut tx = world.begin().await;
            let export = exports::get(&mut tx, id).await.expect("the export");
            if export.status == status {
                return export;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon(&format!("{status:?}"), condition).await
}

/// Waits until a count has a value.
async fn count(what: &str, wanted: usize, look: impl AsyncFn() -> usize) {
    let condition = async {
        while look().await != wanted {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon(&format!("{wanted} {what}"), condition).await;
}

/// The file of an export that is there.
async fn file(world: &World, id: ExportId) -> Vec<u8> {
    let mut tx = world.begin().await;
    let download = exports::download(&mut tx, id).await.expect("a download");
    world.storage().get(&download.key).await.expect("the file")
}

/// Asks for an export, has it written and fetches it.
async fn fetched(world: &World, new: &NewExport) -> (Export, Vec<u8>) {
    let asked = ask(world, new).await;
    let pool = world.work_on("exports");
    let export = until(world, asked.id, ExportStatus::Completed).await;
    let file = file(world, asked.id).await;
    pool.drain().await;
    (export, file)
}

/// The objects that exports have in the store.
fn objects(world: &World) -> usize {
    fn files(folder: &Path) -> usize {
        let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
        entries
            .map(|entry| entry.expect("an entry").path())
            .map(|path| if path.is_dir() { files(&path) } else { 1 })
            .sum()
    }
    files(&world.objects.bucket_folder("permanence").join(AREA))
}

/// The uploads that were begun and have not ended.
async fn uploads(world: &World) -> usize {
    world.storage().list_uploads(AREA).await.expect("a list").len()
}

/// The uploads that attempts have noted: those that are sure to be found.
async fn noted(world: &World) -> usize {
    let mut tx = world.begin().await;
    let noted: i64 = sqlx::query_scalar("SELECT count(upload_id) FROM exports")
        .fetch_one(tx.conn())
        .await
        .expect("a count");
    usize::try_from(noted).expect("a count")
}

/// Adds a patient as no form would let one in.
async fn strange_patient(world: &World, id: u8, last_name: &str, first_name: &str) {
    let mut tx = world.db.system(Actor::JOB).await.expect("a transaction");
    sqlx::query(
        "INSERT INTO patients (tenant_id, id, last_name, first_name, birth_date, language, sms_consent, email_consent,
                               created_at, updated_at)
         VALUES ($1, ('ffffffff-0000-4000-8000-0000000000' || $2)::uuid, $3, $4, '1984-02-29', 'en', false, true,
                 '2027-01-12T23:30:00.7Z', '2027-01-12T23:30:01Z')",
    )
    .bind(world.tenant.0)
    .bind(format!("{id:02}"))
    .bind(last_name)
    .bind(first_name)
    .execute(tx.conn())
    .await
    .expect("inserted");
    tx.commit().await.expect("committed");
}
