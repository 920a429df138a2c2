//! What is known of a person, written through the real queue into a real object store, opened as the API opens it, and read.

mod content;
mod due;
mod ends;

use std::{
    collections::BTreeMap,
    io::{Cursor, Read},
    time::Duration,
};

use futures::TryStreamExt;
use permanence_domain::{
    Error,
    access::{self, AccessRequest},
    exports::{AREA, ExportStatus},
    field::Day,
    ids::{AccessRequestId, MedicalRecordId},
    records::{self, Clinical, NewRecord, RecordKind},
    vault,
};
use serde_json::Value;

pub(crate) use content::pictured;

use crate::support::{World, soon, vault as keys};

/// What nobody but the patient and those who care may read.
const SECRET: &str = "Épaule droite gelée <b>depuis</b> l'accident";

async fn ask(world: &World) -> AccessRequest {
    let mut tx = world.begin().await;
    let request = access::request_of_patient(&mut tx, world.patient).await.expect("asked");
    tx.commit().await.expect("committed");
    request
}

/// Waits until a request's file stands so.
async fn until(world: &World, id: AccessRequestId, status: ExportStatus) -> AccessRequest {
    let condition = async {
        loop {
            let mut tx = world.begin().await;
            let request = access::get(&mut tx, id).await.expect("the request");
            if request.status == status {
                return request;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon(&format!("{status:?}"), condition).await
}

/// The archive of a request, opened.
async fn fetch(world: &World, id: AccessRequestId) -> Result<Vec<u8>, Error> {
    let mut tx = world.begin().await;
    let file = access::fetch_of_patient(&mut tx, &keys(), id).await?;
    tx.commit().await?;
    let sealed = world.storage().read(&file.object).await?;
    let frames: Vec<Vec<u8>> = vault::opened(sealed, file.key, file.place).try_collect().await?;
    let archive = frames.concat();
    assert_eq!(i64::try_from(archive.len()).ok(), Some(file.size_bytes));
    Ok(archive)
}

/// The files of an archive, by name.
fn files(archive: Vec<u8>) -> BTreeMap<String, Vec<u8>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).expect("an archive");
    let mut files = BTreeMap::new();
    for place in 0..archive.len() {
        let mut file = archive.by_index(place).expect("a file");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("its bytes");
        files.insert(file.name().expect("a name").into_owned(), bytes);
    }
    files
}

fn json(files: &BTreeMap<String, Vec<u8>>, name: &str) -> Value {
    serde_json::from_slice(&files[name]).expect("JSON")
}

/// What lies in the object store for exports, as it lies there.
async fn stored(world: &World) -> Vec<Vec<u8>> {
    let folder = world.objects.bucket_folder("permanence").join(AREA);
    let mut found = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        let Ok(mut entries) = tokio::fs::read_dir(folder).await else { continue };
        while let Some(entry) = entries.next_entry().await.expect("an entry") {
            if entry.file_type().await.expect("a type").is_dir() {
                folders.push(entry.path());
            } else {
                found.push(tokio::fs::read(entry.path()).await.expect("a file"));
            }
        }
    }
    found
}

/// Writes a record of the patient, and gives its number.
async fn noted(world: &World, content: &str) -> MedicalRecordId {
    let mut tx = world.begin().await;
    let id = records::write(&mut tx, &keys(), world.patient, &note(content)).await.expect("written").id;
    tx.commit().await.expect("committed");
    id
}

fn note(content: &str) -> NewRecord {
    NewRecord {
        kind: RecordKind::Observation,
        occurred_on: Day::parse("2027-01-03").expect("a day"),
        title: Clinical::parse("Épaule", 200).expect("a title"),
        content: Clinical::parse(content, 2_000).expect("a text"),
    }
}
