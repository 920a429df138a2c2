//! Accounts erased through the real queue, store and mail server: nothing that names the person is left in any tenant; run twice, cut
//! short at every step, held while somebody is needed, taken back, and stopped where something was overlooked.

use std::time::Duration;

use chrono_tz::Tz;
use permanence_domain::{
    access,
    config::Secret,
    consultations::{self, NewConsultation},
    crypto::hash_password,
    db::{Actor, TenantTx},
    field::{Day, EmailAddress, FullName, Label, Language, Moment, PersonName, Reason},
    identity::{NewTenant, Role, TokenHashes, add_member, create_tenant},
    ids::{ConsultationId, ErasureId, PractitionerId, TenantId, UserId},
    people::{self, NewPractitioner},
    privacy::{
        self, AccountErasure, AccountStep, Checked, DeleteRequest, ErasureStatus, check_certificate,
        jobs::{EraseAccounts, FindDueErasures},
    },
    records::{self, Clinical, NewRecord, RecordKind},
    scheduling::{self, NewRoom},
};
use permanence_embedded::{mail::MailFault, storage::StorageFault};
use permanence_queue::{NewJob, Outcome};
use permanence_workers::perform::{Perform, Run};

use crate::{
    billing::sells,
    erasure::stands,
    support::{Pool, REFRESH_KEY, World, signer, soon, vault},
};

const RUN: Run = Run { tenant: None, last_attempt: false };
const MONTH: Duration = Duration::from_hours(24 * 30);
const EMAIL: &str = "zoe@lemaire.example";
const PASSWORD: &str = "Bonjour1!";

/// A platform of which Zoé Lemaire is one.
struct Scene {
    world: World,
    zoe: UserId,
    /// The tenant that she asks in.
    home: TenantId,
}

async fn joins(world: &World, tenant: TenantId, email: &str, name: &str, role: Role) -> UserId {
    let hash = hash_password(Secret::new(PASSWORD)).await.unwrap();
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    let (email, name) = (EmailAddress::parse(email).unwrap(), FullName::parse(name).unwrap());
    let user = add_member(&mut tx, tenant, &email, &name, role, &hash).await.unwrap();
    tx.commit().await.unwrap();
    user
}

async fn as_user(world: &World, tenant: TenantId, user: UserId) -> TenantTx {
    world.db.tenant(tenant, Actor { user: Some(user), ..Actor::JOB }).await.unwrap()
}

