//! Erasures outside of the database: before anybody is erased, a note of it lies beside the backups. A backup that is older still holds
//! them; whoever restores it has the notes replayed, so that those people are out of sight at once and erased again. A note holds ids
//! and nothing else, and is signed: whoever can write into the store can have nobody erased.

use std::pin::pin;

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};

use crate::{
    audit,
    db::{Actor, Db, TenantTx},
    error::{Error, Result},
    ids::{ErasureId, PatientId, TenantId},
    privacy::{Signer, jobs::FindDueErasures},
    storage::{ObjectKey, Storage},
};

/// Where notes lie in the bucket.
pub const NOTES: &str = "backups/erasures";

/// The note of one erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasureNote {
    /// The practice.
    pub tenant_id: TenantId,
    /// The erasure.
    pub erasure_id: ErasureId,
    /// The patient.
    pub patient_id: PatientId,
    /// Asked for at.
    pub requested_at: DateTime<Utc>,
    /// Begun at: a backup from before this holds the patient.
    pub erased_at: DateTime<Utc>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    note: ErasureNote,
    /// Ed25519 under the key that signs certificates, of the note's JSON, hexadecimal.
    signature: String,
}

/// What is to be noted of an erasure that is about to begin; `None` where it was taken back or is done.
pub async fn note_erasure(tx: &mut TenantTx, id: ErasureId) -> Result<Option<ErasureNote>> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let row = sqlx::query!(
        r#"SELECT patient_id AS "patient: PatientId", requested_at, erased_at FROM patient_erasures
           WHERE tenant_id = $1 AND id = $2 AND status IN ('pending', 'running')"#,
        tenant.0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| ErasureNote {
        tenant_id: tenant,
        erasure_id: id,
        patient_id: row.patient,
        requested_at: row.requested_at,
        erased_at: row.erased_at.unwrap_or(now),
    }))
}

impl ErasureNote {
    /// Where it lies.
    pub fn key(&self) -> Result<ObjectKey> {
        ObjectKey::parse(&format!("{NOTES}/{}.json", self.erasure_id))
    }

    /// Puts it beside the backups; one that is there already stays as it is.
    pub async fn put(&self, storage: &Storage, signer: &Signer) -> Result<()> {
        let said = serde_json::to_vec(self).map_err(Error::internal)?;
        let object = Signed { note: self.clone(), signature: signer.mark(&said) };
        let bytes = serde_json::to_vec(&object).map_err(Error::internal)?;
        storage.put_new(&self.key()?, "application/json", bytes).await.map(drop)
    }
}

/// Every note that this key signed, and how many objects there are that it did not.
pub async fn read_notes(storage: &Storage, signer: &Signer) -> Result<(Vec<ErasureNote>, usize)> {
    let (mut notes, mut foreign) = (Vec::new(), 0);
    let mut kept = pin!(storage.every(NOTES.to_owned()));
    while let Some(object) = kept.try_next().await? {
        match read(&storage.get(&object.key).await?, signer) {
            Some(note) => notes.push(note),
            None => foreign += 1,
        }
    }
    Ok((notes, foreign))
}

fn read(bytes: &[u8], signer: &Signer) -> Option<ErasureNote> {
    let Signed { note, signature } = serde_json::from_slice(bytes).ok()?;
    let said = serde_json::to_vec(&note).ok()?;
    signer.marked(&said, &signature).then_some(note)
}

/// What replaying came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// People whom the backup still held: out of sight now, and due to be erased.
    pub due: usize,
    /// Those whom the backup did not hold any more, or not yet.
    pub settled: usize,
    /// Notes that another key signed: nothing was done about them.
    pub foreign: usize,
}

/// Has everybody erased again whom a restored database still holds. Repeating it changes nothing.
pub async fn replay(db: &Db, storage: &Storage, signer: &Signer) -> Result<Replayed> {
    let (notes, foreign) = read_notes(storage, signer).await?;
    let mut replayed = Replayed { foreign, ..Replayed::default() };
    for note in &notes {
        let mut tx = db.tenant(note.tenant_id, Actor::COMMAND_LINE).await?;
        let due = make_due(&mut tx, note).await?;
        tx.commit().await?;
        *(if due { &mut replayed.due } else { &mut replayed.settled }) += 1;
    }
    if replayed.due > 0 {
        let mut tx = db.system(Actor::COMMAND_LINE).await?;
        tx.enqueue(permanence_queue::NewJob::of(&FindDueErasures {})?).await?;
        tx.commit().await?;
    }
    Ok(replayed)
}

/// Makes one erasure due; false where there is nobody to erase.
async fn make_due(tx: &mut TenantTx, note: &ErasureNote) -> Result<bool> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let held = sqlx::query!(
        "UPDATE patients SET deleted_at = COALESCE(deleted_at, $3), updated_at = $3, version = version + 1
         WHERE tenant_id = $1 AND id = $2 AND erased_at IS NULL",
        tenant.0,
        note.patient_id.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    if held.rows_affected() == 0 {
        return Ok(false);
    }
    // The same erasure may be there as one that waits; another of the same patient is as good.
    sqlx::query!(
        "INSERT INTO patient_erasures (tenant_id, id, patient_id, requested_at, due_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tenant_id, patient_id) WHERE status <> 'cancelled'
         DO UPDATE SET due_at = LEAST(patient_erasures.due_at, excluded.due_at)",
        tenant.0,
        note.erasure_id.0,
        note.patient_id.0,
        note.requested_at,
        now,
    )
    .execute(tx.conn())
    .await?;
    audit::record(tx, "erasure.replay", "patient", note.patient_id.0).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::config::Secret;

    #[test]
    fn a_note_that_another_key_signed_or_that_was_changed_erases_nobody() {
        let key = |byte: &str| Signer::of(&Secret::new(byte.repeat(32))).unwrap();
        let at = "2027-01-04T08:00:00Z".parse().unwrap();
        let note = ErasureNote {
            tenant_id: TenantId(Uuid::from_u128(1)),
            erasure_id: ErasureId(Uuid::from_u128(2)),
            patient_id: PatientId(Uuid::from_u128(3)),
            requested_at: at,
            erased_at: at,
        };
        let signature = key("0a").mark(&serde_json::to_vec(&note).unwrap());
        let object = serde_json::to_string(&Signed { note: note.clone(), signature }).unwrap();
        assert_eq!(read(object.as_bytes(), &key("0a")), Some(note));
        assert_eq!(read(object.as_bytes(), &key("0b")), None);
        let other = Uuid::from_u128(4).to_string();
        let changed = object.replace(&Uuid::from_u128(3).to_string(), &other);
        assert!(changed.contains(&other));
        assert_eq!(read(changed.as_bytes(), &key("0a")), None);
        assert_eq!(read(b"{}", &key("0a")), None);
    }
}
