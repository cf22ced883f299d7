//! Which objects are in a report.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use super::Key;
use crate::filter;
use crate::object::{LOST, Object};
use crate::process::Process;
use crate::world::World;

/// Tells which objects are in a report: those on which references are held that were taken since the last checkpoint.
pub struct Reported<'a> {
    world: &'a World,
    process: &'a Process,
    wanted: HashMap<Key, bool, FxBuildHasher>,
}

impl<'a> Reported<'a> {
    /// In a report of this process.
    pub fn new(world: &'a World, process: &'a Process) -> Self {
        Self { world, process, wanted: HashMap::default() }
    }

    /// Whether a live object is.
    pub fn has(&mut self, object: &Object) -> bool {
        let process = self.process;
        let mut held = process.table.held(object);
        !object.is(LOST)
            && !process.shared.has(object.address)
            && held.any(|held| held.mark == process.mark)
            && self.is_wanted(object)
    }

    /// Whether the filter lets an object through.
    pub fn is_wanted(&mut self, object: &Object) -> bool {
        let (world, origin) =
            (self.world, (object.type_name(), object.release, object.created().stack));
        let fits = || filter::fits(world, origin.0, origin.1, origin.2);
        *self.wanted.entry(origin).or_insert_with(fits)
    }
}
