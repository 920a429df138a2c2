//! Reports upon consultations: the files to the letter, periods, what each side never learns, and months that are frozen.

use std::fmt::Write;

use permanence_domain::{
    db::Actor,
    figures::{Start, View, begin, jobs::RefreshView},
    ids::TenantId,
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    companies::{Company, company},
    consultations::{Conducting, conducting},
    support::{Client, TestApi, at},
};

async fn refresh(api: &TestApi) {
    for view in View::ALL {
        let start = begin(&api.db, RefreshView { view: *view, after: i64::MAX }).await.unwrap();
        let Start::Refresh(refresh) = start else { panic!("nobody else refreshes") };
        refresh.run(&api.db).await.unwrap();
    }
}

/// Employees of a department, who have accepted.
async fn staff(
    api: &TestApi,
    own: &Company<'_>,
    department: &str,
    people: std::ops::Range<usize>,
) -> Vec<String> {
    let mut file = "email,firstName,lastName,department,position\n".to_owned();
    for number in people {
        writeln!(
            file,
            "p{number}-{}@alpha.example,Prénom{number},Nom{number:02},{department},",
            department.len()
        )
        .unwrap();
    }
    let key = Uuid::new_v4().to_string();
    let answer =
        own.hr.upload("/api/v1/employees/import", &key, "text/csv", file.into_bytes()).await.expect(200);
    assert_eq!(answer.body["failed"], 0, "{:#}", answer.body);
    let ids: Vec<String> = serde_json::from_value(answer.body["employees"].clone()).unwrap();
    own.accepted(api, &ids).await;
    ids
}

/// Consultations that took place, each of fifty minutes at a time of its own.
async fn consulted(api: &TestApi, own: &Company<'_>, with: &Conducting<'_>, who: &[String], day: &str) {
    let mut tx = api.db.tenant(with.practice.tenant, Actor::JOB).await.unwrap();
    for (place, user) in who.iter().enumerate() {
        let (id, user): (Uuid, Uuid) = (Uuid::new_v4(), user.parse().unwrap());
        sqlx::query(
            "WITH p AS (INSERT INTO patients (tenant_id, id, first_name, last_name, sms_consent, email_consent, created_at,
                                             updated_at) VALUES ($1, $2, 'Secret', 'Patient', false, false, now(), now())),
                  a AS (INSERT INTO appointments (tenant_id, id, patient_id, practitioner_id, starts_at, ends_at,
                                                  starts_local, time_zone, reason, created_at, updated_at)
                        SELECT $1, $2, $2, $3, s, s + interval '50 minutes', s::timestamp, 'Europe/Paris', 'Secret', s, s
                        FROM (SELECT $4::timestamptz + $5 * interval '1 hour' AS s) AS times)
             INSERT INTO consultations (tenant_id, id, appointment_id, company_id, company_name, employee_id, status,
                                        billing_status, started_at, ended_at, created_at, updated_at)
             SELECT $1, $2, $2, $6, 'Alpha', $7, 'completed', 'validated', s, s + interval '50 minutes', s, s
             FROM (SELECT $4::timestamptz + $5 * interval '1 hour' AS s) AS times",
        )
        .bind(with.practice.tenant.0)
        .bind(id)
        .bind(with.practitioner.parse::<Uuid>().unwrap())
        .bind(at(day))
        .bind(i32::try_from(place).unwrap())
        .bind(own.id.parse::<TenantId>().unwrap().0)
        .bind(user)
        .execute(tx.conn())
        .await
        .unwrap();
    }
    tx.commit().await.unwrap();
}

/// How often something was noted as taken out.
async fn noted(api: &TestApi, tenant: TenantId, resource: &str) -> i64 {
    let mut tx = api.db.tenant(tenant, Actor::JOB).await.unwrap();
    sqlx::query_scalar("SELECT count(*) FROM audit_log WHERE action = 'report.export' AND resource = $1")
        .bind(resource)
        .fetch_one(tx.conn())
        .await
        .unwrap()
}

