//! Companies and their employees.

use chrono_tz::Tz;
use permanence_domain::{db::Actor, identity::Role};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Client, PASSWORD, TestApi};

/// A company that the platform has validated, and who runs it.
pub(crate) struct Company<'a> {
    pub(crate) id: String,
    pub(crate) platform: Client<'a>,
    pub(crate) hr: Client<'a>,
}

fn tenant(id: &str) -> permanence_domain::ids::TenantId {
    id.parse().unwrap()
}

pub(crate) fn techcorp() -> Value {
    json!({ "name": "TechCorp France", "legal_name": "TechCorp France SAS", "siret": "732 829 320 00074",
            "email_domains": ["techcorp.example"], "sector": "Logiciel", "size": 120 })
}

pub(crate) async fn company<'a>(api: &'a TestApi, name: &str) -> Company<'a> {
    let email = format!("{}@permanence.example", Uuid::new_v4());
    let platform = api.member(api.platform().await, &email, Role::PlatformAdmin).await;
    let mut body = techcorp();
    body["name"] = json!(name);
    body["email_domains"] = json!([]);
    let id = platform.post("/api/v1/companies", body).await.expect(201).id();
    platform.put(&format!("/api/v1/companies/{id}/validate"), 1, json!({})).await.expect(200);
    let hr = api.member(tenant(&id), &format!("rh-{id}@example.fr"), Role::HrAdmin).await;
    Company { id, platform, hr }
}

