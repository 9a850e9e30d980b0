//! Places that are taken or not, without waiting: connections.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;
use std::rc::Rc;

/// So many places, shared by the rule of [`crate::admission`].
pub(crate) struct Shares<K> {
    max: usize,
    taken: RefCell<Taken<K>>,
}

struct Taken<K> {
    all: usize,
    /// Only who holds one, so never more than `max`.
    by: HashMap<K, usize>,
}

/// One place, until it is dropped.
pub(crate) struct Share<K: Copy + Eq + Hash> {
    shares: Rc<Shares<K>>,
    holder: K,
}

impl<K: Copy + Eq + Hash> Shares<K> {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, taken: RefCell::new(Taken { all: 0, by: HashMap::new() }) }
    }

    /// How many places are taken beyond so many percent of all.
    pub(crate) fn beyond(&self, percent: usize) -> usize {
        self.taken.borrow().all.saturating_sub(self.max.saturating_mul(percent) / 100)
    }

    /// A place for `holder`; `None` when it holds as many as are free.
    pub(crate) fn take(self: &Rc<Self>, holder: K) -> Option<Share<K>> {
        let mut taken = self.taken.borrow_mut();
        let free = self.max.saturating_sub(taken.all);
        let held = taken.by.get(&holder).copied().unwrap_or_default();
        if held >= free {
            return None;
        }
        taken.all += 1;
        taken.by.insert(holder, held + 1);
        Some(Share { shares: Rc::clone(self), holder })
    }
}

impl<K: Copy + Eq + Hash> Drop for Share<K> {
    fn drop(&mut self) {
        let mut taken = self.shares.taken.borrow_mut();
        taken.all = taken.all.saturating_sub(1);
        if let Some(held) = taken.by.get_mut(&self.holder) {
            *held -= 1;
            if *held == 0 {
                taken.by.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::Shares;

    fn all(shares: &Rc<Shares<u8>>, holder: u8) -> Vec<super::Share<u8>> {
        std::iter::from_fn(|| shares.take(holder)).collect()
    }

    #[test]
    fn a_greedy_one_leaves_room_for_others() {
        let shares = Rc::new(Shares::new(100));
        let first = all(&shares, 1);
        assert_eq!(first.len(), 50);
        assert_eq!((shares.beyond(50), shares.beyond(30)), (0, 20));
        let second = all(&shares, 2);
        assert_eq!(second.len(), 25);
        assert!(shares.take(3).is_some());
        drop(first);
        assert_eq!(all(&shares, 2).len(), 25, "what is given back can be taken again");
        drop(second);
        assert_eq!(shares.taken.borrow().all, 0);
        assert!(shares.taken.borrow().by.is_empty());
    }
}
