//! Pictures of patients: invited, sent to the object store by the client, looked at by a job, shown by links that die soon. Rests
//! on the patient's consent at each step. What a picture shows is said under the patient's key alone.

mod clear;
mod consent;
mod image;
mod invite;
mod retention;
mod row;
mod take;

pub use clear::{Leftovers, clear, cleared, sweep};
pub(crate) use consent::{given, withdrawn};
pub use image::{Image, ImageLinks, ImageMediaType, ImageStatus, NewImage, Sha256, linked};
pub use invite::{ImageAsked, Invitation, complete, invite};
pub use retention::forget;
pub(crate) use retention::retention_over;
pub use row::{HeldImage, ImageQuery, every_image, list, read, retract};
pub use take::{Attempt, Refusal, Taken, available, begin, refuse};

/// Most bytes of a picture.
pub const MOST_BYTES: u32 = 20 * 1024 * 1024;
/// Longest edge of a picture, pixels.
pub const LARGEST: u32 = 6_000;
