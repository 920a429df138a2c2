//! Completes a job inside the business transaction, so that its effects and its end are one.

use serde_json::Value;
use sqlx::PgConnection;

use crate::{
    Error, Lease,
    clock::Clock,
    settle::{Fate, Settled, settle},
};

/// Completes the job in the caller's transaction, which must be rolled back on [`Error::StaleLease`].
///
/// The handler commits and then answers [`Outcome::Completed`](crate::Outcome::Completed).
pub async fn complete_in(
    conn: &mut PgConnection,
    clock: &dyn Clock,
    lease: &Lease,
    output: Option<Value>,
) -> Result<(), Error> {
    let completed = Settled { lease: *lease, fate: Fate::Ends { state: "completed", output, failure: None } };
    match settle(conn, clock, lease.queue, std::slice::from_ref(&completed)).await? {
        0 => Err(Error::StaleLease),
        _ => Ok(()),
    }
}
