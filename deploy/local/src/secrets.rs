//! The keys of a local platform: made at the first start, kept in a file that only its owner reads.

use std::{
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use permanence_domain::crypto::random_bytes;

use crate::Failure;

/// The variables that hold keys, with how many random bytes each takes.
const KEYS: [(&str, &str); 8] = [
    ("JWT_ACCESS_KEYS", "local:"),
    ("JWT_REFRESH_KEY", ""),
    ("ENCRYPTION_KEY", ""),
    ("MASTER_KEYS", "local:"),
    ("CERTIFICATE_KEY", ""),
    ("BACKUP_KEYS", "local:"),
    (BACKUP_PASSWORD, ""),
    (DATABASE_PASSWORD, ""),
];

/// The password of the embedded database's login role.
pub(crate) const DATABASE_PASSWORD: &str = "EMBEDDED_DATABASE_PASSWORD";

/// The password of its login role of backups.
pub(crate) const BACKUP_PASSWORD: &str = "EMBEDDED_BACKUP_PASSWORD";

/// Gives the keys as variables; makes those that are not there yet.
pub(crate) fn load(file: &Path) -> Result<Vec<(String, String)>, Failure> {
    let known = find(file)?.unwrap_or_default();
    let missing: Vec<_> =
        KEYS.into_iter().filter(|(name, _)| known.iter().all(|(known, _)| known != name)).collect();
    if missing.is_empty() {
        return Ok(known);
    }
    let mut text = String::new();
    for (name, key) in &known {
        writeln!(text, "{name}={key}")?;
    }
    for (name, prefix) in missing {
        writeln!(text, "{name}={prefix}{}", hex::encode(random_bytes::<32>()?))?;
    }
    // Renamed when whole: a start that is cut short leaves no half of it.
    let draft = file.with_extension("draft");
    let mut new = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    new.write_all(text.as_bytes())?;
    new.sync_all()?;
    fs::rename(draft, file)?;
    Ok(parse(&text))
}

/// Gives the keys as variables, if they were made.
pub(crate) fn find(file: &Path) -> Result<Option<Vec<(String, String)>>, Failure> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(parse(&text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("cannot read {}: {error}", file.display()).into()),
    }
}

fn parse(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, key)| (name.to_owned(), key.to_owned()))
        .collect()
}
