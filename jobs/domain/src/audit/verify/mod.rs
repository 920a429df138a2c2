//! Finds any change, gap or removed tail of a trail: takes its lines, from a database or a file, and the anchors, and tells
//! what does not fit. Reads nothing itself.

mod chain;
mod report;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use self::chain::{Anchored, ChainState};
pub use self::report::{Fault, Finding, Removed, Report};
use super::{
    anchor::{Anchor, anchor_hash},
    seal::{Bytes, Chain, Head, Leaf},
    trail::Line,
};

/// A trail being verified. Anchors first, in their order, then its lines. Holds the hashes that anchors hold of what is
/// verified, and the entries of one seal of each chain of one tenant.
#[derive(Debug)]
pub struct Verifier {
    now: DateTime<Utc>,
    patience: TimeDelta,
    of_one: Option<Uuid>,
    anchored: HashMap<Chain, Anchored>,
    /// Hashes of the anchors' objects, by number.
    objects: BTreeMap<i64, Bytes>,
    reads_anchors: bool,
    /// Anchors that were noted after the objects were read.
    late: BTreeMap<i64, Bytes>,
    sealed_to: i64,
    tenant: Option<Uuid>,
    chains: BTreeMap<String, ChainState>,
    begun: bool,
    ended: bool,
    oldest_waiting: Option<DateTime<Utc>>,
    report: Report,
}

impl Verifier {
    /// Verifies as of `now`; entries may wait for a seal as long as `patience`. `of_one` limits what anchors say to one tenant.
    pub fn new(now: DateTime<Utc>, patience: TimeDelta, of_one: Option<Uuid>) -> Self {
        Self {
            now,
            patience,
            of_one,
            anchored: HashMap::new(),
            objects: BTreeMap::new(),
            reads_anchors: false,
            late: BTreeMap::new(),
            sealed_to: 0,
            tenant: None,
            chains: BTreeMap::new(),
            begun: false,
            ended: false,
            oldest_waiting: None,
            report: Report::default(),
        }
    }

    /// From here on the absence of an anchor is a finding.
    pub fn read_anchors(&mut self) {
        self.reads_anchors = true;
        self.report.anchors = Some(0);
    }

    /// Takes the object that lies under an anchor's number; they come in the order of their numbers.
    pub fn anchor(&mut self, number: i64, bytes: &[u8]) {
        let changed = |words: &str| {
            Finding::of(Fault::AnchorChanged, format!("anchor {number} {words}")).anchor(number)
        };
        self.report.anchors = self.report.anchors.map(|count| count + 1);
        let before = self.objects.last_key_value().map(|(last, hash)| (*last, hash.clone()));
        self.objects.insert(number, anchor_hash(bytes));
        let Ok(anchor) = Anchor::read(bytes) else {
            self.report.add(changed("cannot be read"));
            return;
        };
        let (last, previous) = before.unwrap_or_else(|| (0, Bytes(vec![0; 32])));
        if anchor.number != number || (number == last + 1 && anchor.previous != previous) {
            self.report.add(changed("does not follow the one before"));
        }
        for missing in last + 1..number.min(last + 1_001) {
            let words = format!("anchor {missing} is missing");
            self.report.add(Finding::of(Fault::AnchorMissing, words).anchor(missing));
        }
        for head in anchor.heads {
            if self.of_one.is_none_or(|tenant| tenant == head.chain.tenant_id) {
                self.remember(number, &head);
            }
        }
    }

    /// The first anchor that holds a seal counts: one that says otherwise later was made of a chain that was rewritten.
    fn remember(&mut self, anchor: i64, head: &Head) {
        let known = self.anchored.entry(head.chain.clone()).or_default();
        let (first, hash) = known.entry(head.number).or_insert_with(|| (anchor, head.hash.clone()));
        if *hash != head.hash {
            let words = format!("anchors {first} and {anchor} hold different seals {}", head.number);
            let finding = Finding::in_chain(Fault::AnchorDisagrees, &head.chain, words);
            self.report.add(finding.seal(head.number).anchor(anchor));
        }
    }

