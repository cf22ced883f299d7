//! Histories of objects: their gets and puts in the order in which they were.

use crate::object::{Object, Step};
use crate::slab::{At, NIL};
use crate::table::Table;

impl Table {
    /// Adds the newest step of an object. Returns whether there was room.
    pub fn add_step(&mut self, at: At, step: Step) -> bool {
        let older = self.objects.at(at).steps;
        let step = Step { next: older, ..step };
        let new = self.steps.has_room().then(|| self.steps.add(step)).flatten();
        if let Some(new) = new {
            self.objects.at_mut(at).steps = new;
        }
        new.is_some()
    }

    /// The newest step of an object.
    pub fn last_step(&self, object: &Object) -> Option<&Step> {
        self.steps.get(object.steps)
    }

    /// Takes the newest step away.
    pub fn drop_last_step(&mut self, at: At) {
        let last = self.objects.at(at).steps;
        if let Some(next) = self.steps.get(last).map(|step| step.next) {
            self.steps.remove(last);
            self.objects.at_mut(at).steps = next;
        }
    }

    /// The steps of an object, the newest first.
    pub fn steps(&self, object: &Object) -> impl Iterator<Item = &Step> + Clone + '_ {
        std::iter::successors(self.steps.get(object.steps), |step| self.steps.get(step.next))
    }

    /// Gives the steps of an object back.
    pub fn drop_steps(&mut self, at: At) {
        let mut step = std::mem::replace(&mut self.objects.at_mut(at).steps, NIL);
        while let Some(next) = self.steps.get(step).map(|step| step.next) {
            self.steps.remove(step);
            step = next;
        }
    }
}
