//! What the platform knows of a user, in every tenant. It is read in the role of the person, which sees no row of anybody else.
//! Free of what they wrote about patients: that belongs to those. An area whose rows are a user's own adds a section here.

mod account;
mod employment;
mod told;
mod work;

use super::section::Section;
use crate::db::PersonTx;

type UserSection = Section<PersonTx>;

/// In the order in which they are told.
pub(super) static SECTIONS: [&UserSection; 16] = [
    &account::PROFILE,
    &account::MEMBERSHIPS,
    &account::INVITATIONS,
    &account::SESSIONS,
    &account::MAILS,
    &account::DELETIONS,
    &told::NOTIFICATIONS,
    &told::SUBSCRIPTIONS,
    &told::DIGESTS,
    &told::ACCESS_DIGESTS,
    &employment::EMPLOYMENTS,
    &employment::CONSULTATIONS,
    &work::PRACTITIONERS,
    &work::AVAILABILITY,
    &work::REQUESTS,
    &work::TRAIL,
];

/// Reads a section's rows: a query whose first parameter is the person, and that gives one JSON object a row.
macro_rules! rows {
    ($sql:literal) => {
        |tx| {
            Box::pin(async move {
                let person = tx.person();
                Ok(sqlx::query_scalar!($sql, person.0).fetch_all(tx.conn()).await?)
            })
        }
    };
}
use rows;
