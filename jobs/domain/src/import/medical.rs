//! A medical record of a dump: read by the rules of those that are written here, sealed while it waits, and made a record of its
//! patient with the date and the author that it had. What it says is in no report and no row in clear.

use chrono::{DateTime, NaiveTime, Utc};
use deserr::Deserr;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Checks, ReadAgain, Stage, apply::line, check::join_whole};
use crate::{
    db::TenantTx,
    error::{Error, Invalid, Problem, Result},
    field::{Day, Label, Moment},
    ids::{PatientId, PractitionerId},
    records::{
        AdoptedRecord, AdoptedVersion, Clinical, NewRecord, RecordKind, adopt, care_key, open_version,
    },
    scheduling::{first_instant, resolve},
    vault::{SubjectKey, Vault},
};

/// Records that are read again at once.
const BATCH: usize = 500;

/// A record as a browser keeps it; it is its own last version.
#[derive(Deserr)]
#[deserr(error = Invalid, deny_unknown_fields)]
struct OldRecord {
    patient_id: Label,
    #[deserr(default)]
    practitioner_id: Option<Label>,
    #[deserr(default = RecordKind::Other)]
    kind: RecordKind,
    occurred_on: Day,
    title: Clinical,
    content: Clinical,
    #[deserr(default)]
    created_at: Option<Moment>,
    #[deserr(default)]
    updated_at: Option<Moment>,
    #[deserr(default)]
    versions: Vec<OldVersion>,
}

/// What it said before.
#[derive(Deserr)]
#[deserr(error = Invalid, deny_unknown_fields)]
struct OldVersion {
    #[deserr(default)]
    practitioner_id: Option<Label>,
    #[deserr(default = RecordKind::Other)]
    kind: RecordKind,
    occurred_on: Day,
    title: Clinical,
    content: Clinical,
    written_at: Moment,
}

/// A record as it was read, and what the dump calls its patient.
#[derive(Debug)]
pub(super) struct OldMedical {
    pub(super) patient: String,
    record: AdoptedRecord,
}

impl Checks {
    /// A medical record. An author whom the practice does not know is no fault: the record is then nobody's here.
    pub(super) fn medical(&self, content: &Value) -> Result<OldMedical> {
        let old: OldRecord = deserr::deserialize::<_, _, Invalid>(content.clone())?;
        let mut problems = Vec::new();
        let mut at = |moment, field: &str| {
            resolve(moment, self.zone(), field).map_err(|problem| problems.push(problem)).unwrap_or_default()
        };
        let created_at = old.created_at.map(|moment| at(moment, "created_at"));
        let updated_at = old.updated_at.map(|moment| at(moment, "updated_at"));
        let mut versions: Vec<(String, AdoptedVersion)> = Vec::with_capacity(old.versions.len() + 1);
        for (index, version) in old.versions.into_iter().enumerate() {
            let path = format!("versions[{index}].");
            let written_at = at(version.written_at, &format!("{path}written_at"));
            let OldVersion { practitioner_id, kind, occurred_on, title, content, .. } = version;
            let content = NewRecord { kind, occurred_on, title, content };
            let practitioner = self.author(practitioner_id.as_ref());
            versions.push((path, AdoptedVersion { content, written_at, practitioner }));
        }
        let content = NewRecord {
            kind: old.kind,
            occurred_on: old.occurred_on,
            title: old.title,
            content: old.content,
        };
        // Where nobody says when it was written, it was on the day that it tells of.
        let day = first_instant(content.occurred_on.0.and_time(NaiveTime::MIN), self.zone());
        let written_at = updated_at.or(created_at).unwrap_or(day);
        let practitioner = self.author(old.practitioner_id.as_ref());
        versions.push((String::new(), AdoptedVersion { content, written_at, practitioner }));
        self.check_versions(&versions, created_at, &mut problems);
        if !problems.is_empty() {
            return Err(Invalid(problems).into());
        }
        let versions: Vec<AdoptedVersion> = versions.into_iter().map(|(_, version)| version).collect();
        let first = versions.first().map_or(written_at, |first| first.written_at);
        let record = AdoptedRecord { created_at: created_at.unwrap_or(first), versions };
        Ok(OldMedical { patient: old.patient_id.as_str().to_owned(), record })
    }

    fn author(&self, old: Option<&Label>) -> Option<PractitionerId> {
        self.known_practitioner(old?.as_str())
    }

