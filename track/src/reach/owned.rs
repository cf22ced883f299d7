//! Objects that others own, by type: the report counts them.

use std::collections::{BTreeMap, HashMap};

use rustc_hash::FxBuildHasher;

use crate::leaks::{self, Key};
use crate::world::World;

/// Objects of one type that the objects of the report own.
pub struct Owned {
    /// The type's name.
    pub name: String,
    /// How many objects.
    pub objects: u64,
    /// References on them.
    pub references: u64,
}

/// How many there are, and references on them.
#[derive(Default)]
pub struct Count(HashMap<Key, (u64, u64), FxBuildHasher>);

impl Count {
    /// Counts an object.
    pub fn add(&mut self, key: Key, references: u64) {
        let (all, on_all) = self.0.entry(key).or_default();
        *all += 1;
        *on_all += references;
    }

    /// By type, the most first.
    pub fn by_type(self, world: &World) -> Vec<Owned> {
        let mut names: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for (key, (objects, references)) in self.0 {
            let (all, on_all) = names.entry(leaks::name(world, key)).or_default();
            (*all, *on_all) = (*all + objects, *on_all + references);
        }
        let of = |(name, (objects, references))| Owned { name, objects, references };
        let mut types: Vec<_> = names.into_iter().map(of).collect();
        types.sort_by_key(|of| std::cmp::Reverse(of.objects));
        types
    }
}
