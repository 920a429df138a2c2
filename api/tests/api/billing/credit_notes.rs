//! Credit notes over HTTP.

use chrono_tz::Tz;
use serde_json::{Value, json};

use super::{INVOICES, codes, lines};
use crate::support::TestApi;

#[tokio::test]
async fn credit_notes_take_back_lines_amounts_and_the_rest() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    practice.sells().await;
    let invoice = practice.issued(json!({ "buyer": { "name": "Zoé" }, "lines": lines() })).await;
    let path = format!("{INVOICES}/{}", invoice["id"].as_str().unwrap());
    let credit = format!("{path}/credit-note");
    let refused = async |body: Value| practice.assistant.post(&credit, body).await;
    let both = json!({ "reason": "x", "amount": 1, "lines": [{ "line": 1 }] });
    assert_eq!(codes(&refused(both).await.body), ["amount one_of"]);
    let unknown = json!({ "reason": "x", "lines": [{ "line": 3 }, { "line": 1 }, { "line": 1 }] });
    assert_eq!(codes(&refused(unknown).await.body), ["lines[0].line unknown_line", "lines[2].line repeated"]);
    refused(json!({ "reason": "x", "amount": 9001 })).await.refused(409, "above_what_is_left");
    refused(json!({ "reason": "x", "insurer_share": 1 })).await.refused(409, "above_share");

    let note = practice
        .assistant
        .post_keyed(&credit, "k", json!({ "reason": "Retour", "lines": [{ "line": 2 }] }))
        .await;
    let note = note.expect(201).body;
    assert_eq!(
        (&note["kind"], &note["number"], &note["totals"]["gross"], &note["credits"]),
        (&json!("credit_note"), &json!("A2027-000001"), &json!(3600), &invoice["id"])
    );
    let again = json!({ "reason": "x", "lines": [{ "line": 2 }] });
    assert_eq!(codes(&refused(again).await.body), ["lines[0].quantity above_what_is_left"]);
    practice.assistant.post(&credit, json!({ "reason": "Geste", "amount": 1000 })).await.expect(201);
    let left = practice.assistant.get(&path).await.body;
    assert_eq!((&left["status"], &left["balance"]["left"]), (&json!("issued"), &json!(5000)));
    let rest = practice.assistant.post(&credit, json!({ "reason": "Solde" })).await.expect(201).body;
    assert_eq!(rest["totals"]["gross"], 5000);
    assert_eq!(practice.assistant.get(&path).await.body["status"], "cancelled");
    refused(json!({ "reason": "x" })).await.refused(409, "nothing_left");
    let of_note = format!("{INVOICES}/{}/credit-note", rest["id"].as_str().unwrap());
    practice.assistant.post(&of_note, json!({ "reason": "x" })).await.refused(404, "not_found");
}
