//! The keys of a tenant and of its subjects: made when they are first needed, opened when something is read, destroyed once.

use zeroize::Zeroizing;

use super::{Key, KeyClass, Place, Sealed, Subject, Vault, Wrapped};
use crate::{
    db::TenantTx,
    error::{Error, Result},
};

/// A subject's key, open: for as long as a request or a job needs it.
#[derive(Debug)]
pub struct SubjectKey {
    pub(super) key: Key,
}

impl SubjectKey {
    /// See [`Key::seal`].
    pub fn seal(&self, place: &Place, plain: &[u8]) -> Result<Sealed> {
        self.key.seal(place, plain)
    }

    /// See [`Key::open`].
    pub fn open(&self, place: &Place, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>> {
        self.key.open(place, sealed)
    }
}

impl Vault {
    /// A subject's key to write with; made where there is none. One that was destroyed is a conflict: nothing is ever written
    /// of a subject again.
    pub async fn writing(&self, tx: &mut TenantTx, subject: Subject) -> Result<SubjectKey> {
        if let Some(key) = self.find(tx, subject).await? {
            return Ok(key);
        }
        let tenant_key = self.tenant_key(tx).await?;
        let (tenant, now) = (tx.tenant(), tx.now());
        let Sealed(wrapped) = tenant_key.seal(&place(tx, subject), Key::random()?.bytes())?;
        // Of two at once the second waits here, and both go on with the first one's.
        sqlx::query!(
            "INSERT INTO subject_keys (tenant_id, subject_id, class, wrapped, created_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT DO NOTHING",
            tenant.0,
            subject.id,
            subject.class as KeyClass,
            wrapped,
            now,
        )
        .execute(tx.conn())
        .await?;
        self.reading(tx, subject).await
    }

    /// A subject's key to read with.
    pub async fn reading(&self, tx: &mut TenantTx, subject: Subject) -> Result<SubjectKey> {
        self.find(tx, subject).await?.ok_or_else(|| Error::internal("what is sealed has no key"))
    }

    async fn find(&self, tx: &mut TenantTx, subject: Subject) -> Result<Option<SubjectKey>> {
        let Some(row) = sqlx::query!(
            r#"SELECT s.wrapped, t.master_id, t.wrapped AS tenant_key
               FROM subject_keys s JOIN tenant_keys t USING (tenant_id)
               WHERE s.tenant_id = $1 AND s.subject_id = $2 AND s.class = $3"#,
            tx.tenant().0,
            subject.id,
            subject.class as KeyClass,
        )
        .fetch_optional(tx.conn())
        .await?
        else {
            return Ok(None);
        };
        let Some(wrapped) = row.wrapped else {
            let detail = "the key was destroyed with an erasure: what it sealed cannot be read any more";
            return Err(Error::conflict("key_destroyed", detail));
        };
        let tenant_key = Wrapped { master_id: row.master_id, bytes: row.tenant_key };
        let tenant_key = self.0.unwrap(tx.tenant(), &tenant_key).await?;
        let key = Key::of(&tenant_key.open(&place(tx, subject), &Sealed(wrapped))?)?;
        Ok(Some(SubjectKey { key }))
    }

    /// The tenant's key; made where there is none.
    async fn tenant_key(&self, tx: &mut TenantTx) -> Result<Key> {
        let (tenant, now) = (tx.tenant(), tx.now());
        if let Some(wrapped) = kept(tx).await? {
            return self.0.unwrap(tenant, &wrapped).await;
        }
        let wrapped = self.0.wrap(tenant, &Key::random()?).await?;
        sqlx::query!(
            "INSERT INTO tenant_keys (tenant_id, master_id, wrapped, created_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT DO NOTHING",
            tenant.0,
            wrapped.master_id,
            wrapped.bytes,
            now,
        )
        .execute(tx.conn())
        .await?;
        let wrapped = kept(tx).await?.ok_or_else(|| Error::internal("a tenant's key has vanished"))?;
        self.0.unwrap(tenant, &wrapped).await
    }

    /// Destroys a subject's key: all that it sealed is noise from here on. Gives whether there was one to destroy.
    pub async fn destroy(tx: &mut TenantTx, subject: Subject) -> Result<bool> {
        let (tenant, now) = (tx.tenant(), tx.now());
        let destroyed = sqlx::query!(
            "UPDATE subject_keys SET wrapped = NULL, destroyed_at = $4
             WHERE tenant_id = $1 AND subject_id = $2 AND class = $3 AND destroyed_at IS NULL",
            tenant.0,
            subject.id,
            subject.class as KeyClass,
            now,
        )
        .execute(tx.conn())
        .await?;
        Ok(destroyed.rows_affected() == 1)
    }

    /// Destroys every key of these subjects.
    pub async fn destroy_all(tx: &mut TenantTx, subjects: &[uuid::Uuid]) -> Result<()> {
        let (tenant, now) = (tx.tenant(), tx.now());
        sqlx::query!(
            "UPDATE subject_keys SET wrapped = NULL, destroyed_at = $3
             WHERE tenant_id = $1 AND subject_id = ANY($2) AND destroyed_at IS NULL",
            tenant.0,
            subjects,
            now,
        )
        .execute(tx.conn())
        .await?;
        Ok(())
    }
}

async fn kept(tx: &mut TenantTx) -> Result<Option<Wrapped>> {
    Ok(sqlx::query_as!(
        Wrapped,
        "SELECT master_id, wrapped AS bytes FROM tenant_keys WHERE tenant_id = $1",
        tx.tenant().0,
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// A subject's key is bound to the subject and to what it protects.
fn place(tx: &TenantTx, subject: Subject) -> Place {
    let table = match subject.class {
        KeyClass::Care => "subject_keys/care",
        KeyClass::Personal => "subject_keys/personal",
    };
    Place { tenant: tx.tenant(), table, row: subject.id, version: 1 }
}
