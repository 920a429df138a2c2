//! Who people are, what they may do, and how they sign in. Owns users, memberships, sessions, invitations and mails about accounts;
//! never holds a clear password or token.

mod account_mail;
mod authenticate;
mod invitation;
pub mod jobs;
mod limit;
mod member;
mod password;
mod password_reset;
mod purge;
mod role;
mod session;
mod tenant;
mod token;

pub use account_mail::{
    AccountMailAbout, AccountMailDraft, AccountMailStart, MailStart, begin_account_mail, end_account_mail,
};
pub(crate) use account_mail::{AccountMailKind, create as create_account_mail};
pub use authenticate::{Attempt, Authenticated, SignIn, authenticate};
pub use invitation::{
    AcceptInvitation, InvitationDraft, InvitationStart, accept_invitation, begin_invitation, end_invitation,
    refuse_acceptance, resend_invitation,
};
pub use limit::purge_sign_in_limits;
pub use member::{
    ChangeRole, Member, NewMember, change_role, get_member, invite, list_members, remove_member,
};
pub(crate) use member::{bring_in, suspend};
pub use password::Password;
pub use password_reset::{ForgotPassword, ResetPassword, forgot_password, reset_password};
pub use purge::{purge_account_mails, purge_invitations, purge_sessions};
pub use role::{Role, Scope};
pub use session::{
    Authorized, PARALLEL_TABS, Refresh, RefreshRequest, Renewal, SignedIn, Tenancy, authorize, close_reused,
    logout, open_session, refresh,
};
pub use tenant::{NewTenant, add_member, create_tenant, find_tenant, practices};
pub use token::{Claims, Permission, Permissions, TokenHashes, Tokens};
