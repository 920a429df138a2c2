//! Looks after the stock and tells of it.

mod send_digest;
mod watch_stock;
