//! The program as a person starts it: `permanence`, Ctrl-C, again, `reset`; and what it says when it cannot start.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use permanence_domain::clock::{Clock, SystemClock};
use serde_json::{Value, json};

pub(crate) struct Program {
    child: Child,
    pub(crate) address: String,
    said: String,
}

pub(crate) fn command(folder: &Path, listen: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_permanence"));
    command.env("PERMANENCE_DATA", folder.join("data")).env("LISTEN", listen).env("RUST_LOG", "warn");
    for name in ["DATABASE_URL", "DATABASE_OWNER_URL", "S3_ENDPOINT", "SMTP_URL", "SMS_PROVIDER"] {
        command.env_remove(name);
    }
    command
}

pub(crate) fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").to_string()
}

/// Starts it and reads until it says that it is ready.
pub(crate) fn start(folder: &Path) -> Program {
    start_with(folder, &[])
}

/// The same with more variables.
pub(crate) fn start_with(folder: &Path, variables: &[(&str, &str)]) -> Program {
    let listen = free_address();
    let mut command = command(folder, &listen);
    let mut child =
        command.envs(variables.iter().copied()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let mut said = String::new();
    for line in lines.by_ref() {
        let line = line.expect("a line");
        let ready = line.starts_with("Ctrl-C");
        said += &line;
        said.push('\n');
        if ready {
            // Whatever it says later must find a reader.
            std::thread::spawn(move || lines.for_each(drop));
            return Program { child, address: format!("http://{listen}"), said };
        }
    }
    let status = child.wait().expect("it ended");
    panic!("it ended with {status} before it was ready:\n{said}");
}

/// A test that fails leaves nothing running.
impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    /// Ends it as a machine that loses its power would.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }

    pub(crate) fn interrupt(mut self) {
        Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().expect("kill runs");
        assert!(self.child.wait().expect("it ends").success());
    }
}

pub(crate) fn run(mut command: Command) -> Output {
    command.stdin(Stdio::null()).output().expect("it runs")
}

