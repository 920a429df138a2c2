//! For operators: health, documentation.

use chrono_tz::Tz;
use permanence_domain::{clock::Clock, identity::Role};
use permanence_embedded::storage::StorageFault;

use crate::support::TestApi;

#[tokio::test]
async fn ready_tells_each_dependency() {
    let api = TestApi::start().await;
    api.get("/health/live").await.expect(204);
    let ready = api.get("/health/ready").await.expect(200);
    assert_eq!(ready.body["dependencies"], serde_json::json!({ "database": "up", "object_store": "up" }));
    // The login may no longer take its role: the service can do nothing, and says so.
    let owner = sqlx::PgPool::connect_with(api.database.owner_options()).await.unwrap();
    sqlx::query("ALTER SCHEMA public RENAME TO gone").execute(&owner).await.unwrap();
    let name = api.database.name();
    let block = format!("ALTER DATABASE \"{name}\" CONNECTION LIMIT 0");
    sqlx::raw_sql(sqlx::AssertSqlSafe(block)).execute(&owner).await.unwrap();
    sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'permanence_login' AND datname = $1")
        .bind(name)
        .execute(&owner)
        .await
        .unwrap();
    let down = api.get("/health/ready").await.expect(503);
    assert_eq!(down.body["dependencies"], serde_json::json!({ "database": "down", "object_store": "up" }));
    api.get("/health").await.expect(200);
    api.get("/health/live").await.expect(204);
}

#[tokio::test]
async fn the_documentation_needs_no_other_server() {
    let api = TestApi::start().await;
    let page = api.get("/docs/").await.expect(200);
    assert!(page.body.as_str().unwrap().contains("swagger-ui"));
    assert!(!page.body.as_str().unwrap().contains("https://"), "an outside address");
    let document = api.get("/openapi.json").await.expect(200).body;
    let paths = document["paths"].as_object().unwrap();
    for path in ["/api/v1/auth/login", "/api/v1/appointments/{id}/messages", "/api/v1/patients/{id}"] {
        assert!(paths.contains_key(path), "{path}");
    }
}

#[tokio::test]
async fn operators_see_how_the_whole_platform_stands_and_nobody_else_does() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    practice.admin.get("/api/v1/super-admin/health").await.refused(403, "forbidden");
    for role in [Role::SuperAdmin, Role::PlatformAdmin] {
        let health = api.operator_as(role).await.get("/api/v1/super-admin/health").await.expect(200).body;
        let check = |name: &str| (health[name]["state"].as_str().unwrap(), health[name]["reason"].as_str());
        assert_eq!((check("database"), check("object_store")), (("ok", None), ("ok", None)), "{health}");
        assert!(health["database"]["figures"]["connections"].as_i64() > Some(0), "{health}");
        assert_eq!(check("audit_trail"), ("ok", None), "{health}");
        // No worker runs here, and nothing was ever backed up: the whole is as bad as its worst.
        assert_eq!(
            (check("queues"), check("backup")),
            (("degraded", Some("no_workers")), ("degraded", Some("no_backup")))
        );
        assert!(
            health["queues"]["figures"].as_array().unwrap().iter().any(|queue| queue["name"] == "backups")
        );
        assert_eq!(health["state"], "degraded", "{health}");
        for name in ["disk", "cpu", "memory"] {
            assert!(
                health[name]["figures"].is_object() || health[name]["figures"].is_array(),
                "{name}: {health}"
            );
            assert!(health[name]["took_ms"].as_u64() < Some(2_000), "{name}: {health}");
        }
        assert!(!health.to_string().contains("lilas.example"), "something of somebody: {health}");
    }
}

#[tokio::test]
async fn a_backup_is_old_after_a_day_and_two_hours() {
    let api = TestApi::start().await;
    let operator = api.operator_as(Role::SuperAdmin).await;
    let owner = sqlx::PgPool::connect_with(api.database.owner_options()).await.unwrap();
    let written = "INSERT INTO backups (id, status, started_at, ended_at, size_bytes, sha256, key_id)
                   VALUES (gen_random_uuid(), 'completed', $1, $1, 7, decode(repeat('00', 32), 'hex'), 'k')";
    let now = api.clock.now();
    for (hours, reason) in [(27_i32, serde_json::json!("backup_old")), (25, serde_json::Value::Null)] {
        sqlx::query(written).bind(now - chrono::Duration::hours(hours.into())).execute(&owner).await.unwrap();
        let health = operator.get("/api/v1/super-admin/health").await.expect(200).body;
        assert_eq!(health["backup"]["reason"], reason, "{health}");
        let age = health["backup"]["figures"]["age_seconds"].as_f64().unwrap();
        assert!((age - f64::from(hours) * 3_600.0).abs() < 60.0, "{age}");
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_down_and_the_rest_is_told() {
    let api = TestApi::start().await;
    let operator = api.operator_as(Role::SuperAdmin).await;
    api.storage_faults().always(StorageFault::Away);
    let health = operator.get("/api/v1/super-admin/health").await.expect(200).body;
    assert_eq!(
        (&health["state"], &health["object_store"]["state"]),
        (&"down".into(), &"down".into()),
        "{health}"
    );
    assert_eq!(health["database"]["state"], "ok", "{health}");
}
