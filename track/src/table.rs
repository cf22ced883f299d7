//! The objects of one process, by address.

use std::collections::VecDeque;

use crate::budget::Budget;
use crate::code::{Code, Id};
use crate::index::{Index, prefetch};
use crate::matching::{self, Candidate, Choice, Distances};
use crate::names::{NONE, Name};
use crate::object::{
    Act, DOUBTS, FIRST, FREE, Group, Held, INHERITED, Mark, Object, PERCPU, Pair, RELEASED,
    UNRECORDED, UNSURE,
};
use crate::slab::{At, NIL, Slab};

/// More ways to hold one object than this are counted together.
const MOST_GROUPS: usize = 256;
/// More pairs of call sites of one object than this are not balanced.
const MOST_PAIRS: usize = 128;
/// How many released objects are remembered, for whoever comes too late.
const REMEMBERED: usize = 1 << 16;
/// What an object takes with its share of the index.
const OBJECT_BYTES: usize = size_of::<Object>() + 8;

/// What a put was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undone {
    /// A reference that is known.
    Known,
    /// One that is not: all there is was given back already.
    Nothing,
    /// The holder that it names holds none.
    WrongHolder,
}

/// The objects.
#[derive(Default)]
pub struct Table {
    index: Index,
    objects: Slab<Object>,
    groups: Slab<Group>,
    pairs: Slab<Pair>,
    /// Numbers and serials of the released ones, the oldest first.
    released: VecDeque<(At, u64)>,
    /// How many objects there were.
    pub created: u64,
    /// Objects that were not tracked, for want of memory.
    pub lost: u64,
}

