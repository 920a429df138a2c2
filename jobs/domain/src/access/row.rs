//! A request as its row tells it, and how it stands.

use chrono::{DateTime, NaiveDate, Utc};
use deserr::Deserr;
use serde::Serialize;
use utoipa::ToSchema;

use super::Whose;
use crate::{
    db::TenantTx,
    error::{Error, Result},
    exports::{ExportStatus, find_file},
    ids::{AccessRequestId, ExportId, PatientId, UserId},
};

/// Whether a request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr, Serialize, ToSchema)]
#[deserr(rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It waits for its answer, and the last day has not passed.
    Open,
    /// It waits for its answer, and the last day has passed.
    Overdue,
    /// Its file, or that of a later request of the same person, was fetched.
    Answered,
    /// The person was erased meanwhile: there is nothing left to tell.
    Void,
}

impl Standing {
    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Overdue => "overdue",
            Self::Answered => "answered",
            Self::Void => "void",
        }
    }
}

/// A request for what is known of a person, and its file.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AccessRequest {
    /// Identifier.
    pub id: AccessRequestId,
    /// The patient, where it is a patient's.
    pub patient_id: Option<PatientId>,
    /// The user, where it is a user's own.
    pub user_id: Option<UserId>,
    /// Whether it was answered.
    pub standing: Standing,
    /// How its file stands.
    pub status: ExportStatus,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
    /// Who noted it.
    pub requested_by: Option<UserId>,
    /// Last day to answer it: a month later (GDPR art. 12 (3)).
    pub due_on: NaiveDate,
    /// When its file was there.
    pub completed_at: Option<DateTime<Utc>>,
    /// When its file was first fetched.
    pub fetched_at: Option<DateTime<Utc>>,
    /// When its file ends: 24 hours after it was there.
    pub expires_at: Option<DateTime<Utc>>,
    /// Size of the file.
    pub size_bytes: Option<i64>,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: Option<String>,
    /// Why it failed.
    pub failure: Option<String>,
}

pub(super) struct Row {
    pub(super) id: AccessRequestId,
    pub(super) patient_id: Option<PatientId>,
    pub(super) user_id: Option<UserId>,
    pub(super) export_id: ExportId,
    pub(super) requested_at: DateTime<Utc>,
    pub(super) requested_by: Option<UserId>,
    pub(super) due_on: NaiveDate,
    pub(super) fetched_at: Option<DateTime<Utc>>,
    pub(super) open: bool,
    pub(super) erased: bool,
}

/// Selects requests with whether they are open; the text is what follows the joins.
macro_rules! select_requests {
    ($rest:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            $crate::access::row::Row,
            r#"SELECT r.id AS "id: AccessRequestId", r.patient_id AS "patient_id: PatientId", r.user_id AS "user_id: UserId",
                      r.export_id AS "export_id: ExportId", r.requested_at, r.requested_by AS "requested_by: UserId", r.due_on,
                      r.fetched_at, o.id IS NOT NULL AS "open!", p.erased_at IS NOT NULL AS "erased!"
               FROM access_requests r
               LEFT JOIN open_access_requests o ON o.tenant_id = r.tenant_id AND o.id = r.id
               LEFT JOIN patients p ON p.tenant_id = r.tenant_id AND p.id = r.patient_id "#
                + $rest,
            $($argument),*
        )
    };
}
pub(super) use select_requests;

impl Row {
    pub(super) fn whose(&self) -> Result<Whose> {
        match (self.patient_id, self.user_id) {
            (Some(patient), None) => Ok(Whose::Patient(patient)),
            (None, Some(user)) => Ok(Whose::User(user)),
            _ => Err(Error::internal("an access request of nobody in particular")),
        }
    }

    fn standing(&self, today: NaiveDate) -> Standing {
        match (self.open, self.erased && self.fetched_at.is_none()) {
            (true, _) if self.due_on < today => Standing::Overdue,
            (true, _) => Standing::Open,
            (false, true) => Standing::Void,
            (false, false) => Standing::Answered,
        }
    }

    /// The request on this day, with how its file stands.
    pub(super) async fn on(self, tx: &mut TenantTx, today: NaiveDate) -> Result<AccessRequest> {
        let standing = self.standing(today);
        let file = find_file(tx, self.export_id).await?;
        let file = file.as_ref();
        Ok(AccessRequest {
            id: self.id,
            patient_id: self.patient_id,
            user_id: self.user_id,
            standing,
            // Its row is forgotten long after its time was over.
            status: file.map_or(ExportStatus::Expired, |file| file.status),
            requested_at: self.requested_at,
            requested_by: self.requested_by,
            due_on: self.due_on,
            completed_at: file.and_then(|file| file.completed_at),
            fetched_at: self.fetched_at,
            expires_at: file.and_then(|file| file.expires_at),
            size_bytes: file.and_then(|file| file.size_bytes),
            sha256: file.and_then(|file| file.sha256.as_ref()).map(hex::encode),
            failure: file.and_then(|file| file.failure.clone()),
        })
    }
}
