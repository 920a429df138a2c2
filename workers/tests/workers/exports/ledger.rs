//! Accounting entries: to the letter, and their laws over what a practice may do.

use std::{
    collections::BTreeMap,
    io::{Cursor, Read},
    time::Duration,
};

use chrono_tz::Tz;
use permanence_domain::{
    billing::{self, InvoiceContent, NewCreditNote, NewPayment, Payer, PaymentMethod},
    exports::{self, Export, ExportFormat, ExportKind, Filters, NewExport},
    field::{Day, Label},
    ids::InvoiceId,
};
use proptest::{
    collection::vec,
    option,
    prelude::{Strategy, any},
    sample::select,
    strategy::ValueTree,
    test_runner::TestRunner,
};
use serde_json::{Value, json};
use zip::ZipArchive;

use super::fetched;
use crate::{billing::sells, support::World};

const NOW: &str = "2027-01-11T08:00:00Z";
const NAMES: &str = "JournalCode\tJournalLib\tEcritureNum\tEcritureDate\tCompteNum\tCompteLib\tCompAuxNum\tCompAuxLib\t\
                     PieceRef\tPieceDate\tDebit\tCredit\tEcritureLib\tEcritureLet\tDateLet\tValidDate\tMontantdevise\tIdevise";

fn january(format: ExportFormat) -> NewExport {
    let day = |text| Some(Day::parse(text).unwrap());
    let filters = Filters { from: day("2027-01-01"), to: day("2027-01-31"), ..Filters::default() };
    NewExport { kind: ExportKind::AccountingEntries, format, profile: None, filters: Some(filters) }
}

async fn issued(world: &World, buyer: &str, lines: Vec<Value>) -> InvoiceId {
    let content = json!({ "buyer": { "name": buyer, "email": "zoe@noel.example" }, "lines": lines });
    let content: InvoiceContent = serde_json::from_value(content).unwrap();
    let mut tx = world.begin().await;
    let draft = billing::draft_invoice(&mut tx, &content).await.unwrap();
    billing::issue_invoice(&mut tx, draft.id, 1).await.unwrap();
    tx.commit().await.unwrap();
    draft.id
}

fn line(cents: i64, vat: &Value) -> Value {
    json!({ "name": "Séance", "unit_price": cents, "vat": vat })
}

/// Takes back so much before VAT; gives how much that is with it.
async fn credited(world: &World, id: InvoiceId, amount: i64) -> i64 {
    let credit = NewCreditNote {
        reason: Label::parse("Erreur").unwrap(),
        lines: Vec::new(),
        amount: Some(amount.try_into().unwrap()),
        insurer_share: None,
    };
    let mut tx = world.begin().await;
    let gross = billing::credit_invoice(&mut tx, id, &credit).await.unwrap().totals.gross.0;
    tx.commit().await.unwrap();
    gross
}

fn pays(amount: i64, method: PaymentMethod) -> NewPayment {
    let amount = amount.try_into().unwrap();
    NewPayment { amount, method, payer: Payer::Patient, paid_on: None, reference: None }
}

