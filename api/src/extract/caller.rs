//! Who calls, and whether they may.

use std::marker::PhantomData;

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};
use permanence_domain::{
    Error,
    db::{Actor, TenantTx},
    identity::{self, Claims, Role, Scope},
};

use crate::{
    error::{ApiError, Result},
    observe::RequestId,
    state::App,
};

/// A scope as a type, so that a handler's signature tells what it needs.
pub(crate) trait Permission: Send + Sync + 'static {
    /// The scope; none where everybody who has signed in may.
    const SCOPE: Option<Scope>;
}

macro_rules! permissions {
    ($($name:ident),* $(,)?) => {$(
        #[derive(Debug)]
        pub(crate) struct $name;

        impl Permission for $name {
            const SCOPE: Option<Scope> = Some(Scope::$name);
        }
    )*};
}

permissions!(
    CompaniesManage,
    CompaniesRead,
    CompaniesWrite,
    EmployeesRead,
    EmployeesWrite,
    EmployeesSelf,
    ConsultationsBook,
    ConsultationsRead,
    ConsultationsCancel,
    ConsultationsConduct,
    ReportsBilling,
    ReportsUsage,
    AccessRead,
    AccessWrite,
    AuditRead,
    PlatformAuditRead,
    PlatformHealthRead,
    PlatformPrivacyRead,
    ExportsRead,
    ExportsWrite,
    FiguresRead,
    FiguresWrite,
    JobsRead,
    JobsWrite,
    MigrationsRead,
    MigrationsWrite,
    QueuesRead,
    QueuesWrite,
    PatientsRead,
    PatientsWrite,
    RecordsRead,
    RecordsWrite,
    PrivacyRead,
    PrivacyWrite,
    PracticeRead,
    PracticeWrite,
    AppointmentsRead,
    AppointmentsWrite,
    AvailabilityWrite,
    FilesRead,
    FilesWrite,
    InventoryRead,
    InventoryWrite,
    BillingRead,
    BillingWrite,
    UsersRead,
    UsersWrite,
);

/// Everybody who has signed in, for what is their own.
#[derive(Debug)]
pub(crate) struct Anybody;

impl Permission for Anybody {
    const SCOPE: Option<Scope> = None;
}

/// A caller whose token is whole. Whether the session still stands is known once a transaction is open.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) claims: Claims,
    pub(crate) actor: Actor,
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let token = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or(Error::Unauthenticated("missing_token"))?;
        let claims = app.tokens.verify(token, app.clock().now())?;
        let actor = Actor { user: Some(claims.sub), ..Actor::unknown(RequestId::of(parts)) };
        Ok(Self { claims, actor })
    }
}

impl Caller {
    /// Opens the tenant's transaction and checks session, membership and scope as they are at this moment.
    pub(crate) async fn open(&self, app: &App, scope: Option<Scope>) -> Result<(TenantTx, Role)> {
        let mut tx = app.db.tenant(self.claims.tenant, self.actor).await?;
        let role = identity::authorize(&mut tx, self.claims.sid, self.claims.sub).await?.role;
        match scope {
            Some(scope) if !role.may(scope) => Err(Error::Forbidden(scope.as_str()).into()),
            _ => Ok((tx, role)),
        }
    }
}

/// A request without a body by a caller who has the scope `P`: GET and DELETE.
#[derive(Debug)]
pub(crate) struct Read<P> {
    pub(crate) tx: TenantTx,
    pub(crate) role: Role,
    scope: PhantomData<P>,
}

impl<P: Permission> FromRequestParts<App> for Read<P> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let (tx, role) = caller.open(app, P::SCOPE).await?;
        Ok(Self { tx, role, scope: PhantomData })
    }
}
