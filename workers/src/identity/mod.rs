//! The mails of identity.

mod send_invitation;
