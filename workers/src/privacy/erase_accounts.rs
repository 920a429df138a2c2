//! Erases every account that is due. Each goes as far as it can: it begins; once its last mail has left, all tables of all tenants are
//! done in one transaction; once its files and patients are gone as well, one search reads the platform for all of them; who is found
//! nowhere is certified. Whoever comes after a crash finds each at the step that it had reached.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use permanence_domain::{
    db::Actor,
    error::Result,
    ids::{ErasureId, TenantId},
    privacy::{
        AccountStep, Automaton, Searched, Wanted, account_found, account_objects, begin_account,
        due_accounts, erase_account, finish_account, jobs::EraseAccounts, open_account, search_objects,
        search_platform,
    },
};
use permanence_queue::Failure;

use crate::{
    perform::{Outcome, Perform, Run},
    services::Services,
};

/// Accounts that one run takes on: their identifiers are held in memory meanwhile.
const AT_ONCE: usize = 1_000;
/// How soon it is looked again whether others have done their part.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

impl Perform for EraseAccounts {
    async fn perform(self, _run: Run, services: &Services) -> Result<Outcome> {
        let mut tx = services.db.system(Actor::JOB).await?;
        let due = due_accounts(&mut tx).await?;
        tx.commit().await?;
        let (mut ready, mut waiting, mut held) = (Vec::new(), 0, 0);
        for id in due.iter().take(AT_ONCE) {
            match advance(services, *id).await? {
                AccountStep::Done => ready.push(*id),
                AccountStep::Waiting => waiting += 1,
                AccountStep::Held => held += 1,
                AccountStep::Over => {}
            }
        }
        let (certified, open) = certify(services, &ready).await?;
        if open > 0 {
            let words = format!("{open} erasure(s) of accounts are not proved: see their findings");
            return Ok(Outcome::Retry(Failure::new("identifiers_found".to_owned(), words)));
        }
        if waiting > 0 || due.len() > AT_ONCE {
            return Ok(Outcome::Snooze(LOOK_AGAIN));
        }
        let told = serde_json::json!({ "due": due.len(), "held": held, "certified": certified });
        Ok(Outcome::Done(Some(told)))
    }
}

/// Takes an erasure as far as it goes before the search, step by step.
async fn advance(services: &Services, id: ErasureId) -> Result<AccountStep> {
    let tx = services.db.system(Actor::JOB).await?;
    let (tx, step) = begin_account(tx, services.vault()?, id).await?;
    tx.commit().await?;
    if step != AccountStep::Done {
        return Ok(step);
    }
    let tx = services.db.system(Actor::JOB).await?;
    let (tx, step) = erase_account(tx, services.vault()?, id).await?;
    tx.commit().await?;
    if step != AccountStep::Done {
        return Ok(step);
    }
    let mut tx = services.db.system(Actor::JOB).await?;
    let step = account_objects(&mut tx, id).await?;
    tx.commit().await?;
    Ok(step)
}

/// Searches once for all, and certifies who is found nowhere; gives how many were, and how many were not.
async fn certify(services: &Services, ids: &[ErasureId]) -> Result<(usize, usize)> {
    if ids.is_empty() {
        return Ok((0, 0));
    }
    let (mut wanted, mut tenants) = (Vec::<Wanted>::new(), BTreeSet::<TenantId>::new());
    let mut tx = services.db.system(Actor::JOB).await?;
    for id in ids {
        let (wider, more, places) = open_account(tx, services.vault()?, *id).await?;
        tx = wider;
        wanted.extend(more);
        tenants.extend(places);
    }
    tx.commit().await?;
    let automaton = Automaton::new(&wanted)?;
    let mut searched = search_platform(&services.db, &automaton).await?;
    let (gone, anybodys) = (BTreeMap::new(), BTreeSet::new());
    for tenant in tenants {
        search_objects(services.storage()?, tenant, &automaton, &gone, &anybodys, &mut searched).await?;
    }
    // What is sealed cannot be searched; an erasure of a patient ends it, and its time does.
    searched.left_out.push("dumps and backups of practices that moved in: sealed, of patients".to_owned());
    searched.left_out.push("objects of tenants where the person was not a member".to_owned());
    drop(automaton);
    drop(wanted);
    for id in ids {
        settle(services, *id, &searched).await?;
    }
    let open = searched.found.len();
    Ok((ids.len() - open, open))
}

async fn settle(services: &Services, id: ErasureId, searched: &Searched) -> Result<()> {
    let mut tx = services.db.system(Actor::JOB).await?;
    let tx = match searched.found.get(&id) {
        Some(findings) => {
            tracing::warn!(erasure = %id, places = findings.len(), "somebody whose account is erased is still found");
            account_found(&mut tx, id, findings).await?;
            tx
        }
        None => finish_account(tx, services.signer()?, services.vault()?, id, searched).await?,
    };
    tx.commit().await
}
