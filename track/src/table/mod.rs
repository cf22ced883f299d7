//! The objects of one process, by address.
//!
//! | file | what it has |
//! |---|---|
//! | mod.rs | objects: how they begin and end, and what is asked of them |
//! | groups.rs | references that are held: gets and puts |
//! | pairs.rs | references that were given back: the balance |
//! | steps.rs | histories: gets and puts in their order |
//! | released.rs | which objects were released last |

use crate::budget::Budget;
use crate::held::{Group, Held, Pair};
use crate::index::{Index, prefetch};
use crate::names::{NONE, Name};
use crate::object::{Act, FIRST, FREE, Mark, Object, PERCPU, RELEASED, SERIALS, Step};
use crate::pages::Pages;
use crate::slab::{At, NIL, Slab};

mod groups;
mod pairs;
mod released;
mod steps;
#[cfg(test)]
mod tests;

use released::Released;

pub use groups::Undone;

/// The stacks of a page.
const KEPT_PAGE: usize = 256;

/// The objects.
pub struct Table {
    index: Index,
    objects: Slab<Object>,
    groups: Slab<Group>,
    pairs: Slab<Pair>,
    steps: Slab<Step>,
    /// For each stack, how many objects there are that were created there and whose histories are kept.
    kept: Pages<u32, KEPT_PAGE>,
    released: Released,
    /// How many objects there were.
    pub created: u64,
    /// The objects up to this serial number are the parent's, of the process that forked this one.
    pub inherited: u64,
    /// Objects that were not tracked, for want of memory.
    pub lost: u64,
}

impl Table {
    /// No objects.
    pub fn new(budget: &Budget) -> Self {
        Self {
            index: Index::new(budget),
            objects: Slab::new(budget),
            groups: Slab::new(budget),
            pairs: Slab::new(budget),
            steps: Slab::new(budget),
            kept: Pages::new(budget),
            released: Released::new(budget),
            created: 0,
            inherited: 0,
            lost: 0,
        }
    }

    /// Another table with the same objects: that of a fork's child.
    pub fn fork(&mut self) -> Self {
        Self {
            index: self.index.share(),
            objects: self.objects.share(),
            groups: self.groups.share(),
            pairs: self.pairs.share(),
            steps: self.steps.share(),
            kept: self.kept.share(),
            released: self.released.share(),
            inherited: self.created,
            ..*self
        }
    }

    /// The number of the object at `address`.
    pub fn find(&self, address: u64) -> Option<At> {
        self.index.find(address, |at| self.objects.at(at).address)
    }

    /// The object.
    pub fn object(&self, at: At) -> &Object {
        self.objects.at(at)
    }

    /// The object.
    pub fn object_mut(&mut self, at: At) -> &mut Object {
        self.objects.at_mut(at)
    }

    /// Whether a parent process has created the object.
    pub fn is_inherited(&self, object: &Object) -> bool {
        object.serial() <= self.inherited
    }

    /// Asks the processor for the memory of an object that an event will need: what leads to it, then itself,
    /// then what it leads to.
    pub fn prefetch(&self, address: u64, step: u8) {
        if step == 0 {
            return self.index.prefetch(address);
        }
        let object = self.index.guess(address).and_then(|at| self.objects.get(at));
        match (step, object) {
            (1, Some(object)) => prefetch(object),
            (_, Some(object)) => {
                let _ = self.groups.get(object.groups).map(prefetch);
                let _ = self.pairs.get(object.pairs).map(prefetch);
            }
            _ => {}
        }
    }

    /// Begins an object at an address where none is. `None`: no memory.
    pub fn insert(
        &mut self,
        address: u64,
        created: Act,
        type_name: Name,
        mark: Mark,
    ) -> Option<At> {
        let serial = self.created + 1;
        let object = Object::new(address, serial, created, type_name, mark);
        let has_room = serial < SERIALS && self.objects.has_room();
        let at = has_room.then(|| self.objects.add(object)).flatten();
        let Some(at) = at else {
            self.lost += 1;
            return None;
        };
        self.created = serial;
        self.index.insert(address, at, |at| self.objects.at(at).address);
        Some(at)
    }

    /// Forgets an object.
    pub fn remove(&mut self, at: At) {
        self.clear(at);
        let address = self.objects.at(at).address;
        self.index.remove(address, at, |at| self.objects.at(at).address);
        self.objects.at_mut(at).set(FREE, true);
        self.objects.remove(at);
    }

