//! The type of an object of which nothing is told but where it was created: that of others that were created by the
//! same line, also by other callers.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use crate::code::{Id, PlaceId};
use crate::leaks::Key;
use crate::world::World;

/// A function and a line in it.
type Line = (u64, u32);

/// What is known of creating lines.
pub struct Origins {
    /// The release function of their objects. `None`: there are several.
    releases: HashMap<Line, Option<PlaceId>, FxBuildHasher>,
    /// The first stack of each line.
    stacks: HashMap<Line, Id, FxBuildHasher>,
}

impl Origins {
    /// What all stacks tell.
    pub fn new(world: &World) -> Self {
        let mut origins = Self { releases: HashMap::default(), stacks: HashMap::default() };
        for id in 1..=world.code.count() as Id {
            let release = world.code.get(id).map_or(0, |stack| stack.release.get());
            if let Some(line) = line(world, id).filter(|_| release != 0) {
                let known = origins.releases.entry(line).or_insert(Some(release));
                *known = known.filter(|&known| known == release);
            }
        }
        origins
    }

    /// The type of an object, by what the object itself tells.
    pub fn of(&mut self, world: &World, key: Key) -> Key {
        let (type_name, _, created) = key;
        let Some(line) = line(world, created) else { return key };
        match self.releases.get(&line) {
            Some(&Some(release)) => (type_name, release, 0),
            _ => (type_name, 0, *self.stacks.entry(line).or_insert(created)),
        }
    }
}

/// The innermost line of a creation; `None` if it is not known.
fn line(world: &World, created: Id) -> Option<Line> {
    if created == 0 {
        return None;
    }
    world.code.described(created).first().map(|frame| (frame.identity, frame.line))
}