async fn text(who: &Client<'_>, path: &str) -> String {
    let answer = who.get(path).await.expect(200);
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
    answer.body.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_practitioners_file_is_to_the_letter_and_names_nobody() {
    let api = TestApi::start().await;
    let own = company(&api, "Alpha").await;
    let with = conducting(&api, &own, "Lilas").await;
    let staff = staff(&api, &own, "=1+1", 0..2).await;
    consulted(&api, &own, &with, &staff, "2026-12-31T21:30:00Z").await;
    refresh(&api).await;
    // In Paris the second one ends in January.
    let path = "/api/v1/reports/practitioner-export-csv?period=2026-12";
    assert_eq!(
        text(&with.doctor, path).await,
        "# RAPPORT FACTURATION PRATICIEN\n# Période: 2026-12\n# Praticien: Sophie Martin\n# Généré le: 2027-01-04\n\n\
         Date,Entreprise,Durée (min),Statut\n2026-12-31,Alpha,50,COMPLETED\n\nTOTAL,1 consultations,50 minutes\n"
    );
    assert_eq!(noted(&api, with.practice.tenant, "practitioner_billing").await, 1);
    let stats = with.doctor.get("/api/v1/reports/practitioner-stats?period=2027-01").await.expect(200);
    assert_eq!((&stats.body["consultations"], &stats.body["average_minutes"]), (&json!(1), &json!(50.0)));
    assert_eq!(stats.body["companies"][0]["company"], "Alpha");
    assert_eq!(stats.body["as_of"], "2027-01-04T08:00:00Z");
    let billing = with.doctor.get("/api/v1/reports/practitioner-billing?period=2026-12").await.expect(200);
    assert_eq!(
        billing.body["consultations"],
        json!([
        { "date": "2026-12-31", "company": "Alpha", "minutes": 50, "status": "COMPLETED" }])
    );
    for secret in ["Secret", "Prénom", "Nom0", "=1+1"] {
        assert!(!billing.body.to_string().contains(secret) && !stats.body.to_string().contains(secret));
    }
    for (query, code) in
        [("?period=2026-13", "not_a_period"), ("", "missing"), ("?period=2027-02", "in_the_future")]
    {
        let wrong = with.doctor.get(&format!("/api/v1/reports/practitioner-stats{query}")).await;
        wrong.refused(422, "invalid_input");
        assert_eq!(wrong.body["errors"][0]["code"], code);
    }
    with.practice.admin.get(path).await.refused(403, "forbidden");
    own.hr.get(path).await.refused(403, "forbidden");
}

#[tokio::test]
async fn an_employers_files_tell_counts_and_never_with_whom() {
    let api = TestApi::start().await;
    let own = company(&api, "Alpha").await;
    let with = conducting(&api, &own, "Lilas").await;
    let usage = "/api/v1/reports/employee-usage?period=2026-12";
    own.hr.get(usage).await.refused(503, "unavailable");
    let formulas = staff(&api, &own, "=1+1", 0..2).await;
    consulted(&api, &own, &with, &formulas[..1], "2026-12-10T08:00:00Z").await;
    // What this month holds would tell the day, by asking again after each refresh.
    consulted(&api, &own, &with, &formulas, "2027-01-03T08:00:00Z").await;
    refresh(&api).await;
    let named = "/api/v1/reports/export-employee-usage?period=2026-12&report=named";
    assert_eq!(
        text(&own.hr, named).await,
        "# RAPPORT UTILISATION EMPLOYÉS - COMPTEURS NOMINATIFS\n\
         # Conformité RGPD : Compteurs uniquement, sans praticien, spécialité, date ni contenu\n\
         # Période: 2026-12\n# Entreprise: Alpha\n# Généré le: 2027-01-04\n\n\
         Employé,Département,Consultations,Durée (min)\nPrénom0 Nom00,'=1+1,1,50\nPrénom1 Nom01,'=1+1,0,0\n"
    );
    assert_eq!(noted(&api, own.id.parse().unwrap(), "employee_usage_named").await, 1);
    let list = own.hr.get(usage).await.expect(200);
    let months = own.hr.get(&format!("/api/v1/reports/employee-usage/{}", formulas[0])).await.expect(200);
    assert_eq!(months.body["months"], json!([{ "period": "2026-12", "consultations": 1, "minutes": 50 }]));
    assert_eq!(own.hr.get("/api/v1/employees").await.expect(200).body["items"][0]["minutes"], 50);
    let all = own.hr.get("/api/v1/reports/employee-usage").await.expect(200);
    assert_eq!((&all.body["items"][0]["minutes"], &all.body["items"][1]["minutes"]), (&json!(50), &json!(0)));
    let this = own.hr.get("/api/v1/reports/employee-usage?period=2027-01").await;
    this.refused(409, "period_not_closed");
    for secret in ["Secret", "Sophie", "Martin", "Lilas", "2026-12-10", &with.practitioner] {
        assert!(
            !list.body.to_string().contains(secret) && !months.body.to_string().contains(secret),
            "{secret}"
        );
    }
    let other = company(&api, "Beta").await;
    let path = format!("/api/v1/reports/employee-usage/{}", formulas[0]);
    other.hr.get(&path).await.refused(404, "not_found");
    assert_eq!(other.hr.get(usage).await.expect(200).body["items"], json!([]));
    with.doctor.get(usage).await.refused(403, "forbidden");
}

#[tokio::test]
async fn departments_are_told_of_from_ten_people_on_and_a_month_stays_as_published() {
    let api = TestApi::start().await;
    let own = company(&api, "Alpha").await;
    let with = conducting(&api, &own, "Lilas").await;
    let sales = staff(&api, &own, "Ventes", 0..12).await;
    let small = staff(&api, &own, "Marketing", 0..9).await;
    consulted(&api, &own, &with, &sales, "2026-12-01T08:00:00Z").await;
    consulted(&api, &own, &with, &small, "2026-12-03T08:00:00Z").await;
    refresh(&api).await;
    let path = "/api/v1/reports/department-usage?period=2026-12";
    let first = own.hr.get(path).await.expect(200);
    let group = json!([{ "department": "Ventes", "employees": 12, "consultations": 12, "minutes": 600 }]);
    assert_eq!(first.body["groups"], group);
    own.hr.get("/api/v1/reports/department-usage?period=2027-01").await.refused(409, "period_not_closed");
    let file = text(&own.hr, "/api/v1/reports/export-employee-usage?period=2026-12").await;
    assert_eq!(
        file,
        "# RAPPORT UTILISATION EMPLOYÉS - ANONYMISÉ\n\
         # Conformité RGPD : Données agrégées uniquement, seuil min. 10 employés\n\
         # Période: 2026-12\n# Entreprise: Alpha\n# Généré le: 2027-01-04\n\n\
         Employé,Département,Consultations,Durée (min)\n12 employés,Ventes,12,600\n"
    );
    assert_eq!(noted(&api, own.id.parse().unwrap(), "department_usage").await, 1);

    // One who joins and consults at once changes neither the month that was published nor, alone, another.
    let newcomer = staff(&api, &own, "Ventes", 12..13).await;
    consulted(&api, &own, &with, &newcomer, "2026-12-20T08:00:00Z").await;
    let both: Vec<String> = sales.iter().chain(&newcomer).cloned().collect();
    consulted(&api, &own, &with, &both, "2026-11-03T08:00:00Z").await;
    refresh(&api).await;
    assert_eq!(own.hr.get(path).await.expect(200).body, first.body);
    let november = own.hr.get("/api/v1/reports/department-usage?period=2026-11").await.expect(200);
    assert_eq!(november.body["groups"], group, "the newcomer is in no sum");
    let other = company(&api, "Beta").await;
    assert_eq!(other.hr.get(path).await.expect(200).body["groups"], json!([]));
}
