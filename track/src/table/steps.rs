//! Histories of objects: their gets and puts in the order in which they were.

use crate::code::Id;
use crate::object::{Object, Step};
use crate::slab::{At, NIL};
use crate::table::Table;

impl Table {
    /// How many objects there are that were created at a stack and whose histories are kept.
    pub fn kept(&self, stack: Id) -> u32 {
        self.kept.get(stack as usize).copied().unwrap_or(0)
    }

    #[inline]
    fn kept_mut(&mut self, stack: Id) -> &mut u32 {
        if self.kept.room() <= stack as usize {
            self.make_room(stack);
        }
        self.kept.at_mut(stack as usize)
    }

    #[cold]
    fn make_room(&mut self, stack: Id) {
        while self.kept.room() <= stack as usize {
            self.kept.add(0);
        }
    }

    /// Begins the history of an object with its creation, if there is room.
    pub fn begin_steps(&mut self, at: At, creation: Step) {
        if self.add_step(at, creation) {
            *self.kept_mut(self.objects.at(at).created().stack) += 1;
        }
    }

    /// Adds the newest step of an object. Returns whether there was room.
    #[inline]
    pub fn add_step(&mut self, at: At, mut step: Step) -> bool {
        if !self.steps.has_room() {
            return false;
        }
        let object = self.objects.at_mut(at);
        step.next = object.steps;
        let Some(new) = self.steps.add(step) else { return false };
        object.steps = new;
        object.step_count += 1;
        true
    }

    /// Takes the newest step away, which must not be the creation.
    pub fn drop_last_step(&mut self, at: At) {
        let object = self.objects.at_mut(at);
        let last = object.steps;
        if let Some(next) = self.steps.get(last).map(|step| step.next) {
            object.steps = next;
            object.step_count -= 1;
            self.steps.remove(last);
        }
    }

    /// The steps of an object, the newest first.
    pub fn steps(&self, object: &Object) -> impl Iterator<Item = &Step> + Clone + '_ {
        std::iter::successors(self.steps.get(object.steps), |step| self.steps.get(step.next))
    }

    /// Frees the steps of an object.
    pub fn drop_steps(&mut self, at: At) {
        let object = self.objects.at_mut(at);
        let first = std::mem::replace(&mut object.steps, NIL);
        if first == NIL {
            return;
        }
        object.step_count = 0;
        let stack = object.created().stack;
        self.steps.remove_all(first);
        let kept = self.kept_mut(stack);
        *kept = kept.saturating_sub(1);
    }

    /// Replaces the steps of an object by others, of which the oldest comes first.
    pub fn replace_steps(&mut self, at: At, steps: impl Iterator<Item = Step>) {
        let object = self.objects.at_mut(at);
        let before = std::mem::replace(&mut object.steps, NIL);
        object.step_count = 0;
        self.steps.remove_all(before);
        for step in steps {
            self.add_step(at, step);
        }
    }
}
