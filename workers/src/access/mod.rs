//! What is known of a person, made a file for them: a page to read, data for programs, the papers that belong to it. Knows no
//! table: what is gathered is the domain's.

mod archive;
mod fhir;
mod page;
mod send_digest;
mod watch_requests;
mod write_access_file;
