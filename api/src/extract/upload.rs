//! POST of a file by a signed-in caller: too large to be held in memory, it goes through a temporary file into the object
//! store, and only then a transaction begins. Done once for each `Idempotency-Key`, like any POST.

use std::{fs::File, io::BufWriter, marker::PhantomData, path::Path};

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, StatusCode, header},
};
use futures::StreamExt;
use permanence_domain::{
    Error, files,
    idempotency::{self, Principal},
    import, inventory,
    picture::{self, Picture},
    storage::ObjectKey,
    uploads,
    vault::ContentKey,
};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use super::{
    Caller, Create, Permission,
    create::{insist_on_key, keyed},
};
use crate::{
    error::{ApiError, Result},
    state::App,
};

/// A kind of file that a route takes.
pub(crate) trait FileKind: Send + Sync + 'static {
    /// The area of the object store in which it lies.
    const AREA: &'static str;
    /// What it may be called; more than one name may mean it, and where there is none, what it is called does not matter.
    const MEDIA_TYPES: &'static [&'static str];
    /// The end of its name.
    const SUFFIX: &'static str;
    /// The error of another kind.
    const WRONG_TYPE: &'static str;
    /// Most bytes.
    const MOST_BYTES: u64;
    /// Whether it is sealed under a key of its own before it is stored.
    const SEALED: bool = false;

    /// What the file is by what it holds, or what is wrong with it; whatever is not looked at is what it is called.
    fn media_type(_: &Path) -> Result<&'static str, Error> {
        Ok(Self::MEDIA_TYPES[0])
    }
}

/// A supplier's list.
#[derive(Debug)]
pub(crate) struct Csv;

impl FileKind for Csv {
    const AREA: &'static str = inventory::import::AREA;
    const MEDIA_TYPES: &'static [&'static str] =
        &["text/csv", "application/csv", "text/tab-separated-values"];
    const SUFFIX: &'static str = "csv";
    const WRONG_TYPE: &'static str = "not_csv";
    const MOST_BYTES: u64 = 128 * 1024 * 1024;
}

/// What a browser kept of a practice.
#[derive(Debug)]
pub(crate) struct Dump;

impl FileKind for Dump {
    const AREA: &'static str = import::AREA;
    const MEDIA_TYPES: &'static [&'static str] = &["application/json"];
    const SUFFIX: &'static str = "sealed";
    const WRONG_TYPE: &'static str = "not_json";
    const MOST_BYTES: u64 = 512 * 1024 * 1024;
    const SEALED: bool = true;
}

/// A picture to head papers with.
#[derive(Debug)]
pub(crate) struct LogoPicture;

impl FileKind for LogoPicture {
    const AREA: &'static str = uploads::LOGOS;
    const MEDIA_TYPES: &'static [&'static str] = &["image/png", "image/jpeg"];
    const SUFFIX: &'static str = "picture";
    const WRONG_TYPE: &'static str = "not_a_picture";
    const MOST_BYTES: u64 = 2 * 1024 * 1024;

    fn media_type(file: &Path) -> Result<&'static str, Error> {
        let bytes = std::fs::read(file).map_err(Error::internal)?;
        let expected = "a PNG or a JPEG, whole, of at most 4000 pixels each way";
        Picture::receive(&bytes, picture::LARGEST)
            .map(|picture| picture.media_type)
            .map_err(|_| Error::invalid("body", "not_a_picture", expected))
    }
}

/// A document of a patient or of the practice.
#[derive(Debug)]
pub(crate) struct Handed;

impl FileKind for Handed {
    const AREA: &'static str = files::AREA;
    const MEDIA_TYPES: &'static [&'static str] = &[];
    const SUFFIX: &'static str = "sealed";
    const WRONG_TYPE: &'static str = "not_a_file";
    const MOST_BYTES: u64 = files::MOST_BYTES;
    const SEALED: bool = true;

    fn media_type(file: &Path) -> Result<&'static str, Error> {
        files::media_type(File::open(file).map_err(Error::internal)?)
    }
}

/// A file that lies in the object store.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) object: ObjectKey,
    pub(crate) bytes: i64,
    media_type: &'static str,
    key: Option<ContentKey>,
}

impl Stored {
    /// What is to be kept of a file that was sealed.
    pub(crate) fn sealed(&self) -> Result<files::Received<'_>> {
        let key = self.key.as_ref().ok_or_else(|| Error::internal("a file of this kind is not sealed"))?;
        Ok(files::Received { object: &self.object, media_type: self.media_type, bytes: self.bytes, key })
    }
}

