//! Whatever is done to a trail by somebody who owns the database is found, and its place is named.

use permanence_domain::audit::{
    Line,
    verify::{Fault, Report},
};
use uuid::Uuid;

use super::Recorded;

/// Three seals of a chain: entries 2 to 4; 5, 6 and 8; 9 and 10. Entry 1 is the founding of the tenant, of another class.
async fn three_seals() -> Recorded {
    let mut at = Recorded::at("2027-01-04T08:00:00Z").await;
    at.act("patient.update", 3).await;
    at.seal().await;
    at.anchor().await;
    at.act("patient.update", 2).await;
    at.leave_a_gap().await;
    at.act("patient.update", 1).await;
    at.seal().await;
    at.anchor().await;
    at.act("patient.update", 2).await;
    at.seal().await;
    at.anchor().await;
    at
}

/// What is wrong, and where: seal, entry, anchor.
type Place = (Fault, Option<i64>, Option<i64>, Option<i64>);

fn places(report: &Report) -> Vec<Place> {
    report.findings.iter().map(|found| (found.fault, found.seal, found.entry, found.anchor)).collect()
}

async fn found(statements: &str) -> Vec<Place> {
    let at = three_seals().await;
    at.tamper(statements).await;
    let report = at.verify().await;
    for finding in &report.findings {
        let tenant = finding.tenant_id;
        assert!(tenant.is_none_or(|tenant| tenant == at.tenant.0 || tenant.is_nil()), "{finding:?}");
        assert!(!finding.words.is_empty());
    }
    places(&report)
}

#[tokio::test]
async fn an_untouched_trail_is_sound() {
    let report = three_seals().await.verify().await;
    assert!(report.is_sound(), "{report:#?}");
    assert_eq!((report.entries, report.seals, report.anchors), (9, 4, Some(3)));
}

#[tokio::test]
async fn a_changed_entry() {
    for change in [
        "actor_id = gen_random_uuid()",
        "at = at + interval '1 microsecond'",
        "action = 'patient.read'",
        "resource_id = NULL",
    ] {
        let done = found(&format!("UPDATE audit_log SET {change} WHERE id = 3")).await;
        assert_eq!(done, [(Fault::EntryChanged, Some(1), Some(3), None)], "{change}");
    }
}

#[tokio::test]
async fn a_missing_entry() {
    for id in [5, 6, 8] {
        let done = found(&format!("DELETE FROM audit_log WHERE id = {id}")).await;
        assert_eq!(done, [(Fault::EntryMissing, Some(2), Some(id), None)]);
    }
}

#[tokio::test]
async fn an_inserted_entry() {
    let copy = |id: i64| {
        format!(
            "INSERT INTO audit_log (id, tenant_id, at, class, action, resource)
             SELECT {id}, tenant_id, at, class, action, resource FROM audit_log WHERE id = 6"
        )
    };
    assert_eq!(found(&copy(7)).await, [(Fault::EntryInserted, Some(2), Some(7), None)]);
    // In the trail of the platform, which has no seal at all.
    let elsewhere = format!("{}; UPDATE audit_log SET tenant_id = NULL WHERE id = 7", copy(7));
    assert_eq!(found(&elsewhere).await, [(Fault::EntryInserted, None, Some(7), None)]);
}

