//! What the database itself must hold, as the application's login role.

mod isolation;
mod migrations;
mod trail;
