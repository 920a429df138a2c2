//! What is in the files, to the letter.

use std::io::{Cursor, Read};

use chrono_tz::Tz;
use permanence_domain::{
    billing::{self, NewCreditNote, NewPayment, Payer, PaymentMethod},
    error::{Error, Invalid},
    exports::{self, ExportFormat, ExportKind, Filters, Profile},
    field::{Day, Label},
    ids::ItemId,
    inventory::{self, MovementKind, NewItem, NewMovement, UnitName},
    scheduling::{self, AppointmentStatus},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zip::ZipArchive;

use super::{fetched, of, strange_patient, within};
use crate::{
    billing::{owed, sells},
    support::World,
};

const NOW: &str = "2027-01-11T08:00:00Z";

fn entry(archive: &mut ZipArchive<Cursor<Vec<u8>>>, name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    archive.by_name(name).expect("an entry").read_to_end(&mut bytes).expect("read");
    bytes
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[tokio::test]
async fn patients_are_written_for_a_spreadsheet_and_for_a_program() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    strange_patient(&world, 1, "=1+1;\"x\"", "A\r\nB").await;
    strange_patient(&world, 2, "-Zoé", "@you, \\N").await;
    let own = world.patient;
    let strange = "ffffffff-0000-4000-8000-0000000000";

    let (export, french) =
        fetched(&world, &of(ExportKind::Patients, ExportFormat::Csv, Some(Profile::French))).await;
    assert_eq!(
        String::from_utf8(french.clone()).unwrap(),
        format!(
            "\u{feff}Identifiant;Nom;Prénom;Date de naissance;E-mail;Téléphone;Langue;Rappels par SMS;\
             Rappels par e-mail;Photographies;Enregistré le;Modifié le\r\n\
             {own};Garcia;Hélène;;helene@garcia.example;'+33600000001;fr;oui;non;non;11/01/2027 09:00:00;\
             11/01/2027 09:00:00\r\n\
             {strange}01;\"'=1+1;\"\"x\"\"\";\"A\r\nB\";29/02/1984;;;en;non;oui;non;13/01/2027 00:30:00;\
             13/01/2027 00:30:01\r\n\
             {strange}02;'-Zoé;'@you, \\N;29/02/1984;;;en;non;oui;non;13/01/2027 00:30:00;13/01/2027 00:30:01\r\n"
        )
    );
    assert_eq!(export.rows, Some(3));
    assert_eq!(export.size_bytes, i64::try_from(french.len()).ok());
    assert_eq!(export.sha256, Some(hash(&french)));

    let (_, plain) =
        fetched(&world, &of(ExportKind::Patients, ExportFormat::Csv, Some(Profile::Rfc4180))).await;
    assert_eq!(
        String::from_utf8(plain).unwrap(),
        format!(
            "id,last_name,first_name,birth_date,email,phone,language,reminder_sms,reminder_email,imaging,created_at,updated_at\r\n\
             {own},Garcia,Hélène,,helene@garcia.example,'+33600000001,fr,true,false,false,2027-01-11T08:00:00Z,\
             2027-01-11T08:00:00Z\r\n\
             {strange}01,\"'=1+1;\"\"x\"\"\",\"A\r\nB\",1984-02-29,,,en,false,true,false,2027-01-12T23:30:00Z,\
             2027-01-12T23:30:01Z\r\n\
             {strange}02,'-Zoé,\"'@you, \\N\",1984-02-29,,,en,false,true,false,2027-01-12T23:30:00Z,2027-01-12T23:30:01Z\r\n"
        )
    );
}

#[tokio::test]
async fn an_archive_tells_what_is_in_it() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    strange_patient(&world, 1, "=1+1", "A").await;
    let filters = Filters { from: Some(Day::parse("2027-01-11").unwrap()), ..Filters::default() };
    let csv = within(ExportKind::Patients, filters);
    let (_, alone) = fetched(&world, &csv).await;
    let mut zipped = csv;
    zipped.format = ExportFormat::Zip;
    let (export, archive) = fetched(&world, &zipped).await;
    assert_eq!(export.sha256, Some(hash(&archive)));
    assert_eq!(export.size_bytes, i64::try_from(archive.len()).ok());

    let mut archive = ZipArchive::new(Cursor::new(archive)).unwrap();
    let names: Vec<String> = archive.file_names().map(|name| name.expect("a name").into_owned()).collect();
    assert_eq!(names, ["patients.csv", "manifest.json"]);
    let inside = entry(&mut archive, "patients.csv");
    assert_eq!(inside, alone);
    let manifest: Value = serde_json::from_slice(&entry(&mut archive, "manifest.json")).unwrap();
    assert_eq!(
        manifest,
        json!({
            "kind": "patients", "profile": "rfc4180", "filters": { "from": "2027-01-11" }, "as_of": NOW,
            "files": [{ "name": "patients.csv", "rows": 2, "size_bytes": inside.len(), "sha256": hash(&inside) }],
        })
    );
}

