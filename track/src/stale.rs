//! --stale-handles: lookups in pools that found no object, by stack.

use std::cmp::Reverse;
use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use crate::code::Id;
use crate::world::World;

/// How many lookups.
#[derive(Clone, Copy, Default)]
pub struct Lookups {
    /// All that found no object.
    pub all: u64,
    /// Those among them whose pool never gave the handle.
    pub never_given: u64,
}

/// The lookups of a process.
#[derive(Default)]
pub struct Stale(HashMap<Id, Lookups, FxBuildHasher>);

impl Stale {
    /// Counts a lookup.
    pub fn count(&mut self, world: &World, stack: Id, given: bool) {
        let is_kept = self.0.contains_key(&stack) || world.budget.has_room();
        let by = self.0.entry(if is_kept { stack } else { 0 }).or_default();
        by.all += 1;
        by.never_given += u64::from(!given);
    }

    /// All lookups, and those of each stack, the most first.
    pub fn gather(&self) -> (Lookups, Vec<(Id, Lookups)>) {
        let mut stacks: Vec<_> = self.0.iter().map(|(&stack, &of)| (stack, of)).collect();
        stacks.sort_by_key(|&(stack, of)| (Reverse(of.all), stack));
        let mut sum = Lookups::default();
        for (_, of) in &stacks {
            sum.all += of.all;
            sum.never_given += of.never_given;
        }
        (sum, stacks)
    }
}
