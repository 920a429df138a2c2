//! Founds practices and invites those in charge of them, or of the platform.

use std::{error::Error, process::ExitCode, sync::Arc};

use permanence_queue::Waker;

use crate::{
    Problem,
    clock::SystemClock,
    config::{DatabaseConfig, Env, zone},
    db::{Actor, Db},
    field::{EmailAddress, FullName, Label, Language},
    identity::{NewMember, NewTenant, Role, create_tenant, find_tenant, invite},
    telemetry::{self, LogFormat},
};

const USAGE: &str = "usage: admin create-practice NAME ZONE EMAIL FULL_NAME
       admin create-operator EMAIL FULL_NAME
  for example: admin create-practice 'Cabinet des Lilas' Europe/Paris admin@example.fr 'Camille Roy'";

/// The operator's program, whole, with the arguments after its name: `create-practice NAME ZONE EMAIL FULL_NAME` or
/// `create-operator EMAIL FULL_NAME`.
pub async fn admin(arguments: &[String]) -> ExitCode {
    telemetry::log(LogFormat::Json);
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The tenant that the platform's own people belong to.
const PLATFORM: &str = "Permanence";

async fn run(arguments: &[String]) -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (kind, name, time_zone, email, full_name, role) = match arguments[..] {
        ["create-practice", name, zone, email, full_name] => {
            ("practice", name, zone, email, full_name, Role::Admin)
        }
        ["create-operator", email, full_name] => {
            ("platform", PLATFORM, "Europe/Paris", email, full_name, Role::SuperAdmin)
        }
        _ => return Err(USAGE.into()),
    };
    let refused = |what: &'static str| {
        move |problem: Problem| format!("{what}: expected {}\n{USAGE}", problem.expected)
    };
    let tenant = NewTenant {
        kind,
        name: Label::parse(name).map_err(refused("NAME"))?,
        time_zone: zone(time_zone).ok_or_else(|| format!("ZONE: expected an IANA zone\n{USAGE}"))?,
        language: Language::Fr,
        phone: None,
        address: None,
    };
    let member = NewMember {
        email: EmailAddress::parse(email).map_err(refused("EMAIL"))?,
        full_name: FullName::parse(full_name).map_err(refused("FULL_NAME"))?,
        role,
    };
    let mut env = Env::of_process();
    let config = DatabaseConfig::read(&mut env);
    let config = env.finish(config)?;
    let waker = Waker::start(config.url.expose().parse()?);
    let db = Db::open(&config, Arc::new(SystemClock), waker)?;
    let mut tx = db.system(Actor::JOB).await?;
    // Practices may share a name; the platform is one.
    let present = if kind == "platform" { find_tenant(&mut tx, name).await? } else { None };
    let id = match present {
        Some(id) => id,
        None => create_tenant(&mut tx, &tenant).await?,
    };
    // One transaction: no tenant without somebody in charge.
    let mut tx = tx.narrow(id).await?;
    invite(&mut tx, &member).await?;
    tx.commit().await?;
    tracing::info!(tenant_id = %id, "invited to be in charge");
    db.close().await;
    Ok(())
}