#[tokio::test]
async fn a_workbook_holds_texts_days_and_no_formula() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    strange_patient(&world, 1, "=1+1<&", "+A").await;
    let (export, workbook) = fetched(&world, &of(ExportKind::Patients, ExportFormat::Xlsx, None)).await;
    assert_eq!((export.rows, export.profile), (Some(2), None));
    let mut archive = ZipArchive::new(Cursor::new(workbook)).unwrap();
    let sheet = String::from_utf8(entry(&mut archive, "xl/worksheets/sheet1.xml")).unwrap();
    for text in ["Date de naissance", "=1+1&lt;&amp;", "+A", "+33600000001", "oui", "non"] {
        assert!(sheet.contains(&format!("<t>{text}</t>")), "{text}\n{sheet}");
    }
    // 29 February 1984 is day 30741 of a workbook, 11 January 2027 at nine in Paris day 46398 and three eighths.
    assert!(sheet.contains("<v>30741</v>") && sheet.contains("<v>46398.375</v>"), "{sheet}");
    assert!(!sheet.contains("<f>"), "{sheet}");
    let book = String::from_utf8(entry(&mut archive, "xl/workbook.xml")).unwrap();
    assert!(book.contains("name=\"Patients\""), "{book}");
}

#[tokio::test]
async fn money_adds_up_and_stays_a_number() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    sells(&world).await;
    let id = owed(&world).await;
    let mut tx = world.begin().await;
    let day = |text| Day::parse(text).unwrap();
    let paid = |amount: i64, paid_on| NewPayment {
        amount: amount.try_into().unwrap(),
        method: PaymentMethod::Cheque,
        payer: Payer::Patient,
        paid_on: Some(day(paid_on)),
        reference: Some(Label::parse("=12").unwrap()),
    };
    let payment = billing::record_payment(&mut tx, id, &paid(6000, "2027-01-11")).await.unwrap().payment.id;
    let credit = NewCreditNote {
        reason: Label::parse("Erreur").unwrap(),
        lines: Vec::new(),
        amount: Some(1505.try_into().unwrap()),
        insurer_share: None,
    };
    let credit = billing::credit_invoice(&mut tx, id, &credit).await.unwrap().id;
    let refund = billing::record_refund(&mut tx, id, &paid(5, "2027-01-11")).await.unwrap().payment.id;
    tx.commit().await.unwrap();

    let french = |kind| of(kind, ExportFormat::Csv, Some(Profile::French));
    let (_, file) = fetched(&world, &french(ExportKind::Invoices)).await;
    let file = String::from_utf8(file).unwrap();
    let header = "\u{feff}Identifiant;Nature;Numéro;Date;Échéance;Client;Identifiant du patient;Montant HT;TVA;Montant TTC;\
                  Part de la complémentaire;Avoirs;Payé;Reste à payer;Statut;Facture d'origine;Émise le\r\n";
    // Both were issued at one moment of the simulated clock, so that their ids decide the order.
    let mut wanted = [
        format!(
            "{id};facture;F2027-000001;11/01/2027;10/02/2027;Zoé Noël;;60,00;0,00;60,00;0,00;15,05;59,95;-15,00;payée;;\
             11/01/2027 09:00:00\r\n"
        ),
        format!(
            "{credit};avoir;A2027-000001;11/01/2027;11/01/2027;Zoé Noël;;-15,05;0,00;-15,05;0,00;;;;;F2027-000001;\
             11/01/2027 09:00:00\r\n"
        ),
    ];
    wanted.sort();
    assert_eq!(file, format!("{header}{}", wanted.concat()));
    let (_, file) = fetched(&world, &french(ExportKind::Payments)).await;
    let lines: Vec<String> = String::from_utf8(file).unwrap().lines().skip(1).map(str::to_owned).collect();
    let mut wanted = [
        format!(
            "{payment};11/01/2027;paiement;60,00;chèque;patient;'=12;{id};F2027-000001;Zoé Noël;11/01/2027 09:00:00"
        ),
        format!(
            "{refund};11/01/2027;remboursement;-0,05;chèque;patient;'=12;{id};F2027-000001;Zoé Noël;11/01/2027 09:00:00"
        ),
    ];
    wanted.sort();
    assert_eq!(lines, wanted);
    let later = Filters { from: Some(day("2027-01-12")), ..Filters::default() };
    for kind in [ExportKind::Invoices, ExportKind::Payments] {
        let (export, _) = fetched(&world, &within(kind, later.clone())).await;
        assert_eq!(export.rows, Some(0), "{kind:?}");
    }
    let (_, workbook) = fetched(&world, &of(ExportKind::Payments, ExportFormat::Xlsx, None)).await;
    let mut archive = ZipArchive::new(Cursor::new(workbook)).unwrap();
    let sheet = String::from_utf8(entry(&mut archive, "xl/worksheets/sheet1.xml")).unwrap();
    assert!(sheet.contains("<v>60</v>") && sheet.contains("<v>-0.05</v>"), "{sheet}");
}

