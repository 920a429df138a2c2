//! The mails of identity.

mod mail;
mod send_account_mail;
mod send_invitation;
