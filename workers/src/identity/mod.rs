//! The mails of identity.

mod send_account_mail;
mod send_invitation;
