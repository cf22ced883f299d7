//! A get and the next put that plainly are a pair: a long history does without them, and they are counted.

use std::cell::RefCell;
use std::collections::HashMap;
use std::iter;

use rustc_hash::FxBuildHasher;

use super::history::{common, stack};
use super::log;
use crate::code::Id;
use crate::leaks::{self, Key};
use crate::object::{Object, Step};
use crate::world::World;

/// So many pairs of recorders' stacks are remembered.
const REMEMBERED: usize = 1 << 10;
/// A put that comes so many stacks of its thread after a get, or later, is not plainly its pair.
const FAR: u32 = 16;

/// Two stacks of a recorder, of a get and a put that follow each other in one thread.
#[derive(Clone, Copy, Default)]
struct Neighbours {
    recorded: (u32, u32),
    /// Whether they are plainly a pair.
    is_pair: bool,
    /// The type of the objects,
    of: Key,
    /// our numbers of the stacks,
    stacks: (Id, Id),
    /// and how many of these pairs were counted since they came here.
    count: u64,
}

/// Pairs by type and by the stacks of the get and the put, and how many there are of each.
#[derive(Default)]
struct Counts(HashMap<(Key, (Id, Id)), u64, FxBuildHasher>);

impl Counts {
    fn add(&mut self, of: Key, stacks: (Id, Id), count: u64) {
        *self.0.entry((of, stacks)).or_default() += count;
    }

    fn take(&mut self, neighbours: &mut Neighbours) {
        if neighbours.count > 0 {
            self.add(neighbours.of, neighbours.stacks, std::mem::take(&mut neighbours.count));
        }
    }
}

/// Plain pairs, a get and its put, that were taken out of the histories of objects with very many gets and puts.
pub struct Plain {
    counts: RefCell<Counts>,
    neighbours: RefCell<Vec<Neighbours>>,
}

impl Default for Plain {
    fn default() -> Self {
        let neighbours = RefCell::new(vec![Neighbours::default(); REMEMBERED]);
        Self { counts: RefCell::default(), neighbours }
    }
}

impl Plain {
    /// The stacks of the pairs of a type, and how many there are of each.
    pub fn of(&self, key: Key) -> Vec<(Id, Id, f64)> {
        let mut counts = self.counts.borrow_mut();
        self.neighbours.borrow_mut().iter_mut().for_each(|it| counts.take(it));
        let of_type = counts.0.iter().filter(|((of, _), _)| *of == key);
        let mut pairs: Vec<_> =
            of_type.map(|(&(_, (get, put)), &count)| (get, put, count as f64)).collect();
        pairs.sort_unstable_by_key(|&(get, put, _)| (get, put));
        pairs
    }

    /// Counts a pair.
    pub fn count(&self, world: &World, object: &Object, get: &Step, put: &Step) {
        let stacks = (stack(world, get), stack(world, put));
        self.counts.borrow_mut().add(leaks::key(world, object), stacks, 1);
    }

    /// Counts a get and a put of an object, if they are plainly a pair: hardly anything of the thread is between, and
    /// one call of a function has led to both. Returns whether they are. They are not if that call has also led to an earlier
    /// get that no put gives back before: this put may give back either. `steps` are those before the put, the newest first.
    pub fn is_pair<'a>(
        &self,
        world: &World,
        object: &Object,
        mut steps: impl Iterator<Item = &'a Step>,
        put: &Step,
    ) -> bool {
        let Some(get) = steps.next() else { return false };
        let distance = log::distance(get.place(), put.place());
        let may_be = may_be_pair(get, put) && get.thread == put.thread && distance < FAR;
        let may_be = may_be && !may_undo_earlier(world, steps, put);
        if may_be && distance == 1 {
            return self.are_neighbours(world, object, get, put);
        }
        let is_pair = may_be && is_near(world, get, put);
        if is_pair {
            self.count(world, object, get, put);
        }
        is_pair
    }

    /// With nothing between the get and the put, their stacks tell all.
    fn are_neighbours(&self, world: &World, object: &Object, get: &Step, put: &Step) -> bool {
        let mut all = self.neighbours.borrow_mut();
        let recorded = (get.recorded, put.recorded);
        let it = &mut all[(recorded.0.wrapping_mul(31) ^ recorded.1) as usize % REMEMBERED];
        if it.recorded != recorded {
            self.counts.borrow_mut().take(it);
            let is_pair = is_near(world, get, put);
            let stacks = (stack(world, get), stack(world, put));
            *it = Neighbours { recorded, is_pair, stacks, ..Neighbours::default() };
        }
        if it.is_pair {
            let of = leaks::key(world, object);
            if it.of != of {
                self.counts.borrow_mut().take(it);
                it.of = of;
            }
            it.count += 1;
        }
        it.is_pair
    }
}

/// Whether a put may give back one of some earlier gets of its thread. A put among them gives the nearest one back.
fn may_undo_earlier<'a>(world: &World, steps: impl Iterator<Item = &'a Step>, put: &Step) -> bool {
    let is_close = |it: &&Step| log::distance(it.place(), put.place()) < FAR;
    let of_thread = steps.take(FAR as usize).filter(|it| it.thread == put.thread);
    let mut given_back = 0;
    for step in of_thread.take_while(is_close) {
        if !step.is_get() {
            given_back += 1;
        } else if given_back > 0 {
            given_back -= 1;
        } else if may_be_pair(step, put) && is_near(world, step, put) {
            return true;
        }
    }
    false
}

/// Whether a put may give back what a get has taken.
pub fn may_be_pair(get: &Step, put: &Step) -> bool {
    get.is_get() && !get.is_creation() && get.holder.name() == put.holder.name()
}

/// Whether one call of a function has led to a get and a put, in one pass, and not in the same line or the next one: that
/// may be an exchange of one holder's reference for another's.
pub fn is_near(world: &World, get: &Step, put: &Step) -> bool {
    let common = common(world, get, iter::once(put))[0];
    let frames = |step: &Step| world.code.described(stack(world, step));
    let (get, put) = (frames(get), frames(put));
    let far = get.len() + put.len() - 2 * usize::from(common.calls);
    let is_close = common.is_one_pass && common.calls > 0 && far <= 3;
    is_close && !matches!(common.lines(get, put), Some(0 | 1))
}
