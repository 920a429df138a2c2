//! The messages as files: `.eml` opens in any mail program, `.json` in any editor.
//! It never shows a half-written file under its final name.

use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, Utc};

use super::message::{Mail, Message, Text};
use crate::Error;

/// Sorts by time as a name does, down to the microsecond that Postgres keeps too.
const TIME: &str = "%Y%m%dT%H%M%S%.6fZ";

/// Reads the messages of the last run, oldest first; other files stay as they are.
pub(super) fn load(folder: &Path) -> Result<Vec<Message>, Error> {
    let doing = || format!("read {}", folder.display());
    std::fs::create_dir_all(folder).map_err(Error::io(doing()))?;
    let mut messages = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io(doing()))? {
        let path = entry.map_err(Error::io(doing()))?.path();
        messages.extend(read(&path).map_err(Error::io(format!("read {}", path.display())))?);
    }
    messages.sort_by_key(Message::id);
    Ok(messages)
}

/// Writes a message, under its final name only once it is complete.
pub(super) fn write(folder: &Path, message: &Message) -> Result<(), Error> {
    let path = path_of(folder, message);
    let draft = path.with_extension("draft");
    let bytes = match message {
        Message::Mail(mail) => envelope(mail),
        Message::Text(text) => serde_json::to_vec_pretty(text)
            .map_err(|error| Error::io(format!("write {}", path.display()))(error.into()))?,
    };
    std::fs::write(&draft, bytes)
        .and_then(|()| std::fs::rename(&draft, &path))
        .map_err(Error::io(format!("write {}", path.display())))
}

/// Removes the file of a message, which a developer may have removed already.
pub(super) fn remove(folder: &Path, message: &Message) -> Result<(), Error> {
    let path = path_of(folder, message);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io(format!("remove {}", path.display()))(error))
        }
        _ => Ok(()),
    }
}

fn path_of(folder: &Path, message: &Message) -> PathBuf {
    let extension = match message {
        Message::Mail(_) => "eml",
        Message::Text(_) => "json",
    };
    folder.join(format!("{}-{:06}.{extension}", message.received_at().format(TIME), message.id()))
}

/// Puts the envelope before the message, as a mail server does at delivery.
fn envelope(mail: &Mail) -> Vec<u8> {
    let mut bytes =
        format!("Return-Path: <{}>\r\nDelivered-To: {}\r\n", mail.from, mail.to.join(", ")).into_bytes();
    bytes.extend_from_slice(&mail.raw);
    bytes
}

/// Reads a file back; `None` where it is none of ours.
fn read(path: &Path) -> std::io::Result<Option<Message>> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => Ok(serde_json::from_slice::<Text>(&std::fs::read(path)?).ok().map(Message::Text)),
        Some("eml") => {
            let bytes = std::fs::read(path)?;
            let name = path.file_stem().and_then(|stem| stem.to_str());
            Ok(name.and_then(|name| open(name, &bytes)).map(Message::Mail))
        }
        _ => Ok(None),
    }
}

fn open(name: &str, bytes: &[u8]) -> Option<Mail> {
    let (time, id) = name.rsplit_once('-')?;
    let received_at: DateTime<Utc> = NaiveDateTime::parse_from_str(time, "%Y%m%dT%H%M%S%.fZ").ok()?.and_utc();
    let (from, rest) = split_line(bytes)?;
    let (to, raw) = split_line(rest)?;
    Some(Mail {
        id: id.parse().ok()?,
        received_at,
        from: from.strip_prefix("Return-Path: <")?.strip_suffix('>')?.to_owned(),
        to: to.strip_prefix("Delivered-To: ")?.split(", ").map(str::to_owned).collect(),
        raw: raw.to_vec(),
    })
}

fn split_line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 2..]))
}
