//! The platform's processes, each its own as on a server: two of the API, one of each pool, the scheduler; a mail server and an
//! object store that stand in for others'.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    sync::RwLock,
    time::{Duration, Instant},
};

use permanence_embedded::{mail::MailServer, outbox::Outbox, storage::ObjectStore};

const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const BUCKET: &str = "permanence";
const APIS: usize = 2;
const WORKERS: [&str; 7] = ["reminders", "invoices", "exports", "views", "stock", "privacy", "scheduler"];

pub(crate) struct Platform {
    pub(crate) http: reqwest::Client,
    environment: Vec<(&'static str, String)>,
    apis: RwLock<Vec<Process>>,
    workers: RwLock<Vec<Process>>,
    mail: MailServer,
    _objects: ObjectStore,
    _folder: tempfile::TempDir,
}

struct Process {
    name: &'static str,
    child: Child,
    /// Where it listens: the API for everybody, the others for those who measure.
    address: SocketAddr,
    /// From its start until it answered.
    started: Duration,
}

impl Platform {
    pub(crate) async fn start(login: String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let objects = ObjectStore::start(folder.path(), LOCAL).await.unwrap();
        objects.ensure_bucket(BUCKET).unwrap();
        let mail = MailServer::start(LOCAL, Outbox::in_memory()).await.unwrap();
        let environment = vec![
            ("PATH", std::env::var("PATH").unwrap()),
            ("RUST_LOG", "error".to_owned()),
            ("DATABASE_URL", login),
            ("S3_ENDPOINT", objects.endpoint()),
            ("S3_BUCKET", BUCKET.to_owned()),
            ("S3_ACCESS_KEY", objects.access_key().to_owned()),
            ("S3_SECRET_KEY", objects.secret_key().to_owned()),
            ("SMTP_URL", mail.url()),
            ("MAIL_FROM", "rappels@permanence.example".to_owned()),
            ("SMS_PROVIDER", "none".to_owned()),
            ("PUBLIC_URL", "http://127.0.0.1:8080".to_owned()),
            ("JWT_ACCESS_KEYS", format!("bench:{}", "a".repeat(32))),
            ("JWT_REFRESH_KEY", "r".repeat(32)),
            ("ENCRYPTION_KEY", "0f".repeat(32)),
            ("MASTER_KEYS", format!("bench:{}", "0e".repeat(32))),
            ("CERTIFICATE_KEY", "0d".repeat(32)),
        ];
        // Plain HTTP here, but the client wants a TLS provider to be named; a second naming changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let platform = Self {
            http,
            environment,
            apis: RwLock::new(Vec::new()),
            workers: RwLock::new(Vec::new()),
            mail,
            _objects: objects,
            _folder: folder,
        };
        for name in WORKERS {
            let worker = platform.spawn(name).await;
            platform.workers.write().unwrap().push(worker);
        }
        for _ in 0..APIS {
            let api = platform.spawn("api").await;
            platform.apis.write().unwrap().push(api);
        }
        platform
    }

    /// Where the next request goes: to one API after the other, as a load balancer sends them.
    pub(crate) fn base(&self, turn: usize) -> String {
        let apis = self.apis.read().unwrap();
        format!("http://{}", apis[turn % apis.len()].address)
    }

    /// Starts a process and waits until it answers.
    async fn spawn(&self, name: &'static str) -> Process {
        let address = TcpListener::bind(LOCAL).unwrap().local_addr().unwrap();
        let (variable, path) =
            if name == "api" { ("LISTEN", "health/ready") } else { ("METRICS_LISTEN", "metrics") };
        let begun = Instant::now();
        let mut program = Command::new(env!("CARGO_BIN_EXE_permanence"));
        program.args(["run", name]).env_clear().env(variable, address.to_string()).stdout(Stdio::null());
        program.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let mut process = Process { name, child: program.spawn().unwrap(), address, started: Duration::ZERO };
        let url = format!("http://{address}/{path}");
        loop {
            if self.http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                process.started = begun.elapsed();
                return process;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "{name} never answers");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Replaces every process by a new one, one after the other: the new one answers before the old one is told to end, and the old
    /// one gets no more requests by then.
    pub(crate) async fn replace_all(&self) {
        for (place, name) in WORKERS.into_iter().enumerate() {
            let new = self.spawn(name).await;
            let old = std::mem::replace(&mut self.workers.write().unwrap()[place], new);
            old.end().await;
        }
        for place in 0..APIS {
            let new = self.spawn("api").await;
            let old = std::mem::replace(&mut self.apis.write().unwrap()[place], new);
            // Whoever chose the old one has connected by then.
            tokio::time::sleep(Duration::from_millis(200)).await;
            old.end().await;
        }
    }

    /// Says how soon each process answered after its start.
    pub(crate) fn tell_starts(&self) {
        let starts: Vec<String> = self.all(|process| format!("{} {:.0?}", process.name, process.started));
        println!("from start to first answer: {}", starts.join(", "));
    }

    /// Says how much memory each process holds.
    pub(crate) fn tell_memory(&self) {
        let held: Vec<String> =
            self.all(|process| format!("{} {:.0} MiB", process.name, process.resident_mib()));
        println!("memory held: {}", held.join(", "));
    }

    fn all<T>(&self, of: impl Fn(&Process) -> T) -> Vec<T> {
        let (apis, workers) = (self.apis.read().unwrap(), self.workers.read().unwrap());
        apis.iter().chain(workers.iter()).map(of).collect()
    }

    pub(crate) async fn stop(self) {
        for process in self.apis.into_inner().unwrap().into_iter().chain(self.workers.into_inner().unwrap()) {
            process.end().await;
        }
        self.mail.stop().await;
    }
}

impl Process {
    fn resident_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }

    /// Asks it to end, and waits until it has drained.
    async fn end(mut self) {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(told.success());
        let name = self.name;
        let ended = tokio::task::spawn_blocking(move || self.child.wait().unwrap()).await.unwrap();
        assert!(ended.success(), "{name} ends well: {ended}");
    }
}

impl Drop for Process {
    /// A benchmark that stops leaves none behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
