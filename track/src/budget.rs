//! max_memory=: how much the tables may take. What there is no room for is counted, and a report says so.

use std::cell::Cell;

/// Bytes in use, and the limit.
pub struct Budget {
    used: Cell<usize>,
    limit: usize,
}

impl Budget {
    /// Nothing in use.
    pub fn new(limit: usize) -> Self {
        Self { used: Cell::new(0), limit }
    }

    /// Whether there is room for more: asked before anything is kept. What is let through may go over the limit
    /// by little.
    pub fn has_room(&self) -> bool {
        self.used.get() < self.limit
    }

    /// So many bytes more.
    pub fn take(&self, bytes: usize) {
        self.used.set(self.used.get() + bytes);
    }

    /// So many less.
    pub fn give_back(&self, bytes: usize) {
        self.used.set(self.used.get().saturating_sub(bytes));
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
