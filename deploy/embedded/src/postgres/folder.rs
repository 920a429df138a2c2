//! The data folder and its companions beside it: log, password, lock.
//! It never leaves a half-written folder under the wanted name.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha1::{Digest, Sha1};

use super::account::Account;
use super::binaries::Binaries;
use super::{Durability, OWNER};
use crate::Error;

/// Where one server keeps what it has.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    data: PathBuf,
    /// The folder below /var/tmp that was made for this data alone.
    shelter: Option<PathBuf>,
}

impl Folder {
    /// Settles where the data lives: as wanted, or below /var/tmp when the server's account cannot pass through there.
    pub(super) fn locate(wanted: &Path, account: Account) -> Result<Self, Error> {
        let data = std::path::absolute(wanted).map_err(Error::io(format!("find {}", wanted.display())))?;
        let parent = parent(&data)?;
        create_folder(&parent)?;
        if account.can_enter(&parent) {
            return Ok(Self { data, shelter: None });
        }
        let name = data.file_name().unwrap_or_default();
        let shelter = PathBuf::from(format!("/var/tmp/permanence-{}", fingerprint(&data)));
        create_folder(&shelter)?;
        refuse_foreign(&shelter)?;
        Ok(Self { data: shelter.join(name), shelter: Some(shelter) })
    }

    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    pub(super) fn log(&self) -> PathBuf {
        self.beside("log")
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.beside("lock")
    }

    fn password_file(&self) -> PathBuf {
        self.beside("password")
    }

    /// Where `initdb` writes until it is done.
    fn draft(&self) -> PathBuf {
        self.beside("new")
    }

    /// Lists all that belongs to the server, what holds other parts last.
    pub(super) fn everything(&self) -> Vec<PathBuf> {
        let parts = [self.draft(), self.data.clone(), self.password_file(), self.log(), self.lock()];
        parts.into_iter().chain(self.shelter.clone()).collect()
    }

    fn beside(&self, extension: &str) -> PathBuf {
        let mut name = self.data.clone().into_os_string();
        name.push(".");
        name.push(extension);
        name.into()
    }

    /// Returns the major version that wrote the data, `None` where there is none yet.
    pub(super) fn written_by(&self) -> Result<Option<u32>, Error> {
        let empty = match std::fs::read_dir(&self.data) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
            Err(error) => return Err(Error::io(format!("read {}", self.data.display()))(error)),
        };
        if empty {
            return Ok(None);
        }
        let version = std::fs::read_to_string(self.data.join("PG_VERSION")).ok();
        match version.and_then(|text| text.trim().parse().ok()) {
            Some(major) if self.data.join("global/pg_control").is_file() => Ok(Some(major)),
            _ => Err(Error::IncompleteData { path: self.data.clone() }),
        }
    }

    /// Writes a new data folder and, when all of it is there, gives it its name.
    pub(super) fn initialise(
        &self,
        binaries: &Binaries,
        account: Account,
        how: Durability,
    ) -> Result<(), Error> {
        let draft = self.draft();
        remove(&draft)?;
        DirBuilder::new()
            .mode(0o700)
            .create(&draft)
            .map_err(Error::io(format!("create {}", draft.display())))?;
        account.give(&draft)?;
        let mut initdb = account.command(&binaries.program("initdb"));
        initdb.arg("--pgdata").arg(&draft).args([
            "--username",
            OWNER,
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "--no-instructions",
        ]);
        match how {
            Durability::Throwaway => {
                initdb.arg("--auth=trust");
            }
            Durability::Durable => {
                let password = self.write_password()?;
                // `initdb` reads the password under its own account, so from a copy that belongs to that one.
                let copy = self.beside("new.password");
                write_secret(&copy, &password)?;
                account.give(&copy)?;
                initdb.arg("--auth=scram-sha-256").arg("--pwfile").arg(&copy);
            }
        }
        let output = initdb.output();
        remove(&self.beside("new.password"))?;
        let output = output.map_err(Error::io(format!("run {}", binaries.program("initdb").display())))?;
        if !output.status.success() {
            remove(&draft)?;
            let detail = last_lines(&String::from_utf8_lossy(&output.stderr));
            return Err(Error::Postgres { step: "creating the data folder", detail });
        }
        std::fs::rename(&draft, &self.data).map_err(Error::io(format!("create {}", self.data.display())))
    }

    /// Reads the superuser's password; `None` where the server trusts this machine.
    pub(super) fn password(&self, how: Durability) -> Result<Option<String>, Error> {
        match how {
            Durability::Throwaway => Ok(None),
            Durability::Durable => match std::fs::read_to_string(self.password_file()) {
                Ok(text) => Ok(Some(text.trim().to_owned())),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    Err(Error::IncompleteData { path: self.password_file() })
                }
                Err(error) => Err(Error::io(format!("read {}", self.password_file().display()))(error)),
            },
        }
    }

    fn write_password(&self) -> Result<String, Error> {
        let password = super::random_hex()?;
        write_secret(&self.password_file(), &password)?;
        Ok(password)
    }

    /// Removes the data and its companions.
    pub(super) fn remove(&self) -> Result<(), Error> {
        self.everything().iter().try_for_each(|path| remove(path))
    }
}

fn parent(path: &Path) -> Result<PathBuf, Error> {
    path.parent().filter(|_| path.file_name().is_some()).map(Path::to_owned).ok_or_else(|| {
        Error::io(format!("keep data in {}", path.display()))(std::io::ErrorKind::InvalidInput.into())
    })
}

fn create_folder(path: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(path).map_err(Error::io(format!("create {}", path.display())))
}

/// Refuses a folder below /var/tmp that somebody else made under the name we would use.
fn refuse_foreign(path: &Path) -> Result<(), Error> {
    let doing = || format!("use {}", path.display());
    let found = std::fs::symlink_metadata(path).map_err(Error::io(doing()))?;
    // Only root falls back to this folder, so it is root's.
    if found.is_dir() && found.uid() == 0 && found.mode() & 0o022 == 0 {
        Ok(())
    } else {
        Err(Error::io(doing())(std::io::ErrorKind::PermissionDenied.into()))
    }
}

fn fingerprint(path: &Path) -> String {
    hex::encode(&Sha1::digest(path.as_os_str().as_encoded_bytes())[..8])
}

fn write_secret(path: &Path, secret: &str) -> Result<(), Error> {
    let doing = || format!("write {}", path.display());
    remove(path)?;
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(Error::io(doing()))?;
    writeln!(file, "{secret}").map_err(Error::io(doing()))
}

/// Removes a file or folder that may be absent.
fn remove(path: &Path) -> Result<(), Error> {
    let removed = match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io(format!("remove {}", path.display()))(error))
        }
        _ => Ok(()),
    }
}

/// Keeps what an error message can quote of a log.
pub(super) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}