impl<'a> Company<'a> {
    /// An employee who has accepted the invitation and signs in.
    pub(crate) async fn employee(&self, api: &'a TestApi, first: &str, department: &str) -> Client<'a> {
        let email = format!("{}@{}.example", first.to_lowercase(), &self.id[24..]);
        let body =
            json!({ "email": email, "first_name": first, "last_name": "Dupont", "department": department });
        let id = self.hr.post("/api/v1/employees", body).await.expect(201).id();
        self.accepted(api, &[id]).await;
        api.signed_in(&email, tenant(&self.id)).await
    }

    /// These employees have answered their invitations.
    pub(crate) async fn accepted(&self, api: &TestApi, ids: &[String]) {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.parse().unwrap()).collect();
        let mut tx = api.db.system(Actor::JOB).await.unwrap();
        sqlx::query("UPDATE memberships SET accepted_at = now() WHERE tenant_id = $1 AND user_id = ANY($2)")
            .bind(tenant(&self.id).0)
            .bind(&ids)
            .execute(tx.conn())
            .await
            .unwrap();
        sqlx::query("UPDATE users SET password_hash = $2 WHERE id = ANY($1)")
            .bind(&ids)
            .bind(TestApi::hash().await)
            .execute(tx.conn())
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_company_is_founded_inactive_and_validated_once() {
    let api = TestApi::start().await;
    let platform = api.operator_as(Role::PlatformAdmin).await;
    let mut body = techcorp();
    body["hr_admin"] = json!({ "email": "rh@techcorp.example", "full_name": "Anne Morel" });
    let key = Uuid::new_v4().to_string();
    let founded = platform.post_keyed("/api/v1/companies", &key, body.clone()).await.expect(201);
    let again = platform.post_keyed("/api/v1/companies", &key, body).await.expect(201);
    assert_eq!((founded.id(), again.header("idempotency-replayed")), (again.id(), "true"));
    assert_eq!(
        (&founded.body["slug"], &founded.body["is_active"]),
        (&json!("techcorp-france"), &json!(false))
    );
    assert_eq!(founded.body["siret"], "73282932000074");
    let second = platform.post("/api/v1/companies", techcorp()).await.expect(201);
    assert_eq!(second.body["slug"], "techcorp-france-2");

    let id = founded.id();
    let hr = api.member(tenant(&id), "rh2@techcorp.example", Role::HrAdmin).await;
    let marc = json!({ "email": "marc@techcorp.example", "first_name": "Marc", "last_name": "Dupont" });
    hr.post("/api/v1/employees", marc.clone()).await.refused(409, "company_inactive");
    let path = format!("/api/v1/companies/{id}/validate");
    hr.put(&path, 1, json!({})).await.refused(403, "forbidden");
    platform.put(&path, 7, json!({})).await.refused(409, "version_conflict");
    let validated = platform.put(&path, 1, json!({})).await.expect(200);
    assert_eq!(validated.body["validated_by"], json!(platform.user));
    let twice = platform.put(&path, 2, json!({})).await.expect(200);
    assert_eq!(twice.body["validated_at"], validated.body["validated_at"]);
    hr.post("/api/v1/employees", marc).await.expect(201);
    let members = hr.get("/api/v1/users").await.expect(200);
    assert!(members.body["items"].to_string().contains("rh@techcorp.example"), "who will run it is invited");
}

#[tokio::test]
async fn each_company_is_its_own_hrs_and_every_one_the_platforms() {
    let api = TestApi::start().await;
    let (own, other) = (company(&api, "Alpha").await, company(&api, "Beta").await);
    let path = format!("/api/v1/companies/{}", own.id);
    assert_eq!(own.hr.get("/api/v1/companies/me").await.expect(200).id(), own.id);
    assert_eq!(own.platform.get(&path).await.expect(200).id(), own.id);
    assert_eq!(own.platform.get("/api/v1/companies").await.expect(200).body["total"], 2);
    own.hr.get("/api/v1/companies").await.refused(403, "forbidden");
    other.hr.get(&path).await.refused(404, "not_found");
    let mut body = techcorp();
    body["name"] = json!("Alpha Bis");
    other.hr.put(&path, 2, body.clone()).await.refused(404, "not_found");
    let changed = own.hr.put(&path, 2, body.clone()).await.expect(200);
    assert_eq!((&changed.body["name"], &changed.body["slug"]), (&json!("Alpha Bis"), &json!("alpha")));
    own.hr.put(&path, 2, body.clone()).await.refused(409, "version_conflict");
    body["siret"] = json!("73282932000075");
    body["email_domains"] = json!(["pas un domaine"]);
    let wrong = own.hr.put(&path, 3, body).await;
    wrong.refused(422, "invalid_input");
    let codes: Vec<_> = wrong.body["errors"].as_array().unwrap().iter().map(|e| e["code"].clone()).collect();
    assert_eq!(codes, ["not_a_siret", "not_a_domain"]);
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    for who in [&practice.admin, &practice.assistant] {
        for path in [path.as_str(), "/api/v1/companies/me", "/api/v1/employees", "/api/v1/employees/me"] {
            who.get(path).await.refused(403, "forbidden");
        }
    }
}

#[tokio::test]
async fn an_employee_is_invited_at_an_allowed_address_sees_themselves_and_is_suspended() {
    let api = TestApi::start().await;
    let own = company(&api, "Alpha").await;
    let mut body = techcorp();
    body["email_domains"] = json!(["alpha.example"]);
    own.hr.put(&format!("/api/v1/companies/{}", own.id), 2, body).await.expect(200);
    let marc = |email: &str| json!({ "email": email, "first_name": "Marc", "last_name": "Dupont", "department": "Ventes" });
    let wrong = own.hr.post("/api/v1/employees", marc("marc@elsewhere.example")).await;
    wrong.refused(422, "invalid_input");
    assert_eq!(wrong.body["errors"][0]["code"], "domain_not_allowed");
    let id = own.hr.post("/api/v1/employees", marc("marc@alpha.example")).await.expect(201).id();
    own.hr.post("/api/v1/employees", marc("marc@alpha.example")).await.refused(409, "already_member");
    let by_role = json!({ "email": "x@alpha.example", "full_name": "X", "role": "employee" });
    own.hr.post("/api/v1/users", by_role).await.refused(422, "invalid_input");
    let mut tx = api.db.tenant(tenant(&own.id), Actor::JOB).await.unwrap();
    let days: f64 = sqlx::query_scalar(
        "SELECT extract(epoch FROM expires_at - created_at)::float8 / 86400 FROM invitations WHERE user_id = $1",
    )
    .bind(id.parse::<Uuid>().unwrap())
    .fetch_one(tx.conn())
    .await
    .unwrap();
    tx.rollback().await.unwrap();
    assert!((days - 7.0).abs() < 1e-6, "{days}");

    own.accepted(&api, std::slice::from_ref(&id)).await;
    let marc = api.signed_in("marc@alpha.example", tenant(&own.id)).await;
    assert_eq!(marc.get("/api/v1/employees/me").await.expect(200).body["department"], "Ventes");
    marc.get(&format!("/api/v1/employees/{id}")).await.expect(200);
    marc.get(&format!("/api/v1/employees/{}", own.hr.user)).await.refused(404, "not_found");
    marc.get("/api/v1/employees").await.refused(403, "forbidden");
    let named = marc
        .put("/api/v1/employees/me", 1, json!({ "first_name": "Marco", "last_name": "Dupont" }))
        .await
        .expect(200);
    assert_eq!((&named.body["first_name"], &named.body["department"]), (&json!("Marco"), &json!("Ventes")));

    let list = own.hr.get("/api/v1/employees?search=dupont&department=Ventes&active=true").await.expect(200);
    assert_eq!((&list.body["total"], &list.body["items"][0]["consultations"]), (&json!(1), &json!(0)));
    own.hr.put(&format!("/api/v1/employees/{id}/deactivate"), 2, json!({})).await.expect(200);
    marc.get("/api/v1/employees/me").await.refused(401, "session_over");
    api.login("marc@alpha.example", PASSWORD, json!({})).await.refused(401, "no_membership");
    own.hr.put(&format!("/api/v1/employees/{id}/activate"), 3, json!({})).await.expect(200);
    api.signed_in("marc@alpha.example", tenant(&own.id)).await;
    let other = company(&api, "Beta").await;
    other.hr.get(&format!("/api/v1/employees/{id}")).await.refused(404, "not_found");
    other.hr.put(&format!("/api/v1/employees/{id}/deactivate"), 4, json!({})).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_file_brings_in_the_employees_of_its_sound_lines_once() {
    let api = TestApi::start().await;
    let own = company(&api, "Alpha").await;
    let file = "email;firstName;lastName;department;position\r\n\
                marc@alpha.example;Marc;Dupont;Développement;\r\n\
                pas une adresse;Claire;;Marketing;\r\n\
                hélène@alpha.example;Hélène;Roy;;\r\n\
                zoe@alpha.example;Zoé;Noël;Marketing;Chargée d'études\r\n";
    // As a spreadsheet in France writes it: Windows-1252, whose letters here have the numbers of Unicode.
    let latin: Vec<u8> = file.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect();
    let path = "/api/v1/employees/import";
    let first = own.hr.upload(path, "once", "text/csv", latin.clone()).await.expect(200);
    let counted = |answer: &crate::support::Answer| {
        ["lines", "imported", "failed"].map(|field| answer.body[field].as_u64().unwrap())
    };
    assert_eq!(counted(&first)[0], 4);
    assert_eq!(first.body["faults"][0]["line"], 3, "{:#}", first.body);
    let codes: Vec<_> =
        first.body["faults"][0]["errors"].as_array().unwrap().iter().map(|e| e["field"].clone()).collect();
    assert_eq!(codes, ["email", "lastName"]);
    let again = own.hr.upload(path, "once", "text/csv", latin.clone()).await.expect(200);
    assert_eq!(again.body, first.body);
    let anew = own.hr.upload(path, "anew", "text/csv", latin.clone()).await.expect(200);
    assert_eq!(
        (counted(&anew)[1], &anew.body["faults"][0]["errors"][0]["code"]),
        (0, &json!("already_member"))
    );
    let zoe = own.hr.get("/api/v1/employees?search=noel").await.expect(200);
    assert_eq!(zoe.body["items"][0]["position"], "Chargée d'études");
    own.hr.upload(path, "json", "application/json", b"{}".to_vec()).await.refused(415, "not_csv");
    own.hr.upload(path, "wrong", "text/csv", b"a,b\n".to_vec()).await.refused(422, "invalid_input");
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    practice.admin.upload(path, "k", "text/csv", b"a".to_vec()).await.refused(403, "forbidden");
    let bare = own.hr.send(Method::POST, "/api/v1/employees", &[], Some(json!({}))).await;
    bare.refused(400, "idempotency_key_missing");
}
