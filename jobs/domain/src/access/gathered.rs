//! All that is known of one person, read in one moment: sections of rows, and the files that belong to them.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::Value;

use super::{
    patient::{self, PatientReading},
    section::Shape,
    user,
};
use crate::{
    db::{Actor, Db},
    error::{Error, Result},
    field::Language,
    ids::{PatientId, TenantId, UserId},
    scheduling::practice_zone,
    storage::ObjectKey,
    vault::{ContentKey, Vault},
};

/// Whose data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// A patient's, of one practice.
    Patient(PatientId),
    /// A user's, of every tenant that they belong to.
    User(UserId),
}

/// A file that belongs to the data.
#[derive(Debug)]
pub struct Attached {
    /// What it is called: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// Where it lies.
    pub key: ObjectKey,
    /// What opens it, where it lies sealed.
    pub seal: Option<ContentKey>,
}

impl Attached {
    /// Where it is in an archive.
    pub fn path(&self) -> String {
        format!("files/{}", self.name)
    }
}

/// What is known of a person. It is never printed.
pub struct Gathered {
    /// Whose it is.
    pub whose: Whose,
    /// The moment that it tells of.
    pub at: DateTime<Utc>,
    /// The tenant through which it was asked for.
    pub controller: Controller,
    /// The language that the person is written to in.
    pub language: Language,
    /// What is known, section by section.
    pub sections: Vec<(&'static Shape, Vec<Value>)>,
    /// The files that belong to it.
    pub files: Vec<Attached>,
}

impl std::fmt::Debug for Gathered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gathered(…)")
    }
}

impl Gathered {
    /// The rows of a section.
    pub fn rows(&self, name: &str) -> &[Value] {
        let found = self.sections.iter().find(|(shape, _)| shape.name == name);
        found.map_or(&[], |(_, rows)| rows)
    }
}

/// Who answers for the data.
#[derive(Debug, Clone)]
pub struct Controller {
    /// Its name.
    pub name: String,
    /// Its telephone number.
    pub phone: Option<String>,
    /// Its address, as it is written.
    pub address: Option<String>,
    /// Its clocks.
    pub zone: Tz,
    /// Its language.
    pub language: Language,
}

/// Reads all that is known of a person.
pub async fn gather(db: &Db, vault: &Vault, tenant: TenantId, whose: Whose) -> Result<Gathered> {
    let mut tx = db.tenant_snapshot(tenant, Actor::JOB).await?;
    let at = tx.now();
    let row = sqlx::query!(
        r#"SELECT name, phone, address, language AS "language: Language" FROM tenants WHERE id = $1"#,
        tenant.0,
    )
    .fetch_one(tx.conn())
    .await?;
    let controller = Controller {
        name: row.name,
        phone: row.phone,
        address: row.address,
        zone: practice_zone(&mut tx).await?,
        language: row.language,
    };
    let mut gathered = Gathered {
        whose,
        at,
        language: controller.language,
        controller,
        sections: Vec::new(),
        files: Vec::new(),
    };
    match whose {
        Whose::Patient(patient) => {
            let mut reading = PatientReading { tx, vault: vault.clone(), patient, files: Vec::new() };
            for section in patient::SECTIONS {
                gathered.sections.push((&section.shape, (section.read)(&mut reading).await?));
            }
            gathered.language = language_of(gathered.rows("patient"))?;
            patient::papers(&mut reading).await?;
            gathered.files = reading.files;
            reading.tx.rollback().await?;
        }
        Whose::User(user) => {
            tx.rollback().await?;
            let mut tx = db.person(user).await?;
            for section in user::SECTIONS {
                gathered.sections.push((&section.shape, (section.read)(&mut tx).await?));
            }
            tx.rollback().await?;
        }
    }
    Ok(gathered)
}

fn language_of(patient: &[Value]) -> Result<Language> {
    let row = patient.first().ok_or(Error::NotFound("patient"))?;
    Ok(if row["language"] == "en" { Language::En } else { Language::Fr })
}
