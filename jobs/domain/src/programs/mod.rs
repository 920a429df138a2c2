//! The programs that do one thing and end: `migrate` and `admin`, from the environment to the exit code. What they do is in
//! the areas; none of it is here.

mod admin;
mod migrate;

pub use admin::admin;
pub use migrate::migrate;
