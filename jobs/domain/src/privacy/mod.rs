//! Erasure: what a practice holds of a patient is destroyed, what the law keeps is sealed and named with its law and its date, and
//! that nothing is left is proved by a search and told by a signed certificate. So is what the platform knows of somebody who signs
//! in (`account`). Owns the order of the steps; each is a transaction or can be done twice, so a run that dies goes on where it was.

mod account;
mod certificate;
mod certify;
mod erase;
mod erasure;
mod identifiers;
pub mod jobs;
mod retained;
mod search;
mod search_platform;

pub use account::{
    AccountErasure, AccountStep, DeleteRequest, Held, HeldBy, account_certificate_by_link,
    account_certificate_of, account_certificate_to_draw, account_found, account_objects, account_paper_of,
    begin_account, cancel_deletion, due_accounts, erase_account, finish_account, get_account_erasure,
    keep_account_certificate, list_account_erasures, open_account, own_deletion, request_deletion,
};
pub(crate) use account::{certificate_link, deletion_due};
pub use certificate::{Certificate, Checked, Destroyed, Kept, SignedCertificate, Signer, check_certificate};
pub use certify::{finish, found, open_identifiers, to_verify};
pub use erase::{ErasureObjects, due, erase, objects_removed};
pub use erasure::{
    Erasure, ErasureStatus, Finding, cancel_erasure, certificate_key, certificate_of, certificate_to_draw,
    due_tenants, get_erasure, keep_certificate, list_erasures, paper_of_certificate, request_erasure,
};
pub use identifiers::Identifiers;
pub use retained::{
    Ended, Retained, RetainedList, RetainedRow, forget_ended, list_authors, list_retained, open_retained,
};
pub use search::{Automaton, Found, Searched, Wanted, search_objects, search_tables};
pub use search_platform::search_platform;