impl Table {
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
        budget: &Budget,
    ) -> Option<At> {
        let serial = self.created + 1;
        let object = Object::new(address, serial, created, type_name, mark);
        let at = budget.has_room().then(|| self.objects.add(object)).flatten();
        let Some(at) = at else {
            self.lost += 1;
            return None;
        };
        budget.take(OBJECT_BYTES);
        self.created = serial;
        self.index.insert(address, at, |at| self.objects.at(at).address);
        Some(at)
    }

    /// Takes over an object of a parent's, with what is held. `mark` tells the new marks by the old ones.
    pub fn inherit(
        &mut self,
        from: &Self,
        at: At,
        mark: impl Fn(Mark) -> Mark,
        budget: &Budget,
    ) -> Option<At> {
        let before = *from.object(at);
        let own = self.insert(before.address, before.created(), before.type_name, 0, budget)?;
        self.created -= 1;
        let mut newest = NIL;
        let mut groups: Vec<_> = from.groups_of(&before).copied().collect();
        groups.reverse();
        for mut group in groups {
            group.next = newest;
            group.set_mark(mark(group.mark()));
            newest = self.groups.add(group).unwrap_or(newest);
            budget.take(size_of::<Group>());
        }
        let object = self.objects.at_mut(own);
        let first_mark = mark(before.first_mark);
        *object = before;
        (object.groups, object.pairs, object.first_mark) = (newest, NIL, first_mark);
        object.set(INHERITED, true);
        Some(own)
    }

    /// What was held of an object before all checkpoints gets a mark: it is this process's now.
    pub fn own(&mut self, at: At, mark: Mark) {
        let object = self.objects.at_mut(at);
        if object.first_mark == 0 {
            object.first_mark = mark;
        }
        let mut place = if object.is(RELEASED) { NIL } else { object.groups };
        while place != NIL {
            let group = self.groups.at_mut(place);
            if group.mark() == 0 {
                group.set_mark(mark);
            }
            place = group.next;
        }
    }

    /// An object of a parent's of which nothing is known.
    pub fn adopt(&mut self, address: u64, budget: &Budget) -> Option<At> {
        let at = self.insert(address, Act::default(), NONE, 0, budget)?;
        self.created -= 1;
        let object = self.objects.at_mut(at);
        object.serial = 0;
        object.set(INHERITED, true);
        object.set(FIRST, false);
        Some(at)
    }

    /// Forgets an object.
    pub fn remove(&mut self, at: At, budget: &Budget) {
        self.clear(at, budget);
        let address = self.objects.at(at).address;
        self.index.remove(address, at, |at| self.objects.at(at).address);
        self.objects.at_mut(at).set(FREE, true);
        self.objects.remove(at);
        budget.give_back(OBJECT_BYTES);
    }

    /// The last reference is gone: what is left to know is small. The object stays known for a while.
    pub fn end(&mut self, at: At, by: Act, budget: &Budget) {
        self.clear(at, budget);
        let last = self.groups.add(Group::new(by, NONE, 0, NIL)).unwrap_or(NIL);
        budget.take(size_of::<Group>());
        let object = self.objects.at_mut(at);
        object.groups = last;
        object.set(FIRST, false);
        object.set(RELEASED, true);
        if !object.is(PERCPU) {
            self.remember(at, budget);
        }
    }

    /// percpu_ref_exit().
    pub fn exit(&mut self, at: At, by: Act, budget: &Budget) {
        let object = self.objects.at_mut(at);
        object.set(PERCPU, false);
        if object.is(RELEASED) { self.remember(at, budget) } else { self.end(at, by, budget) }
    }

    /// A released percpu_ref is used again.
    pub fn revive(&mut self, at: At, budget: &Budget) {
        if self.objects.at(at).is(RELEASED) {
            self.clear(at, budget);
            self.objects.at_mut(at).set(RELEASED, false);
        }
    }

    /// A released object stays known until many others were released.
    fn remember(&mut self, at: At, budget: &Budget) {
        self.released.push_back((at, self.objects.at(at).serial));
        if self.released.len() > REMEMBERED
            && let Some((old, serial)) = self.released.pop_front()
            && self.objects.at(old).is(RELEASED)
            && !self.objects.at(old).is(FREE)
            && self.objects.at(old).serial == serial
        {
            self.remove(old, budget);
        }
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

    fn groups_of(&self, object: &Object) -> impl Iterator<Item = &Group> + Clone + '_ {
        std::iter::successors(self.groups.get(object.groups), |group| self.groups.get(group.next))
    }

    /// Shows the gets and puts of an object by stack: `look` gets a stack, how many gets, and how many puts.
    pub fn balance(&self, object: &Object, mut look: impl FnMut(Id, u32, u32)) {
        for held in self.held(object).filter(|held| !held.is_first) {
            look(held.by.stack, held.count, 0);
        }
        for pair in self.pairs_of(object).filter(|pair| pair.get != DOUBTS) {
            if pair.get != 0 {
                look(pair.get, pair.count, 0);
            }
            look(pair.put, 0, pair.count);
        }
        // A percpu_ref's initial reference has a get of its own.
        if !object.is(PERCPU) {
            look(object.created().stack, 1, 0);
        }
    }

    /// How many puts of an object the rules could not match, or how many gets had no room.
    pub fn doubts(&self, object: &Object, kind: Id) -> u32 {
        let doubts = |pair: &&Pair| pair.get == DOUBTS && pair.put == kind;
        self.pairs_of(object).find(doubts).map_or(0, |doubts| doubts.count)
    }

    fn pairs_of(&self, object: &Object) -> impl Iterator<Item = &Pair> + '_ {
        std::iter::successors(self.pairs.get(object.pairs), |pair| self.pairs.get(pair.next))
    }

    /// A get.
    pub fn get(&mut self, at: At, by: Act, holder: Name, mark: Mark, budget: &Budget) {
        let newest = self.objects.at(at).groups;
        let mut group = Group::new(by, holder, mark, newest);
        let (mut before, mut place, mut count) = (NIL, newest, 0);
        while let Some(known) = self.groups.get(place) {
            if known.is_alike(&group) {
                let known = self.groups.at_mut(place);
                known.count += 1;
                return self.make_newest(at, before, place);
            }
            count += 1;
            (before, place) = (place, known.next);
        }
        group.next = newest;
        let added = count < MOST_GROUPS && budget.has_room();
        match added.then(|| self.groups.add(group)).flatten() {
            Some(new) => {
                budget.take(size_of::<Group>());
                self.objects.at_mut(at).groups = new;
            }
            None => self.count(at, DOUBTS, UNRECORDED, budget),
        }
    }

    /// The latest is the first.
    fn make_newest(&mut self, at: At, before: At, place: At) {
        if before == NIL {
            return;
        }
        let object = self.objects.at_mut(at);
        let next = self.groups.at(place).next;
        self.groups.at_mut(before).next = next;
        self.groups.at_mut(place).next = object.groups;
        object.groups = place;
    }

    /// A put.
    pub fn put(
        &mut self,
        at: At,
        by: Act,
        holder: Name,
        code: &Code,
        distances: &Distances,
        budget: &Budget,
    ) -> Undone {
        if holder != NONE
            && let Some(get) = self.drop_where(at, budget, |group| group.holder() == holder)
        {
            self.count(at, get, by.stack, budget);
            return Undone::Known;
        }
        let undone = self.put_unnamed(at, by, code, distances, budget);
        let object = self.objects.at(at);
        let is_excused = object.is(INHERITED) || self.doubts(object, UNRECORDED) > 0;
        if holder != NONE && !is_excused { Undone::WrongHolder } else { undone }
    }

    /// A put that names nobody gives back what nobody named is held by, if there is such.
    fn put_unnamed(
        &mut self,
        at: At,
        by: Act,
        code: &Code,
        distances: &Distances,
        budget: &Budget,
    ) -> Undone {
        let Some((held, unsure)) = self.choose(at, by, code, distances) else {
            self.forgive(at);
            self.count(at, 0, by.stack, budget);
            return Undone::Nothing;
        };
        if unsure {
            self.count(at, DOUBTS, UNSURE, budget);
        }
        let get = if held.is_first {
            self.objects.at_mut(at).set(FIRST, false);
            None
        } else {
            self.drop_where(at, budget, |group| group.held() == held)
        };
        self.count(at, get.unwrap_or(0), by.stack, budget);
        Undone::Known
    }

    /// A put that undoes nothing that is known undoes one of the gets for which there was no room.
    fn forgive(&mut self, at: At) {
        let mut place = self.objects.at(at).pairs;
        while let Some(pair) = self.pairs.get(place) {
            if pair.get == DOUBTS && pair.put == UNRECORDED && pair.count > 0 {
                self.pairs.at_mut(place).count -= 1;
                return;
            }
            place = pair.next;
        }
    }

    /// The reference that a put without a name gives back, and whether that is not certain.
    fn choose(&self, at: At, by: Act, code: &Code, distances: &Distances) -> Option<(Held, bool)> {
        let object = self.objects.at(at);
        let unnamed = self.held(object).any(|held| held.holder == NONE);
        let fits = |held: &Held| !unnamed || held.holder == NONE;
        let candidates = self.held(object).filter(fits).map(|held| Candidate {
            stack: held.by.stack,
            thread: held.by.thread,
            is_first: held.is_first,
        });
        let Choice { index, unsure } =
            matching::choose(by.stack, by.thread, candidates, code, distances)?;
        let chosen = self.held(object).filter(fits).nth(index)?;
        Some((chosen, unsure || !unnamed))
    }

    /// Takes one reference from the latest group that fits. Returns the stack at which it was taken.
    fn drop_where(&mut self, at: At, budget: &Budget, fits: impl Fn(&Group) -> bool) -> Option<Id> {
        let (mut before, mut place) = (NIL, self.objects.at(at).groups);
        while let Some(group) = self.groups.get(place) {
            let next = group.next;
            if !fits(group) {
                (before, place) = (place, next);
                continue;
            }
            let group = self.groups.at_mut(place);
            group.count -= 1;
            let (stack, is_empty) = (group.by().stack, group.count == 0);
            if is_empty {
                match before {
                    NIL => self.objects.at_mut(at).groups = next,
                    before => self.groups.at_mut(before).next = next,
                }
                self.groups.remove(place);
                budget.give_back(size_of::<Group>());
            }
            return Some(stack);
        }
        None
    }

    /// Counts a pair.
    fn count(&mut self, at: At, get: Id, put: Id, budget: &Budget) {
        let first = self.objects.at(at).pairs;
        let (mut place, mut count) = (first, 0);
        while let Some(pair) = self.pairs.get(place) {
            if pair.get == get && pair.put == put {
                let count = &mut self.pairs.at_mut(place).count;
                *count = count.saturating_add(1);
                return;
            }
            count += 1;
            place = pair.next;
        }
        if get != DOUBTS && (count >= MOST_PAIRS || !budget.has_room()) {
            return;
        }
        if let Some(new) = self.pairs.add(Pair { get, put, count: 1, next: first }) {
            budget.take(size_of::<Pair>());
            self.objects.at_mut(at).pairs = new;
        }
    }

    /// Gives the groups and pairs of an object back.
    fn clear(&mut self, at: At, budget: &Budget) {
        let object = self.objects.at_mut(at);
        let (mut group, mut pair) = (object.groups, object.pairs);
        (object.groups, object.pairs) = (NIL, NIL);
        while let Some(next) = self.groups.get(group).map(|group| group.next) {
            self.groups.remove(group);
            budget.give_back(size_of::<Group>());
            group = next;
        }
        while let Some(next) = self.pairs.get(pair).map(|pair| pair.next) {
            self.pairs.remove(pair);
            budget.give_back(size_of::<Pair>());
            pair = next;
        }
    }

    /// Every live object.
    pub fn live(&self) -> impl Iterator<Item = &Object> + '_ {
        self.objects.all().iter().filter(|object| object.is_live())
    }

    /// Every object that is known, also those that were released.
    pub fn known(&self) -> impl Iterator<Item = &Object> + '_ {
        self.objects.all().iter().filter(|object| !object.is(FREE))
    }

    /// The numbers of all live objects.
    pub fn live_numbers(&self) -> impl Iterator<Item = At> + '_ {
        let all = self.objects.all().iter().enumerate();
        all.filter(|(_, object)| object.is_live()).map(|(at, _)| at as At)
    }

    /// What has the mark `from` gets the mark `to`, and all else 0: before the marks begin again, and when a child
    /// takes over what its parent held.
    pub fn renumber(&mut self, from: Mark, to: Mark) {
        let new = |mark: Mark| if mark == from { to } else { 0 };
        for object in self.objects.all_mut() {
            object.first_mark = new(object.first_mark);
        }
        for group in self.groups.all_mut() {
            group.set_mark(new(group.mark()));
        }
    }

    /// The bytes that the table takes of the budget.
    pub fn bytes(&self) -> usize {
        self.objects.count() * OBJECT_BYTES
            + self.groups.count() * size_of::<Group>()
            + self.pairs.count() * size_of::<Pair>()
    }
}