async fn paid(world: &World, id: InvoiceId, amount: i64, method: PaymentMethod) {
    let mut tx = world.begin().await;
    billing::record_payment(&mut tx, id, &pays(amount, method)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn refunded(world: &World, id: InvoiceId, amount: i64, method: PaymentMethod) {
    let mut tx = world.begin().await;
    billing::record_refund(&mut tx, id, &pays(amount, method)).await.unwrap();
    tx.commit().await.unwrap();
}

/// Lets a moment pass, so that one thing is noted after another.
fn later(world: &World, by: Duration) {
    world.clock.advance(by);
}

fn minute() -> Duration {
    Duration::from_mins(1)
}

async fn named(world: &World, export: &Export) -> String {
    let mut tx = world.begin().await;
    exports::download(&mut tx, export.id).await.unwrap().file_name
}

#[expect(clippy::too_many_lines, reason = "the file, letter by letter")]
#[tokio::test]
async fn entries_are_written_as_the_law_has_them() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    sells(&world).await;
    let standard = json!({ "category": "standard", "rate": 2000 });
    let id =
        issued(&world, "=Zoé|Noël", vec![line(6000, &json!({ "category": "care" })), line(1000, &standard)])
            .await;
    later(&world, minute());
    paid(&world, id, 7200, PaymentMethod::Cheque).await;
    later(&world, minute());
    assert_eq!(credited(&world, id, 7000).await, 7200);
    later(&world, minute());
    refunded(&world, id, 7200, PaymentMethod::Cash).await;
    world.clock.set("2027-02-01T00:30:00Z".parse().unwrap());
    // Of another period.
    issued(&world, "Zoé Noël", vec![line(100, &json!({ "category": "care" }))]).await;

    let (export, file) = fetched(&world, &january(ExportFormat::Txt)).await;
    assert_eq!(named(&world, &export).await, "732829320FEC20270131.txt");
    assert_eq!((export.rows, export.profile), (Some(12), None));
    let who = format!("{id}\t'=Zoé Noël");
    let (bill, credit) = ("F2027-000001\t20270111", "A2027-000001\t20270111");
    let end = "\t\t20270111\t\t";
    let rows = [
        NAMES.to_owned(),
        format!(
            "VE\tVentes\t1\t20270111\t411\tClients\t{who}\t{bill}\t72,00\t0,00\tFacture F2027-000001\t{end}"
        ),
        format!(
            "VE\tVentes\t1\t20270111\t706\tPrestations de services\t\t\t{bill}\t0,00\t60,00\tFacture F2027-000001\t{end}"
        ),
        format!(
            "VE\tVentes\t1\t20270111\t707\tVentes de marchandises\t\t\t{bill}\t0,00\t10,00\tFacture F2027-000001\t{end}"
        ),
        format!(
            "VE\tVentes\t1\t20270111\t445712000\tTVA collectée 20 %\t\t\t{bill}\t0,00\t2,00\tFacture F2027-000001\t{end}"
        ),
        format!(
            "BQ\tBanque\t2\t20270111\t5112\tChèques à encaisser\t\t\t{bill}\t72,00\t0,00\tRèglement F2027-000001\t{end}"
        ),
        format!(
            "BQ\tBanque\t2\t20270111\t411\tClients\t{who}\t{bill}\t0,00\t72,00\tRèglement F2027-000001\t{end}"
        ),
        format!(
            "VE\tVentes\t3\t20270111\t411\tClients\t{who}\t{credit}\t0,00\t72,00\tAvoir A2027-000001\t{end}"
        ),
        format!(
            "VE\tVentes\t3\t20270111\t706\tPrestations de services\t\t\t{credit}\t60,00\t0,00\tAvoir A2027-000001\t{end}"
        ),
        format!(
            "VE\tVentes\t3\t20270111\t707\tVentes de marchandises\t\t\t{credit}\t10,00\t0,00\tAvoir A2027-000001\t{end}"
        ),
        format!(
            "VE\tVentes\t3\t20270111\t445712000\tTVA collectée 20 %\t\t\t{credit}\t2,00\t0,00\tAvoir A2027-000001\t{end}"
        ),
        format!(
            "CA\tCaisse\t4\t20270111\t530\tCaisse\t\t\t{bill}\t0,00\t72,00\tRemboursement F2027-000001\t{end}"
        ),
        format!(
            "CA\tCaisse\t4\t20270111\t411\tClients\t{who}\t{bill}\t72,00\t0,00\tRemboursement F2027-000001\t{end}"
        ),
    ];
    let wanted: String = rows.iter().flat_map(|row| [row, "\r\n"]).collect();
    let text = String::from_utf8(file.clone()).unwrap();
    assert_eq!(text, wanted);

    let (export, archive) = fetched(&world, &january(ExportFormat::Zip)).await;
    assert_eq!(named(&world, &export).await, "732829320FEC20270131.zip");
    let mut archive = ZipArchive::new(Cursor::new(archive)).unwrap();
    let mut inside = Vec::new();
    archive.by_name("732829320FEC20270131.txt").unwrap().read_to_end(&mut inside).unwrap();
    assert_eq!(inside, file);
    archive.by_name("manifest.json").unwrap();
}

/// What a practice does about one invoice: its lines, what is paid, what is taken back and given back of it, in percent.
#[derive(Debug, Clone)]
struct Deal {
    lines: Vec<(i64, usize)>,
    paid: Option<(i64, PaymentMethod)>,
    credited: Option<i64>,
    hours: u64,
    gives_back: bool,
}

const METHODS: [PaymentMethod; 6] = [
    PaymentMethod::Card,
    PaymentMethod::Cash,
    PaymentMethod::Cheque,
    PaymentMethod::Transfer,
    PaymentMethod::DirectDebit,
    PaymentMethod::Other,
];

fn deal() -> impl Strategy<Value = Deal> {
    let lines = vec((0..200_000_i64, 0..4_usize), 1..5);
    let paid = option::of((1..=100_i64, select(&METHODS[..])));
    (lines, paid, option::of(1..=100_i64), 0..40_u64, any::<bool>()).prop_map(
        |(lines, paid, credited, hours, gives_back)| Deal { lines, paid, credited, hours, gives_back },
    )
}

fn vats() -> [Value; 4] {
    let standard = |rate| json!({ "category": "standard", "rate": rate });
    [json!({ "category": "care" }), standard(2000), standard(1000), standard(550)]
}

async fn done(world: &World, deal: &Deal) {
    let lines = deal.lines.iter().map(|&(cents, vat)| line(cents, &vats()[vat])).collect();
    let id = issued(world, "Zoé Noël", lines).await;
    let mut tx = world.begin().await;
    let totals = billing::get_invoice(&mut tx, id).await.unwrap().totals;
    drop(tx);
    let (gross, part) = (totals.gross.0, |percent| totals.gross.0 * percent / 100);
    let mut given = 0;
    if let Some((percent, method)) = deal.paid
        && part(percent) > 0
    {
        given = part(percent);
        paid(world, id, given, method).await;
    }
    if let Some(percent) = deal.credited
        && totals.net.0 * percent / 100 > 0
    {
        let back = credited(world, id, totals.net.0 * percent / 100).await;
        let too_much = given - (gross - back);
        if deal.gives_back && too_much > 0 {
            refunded(world, id, too_much, PaymentMethod::Transfer).await;
        }
    }
    later(world, Duration::from_hours(deal.hours));
}

fn cents(field: &str) -> i64 {
    field.replace(',', "").parse().unwrap()
}

async fn total(world: &World, query: &'static str) -> i64 {
    let mut tx = world.begin().await;
    sqlx::query_scalar(query).fetch_one(tx.conn()).await.unwrap()
}

const INVOICED: &str = "SELECT COALESCE(sum(CASE kind WHEN 'credit_note' THEN -gross ELSE gross END), 0)::bigint
                        FROM invoices WHERE number IS NOT NULL AND issued_on BETWEEN '2027-01-01' AND '2027-01-31'";
const TAXED: &str = "SELECT COALESCE(sum(CASE kind WHEN 'credit_note' THEN -1 ELSE 1 END
                                         * (document->'totals'->>'vat')::bigint), 0)::bigint
                     FROM invoices WHERE number IS NOT NULL AND issued_on BETWEEN '2027-01-01' AND '2027-01-31'";
