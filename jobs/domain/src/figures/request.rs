//! Asking for a refresh. Whoever asks while one waits is served by that one; whoever asks while one runs gets the next,
//! because what runs may not see what was written last.

use permanence_queue::{JobId, NewJob, OnDuplicate, Unique};
use sqlx::PgConnection;

use super::{View, jobs::RefreshView, state::states};
use crate::{
    audit,
    db::{SystemTx, TenantTx},
    error::Result,
};

/// Asks for a refresh of a view; gives the tenant's job, which may have waited already.
pub async fn request(tx: &mut TenantTx, view: View) -> Result<JobId> {
    let job = refresh(tx.conn(), view).await?;
    let asked = tx.enqueue(job).await?;
    audit::record(tx, "figures.refresh", "view", view.name()).await?;
    Ok(asked.id)
}

/// Asks for a refresh of every view; gives how many there are.
pub async fn request_all(tx: &mut SystemTx) -> Result<usize> {
    ask(tx, View::ALL.iter().copied()).await
}

/// Asks for a refresh of those views that were never refreshed; gives how many there are.
pub async fn request_missing(tx: &mut SystemTx) -> Result<usize> {
    let states = states(tx.conn(), View::ALL).await?;
    ask(tx, states.into_iter().filter(|state| state.as_of.is_none()).map(|state| state.view)).await
}

async fn ask(tx: &mut SystemTx, views: impl Iterator<Item = View>) -> Result<usize> {
    let mut asked = 0;
    for view in views {
        let job = refresh(tx.conn(), view).await?;
        tx.enqueue(job).await?;
        asked += 1;
    }
    Ok(asked)
}

/// The job; of two that wait the later says what must have been seen.
async fn refresh(conn: &mut PgConnection, view: View) -> Result<NewJob> {
    let after = sqlx::query_scalar!(
        r#"SELECT COALESCE(max(id), 0) AS "after!" FROM view_refreshes WHERE view = $1"#,
        view.name()
    )
    .fetch_one(conn)
    .await?;
    let unique = Unique::until_started(view.name()).on_duplicate(OnDuplicate::Replace);
    Ok(NewJob::of(&RefreshView { view, after })?.unique(unique))
}
