//! The same backlog for a peer, on the same server in the same run. The peers are a workspace of their own.

use tokio::process::Command;

use crate::server::Server;

pub(crate) async fn run(server: &Server, jobs: usize) {
    let db = server.database().await;
    let output = Command::new(env!("CARGO"))
        .args(["run", "--release", "--quiet", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/Cargo.toml"))
        .args(["--", &server.url(&db.name), &jobs.to_string()])
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    print!("{}", String::from_utf8_lossy(&output.stdout));
}
