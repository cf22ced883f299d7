//! References that are held: which a get adds, and which a put takes away.

use crate::code::{Code, Id};
use crate::held::{DOUBTS, Group, Held, UNRECORDED, UNSURE};
use crate::matching::{self, Candidate, Choice, Distances};
use crate::names::{NONE, Name};
use crate::object::{Act, FIRST, Mark, Object};
use crate::slab::{At, NIL};
use crate::table::Table;

/// More ways to hold one object than this are counted together. More than 65,535 references that were taken alike count as
/// several ways.
const MOST_GROUPS: usize = 256;

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

impl Table {
    pub(super) fn groups_of(&self, object: &Object) -> impl Iterator<Item = &Group> + Clone + '_ {
        std::iter::successors(self.groups.get(object.groups), |group| self.groups.get(group.next))
    }

    /// A get.
    pub fn get(&mut self, at: At, by: Act, holder: Name, mark: Mark) {
        let newest = self.objects.at(at).groups;
        let mut group = Group::new(by, holder, mark, newest);
        let (mut before, mut place, mut count) = (NIL, newest, 0);
        while let Some(known) = self.groups.get(place) {
            if known.has_room_for(&group) {
                self.groups.at_mut(place).add();
                return self.make_newest(at, before, place);
            }
            count += 1;
            (before, place) = (place, known.next);
        }
        group.next = newest;
        let added = count < MOST_GROUPS && self.groups.has_room();
        match added.then(|| self.groups.add(group)).flatten() {
            Some(new) => {
                self.objects.at_mut(at).groups = new;
            }
            None => self.count(at, DOUBTS, UNRECORDED),
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
    ) -> Undone {
        if holder != NONE
            && let Some(get) = self.drop_where(at, |group| group.holder.name() == holder)
        {
            self.count(at, get, by.stack);
            return Undone::Known;
        }
        let undone = self.put_unnamed(at, by, code, distances);
        let object = self.objects.at(at);
        let is_excused = self.is_inherited(object) || self.doubts(object, UNRECORDED) > 0;
        if holder != NONE && !is_excused { Undone::WrongHolder } else { undone }
    }

    /// A put that names nobody gives back what nobody named is held by, if there is such.
    fn put_unnamed(&mut self, at: At, by: Act, code: &Code, distances: &Distances) -> Undone {
        let Some((held, unsure)) = self.choose(at, by, code, distances) else {
            self.forgive(at);
            self.count(at, 0, by.stack);
            return Undone::Nothing;
        };
        if unsure {
            self.count(at, DOUBTS, UNSURE);
        }
        let get = if held.is_first {
            self.objects.at_mut(at).set(FIRST, false);
            None
        } else {
            self.drop_where(at, |group| group.held() == held)
        };
        self.count(at, get.unwrap_or(0), by.stack);
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

    /// Takes one reference from the latest group that fits. Returns the stack at which it was taken.
    fn drop_where(&mut self, at: At, fits: impl Fn(&Group) -> bool) -> Option<Id> {
        let (mut before, mut place) = (NIL, self.objects.at(at).groups);
        while let Some(group) = self.groups.get(place) {
            let next = group.next;
            if !fits(group) {
                (before, place) = (place, next);
                continue;
            }
            let group = self.groups.at_mut(place);
            let stack = group.by().stack;
            if !group.take() {
                match before {
                    NIL => self.objects.at_mut(at).groups = next,
                    before => self.groups.at_mut(before).next = next,
                }
                self.groups.remove(place);
            }
            return Some(stack);
        }
        None
    }
}
