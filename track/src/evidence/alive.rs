//! The live objects, by release function and by constructor. An object that is not released keeps the references that it
//! has on objects of other types, so these references may be a consequence.

use std::collections::{BTreeMap, BTreeSet};

use crate::code::{Id, PlaceId};
use crate::leaks::{self, Key};
use crate::origins::Origins;
use crate::process::Process;
use crate::world::World;

/// A constructor is among so many functions of the stack of kref_init().
const MOST_FUNCTIONS: usize = 3;

/// The live objects of all types.
#[derive(Default)]
pub struct Alive {
    /// How many of each type have each release function, by the function's identity.
    releases: BTreeMap<(u64, Key), u64>,
    /// How many of each type each function has created, by the function's identity.
    created: BTreeMap<(u64, Key), u64>,
}

impl Alive {
    /// Those of a process. The types are those of the report.
    pub fn new(world: &World, process: &Process, origins: &mut Origins) -> Self {
        let mut alike: BTreeMap<(Id, PlaceId, Key), u64> = BTreeMap::new();
        for object in process.table.live() {
            let release = leaks::release_of(world, object);
            let alike = alike.entry((object.created().stack, release, leaks::key(world, object)));
            *alike.or_default() += 1;
        }
        let (mut releases, mut created) = (BTreeMap::new(), BTreeMap::new());
        for ((stack, release, key), count) in alike {
            let key = origins.of(world, key);
            if let Some(release) = world.code.frames(release).last() {
                *releases.entry((release.identity, key)).or_default() += count;
            }
            let frames = world.code.described(stack).iter().take(MOST_FUNCTIONS);
            let functions: BTreeSet<_> = frames.map(|frame| frame.identity).collect();
            for function in functions {
                *created.entry((function, key)).or_default() += count;
            }
        }
        Self { releases, created }
    }

    /// Whether a function releases objects that are live, beside the one that is in question: it does not wait for its
    /// own release.
    pub fn has_release(&self, function: u64, key: Key) -> bool {
        let all = self.releases.range((function, Key::default())..);
        let mut of_function = all.take_while(|((it, _), _)| *it == function);
        of_function.any(|((_, of), &count)| *of != key || count > 1)
    }

    /// How many objects of a type a function has created that are live: of one of the other types, or also of this one.
    pub fn created(&self, function: u64, key: Key, with_own: bool) -> u64 {
        let all = self.created.range((function, Key::default())..);
        let of_function = all.take_while(|((it, _), _)| *it == function);
        of_function
            .filter(|((_, of), _)| with_own || *of != key)
            .map(|(_, &count)| count)
            .max()
            .unwrap_or(0)
    }
}
