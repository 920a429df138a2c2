//! Finds the installed programs of Postgres.
//! It never downloads anything itself.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;

/// The oldest major version whose behaviour the platform relies on.
const MINIMUM: u32 = 15;

/// The programs of one installed Postgres, all from one folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    folder: PathBuf,
    major: u32,
}

impl Binaries {
    /// Finds the programs on PATH, else through `pg_config --bindir`, else in Debian's versioned folders, newest first.
    pub fn find() -> Result<Self, Error> {
        Search::system().best(None)
    }

    /// Finds programs of exactly the major version that wrote a data folder.
    pub(super) fn find_major(major: u32) -> Result<Self, Error> {
        Search::system().best(Some(major))
    }

    /// Returns the folder that holds the programs, free of symbolic links.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the major version, such as 15.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.major
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Reads a folder; `None` where it holds no complete set of programs.
    fn read(folder: &Path) -> Option<Self> {
        // A link in /usr/local/bin leads to the real folder, where `initdb` expects `postgres` beside it.
        let initdb = folder.join("initdb").canonicalize().ok()?;
        let folder = initdb.parent()?.to_owned();
        if !["pg_ctl", "postgres"].iter().all(|program| folder.join(program).is_file()) {
            return None;
        }
        let output = Command::new(folder.join("postgres")).arg("--version").current_dir("/").output().ok()?;
        let major = parse_major(&String::from_utf8_lossy(&output.stdout))?;
        Some(Self { folder, major })
    }
}

/// Where to look, so that a test can look elsewhere.
struct Search {
    path: OsString,
    pg_config: OsString,
    versioned: PathBuf,
    downloaded: Option<fn() -> Option<PathBuf>>,
}

impl Search {
    fn system() -> Self {
        Self {
            path: std::env::var_os("PATH").unwrap_or_default(),
            pg_config: "pg_config".into(),
            versioned: "/usr/lib/postgresql".into(),
            #[cfg(feature = "download")]
            downloaded: Some(super::download::programs),
            #[cfg(not(feature = "download"))]
            downloaded: None,
        }
    }

    fn best(&self, wanted: Option<u32>) -> Result<Binaries, Error> {
        let mut too_old: Option<Binaries> = None;
        for folder in self.folders() {
            let Some(found) = Binaries::read(&folder) else { continue };
            if found.major >= MINIMUM && wanted.is_none_or(|wanted| wanted == found.major) {
                return Ok(found);
            }
            if found.major < MINIMUM && too_old.as_ref().is_none_or(|old| old.major < found.major) {
                too_old = Some(found);
            }
        }
        Err(match too_old {
            Some(old) => Error::PostgresTooOld { found: old.major, minimum: MINIMUM, path: old.folder },
            None => Error::PostgresMissing { minimum: MINIMUM },
        })
    }

    /// Lists the folders worth a look, best first; each is only computed when those before it did not serve.
    fn folders(&self) -> impl Iterator<Item = PathBuf> {
        std::env::split_paths(&self.path)
            .filter(|folder| folder.is_absolute())
            .chain(std::iter::once_with(|| self.ask_pg_config()).flatten())
            .chain(std::iter::once_with(|| self.versioned_folders()).flatten())
            .chain(std::iter::once_with(|| self.downloaded.and_then(|programs| programs())).flatten())
    }

    fn ask_pg_config(&self) -> Option<PathBuf> {
        let output = Command::new(&self.pg_config).arg("--bindir").current_dir("/").output().ok()?;
        let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        (!folder.is_empty()).then(|| folder.into())
    }

    fn versioned_folders(&self) -> Vec<PathBuf> {
        let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir(&self.versioned)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
            .collect();
        found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
        found.into_iter().map(|(_, folder)| folder).collect()
    }
}

/// Reads the major version from `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`, `… 18beta1` too.
fn parse_major(version: &str) -> Option<u32> {
    let number = version.split_once("(PostgreSQL) ")?.1;
    let digits = number.find(|c: char| !c.is_ascii_digit()).map_or(number, |end| &number[..end]);
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn nowhere() -> Search {
        Search {
            path: OsString::new(),
            pg_config: "/nowhere/pg_config".into(),
            versioned: "/nowhere".into(),
            downloaded: None,
        }
    }

    fn install(folder: &Path, version: &str) {
        std::fs::create_dir_all(folder).unwrap();
        for program in ["initdb", "pg_ctl", "postgres"] {
            let file = folder.join(program);
            std::fs::write(&file, format!("#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")).unwrap();
            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
        }
    }

    #[test]
    fn a_missing_postgres_is_one_sentence_with_the_remedy() {
        let error = nowhere().best(None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no Postgres 15 or newer was found on PATH, through pg_config or in /usr/lib/postgresql: install one, for \
             example with `apt-get install postgresql`"
        );
    }

    #[test]
    fn the_newest_versioned_folder_wins_and_a_link_on_path_leads_to_its_folder() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().canonicalize().unwrap();
        for version in ["9", "15", "16"] {
            install(&root.join("versions").join(version).join("bin"), &format!("{version}.1"));
        }
        let mut search = Search { versioned: root.join("versions"), ..nowhere() };
        assert_eq!(search.best(None).unwrap().major(), 16);
        assert_eq!(search.best(Some(15)).unwrap().folder(), root.join("versions/15/bin"));

        std::fs::create_dir(root.join("links")).unwrap();
        std::os::unix::fs::symlink(root.join("versions/15/bin/initdb"), root.join("links/initdb")).unwrap();
        search.path = root.join("links").into();
        assert_eq!(search.best(None).unwrap().folder(), root.join("versions/15/bin"));
    }

    #[test]
    fn an_old_postgres_is_named() {
        let temp = tempfile::tempdir().unwrap();
        install(&temp.path().join("9/bin"), "9.6.24");
        let search = Search { versioned: temp.path().into(), ..nowhere() };
        assert!(matches!(search.best(None), Err(Error::PostgresTooOld { found: 9, .. })));
    }

    #[test]
    fn versions_are_read_from_what_the_programs_print() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(parse_major("not postgres"), None);
    }
}
