//! Looks after the stock and tells of it.

mod import_items;
mod send_digest;
mod watch_stock;
