//! Verifying one chain: its entries and seals come by number, each seal after its entries. Holds the entries of one seal.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::report::{Fault, Finding, Removed, Report};
use crate::audit::{
    Class,
    seal::{Bytes, Chain, Head, Leaf, MARK, Seal, root},
    trail::Removal,
};

/// Hashes of seals as anchors hold them, by the number of the seal; each with the anchor's.
pub(super) type Anchored = BTreeMap<i64, (i64, Bytes)>;

/// One chain so far.
#[derive(Debug)]
pub(super) struct ChainState {
    chain: Chain,
    anchored: Anchored,
    head: Option<Head>,
    removals: Vec<Removal>,
    last: Option<Head>,
    pending: Vec<Leaf>,
}

impl ChainState {
    pub(super) fn new(chain: Chain, anchored: Anchored) -> Self {
        Self { chain, anchored, head: None, removals: Vec::new(), last: None, pending: Vec::new() }
    }

    fn fault(&self, fault: Fault, words: impl Into<String>) -> Finding {
        Finding::in_chain(fault, &self.chain, words)
    }

    pub(super) fn head(&mut self, head: Head) {
        self.head = Some(head);
    }

    pub(super) fn removal(&mut self, removal: Removal, report: &mut Report) {
        report.removed.push(Removed {
            chain: removal.chain.clone(),
            entries: removal.entries,
            removed_at: removal.removed_at,
        });
        self.removals.push(removal);
    }

    pub(super) fn entry(&mut self, leaf: Leaf) {
        self.pending.push(leaf);
    }

    pub(super) fn seal(&mut self, seal: &Seal, now: DateTime<Utc>, report: &mut Report) {
        let number = seal.number;
        let whole = seal.reckon() == seal.hash;
        if !whole {
            report.add(self.fault(Fault::SealChanged, format!("seal {number} was changed")).seal(number));
        }
        self.follow(seal, report);
        let covering = self.removals.iter().find(|r| r.after_number < number && number <= r.to_number);
        if let Some(removal) = covering {
            let until = Class::parse(&self.chain.class).and_then(|class| class.kept_until(seal.until_at));
            if until.is_none_or(|until| until > removal.removed_at) || removal.removed_at > now {
                let words = format!(
                    "the removal of {} took seal {number} before its time",
                    removal.removed_at.to_rfc3339()
                );
                report.add(self.fault(Fault::EarlyRemoval, words).seal(number));
            }
            for leaf in std::mem::take(&mut self.pending) {
                let words = format!("entry {} stands where retention has removed all", leaf.id);
                report.add(self.fault(Fault::EntryInserted, words).seal(number).entry(leaf.id));
            }
        } else {
            let leaves = std::mem::take(&mut self.pending);
            report.entries += leaves.len() as u64;
            let found = self.compare(seal, &leaves, report);
            // Each mark agrees and their whole does not: the seal itself is wrong, as was told unless it was made anew.
            if found == 0
                && whole
                && (root(&leaves)[..] != seal.root.0 || i64::try_from(leaves.len()) != Ok(seal.entries))
            {
                let words = format!("seal {number} does not hold its entries");
                report.add(self.fault(Fault::SealChanged, words).seal(number));
            }
        }
        if let Some((anchor, hash)) = self.anchored.remove(&number)
            && hash != seal.hash
        {
            let words = format!("seal {number} is not the one that anchor {anchor} holds");
            report.add(self.fault(Fault::AnchorDisagrees, words).seal(number).anchor(anchor));
        }
        report.seals += 1;
        self.last = Some(seal.head());
    }

    /// Whether the seal follows the one before.
    fn follow(&mut self, seal: &Seal, report: &mut Report) {
        let number = seal.number;
        report.chains += u64::from(self.last.is_none());
        let (expected, previous) = self
            .last
            .as_ref()
            .map_or_else(|| (1, Bytes(vec![0; 32])), |last| (last.number + 1, last.hash.clone()));
        if number != expected {
            for missing in expected..number.min(expected + 1_000) {
                report
                    .add(self.fault(Fault::SealMissing, format!("seal {missing} is missing")).seal(missing));
            }
            if number < expected {
                let words = format!("seal {number} is out of its order");
                report.add(self.fault(Fault::SealChanged, words).seal(number));
            }
            // What the missing seals would have proved is told by their absence.
            self.pending.retain(|leaf| leaf.id >= seal.first_id);
        } else if seal.previous != previous {
            let words = format!("seal {number} does not follow seal {}", number - 1);
            report.add(self.fault(Fault::SealChanged, words).seal(number));
        }
    }

    /// Compares entries with the marks of their seal, both by number; gives how many differ.
    fn compare(&self, seal: &Seal, leaves: &[Leaf], report: &mut Report) -> usize {
        let sealed: BTreeMap<i64, &[u8]> =
            seal.leaves.0.chunks_exact(MARK).filter_map(|mark| Some((number(mark)?, &mark[8..]))).collect();
        let there: BTreeMap<i64, &Leaf> = leaves.iter().map(|leaf| (leaf.id, leaf)).collect();
        let mut found = 0;
        let mut tell = |fault, id: i64, what: &str| {
            found += 1;
            let words = format!("entry {id} {what}");
            report.add(self.fault(fault, words).seal(seal.number).entry(id));
        };
        for (id, mark) in &sealed {
            match there.get(id) {
                None => tell(Fault::EntryMissing, *id, "is missing, and retention did not remove it"),
                Some(leaf) if leaf.hash[..8] != **mark => tell(Fault::EntryChanged, *id, "was changed"),
                Some(_) => {}
            }
        }
        for id in there.keys().filter(|id| !sealed.contains_key(id)) {
            tell(Fault::EntryInserted, *id, "was not there when its neighbours were sealed");
        }
        found
    }

    /// The chain is over: what is left of it has no seal. Gives the entries that wait for one.
    pub(super) fn end(self, sealed_to: i64, report: &mut Report) -> Vec<Leaf> {
        let last = self.last.as_ref().map_or(0, |last| last.number);
        match &self.head {
            Some(head) if head.number > last => {
                let words = format!("the chain ends at seal {last}, and went on to seal {}", head.number);
                report.add(self.fault(Fault::TailRemoved, words).seal(last + 1));
            }
            head if self.last.is_some() && head.as_ref() != self.last.as_ref() => {
                let words = "the head that is noted is not the last seal";
                report.add(self.fault(Fault::HeadChanged, words).seal(last));
            }
            _ => {}
        }
        // Seals between that are missing were told; those beyond the last are a tail that an anchor remembers.
        for (number, (anchor, _)) in self.anchored.iter().filter(|(number, _)| **number > last) {
            let words = format!("the chain ends at seal {last}, and anchor {anchor} holds seal {number}");
            report.add(self.fault(Fault::TailRemoved, words).seal(*number).anchor(*anchor));
        }
        for removal in self.removals.iter().filter(|removal| removal.to_number > last) {
            let words = format!("a removal names seal {}, which does not exist", removal.to_number);
            report.add(self.fault(Fault::SealMissing, words).seal(removal.to_number));
        }
        let (inserted, waiting): (Vec<&Leaf>, Vec<&Leaf>) =
            self.pending.iter().partition(|leaf| leaf.id <= sealed_to);
        for leaf in inserted {
            let words = format!("entry {} has no seal, and later ones have", leaf.id);
            report.add(self.fault(Fault::EntryInserted, words).entry(leaf.id));
        }
        waiting.into_iter().cloned().collect()
    }
}

fn number(mark: &[u8]) -> Option<i64> {
    Some(i64::from_be_bytes(*mark.first_chunk()?))
}
