//! The stand-ins as a process of their own, for `deploy/bare-machine`: a Postgres, an object store and a mail server that catches.
//! Prints as variables where they are, an empty line when all of them are there, and serves until it is told to end.
//!
//!     stand_ins FOLDER        keeps everything there; caught mails are files in FOLDER/outbox
#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use permanence_embedded::{
    mail::MailServer,
    outbox::Outbox,
    postgres::{Durability, Options, Postgres},
    storage::ObjectStore,
};
use tokio::signal::unix::{SignalKind, signal};

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const NAME: &str = "permanence";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder: PathBuf = std::env::args_os().nth(1).ok_or("usage: stand_ins FOLDER")?.into();
    let data = folder.join("postgres");
    let postgres = Postgres::start(Options { data, port: None, durability: Durability::Durable }).await?;
    postgres.ensure_database(NAME).await?;
    // A bucket is a folder.
    std::fs::create_dir_all(folder.join("objects").join(NAME))?;
    let objects = ObjectStore::start(folder.join("objects"), ANY_PORT).await?;
    let mail = MailServer::start(ANY_PORT, Outbox::in_folder(folder.join("outbox"))?).await?;
    println!("DATABASE_OWNER_URL={}", postgres.owner_url(NAME));
    println!("DATABASE_URL={}", postgres.url("permanence_login", Some("trial"), NAME));
    println!("S3_ENDPOINT={}", objects.endpoint());
    println!("S3_BUCKET={NAME}");
    println!("S3_ACCESS_KEY={}", objects.access_key());
    println!("S3_SECRET_KEY={}", objects.secret_key());
    println!("SMTP_URL={}?tls=none", mail.url());
    println!();
    signal(SignalKind::terminate())?.recv().await;
    mail.stop().await;
    objects.stop().await;
    postgres.stop().await?;
    Ok(())
}
