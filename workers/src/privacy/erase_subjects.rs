//! Erases everybody of a practice whose erasure is due. The tables of each are one transaction; then their objects go; then one
//! search reads the practice's rows and objects for all of them; who is found nowhere is certified. Whoever comes after a crash
//! finds each erasure at the step that it had reached.

use std::collections::BTreeMap;

use permanence_domain::{
    backup::note_erasure,
    error::Result,
    ids::ErasureId,
    import::files_left,
    privacy::{
        self, Automaton, Found, Searched, Wanted, due, erase, finish, forget_ended, jobs::EraseSubjects,
        objects_removed, open_identifiers, search_objects, search_tables, to_verify,
    },
    storage::ObjectKey,
};
use permanence_queue::Failure;

use crate::{
    perform::{Outcome, Perform, Run},
    services::Services,
};

/// Erasures that one search proves: their identifiers are held in memory meanwhile.
const AT_ONCE: usize = 10_000;

impl Perform for EraseSubjects {
    async fn perform(self, run: Run, services: &Services) -> Result<Outcome> {
        let mut tx = run.begin(services).await?;
        let due = due(&mut tx).await?;
        let ended = forget_ended(&mut tx).await?;
        tx.commit().await?;
        let mut gone = BTreeMap::new();
        for id in due.iter().take(AT_ONCE) {
            gone.extend(remove(run, services, *id).await?.into_iter().map(|key| (key, *id)));
        }
        let certified = certify(run, services, &gone).await?;
        let told = serde_json::json!({ "due": due.len(), "certified": certified.0, "ended": ended });
        if certified.1 > 0 {
            let words = format!("{} erasure(s) are not proved: see their findings", certified.1);
            return Ok(Outcome::Retry(Failure::new("identifiers_found".to_owned(), words)));
        }
        Ok(if due.len() > AT_ONCE {
            Outcome::Snooze(std::time::Duration::from_secs(1))
        } else {
            Outcome::Done(Some(told))
        })
    }
}

/// Notes the erasure beside the backups, empties the tables, then removes the objects; gives what must be gone now.
async fn remove(run: Run, services: &Services, id: ErasureId) -> Result<Vec<ObjectKey>> {
    let mut tx = run.begin(services).await?;
    let note = note_erasure(&mut tx, id).await?;
    tx.commit().await?;
    if let Some(note) = note {
        note.put(services.backups()?, services.signer()?).await?;
    }
    let mut tx = run.begin(services).await?;
    let objects = erase(&mut tx, services.vault()?, id).await?;
    tx.commit().await?;
    let Some(objects) = objects else { return Ok(Vec::new()) };
    for key in &objects.keys {
        services.storage()?.remove(key).await?;
    }
    let mut tx = run.begin(services).await?;
    objects_removed(&mut tx, id, &objects.keys).await?;
    tx.commit().await?;
    Ok(objects.keys)
}

/// Searches once for all, and certifies who is found nowhere; gives how many were, and how many were not.
async fn certify(
    run: Run,
    services: &Services,
    gone: &BTreeMap<ObjectKey, ErasureId>,
) -> Result<(usize, usize)> {
    let mut tx = run.begin(services).await?;
    let tenant = tx.tenant();
    let ids = to_verify(&mut tx).await?;
    let dumps = files_left(&mut tx, false).await?.into_iter().collect();
    let mut wanted = Vec::with_capacity(ids.len());
    for id in &ids {
        let (patient, identifiers) = open_identifiers(&mut tx, services.vault()?, *id).await?;
        wanted.push(Wanted { erasure: *id, subject: patient.0, within: None, identifiers });
    }
    tx.commit().await?;
    if ids.is_empty() {
        return Ok((0, 0));
    }
    let automaton = Automaton::new(&wanted)?;
    let mut searched = search_tables(&services.db, tenant, &automaton).await?;
    search_objects(services.storage()?, tenant, &automaton, gone, &dumps, &mut searched).await?;
    drop(automaton);
    drop(wanted);
    for id in &ids {
        settle(run, services, *id, &searched).await?;
    }
    let open = searched.found.len();
    Ok((ids.len() - open, open))
}

async fn settle(run: Run, services: &Services, id: ErasureId, searched: &Searched) -> Result<()> {
    let found: &Found = &searched.found;
    let mut tx = run.begin(services).await?;
    match found.get(&id) {
        Some(findings) => {
            tracing::warn!(erasure = %id, places = findings.len(), "an erased person is still found");
            privacy::found(&mut tx, id, findings).await?;
        }
        None => finish(&mut tx, services.vault()?, services.signer()?, id, searched).await?,
    }
    tx.commit().await
}
