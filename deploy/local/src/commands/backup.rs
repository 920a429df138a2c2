//! `permanence backup …`: has a backup written, lists those in the store, proves one by restoring it onto a server of its own, and
//! restores one into an empty database. What it needs of a platform that is gone is its store and its keys.

use std::{fmt::Write as _, path::Path, sync::Arc};

use clap::Subcommand;
use permanence_domain::{
    Error,
    backup::{
        Manifest, jobs::WriteBackup, list_manifests, note_verified, read_manifest, replay,
        resume_after_restore,
    },
    clock::SystemClock,
    config::{DatabaseConfig, Env, Secret, StorageConfig, postgres_url},
    db::Db,
    ids::BackupId,
    migrate::{admit_backup, migrate},
    privacy::Signer,
    storage::Storage,
    vault::BackupKeys,
};
use permanence_embedded::{
    postgres::{Durability, Options, Postgres},
    storage::ObjectStore,
};
use permanence_queue::Waker;
use permanence_workers::backup::{Programs, Restored, check, restore};
use serde_json::json;

use super::{Refusal, begin, open, print};
use crate::{Failure, parts};

/// What may be wanted of backups.
#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Have a backup written by the pool `backups`, in place of waiting for the night
    Run,
    /// Show the backups in the store of the `BACKUP_S3_…` and `S3_…` variables, the oldest first
    List,
    /// Restore a backup onto a server of its own, compare every table, and leave nothing of it
    Verify {
        /// The backup; the newest unless said otherwise
        id: Option<BackupId>,
        /// Only read it to its end: nothing is restored, and no server is needed
        #[arg(long)]
        read_only: bool,
    },
    /// Restore a backup into the empty database at `DATABASE_OWNER_URL`, bring it up to this version and back to work
    Restore {
        /// The backup
        id: BackupId,
    },
}

/// Carries a command out.
pub(super) async fn run(folder: &Path, command: BackupCommand, json: bool) -> Result<(), Refusal> {
    match command {
        BackupCommand::Run => enqueue(folder, json).await,
        BackupCommand::List => list(folder, json).await,
        BackupCommand::Verify { id, read_only } => verify(folder, id, read_only, json).await,
        BackupCommand::Restore { id } => restore_into(folder, id, json).await,
    }
}

async fn enqueue(folder: &Path, json: bool) -> Result<(), Refusal> {
    let db = open(folder).await?;
    let mut tx = begin(&db).await?;
    let job = WriteBackup::job().map_err(Error::from)?;
    let id = tx.enqueue(job).await?.id.0;
    tx.commit().await?;
    db.close().await;
    print::answer(json, &json!({ "job_id": id }), || {
        format!("job {id}: follow it with `permanence jobs show {id}`\n")
    })
}

/// Where backups lie. The embedded store is served as long as this lives.
struct Place {
    env: Env,
    storage: Storage,
    _served: Option<ObjectStore>,
}

impl Place {
    async fn find(folder: &Path) -> Result<Self, Refusal> {
        let mut env = Env::of_process();
        let served = parts::kept(folder, &mut env).await?;
        let config = StorageConfig::read_for_backups(&mut env);
        let config = env.clone().finish(config).map_err(Failure::from)?;
        Ok(Self { env, storage: Storage::new(&config), _served: served })
    }
}

async fn list(folder: &Path, json: bool) -> Result<(), Refusal> {
    let place = Place::find(folder).await?;
    let manifests = list_manifests(&place.storage).await?;
    let row = |manifest: &Manifest| {
        let rows: i64 = manifest.tables.iter().map(|table| table.rows).sum();
        vec![
            manifest.id.to_string(),
            print::instant(Some(manifest.at)),
            manifest.size_bytes.to_string(),
            rows.to_string(),
            manifest.database.schema.to_string(),
            manifest.key_id.clone(),
        ]
    };
    print::answer(json, &manifests, || {
        print::table(&["backup", "of", "bytes", "rows", "schema", "key"], manifests.iter().map(row))
    })
}

/// The backup that is wanted, and what opens it.
async fn opened(
    place: &mut Place,
    id: Option<BackupId>,
) -> Result<(Manifest, BackupKeys, Programs), Refusal> {
    let keys = BackupKeys::read(&mut place.env).zip(Programs::read(&mut place.env));
    let (keys, programs) = place.env.clone().finish(keys).map_err(Failure::from)?;
    let manifest = if let Some(id) = id {
        read_manifest(&place.storage, id).await?
    } else {
        let newest = list_manifests(&place.storage).await?.pop();
        newest.ok_or_else(|| Refusal::Failed("there is no backup in the store".into()))?
    };
    Ok((manifest, keys, programs))
}

