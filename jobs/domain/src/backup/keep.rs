//! Which backups are kept: the last of each of so many days, weeks and months that have one. Pure: it knows neither store nor clock.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, Utc};

use crate::{
    config::{Env, parsed},
    ids::BackupId,
};

/// How many backups are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Days, each with its last backup.
    pub daily: usize,
    /// Weeks (ISO 8601), each with its last backup.
    pub weekly: usize,
    /// Months, each with its last backup.
    pub monthly: usize,
}

impl Keep {
    /// Two weeks day by day and eight weeks in all: somebody who is erased is in no backup any more two months later.
    pub const DEFAULT: Self = Self { daily: 14, weekly: 8, monthly: 0 };

    /// Reads `BACKUP_KEEP_DAILY`, `…_WEEKLY` and `…_MONTHLY`.
    pub fn read(env: &mut Env) -> Option<Self> {
        let mut count = |name: &str, default: usize, least: usize| {
            env.or(name, default, &format!("a whole number from {least} to 366"), |text| {
                parsed(text).filter(|count| (least..=366).contains(count))
            })
        };
        let daily = count("BACKUP_KEEP_DAILY", Self::DEFAULT.daily, 1);
        let weekly = count("BACKUP_KEEP_WEEKLY", Self::DEFAULT.weekly, 0);
        let monthly = count("BACKUP_KEEP_MONTHLY", Self::DEFAULT.monthly, 0);
        Some(Self { daily: daily?, weekly: weekly?, monthly: monthly? })
    }

    /// Those of these backups that are not kept, the oldest first. The newest is always kept, however old it is.
    pub fn ended(&self, backups: &[(BackupId, DateTime<Utc>)]) -> Vec<BackupId> {
        let mut kept: BTreeSet<BackupId> = BTreeSet::new();
        kept.extend(last_of_each(backups, self.daily, |at| (at.year(), at.ordinal())));
        kept.extend(last_of_each(backups, self.weekly, |at| (at.iso_week().year(), at.iso_week().week())));
        kept.extend(last_of_each(backups, self.monthly, |at| (at.year(), at.month())));
        let mut ended: Vec<_> = backups.iter().filter(|(id, _)| !kept.contains(id)).collect();
        ended.sort_by_key(|(_, at)| *at);
        ended.into_iter().map(|(id, _)| *id).collect()
    }
}

/// The last backup of each of the last `count` spans that have one.
fn last_of_each(
    backups: &[(BackupId, DateTime<Utc>)],
    count: usize,
    span: impl Fn(&DateTime<Utc>) -> (i32, u32),
) -> Vec<BackupId> {
    let mut last: BTreeMap<(i32, u32), (DateTime<Utc>, BackupId)> = BTreeMap::new();
    for (id, at) in backups {
        let entry = last.entry(span(at)).or_insert((*at, *id));
        *entry = (*entry).max((*at, *id));
    }
    last.into_values().rev().take(count).map(|(_, id)| id).collect()
}

#[cfg(test)]
mod tests {
    use chrono::Duration;
    use uuid::Uuid;

    use super::*;

    /// A backup each night, for so many nights that end on Monday 4 January 2027.
    fn nightly(nights: u32) -> Vec<(BackupId, DateTime<Utc>)> {
        let last: DateTime<Utc> = "2027-01-04T01:17:00Z".parse().unwrap();
        (0..nights)
            .map(|back| (BackupId(Uuid::from_u128(back.into())), last - Duration::days(back.into())))
            .collect()
    }

    fn kept(keep: Keep, backups: &[(BackupId, DateTime<Utc>)]) -> Vec<u128> {
        let ended = keep.ended(backups);
        backups.iter().filter(|(id, _)| !ended.contains(id)).map(|(id, _)| id.0.as_u128()).collect()
    }

    #[test]
    fn days_weeks_and_months_each_keep_their_last() {
        let keep = Keep { daily: 3, weekly: 4, monthly: 2 };
        // The Monday itself, the Sundays before it (1, 8, 15), and 31 December (4).
        assert_eq!(kept(keep, &nightly(400)), [0, 1, 2, 4, 8, 15]);
        let oldest_first: Vec<_> = keep.ended(&nightly(6)).iter().map(|id| id.0.as_u128()).collect();
        assert_eq!(oldest_first, [5, 3]);
    }

    #[test]
    fn by_default_nothing_is_older_than_two_months_and_the_newest_never_goes() {
        let backups = nightly(1_000);
        let kept = kept(Keep::DEFAULT, &backups);
        let oldest = kept.last().copied().unwrap();
        assert!((42..=61).contains(&oldest), "{oldest} days");
        assert!(kept.starts_with(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]), "{kept:?}");
        // Nothing was backed up for a year: what there is stays.
        assert_eq!(Keep::DEFAULT.ended(&backups[365..366]), []);
        assert_eq!(Keep::DEFAULT.ended(&[]), []);
    }

    #[test]
    fn several_of_one_day_leave_the_last() {
        let at = |hour: i64| backups_at(hour);
        let backups = [at(1), at(5), at(3)];
        assert_eq!(kept(Keep { daily: 14, weekly: 0, monthly: 0 }, &backups), [5]);
    }

    fn backups_at(hour: i64) -> (BackupId, DateTime<Utc>) {
        let day: DateTime<Utc> = "2027-01-04T00:00:00Z".parse().unwrap();
        (BackupId(Uuid::from_u128(hour.unsigned_abs().into())), day + Duration::hours(hour))
    }

    #[test]
    fn a_wrong_number_is_told() {
        let mut env = Env::of([("BACKUP_KEEP_DAILY".to_owned(), "0".to_owned())]);
        let keep = Keep::read(&mut env);
        assert_eq!(
            env.finish(keep).unwrap_err().0,
            ["BACKUP_KEEP_DAILY: read `0`, expected a whole number from 1 to 366"]
        );
    }
}