/// Removes an object that nobody will ask for.
pub(crate) async fn discard(app: &App, object: &ObjectKey) {
    if let Err(error) = app.storage.remove(object).await {
        tracing::warn!(%error, %object, "an object of no use stays");
    }
}

/// A keyed request with a file, and the transaction in which it is done and answered.
#[derive(Debug)]
pub(crate) struct Upload<P, K> {
    pub(crate) create: Create<P, Stored>,
    kind: PhantomData<K>,
}

impl<P: Permission, K: FileKind> FromRequest<App> for Upload<P, K> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, app).await?;
        let key = insist_on_key(&parts.headers)?;
        refuse_other_kinds::<K>(&parts.headers)?;
        // Whoever may not is told before they send a hundred megabytes. The transaction ends here: none is held open
        // while a body trickles in.
        let (tx, _) = caller.open(app, P::SCOPE).await?;
        tx.rollback().await?;
        let (file, digest, bytes) = receive::<K>(body).await?;
        let (file, media_type, sealing) = looked_at::<K>(file).await?;
        let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
        let fingerprint =
            idempotency::fingerprint(&app.fingerprint_key, parts.method.as_str(), path, &digest)?;
        let principal = Principal { tenant: caller.claims.tenant.0, user: caller.claims.sub.0 };
        let object =
            ObjectKey::of(K::AREA, caller.claims.tenant, &format!("{}.{}", Uuid::new_v4(), K::SUFFIX))?;
        let kept_as = if K::SEALED { "application/octet-stream" } else { media_type };
        app.storage.put_file(&object, kept_as, file.path()).await?;
        let stored = Stored { object: object.clone(), bytes, media_type, key: sealing };
        match Create::begin(app, &caller, keyed(principal, key, fingerprint), stored).await {
            Ok(create) => Ok(Self { create, kind: PhantomData }),
            Err(error) => {
                // Told again, or refused after all.
                discard(app, &object).await;
                Err(error)
            }
        }
    }
}

fn refuse_other_kinds<K: FileKind>(headers: &HeaderMap) -> Result<()> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let given = given.split(';').next().unwrap_or_default().trim();
    if K::MEDIA_TYPES.is_empty()
        || K::MEDIA_TYPES.iter().any(|media_type| given.eq_ignore_ascii_case(media_type))
    {
        return Ok(());
    }
    let detail = format!("Content-Type: {} is expected", K::MEDIA_TYPES.join(" or "));
    Err(ApiError::Http(StatusCode::UNSUPPORTED_MEDIA_TYPE, K::WRONG_TYPE, detail))
}

/// What is stored, what it is, and what opens it.
type Looked = (NamedTempFile, &'static str, Option<ContentKey>);

/// Looks into the file, and seals it where its kind is, where that holds up nobody.
async fn looked_at<K: FileKind>(file: NamedTempFile) -> Result<Looked> {
    let look = move || -> Result<Looked, Error> {
        let media_type = K::media_type(file.path())?;
        if !K::SEALED {
            return Ok((file, media_type, None));
        }
        let (key, sealed) = (ContentKey::random()?, temporary()?);
        let plain = file.reopen().map_err(Error::internal)?;
        key.seal(plain, BufWriter::new(sealed.as_file()))?;
        Ok((sealed, media_type, Some(key)))
    };
    Ok(tokio::task::spawn_blocking(look).await.map_err(Error::internal)??)
}

fn temporary() -> Result<NamedTempFile, Error> {
    NamedTempFile::with_prefix("permanence-").map_err(Error::internal)
}

/// Writes the body to a file that vanishes with its handle; gives its digest and its size.
async fn receive<K: FileKind>(body: Body) -> Result<(NamedTempFile, Vec<u8>, i64)> {
    let file = temporary()?;
    let mut writer = tokio::fs::File::from_std(file.reopen().map_err(Error::internal)?);
    let (mut digest, mut bytes) = (Sha256::new(), 0_u64);
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| {
            let detail = "the body ended before it was whole".to_owned();
            ApiError::Http(StatusCode::BAD_REQUEST, "body_cut_short", detail)
        })?;
        bytes += chunk.len() as u64;
        if bytes > K::MOST_BYTES {
            let detail = format!("a file of at most {} bytes is expected", K::MOST_BYTES);
            return Err(ApiError::Http(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail));
        }
        digest.update(&chunk);
        writer.write_all(&chunk).await.map_err(Error::internal)?;
    }
    writer.flush().await.map_err(Error::internal)?;
    Ok((file, digest.finalize().to_vec(), i64::try_from(bytes).map_err(Error::internal)?))
}