fn refusal(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn json_of(request: reqwest::RequestBuilder) -> Value {
    let response = request.timeout(Duration::from_secs(20)).send().await.expect("an answer");
    let status = response.status();
    let text = response.text().await.expect("a body");
    assert!(status.is_success(), "{status} {text}");
    serde_json::from_str(&text).expect("JSON")
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

/// A caller of the program's API.
pub(crate) struct Caller {
    pub(crate) http: reqwest::Client,
    address: String,
    pub(crate) token: String,
}

impl Caller {
    pub(crate) async fn sign_in(program: &Program, email: &str) -> Self {
        let http = client();
        let login = json!({ "email": email, "password": "Bonjour1!" });
        let signed_in =
            json_of(http.post(format!("{}/api/v1/auth/login", program.address)).json(&login)).await;
        let token = signed_in["access_token"].as_str().expect("a token").to_owned();
        Self { http, address: program.address.clone(), token }
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        json_of(self.http.get(format!("{}/api/v1/{path}", self.address)).bearer_auth(&self.token)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let request = self.http.post(format!("{}/api/v1/{path}", self.address)).bearer_auth(&self.token);
        json_of(request.header("idempotency-key", path).json(&body)).await
    }

    /// Makes this hour one in which messages may leave, whatever the clock shows.
    async fn be_awake(&self) {
        let mut settings = self.get("settings").await;
        let fields = settings.as_object_mut().expect("settings");
        let version = fields.remove("version").expect("a version").to_string();
        fields.remove("updated_at");
        let zone: chrono_tz::Tz = fields["time_zone"].as_str().expect("a zone").parse().expect("a zone");
        let now = SystemClock.now().with_timezone(&zone);
        let hour = |ahead| (now + chrono::Duration::hours(ahead)).format("%H:00").to_string();
        fields.insert("quiet_hours".to_owned(), json!({ "from": hour(12), "to": hour(13) }));
        let request = self.http.put(format!("{}/api/v1/settings", self.address)).bearer_auth(&self.token);
        json_of(request.header("if-match", format!("\"{version}\"")).json(&settings)).await;
    }

    pub(crate) async fn outbox(&self) -> String {
        let page = self.http.get(format!("{}/outbox", self.address)).send().await.expect("a page");
        page.text().await.expect("text")
    }
}

pub(crate) const ASSISTANT: &str = "assistante@cabinet-lilas.example";

/// What books five minutes so close that the reminder leaves at once, for people whose day is free; and who may book it.
pub(crate) async fn booking_for_soon(program: &Program) -> (Caller, Value) {
    let admin = Caller::sign_in(program, "admin@cabinet-lilas.example").await;
    admin.be_awake().await;
    let practitioner = admin.post("practitioners", json!({ "first_name": "Ana", "last_name": "Rey" })).await;
    let assistant = Caller::sign_in(program, ASSISTANT).await;
    let patient = json!({ "first_name": "Éloi", "last_name": "Duval", "phone": "06 00 00 00 99",
        "consents": { "reminder_sms": true } });
    let patient = assistant.post("patients", patient).await;
    let starts = SystemClock.now() + chrono::Duration::hours(5);
    let booking = json!({ "patient_id": patient["id"], "practitioner_id": practitioner["id"],
        "starts_at": starts.to_rfc3339(), "ends_at": (starts + chrono::Duration::minutes(5)).to_rfc3339(),
        // Whatever the hour: the practice may be closed then.
        "outside_availability": true });
    (admin, booking)
}

/// Books it; gives the appointment.
pub(crate) async fn book_for_soon(program: &Program) -> String {
    let (admin, booking) = booking_for_soon(program).await;
    admin.post("appointments", booking).await["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_newcomer_books_and_reads_the_reminder_in_the_outbox_and_finds_all_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = start(folder.path());
    let commands = program.said.matches("\nTOKEN=$(curl").count() + program.said.matches("\ncurl").count();
    assert_eq!(commands, 3, "{}", program.said);
    let assistant = Caller::sign_in(&program, ASSISTANT).await;
    assert!(assistant.get("patients?search=helene").await["total"].as_i64() > Some(0));
    let booked = book_for_soon(&program).await;
    let sent = async {
        while assistant.get(&format!("appointments/{booked}/messages")).await[0]["status"] != "sent" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), sent).await.expect("never sent");
    let outbox = assistant.outbox().await;
    assert!(outbox.contains("Rappel : RDV") && outbox.contains("Cabinet des Lilas"), "{outbox}");
    program.interrupt();

    let again = start(folder.path());
    let assistant = Caller::sign_in(&again, ASSISTANT).await;
    assert_eq!(assistant.get(&format!("appointments/{booked}")).await["id"], booked);
    assert!(assistant.outbox().await.contains("Rappel : RDV"), "the outbox is found again");
    let mut reset = command(folder.path(), &free_address());
    reset.arg("reset");
    assert!(refusal(&run(reset)).contains("in use by process"), "not while it runs");
    again.interrupt();
    let mut reset = command(folder.path(), &free_address());
    reset.arg("reset");
    assert!(run(reset).status.success());
    assert!(!folder.path().join("data").exists());
}

#[tokio::test]
async fn a_platform_killed_hard_starts_again() {
    let folder = tempfile::tempdir().expect("a folder");
    start(folder.path()).kill();
    let again = start(folder.path());
    Caller::sign_in(&again, ASSISTANT).await;
    again.interrupt();
}

#[test]
fn a_port_in_use_is_told_in_one_sentence_and_nothing_is_started() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let said = refusal(&run(command(folder.path(), &address)));
    assert_eq!(
        said,
        format!(
            "permanence: {address} is in use by another program: stop it, or set LISTEN to another address such as 127.0.0.1:8081\n"
        )
    );
    assert!(!folder.path().join("data").exists());
}

#[test]
fn a_half_written_data_folder_is_told_with_the_way_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let half = folder.path().join("data/postgres");
    std::fs::create_dir_all(half.join("base")).expect("a folder");
    let said = refusal(&run(command(folder.path(), &free_address())));
    assert!(
        said.contains("is not a complete Postgres data folder") && said.contains("cargo run -- reset"),
        "{said}"
    );
}

#[test]
fn wrong_settings_are_told_all_at_once_and_nothing_is_started() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = command(folder.path(), "nowhere");
    command.env("JWT_ACCESS_TTL", "soon").env("S3_ENDPOINT", "ftp://objects").env("SMS_PROVIDER", "pigeon");
    let said = refusal(&run(command));
    for told in [
        "LISTEN: read `nowhere`, expected an address and port such as 127.0.0.1:8080",
        "JWT_ACCESS_TTL: read `soon`, expected a duration such as 15m",
        "S3_ENDPOINT: read `ftp://objects`, expected a URL such as https://s3.gra.io.cloud.ovh.net",
        "S3_BUCKET: read nothing, expected a bucket name of 3 to 63 of a-z 0-9 . -",
        "SMS_PROVIDER: read `pigeon`, expected ovh, twilio, brevo, several of them separated by commas, or none",
    ] {
        assert!(said.contains(told), "{told}\n{said}");
    }
    assert!(!folder.path().join("data").exists());
}