    /// Takes a line of the trail.
    pub fn line(&mut self, line: Line) {
        if self.ended || (self.begun == matches!(line, Line::Trail { .. })) {
            let words = "the lines are not those of one trail";
            self.report.add(Finding::of(Fault::Incomplete, words));
        }
        match line {
            Line::Trail { sealed_to, tenant_id, .. } => {
                self.begun = true;
                self.sealed_to = sealed_to;
                if let Some(tenant) = tenant_id.filter(|_| self.of_one.is_none()) {
                    self.of_one = Some(tenant);
                    self.anchored.retain(|chain, _| chain.tenant_id == tenant);
                }
            }
            Line::Anchored { number, hash } => self.noted_anchor(number, &hash),
            Line::Head(head) => self.chain(head.chain.clone()).head(head),
            Line::Removal(removal) => {
                self.chain(removal.chain.clone());
                let (chain, report) = self.current(&removal.chain.class);
                if let Some(chain) = chain {
                    chain.removal(removal, report);
                }
            }
            Line::Entry(entry) => self.chain(Chain::of(&entry)).entry(Leaf::from(&entry)),
            Line::Seal(seal) => {
                // Clocks of two machines differ a little.
                let now = self.now + self.patience;
                self.chain(seal.chain.clone());
                let (chain, report) = self.current(&seal.chain.class);
                if let Some(chain) = chain {
                    chain.seal(&seal, now, report);
                }
            }
            Line::End => {
                self.end_tenant();
                self.ended = true;
            }
        }
    }

    fn noted_anchor(&mut self, number: i64, hash: &Bytes) {
        if !self.reads_anchors {
            return;
        }
        let last = self.objects.last_key_value().map_or(0, |(last, _)| *last);
        match self.objects.get(&number) {
            Some(object) if object != hash => {
                let words = format!("anchor {number} is not the object that was noted");
                self.report.add(Finding::of(Fault::AnchorChanged, words).anchor(number));
            }
            // Those before the last were told when it was read.
            None if number > last => {
                self.late.insert(number, hash.clone());
            }
            _ => {}
        }
    }

    /// The anchors that the trail knows and that were not there when they were read: to be looked for once more.
    pub fn late_anchors(&self) -> Vec<i64> {
        self.late.keys().copied().collect()
    }

    /// Takes one of them that is there by now.
    pub fn late_anchor(&mut self, number: i64, bytes: &[u8]) {
        if let Some(hash) = self.late.remove(&number) {
            self.objects.insert(number, anchor_hash(bytes));
            self.noted_anchor(number, &hash);
        }
    }

    /// The state of a chain; the chains of the tenant before are over with the first of another.
    fn chain(&mut self, chain: Chain) -> &mut ChainState {
        if self.tenant != Some(chain.tenant_id) {
            self.end_tenant();
            self.tenant = Some(chain.tenant_id);
        }
        let anchored = &mut self.anchored;
        self.chains.entry(chain.class.clone()).or_insert_with(|| {
            let hashes = anchored.remove(&chain).unwrap_or_default();
            ChainState::new(chain, hashes)
        })
    }

    fn current(&mut self, class: &str) -> (Option<&mut ChainState>, &mut Report) {
        (self.chains.get_mut(class), &mut self.report)
    }

    fn end_tenant(&mut self) {
        for (_, chain) in std::mem::take(&mut self.chains) {
            let waiting = chain.end(self.sealed_to, &mut self.report);
            self.report.waiting += waiting.len() as u64;
            let oldest = waiting.iter().map(|leaf| leaf.at).min();
            self.oldest_waiting = [self.oldest_waiting, oldest].into_iter().flatten().min();
        }
    }

    /// What was found.
    pub fn finish(mut self) -> Report {
        self.end_tenant();
        if !self.ended {
            let words = "the trail breaks off: lines are missing at its end";
            self.report.add(Finding::of(Fault::Incomplete, words));
        }
        for number in std::mem::take(&mut self.late).into_keys() {
            let words = format!("anchor {number} is missing");
            self.report.add(Finding::of(Fault::AnchorMissing, words).anchor(number));
        }
        // What anchors hold of chains of which nothing is left.
        let mut left: Vec<_> = self.anchored.into_iter().collect();
        left.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (chain, hashes) in left {
            if let Some((number, (anchor, _))) = hashes.last_key_value() {
                let words =
                    format!("nothing is left of the chain, and anchor {anchor} holds its seal {number}");
                let finding = Finding::in_chain(Fault::TailRemoved, &chain, words);
                self.report.add(finding.seal(*number).anchor(*anchor));
            }
        }
        if let Some(oldest) = self.oldest_waiting.filter(|at| *at + self.patience < self.now) {
            let words = format!(
                "{} entries wait for a seal, the oldest since {}",
                self.report.waiting,
                oldest.to_rfc3339()
            );
            self.report.add(Finding::of(Fault::Unsealed, words));
        }
        self.report
    }
}
