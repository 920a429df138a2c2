//! `permanence audit …`: proves the trail, from the database or from a file, and takes it out into one.

use std::{
    fmt::Write as _,
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use chrono::TimeDelta;
use clap::{Args, Subcommand};
use permanence_domain::{
    audit::{
        Line, anchor_key, anchor_number, read_anchors, read_trail,
        verify::{Report, Verifier},
    },
    clock::{Clock, SystemClock},
    config::{Env, StorageConfig},
    ids::TenantId,
    storage::Storage,
};

use super::{Refusal, open, print};
use crate::Failure;

/// What may be wanted of the audit trail.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Find any change, gap, insertion or removed tail; ends with 1 where there is one
    Verify(Verify),
    /// Write the trail as JSON lines, which `verify --file` checks without a database
    Export {
        /// Of one tenant; the nil UUID is the platform's own
        #[arg(long, value_name = "UUID")]
        tenant: Option<TenantId>,
        /// The file; standard output unless said otherwise
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// What is verified, and against what.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Of one tenant; the nil UUID is the platform's own
    #[arg(long, value_name = "UUID")]
    tenant: Option<TenantId>,
    /// The folder of the anchors, or `s3` for the store of the `AUDIT_S3_…` and `S3_…` variables
    #[arg(long, value_name = "FOLDER|s3")]
    anchors: Option<String>,
    /// An exported trail, in place of the database
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// How long an entry may wait for its seal
    #[arg(long, value_name = "MINUTES", default_value_t = 10, value_parser = clap::value_parser!(i64).range(1..=525_600))]
    unsealed_after: i64,
}

/// Whether all is well.
pub(super) async fn run(folder: &Path, command: AuditCommand, json: bool) -> Result<bool, Refusal> {
    match command {
        AuditCommand::Export { tenant, output } => {
            export(folder, tenant, output.as_deref()).await?;
            Ok(true)
        }
        AuditCommand::Verify(wanted) => {
            let report = verify(folder, &wanted).await?;
            print::answer(json, &report, || words(&report))?;
            Ok(report.is_sound())
        }
    }
}

async fn export(folder: &Path, tenant: Option<TenantId>, output: Option<&Path>) -> Result<(), Refusal> {
    let db = open(folder).await?;
    let mut writer: Box<dyn Write> = match output {
        Some(path) => Box::new(File::create_new(path).map_err(named(path))?),
        None => Box::new(io::stdout()),
    };
    let mut buffered = BufWriter::new(&mut writer);
    let written = read_trail(&db, tenant.map(|id| id.0), |line| -> Result<(), WriteFailed> {
        serde_json::to_writer(&mut buffered, &line).map_err(io::Error::from)?;
        Ok(buffered.write_all(b"\n")?)
    });
    written.await.map_err(|failed| match failed {
        WriteFailed::Read(error) => Refusal::from(error),
        WriteFailed::Write(error) => Refusal::Failed(error.into()),
    })?;
    buffered.flush().map_err(Failure::from)?;
    drop(buffered);
    db.close().await;
    Ok(())
}

enum WriteFailed {
    Read(permanence_domain::Error),
    Write(io::Error),
}

impl From<permanence_domain::Error> for WriteFailed {
    fn from(error: permanence_domain::Error) -> Self {
        Self::Read(error)
    }
}

impl From<io::Error> for WriteFailed {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

async fn verify(folder: &Path, wanted: &Verify) -> Result<Report, Refusal> {
    let patience = TimeDelta::minutes(wanted.unsealed_after);
    let tenant = wanted.tenant.map(|id| id.0);
    let mut verifier = Verifier::new(SystemClock.now(), patience, tenant);
    let anchors = wanted.anchors.as_deref().map(Anchors::of).transpose()?;
    if let Some(anchors) = &anchors {
        verifier.read_anchors();
        anchors.read(&mut verifier).await?;
    }
    if let Some(path) = &wanted.file {
        read_file(path, &mut verifier)?;
    } else {
        let db = open(folder).await?;
        read_trail(&db, tenant, |line| -> permanence_domain::Result<()> {
            verifier.line(line);
            Ok(())
        })
        .await?;
        db.close().await;
    }
    // Those that were made while the trail was read.
    if let Some(anchors) = &anchors {
        for number in verifier.late_anchors() {
            if let Some(bytes) = anchors.get(number).await? {
                verifier.late_anchor(number, &bytes);
            }
        }
    }
    Ok(verifier.finish())
}

fn read_file(path: &Path, verifier: &mut Verifier) -> Result<(), Failure> {
    let file = BufReader::new(File::open(path).map_err(named(path))?);
    for (number, line) in file.lines().enumerate() {
        let line: Line = serde_json::from_str(&line?)
            .map_err(|error| format!("{}, line {}: {error}", path.display(), number + 1))?;
        verifier.line(line);
    }
    Ok(())
}

fn named(path: &Path) -> impl Fn(io::Error) -> Failure + '_ {
    move |error| format!("{}: {error}", path.display()).into()
}

/// Where the anchors are.
enum Anchors {
    Folder(PathBuf),
    Store(Storage),
}

impl Anchors {
    fn of(place: &str) -> Result<Self, Failure> {
        if place != "s3" {
            return Ok(Self::Folder(PathBuf::from(place)));
        }
        let mut env = Env::of_process();
        let config = StorageConfig::read_for_anchors(&mut env);
        Ok(Self::Store(Storage::new(&env.finish(config)?)))
    }

    async fn read(&self, verifier: &mut Verifier) -> Result<(), Refusal> {
        match self {
            Self::Store(storage) => {
                Ok(read_anchors(storage, |number, bytes| verifier.anchor(number, bytes)).await?)
            }
            Self::Folder(folder) => {
                let entries = std::fs::read_dir(folder).map_err(named(folder))?;
                let mut numbers: Vec<i64> =
                    entries.filter_map(|entry| anchor_number(entry.ok()?.file_name().to_str()?)).collect();
                numbers.sort_unstable();
                for number in numbers {
                    if let Some(bytes) = self.get(number).await? {
                        verifier.anchor(number, &bytes);
                    }
                }
                Ok(())
            }
        }
    }

    /// An anchor, if it is there.
    async fn get(&self, number: i64) -> Result<Option<Vec<u8>>, Refusal> {
        let key = anchor_key(number)?;
        match self {
            Self::Store(storage) => match storage.get(&key).await {
                Ok(bytes) => Ok(Some(bytes)),
                Err(permanence_domain::Error::NotFound(_)) => Ok(None),
                Err(error) => Err(error.into()),
            },
            Self::Folder(folder) => {
                let name = key.as_str().rsplit('/').next().unwrap_or_default();
                let path = folder.join(name);
                match std::fs::read(&path) {
                    Ok(bytes) => Ok(Some(bytes)),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(named(&path)(error).into()),
                }
            }
        }
    }
}

/// The report for a person.
fn words(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = writeln!(
        text,
        "{} entries under {} seals in {} chains; {} wait for a seal",
        report.entries, report.seals, report.chains, report.waiting
    );
    let _ = match report.anchors {
        Some(anchors) => writeln!(text, "{anchors} anchors"),
        None => {
            writeln!(text, "anchors were not looked at: a chain that was rewritten whole would not be found")
        }
    };
    for removed in &report.removed {
        let _ = writeln!(
            text,
            "{}: removed by retention on {}, {} entries",
            removed.chain,
            removed.removed_at.date_naive(),
            removed.entries
        );
    }
    for finding in &report.findings {
        let _ = writeln!(text, "WRONG  {}", finding.words);
    }
    let _ = match report.faults {
        0 => writeln!(text, "The trail is as it was recorded."),
        faults => writeln!(text, "Faults: {faults}"),
    };
    text
}