#[tokio::test]
async fn the_stock_is_written_lot_by_lot_and_adds_up() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    let (gloves, empty) = stocked(&world).await;
    let (_, file) = fetched(&world, &within(ExportKind::Inventory, Filters::default())).await;
    let text = String::from_utf8(file).unwrap();
    let head = "id,name,reference,unit,supplier,location,price,threshold,margin,item_quantity,below_threshold,lot,\
                expires_on,quantity,updated_at\r\n";
    let known = "'=Gants,REF-1,boîte,'@Fournisseur,,12.50,10,0.5,7.25,true";
    assert_eq!(
        text,
        format!(
            "{head}{gloves},{known},L1,2027-03-31,4.25,2027-01-11T08:00:00Z\r\n\
             {gloves},{known},,,3,2027-01-11T08:00:00Z\r\n\
             {empty},Aiguilles,,unité,,,,0,0,0,false,,,0,2027-01-11T08:00:00Z\r\n"
        )
    );
    let french = of(ExportKind::Inventory, ExportFormat::Csv, Some(Profile::French));
    let (export, file) = fetched(&world, &french).await;
    assert_eq!(export.rows, Some(3));
    let text = String::from_utf8(file).unwrap();
    assert!(text.contains(";12,50;10;0,5;7,25;oui;L1;31/03/2027;4,25;11/01/2027 09:00:00\r\n"), "{text}");
    let (_, workbook) = fetched(&world, &of(ExportKind::Inventory, ExportFormat::Xlsx, None)).await;
    let mut archive = ZipArchive::new(Cursor::new(workbook)).unwrap();
    let sheet = String::from_utf8(entry(&mut archive, "xl/worksheets/sheet1.xml")).unwrap();
    assert!(sheet.contains("<v>4.25</v>") && sheet.contains("<t>=Gants</t>"), "{sheet}");
    let mut filtered = french;
    filtered.filters = Some(Filters { from: Some(Day::parse("2027-01-11").unwrap()), ..Filters::default() });
    let mut tx = world.begin().await;
    let Err(Error::Invalid(Invalid(problems))) = exports::request(&mut tx, &filtered).await else {
        panic!("the stock takes no filter");
    };
    assert_eq!((problems[0].field.as_str(), problems[0].code), ("filters.from", "not_for_kind"));
}

