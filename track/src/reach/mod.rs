//! What leads to the objects that are held: lost ones are told from those that the program can still reach, and those
//! that others own are left out of the report.
//!
//! The judge reads the program's memory, as LeakSanitizer does from inside. Only then a process can be read: when it
//! waits for the answer to its exit or its request, or when `kref-track -p` asks. Where nothing can be read, nothing is
//! said. A word of the memory is a pointer to a block if it is an address in the block; it may be any number that only
//! looks like one, so an object that is lost may seem to be reachable. The opposite is rare: a pointer that the program
//! keeps only in a register of a thread that waits in a system call, or in a form of its own (compressed, or xor'ed).
//!
//! | file | what it has |
//! |---|---|
//! | mod.rs | the search, and its result by object |
//! | regions.rs | the mappings of the process that can have pointers in them |
//! | memory.rs | reads it, within a budget |
//! | threads.rs | which parts of stacks are in use |
//! | heap.rs | the blocks of glibc's malloc(), with and without objects |
//! | scan.rs | which block has pointers to which |
//! | graph.rs | from the roots to the objects: what is lost, and who owns whom |
//! | accounts.rs | whose references are all those of other objects |
//! | cycles.rs | objects that lead to each other |
//! | owned.rs | counts the objects that others own |
//!
//! An object's extent is the block of malloc() that its count is in. Objects that share a block are as reachable as the
//! block. An object that is not in a block is a variable or on a stack; in memory that the program has mapped itself,
//! nothing is said of it.

use std::cell::LazyCell;
use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use crate::leaks::{self, Key, Reported};
use crate::object::Object;
use crate::process::Process;
use crate::world::World;

mod accounts;
mod cycles;
mod graph;
mod heap;
mod memory;
pub mod owned;
mod regions;
mod scan;
#[cfg(test)]
mod tests;
mod threads;

pub use graph::{Class, Verdict};
pub use threads::Asker;

use graph::Holding;
use scan::Scan;

/// The most held objects to which pointers are searched for. If there are more, the report says that the search is not
/// complete: the program, which waits, would have to wait too long.
const MOST_OBJECTS: usize = 1 << 18;

/// What was found.
#[derive(Default)]
pub struct Reach {
    /// By the number of the object.
    verdicts: HashMap<u64, Verdict, FxBuildHasher>,
    /// How it was searched. `None`: not at all.
    pub search: Option<Search>,
}

/// A search.
#[derive(Debug, Clone, Copy)]
pub struct Search {
    /// How many bytes of the program's memory were read.
    pub bytes: u64,
    /// Whether there was more to read.
    pub is_cut: bool,
}

impl Reach {
    /// Looks for what leads to the objects of a process that waits or runs. `is_exit`: it runs no further.
    pub fn look(world: &World, process: &Process, is_exit: bool) -> Self {
        let mut reported = Reported::new(world, process);
        // To read /proc/PID/smaps is slow: the kernel counts the pages of each mapping. So it is read only when there is
        // something to report.
        let regions = LazyCell::new(|| process.shared.pid().map(regions::of).unwrap_or_default());
        let is_there = |object: &Object| regions.iter().any(|region| region.has(object.address));
        if !process.table.live().any(|object| reported.has(object) && is_there(object)) {
            return Self::default();
        }
        if process.table.live().nth(MOST_OBJECTS).is_some() {
            return Self { search: Some(Search { bytes: 0, is_cut: true }), ..Self::default() };
        }
        let scan = Scan::of(process.pid, &regions, process.asker.as_ref());
        let Some(mut scan) = scan else { return Self::default() };
        let mut kinds: HashMap<Key, u32, FxBuildHasher> = HashMap::default();
        let mut places: Vec<(u64, Option<u32>, u64)> = Vec::new();
        for object in process.table.live() {
            let new = kinds.len() as u32;
            let kind = *kinds.entry(leaks::key(world, object)).or_insert(new);
            let block = scan.blocks.find(object.address);
            places.push((object.serial(), block, object.address));
            if let Some(block) = block {
                let held = holding(process, object, kind, reported.has(object));
                add(&mut scan.graph.blocks[block as usize], held);
            }
        }
        scan.read_all();
        let (bytes, is_cut) = (scan.memory.read.get(), scan.is_cut());
        let is_whole = !is_cut && (is_exit || !scan.stacks.have_secrets());
        let outside = scan.outside();
        let verdicts = scan.graph.judge(is_whole);
        let of = |block, address| match block {
            Some(block) => verdicts[block as usize],
            None => outside
                .iter()
                .find(|place| (place.0..place.1).contains(&address))
                .map(|place| Verdict::new(place.2)),
        };
        let known = places
            .into_iter()
            .filter_map(|(serial, block, address)| Some((serial, of(block, address)?)));
        Self { verdicts: known.collect(), search: Some(Search { bytes, is_cut }) }
    }

    /// What is said of an object.
    pub fn of(&self, object: &Object) -> Option<Verdict> {
        self.verdicts.get(&object.serial()).copied()
    }
}

fn holding(process: &Process, object: &Object, kind: u32, is_reported: bool) -> Holding {
    let references = process.table.held(object).map(|held| held.count).sum();
    Holding { references, serial: object.serial(), kind, is_reported, is_shared: false }
}

/// Adds an object to those of a block.
fn add(place: &mut Option<Holding>, new: Holding) {
    *place = Some(place.map_or(new, |known| Holding {
        references: known.references.saturating_add(new.references),
        is_reported: known.is_reported || new.is_reported,
        is_shared: true,
        ..known
    }));
}
