//! The command line that proves the audit trail: the program itself, against a database, a file, a folder of anchors and an
//! object store.

use std::{net::SocketAddr, path::Path, process::Output, sync::Arc};

use permanence_domain::{
    audit::{self, next_anchor, note_anchor, seal_batch, set_fence},
    clock::SystemClock,
    config::{Secret, StorageConfig},
    db::{Actor, Db},
    migrate::MIGRATOR,
    storage::Storage,
};
use permanence_embedded::{storage::ObjectStore, testing::TestDatabase};
use permanence_queue::Waker;
use serde_json::{Value, json};
use sqlx::Connection;

use crate::program::{command, run};

const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// A platform's trail of four entries, sealed and anchored in a real store.
struct Proved {
    database: TestDatabase,
    objects: ObjectStore,
    folder: tempfile::TempDir,
}

impl Proved {
    async fn create() -> Self {
        let database = TestDatabase::create(&MIGRATOR).await;
        let waker = Waker::start(database.login_options());
        let db = Db::new(database.login_options(), 2, Arc::new(SystemClock), waker);
        let folder = tempfile::tempdir().expect("a folder");
        let objects = ObjectStore::start(folder.path(), LOCAL).await.expect("an object store");
        objects.ensure_bucket("permanence").expect("a bucket");
        let storage = Storage::new(&StorageConfig {
            endpoint: objects.endpoint().parse().expect("a URL"),
            region: "us-east-1".to_owned(),
            bucket: "permanence".to_owned(),
            access_key: objects.access_key().to_owned(),
            secret_key: Secret::new(objects.secret_key()),
        });
        let mut tx = db.system(Actor::JOB).await.expect("a transaction");
        for _ in 0..4 {
            audit::record_system(&mut tx, None, "queue.pause", "queue", "views").await.expect("recorded");
        }
        tx.commit().await.expect("committed");
        loop {
            let mut tx = db.system(Actor::JOB).await.expect("a transaction");
            let more = set_fence(&mut tx).await.expect("a fence");
            tx.commit().await.expect("committed");
            if !more {
                break;
            }
            let mut tx = db.system(Actor::JOB).await.expect("a transaction");
            seal_batch(&mut tx, 100).await.expect("sealed");
            tx.commit().await.expect("committed");
        }
        let mut tx = db.system(Actor::JOB).await.expect("a transaction");
        let anchor = next_anchor(&mut tx).await.expect("an answer").expect("an anchor");
        let (key, bytes) = (anchor.key().expect("a key"), anchor.to_bytes().expect("bytes"));
        assert!(storage.put_new(&key, "application/json", bytes.clone()).await.expect("put"));
        note_anchor(&mut tx, &bytes).await.expect("noted");
        tx.commit().await.expect("committed");
        Self { database, objects, folder }
    }

    /// The folder in which the store keeps the anchors.
    fn anchors(&self) -> String {
        self.folder.path().join("permanence/audit/anchors").display().to_string()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = command(Path::new("/nonexistent"), "nowhere");
        command.env("DATABASE_URL", self.database.login_url()).args(arguments);
        command.env("S3_ENDPOINT", self.objects.endpoint()).env("S3_BUCKET", "permanence");
        command.env("S3_ACCESS_KEY", self.objects.access_key());
        command.env("S3_SECRET_KEY", self.objects.secret_key());
        run(command)
    }

    /// The exit code and what was printed.
    fn said(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.run(arguments);
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).expect("text"))
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        serde_json::from_slice(&output.stdout).expect("JSON")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trail_is_proved_and_what_is_wrong_is_named() {
    let at = Proved::create().await;
    let anchors = at.anchors();
    let sound = "4 entries under 1 seals in 1 chains; 0 wait for a seal\n1 anchors\nThe trail is as it was recorded.\n";
    for place in ["s3", &anchors] {
        assert_eq!(at.said(&["audit", "verify", "--anchors", place]), (Some(0), sound.to_owned()), "{place}");
    }
    let (code, said) = at.said(&["audit", "verify"]);
    assert_eq!(code, Some(0));
    assert!(said.contains("anchors were not looked at"), "{said}");

    let file = at.folder.path().join("trail.jsonl").display().to_string();
    assert_eq!(at.said(&["audit", "export", "--output", &file]), (Some(0), String::new()));
    assert_eq!(
        at.said(&["audit", "verify", "--file", &file, "--anchors", &anchors]),
        (Some(0), sound.to_owned())
    );
    let again = at.said(&["audit", "export", "--output", &file]);
    assert_eq!(again.0, Some(1), "a file that is there is not replaced");
    let printed = at.run(&["audit", "export"]).stdout;
    let lines = String::from_utf8(printed).expect("text");
    assert_eq!(lines.lines().count(), 9, "trail, anchor, head, four entries, seal, end: {lines}");

    let mut owner = sqlx::PgConnection::connect_with(&at.database.owner_options()).await.expect("the owner");
    sqlx::raw_sql(
        "SET session_replication_role = replica; UPDATE audit_log SET subject = 'stock' WHERE id = 3",
    )
    .execute(&mut owner)
    .await
    .expect("changed");
    let (code, said) = at.said(&["audit", "verify"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("WRONG  platform/security: entry 3 was changed\nFaults: 1\n"), "{said}");
    let report = at.json(&["audit", "verify", "--anchors", "s3"]);
    assert_eq!(report["faults"], 1);
    let found = &report["findings"][0];
    assert_eq!(
        (&found["fault"], &found["class"], &found["seal"], &found["entry"]),
        (&json!("entry_changed"), &json!("security"), &json!(1), &json!(3))
    );
    // The file was taken before.
    assert_eq!(at.said(&["audit", "verify", "--file", &file]).0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_said() {
    let at = Proved::create().await;
    let (code, said) = at.said(&["audit", "verify", "--file", "/nonexistent/trail"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("/nonexistent/trail"), "{said}");
    let (code, said) = at.said(&["audit", "verify", "--anchors", "/nonexistent"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("/nonexistent"), "{said}");
    let garbled = at.folder.path().join("garbled");
    std::fs::write(&garbled, "{\"type\":\"trail\"}\n").expect("written");
    let (code, said) = at.said(&["audit", "verify", "--file", &garbled.display().to_string()]);
    assert_eq!(code, Some(1));
    assert!(said.contains("line 1"), "{said}");
    for usage in [
        &["audit", "verify", "--tenant", "me"][..],
        &["audit"],
        &["audit", "verify", "--unsealed-after", "0"],
    ] {
        assert_eq!(at.said(usage).0, Some(2), "{usage:?}");
    }
}
