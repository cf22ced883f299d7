//! The objects of one process, by address.

use std::collections::VecDeque;

use crate::budget::Budget;
use crate::code::Code;
use crate::index::{Index, prefetch};
use crate::matching::{self, Candidate, Choice, Distances};
use crate::names::{NONE, Name};
use crate::object::{
    Act, DOUBTS, FIRST, FREE, Group, Held, INHERITED, Mark, Object, RELEASED, Site,
};
use crate::slab::{At, NIL, Slab};

/// More ways to hold one object than this are counted together.
const MOST_GROUPS: usize = 256;
/// More call sites of one object than this are not balanced.
const MOST_SITES: usize = 128;
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
    sites: Slab<Site>,
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
            (_, Some(object)) => _ = self.groups.get(object.groups).map(prefetch),
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
        (object.groups, object.sites, object.first_mark) = (newest, NIL, first_mark);
        object.set(INHERITED, true);
        Some(own)
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
        self.released.push_back((at, object.serial));
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

    /// Gets and puts by stack: those that were undone, and those that are held.
    pub fn sites(&self, object: &Object) -> impl Iterator<Item = Site> + '_ {
        let groups = (!object.is(RELEASED)).then(|| self.groups_of(object));
        let held = groups.into_iter().flatten().map(|group| Site {
            stack: group.by().stack,
            gets: group.count,
            puts: 0,
            next: NIL,
        });
        self.all_sites(object).filter(|site| site.stack != DOUBTS).copied().chain(held)
    }

    /// Puts of which the rules could not tell which reference they gave back, and gets for which there was no room.
    pub fn doubts(&self, object: &Object) -> (u32, u32) {
        let doubts = self.all_sites(object).find(|site| site.stack == DOUBTS);
        doubts.map_or((0, 0), |doubts| (doubts.gets, doubts.puts))
    }

    fn all_sites(&self, object: &Object) -> impl Iterator<Item = &Site> + '_ {
        std::iter::successors(self.sites.get(object.sites), |site| self.sites.get(site.next))
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
            None => {
                if let Some(doubts) = self.site(at, DOUBTS, budget) {
                    doubts.puts += 1;
                }
            }
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
        if let Some(site) = self.site(at, by.stack, budget) {
            site.puts += 1;
        }
        if holder != NONE && self.drop_where(at, budget, |group| group.holder() == holder) {
            return Undone::Known;
        }
        let undone = self.put_unnamed(at, by, code, distances, budget);
        let is_excused = self.objects.at(at).is(INHERITED) || self.doubts(self.object(at)).1 > 0;
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
            if self.doubts(self.object(at)).1 > 0
                && let Some(doubts) = self.site(at, DOUBTS, budget)
            {
                doubts.puts -= 1;
            }
            return Undone::Nothing;
        };
        if unsure && let Some(doubts) = self.site(at, DOUBTS, budget) {
            doubts.gets += 1;
        }
        if held.is_first {
            self.objects.at_mut(at).set(FIRST, false);
        } else {
            self.drop_where(at, budget, |group| group.held() == held);
        }
        Undone::Known
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

    /// Takes one reference from the latest group that fits.
    fn drop_where(&mut self, at: At, budget: &Budget, fits: impl Fn(&Group) -> bool) -> bool {
        let (mut before, mut place) = (NIL, self.objects.at(at).groups);
        while let Some(group) = self.groups.get(place) {
            let next = group.next;
            if fits(group) {
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
                if let Some(site) = self.site(at, stack, budget) {
                    site.gets += 1;
                }
                return true;
            }
            (before, place) = (place, next);
        }
        false
    }

    /// The balance of an object at a stack.
    fn site(&mut self, at: At, stack: u32, budget: &Budget) -> Option<&mut Site> {
        let first = self.objects.at(at).sites;
        let (mut place, mut count) = (first, 0);
        while let Some(site) = self.sites.get(place) {
            if site.stack == stack {
                return Some(self.sites.at_mut(place));
            }
            count += 1;
            place = site.next;
        }
        if stack != DOUBTS && (count >= MOST_SITES || !budget.has_room()) {
            return None;
        }
        let new = self.sites.add(Site { stack, gets: 0, puts: 0, next: first })?;
        budget.take(size_of::<Site>());
        self.objects.at_mut(at).sites = new;
        Some(self.sites.at_mut(new))
    }

    /// Gives the groups and sites of an object back.
    fn clear(&mut self, at: At, budget: &Budget) {
        let object = self.objects.at_mut(at);
        let (mut group, mut site) = (object.groups, object.sites);
        (object.groups, object.sites) = (NIL, NIL);
        while let Some(next) = self.groups.get(group).map(|group| group.next) {
            self.groups.remove(group);
            budget.give_back(size_of::<Group>());
            group = next;
        }
        while let Some(next) = self.sites.get(site).map(|site| site.next) {
            self.sites.remove(site);
            budget.give_back(size_of::<Site>());
            site = next;
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
            + self.sites.count() * size_of::<Site>()
    }
}
