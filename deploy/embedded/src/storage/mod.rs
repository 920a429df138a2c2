//! An S3 service on a folder, in this process: the object is the file `<folder>/<bucket>/<key>`.
//! It never guards against keys that leave their bucket: the platform makes its keys itself.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;

use crate::Error;
use crate::Faults;
use crate::listener::Listener;
use crate::postgres::random_hex;

mod objects;

use objects::Objects;

/// What the store can be made to do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageFault {
    /// 503 to everything.
    Away,
    /// Holds an operation, named as S3 does (`upload_part`, `create_multipart_upload`), until told otherwise.
    HoldAt(&'static str),
}

impl StorageFault {
    fn shows_at(self, operation: &str) -> bool {
        match self {
            Self::Away => true,
            Self::HoldAt(step) => step == operation,
        }
    }
}

/// A running object store; its keys are new at every start.
#[derive(Debug)]
pub struct ObjectStore {
    listener: Listener,
    folder: PathBuf,
    access_key: String,
    secret_key: String,
    faults: Faults<StorageFault>,
}

impl ObjectStore {
    /// Serves a folder, created where it is absent, on an address, port 0 for any.
    pub async fn start(folder: impl Into<PathBuf>, addr: SocketAddr) -> Result<Self, Error> {
        let folder = folder.into();
        let doing = format!("keep objects in {}", folder.display());
        std::fs::create_dir_all(&folder).map_err(Error::io(&*doing))?;
        let files = FileSystem::new(&folder)
            .map_err(|error| Error::io(doing)(std::io::Error::other(format!("{error:?}"))))?;
        let (access_key, secret_key) = (random_hex()?, random_hex()?);
        let faults = Faults::default();
        let objects = Objects { files, folder: folder.clone(), faults: faults.clone() };
        let mut service = S3ServiceBuilder::new(objects);
        service.set_auth(SimpleAuth::from_single(access_key.as_str(), secret_key.as_str()));
        let listener = crate::http::start(addr, service.build()).await?;
        Ok(Self { listener, folder, access_key, secret_key, faults })
    }

    /// Creates a bucket unless it is there.
    pub fn ensure_bucket(&self, name: &str) -> Result<(), Error> {
        let path = self.bucket_folder(name);
        std::fs::create_dir_all(&path).map_err(Error::io(format!("create {}", path.display())))
    }

    /// Returns the folder that holds the objects of a bucket as files.
    #[must_use]
    pub fn bucket_folder(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Returns the folder that holds the buckets.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the address for a client, which must use path style: `http://127.0.0.1:9000`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.addr())
    }

    /// Returns where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.listener.addr()
    }

    /// Returns the access key.
    #[must_use]
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// Returns the secret key.
    #[must_use]
    pub fn secret_key(&self) -> &str {
        &self.secret_key
    }

    /// Returns the handle that makes it fail.
    #[must_use]
    pub fn faults(&self) -> &Faults<StorageFault> {
        &self.faults
    }

    /// Stops listening once the requests under way have ended.
    pub async fn stop(self) {
        self.listener.stop().await;
    }
}
