//! The live objects, by release function and by constructor. An object that is not released keeps the references that it
//! has on objects of other types, so these references may be a consequence.

use std::collections::{BTreeMap, BTreeSet};

use crate::code::Id;
use crate::leaks::{self, Key};
use crate::origins::Origins;
use crate::process::Process;
use crate::world::World;

/// A constructor is among so many functions of the stack of kref_init().
const MOST_FUNCTIONS: usize = 3;

/// The live objects of all types.
#[derive(Default)]
pub struct Alive {
    /// Their release functions, by their identities.
    releases: BTreeSet<u64>,
    /// How many of each type each function has created, by the function's identity.
    created: BTreeMap<(u64, Key), u64>,
}

impl Alive {
    /// Those of a process. The types are those of the report.
    pub fn new(world: &World, process: &Process, origins: &mut Origins) -> Self {
        let mut stacks: BTreeMap<(Id, Key), u64> = BTreeMap::new();
        let mut places = BTreeSet::new();
        for object in process.table.live() {
            places.insert(leaks::release_of(world, object));
            let created = (object.created().stack, leaks::key(world, object));
            *stacks.entry(created).or_default() += 1;
        }
        let functions = places.into_iter().filter_map(|place| world.code.frames(place).last());
        let releases = functions.map(|frame| frame.identity).collect();
        let mut created = BTreeMap::new();
        for ((stack, key), count) in stacks {
            let key = origins.of(world, key);
            let frames = world.code.described(stack).iter().take(MOST_FUNCTIONS);
            let functions: BTreeSet<_> = frames.map(|frame| frame.identity).collect();
            for function in functions {
                *created.entry((function, key)).or_default() += count;
            }
        }
        Self { releases, created }
    }

    /// Whether a function releases objects that are live.
    pub fn has_release(&self, function: u64) -> bool {
        self.releases.contains(&function)
    }

    /// How many objects of another type a function has created that are live.
    pub fn created(&self, function: u64, key: Key) -> u64 {
        let all = self.created.range((function, Key::default())..);
        let of_function = all.take_while(|((it, _), _)| *it == function);
        of_function.filter(|((_, of), _)| *of != key).map(|(_, &count)| count).max().unwrap_or(0)
    }
}
