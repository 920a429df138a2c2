//! One harness: a database of its own, a simulated clock, the API on a real port, practices with people.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use permanence_api::{App, config::ApiConfig, router, serve};
use permanence_domain::{
    clock::SimulatedClock,
    config::{Env, Secret, StorageConfig},
    crypto::hash_password,
    db::{Actor, Db},
    field::{EmailAddress, FullName, Label, Language},
    identity::{NewTenant, Role, add_member, create_tenant, find_tenant},
    ids::{TenantId, UserId},
    migrate::MIGRATOR,
    storage::Storage,
};
use permanence_embedded::{
    Faults,
    sms::SmsCredentials,
    storage::{ObjectStore, StorageFault},
    testing::TestDatabase,
};
use permanence_queue::Waker;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

pub(crate) const PASSWORD: &str = "Bonjour1!";
pub(crate) const BREVO_SECRET: &str = "secret-of-brevos-webhooks";
pub(crate) const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

static HASH: OnceCell<String> = OnceCell::const_new();

/// The master key of every test's platform.
pub(crate) const MASTER_KEYS: &str = "test:0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e";

pub(crate) struct TestApi {
    pub(crate) database: TestDatabase,
    pub(crate) clock: Arc<SimulatedClock>,
    pub(crate) db: Db,
    pub(crate) http: reqwest::Client,
    pub(crate) base: String,
    storage: ObjectStore,
    folder: tempfile::TempDir,
}

/// One practice with a signed-in member of each role.
pub(crate) struct Practice<'a> {
    pub(crate) tenant: TenantId,
    pub(crate) domain: String,
    pub(crate) admin: Client<'a>,
    pub(crate) assistant: Client<'a>,
}

