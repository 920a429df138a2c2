//! Practices with as many patients, practitioners and appointments as reminders are wanted, in a few statements: by the
//! rules it would take longer than what is measured.

use chrono::{DateTime, Duration, Utc};
use permanence_domain::{
    db::Actor,
    field::{Label, Language},
    identity::{NewTenant, create_tenant},
    ids::{MessageId, TenantId, uuid_at},
    notifications::jobs::SendMessage,
};
use permanence_queue::NewJob;
use uuid::Uuid;

use crate::platform::Platform;

/// A practice whose patients agreed to SMS, and where messages may leave now.
pub(crate) async fn found(platform: &Platform, name: &str) -> TenantId {
    let mut tx = platform.system().await;
    let new = NewTenant {
        kind: "practice",
        name: Label::parse(name).unwrap(),
        time_zone: chrono_tz::Tz::UTC,
        language: Language::Fr,
        phone: Some("01 40 00 00 10".to_owned()),
        address: None,
    };
    let tenant = create_tenant(&mut tx, &new).await.unwrap();
    let now = tx.now();
    tx.commit().await.unwrap();
    let hour = |ahead| (now + Duration::hours(ahead)).format("%H:00").to_string();
    sqlx::query(
        "UPDATE settings SET document = jsonb_build_object('quiet_hours', jsonb_build_object('from', $2, 'to', $3))
         WHERE tenant_id = $1",
    )
    .bind(tenant.0)
    .bind(hour(12))
    .bind(hour(13))
    .execute(&platform.owner)
    .await
    .unwrap();
    tenant
}

/// Appointments of a practice, each of a patient and a practitioner of its own; the patients' numbers go on from `first`.
pub(crate) async fn fill(
    platform: &Platform,
    tenant: TenantId,
    first: usize,
    starts: &[DateTime<Utc>],
) -> Vec<Uuid> {
    let ids: Vec<Uuid> = starts.iter().map(|_| uuid_at(platform.db.clock().now())).collect();
    for (chunk, starts) in ids.chunks(10_000).zip(starts.chunks(10_000)) {
        let offset = first + ids.iter().position(|id| *id == chunk[0]).unwrap();
        sqlx::query(
            "WITH wanted AS (
                 SELECT id, starts_at, $4 + place AS number
                 FROM unnest($2::uuid[], $3::timestamptz[]) WITH ORDINALITY AS w (id, starts_at, place)
             ), who AS (
                 INSERT INTO patients (tenant_id, id, first_name, last_name, phone, sms_consent, email_consent,
                                       created_at, updated_at)
                 SELECT $1, id, 'Hélène', 'Garcia', '+336' || lpad(number::text, 8, '0'), true, false, now(), now()
                 FROM wanted
             ), whom AS (
                 INSERT INTO practitioners (tenant_id, id, first_name, last_name, created_at, updated_at)
                 SELECT $1, id, 'Camille', 'Roy', now(), now() FROM wanted
             )
             INSERT INTO appointments (tenant_id, id, patient_id, practitioner_id, starts_at, ends_at, starts_local,
                                       time_zone, created_at, updated_at)
             SELECT $1, id, id, id, starts_at, starts_at + interval '30 minutes', starts_at AT TIME ZONE 'UTC', 'UTC',
                    now(), now()
             FROM wanted",
        )
        .bind(tenant.0)
        .bind(chunk)
        .bind(starts)
        .bind(i64::try_from(offset).unwrap())
        .execute(&platform.owner)
        .await
        .unwrap();
    }
    ids
}

/// Plans a reminder of each appointment, as a booking does.
pub(crate) async fn plan(platform: &Platform, tenant: TenantId, due: &[(Uuid, DateTime<Utc>)]) {
    for chunk in due.chunks(5_000) {
        let mut tx = platform.db.tenant(tenant, Actor::JOB).await.unwrap();
        let job = |(id, at): &(Uuid, DateTime<Utc>)| {
            let message_id = MessageId(*id);
            NewJob::of(&SendMessage { message_id }).unwrap().run_at(*at)
        };
        let jobs = tx.enqueue_all(chunk.iter().map(job).collect()).await.unwrap();
        sqlx::query(
            "WITH planned AS (
                 INSERT INTO messages (tenant_id, id, appointment_id, appointment_sequence, patient_id, purpose,
                                       lead_minutes, channel, due_at, job_id, created_at, updated_at)
                 SELECT $1, id, id, 0, id, 'reminder', 1440, 'sms', due_at, job_id, now(), now()
                 FROM unnest($2::uuid[], $3::timestamptz[], $4::bigint[]) AS w (id, due_at, job_id) RETURNING id
             )
             INSERT INTO message_events (tenant_id, message_id, at, event) SELECT $1, id, now(), 'planned' FROM planned",
        )
        .bind(tenant.0)
        .bind(chunk.iter().map(|(id, _)| *id).collect::<Vec<_>>())
        .bind(chunk.iter().map(|(_, at)| *at).collect::<Vec<_>>())
        .bind(jobs.iter().map(|job| job.id.0).collect::<Vec<_>>())
        .execute(tx.conn())
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }
}
