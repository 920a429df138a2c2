//! What a booking has to keep to, unless its caller may and does ask for another time.

use super::{Interval, plan::Plan, read};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Result},
    identity::{Role, Scope},
    ids::AppointmentId,
    scheduling::NewAppointment,
    tenants::Settings,
};

fn outside(detail: impl Into<String>) -> Error {
    Error::conflict("outside_availability", detail)
}

/// Refuses whoever asks for a time outside the availability and may not have it.
pub(in crate::scheduling) fn may_override(role: Role, asked: bool) -> Result<()> {
    let scope = Scope::AppointmentsOverride;
    if asked && !role.may(scope) { Err(Error::Forbidden(scope.as_str())) } else { Ok(()) }
}

/// Refuses a time at which the practitioner does not see patients, that is too near or too far ahead, or too close to
/// another appointment; or notes that the caller asked for one that may be. The caller of this holds the practitioner's
/// lock: no other booking comes in between.
pub(in crate::scheduling) async fn require(
    tx: &mut TenantTx,
    settings: &Settings,
    new: &NewAppointment,
    wanted: Interval,
    except: Option<AppointmentId>,
) -> Result<()> {
    let practitioner = new.practitioner_id;
    if new.outside_availability {
        return audit::record(tx, "availability.override", "practitioner", practitioner.0).await;
    }
    let ahead = wanted.from - tx.now();
    let notice = settings.minimum_notice();
    // Without a notice, whoever stands at the desk is booked into the slot that has just begun.
    if !notice.is_zero() && ahead < notice {
        let minutes = settings.minimum_notice_minutes.get();
        return Err(outside(format!("an appointment is booked at least {minutes} minutes ahead")));
    }
    if ahead > settings.maximum_notice() {
        let days = settings.maximum_notice_days.get();
        return Err(outside(format!("an appointment is booked at most {days} days ahead")));
    }
    let said = read::load(tx, practitioner, wanted).await?;
    let plan = Plan {
        zone: settings.zone(),
        opening: &settings.opening_hours,
        rules: &said.rules,
        exceptions: &said.exceptions,
    };
    if !plan.is_open(wanted) {
        return Err(outside("the practitioner is not available at this time"));
    }
    let buffer = settings.buffer();
    if !buffer.is_zero() && read::has_neighbour(tx, practitioner, wanted, buffer, except).await? {
        let minutes = settings.buffer_minutes.get();
        return Err(outside(format!(
            "{minutes} minutes must lie between two appointments of the practitioner"
        )));
    }
    Ok(())
}