/// A caller with a token.
pub(crate) struct Client<'a> {
    api: &'a TestApi,
    pub(crate) token: String,
    pub(crate) user: UserId,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{:#}", self.body);
        self
    }

    /// An error with this status and code.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status.as_u16(), self.body["code"].as_str()),
            (status, Some(code)),
            "{:#}",
            self.body
        );
        assert_eq!(self.header("content-type"), "application/problem+json");
    }

    #[track_caller]
    pub(crate) fn id(&self) -> String {
        self.body["id"].as_str().expect("an id").to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

impl TestApi {
    /// Monday 4 January 2027, 8:00 UTC.
    pub(crate) async fn start() -> Self {
        Self::start_at(at("2027-01-04T08:00:00Z")).await
    }

    pub(crate) async fn start_at(now: DateTime<Utc>) -> Self {
        Self::start_with(now, &[]).await
    }

    /// The same with other variables; an empty one counts as absent.
    pub(crate) async fn start_with(now: DateTime<Utc>, changes: &[(&str, &str)]) -> Self {
        let database = TestDatabase::create(&MIGRATOR).await;
        let folder = tempfile::tempdir().expect("a folder");
        let storage = ObjectStore::start(folder.path(), LOCAL).await.expect("an object store");
        storage.ensure_bucket("permanence").expect("a bucket");
        let clock = Arc::new(SimulatedClock::at(now));
        let waker = Waker::start(database.login_options());
        let db = Db::new(database.login_options(), 12, clock.clone(), waker);
        // Plain HTTP here, but the client wants a TLS provider to be named; a second test finds it named.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let mut api = Self { database, clock, db, http, base: String::new(), storage, folder };
        let mut variables: Vec<(String, String)> =
            api.environment().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let listener = tokio::net::TcpListener::bind(LOCAL).await.expect("a port");
        api.base = format!("http://{}", listener.local_addr().expect("an address"));
        let token = SmsCredentials::default().twilio_auth_token;
        for (name, value) in [
            ("CORS_ORIGINS", "https://app.example.fr"),
            ("WEBHOOK_URL", &api.base),
            ("TWILIO_AUTH_TOKEN", &token),
            ("BREVO_WEBHOOK_SECRET", BREVO_SECRET),
        ]
        .into_iter()
        .chain(changes.iter().copied())
        {
            variables.push((name.to_owned(), value.to_owned()));
        }
        let config = ApiConfig::from_env(Env::of(variables)).expect("a configuration");
        let app = App::new(&config, api.db.clone(), None).expect("an app");
        tokio::spawn(serve(listener, router(app), std::future::pending()));
        api
    }

    /// What a process needs to stand beside this API.
    pub(crate) fn environment(&self) -> [(&'static str, String); 9] {
        [
            ("DATABASE_URL", self.database.login_url()),
            ("S3_ENDPOINT", self.storage.endpoint()),
            ("S3_BUCKET", "permanence".to_owned()),
            ("S3_ACCESS_KEY", self.storage.access_key().to_owned()),
            ("S3_SECRET_KEY", self.storage.secret_key().to_owned()),
            ("JWT_ACCESS_KEYS", format!("test:{}", "a".repeat(32))),
            ("JWT_REFRESH_KEY", "r".repeat(32)),
            ("ENCRYPTION_KEY", "0f".repeat(32)),
            ("MASTER_KEYS", MASTER_KEYS.to_owned()),
        ]
    }

    /// How many files of an area lie in the object store.
    pub(crate) fn objects(&self, area: &str) -> usize {
        self.object_files(area).len()
    }

    /// Where the files of an area lie in the object store.
    pub(crate) fn object_files(&self, area: &str) -> Vec<std::path::PathBuf> {
        fn files(folder: std::path::PathBuf) -> Vec<std::path::PathBuf> {
            if !folder.is_dir() {
                return vec![folder];
            }
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries.flat_map(|entry| files(entry.path())).collect()
        }
        let folder = self.folder.path().join("permanence").join(area);
        if folder.is_dir() { files(folder) } else { Vec::new() }
    }

    /// The object store as the platform sees it.
    /// Makes the store fail.
    pub(crate) fn storage_faults(&self) -> &Faults<StorageFault> {
        self.storage.faults()
    }

    pub(crate) fn storage_config(&self) -> StorageConfig {
        StorageConfig::read(&mut Env::of(self.environment().map(|(name, value)| (name.to_owned(), value))))
            .expect("a configuration")
    }

    pub(crate) fn storage(&self) -> Storage {
        Storage::new(&self.storage_config())
    }

    pub(crate) async fn practice(&self, name: &str, zone: Tz) -> Practice<'_> {
        let domain = format!("{}.example", name.to_lowercase().replace(' ', "-"));
        let tenant = self.tenant("practice", name, zone).await;
        let admin = self.member(tenant, &format!("admin@{domain}"), Role::Admin).await;
        let assistant = self.member(tenant, &format!("assistant@{domain}"), Role::Assistant).await;
        Practice { tenant, domain, admin, assistant }
    }

    /// Somebody who runs the platform.
    pub(crate) async fn operator(&self) -> Client<'_> {
        self.operator_as(Role::SuperAdmin).await
    }

    /// Somebody of the platform in a role of theirs.
    pub(crate) async fn operator_as(&self, role: Role) -> Client<'_> {
        let email = format!("{role:?}@permanence.example").to_lowercase();
        self.member(self.platform().await, &email, role).await
    }

    /// The tenant of those who run the platform.
    pub(crate) async fn platform(&self) -> TenantId {
        let mut tx = self.db.system(Actor::JOB).await.expect("a transaction");
        let tenant = find_tenant(&mut tx, "Permanence").await.expect("an answer");
        tx.commit().await.expect("committed");
        match tenant {
            Some(tenant) => tenant,
            None => self.tenant("platform", "Permanence", Tz::Europe__Paris).await,
        }
    }

    async fn tenant(&self, kind: &'static str, name: &str, zone: Tz) -> TenantId {
        let mut tx = self.db.system(Actor::JOB).await.expect("a transaction");
        let new = NewTenant {
            kind,
            name: Label::parse(name).expect("a name"),
            time_zone: zone,
            language: Language::Fr,
            phone: Some("01 40 00 00 10".to_owned()),
            address: None,
        };
        let tenant = create_tenant(&mut tx, &new).await.expect("a tenant");
        tx.commit().await.expect("committed");
        tenant
    }

    /// Adds a member and signs them in.
    pub(crate) async fn member(&self, tenant: TenantId, email: &str, role: Role) -> Client<'_> {
        let hash = Self::hash().await;
        let mut tx = self.db.system(Actor::JOB).await.expect("a transaction");
        let address = EmailAddress::parse(email).expect("an address");
        let name = FullName::parse(email.split('@').next().unwrap_or(email)).expect("a name");
        add_member(&mut tx, tenant, &address, &name, role, hash).await.expect("a member");
        tx.commit().await.expect("committed");
        self.signed_in(email, tenant).await
    }

    /// The hash of everybody's password.
    pub(crate) async fn hash() -> &'static str {
        HASH.get_or_init(async || hash_password(Secret::new(PASSWORD)).await.expect("a hash")).await
    }

    /// Signs a member in.
    pub(crate) async fn signed_in(&self, email: &str, tenant: TenantId) -> Client<'_> {
        let signed_in = self.login(email, PASSWORD, json!({ "tenant_id": tenant })).await.expect(200);
        let token = signed_in.body["access_token"].as_str().expect("a token").to_owned();
        let user = serde_json::from_value(signed_in.body["user_id"].clone()).expect("a user");
        Client { api: self, token, user }
    }

    pub(crate) async fn login(&self, email: &str, password: &str, more: Value) -> Answer {
        let mut body = json!({ "email": email, "password": password });
        body.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        self.send(Method::POST, "/api/v1/auth/login", None, &[], Some(body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, &[], None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, None, &[], Some(body)).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let mut request =
            self.http.request(method, format!("{}{path}", self.base)).timeout(Duration::from_mins(1));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        answer(request).await
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = response.bytes().await.expect("a body");
    let body = serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    Answer { status, headers, body }
}

impl Client<'_> {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    /// GET, without going where the answer leads.
    pub(crate) async fn unfollowed(&self, path: &str) -> Answer {
        let policy = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().no_proxy().redirect(policy).build().expect("a client");
        let request = http.get(format!("{}{path}", self.api.base)).bearer_auth(&self.token);
        let response = request.send().await.expect("an answer");
        Answer { status: response.status(), headers: response.headers().clone(), body: Value::Null }
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], None).await
    }

    /// POST with a key of its own.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        let key = uuid::Uuid::new_v4().to_string();
        self.post_keyed(path, &key, body).await
    }

    pub(crate) async fn post_keyed(&self, path: &str, key: &str, body: Value) -> Answer {
        self.send(Method::POST, path, &[("idempotency-key", key)], Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, version: i64, body: Value) -> Answer {
        self.send(Method::PUT, path, &[("if-match", &format!("\"{version}\""))], Some(body)).await
    }

    /// POST of a file.
    pub(crate) async fn upload(&self, path: &str, key: &str, content_type: &str, file: Vec<u8>) -> Answer {
        let request = self.api.http.post(format!("{}{path}", self.api.base)).timeout(Duration::from_mins(1));
        let request = request.bearer_auth(&self.token).header("idempotency-key", key);
        answer(request.header("content-type", content_type).body(file)).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        self.api.send(method, path, Some(&self.token), headers, body).await
    }
}

