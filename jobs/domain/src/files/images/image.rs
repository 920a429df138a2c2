//! A picture as it is announced and as it is shown.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::MOST_BYTES;
use crate::{
    error::{Error, Invalid, Problem, Problems, Result},
    field::{Day, Whole},
    ids::{ImageId, PatientId, TenantId, UserId},
    page::Page,
    read_from_text,
    records::Clinical,
    storage::{ObjectKey, Storage},
    vault::{KeyClass, Place, Sealed, Subject, SubjectKey},
};

/// How long a link to a picture lives.
const LINK: Duration = Duration::from_mins(5);

/// What a picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[sqlx(type_name = "text")]
pub enum ImageMediaType {
    /// JPEG.
    #[deserr(rename = "image/jpeg")]
    #[serde(rename = "image/jpeg")]
    #[sqlx(rename = "image/jpeg")]
    Jpeg,
    /// PNG.
    #[deserr(rename = "image/png")]
    #[serde(rename = "image/png")]
    #[sqlx(rename = "image/png")]
    Png,
}

impl ImageMediaType {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }
}

/// How a picture stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ImageStatus {
    /// The client may send it.
    Awaiting,
    /// A job looks at it.
    Checking,
    /// It can be seen.
    Available,
    /// It is not kept; the reason says why.
    Refused,
}

/// A hash as 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// Reads 64 hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)
            .map_err(|_| Problem::new("", "not_a_hash", "64 hexadecimal digits").read(text))?;
        Ok(Self(bytes))
    }
}

read_from_text!(Sha256);

/// A picture that is to be sent.
#[derive(Debug, Clone, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewImage {
    /// What it is.
    pub media_type: ImageMediaType,
    /// Its bytes, at most 20 MiB.
    #[schema(value_type = u32, minimum = 1, maximum = 20_971_520)]
    pub bytes: Whole<1, 1, MOST_BYTES>,
    /// Its SHA-256, to be compared with what arrives.
    #[deserr(default)]
    #[schema(value_type = Option<String>, pattern = "^[0-9a-fA-F]{64}$")]
    pub sha256: Option<Sha256>,
    /// Day on which it was taken, not in the future.
    pub taken_on: Day,
    /// What it is about: at most 200 characters.
    #[schema(value_type = String, max_length = 200, example = "Radiographie, face")]
    pub title: Clinical,
    /// Which part of the body: at most 100 characters.
    #[deserr(default)]
    #[schema(value_type = Option<String>, max_length = 100, example = "Épaule droite")]
    pub body_part: Option<Clinical>,
}

impl NewImage {
    /// The rules beyond those of each field.
    pub(super) fn check(&self, today: NaiveDate) -> Result<()> {
        let mut problems = Problems::default();
        if self.taken_on.0 > today {
            problems.push(Problem::new("taken_on", "in_the_future", "a day that is not in the future"));
        }
        let line = |text: &Clinical, longest| {
            text.expose().chars().count() <= longest && !text.expose().contains('\n')
        };
        if !line(&self.title, 200) {
            problems.push(Problem::new("title", "not_a_text", "1 to 200 characters on one line"));
        }
        if self.body_part.as_ref().is_some_and(|part| !line(part, 100)) {
            problems.push(Problem::new("body_part", "not_a_text", "1 to 100 characters on one line"));
        }
        problems.finish()
    }

    pub(super) fn shown(&self) -> Shown {
        Shown { taken_on: self.taken_on, title: self.title.clone(), body_part: self.body_part.clone() }
    }
}

/// What a picture shows: sealed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Shown {
    pub(super) taken_on: Day,
    pub(super) title: Clinical,
    pub(super) body_part: Option<Clinical>,
}

pub(super) fn subject(patient: PatientId) -> Subject {
    Subject { id: patient.0, class: KeyClass::Care }
}

fn place(tenant: TenantId, image: ImageId) -> Place {
    Place { tenant, table: "images", row: image.0, version: 1 }
}

impl Shown {
    pub(super) fn seal(&self, key: &SubjectKey, tenant: TenantId, image: ImageId) -> Result<Sealed> {
        let plain = Zeroizing::new(serde_json::to_vec(self).map_err(Error::internal)?);
        key.seal(&place(tenant, image), &plain)
    }

    pub(super) fn open(key: &SubjectKey, tenant: TenantId, image: ImageId, sealed: Vec<u8>) -> Result<Self> {
        let plain = key.open(&place(tenant, image), &Sealed(sealed))?;
        // The cause could quote the text.
        serde_json::from_slice(&plain)
            .map_err(|_| Error::internal("what was sealed of an image does not read"))
    }
}

/// Links under which anybody may see a picture for five minutes.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImageLinks {
    /// The picture as it was taken.
    pub image: String,
    /// At most 320 pixels each way, a JPEG; absent while it is made.
    pub thumbnail: Option<String>,
}

/// A picture of a patient.
#[derive(Debug, Serialize, ToSchema)]
pub struct Image {
    /// Identifier.
    pub id: ImageId,
    /// Whose.
    pub patient_id: PatientId,
    /// How it stands.
    pub status: ImageStatus,
    /// Why it was refused: `consent_withdrawn`, `never_completed`, `never_checked`, `not_uploaded`, `wrong_size`, `wrong_hash`,
    /// `wrong_type`, `not_a_picture` or `retracted`.
    pub reason: Option<String>,
    /// What it is.
    pub media_type: ImageMediaType,
    /// Bytes.
    pub bytes: i64,
    /// Day on which it was taken.
    pub taken_on: NaiveDate,
    /// What it is about.
    #[schema(value_type = String)]
    pub title: Clinical,
    /// Which part of the body.
    #[schema(value_type = Option<String>)]
    pub body_part: Option<Clinical>,
    /// Announced at.
    pub created_at: DateTime<Utc>,
    /// Announced by.
    pub created_by: Option<UserId>,
    /// Retracted at: it is kept, and no longer shown.
    pub retracted_at: Option<DateTime<Utc>>,
    /// Retracted by.
    pub retracted_by: Option<UserId>,
    /// Where it can be seen; absent where it is not available, was retracted, or the patient does not consent any more.
    pub links: Option<ImageLinks>,
    /// Where it lies, if it may be shown.
    #[serde(skip)]
    pub(super) objects: Option<(ObjectKey, Option<ObjectKey>)>,
}

/// A page of pictures with their links.
pub async fn linked(page: Page<Image>, storage: &Storage) -> Result<Page<Image>> {
    let Page { items, page, limit, total } = page;
    let mut linked = Vec::with_capacity(items.len());
    for image in items {
        linked.push(image.linked(storage).await?);
    }
    Ok(Page { items: linked, page, limit, total })
}

impl Image {
    /// A name for whoever saves it: of our own making, so that nothing in it can mislead.
    pub fn name(&self) -> String {
        let suffix = if self.media_type == ImageMediaType::Jpeg { "jpg" } else { "png" };
        format!("{}.{suffix}", self.id)
    }

    /// Adds the links, where it may be shown.
    pub async fn linked(mut self, storage: &Storage) -> Result<Self> {
        if let Some((image, thumbnail)) = &self.objects {
            let thumbnail = match thumbnail {
                Some(key) => Some(storage.link(key, &format!("{}-thumbnail.jpg", self.id), LINK).await?),
                None => None,
            };
            let image = storage.link(image, &self.name(), LINK).await?;
            self.links = Some(ImageLinks { image, thumbnail });
        }
        Ok(self)
    }
}
