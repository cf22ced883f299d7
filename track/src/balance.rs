//! kref_balance_begin() and kref_balance_end(): what a thread takes between both, and does not give back.
//!
//! A reference is left behind if the region's thread took it in the region and it is held at the region's end. The judge
//! may be wrong about which reference a put gave back, so an object counts only if the thread also took more references
//! on it than it gave back.

use std::collections::{BTreeMap, HashMap};

use rustc_hash::FxBuildHasher;

use crate::code::Id;
use crate::names::{NONE, Name};
use crate::object::{Act, LOST};
use crate::process::Process;
use crate::slab::At;
use crate::table::Table;
use crate::world::World;
use crate::{filter, format, json, leaks, text};

/// The regions of all threads.
#[derive(Default)]
pub struct Regions {
    /// The innermost region of each thread comes last.
    all: Vec<Region>,
    /// For each thread the regions for which there was no room: their ends belong to none of `all`.
    skipped: HashMap<u32, u64, FxBuildHasher>,
}

struct Region {
    begun: Act,
    /// The type that is looked at, or [`NONE`] for all.
    type_name: Name,
    objects: HashMap<At, Touched, FxBuildHasher>,
}

/// An object on which the thread took a reference in the region.
struct Touched {
    /// The object's number: its place may be another object's later.
    serial: u64,
    /// Gets less puts, and less what other threads gave back of the references that this thread took.
    net: i64,
    /// The stacks of the gets, and how many references that this thread took there were held before the first of these.
    stacks: Vec<(Id, u64)>,
}

/// References that were left behind on objects of one type, taken at one stack.
pub struct Left {
    /// The type's name.
    pub of: String,
    /// Where they were taken.
    pub stack: Id,
    /// How many.
    pub count: u64,
    /// On how many objects.
    pub objects: u64,
    /// The number and the address of one of these.
    pub example: (u64, u64),
}

/// The most regions of all threads at a time. kref_balance_end() returns 0 for one that begins beyond that.
const MOST_REGIONS: usize = 1 << 12;
/// The most objects of one region. What is left behind on others is not reported.
const MOST_OBJECTS: usize = 1 << 16;
/// The most stacks of gets on one object of a region. What was taken at others is not reported.
const MOST_STACKS: usize = 1 << 8;

impl Regions {
    /// A thread begins one.
    pub fn begin(&mut self, begun: Act, type_name: Name) {
        if self.all.len() < MOST_REGIONS {
            self.all.push(Region { begun, type_name, objects: HashMap::default() });
        } else {
            *self.skipped.entry(begun.thread).or_default() += 1;
        }
    }

    /// A thread takes a reference. The table does not have it yet, unless it is that of a new object.
    pub fn got(&mut self, table: &Table, at: At, by: Act, is_new: bool) {
        for region in self.all.iter_mut().filter(|region| region.begun.thread == by.thread) {
            let serial = table.object(at).serial();
            let is_other = region.objects.get(&at).is_some_and(|it| it.serial != serial);
            if is_other {
                region.objects.remove(&at);
            }
            if region.objects.len() >= MOST_OBJECTS && !region.objects.contains_key(&at) {
                continue;
            }
            let new = || Touched { serial, net: 0, stacks: Vec::new() };
            let touched = region.objects.entry(at).or_insert_with(new);
            touched.net += 1;
            let is_known = touched.stacks.iter().any(|known| known.0 == by.stack);
            if !is_known && touched.stacks.len() < MOST_STACKS {
                let before = if is_new { 0 } else { held(table, at, by.thread, Some(by.stack)) };
                touched.stacks.push((by.stack, before));
            }
        }
    }

    /// A thread gives a reference back, which `put` takes out of the table. If another thread gives back one that the
    /// region's thread took, it may be one of the region's, which was handed over.
    pub fn put<T>(
        &mut self,
        table: &mut Table,
        at: At,
        by: Act,
        put: impl FnOnce(&mut Table) -> T,
    ) -> T {
        let serial = table.object(at).serial();
        let mut touched: Vec<_> = self
            .all
            .iter_mut()
            .filter_map(|region| {
                let touched = region.objects.get_mut(&at).filter(|it| it.serial == serial)?;
                let thread = region.begun.thread;
                Some((touched, thread, held(table, at, thread, None)))
            })
            .collect();
        let result = put(table);
        for (touched, thread, before) in &mut touched {
            let is_own = *thread == by.thread;
            if is_own || held(table, at, *thread, None) < *before {
                touched.net -= 1;
            }
        }
        result
    }

    fn end(&mut self, thread: u32) -> Option<Region> {
        if let Some(skipped) = self.skipped.get_mut(&thread).filter(|skipped| **skipped > 0) {
            *skipped -= 1;
            return None;
        }
        let last = self.all.iter().rposition(|region| region.begun.thread == thread)?;
        Some(self.all.remove(last))
    }
}

/// The references that a thread took, at a stack or anywhere, and that are held.
fn held(table: &Table, at: At, thread: u32, stack: Option<Id>) -> u64 {
    let held = table.held(table.object(at));
    let by = held.filter(|held| {
        held.by.thread == thread && stack.is_none_or(|stack| held.by.stack == stack)
    });
    by.map(|held| u64::from(held.count)).sum()
}

/// A thread ends its innermost region. Returns how many references it left behind, which are reported.
pub fn end(world: &World, process: &mut Process, by: Act) -> u64 {
    let Some(region) = process.regions.end(by.thread) else { return 0 };
    let left = left(world, process, &region);
    let count = left.iter().map(|left| left.count).sum();
    if count > 0 {
        process.found += 1;
        let value = || json::left_behind(world, process, region.begun, &left);
        let text = || text::left_behind(world, region.begun, &left);
        format::tell(world, process.pid, value, text);
    }
    count
}

fn left(world: &World, process: &Process, region: &Region) -> Vec<Left> {
    let wanted = world.code.names.get(region.type_name);
    let mut all: BTreeMap<(String, Id), Left> = BTreeMap::new();
    for (&at, touched) in &region.objects {
        let object = process.table.object(at);
        let is_there = object.serial() == touched.serial && object.is_live() && !object.is(LOST);
        if !is_there || process.shared.has(object.address) || world.is_doubtful(object.created()) {
            continue;
        }
        let created = object.created().stack;
        if !filter::fits(world, object.type_name(), object.release, created) {
            continue;
        }
        let of = leaks::name(world, leaks::key(world, object));
        if region.type_name != NONE && wanted != Some(&of) {
            continue;
        }
        let mut most = u64::try_from(touched.net).unwrap_or(0);
        for &(stack, before) in &touched.stacks {
            let now = held(&process.table, at, region.begun.thread, Some(stack));
            let count = now.saturating_sub(before).min(most);
            if count > 0 {
                most -= count;
                let example = (object.serial(), object.address);
                let new = || Left { of: of.clone(), stack, count: 0, objects: 0, example };
                let left = all.entry((of.clone(), stack)).or_insert_with(new);
                left.count += count;
                left.objects += 1;
                left.example = left.example.min(example);
            }
        }
    }
    all.into_values().collect()
}
