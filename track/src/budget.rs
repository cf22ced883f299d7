//! max_memory=: how much the tables may take. What there is no room for is counted, and a report says so.

use std::cell::Cell;
use std::rc::Rc;

/// Bytes in use, and the limit. All clones count together.
#[derive(Clone)]
pub struct Budget {
    used: Rc<Cell<usize>>,
    limit: usize,
}

impl Budget {
    /// Nothing in use.
    pub fn new(limit: usize) -> Self {
        Self { used: Rc::default(), limit }
    }

    /// Whether there is room for more: asked before anything is kept. What is let through may go over the limit
    /// by little.
    pub fn has_room(&self) -> bool {
        self.used.get() < self.limit
    }

    /// Counts a number of bytes as used as long as the result lives.
    pub fn charge(&self, bytes: usize) -> Charge {
        self.used.set(self.used.get() + bytes);
        Charge { used: Rc::clone(&self.used), bytes }
    }

    /// The bytes in use.
    pub fn used(&self) -> usize {
        self.used.get()
    }

    /// The limit.
    pub fn limit(&self) -> usize {
        self.limit
    }
}

/// Bytes that count as used. A clone counts as many again.
pub struct Charge {
    used: Rc<Cell<usize>>,
    bytes: usize,
}

impl Clone for Charge {
    fn clone(&self) -> Self {
        self.used.set(self.used.get() + self.bytes);
        Self { used: Rc::clone(&self.used), bytes: self.bytes }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.used.set(self.used.get().saturating_sub(self.bytes));
    }
}