async fn verify(folder: &Path, id: Option<BackupId>, read_only: bool, json: bool) -> Result<(), Refusal> {
    let mut place = Place::find(folder).await?;
    let (manifest, keys, mut programs) = opened(&mut place, id).await?;
    if read_only {
        check(&place.storage, &keys, &programs, &manifest).await?;
        return print::answer(json, &json!({ "backup_id": manifest.id, "read": true }), || {
            format!("{}: whole, opens, and reads to its end\n", manifest.id)
        });
    }
    let data = std::env::temp_dir().join(format!("permanence-verify-{}", std::process::id()));
    let server = Postgres::start(Options { data, port: None, durability: Durability::Throwaway })
        .await
        .map_err(Failure::from)?;
    programs.restore = server.program("pg_restore").display().to_string();
    let restored = onto(&server, &place.storage, &keys, &programs, &manifest).await;
    server.stop().await.map_err(Failure::from)?;
    let restored = restored?;
    // The platform may be gone: that its backup holds is worth knowing all the same.
    let noted = match open(folder).await {
        Ok(db) => note(&db, manifest.id).await?,
        Err(_) => false,
    };
    told(json, &manifest, restored, &json!({ "noted": noted }), || {
        if noted { "Noted.\n".to_owned() } else { "Not noted: no platform's database knows it.\n".to_owned() }
    })
}

async fn onto(
    server: &Postgres,
    storage: &Storage,
    keys: &BackupKeys,
    programs: &Programs,
    manifest: &Manifest,
) -> Result<Restored, Refusal> {
    server.ensure_role(&manifest.database.owner).await.map_err(Failure::from)?;
    server.ensure_database("verify").await.map_err(Failure::from)?;
    let into = Secret::new(server.url(&manifest.database.owner, server.password(), "verify"));
    Ok(restore(storage, keys, programs, manifest, &into).await?)
}

async fn note(db: &Db, id: BackupId) -> Result<bool, Refusal> {
    let mut tx = begin(db).await?;
    let noted = note_verified(&mut tx, id).await?;
    tx.commit().await?;
    db.close().await;
    Ok(noted)
}

/// What a restore needs to know besides the backup.
struct Wanted {
    owner: Secret,
    database: DatabaseConfig,
    backup_login: Option<Secret>,
    signer: Signer,
    anchors: StorageConfig,
}

fn wanted(env: &mut Env) -> Result<Wanted, Refusal> {
    let owner = postgres_url(env, "DATABASE_OWNER_URL");
    let database = DatabaseConfig::read(env);
    let backup_login = match env.get("BACKUP_DATABASE_URL") {
        Some(_) => postgres_url(env, "BACKUP_DATABASE_URL").map(Some),
        None => Some(None),
    };
    let signer = Signer::read(env);
    let anchors = StorageConfig::read_for_anchors(env);
    let all = owner.zip(database).zip(backup_login).zip(signer).zip(anchors);
    let ((((owner, database), backup_login), signer), anchors) =
        env.clone().finish(all).map_err(Failure::from)?;
    Ok(Wanted { owner, database, backup_login, signer, anchors })
}

async fn restore_into(folder: &Path, id: BackupId, json: bool) -> Result<(), Refusal> {
    let mut place = Place::find(folder).await?;
    let wanted = wanted(&mut place.env)?;
    let (manifest, keys, programs) = opened(&mut place, Some(id)).await?;
    let restored = restore(&place.storage, &keys, &programs, &manifest, &wanted.owner).await?;
    let owner =
        wanted.owner.expose().parse().map_err(|_| Failure::from("DATABASE_OWNER_URL is not a URL"))?;
    migrate(&owner, &wanted.database.url).await.map_err(Failure::from)?;
    if let Some(login) = &wanted.backup_login {
        admit_backup(&owner, login).await.map_err(Failure::from)?;
    }
    let login =
        wanted.database.url.expose().parse().map_err(|_| Failure::from("DATABASE_URL is not a URL"))?;
    let db = Db::open(&wanted.database, Arc::new(SystemClock), Waker::start(login))?;
    let anchors = resume_after_restore(&db, &Storage::new(&wanted.anchors), &manifest).await?;
    let replayed = replay(&db, &place.storage, &wanted.signer).await?;
    db.close().await;
    told(json, &manifest, restored, &json!({ "erasures": replayed, "newer_anchors": anchors }), || {
        let mut text = format!("erasures: {} due again, {} settled\n", replayed.due, replayed.settled);
        if replayed.foreign > 0 {
            let foreign = replayed.foreign;
            // Writing to a String does not fail.
            let _ = writeln!(
                text,
                "WARNING  {foreign} notes of erasures were signed by another CERTIFICATE_KEY: nothing was done about them"
            );
        }
        if anchors > 0 {
            let _ = writeln!(
                text,
                "{anchors} anchors of the audit trail are newer than the backup: deploy/runbooks/audit-trail.md, after a restore"
            );
        }
        text + "The queue `reminders` is paused: deploy/runbooks/restore.md says when to resume it.\n"
    })
}

fn told(
    json: bool,
    manifest: &Manifest,
    restored: Restored,
    more: &serde_json::Value,
    words: impl FnOnce() -> String,
) -> Result<(), Refusal> {
    let answer = json!({ "backup_id": manifest.id, "of": manifest.at, "restored": restored, "more": more });
    print::answer(json, &answer, || {
        let Restored { tables, rows } = restored;
        let of = print::instant(Some(manifest.at));
        format!(
            "{} of {of}: {tables} tables with {rows} rows hold what was backed up\n{}",
            manifest.id,
            words()
        )
    })
}