/// She works for a company and has consulted at the practice, which has her number.
async fn employee() -> (Scene, ConsultationId) {
    let world = World::at("2027-01-04T09:00:00Z", Tz::Europe__Paris).await;
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    let new = NewTenant {
        kind: "company",
        name: Label::parse("Alpha").unwrap(),
        time_zone: Tz::Europe__Paris,
        language: Language::Fr,
        phone: None,
        address: None,
    };
    let company = create_tenant(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
    joins(&world, company, "rh@alpha.example", "Dominique Petit", Role::HrAdmin).await;
    let zoe = joins(&world, company, EMAIL, "Zoé Lemaire", Role::Employee).await;
    let mut owner = world.owner().await;
    for row in [
        "INSERT INTO companies (tenant_id, slug, legal_name, validated_at, validated_by, created_at, updated_at)
         VALUES ($1, 'alpha', 'Alpha', now(), $2, now(), now())",
        "INSERT INTO company_practices (tenant_id, practice_id, created_at)
         SELECT $1, id, now() FROM tenants WHERE kind = 'practice' AND $2::uuid IS NOT NULL",
        "INSERT INTO employees (tenant_id, user_id, first_name, last_name, department, created_at, updated_at)
         VALUES ($1, $2, 'Zoé', 'Lemaire', 'Ventes', now(), now())",
    ] {
        sqlx::query(row).bind(company.0).bind(zoe.0).execute(&mut owner).await.unwrap();
    }
    let mut booked = Vec::new();
    for day in ["2027-01-05", "2027-02-10"] {
        let at = |time: &str| Moment::parse(&format!("{day}T{time}")).unwrap();
        let new = NewConsultation {
            practitioner_id: world.practitioner,
            starts_at: at("10:00"),
            ends_at: at("10:50"),
            reason: Some(Reason::parse("Zoé Lemaire dort mal").unwrap()),
            email_reminders: true,
        };
        let (tx, consultation) =
            consultations::book(as_user(&world, company, zoe).await, &new).await.unwrap();
        tx.commit().await.unwrap();
        booked.push(consultation.id);
    }
    sqlx::query("UPDATE patients SET phone = '+33612345678', birth_date = '1990-01-01' WHERE email = $1")
        .bind(EMAIL)
        .execute(&mut owner)
        .await
        .unwrap();
    (Scene { world, zoe, home: company }, booked[0])
}

/// She treats patients at the practice, which somebody else runs.
async fn practitioner() -> (Scene, PractitionerId) {
    let world = World::at("2027-01-04T09:00:00Z", Tz::Europe__Paris).await;
    sells(&world).await;
    let home = world.tenant;
    joins(&world, home, "admin@lilas.example", "Dominique Petit", Role::Admin).await;
    let zoe = joins(&world, home, EMAIL, "Zoé Lemaire", Role::Practitioner).await;
    let mut tx = as_user(&world, home, zoe).await;
    let new = NewPractitioner {
        first_name: PersonName::parse("Zoé").unwrap(),
        last_name: PersonName::parse("Lemaire").unwrap(),
        specialty: Some(Label::parse("Ostéopathie").unwrap()),
        rpps_number: None,
        adeli_number: None,
        user_id: Some(zoe),
    };
    let practitioner = people::add(&mut tx, &new).await.unwrap().id;
    let note = NewRecord {
        kind: RecordKind::Consultation,
        occurred_on: Day::parse("2027-01-04").unwrap(),
        title: Clinical::parse("Épaule", 200).unwrap(),
        content: Clinical::parse("Écrit par Zoé Lemaire", 200).unwrap(),
    };
    records::write(&mut tx, &vault(), world.patient, &note).await.unwrap();
    tx.commit().await.unwrap();
    (Scene { world, zoe, home }, practitioner)
}

impl Scene {
    async fn asks(&self) -> ErasureId {
        let tx = as_user(&self.world, self.home, self.zoe).await;
        let asked = DeleteRequest {
            password: Secret::new(PASSWORD),
            reason: Some(Reason::parse("Je suis Zoé Lemaire et je pars").unwrap()),
        };
        let (tx, erasure) = privacy::request_deletion(&self.world.db, tx, &asked).await.unwrap();
        tx.commit().await.unwrap();
        erasure.id
    }

    async fn erasure(&self, id: ErasureId) -> AccountErasure {
        let mut tx = self.world.db.system(Actor::JOB).await.unwrap();
        privacy::get_account_erasure(&mut tx, id).await.unwrap()
    }

    /// What the scheduler does each night.
    async fn night(&self) {
        let mut tx = self.world.db.system(Actor::JOB).await.unwrap();
        tx.enqueue(NewJob::of(&FindDueErasures {}).unwrap()).await.unwrap();
        tx.commit().await.unwrap();
        self.world.until_idle().await;
    }

    /// Runs the night, and the minutes after it, until the erasure is completed.
    async fn certified(&self, id: ErasureId) -> AccountErasure {
        self.night().await;
        let done = async {
            loop {
                let erasure = self.erasure(id).await;
                if erasure.status == ErasureStatus::Completed {
                    self.world.until_idle().await;
                    return erasure;
                }
                self.world.clock.advance(Duration::from_mins(1));
                self.world.until_idle().await;
            }
        };
        soon("it is certified", Box::pin(done)).await
    }

    fn pools(&self) -> Vec<Pool> {
        ["reminders", "privacy", "invoices", "exports"].map(|queue| self.world.work_on(queue)).into()
    }

    /// The subjects of what was mailed to her.
    fn told(&self) -> Vec<String> {
        let mails = self.world.outbox.mails();
        let hers = mails.iter().filter(|mail| mail.to == [EMAIL]);
        hers.filter_map(permanence_embedded::outbox::Mail::subject)
            .filter(|subject| subject.contains("compte"))
            .collect()
    }
}

async fn drain(pools: Vec<Pool>) {
    for pool in pools {
        pool.drain().await;
    }
}

#[expect(clippy::too_many_lines, reason = "one erasure, looked at from every side")]
#[tokio::test]
async fn nothing_that_names_an_employee_is_left_in_any_tenant() {
    let (scene, consultation) = employee().await;
    let world = &scene.world;
    let pools = scene.pools();
    world.until_idle().await;
    world.clock.set("2027-01-10T09:00:00Z".parse().unwrap());
    let mut tx = as_user(world, scene.home, scene.zoe).await;
    let export = access::request_of_user(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    let id = scene.asks().await;
    world.until_idle().await;
    assert_eq!(scene.told(), ["Votre compte sera supprimé"]);
    let text = world.outbox.mails().last().unwrap().text().unwrap();
    assert!(text.contains("mardi 9 février 2027"), "{text}");
    scene.night().await;
    assert_eq!(scene.erasure(id).await.status, ErasureStatus::Pending, "not before its day");
    assert!(stands(world, "lemaire").await.len() >= 6, "{:?}", stands(world, "lemaire").await);

    // On the morning of its day: the second consultation is still to come, and the file of her data is new.
    world.clock.set("2027-02-09T08:59:00Z".parse().unwrap());
    let mut tx = as_user(world, scene.home, scene.zoe).await;
    let newer = access::request_of_user(&mut tx).await.unwrap();
    assert_ne!(newer.id, export.id);
    tx.commit().await.unwrap();
    world.until_idle().await;
    assert_eq!(world.objects_of(scene.home).await.len(), 1, "her data, as a file");
    world.clock.set("2027-02-09T09:00:30Z".parse().unwrap());
    let done = scene.certified(id).await;
    assert_eq!(done.findings.len(), 0);
    assert_eq!(scene.told(), ["Votre compte sera supprimé", "Votre compte est supprimé"]);

    for text in ["lemaire", EMAIL, "612345678", "06 12 34 56 78", "1990-01-01", "dort mal", "je pars"] {
        assert_eq!(stands(world, text).await, Vec::<String>::new(), "{text}");
    }
    assert_eq!(world.objects_of(scene.home).await.len(), 0, "the file of her data is gone");
    let mut tx = world.begin().await;
    let shown = consultations::get(&mut tx, consultation).await.unwrap();
    assert_eq!(shown.patient.name, "Utilisateur supprimé");
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    let (email, hash): (String, Option<String>) =
        sqlx::query_as("SELECT email, password_hash FROM users WHERE id = $1")
            .bind(scene.zoe.0)
            .fetch_one(tx.conn())
            .await
            .unwrap();
    assert_eq!((email, hash), (format!("deleted-{}@deleted.invalid", scene.zoe), None));
    let standing: Vec<String> = sqlx::query_scalar("SELECT status FROM consultations ORDER BY status")
        .fetch_all(tx.conn())
        .await
        .unwrap();
    assert_eq!(standing, ["cancelled", "scheduled"], "what was to come does not take place");
    let destroyed: Vec<&str> = done.destroyed.iter().map(|gone| gone.what.as_str()).collect();
    for what in ["account_mails", "employees", "exports", "memberships", "patients", "subject_keys", "users"]
    {
        assert!(destroyed.contains(&what), "{what}: {destroyed:?}");
    }

    // The certificate, by the link of the last mail.
    let last = world.outbox.mails().into_iter().rfind(|mail| mail.to == [EMAIL]).unwrap().text().unwrap();
    let (_, token) = last.split_once("https://app.example.fr/e/").expect("a link");
    let token: String = token.chars().take_while(|c| !c.is_whitespace()).collect();
    let hashes = TokenHashes::new(Secret::new(REFRESH_KEY));
    let (found, _) = privacy::account_certificate_by_link(&mut tx, &hashes, &token).await.unwrap();
    assert_eq!(found, id);
    let certificate = privacy::account_certificate_of(&mut tx, id).await.unwrap();
    let json = serde_json::to_vec(&certificate).unwrap();
    assert_eq!(check_certificate(&json, Some(&signer().public_key())).0, Checked::Genuine);
    let stated = certificate.certificate;
    assert!(stated.tables_searched > 60 && stated.rows_searched > 50, "{stated:?}");
    let paper = privacy::account_paper_of(&mut tx, id).await.unwrap().expect("it is drawn");
    let pdf = world.storage().get(&paper.key).await.unwrap();
    assert!(pdf.starts_with(b"%PDF-1.7"));
    if let Some(folder) = std::env::var_os("SHOW_PAPERS") {
        std::fs::write(std::path::Path::new(&folder).join("account.pdf"), pdf).unwrap();
        std::fs::write(std::path::Path::new(&folder).join("account.json"), json).unwrap();
    }
    drain(pools).await;
}

#[tokio::test]
async fn who_treated_is_kept_under_seal_as_long_as_the_record() {
    let (scene, practitioner) = practitioner().await;
    let world = &scene.world;
    let pools = scene.pools();
    let id = scene.asks().await;
    world.clock.advance(MONTH);
    let done = scene.certified(id).await;
    let kept: Vec<_> = done
        .kept
        .iter()
        .map(|kept| (kept.what.as_str(), kept.count, kept.until.map(|day| day.to_string())))
        .collect();
    let until = Some("2047-01-04".to_owned());
    assert_eq!(kept[..2], [("written_records", 1, until.clone()), ("author", 1, until)]);
    assert_eq!(stands(world, "lemaire").await, Vec::<String>::new());
    let mut tx = world.begin().await;
    let name: (String, String) =
        sqlx::query_as("SELECT first_name, last_name FROM practitioners WHERE id = $1")
            .bind(practitioner.0)
            .fetch_one(tx.conn())
            .await
            .unwrap();
    assert_eq!(name, ("Utilisateur".to_owned(), "supprimé".to_owned()));
    let authors = privacy::list_authors(&mut tx).await.unwrap().items;
    assert_eq!((authors.len(), authors[0].row_id, authors[0].law.as_str()), (1, scene.zoe.0, "CSP R1112-7"));
    let opened = privacy::open_retained(&mut tx, &vault(), authors[0].id).await.unwrap();
    assert_eq!(
        (&opened.content["full_name"], &opened.content["specialty"]),
        (&"Zoé Lemaire".into(), &"Ostéopathie".into())
    );
    tx.commit().await.unwrap();
    // Until the law lets go of it.
    world.clock.set("2047-01-05T09:00:00Z".parse().unwrap());
    scene.night().await;
    let mut tx = world.begin().await;
    assert_eq!(privacy::list_authors(&mut tx).await.unwrap().items.len(), 0);
    let keys: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM subject_keys WHERE subject_id = $1 AND destroyed_at IS NULL",
    )
    .bind(scene.zoe.0)
    .fetch_one(tx.conn())
    .await
    .unwrap();
    assert_eq!(keys, 0);
    drain(pools).await;
}

#[tokio::test]
async fn a_run_that_dies_goes_on_where_it_was() {
    let (scene, _) = employee().await;
    let world = &scene.world;
    let id = scene.asks().await;
    world.clock.set("2027-02-10T09:00:00Z".parse().unwrap());
    let begin = async || world.db.system(Actor::JOB).await.unwrap();
    let (tx, step) = privacy::begin_account(begin().await, &vault(), id).await.unwrap();
    assert_eq!(step, AccountStep::Waiting, "she is in a consultation at this moment");
    tx.commit().await.unwrap();
    world.clock.set("2027-02-10T10:00:00Z".parse().unwrap());
    // Before its first commit: nothing has happened.
    let (tx, step) = privacy::begin_account(begin().await, &vault(), id).await.unwrap();
    assert_eq!(step, AccountStep::Done);
    tx.rollback().await.unwrap();
    assert_eq!(scene.erasure(id).await.status, ErasureStatus::Pending);
    // It has begun, and the worker is gone; the mail server is away.
    for _ in 0..2 {
        let (tx, step) = privacy::begin_account(begin().await, &vault(), id).await.unwrap();
        assert_eq!(step, AccountStep::Done);
        tx.commit().await.unwrap();
    }
    let mut tx = begin().await;
    let mails: Vec<(String, String)> =
        sqlx::query_as("SELECT kind, status FROM account_mails").fetch_all(tx.conn()).await.unwrap();
    assert_eq!(mails, [("account_erased".to_owned(), "pending".to_owned())], "once");
    tx.rollback().await.unwrap();
    let refused = privacy::cancel_deletion(as_user(world, scene.home, scene.zoe).await).await;
    assert!(refused.is_err(), "it cannot be taken back any more");
    let (tx, step) = privacy::erase_account(begin().await, &vault(), id).await.unwrap();
    assert_eq!(step, AccountStep::Waiting, "the last mail first");
    tx.commit().await.unwrap();
    world.mail.faults().next(1, MailFault::RecipientDeferred);
    let pools = scene.pools();
    world.until_idle().await;
    world.objects.faults().always(StorageFault::Away);
    scene.night().await;
    for _ in 0..3 {
        world.clock.advance(Duration::from_mins(1));
        world.until_idle().await;
    }
    assert_ne!(scene.erasure(id).await.status, ErasureStatus::Completed, "the store is away");
    world.objects.faults().clear();
    let done = scene.certified(id).await;
    let once = done.destroyed.iter().filter(|gone| gone.what == "memberships").map(|gone| gone.count);
    assert_eq!(once.collect::<Vec<_>>(), [1]);
    assert_eq!(stands(world, "lemaire").await, Vec::<String>::new());
    // Run again, it finds nothing to do.
    let again = EraseAccounts {}.perform(RUN, &world.services()).await.unwrap();
    let Outcome::Done(Some(told)) = again else { panic!("{again:?}") };
    assert_eq!(told, serde_json::json!({ "due": 0, "held": 0, "certified": 0 }));
    assert_eq!(scene.told().iter().filter(|subject| *subject == "Votre compte est supprimé").count(), 1);
    drain(pools).await;
}

#[tokio::test]
async fn an_address_that_takes_no_mail_does_not_hold_it_up_for_ever() {
    let (scene, _) = practitioner().await;
    let world = &scene.world;
    let id = scene.asks().await;
    world.clock.advance(MONTH);
    let begin = async || world.db.system(Actor::JOB).await.unwrap();
    let (tx, _) = privacy::begin_account(begin().await, &vault(), id).await.unwrap();
    tx.commit().await.unwrap();
    world.clock.advance(Duration::from_hours(71));
    let (tx, step) = privacy::erase_account(begin().await, &vault(), id).await.unwrap();
    assert_eq!(step, AccountStep::Waiting);
    tx.rollback().await.unwrap();
    world.clock.advance(Duration::from_hours(1));
    let (tx, step) = privacy::erase_account(begin().await, &vault(), id).await.unwrap();
    assert_eq!(step, AccountStep::Done);
    tx.commit().await.unwrap();
    // The mail's job finds nobody any more.
    let pools = scene.pools();
    scene.certified(id).await;
    assert_eq!(scene.told(), Vec::<String>::new());
    drain(pools).await;
}

#[tokio::test]
async fn whoever_is_needed_on_the_day_is_told_once_and_let_go_later() {
    let (scene, _) = practitioner().await;
    let world = &scene.world;
    let pools = scene.pools();
    let id = scene.asks().await;
    world.until_idle().await;
    world.clock.advance(MONTH);
    let mut owner = world.owner().await;
    sqlx::query("UPDATE memberships SET role = CASE WHEN user_id = $1 THEN 'admin' ELSE 'nurse' END")
        .bind(scene.zoe.0)
        .execute(&mut owner)
        .await
        .unwrap();
    for _ in 0..2 {
        scene.night().await;
        let held = scene.erasure(id).await;
        assert_eq!(held.status, ErasureStatus::Pending);
        assert_eq!((held.held.len(), held.held[0].tenant_id), (1, scene.home), "{held:?}");
    }
    assert_eq!(scene.told(), ["Votre compte sera supprimé", "La suppression de votre compte attend"]);
    sqlx::query("UPDATE memberships SET role = 'admin'").execute(&mut owner).await.unwrap();
    assert_eq!(scene.certified(id).await.held.len(), 0);
    drain(pools).await;
}

#[tokio::test]
async fn taken_back_before_its_day_it_has_done_nothing() {
    let (scene, _) = employee().await;
    let world = &scene.world;
    let pools = scene.pools();
    let id = scene.asks().await;
    world.until_idle().await;
    let (tx, _) = privacy::cancel_deletion(as_user(world, scene.home, scene.zoe).await).await.unwrap();
    tx.commit().await.unwrap();
    world.clock.advance(MONTH);
    scene.night().await;
    assert_eq!(scene.erasure(id).await.status, ErasureStatus::Cancelled);
    assert_eq!(stands(world, "je pars").await, Vec::<String>::new(), "nor why she wanted to leave");
    assert_eq!(scene.told(), ["Votre compte sera supprimé", "Votre compte ne sera pas supprimé"]);
    scene.asks().await;
    drain(pools).await;
}

#[tokio::test]
async fn what_was_overlooked_is_told_and_not_certified() {
    let (scene, _) = practitioner().await;
    let world = &scene.world;
    let mut tx = world.begin().await;
    let room = NewRoom { name: Label::parse("Salle Zoé Lemaire").unwrap() };
    let room = scheduling::add_room(&mut tx, &room).await.unwrap().id;
    tx.commit().await.unwrap();
    // A namesake elsewhere is somebody else.
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    let new = NewTenant {
        kind: "practice",
        name: Label::parse("Cabinet Zoé Lemaire").unwrap(),
        time_zone: Tz::Europe__Paris,
        language: Language::Fr,
        phone: None,
        address: None,
    };
    create_tenant(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
    let pools = scene.pools();
    let id = scene.asks().await;
    world.clock.advance(MONTH);
    scene.night().await;
    for _ in 0..2 {
        world.clock.advance(Duration::from_mins(1));
        world.until_idle().await;
    }
    let open = scene.erasure(id).await;
    let places: Vec<(&str, u64)> =
        open.findings.iter().map(|finding| (finding.place.as_str(), finding.count)).collect();
    assert_eq!((open.status, places.as_slice()), (ErasureStatus::Running, [("public.rooms", 1)].as_slice()));
    let mut tx = world.begin().await;
    sqlx::query("UPDATE rooms SET name = 'Salle 1' WHERE id = $1")
        .bind(room.0)
        .execute(tx.conn())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    world.clock.advance(Duration::from_hours(2));
    assert_eq!(scene.certified(id).await.findings.len(), 0);
    drain(pools).await;
}