    /// Each version by the rules of records, and all of them in their order.
    fn check_versions(
        &self,
        versions: &[(String, AdoptedVersion)],
        created_at: Option<DateTime<Utc>>,
        problems: &mut Vec<Problem>,
    ) {
        let mut before = created_at;
        for (path, version) in versions {
            if let Err(Error::Invalid(Invalid(wrong))) = version.content.check(self.today) {
                let within =
                    |problem: Problem| Problem { field: format!("{path}{}", problem.field), ..problem };
                problems.extend(wrong.into_iter().map(within));
            }
            let field = if path.is_empty() { "updated_at".to_owned() } else { format!("{path}written_at") };
            if version.written_at > self.now {
                problems.push(Problem::new(field, "in_the_future", "a moment that is not in the future"));
            } else if before.is_some_and(|before| version.written_at < before) {
                let expected = "a moment that is not before the one of what came before it";
                problems.push(Problem::new(field, "not_in_order", expected));
            }
            before = Some(version.written_at);
        }
    }
}

/// The keys of patients, one in hand at a time: what is one patient's mostly stands together.
#[derive(Debug)]
pub(super) struct CareKeys<'a> {
    vault: &'a Vault,
    last: Option<(PatientId, SubjectKey)>,
}

impl<'a> CareKeys<'a> {
    pub(super) fn new(vault: &'a Vault) -> Self {
        Self { vault, last: None }
    }

    async fn of(&mut self, tx: &mut TenantTx, patient: PatientId) -> Result<&SubjectKey> {
        let in_hand = self.last.take().filter(|(whose, _)| *whose == patient);
        let key = match in_hand {
            Some((_, key)) => key,
            None => care_key(tx, self.vault, patient).await?,
        };
        Ok(&self.last.insert((patient, key)).1)
    }
}

/// Makes a record of the patient; gives its identifier, and the lines that reading it again must give.
pub(super) async fn make(
    tx: &mut TenantTx,
    keys: &mut CareKeys<'_>,
    patient: PatientId,
    old: &OldMedical,
) -> Result<(Uuid, Vec<u8>)> {
    let key = keys.of(tx, patient).await?;
    let id = adopt(tx, key, patient, &old.record).await?.0;
    let mut lines = Vec::new();
    for (version, number) in old.record.versions.iter().zip(1..) {
        let whose = (id, patient, number);
        lines.extend(of_version(whose, version.written_at, version.practitioner, &version.content)?);
    }
    Ok((id, lines))
}

fn of_version(
    (id, patient, number): (Uuid, PatientId, i32),
    written_at: DateTime<Utc>,
    practitioner: Option<PractitionerId>,
    content: &NewRecord,
) -> Result<Vec<u8>> {
    line(&(id, patient, number, written_at.timestamp(), practitioner, content))
}

/// Opens every version that a migration made, in the order of the dump. What is kept of it is the hash of what lies there sealed:
/// one of the texts would tell of a short one.
pub(super) async fn read_again(
    tx: &mut TenantTx,
    keys: &mut CareKeys<'_>,
    stage: Stage,
) -> Result<ReadAgain> {
    let (mut hash, mut sealed_hash) = (Sha256::new(), Sha256::new());
    let made = made(tx, stage).await?;
    for batch in made.chunks(BATCH) {
        // One record by its key after the other.
        join_whole(tx, false).await?;
        let rows = sqlx::query!(
            r#"SELECT v.record_id, v.version, v.sealed, v.written_at, d.patient_id AS "patient: PatientId",
                      v.practitioner_id AS "practitioner: PractitionerId"
               FROM unnest($2::uuid[]) WITH ORDINALITY AS made (id, at)
               JOIN medical_records d ON d.tenant_id = $1 AND d.id = made.id
               JOIN medical_record_versions v ON v.tenant_id = $1 AND v.record_id = made.id
               ORDER BY made.at, v.version"#,
            tx.tenant().0,
            batch,
        )
        .fetch_all(tx.conn())
        .await?;
        for row in rows {
            sealed_hash.update(line(&(row.record_id, row.version))?);
            sealed_hash.update(&row.sealed);
            let key = keys.of(tx, row.patient).await?;
            let content = open_version(tx, key, row.record_id, row.version, row.sealed)?;
            let whose = (row.record_id, row.patient, row.version);
            hash.update(of_version(whose, row.written_at, row.practitioner, &content)?);
        }
    }
    let count = i64::try_from(made.len()).map_err(Error::internal)?;
    Ok(ReadAgain { count, hash: hash.finalize().to_vec(), checksum: hex::encode(sealed_hash.finalize()) })
}

/// The records that a migration made, in the order of the dump.
async fn made(tx: &mut TenantTx, stage: Stage) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        "SELECT m.new_id FROM migration_records r
         JOIN migration_ids m ON m.tenant_id = $1 AND m.migration_id = $2 AND m.collection = 'medical_records'
                             AND m.old_id = r.old_id
         WHERE r.tenant_id = $1 AND r.migration_id = $2 AND r.run = $3 AND r.collection = 'medical_records'
         ORDER BY r.place",
        tx.tenant().0,
        stage.migration.0,
        stage.run,
    )
    .fetch_all(tx.conn())
    .await?)
}
