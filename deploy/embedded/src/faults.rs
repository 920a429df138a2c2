//! What a test makes a stand-in do wrong, set while it runs.
//! It never fails by chance.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The handle that sets a server's behaviour; clones share it.
#[derive(Debug)]
pub struct Faults<F> {
    current: Arc<Mutex<Option<Order<F>>>>,
}

#[derive(Debug, Clone, Copy)]
struct Order<F> {
    fault: F,
    /// How often it still shows; `None` for ever.
    left: Option<u32>,
}

impl<F: Copy> Faults<F> {
    /// Fails every time, until told otherwise.
    pub fn always(&self, fault: F) {
        *self.current() = Some(Order { fault, left: None });
    }

    /// Fails the next `count` times, then works.
    pub fn next(&self, count: u32, fault: F) {
        *self.current() = (count > 0).then_some(Order { fault, left: Some(count) });
    }

    /// Works again.
    pub fn clear(&self) {
        *self.current() = None;
    }

    /// Returns the fault to show now, if it is one that shows at this point, and counts it.
    pub(crate) fn take(&self, shows_here: impl Fn(F) -> bool) -> Option<F> {
        let mut current = self.current();
        let order = (*current).filter(|order| shows_here(order.fault))?;
        *current = match order.left {
            Some(0 | 1) => None,
            left => Some(Order { left: left.map(|left| left - 1), ..order }),
        };
        Some(order.fault)
    }

    fn current(&self) -> MutexGuard<'_, Option<Order<F>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F> Default for Faults<F> {
    fn default() -> Self {
        Self { current: Arc::default() }
    }
}

impl<F> Clone for Faults<F> {
    fn clone(&self) -> Self {
        Self { current: Arc::clone(&self.current) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counted_fault_ends_and_one_of_another_place_waits() {
        let faults = Faults::default();
        faults.next(2, 'a');
        assert_eq!(faults.take(|fault| fault == 'b'), None);
        assert_eq!(faults.take(|_| true), Some('a'));
        assert_eq!(faults.take(|_| true), Some('a'));
        assert_eq!(faults.take(|_| true), None);
        faults.always('b');
        assert_eq!((faults.take(|_| true), faults.take(|_| true)), (Some('b'), Some('b')));
        faults.clear();
        assert_eq!(faults.take(|_| true), None);
    }
}
