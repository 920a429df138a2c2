//! Imports of suppliers' files: all of it or nothing, once, whatever is in the file and whoever dies.

use std::{
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use chrono_tz::Tz;
use permanence_domain::{
    clock::{Clock, SimulatedClock, SystemClock},
    db::Actor,
    field::{Flag, Label, SearchText},
    ids::{ImportId, TenantId},
    inventory::{
        self, ItemQuery, OverviewQuery,
        import::{Import, ImportMode, ImportOptions, ImportStart, ImportStatus, Mapping, begin_import},
        jobs::ImportItems,
    },
    storage::ObjectKey,
};
use permanence_queue::Outcome;
use permanence_workers::perform::{Perform, Run};
use sqlx::Connection;

use crate::support::{World, soon};

const FILE: &str = "Référence;Désignation;Quantité;Unité;Prix;Fournisseur;Seuil;Lot;Péremption\r\n\
                    GN-M;Gants nitrile M;1\u{202f}200,5;boîte;6,50;Médistore;10;;\r\n\
                    LIDO;Lidocaïne;3;flacon;12;Médistore;;L1;31/12/2027\r\n\
                    lido;Lidocaïne;4;flacon;12;Médistore;;L2;30/06/2028\r\n";

async fn world() -> World {
    World::at("2027-01-11T08:00:00Z", Tz::Europe__Paris).await
}

async fn request(world: &World, file: &[u8], mode: ImportMode, dry_run: bool) -> ImportId {
    let object = ObjectKey::of("imports", world.tenant, &format!("{}.csv", uuid::Uuid::new_v4())).unwrap();
    world.storage().put(&object, "text/csv", file.to_vec()).await.unwrap();
    let dry_run = Flag::parse(&dry_run.to_string()).unwrap();
    let options = ImportOptions { mode, dry_run, mapping: Mapping::default() };
    let bytes = i64::try_from(file.len()).unwrap();
    let mut tx = world.begin().await;
    let import = inventory::import::request_import(&mut tx, &options, &object, bytes).await.unwrap();
    tx.commit().await.unwrap();
    import.id
}

async fn import(world: &World, id: ImportId) -> Import {
    let mut tx = world.begin().await;
    inventory::import::get_import(&mut tx, id).await.unwrap()
}

/// Imports a file to its end.
async fn imported(world: &World, file: &[u8], mode: ImportMode, dry_run: bool) -> Import {
    let id = request(world, file, mode, dry_run).await;
    let pool = world.work_on("stock");
    let ended = ended(world, id).await;
    pool.drain().await;
    ended
}

async fn ended(world: &World, id: ImportId) -> Import {
    let condition = async {
        loop {
            let import = import(world, id).await;
            if import.status != ImportStatus::Waiting {
                return import;
            }
            // The database tells of no change: ask again shortly.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("the import ends", condition).await
}

/// Reference, quantity and badge of what is in stock, by name.
async fn stock(world: &World) -> Vec<(String, i64)> {
    let mut tx = world.begin().await;
    let page = inventory::overview(&mut tx, &OverviewQuery::default()).await.unwrap();
    page.items.into_iter().map(|line| (line.reference.unwrap_or_default(), line.quantity.0)).collect()
}

async fn count(world: &World, query: &'static str) -> i64 {
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    sqlx::query_scalar(query).fetch_one(tx.conn()).await.unwrap()
}

const LINES: &str = "SELECT count(*) FROM inventory_import_lines";
const MOVEMENTS: &str = "SELECT count(*) FROM inventory_movements";

fn codes(import: &Import) -> Vec<(u64, Option<u32>, &str)> {
    import.faults.0.iter().map(|fault| (fault.line, fault.column, fault.code.as_str())).collect()
}

fn gn_m(quantity: i64) -> (String, i64) {
    ("GN-M".to_owned(), quantity)
}

fn lido(quantity: i64) -> (String, i64) {
    ("LIDO".to_owned(), quantity)
}

#[tokio::test]
async fn a_file_becomes_items_lots_and_movements() {
    let world = world().await;
    let first = imported(&world, FILE.as_bytes(), ImportMode::Receive, false).await;
    assert_eq!((first.status, first.rows, first.fault_count), (ImportStatus::Applied, Some(3), Some(0)));
    assert_eq!((first.created, first.updated, first.movements), (Some(2), Some(0), Some(3)));
    assert_eq!(stock(&world).await, [gn_m(1_200_500), lido(7_000)]);
    let mut tx = world.begin().await;
    let query = ItemQuery { search: Some(SearchText::parse("gants").unwrap()), ..ItemQuery::default() };
    let gloves = inventory::list_items(&mut tx, &query).await.unwrap().items.remove(0);
    assert_eq!((gloves.price_cents.map(|cents| cents.0), gloves.threshold.0), (Some(650), 10_000));
    let of_lido = ItemQuery { search: Some(SearchText::parse("lido").unwrap()), ..ItemQuery::default() };
    let drug = inventory::list_items(&mut tx, &of_lido).await.unwrap().items.remove(0);
    let lots = inventory::get_item(&mut tx, drug.id).await.unwrap().lots;
    let lots: Vec<_> = lots.iter().map(|lot| (lot.lot.as_deref().unwrap(), lot.quantity.0)).collect();
    assert_eq!(lots, [("L1", 3_000), ("L2", 4_000)]);
    drop(tx);

    // Delivered again it is added; counted, the stock becomes what was found.
    let second = imported(&world, FILE.as_bytes(), ImportMode::Receive, false).await;
    assert_eq!((second.created, second.updated, second.movements), (Some(0), Some(2), Some(3)));
    assert_eq!(stock(&world).await, [gn_m(2_401_000), lido(14_000)]);
    let counted = imported(&world, FILE.as_bytes(), ImportMode::Count, false).await;
    assert_eq!((counted.updated, counted.movements), (Some(2), Some(3)));
    assert_eq!(stock(&world).await, [gn_m(1_200_500), lido(7_000)]);
    let again = imported(&world, FILE.as_bytes(), ImportMode::Count, false).await;
    assert_eq!(again.movements, Some(0));
    assert_eq!(count(&world, LINES).await, 0);
    let described = imported(&world, "Ref;Nom\nGN-M;Gants M\n".as_bytes(), ImportMode::Describe, false).await;
    assert_eq!((described.updated, described.movements), (Some(1), Some(0)));
    let mut tx = world.begin().await;
    let gloves = inventory::list_items(&mut tx, &query).await.unwrap().items.remove(0);
    assert_eq!(
        (&*gloves.name, gloves.supplier.as_deref(), gloves.version),
        ("Gants M", Some("Médistore"), 2)
    );
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let world = world().await;
    let checked = imported(&world, FILE.as_bytes(), ImportMode::Receive, true).await;
    assert_eq!((checked.status, checked.created, checked.updated), (ImportStatus::Checked, Some(2), Some(0)));
    for table in
        ["SELECT count(*) FROM inventory_items", "SELECT count(*) FROM inventory_lots", MOVEMENTS, LINES]
    {
        assert_eq!(count(&world, table).await, 0, "{table}");
    }
    assert_eq!(
        count(&world, "SELECT count(*) FROM queue.jobs WHERE kind = 'inventory.watch_stock'").await,
        0
    );
}

#[tokio::test]
async fn a_file_with_one_fault_changes_nothing() {
    let world = world().await;
    let file = format!(
        "{FILE}X;=HYPERLINK(\"http://evil.example\");1;;;;;;\r\nLIDO;Lidocaïne;1;flacon;12;Médistore;;L1;\r\n\
                        GN-M;Gants L;1;boîte;6,50;Médistore;10;L9;\r\n"
    );
    let refused = imported(&world, file.as_bytes(), ImportMode::Receive, false).await;
    assert_eq!(
        (refused.status, refused.fault_count, refused.created),
        (ImportStatus::Refused, Some(3), None)
    );
    assert_eq!(codes(&refused), [(5, Some(2), "formula"), (6, None, "repeated"), (7, None, "differs")]);
    assert_eq!((stock(&world).await.len(), count(&world, LINES).await), (0, 0));

    // What is known contradicts, too.
    imported(&world, FILE.as_bytes(), ImportMode::Receive, false).await;
    let file = FILE.replace("31/12/2027", "30/12/2027");
    let refused = imported(&world, file.as_bytes(), ImportMode::Receive, false).await;
    assert_eq!(codes(&refused), [(3, None, "other_expiry")]);
    assert!(refused.faults.0[0].expected.starts_with("31/12/2027"), "{:?}", refused.faults.0[0]);
    assert_eq!(count(&world, MOVEMENTS).await, 3);
}

#[tokio::test]
async fn encodings_and_delimiters_are_found_out() {
    let world = world().await;
    let legacy: Vec<u8> = FILE
        .replace(['\u{202f}'], "\u{a0}")
        .chars()
        .map(|letter| u8::try_from(u32::from(letter)).expect("Latin-1, of which Windows-1252 is a superset"))
        .collect();
    let first = imported(&world, &legacy, ImportMode::Receive, false).await;
    assert_eq!((first.encoding.as_deref(), first.status), (Some("windows-1252"), ImportStatus::Applied));
    let mut tx = world.begin().await;
    let query = ItemQuery { search: Some(SearchText::parse("lidocaine").unwrap()), ..ItemQuery::default() };
    assert_eq!(inventory::list_items(&mut tx, &query).await.unwrap().items[0].name, "Lidocaïne");
    drop(tx);
    let tabs = FILE.replace(';', "\t");
    let utf16: Vec<u8> = format!("\u{feff}{tabs}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let second = imported(&world, &utf16, ImportMode::Count, false).await;
    assert_eq!((second.encoding.as_deref(), second.delimiter.as_deref()), (Some("UTF-16LE"), Some("\t")));
    assert_eq!((second.status, second.movements), (ImportStatus::Applied, Some(0)));
    // Half UTF-8, half not: told, not guessed.
    let broken = [FILE.as_bytes(), b"CAF;Caf\xe9;1;;;;;;\n"].concat();
    let third = imported(&world, &broken, ImportMode::Count, false).await;
    assert_eq!(codes(&third), [(5, Some(2), "not_decodable")]);
}

#[tokio::test]
async fn a_thousand_faults_are_told_and_all_are_counted() {
    let world = world().await;
    let file = format!("Ref;Nom;Stock\n{}", "A;Gants;1\n;;x\n".repeat(1_001));
    let refused = imported(&world, file.as_bytes(), ImportMode::Count, false).await;
    // Each second line has three; of the others all but the first repeat it.
    assert_eq!((refused.fault_count, refused.faults.0.len()), (Some(3 * 1_001 + 1_000), 1_000));
    assert!(refused.faults.0.is_sorted_by_key(|fault| fault.line));
    assert_eq!(
        codes(&refused)[..4],
        [
            (3, Some(1), "missing"),
            (3, Some(2), "missing"),
            (3, Some(3), "not_a_number"),
            (4, None, "repeated")
        ]
    );
}

#[tokio::test]
async fn an_import_that_runs_twice_is_applied_once() {
    let world = world().await;
    let id = request(&world, FILE.as_bytes(), ImportMode::Receive, false).await;
    let run = Run { tenant: Some(world.tenant), last_attempt: false };
    let services = world.services();
    // One begins, another overtakes it and ends, the first comes back to life.
    let mut tx = world.begin().await;
    let ImportStart::Read(overtaken) = begin_import(&mut tx, id).await.unwrap() else { panic!("it waits") };
    tx.commit().await.unwrap();
    let outcome = ImportItems { import_id: id }.perform(run, &services).await.unwrap();
    assert!(matches!(outcome, Outcome::Done(_)));
    let mut tx = world.begin().await;
    let late = inventory::import::stage(&mut tx, overtaken.stage, &[]).await;
    assert!(matches!(late, Err(permanence_domain::Error::Conflict { code: "overtaken", .. })), "{late:?}");
    drop(tx);
    for _ in 0..2 {
        ImportItems { import_id: id }.perform(run, &services).await.unwrap();
    }
    assert_eq!(count(&world, MOVEMENTS).await, 3);
    let read = world.storage().get(&overtaken.object).await;
    assert!(matches!(read, Err(permanence_domain::Error::NotFound(_))), "its file is gone");

    // Two at once, as when a worker only seemed dead.
    let id = request(&world, FILE.as_bytes(), ImportMode::Receive, false).await;
    let (one, two) = tokio::join!(
        ImportItems { import_id: id }.perform(run, &services),
        ImportItems { import_id: id }.perform(run, &services)
    );
    assert!(one.is_ok() || two.is_ok(), "{one:?} {two:?}");
    assert_eq!((count(&world, MOVEMENTS).await, count(&world, LINES).await), (6, 0));
}

#[tokio::test]
async fn an_import_that_can_never_end_is_given_up() {
    let world = world().await;
    let id = request(&world, FILE.as_bytes(), ImportMode::Receive, false).await;
    let mut tx = world.begin().await;
    let ImportStart::Read(started) = begin_import(&mut tx, id).await.unwrap() else { panic!("it waits") };
    tx.commit().await.unwrap();
    world.storage().remove(&started.object).await.unwrap();
    let run = |last_attempt| Run { tenant: Some(world.tenant), last_attempt };
    for (last, status) in [(false, ImportStatus::Waiting), (true, ImportStatus::Failed)] {
        assert!(ImportItems { import_id: id }.perform(run(last), &world.services()).await.is_err());
        assert_eq!(import(&world, id).await.status, status);
    }
}

#[tokio::test]
async fn an_import_that_dies_at_any_step_is_applied_once_by_the_next_run() {
    const STRIDE: usize = 2;
    let world = world().await;
    let services = world.services();
    let run = Run { tenant: Some(world.tenant), last_attempt: false };
    let mut deaths = 0;
    loop {
        let id = request(&world, FILE.as_bytes(), ImportMode::Receive, false).await;
        let job = ImportItems { import_id: id };
        let lived = world.dies_after(deaths * STRIDE, job.perform(run, &services)).await;
        let (died, moved) = (import(&world, id).await.status, count(&world, MOVEMENTS).await);
        let before = i64::try_from(deaths * 3).unwrap();
        let applied = if died == ImportStatus::Applied { 3 } else { 0 };
        assert_eq!(moved, before + applied, "{died:?} after {} steps", deaths * STRIDE);
        job.perform(run, &services).await.unwrap();
        assert_eq!(import(&world, id).await.status, ImportStatus::Applied);
        assert_eq!((count(&world, MOVEMENTS).await, count(&world, LINES).await), (before + 3, 0));
        assert_eq!(world.objects_of(world.tenant).await, []);
        deaths += 1;
        if lived.is_some() {
            break;
        }
    }
    assert!(deaths > 5, "only {deaths} deaths: was anything cut off?");
}

#[tokio::test]
async fn a_file_that_is_cut_off_in_a_line_changes_nothing() {
    let world = world().await;
    let last = FILE.trim_end().rfind('\n').unwrap() + 1;
    // In the name, in the quantity's place, in the day.
    for (cut, code) in
        [(last + 8, "wrong_length"), (last + 18, "wrong_length"), (FILE.len() - 6, "not_a_date")]
    {
        let cut = (0..=cut).rev().find(|at| FILE.is_char_boundary(*at)).unwrap();
        let refused = imported(&world, &FILE.as_bytes()[..cut], ImportMode::Receive, false).await;
        assert_eq!(refused.status, ImportStatus::Refused, "{:?}", &FILE[last..cut]);
        assert!(
            codes(&refused).iter().any(|(line, _, told)| (*line, *told) == (4, code)),
            "{:?}",
            codes(&refused)
        );
    }
    assert_eq!((stock(&world).await.len(), count(&world, LINES).await), (0, 0));
}

/// Starts the pool's real binary.
fn start(world: &World) -> Child {
    Command::new(env!("CARGO_BIN_EXE_stock"))
        .env_clear()
        .env("DATABASE_URL", world.database.login_url())
        .env("S3_ENDPOINT", world.objects.endpoint())
        .env("S3_BUCKET", "permanence")
        .env("S3_ACCESS_KEY", world.objects.access_key())
        .env("S3_SECRET_KEY", world.objects.secret_key())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts")
}

#[tokio::test]
async fn a_worker_killed_in_the_middle_leaves_nothing_and_another_goes_on() {
    let clock = Arc::new(SystemClock);
    let world = World::with_clock(Arc::new(SimulatedClock::at(clock.now())), clock, Tz::UTC).await;
    let first = request(&world, b"Ref;Nom;Stock\nA-1;Un;5\n", ImportMode::Count, false).await;
    let mut worker = start(&world);
    ended(&world, first).await;

    // Somebody holds an item that the next import needs: it stops in the middle of its transaction.
    let mut owner = sqlx::PgConnection::connect_with(&world.database.owner_options()).await.unwrap();
    let mut holding = owner.begin().await.unwrap();
    sqlx::query("SELECT id FROM inventory_items FOR UPDATE").fetch_all(&mut *holding).await.unwrap();
    let lines: Vec<String> = (0..5_000).map(|number| format!("N-{number};Nouveau;1")).collect();
    let file = format!("Ref;Nom;Stock\nA-1;Autre;7\n{}\n", lines.join("\n"));
    let second = request(&world, file.as_bytes(), ImportMode::Count, false).await;
    let waits = async {
        const WAITING: &str =
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')";
        while sqlx::query_scalar::<_, i64>(WAITING).fetch_one(&mut *holding).await.unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("the import waits", waits).await;
    worker.kill().expect("killed");
    worker.wait().expect("gone");
    holding.rollback().await.unwrap();
    assert_eq!(import(&world, second).await.status, ImportStatus::Waiting);
    assert_eq!(stock(&world).await, [("A-1".to_owned(), 5_000)]);
    assert!(count(&world, LINES).await > 0, "it died with its lines staged");

    let mut rescuer = start(&world);
    let done = ended(&world, second).await;
    assert_eq!((done.status, done.created, done.updated), (ImportStatus::Applied, Some(5_000), Some(1)));
    assert_eq!((count(&world, MOVEMENTS).await, count(&world, LINES).await), (5_002, 0));
    rescuer.kill().expect("killed");
    rescuer.wait().expect("gone");
}

#[tokio::test]
async fn another_practices_items_are_left_alone() {
    let world = world().await;
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    let new = permanence_domain::identity::NewTenant {
        kind: "practice",
        name: Label::parse("Port").unwrap(),
        time_zone: Tz::Indian__Reunion,
        language: permanence_domain::field::Language::Fr,
        phone: None,
        address: None,
    };
    let other: TenantId = permanence_domain::identity::create_tenant(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
    imported(&world, FILE.as_bytes(), ImportMode::Receive, false).await;
    let mut tx = world.db.tenant(other, Actor::JOB).await.unwrap();
    assert!(inventory::overview(&mut tx, &OverviewQuery::default()).await.unwrap().items.is_empty());
}
