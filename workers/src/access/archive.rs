//! The archive that a person is handed: the page, the data, the files, and a manifest with the hash of each. It is sealed as it
//! is made: in the object store nothing of it is ever in clear. Files pass through piece by piece, opened on their way, however large.

use std::{
    io::{self, Seek, Write},
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
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::mpsc,
};
use zip::ZipWriter;

use super::{fhir, page};
use crate::exports::{
    Summed, archive_options,
    attempt::{Gauge, Source},
    upload::{Parts, upload},
};

/// Bytes of a file that are read at once, and how many such pieces may wait for the thread.
const PIECE_BYTES: usize = 64 * 1024;
const PIECES: usize = 4;

/// What is told of the person, whole.
struct Told {
    name: &'static str,
    bytes: Vec<u8>,
}

/// What the thread waits for. Pieces that stop without the end are no end but a failure.
enum Piece {
    /// A file of this name begins.
    Begin(String),
    /// What comes next of it.
    More(Vec<u8>),
    /// There are no more files.
    End,
}

/// An archive that can be written.
pub(super) struct Archive {
    at: DateTime<Utc>,
    told: Vec<Told>,
    files: Vec<Attached>,
    key: SubjectKey,
    place: Place,
    gauge: Arc<Gauge>,
}

impl Archive {
    pub(super) fn new(gathered: Gathered, key: SubjectKey, place: Place) -> Result<Self> {
        let pretty = |value: &Value| serde_json::to_vec_pretty(value).map_err(Error::internal);
        let mut told = vec![
            Told { name: "index.html", bytes: page::render(&gathered).into_bytes() },
            Told { name: "data.json", bytes: pretty(&data(&gathered))? },
        ];
        if let Whose::Patient(patient) = gathered.whose {
            let bytes = pretty(&fhir::bundle(&gathered, patient))?;
            told.push(Told { name: "patient.fhir.json", bytes });
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
        let (to_thread, pieces) = mpsc::channel(PIECES);
        let Self { at, told, files, key: seal, place, gauge } = self;
        let write = move |parts| pack(at, &told, pieces, SealedWriter::new(parts, seal, place), &gauge);
        Box::pin(upload(storage, key, begun, fetch(storage, files, to_thread), write)).await
    }
}

/// Reads the files one after the other, and opens those that lie sealed.
async fn fetch(storage: &Storage, files: Vec<Attached>, to_thread: mpsc::Sender<Piece>) -> Result<()> {
    for file in files {
        pass(&to_thread, Piece::Begin(file.path())).await?;
        let object = storage.read(&file.key).await?;
        match file.seal {
            Some(key) => {
                let mut opening = key.open(object).await?;
                while let Some(chunk) = opening.next().await? {
                    pass(&to_thread, Piece::More(chunk)).await?;
                }
            }
            None => read(object, &to_thread).await?,
        }
    }
    pass(&to_thread, Piece::End).await
}

/// Passes on what lies in clear.
async fn read(mut object: impl AsyncRead + Unpin, to_thread: &mpsc::Sender<Piece>) -> Result<()> {
    let away = |error: io::Error| Error::Unavailable { what: "object store", source: error.into() };
    loop {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        if object.read_buf(&mut piece).await.map_err(away)? == 0 {
            return Ok(());
        }
        pass(to_thread, Piece::More(piece)).await?;
    }
}

async fn pass(to_thread: &mpsc::Sender<Piece>, piece: Piece) -> Result<()> {
    to_thread.send(piece).await.map_err(|_| Error::internal("the archive could not be made of the files"))
}

/// An archive that is being packed, and what its manifest will say.
struct Packing<'a, W: Write + Seek> {
    archive: ZipWriter<W>,
    at: DateTime<Utc>,
    gauge: &'a Gauge,
    /// The file that is open: its name, its bytes so far, their hash.
    open: Option<(String, usize, Sha256)>,
    manifest: Vec<Value>,
}

impl<W: Write + Seek> Packing<'_, W> {
    /// Ends the file that is open and begins another.
    fn begin(&mut self, name: String) -> io::Result<()> {
        self.end();
        self.archive.start_file(name.as_str(), archive_options(self.at))?;
        self.open = Some((name, 0, Sha256::new()));
        Ok(())
    }

    fn more(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (_, size, hash) = self.open.as_mut().ok_or(io::ErrorKind::InvalidInput)?;
        *size += bytes.len();
        hash.update(bytes);
        self.archive.write_all(bytes)
    }

    fn end(&mut self) {
        let Some((name, size, hash)) = self.open.take() else { return };
        self.manifest
            .push(json!({ "name": name, "size_bytes": size, "sha256": hex::encode(hash.finalize()) }));
        self.gauge.done.fetch_add(1, Ordering::Relaxed);
    }
}

/// The thread's work.
fn pack(
    at: DateTime<Utc>,
    told: &[Told],
    mut pieces: mpsc::Receiver<Piece>,
    sealed: SealedWriter<Parts>,
    gauge: &Gauge,
) -> io::Result<Written> {
    let archive = ZipWriter::new_stream(Summed::new(sealed));
    let mut packing = Packing { archive, at, gauge, open: None, manifest: Vec::new() };
    for Told { name, bytes } in told {
        packing.begin((*name).to_owned())?;
        packing.more(bytes)?;
    }
    loop {
        match pieces.blocking_recv().ok_or(io::ErrorKind::UnexpectedEof)? {
            Piece::Begin(name) => packing.begin(name)?,
            Piece::More(bytes) => packing.more(&bytes)?,
            Piece::End => break,
        }
    }
    packing.end();
    let Packing { mut archive, manifest, .. } = packing;
    archive.start_file("manifest.json", archive_options(at))?;
    serde_json::to_writer_pretty(&mut archive, &json!({ "as_of": at, "files": manifest }))?;
    let Summed { out, size, hash } = archive.finish()?.into_inner();
    let rows = gauge.done.fetch_add(1, Ordering::Relaxed) + 1;
    out.finish()?.finish(rows)?;
    let size_bytes = i64::try_from(size).map_err(io::Error::other)?;
    Ok(Written { rows, size_bytes, sha256: hash.finalize().into() })
}