    /// The last reference is gone: what is left to know is small. The object stays known for a while, with what was
    /// given back: a put that comes too late may be right, and one before it wrong.
    pub fn end(&mut self, at: At, by: Act) {
        self.clear_groups(at);
        self.drop_steps(at);
        let last = self.groups.add(Group::new(by, NONE, 0, NIL)).unwrap_or(NIL);
        let object = self.objects.at_mut(at);
        object.groups = last;
        object.set(FIRST, false);
        object.set(RELEASED, true);
        if !object.is(PERCPU) {
            self.remember(at);
        }
    }

    /// percpu_ref_exit().
    pub fn exit(&mut self, at: At, by: Act) {
        let object = self.objects.at_mut(at);
        object.set(PERCPU, false);
        if object.is(RELEASED) { self.remember(at) } else { self.end(at, by) }
    }

    /// The memory of an object has moved to an address where no object is.
    pub fn relocate(&mut self, at: At, address: u64) {
        let before = self.objects.at(at).address;
        self.index.remove(before, at, |at| self.objects.at(at).address);
        self.objects.at_mut(at).address = address;
        self.index.insert(address, at, |at| self.objects.at(at).address);
    }

    /// Whether there ever was another reference than the creator's.
    pub fn was_shared(&self, object: &Object) -> bool {
        !object.is(FIRST) || object.groups != NIL || object.pairs != NIL
    }

    /// A released percpu_ref is used again.
    pub fn revive(&mut self, at: At) {
        if self.objects.at(at).is(RELEASED) {
            self.clear(at);
            self.objects.at_mut(at).set(RELEASED, false);
        }
    }

    /// A released object stays known until many others were released.
    fn remember(&mut self, at: At) {
        let serial = self.objects.at(at).serial();
        if let Some((old, serial)) = self.released.add(at, serial)
            && self.objects.at(old).is(RELEASED)
            && !self.objects.at(old).is(FREE)
            && self.objects.at(old).serial() == serial
        {
            self.remove(old);
        }
    }

    /// Gives the groups and pairs of an object back.
    fn clear(&mut self, at: At) {
        self.clear_groups(at);
        self.drop_steps(at);
        let pairs = std::mem::replace(&mut self.objects.at_mut(at).pairs, NIL);
        self.pairs.remove_all(pairs);
    }

    fn clear_groups(&mut self, at: At) {
        let groups = std::mem::replace(&mut self.objects.at_mut(at).groups, NIL);
        self.groups.remove_all(groups);
    }

    /// Who released the object.
    pub fn released(&self, object: &Object) -> Option<Act> {
        object.is(RELEASED).then(|| self.groups.get(object.groups).map(Group::by))?
    }

    /// What is held, the latest first, kref_init()'s last.
    pub fn held(&self, object: &Object) -> impl Iterator<Item = Held> + Clone + '_ {
        let groups = (!object.is(RELEASED)).then(|| self.groups_of(object));
        groups.into_iter().flatten().map(Group::held).chain(object.first())
    }

    /// The same for reports: what was taken alike is one, and the oldest comes first.
    pub fn holders(&self, object: &Object) -> Vec<Held> {
        let mut all: Vec<Held> = Vec::new();
        for held in self.held(object) {
            match all.iter_mut().find(|known| known.is_alike(&held)) {
                Some(known) => {
                    known.count += held.count;
                    known.by = held.by;
                }
                None => all.push(held),
            }
        }
        all.reverse();
        all
    }

    /// Every live object.
    pub fn live(&self) -> impl Iterator<Item = &Object> + '_ {
        self.objects.all().filter(|object| object.is_live())
    }

    /// Every object that is known, also those that were released.
    pub fn known(&self) -> impl Iterator<Item = &Object> + '_ {
        self.objects.all().filter(|object| !object.is(FREE))
    }

    /// Changes the marks of all references.
    pub fn renumber(&mut self, new: impl Fn(Mark) -> Mark) {
        self.objects.change(|object| object.set_mark(new(object.mark())));
        self.groups.change(|group| group.holder.set_mark(new(group.holder.mark())));
        self.steps.change(|step| step.holder.set_mark(new(step.holder.mark())));
    }
}
