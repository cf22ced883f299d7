//! stale_handles=1: lookups in pools that found no object, by stack.

use std::cmp::Reverse;
use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use crate::lock::Lock;
use crate::memory;
use crate::stacks::Id;

/// How many lookups.
#[derive(Clone, Copy, Default)]
pub struct Lookups {
    /// All that found no object.
    pub all: u64,
    /// Those among them whose pool never gave the handle.
    pub never_given: u64,
}

static BY_STACK: Lock<HashMap<Id, Lookups, FxBuildHasher>> =
    Lock::new(HashMap::with_hasher(FxBuildHasher));

/// Counts a lookup.
pub fn count(stack: Id, given: bool) {
    let mut lookups = BY_STACK.lock();
    let known = lookups.contains_key(&stack) || memory::has_room();
    let by = if known { stack } else { 0 };
    if lookups.try_reserve(1).is_ok() {
        let by = lookups.entry(by).or_default();
        by.all += 1;
        by.never_given += u64::from(!given);
    }
}

/// All lookups, and those of each stack, the most first.
pub fn gather() -> (Lookups, Vec<(Id, Lookups)>) {
    let mut stacks: Vec<_> = BY_STACK.lock().iter().map(|(&stack, &of)| (stack, of)).collect();
    stacks.sort_by_key(|&(stack, of)| (Reverse(of.all), stack));
    let mut sum = Lookups::default();
    for (_, of) in &stacks {
        sum.all += of.all;
        sum.never_given += of.never_given;
    }
    (sum, stacks)
}

/// Around a fork.
pub fn before_fork() {
    BY_STACK.take();
}

/// In the parent and in the child.
pub fn after_fork() {
    BY_STACK.give_back();
}

/// In the child: the parent's lookups are the parent's to report.
pub fn forget() {
    BY_STACK.lock().clear();
}