#[tokio::test]
async fn an_entry_moved_to_another_chain() {
    let done = found("UPDATE audit_log SET class = 'business' WHERE id = 3").await;
    assert_eq!(
        done,
        [(Fault::EntryInserted, None, Some(3), None), (Fault::EntryMissing, Some(1), Some(3), None)]
            .iter()
            .copied()
            .rev()
            .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_changed_seal() {
    let done = found("UPDATE audit_seals SET until_at = until_at + interval '1 day' WHERE number = 2").await;
    assert_eq!(done, [(Fault::SealChanged, Some(2), None, None)]);
    // Made anew, so that it is right by itself: the next one does not follow it, and the anchor holds another.
    let done = found("UPDATE audit_seals SET hash = sha256(hash) WHERE number = 2").await;
    assert!(done.contains(&(Fault::SealChanged, Some(2), None, None)), "{done:?}");
    assert!(done.contains(&(Fault::SealChanged, Some(3), None, None)), "{done:?}");
    assert!(done.contains(&(Fault::AnchorDisagrees, Some(2), None, Some(2))), "{done:?}");
}

#[tokio::test]
async fn a_missing_seal() {
    let done = found("DELETE FROM audit_seals WHERE number = 2").await;
    assert_eq!(done, [(Fault::SealMissing, Some(2), None, None)]);
}

#[tokio::test]
async fn a_removed_tail() {
    let tail = "DELETE FROM audit_seals WHERE number = 3; DELETE FROM audit_log WHERE id > 8;";
    let done = found(tail).await;
    assert!(done.contains(&(Fault::TailRemoved, Some(3), None, None)), "{done:?}");
    assert!(done.contains(&(Fault::TailRemoved, Some(3), None, Some(3))), "{done:?}");

    // With every trace of it removed from the database the anchor alone remembers.
    let at = three_seals().await;
    at.tamper(&format!(
        "{tail} UPDATE audit_chains AS c SET number = 2, anchored = 2, last_id = s.last_id, hash = s.hash
         FROM audit_seals AS s WHERE c.class = 'record' AND s.class = 'record' AND s.number = 2;
         UPDATE audit_sealing SET sealed_to = 8; DELETE FROM audit_anchors WHERE number = 3"
    ))
    .await;
    assert!(at.verify_without_anchors().await.is_sound(), "what the anchors are for");
    assert_eq!(places(&at.verify().await), [(Fault::TailRemoved, Some(3), None, Some(3))]);
}

#[tokio::test]
async fn a_trail_that_was_removed_whole() {
    let done = found(
        "DELETE FROM audit_log; DELETE FROM audit_seals; DELETE FROM audit_chains; DELETE FROM audit_anchors",
    )
    .await;
    let class_lost = |seal, anchor| (Fault::TailRemoved, Some(seal), None, Some(anchor));
    assert_eq!(done, [class_lost(3, 3), class_lost(1, 1)]);
}

#[tokio::test]
async fn a_chain_that_was_rewritten_whole() {
    let mut at = three_seals().await;
    at.tamper(
        "UPDATE audit_log SET actor_id = gen_random_uuid() WHERE id = 3;
         DELETE FROM audit_seals; DELETE FROM audit_chains; UPDATE audit_sealing SET sealed_to = 0",
    )
    .await;
    at.seal().await;
    assert!(at.verify_without_anchors().await.is_sound(), "the database alone is of one piece again");
    let done = places(&at.verify().await);
    assert!(done.contains(&(Fault::AnchorDisagrees, Some(1), None, Some(1))), "{done:?}");
    // Anchoring goes on from there, as the platform would: the first anchor still tells.
    at.anchor().await;
    let done = places(&at.verify().await);
    assert!(done.contains(&(Fault::AnchorDisagrees, Some(1), None, Some(4))), "{done:?}");
    assert!(done.contains(&(Fault::AnchorDisagrees, Some(1), None, Some(1))), "{done:?}");
}

#[tokio::test]
async fn a_changed_or_missing_anchor() {
    let mut at = three_seals().await;
    let whole = at.anchors.clone();
    let lines = at.lines().await;
    at.anchors[1].1 = whole[0].1.clone();
    let done = places(&at.judge(lines.clone(), true, at.now()));
    assert!(done.contains(&(Fault::AnchorChanged, None, None, Some(2))), "{done:?}");
    for missing in [1, 2, 3] {
        at.anchors.clone_from(&whole);
        at.anchors.retain(|(number, _)| *number != missing);
        let done = places(&at.judge(lines.clone(), true, at.now()));
        assert_eq!(done, [(Fault::AnchorMissing, None, None, Some(missing))]);
    }
}

#[tokio::test]
async fn entries_that_nobody_seals() {
    let at = three_seals().await;
    at.act("patient.update", 2).await;
    let soon = at.verify().await;
    assert!(soon.is_sound());
    assert_eq!(soon.waiting, 2);
    let late = at.judge(at.lines().await, true, at.now() + chrono::TimeDelta::minutes(11));
    assert_eq!(places(&late), [(Fault::Unsealed, None, None, None)]);
}

#[tokio::test]
async fn a_removal_that_retention_would_not_have_made() {
    let remove = |class: &str, entries: i64| {
        format!(
            "DELETE FROM audit_log WHERE class = '{class}' AND id <= 4;
             UPDATE audit_chains SET removed = 1 WHERE class = '{class}';
             INSERT INTO audit_removals (tenant_id, class, after_number, to_number, last_id, entries, removed_at)
             SELECT tenant_id, class, 0, 1, last_id, {entries}, '2027-01-04T08:00:00Z' FROM audit_seals
             WHERE class = '{class}' AND number = 1"
        )
    };
    // Of a class that no date ends, and of one whose time is not over.
    for (class, entries) in [("record", 3), ("security", 1)] {
        assert_eq!(
            found(&remove(class, entries)).await,
            [(Fault::EarlyRemoval, Some(1), None, None)],
            "{class}"
        );
    }
    // Dated ahead, to look due.
    let ahead = format!("{}; UPDATE audit_removals SET removed_at = '2029-01-01'", remove("security", 1));
    assert_eq!(found(&ahead).await, [(Fault::EarlyRemoval, Some(1), None, None)]);
}

#[tokio::test]
async fn a_file_proves_as_much_as_the_database() {
    let at = three_seals().await;
    let text: Vec<String> =
        at.lines().await.iter().map(|line| serde_json::to_string(line).unwrap()).collect();
    let read = |text: &[String]| -> Vec<Line> {
        text.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    assert_eq!(at.judge(read(&text), true, at.now()), at.verify().await);
    let place = |text: &[String]| places(&at.judge(read(text), true, at.now()));

    let cut = &text[..text.len() - 1];
    assert_eq!(place(cut), [(Fault::Incomplete, None, None, None)]);
    let at_entry = text.iter().position(|line| line.contains(r#""type":"entry","id":6,"#)).unwrap();
    let mut without = text.clone();
    without.remove(at_entry);
    assert_eq!(place(&without), [(Fault::EntryMissing, Some(2), Some(6), None)]);
    let mut changed = text.clone();
    changed[at_entry] = changed[at_entry].replace("patient.update", "patient.delete");
    assert_eq!(place(&changed), [(Fault::EntryChanged, Some(2), Some(6), None)]);
    let twice = [&text[..], &text[..]].concat();
    assert!(place(&twice).contains(&(Fault::Incomplete, None, None, None)));
    assert!(place(&text[1..]).contains(&(Fault::Incomplete, None, None, None)), "its first line is missing");
}

#[tokio::test]
async fn one_tenant_is_verified_by_itself() {
    let at = three_seals().await;
    at.tamper("UPDATE audit_log SET resource_id = NULL WHERE id = 6").await;
    for (tenant, faults) in [(at.tenant.0, 1), (Uuid::nil(), 0)] {
        let mut verifier = permanence_domain::audit::verify::Verifier::new(
            at.now(),
            chrono::TimeDelta::minutes(10),
            Some(tenant),
        );
        verifier.read_anchors();
        for (number, bytes) in &at.anchors {
            verifier.anchor(*number, bytes);
        }
        permanence_domain::audit::read_trail(&at.db, Some(tenant), |line| -> permanence_domain::Result<()> {
            verifier.line(line);
            Ok(())
        })
        .await
        .unwrap();
        let report = verifier.finish();
        assert_eq!(report.faults, faults, "{report:#?}");
    }
}
