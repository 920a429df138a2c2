//! One consultation, as those see it who take part in it, and how they reach it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    db::TenantTx,
    error::{Error, Result},
    identity::{Role, Scope},
    ids::{AppointmentId, ConsultationId, TenantId},
    scheduling::Party,
};

/// How a consultation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ConsultationStatus {
    /// Booked.
    Scheduled,
    /// The practitioner has said that it takes place.
    Confirmed,
    /// It has begun.
    InProgress,
    /// It is over and counts.
    Completed,
    /// It does not take place.
    Cancelled,
    /// The employee did not come.
    NoShow,
}

/// Whether a consultation counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum BillingStatus {
    /// It has not ended.
    Pending,
    /// It has taken place and counts.
    Validated,
}

/// From which side somebody takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Whoever booked it.
    Employee,
    /// Whoever conducts it.
    Practitioner,
}

impl Side {
    /// The side of a role: only practitioners conduct.
    pub fn of(role: Role) -> Self {
        if role.may(Scope::ConsultationsConduct) { Self::Practitioner } else { Self::Employee }
    }
}

/// A consultation.
#[derive(Debug, Serialize, ToSchema)]
pub struct Consultation {
    /// Identifier.
    pub id: ConsultationId,
    /// The appointment in the practice's agenda.
    pub appointment_id: AppointmentId,
    /// Where.
    pub practice: Party,
    /// Who conducts it.
    pub practitioner: Party,
    /// Who booked it, as the practice's patient.
    pub patient: Party,
    /// The company that the employee is of.
    pub company_name: String,
    /// Begin.
    pub starts_at: DateTime<Utc>,
    /// End.
    pub ends_at: DateTime<Utc>,
    /// IANA zone of the practice.
    pub time_zone: String,
    /// How it stands.
    pub status: ConsultationStatus,
    /// Whether it counts.
    pub billing_status: BillingStatus,
    /// When it began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it was over.
    pub ended_at: Option<DateTime<Utc>>,
    /// Minutes from its begin to its end, rounded.
    pub actual_minutes: Option<i32>,
    /// Why it was cancelled.
    pub cancel_reason: Option<String>,
    /// Counts the changes, for `If-Match`.
    pub version: i32,
    /// Booked at.
    pub created_at: DateTime<Utc>,
    /// Last changed at.
    pub updated_at: DateTime<Utc>,
}

pub(super) struct Row {
    pub(super) id: ConsultationId,
    pub(super) appointment_id: AppointmentId,
    pub(super) practice_id: TenantId,
    pub(super) practice_name: String,
    pub(super) practitioner_id: uuid::Uuid,
    pub(super) practitioner_name: String,
    pub(super) patient_id: uuid::Uuid,
    pub(super) patient_name: String,
    pub(super) company_name: String,
    pub(super) starts_at: DateTime<Utc>,
    pub(super) ends_at: DateTime<Utc>,
    pub(super) time_zone: String,
    pub(super) status: ConsultationStatus,
    pub(super) billing_status: BillingStatus,
    pub(super) started_at: Option<DateTime<Utc>>,
    pub(super) ended_at: Option<DateTime<Utc>>,
    pub(super) actual_minutes: Option<i32>,
    pub(super) cancel_reason: Option<String>,
    pub(super) version: i32,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
}

impl From<Row> for Consultation {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            appointment_id: row.appointment_id,
            practice: Party { id: row.practice_id.0, name: row.practice_name },
            practitioner: Party { id: row.practitioner_id, name: row.practitioner_name },
            patient: Party { id: row.patient_id, name: row.patient_name },
            company_name: row.company_name,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            time_zone: row.time_zone,
            status: row.status,
            billing_status: row.billing_status,
            started_at: row.started_at,
            ended_at: row.ended_at,
            actual_minutes: row.actual_minutes,
            cancel_reason: row.cancel_reason,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Selects consultations with what their participants are shown; the text is what follows WHERE.
macro_rules! select_consultations {
    ($condition:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            $crate::consultations::consultation::Row,
            r#"SELECT c.id AS "id: ConsultationId", c.appointment_id AS "appointment_id: AppointmentId",
                      c.tenant_id AS "practice_id: TenantId", t.name AS practice_name, a.practitioner_id,
                      p.first_name || ' ' || p.last_name AS "practitioner_name!", a.patient_id,
                      pt.first_name || ' ' || pt.last_name AS "patient_name!", c.company_name, a.starts_at, a.ends_at,
                      a.time_zone, c.status AS "status: ConsultationStatus", c.billing_status AS "billing_status: BillingStatus",
                      c.started_at, c.ended_at, c.actual_minutes, c.cancel_reason, c.version, c.created_at, c.updated_at
               FROM consultations c
               JOIN tenants t ON t.id = c.tenant_id
               JOIN appointments a ON a.tenant_id = c.tenant_id AND a.id = c.appointment_id
               JOIN practitioners p ON p.tenant_id = a.tenant_id AND p.id = a.practitioner_id
               JOIN patients pt ON pt.tenant_id = a.tenant_id AND pt.id = a.patient_id
               WHERE "# + $condition,
            $($argument),*
        )
    };
}
pub(super) use select_consultations;

/// Goes on in the practice that a consultation lies with, where the caller takes part in it. To everybody else it is not
/// there: to colleagues and employers as to strangers.
pub async fn open(mut tx: TenantTx, role: Role, id: ConsultationId) -> Result<TenantTx> {
    const ABSENT: Error = Error::NotFound("consultation");
    let user = tx.actor().user.ok_or(ABSENT)?;
    if Side::of(role) == Side::Practitioner {
        let own = sqlx::query_scalar!(
            "SELECT c.id FROM consultations c
             JOIN appointments a ON a.tenant_id = c.tenant_id AND a.id = c.appointment_id
             JOIN practitioners p ON p.tenant_id = a.tenant_id AND p.id = a.practitioner_id
             WHERE c.tenant_id = $1 AND c.id = $2 AND p.user_id = $3",
            tx.tenant().0,
            id.0,
            user.0,
        )
        .fetch_optional(tx.conn())
        .await?;
        return own.map(|_| tx).ok_or(ABSENT);
    }
    // Across tenants for this one question, bound to the caller's company and person.
    let company = tx.tenant();
    let mut tx = tx.widen().await?;
    let practice = sqlx::query_scalar!(
        r#"SELECT tenant_id AS "tenant: TenantId" FROM consultations WHERE id = $1 AND company_id = $2 AND employee_id = $3"#,
        id.0,
        company.0,
        user.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(ABSENT)?;
    tx.narrow(practice).await
}

/// One consultation of the practice.
pub async fn get(tx: &mut TenantTx, id: ConsultationId) -> Result<Consultation> {
    let row = select_consultations!("c.tenant_id = $1 AND c.id = $2", tx.tenant().0, id.0)
        .fetch_optional(tx.conn())
        .await?;
    row.map(Consultation::from).ok_or(Error::NotFound("consultation"))
}
