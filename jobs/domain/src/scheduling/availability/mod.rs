//! When a practitioner sees patients: weekly rules, exceptions, and the slots and refusals that follow from them. Owns
//! no appointment.

mod change;
mod check;
mod entry;
mod interval;
#[cfg(test)]
mod laws;
mod plan;
mod query;
mod read;

pub use change::{add_entry, delete_entry, replace_availability, update_entry};
pub(super) use check::{may_override, require};
pub use entry::{
    Availability, AvailabilityEntry, EntryContent, Exception, ExceptionKind, NewEntry, NewException, NewPlan,
    Rule,
};
pub(super) use interval::Interval;
pub use query::{AvailableSlots, Slot, SlotQuery, available_slots};
pub use read::{get_availability, get_entry};
