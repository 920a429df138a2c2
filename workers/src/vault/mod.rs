//! The keys of what is sealed.

mod rewrap_keys;
