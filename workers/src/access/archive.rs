//! The archive that a person is handed: the page, the data, the papers, and a manifest with the hash of each. It is sealed as it
//! is made: in the object store nothing of it is ever in clear.

use std::{
    io::{self, Write},
    sync::{Arc, atomic::Ordering},
};

use chrono::{DateTime, Utc};
use permanence_domain::{
    Error,
    access::{Attached, Gathered, Whose},
    error::Result,
    exports::Written,
    storage::{ObjectKey, Part, Storage, UploadId},
    vault::{Place, SealedWriter, SubjectKey},
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use zip::ZipWriter;

use super::{fhir, page};
use crate::exports::{
    Summed, archive_options,
    attempt::{Gauge, Source},
    upload::{Parts, upload},
};

/// A file of the archive.
struct Entry {
    name: String,
    bytes: Vec<u8>,
}

/// An archive that can be written.
pub(super) struct Archive {
    at: DateTime<Utc>,
    told: Vec<Entry>,
    files: Vec<Attached>,
    key: SubjectKey,
    place: Place,
    gauge: Arc<Gauge>,
}

impl Archive {
    pub(super) fn new(gathered: Gathered, key: SubjectKey, place: Place) -> Result<Self> {
        let entry = |name: &str, bytes| Entry { name: name.to_owned(), bytes };
        let pretty = |value: &Value| serde_json::to_vec_pretty(value).map_err(Error::internal);
        let mut told = vec![
            entry("index.html", page::render(&gathered).into_bytes()),
            entry("data.json", pretty(&data(&gathered))?),
        ];
        if let Whose::Patient(patient) = gathered.whose {
            told.push(entry("patient.fhir.json", pretty(&fhir::bundle(&gathered, patient))?));
        }
        // The manifest is one more.
        let count = i64::try_from(told.len() + gathered.files.len() + 1).map_err(Error::internal)?;
        let gauge = Arc::new(Gauge::up_to(count));
        Ok(Self { at: gathered.at, told, files: gathered.files, key, place, gauge })
    }
}

/// Everything, as programs read it.
fn data(gathered: &Gathered) -> Value {
    let of = match gathered.whose {
        Whose::Patient(_) => "patient",
        Whose::User(_) => "user",
    };
    let sections: Map<String, Value> =
        gathered.sections.iter().map(|(shape, rows)| (shape.name.to_owned(), json!(rows))).collect();
    let controller = &gathered.controller;
    json!({
        "of": of,
        "as_of": gathered.at,
        "controller": { "name": controller.name, "phone": controller.phone, "address": controller.address },
        "data": sections,
    })
}

impl Source for Archive {
    fn gauge(&self) -> Arc<Gauge> {
        Arc::clone(&self.gauge)
    }

    async fn pour(
        self,
        storage: &Storage,
        key: &ObjectKey,
        begun: &UploadId,
    ) -> Result<(Written, Vec<Part>)> {
        // One paper waits while another is packed: as many as there are, two are in memory.
        let (to_thread, papers) = mpsc::channel(1);
        let Self { at, told, files, key: seal, place, gauge } = self;
        let write = move |parts| pack(at, &told, papers, SealedWriter::new(parts, seal, place), &gauge);
        Box::pin(upload(storage, key, begun, fetch(storage, files, to_thread), write)).await
    }
}

/// Fetches the papers; none says that there are no more.
async fn fetch(
    storage: &Storage,
    files: Vec<Attached>,
    to_thread: mpsc::Sender<Option<Entry>>,
) -> Result<()> {
    let gone = |_| Error::internal("the archive could not be made of the papers");
    for file in files {
        let entry = Entry { name: format!("files/{}", file.name), bytes: storage.get(&file.key).await? };
        to_thread.send(Some(entry)).await.map_err(gone)?;
    }
    to_thread.send(None).await.map_err(gone)
}

/// The thread's work.
fn pack(
    at: DateTime<Utc>,
    told: &[Entry],
    mut papers: mpsc::Receiver<Option<Entry>>,
    sealed: SealedWriter<Parts>,
    gauge: &Gauge,
) -> io::Result<Written> {
    let mut archive = ZipWriter::new_stream(Summed::new(sealed));
    let mut manifest = Vec::new();
    let mut add = |entry: &Entry, archive: &mut ZipWriter<_>| {
        archive.start_file(entry.name.as_str(), archive_options(at))?;
        archive.write_all(&entry.bytes)?;
        gauge.done.fetch_add(1, Ordering::Relaxed);
        let sha256 = hex::encode(Sha256::digest(&entry.bytes));
        manifest.push(json!({ "name": entry.name, "size_bytes": entry.bytes.len(), "sha256": sha256 }));
        io::Result::Ok(())
    };
    for entry in told {
        add(entry, &mut archive)?;
    }
    // Papers that stop without the end are no end but a failure.
    while let Some(paper) = papers.blocking_recv().ok_or(io::ErrorKind::UnexpectedEof)? {
        add(&paper, &mut archive)?;
    }
    archive.start_file("manifest.json", archive_options(at))?;
    serde_json::to_writer_pretty(&mut archive, &json!({ "as_of": at, "files": manifest }))?;
    let Summed { out, size, hash } = archive.finish()?.into_inner();
    let rows = gauge.done.fetch_add(1, Ordering::Relaxed) + 1;
    out.finish()?.finish(rows)?;
    let size_bytes = i64::try_from(size).map_err(io::Error::other)?;
    Ok(Written { rows, size_bytes, sha256: hash.finalize().into() })
}