/// Two items: one in a lot and in none, of what people write; one of which there is nothing.
async fn stocked(world: &World) -> (ItemId, ItemId) {
    let label = |text: &str| Label::parse(text).unwrap();
    let item = |name, unit| NewItem {
        name: label(name),
        reference: None,
        unit: UnitName::parse(unit).unwrap(),
        supplier: None,
        location: None,
        price_cents: None,
        threshold: 0.try_into().unwrap(),
        margin: 0.try_into().unwrap(),
    };
    let came = |quantity: i64, lot: Option<&str>| NewMovement {
        kind: MovementKind::Receipt,
        quantity: Some(quantity.try_into().unwrap()),
        counted: None,
        lot: lot.map(label),
        expires_on: lot.map(|_| Day::parse("2027-03-31").unwrap()),
        reason: None,
        appointment_id: None,
    };
    let mut tx = world.begin().await;
    let gloves = NewItem {
        reference: Some(label("REF-1")),
        supplier: Some(label("@Fournisseur")),
        price_cents: Some(1250.try_into().unwrap()),
        threshold: 10_000.try_into().unwrap(),
        margin: 500.try_into().unwrap(),
        ..item("=Gants", "boîte")
    };
    let gloves = inventory::add_item(&mut tx, &gloves).await.unwrap().item.id;
    let empty = inventory::add_item(&mut tx, &item("Aiguilles", "unité")).await.unwrap().item.id;
    inventory::move_stock(&mut tx, gloves, &came(4250, Some("L1"))).await.unwrap();
    inventory::move_stock(&mut tx, gloves, &came(3000, None)).await.unwrap();
    tx.commit().await.unwrap();
    (gloves, empty)
}

#[tokio::test]
async fn appointments_are_written_within_their_filters() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    let first = world.book("2027-01-15T00:15:00").await;
    let second = world.book("2027-01-16T23:30:00").await;
    world.book("2027-01-17T00:00:00").await;
    let mut tx = world.begin().await;
    scheduling::cancel(&mut tx, second).await.unwrap();
    tx.commit().await.unwrap();
    let day = |text| Some(Day::parse(text).unwrap());
    let days = Filters { from: day("2027-01-15"), to: day("2027-01-16"), ..Filters::default() };
    let (patient, practitioner) = (world.patient, world.practitioner);

    let (_, file) = fetched(&world, &within(ExportKind::Appointments, days.clone())).await;
    let head = "id,starts_local,time_zone,starts_at,ends_at,minutes,status,patient_id,patient_last_name,\
                patient_first_name,practitioner_id,practitioner_last_name,practitioner_first_name,room,created_at,\
                cancelled_at\r\n";
    let kept = format!(
        "{first},2027-01-15T00:15:00,Europe/Paris,2027-01-14T23:15:00Z,2027-01-14T23:45:00Z,30,scheduled,{patient},\
         Garcia,Hélène,{practitioner},Roy,Camille,,2027-01-11T08:00:00Z,\r\n"
    );
    let cancelled = format!(
        "{second},2027-01-16T23:30:00,Europe/Paris,2027-01-16T22:30:00Z,2027-01-16T23:00:00Z,30,cancelled,{patient},\
         Garcia,Hélène,{practitioner},Roy,Camille,,2027-01-11T08:00:00Z,2027-01-11T08:00:00Z\r\n"
    );
    assert_eq!(String::from_utf8(file).unwrap(), format!("{head}{kept}{cancelled}"));

    let status = Some(AppointmentStatus::Cancelled);
    let filters = Filters { status, practitioner_id: Some(practitioner), ..days };
    let (_, file) = fetched(&world, &within(ExportKind::Appointments, filters.clone())).await;
    assert_eq!(String::from_utf8(file).unwrap(), format!("{head}{cancelled}"));
    let mut french = within(ExportKind::Appointments, filters);
    french.profile = Some(Profile::French);
    let (_, file) = fetched(&world, &french).await;
    let row = format!(
        "{second};16/01/2027 23:30:00;Europe/Paris;16/01/2027 23:30:00;17/01/2027 00:00:00;30;annulé;{patient};\
         Garcia;Hélène;{practitioner};Roy;Camille;;11/01/2027 09:00:00;11/01/2027 09:00:00\r\n"
    );
    assert!(String::from_utf8(file).unwrap().ends_with(&row));
}
