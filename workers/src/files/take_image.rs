//! Looks into a picture that the client sent: is it what was announced, does it read? Keeps it where no client may write, with a
//! thumbnail beside it, and has it available, or refused with the reason.

use permanence_domain::{
    Error,
    error::Result,
    files::{
        images::{Attempt, LARGEST, MOST_BYTES, Refusal, Taken, available, begin, refuse},
        jobs::TakeImage,
    },
    picture::Picture,
    storage::{ObjectKey, Storage},
};
use permanence_queue::Failure;
use sha2::{Digest, Sha256};
use tokio::{io::AsyncReadExt, sync::Semaphore};

use crate::{
    perform::{Outcome, Perform, Run},
    services::Services,
};

/// Longest edge of a thumbnail, pixels.
const THUMBNAIL: u32 = 320;

/// A decoder may take a hundred megabytes: of many pictures at once the others wait.
static DECODING: Semaphore = Semaphore::const_new(2);

/// A picture that is what was announced.
struct Looked {
    bytes: Vec<u8>,
    thumbnail: Vec<u8>,
    sha256: Vec<u8>,
}

impl Perform for TakeImage {
    async fn perform(self, run: Run, services: &Services) -> Result<Outcome> {
        let mut tx = run.begin(services).await?;
        let attempt = begin(&mut tx, self.image_id).await?;
        tx.commit().await?;
        let Some(attempt) = attempt else { return Ok(Outcome::Done(None)) };
        let looked = look(services.storage()?, &attempt).await?;
        let last = match looked {
            Ok(looked) => {
                let taken = keep(services.storage()?, &attempt, looked).await?;
                let mut tx = run.begin(services).await?;
                let last = available(&mut tx, &attempt, &taken).await?;
                tx.commit().await?;
                last
            }
            // What was available once and does not read now is for a person to see.
            Err(why) if attempt.object.is_none() => {
                let message = "a picture that is kept does not read any more";
                return Ok(Outcome::Discard(Failure::new(why.as_str(), message)));
            }
            Err(why) => {
                let mut tx = run.begin(services).await?;
                let last = refuse(&mut tx, &attempt, why).await?;
                tx.commit().await?;
                last
            }
        };
        let overtaken = || Failure::new("overtaken", "the picture changed meanwhile: look again");
        Ok(if last { Outcome::Done(None) } else { Outcome::Retry(overtaken()) })
    }
}

async fn look(storage: &Storage, attempt: &Attempt) -> Result<std::result::Result<Looked, Refusal>> {
    let _turn = DECODING.acquire().await.map_err(Error::internal)?;
    let bytes = match read(storage, &attempt.source).await {
        Ok(bytes) => bytes,
        Err(Error::NotFound(_)) => return Ok(Err(Refusal::NotUploaded)),
        Err(error) => return Err(error),
    };
    let attempt = attempt.clone();
    // Decoding takes a while of a core: where it holds up nobody.
    let look = move || inspect(&attempt, bytes);
    tokio::task::spawn_blocking(look).await.map_err(Error::internal)
}

/// The object whole, or one byte more than a picture may have.
async fn read(storage: &Storage, key: &ObjectKey) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let away = |error: std::io::Error| Error::Unavailable { what: "object store", source: error.into() };
    storage.read(key).await?.take(u64::from(MOST_BYTES) + 1).read_to_end(&mut bytes).await.map_err(away)?;
    Ok(bytes)
}

fn inspect(attempt: &Attempt, bytes: Vec<u8>) -> std::result::Result<Looked, Refusal> {
    if i64::try_from(bytes.len()).ok() != Some(attempt.bytes) {
        return Err(Refusal::WrongSize);
    }
    let sha256 = Sha256::digest(&bytes).to_vec();
    if attempt.sha256.as_ref().is_some_and(|expected| *expected != sha256) {
        return Err(Refusal::WrongHash);
    }
    let picture = Picture::receive(&bytes, LARGEST).map_err(|_| Refusal::NotAPicture)?;
    if picture.media_type != attempt.media_type.as_str() {
        return Err(Refusal::WrongType);
    }
    let thumbnail = picture.thumbnail(THUMBNAIL).map_err(|_| Refusal::NotAPicture)?;
    Ok(Looked { bytes, thumbnail, sha256 })
}

async fn keep(storage: &Storage, attempt: &Attempt, looked: Looked) -> Result<Taken> {
    if let Some(object) = &attempt.object {
        storage.put(object, attempt.media_type.as_str(), looked.bytes).await?;
    }
    storage.put(&attempt.thumbnail, "image/jpeg", looked.thumbnail).await?;
    Ok(Taken { sha256: looked.sha256 })
}
