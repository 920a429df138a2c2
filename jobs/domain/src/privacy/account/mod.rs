//! The erasure of a person's account across all tenants: asked for and taken back by the person, held while somebody else would be
//! left stranded, then done step by step and proved by a search. Owns the steps; each is a transaction or can be done twice. Never
//! tells a tenant that somebody means to leave.

mod certify;
mod erase;
mod follow;
mod kept;
mod leave;
mod request;
mod standing;
mod whose;

pub use certify::{finish_account, found as account_found, open_account};
pub use erase::{AccountStep, account_objects, begin_account, due_accounts, erase_account};
pub use follow::{
    account_certificate_by_link, account_certificate_of, account_certificate_to_draw, account_paper_of,
    get_account_erasure, keep_account_certificate, list_account_erasures,
};
pub use request::{AccountErasure, DeleteRequest, cancel_deletion, own_deletion, request_deletion};
pub use standing::{Held, HeldBy};

pub(crate) use follow::{certificate_link, deletion_due};
