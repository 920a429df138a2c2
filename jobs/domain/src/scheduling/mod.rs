//! The agenda: rooms, availability and appointments. Owns when, where and with whom; sends nothing itself, but plans the reminders
//! in the same transaction.

mod adopt;
mod agenda;
mod appointment;
mod availability;
mod by_patient;
mod no_show;
mod parties;
mod room;
mod slot;
mod zone;

pub(crate) use adopt::{adopt, adopted_times};
pub use agenda::{Agenda, AgendaQuery, ConflictQuery, Conflicts, agenda, conflicts};
pub use appointment::{
    Appointment, AppointmentStatus, NewAppointment, Party, Resource, book, cancel, get, refuse_if_booked,
    reschedule,
};
pub use availability::{
    Availability, AvailabilityEntry, AvailableSlots, EntryContent, Exception, ExceptionKind, NewEntry,
    NewException, NewPlan, Rule, Slot, SlotQuery, add_entry, available_slots, delete_entry, get_availability,
    get_entry, replace_availability, update_entry,
};
pub use by_patient::{PatientView, Standing, cancel_by_patient, confirm_by_patient, view_by_patient};
pub use no_show::{note_no_show, take_back_no_show};
pub use room::{NewRoom, Room, add_room, delete_room, get_room, list_rooms, update_room};
pub use zone::{day_bounds, resolve};
pub(crate) use zone::{first_instant, practice_zone, today};