/// The ids of a list, read page after page by `before`.
pub(crate) async fn walk(client: &Client<'_>, path: &str) -> Vec<Value> {
    let mut page = client.get(path).await.expect(200).body;
    let mut ids = Vec::new();
    loop {
        ids.extend(page["items"].as_array().expect("items").iter().map(|item| item["id"].clone()));
        let Some(next) = page["next"].as_str() else { return ids };
        page = client.get(&format!("{path}&before={next}")).await.expect(200).body;
        assert!(page.get("total").is_none() && page.get("page").is_none(), "nothing is counted: {page}");
    }
}

/// A patient who can be reminded by SMS.
pub(crate) fn patient(first: &str, last: &str) -> Value {
    json!({ "first_name": first, "last_name": last, "phone": "06 00 00 00 01", "consents": { "reminder_sms": true } })
}

impl Practice<'_> {
    pub(crate) async fn patient(&self, first: &str, last: &str) -> String {
        self.assistant.post("/api/v1/patients", patient(first, last)).await.expect(201).id()
    }

    pub(crate) async fn practitioner(&self, last: &str) -> String {
        let body = json!({ "first_name": "Camille", "last_name": last });
        self.admin.post("/api/v1/practitioners", body).await.expect(201).id()
    }

    /// Books an appointment, which plans the job of its reminder.
    pub(crate) async fn booked(&self, patient: &str, practitioner: &str, begin: &str, end: &str) -> String {
        let body = json!({
            "patient_id": patient, "practitioner_id": practitioner, "starts_at": begin, "ends_at": end,
        });
        self.assistant.post("/api/v1/appointments", body).await.expect(201).id()
    }

    /// The same people, after the clock was moved so far that their sessions are over.
    pub(crate) async fn signed_in_again<'a>(&self, api: &'a TestApi) -> Practice<'a> {
        let again = async |who: &str, user: UserId| {
            let email = format!("{who}@{}", self.domain);
            let signed_in =
                api.login(&email, PASSWORD, json!({ "tenant_id": self.tenant })).await.expect(200);
            Client { api, token: signed_in.body["access_token"].as_str().expect("a token").to_owned(), user }
        };
        Practice {
            tenant: self.tenant,
            domain: self.domain.clone(),
            admin: again("admin", self.admin.user).await,
            assistant: again("assistant", self.assistant.user).await,
        }
    }

    pub(crate) async fn room(&self, name: &str) -> String {
        self.admin.post("/api/v1/rooms", json!({ "name": name })).await.expect(201).id()
    }
}
