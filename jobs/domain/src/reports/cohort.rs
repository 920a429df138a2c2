//! Who is counted together, so that nobody can be told apart. Pure: it knows no database.
//!
//! A person enters a cohort once, together with at least [`LEAST`] − 1 others, and never leaves it. Whatever is published is
//! a sum over whole cohorts. So the people of any two published sums, of one month or of several, differ by none or by
//! at least [`LEAST`], and so do all that can be put together of such sums. What is told of a month besides needs at
//! least [`LEAST`] people who consulted in it.

use std::collections::{BTreeMap, BTreeSet};

use super::GroupUsage;
use crate::ids::UserId;

/// The fewest people of whom something is told.
pub(super) const LEAST: usize = 10;

/// What one person consulted in a month, and where their cohort is counted.
#[derive(Debug, Clone)]
pub(super) struct Usage {
    pub(super) department: String,
    pub(super) consultations: i64,
    pub(super) minutes: i64,
}

/// New cohorts of people who are in none yet: all of a department who wait, where they are enough.
pub(super) fn form(
    waiting: impl IntoIterator<Item = (UserId, String)>,
) -> impl Iterator<Item = (String, BTreeSet<UserId>)> {
    let mut departments: BTreeMap<String, BTreeSet<UserId>> = BTreeMap::new();
    for (user, department) in waiting {
        departments.entry(department).or_default().insert(user);
    }
    departments.into_iter().filter(|(_, people)| people.len() >= LEAST)
}

/// What may be told of a month: a line for each department of which enough people consulted. Each person has one usage.
pub(super) fn groups(usage: impl IntoIterator<Item = Usage>) -> Vec<GroupUsage> {
    let mut departments: BTreeMap<String, (usize, i64, i64)> = BTreeMap::new();
    for Usage { department, consultations, minutes } in usage {
        let sums = departments.entry(department).or_default();
        *sums = (sums.0 + 1, sums.1 + consultations, sums.2 + minutes);
    }
    departments
        .into_iter()
        .filter(|(_, (people, ..))| *people >= LEAST)
        .map(|(department, (people, consultations, minutes))| GroupUsage {
            department,
            employees: i32::try_from(people).unwrap_or(i32::MAX),
            consultations,
            minutes,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    /// What happens in a company between two looks at it.
    #[derive(Debug, Clone)]
    enum Event {
        Hire(u8),
        Leave(usize),
        Move(usize, u8),
        /// A month is published, in which the people consult whose place's bit is set.
        Publish(u64),
    }

    /// A company, and what an attacker who knows all about who works where holds of it.
    #[derive(Default)]
    struct World {
        next: u128,
        people: Vec<(UserId, u8)>,
        cohorts: BTreeMap<UserId, String>,
        /// The people over whom each published line is a sum, and how many of them it says consulted.
        told: Vec<(BTreeSet<UserId>, usize)>,
    }

    impl World {
        fn happen(&mut self, event: &Event) {
            match *event {
                Event::Hire(department) => {
                    self.next += 1;
                    self.people.push((UserId(Uuid::from_u128(self.next)), department));
                }
                Event::Leave(place) if !self.people.is_empty() => {
                    let place = place % self.people.len();
                    self.people.remove(place);
                }
                Event::Move(place, department) if !self.people.is_empty() => {
                    let place = place % self.people.len();
                    self.people[place].1 = department;
                }
                Event::Leave(_) | Event::Move(..) => {}
                Event::Publish(consulted) => self.publish(consulted),
            }
        }

        fn publish(&mut self, consulted: u64) {
            let waiting: Vec<_> = self
                .people
                .iter()
                .filter(|(user, _)| !self.cohorts.contains_key(user))
                .map(|(user, department)| (*user, department.to_string()))
                .collect();
            for (department, people) in form(waiting) {
                self.cohorts.extend(people.into_iter().map(|user| (user, department.clone())));
            }
            let usage = self.people.iter().enumerate().filter_map(|(place, (user, _))| {
                let department = self.cohorts.get(user)?.clone();
                let does = consulted >> (place % 64) & 1 == 1;
                does.then_some(Usage { department, consultations: 1, minutes: 50 })
            });
            let lines = groups(usage);
            for line in lines {
                let people = self.cohorts.iter().filter(|(_, department)| **department == line.department);
                let people = people.map(|(user, _)| *user).collect();
                self.told.push((people, usize::try_from(line.employees).unwrap()));
            }
        }
    }

    /// The fewest people that all published lines together tell apart. Whoever adds and subtracts lines weighs all people
    /// alike who are in the same of them; so nothing that can be reckoned is about fewer than these.
    fn told_apart(told: &[(BTreeSet<UserId>, usize)]) -> Option<usize> {
        let mut alike: BTreeMap<Vec<usize>, usize> = BTreeMap::new();
        let everybody: BTreeSet<UserId> =
            told.iter().flat_map(|(people, _)| people.iter().copied()).collect();
        for user in everybody {
            let within = (0..told.len()).filter(|line| told[*line].0.contains(&user)).collect();
            *alike.entry(within).or_default() += 1;
        }
        alike.into_values().min()
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            12 => (0_u8..3).prop_map(Event::Hire),
            2 => any::<usize>().prop_map(Event::Leave),
            2 => (any::<usize>(), 0_u8..3).prop_map(|(place, department)| Event::Move(place, department)),
            1 => prop_oneof![Just(u64::MAX), any::<u64>()].prop_map(Event::Publish),
        ]
    }

    proptest! {
        #[test]
        fn nothing_reckoned_from_what_was_published_is_about_fewer_than_ten(
            events in proptest::collection::vec(event(), 0..300),
        ) {
            let mut world = World::default();
            for event in &events {
                world.happen(event);
            }
            world.publish(u64::MAX);
            for (people, consulted) in &world.told {
                prop_assert!(*consulted >= LEAST && people.len() >= *consulted);
            }
            prop_assert!(told_apart(&world.told).is_none_or(|fewest| fewest >= LEAST));
            for (one, _) in &world.told {
                for (other, _) in &world.told {
                    let apart = one.difference(other).count();
                    prop_assert!(apart == 0 || apart >= LEAST, "{apart} people by subtraction");
                }
            }
        }
    }

    /// The attack works where lines are sums over whoever is in a department just then: the test above can fail.
    #[test]
    fn sums_over_the_present_department_would_tell_a_newcomer_apart() {
        let department = |people: std::ops::Range<u128>| -> (BTreeSet<UserId>, usize) {
            let people: BTreeSet<_> = people.map(|number| UserId(Uuid::from_u128(number))).collect();
            let count = people.len();
            (people, count)
        };
        assert_eq!(told_apart(&[department(0..12), department(0..13)]), Some(1));
    }

    #[test]
    fn ten_are_told_of_together_and_nine_wait() {
        let mut world = World::default();
        (0..19).for_each(|_| world.happen(&Event::Hire(0)));
        (0..9).for_each(|_| world.happen(&Event::Hire(1)));
        world.publish(u64::MAX);
        assert_eq!(world.told.iter().map(|(_, consulted)| *consulted).collect::<Vec<_>>(), [19]);
        // A tenth comes; of the first department nine come, who wait.
        world.happen(&Event::Hire(1));
        (0..9).for_each(|_| world.happen(&Event::Hire(0)));
        world.publish(u64::MAX);
        assert_eq!(world.told.iter().map(|(_, consulted)| *consulted).collect::<Vec<_>>(), [19, 19, 10]);
    }
}
