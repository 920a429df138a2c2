//! For operators: health, documentation.

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
