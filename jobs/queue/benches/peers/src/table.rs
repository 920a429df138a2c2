//! Prints the table, what it was measured on, and the two bars.

use std::process::Command;

use crate::{
    peer::Figures,
    server::{Database, Server},
};

/// A row for each, the fastest peer first.
pub(crate) fn print(ours: Option<&Figures>, peers: &[Figures], raw: Option<&(u64, String)>) {
    let mut peers: Vec<&Figures> = peers.iter().collect();
    peers.sort_by_key(|peer| std::cmp::Reverse(peer.performed));
    println!();
    println!(
        "| peer | version | settings that won | keeps | jobs | enqueue/s | burn-down/s | ours ÷ it | pick-up p50, p99 |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for row in ours.into_iter().chain(peers.iter().copied()) {
        let Figures { name, version, setting, keeps, jobs, enqueued, performed, pick_up } = row;
        let ratio = ours.map_or("—".into(), |ours| ratio(ours.performed, *performed));
        let pick_up = pick_up
            .as_ref()
            .map_or_else(|_| "—".into(), |waits| format!("{:.1?}, {:.1?}", waits.p50, waits.p99));
        println!(
            "| {name} | {version} | {setting} | {keeps} | {jobs} | {enqueued} | {performed} | {ratio} | {pick_up} |"
        );
    }
    if let Some((rate, setting)) = raw {
        let ratio = ours.map_or("—".into(), |ours| ratio(ours.performed, *rate));
        println!("| raw pgbench | | {setting} | history | | | {rate} | {ratio} | |");
    }
    println!();
    for peer in &peers {
        if let Err(reason) = peer.pick_up {
            println!("{}: pick-up is not measured, since {reason}", peer.name);
        }
    }
    let Some(ours) = ours else { return };
    if let Some(best) = peers.first() {
        let ratio = ratio(ours.performed, best.performed);
        println!("ours ÷ best peer ({}): {ratio}; the bar is 2", best.name);
    }
    if let Some((rate, _)) = raw {
        println!("ours ÷ raw: {} %; the bar is 60 %", ours.performed * 100 / rate);
    }
}

pub(crate) async fn print_surroundings(server: &Server, node: &Result<String, String>) {
    let db: Database = server.empty().await;
    let date: String = sqlx::query_scalar("SELECT current_date::text").fetch_one(&db.pool).await.unwrap();
    let rustc = Command::new("rustc").arg("--version").output();
    let rustc =
        rustc.map_or("rustc unknown".into(), |out| String::from_utf8_lossy(&out.stdout).trim().to_owned());
    let cores = std::thread::available_parallelism().unwrap();
    let node = node
        .as_ref()
        .map_or_else(|reason| format!("Node peers left out: {reason}"), |version| format!("node {version}"));
    println!("{date}; {cores} cores; {}; {rustc}; {node}; synchronous_commit on", server.version().await);
}

fn ratio(ours: u64, theirs: u64) -> String {
    let hundredths = ours * 100 / theirs.max(1);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}