const PAID: &str = "SELECT COALESCE(sum(CASE kind WHEN 'refund' THEN -amount ELSE amount END), 0)::bigint
                    FROM payments WHERE paid_on BETWEEN '2027-01-01' AND '2027-01-31'";

#[tokio::test]
async fn every_entry_is_balanced_none_is_missing_and_the_totals_are_those_of_the_books() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..3 {
        let deals = vec(deal(), 6..14).new_tree(&mut runner).unwrap().current();
        let world = World::at(NOW, Tz::Europe__Paris).await;
        sells(&world).await;
        for deal in &deals {
            done(&world, deal).await;
        }
        world.clock.set("2027-03-01T08:00:00Z".parse().unwrap());
        let (_, file) = fetched(&world, &january(ExportFormat::Txt)).await;
        let text = String::from_utf8(file).unwrap();
        let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|row| row.split('\t').collect()).collect();
        let (mut balance, mut accounts) = (BTreeMap::<i64, i64>::new(), BTreeMap::<(&str, &str), i64>::new());
        let mut days = BTreeMap::<i64, &str>::new();
        for row in &rows {
            assert_eq!(row.len(), 18, "{row:?}");
            let (entry, amount) = (row[2].parse().unwrap(), cents(row[10]) - cents(row[11]));
            assert!(amount != 0 && (cents(row[10]) == 0) != (cents(row[11]) == 0), "{row:?}");
            *balance.entry(entry).or_default() += amount;
            *accounts.entry((row[0], &row[4][..3])).or_default() += amount;
            assert_eq!(*days.entry(entry).or_insert(row[3]), row[3], "an entry has one day");
        }
        assert!(balance.values().all(|&left| left == 0), "{deals:?}\n{text}");
        assert!(balance.keys().copied().eq(1..=i64::try_from(balance.len()).unwrap()), "{text}");
        assert!(days.values().is_sorted(), "{text}");
        let of = |wanted: &dyn Fn(&str, &str) -> bool| -> i64 {
            accounts
                .iter()
                .filter(|((journal, account), _)| wanted(journal, account))
                .map(|(_, sum)| sum)
                .sum()
        };
        assert_eq!(
            of(&|journal, account| journal == "VE" && account == "411"),
            total(&world, INVOICED).await
        );
        assert_eq!(-of(&|_, account| account == "445"), total(&world, TAXED).await);
        assert_eq!(of(&|journal, account| journal != "VE" && account != "411"), total(&world, PAID).await);
    }
}
