//! What was handed in for the patient, and what pictures show of them: with each its file, also of what was retracted or is no longer
//! shown, for it is kept and so is the patient's to have.

use serde_json::{Value, json};

use super::{PatientReading, PatientSection, only};
use crate::{
    access::{
        gathered::Attached,
        section::{
            Holds::{Day, File, Moment, Text, Word},
            Section, Shape, Words, code, field, words,
        },
    },
    billing::{Paper, papers_of_patient},
    error::Result,
    files::{self, images},
};

pub(super) static FILES: PatientSection = Section {
    shape: Shape {
        name: "files",
        title: words("Vos documents", "Your documents"),
        tables: &["files"],
        fields: &[
            field("created_at", "Déposé le", "Handed in on", Moment),
            field("kind", "Nature", "Kind", Word(KINDS)),
            field("media_type", "Format", "Format", Text),
            field("bytes", "Taille (octets)", "Size (bytes)", Text),
            field("retracted_at", "Retiré le", "Retracted on", Moment),
            field("file", "Fichier", "File", File),
            code("id"),
        ],
    },
    read: |reading| Box::pin(read_files(reading)),
};

const KINDS: &[(&str, Words)] = &[
    ("document", words("document", "document")),
    ("certificate", words("certificat", "certificate")),
    ("report", words("compte rendu", "report")),
    ("other", words("autre", "other")),
];

async fn read_files(reading: &mut PatientReading) -> Result<Vec<Value>> {
    let all = files::every_file(&mut reading.tx, &reading.vault, reading.patient).await?;
    let told = all.into_iter().map(|held| {
        let files::HeldFile { content, retracted_at } = held;
        let name = format!("document-{}", content.name());
        let attached = Attached { name, key: content.object, seal: Some(content.key) };
        let mut row = only(&content.file, &["id", "kind", "media_type", "bytes", "created_at"])?;
        row["retracted_at"] = json!(retracted_at);
        row["file"] = json!(attached.path());
        reading.files.push(attached);
        Ok(row)
    });
    told.collect()
}

pub(super) static PICTURES: PatientSection = Section {
    shape: Shape {
        name: "pictures",
        title: words("Vos images", "Your pictures"),
        tables: &["images"],
        fields: &[
            field("taken_on", "Date", "Date", Day),
            field("title", "Titre", "Title", Text),
            field("body_part", "Partie du corps", "Part of the body", Text),
            field("media_type", "Format", "Format", Text),
            field("bytes", "Taille (octets)", "Size (bytes)", Text),
            field("status", "État", "Status", Word(STATUSES)),
            field("created_at", "Annoncée le", "Announced on", Moment),
            field("retracted_at", "Retirée le", "Retracted on", Moment),
            field("file", "Fichier", "File", File),
            code("id"),
            code("reason"),
        ],
    },
    read: |reading| Box::pin(read_pictures(reading)),
};

const STATUSES: &[(&str, Words)] = &[
    ("awaiting", words("attendue", "awaited")),
    ("checking", words("en cours de vérification", "being looked at")),
    ("available", words("conservée", "kept")),
    ("refused", words("non conservée", "not kept")),
];

async fn read_pictures(reading: &mut PatientReading) -> Result<Vec<Value>> {
    let all = images::every_image(&mut reading.tx, &reading.vault, reading.patient).await?;
    let told = all.into_iter().map(|held| {
        let images::HeldImage { image, object } = held;
        let names = [
            "id",
            "status",
            "reason",
            "media_type",
            "bytes",
            "taken_on",
            "title",
            "body_part",
            "created_at",
            "retracted_at",
        ];
        let mut row = only(&image, &names)?;
        if let Some(key) = object {
            let attached = Attached { name: format!("picture-{}", image.name()), key, seal: None };
            row["file"] = json!(attached.path());
            reading.files.push(attached);
        }
        Ok(row)
    });
    told.collect()
}

/// Adds the papers of what was issued.
pub(in crate::access) async fn papers(reading: &mut PatientReading) -> Result<()> {
    let papers = papers_of_patient(&mut reading.tx, reading.patient).await?;
    let attached = |paper: Paper| Attached { name: plain(&paper.file_name), key: paper.key, seal: None };
    reading.files.extend(papers.into_iter().map(attached));
    Ok(())
}

/// A name that leads to no folder and means nothing to a shell.
fn plain(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    name.chars().map(plain).collect()
}
