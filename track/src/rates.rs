//! How often references are taken and given back, by type and holder: for `--live`.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use crate::leaks::Key;
use crate::names::Name;

/// Gets and puts.
pub type Counts = (u64, u64);

/// In a process, on objects of a type, by a holder.
type Of = (u16, Key, Name);

/// More types and holders are not told apart.
const MOST: usize = 1 << 16;

/// All counts. Nothing is counted before somebody asks.
#[derive(Default)]
pub struct Rates {
    is_on: Cell<bool>,
    counts: RefCell<HashMap<Of, Counts, FxBuildHasher>>,
}

impl Rates {
    /// Counts from now on.
    pub fn begin(&self) {
        self.is_on.set(true);
    }

    /// Whether somebody has asked.
    #[inline]
    pub fn are_counted(&self) -> bool {
        self.is_on.get()
    }

    /// Counts a get or a put.
    pub fn count(&self, process: u16, key: Key, holder: Name, is_get: bool) {
        let mut counts = self.counts.borrow_mut();
        if counts.len() >= MOST && !counts.contains_key(&(process, key, holder)) {
            return;
        }
        let (gets, puts) = counts.entry((process, key, holder)).or_default();
        *(if is_get { gets } else { puts }) += 1;
    }

    /// The counts of a process.
    pub fn of(&self, process: u16) -> Vec<(Key, Name, Counts)> {
        let counts = self.counts.borrow();
        let own = counts.iter().filter(|(of, _)| of.0 == process);
        own.map(|(&(_, key, holder), &counts)| (key, holder, counts)).collect()
    }

    /// Forgets a process that has ended.
    pub fn forget(&self, process: u16) {
        self.counts.borrow_mut().retain(|of, _| of.0 != process);
    }
}
