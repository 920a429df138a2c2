//! How often somebody may try to sign in (requirements ID-8): buckets that fill with time (GCRA, as ATM Forum TM 4.0 has it). An attempt
//! costs one of each, and one that goes well gets it back. Asks nobody whether an address is known, and costs the same either way.

use std::{net::IpAddr, time::Duration};

use chrono::{DateTime, Utc};

use super::TokenHashes;
use crate::{
    db::{Actor, Db, SystemTx},
    error::{Error, Result},
};

/// Within how long a bucket is full again, seconds.
const WINDOW: i32 = 15 * 60;

/// What is counted together: in this order, so that nobody waits for each other's rows.
#[derive(Debug, Clone, Copy)]
enum Bucket {
    /// All attempts from one place, whichever the addresses: who tries a password on everybody.
    Source,
    /// Those for one address from one place: who tries passwords on somebody. Elsewhere the person signs in as ever.
    AddressAndSource,
    /// Those for one address from everywhere: who does so from many places. The next attempt is never far.
    Address,
}

impl Bucket {
    const ALL: [Self; 3] = [Self::Source, Self::AddressAndSource, Self::Address];

    /// Attempts within the window.
    fn attempts(self) -> i32 {
        match self {
            Self::Source => 100,
            Self::AddressAndSource => 5,
            Self::Address => 50,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::AddressAndSource => "address_and_source",
            Self::Address => "address",
        }
    }
}

/// An attempt that was counted.
#[derive(Debug)]
pub(super) struct Counted(Vec<(Vec<u8>, i32)>);

/// Counts an attempt, or refuses it and counts nothing: whoever tries on does not wait longer for it.
pub(super) async fn count(
    db: &Db,
    actor: Actor,
    hashes: &TokenHashes,
    email: &str,
    source: Option<IpAddr>,
) -> Result<Counted> {
    let (address, source) = (email.trim().to_lowercase(), source.map(network));
    let mut tx = db.system(actor).await?;
    let mut counted = Vec::with_capacity(Bucket::ALL.len());
    for bucket in Bucket::ALL {
        let (of_address, of_source) = match bucket {
            Bucket::Source => ("", source.as_deref()),
            Bucket::AddressAndSource => (address.as_str(), source.as_deref()),
            Bucket::Address => (address.as_str(), None),
        };
        let key = hashes.sign_in(&[bucket.name(), of_address, of_source.unwrap_or_default()])?;
        let each = WINDOW / bucket.attempts();
        if let Some(wait) = take(&mut tx, &key, each).await? {
            tx.rollback().await?;
            metrics::counter!("permanence_sign_ins_limited_total", "by" => bucket.name()).increment(1);
            return Err(Error::TooMany { retry_after: wait });
        }
        counted.push((key, each));
    }
    tx.commit().await?;
    Ok(Counted(counted))
}

/// Takes an attempt out of a bucket; gives how long to wait where there is none.
async fn take(tx: &mut SystemTx, key: &[u8], each: i32) -> Result<Option<Duration>> {
    let now = tx.now();
    // What lies further ahead than attempts lead was written by a clock that was wrong: it keeps nobody out.
    let taken = sqlx::query_scalar!(
        "INSERT INTO sign_in_limits AS l (key, full_at) VALUES ($1, $2::timestamptz + make_interval(secs => $3::integer))
         ON CONFLICT (key) DO UPDATE
         SET full_at = CASE WHEN l.full_at > $2 + 2 * make_interval(secs => $4::integer) THEN $2 ELSE greatest(l.full_at, $2) END
                       + make_interval(secs => $3)
         WHERE greatest(l.full_at, $2) + make_interval(secs => $3) <= $2 + make_interval(secs => $4)
            OR l.full_at > $2 + 2 * make_interval(secs => $4)
         RETURNING full_at",
        key,
        now,
        each,
        WINDOW,
    )
    .fetch_optional(tx.conn())
    .await?;
    if taken.is_some() {
        return Ok(None);
    }
    let full_at = sqlx::query_scalar!("SELECT full_at FROM sign_in_limits WHERE key = $1", key)
        .fetch_one(tx.conn())
        .await?;
    Ok(Some(wait(full_at, now, each)))
}

/// How long until another attempt fits into the window; never nothing.
fn wait(full_at: DateTime<Utc>, now: DateTime<Utc>, each: i32) -> Duration {
    let fits_at = full_at - chrono::Duration::seconds(i64::from(WINDOW - each));
    (fits_at - now).to_std().unwrap_or_default().max(Duration::from_secs(1))
}

/// Gives an attempt back that went well.
pub(super) async fn give_back(tx: &mut SystemTx, Counted(counted): Counted) -> Result<()> {
    for (key, each) in counted {
        sqlx::query!(
            "UPDATE sign_in_limits SET full_at = full_at - make_interval(secs => $2::integer) WHERE key = $1",
            key,
            each,
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// Forgets up to `limit` buckets that are full.
pub async fn purge_sign_in_limits(tx: &mut SystemTx, limit: i64) -> Result<u64> {
    let now = tx.now();
    let gone = sqlx::query!(
        "DELETE FROM sign_in_limits WHERE key IN
             (SELECT key FROM sign_in_limits WHERE full_at < $1 ORDER BY full_at LIMIT $2 FOR UPDATE SKIP LOCKED)
           AND full_at < $1",
        now,
        limit,
    )
    .execute(tx.conn())
    .await?;
    Ok(gone.rows_affected())
}

/// Whom an address stands for: of IPv6 the network of one subscriber, who has all of its addresses.
fn network(source: IpAddr) -> String {
    match source {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_ipv6_counts_with_its_network() {
        let network = |text: &str| network(text.parse().unwrap());
        assert_eq!(network("2001:db8:1:2::7"), network("2001:db8:1:2:ffff::1"));
        assert_ne!(network("2001:db8:1:2::7"), network("2001:db8:1:3::7"));
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
    }

    #[test]
    fn the_wait_is_until_one_attempt_fits() {
        let now: DateTime<Utc> = "2027-01-04T08:00:00Z".parse().unwrap();
        let in_seconds = |seconds| now + chrono::Duration::seconds(seconds);
        assert_eq!(wait(in_seconds(900), now, 180), Duration::from_mins(3));
        assert_eq!(wait(in_seconds(730), now, 180), Duration::from_secs(10));
        assert_eq!(wait(in_seconds(720), now, 180), Duration::from_secs(1));
    }
}
