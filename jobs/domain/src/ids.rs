//! Typed identifiers: a patient's id can not be given where a room's is wanted.

use chrono::{DateTime, Utc};
use uuid::{NoContext, Timestamp, Uuid};

/// A UUIDv7 whose time is the clock's, so that simulated days give ordered ids too.
pub fn uuid_at(now: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, now.timestamp_subsec_nanos()))
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
            serde::Serialize, serde::Deserialize, sqlx::Type, utoipa::ToSchema,
        )]
        #[serde(transparent)]
        #[sqlx(transparent)]
        #[schema(value_type = Uuid)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new identifier that sorts by time.
            pub fn new(now: DateTime<Utc>) -> Self {
                Self(uuid_at(now))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl deserr::Deserr<crate::Invalid> for $name {
            fn deserialize_from_value<V: deserr::IntoValue>(
                value: deserr::Value<V>,
                location: deserr::ValuePointerRef<'_>,
            ) -> Result<Self, crate::Invalid> {
                crate::field::from_text(value, location, |text| {
                    text.parse().map_err(|_| crate::Problem::new("", "not_a_uuid", "a UUID").read(text))
                })
            }
        }
    )*};
}

ids! {
    /// A practice or a company.
    TenantId,
    /// One person's identity on the whole platform.
    UserId,
    /// One sign-in.
    SessionId,
    /// An invitation to join a tenant.
    InvitationId,
    /// A mail about a person's own account.
    AccountMailId,
    /// A patient of a practice.
    PatientId,
    /// A practitioner of a practice.
    PractitionerId,
    /// A consulting room.
    RoomId,
    /// An appointment.
    AppointmentId,
    /// A rule or an exception of a practitioner's availability.
    AvailabilityEntryId,
    /// A message to a patient.
    MessageId,
    /// A thing that is kept in stock.
    ItemId,
    /// A lot of it.
    LotId,
    /// What came or went of it.
    MovementId,
    /// An alert about the stock.
    StockAlertId,
    /// What one look at the stock found.
    WatchId,
    /// A mail that tells of alerts.
    DigestId,
    /// An import of a supplier's file.
    ImportId,
    /// What a member is told within the application.
    NotificationId,
    /// A practice's moving in with its old data.
    MigrationId,
    /// An export of a tenant's rows.
    ExportId,
    /// A service that the practice charges for.
    ServiceId,
    /// An invoice, a credit note or a quote.
    InvoiceId,
    /// A payment of an invoice, or what was given back.
    PaymentId,
    /// A mail about an invoice.
    InvoiceMailId,
    /// A specimen of a practice's words on paper.
    InvoicePreviewId,
    /// The erasure of a patient.
    ErasureId,
    /// What the law keeps of somebody who was erased.
    RetainedId,
    /// A record of a patient's care.
    MedicalRecordId,
    /// An appointment that a company's employee booked.
    ConsultationId,
    /// A request for all that is known of a person.
    AccessRequestId,
    /// A file that somebody handed in.
    FileId,
    /// A picture of a patient.
    ImageId,
    /// The invoicing of a period's appointments at once.
    InvoiceRunId,
    /// A backup of the platform.
    BackupId,
}

impl UserId {
    /// A random identifier: tenants that share an identity must not read from it when it was made.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}
