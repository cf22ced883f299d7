//! One object, and its history. Their sizes are what the judge costs: 48 bytes an object, 24 a step of a history.

use crate::clock::Time;
use crate::code::{Id, PlaceId};
use crate::names::Name;
use crate::slab::{At, Link, NIL};

/// Who did something, where and when.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Act {
    /// The stack.
    pub stack: Id,
    /// The thread, by its number in the session.
    pub thread: u32,
    /// The time.
    pub time: Time,
}

/// What was taken after a checkpoint has that checkpoint's mark. 0: before the last but 254, or by a parent.
pub type Mark = u8;

/// A name, and a mark in the highest byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marked(u32);

impl Marked {
    /// Both.
    pub fn new(name: Name, mark: Mark) -> Self {
        Self(name.0 | u32::from(mark) << 24)
    }

    /// The name.
    pub fn name(self) -> Name {
        Name(self.0 & 0xff_ffff)
    }

    /// The mark.
    pub fn mark(self) -> Mark {
        (self.0 >> 24) as Mark
    }

    /// Another mark.
    pub fn set_mark(&mut self, mark: Mark) {
        *self = Self::new(self.name(), mark);
    }
}

/// A get or put of an object whose history is kept, in a list whose newest is the first. The oldest is the creation.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The holder, and the checkpoint after which this was.
    pub holder: Marked,
    /// The stack's number, by the recorder.
    pub recorded: u32,
    /// The thread.
    pub thread: u32,
    /// The time.
    pub time: Time,
    /// The place among the stacks of the thread, and in the lowest bit whether it is a get, or the creation.
    place_and_get: u32,
    /// The next older one.
    pub next: At,
}

impl Step {
    /// At a recorder's stack, which has this place among those of the thread.
    pub fn new(by: Act, recorded: u32, place: u32, holder: Name, mark: Mark, is_get: bool) -> Self {
        let holder = Marked::new(holder, mark);
        let place_and_get = place << 1 | u32::from(is_get);
        Self { holder, recorded, thread: by.thread, time: by.time, place_and_get, next: NIL }
    }

    /// Whether it is a get, or the creation.
    pub fn is_get(&self) -> bool {
        self.place_and_get & 1 != 0
    }

    /// Whether it is the creation.
    pub fn is_creation(&self) -> bool {
        self.next == NIL
    }

    /// The place among the stacks of the thread.
    pub fn place(&self) -> u32 {
        self.place_and_get >> 1
    }
}

impl Link for Step {
    fn next(&self) -> At {
        self.next
    }

    fn set_next(&mut self, next: At) {
        self.next = next;
    }
}

/// An object.
#[derive(Debug, Clone, Copy)]
pub struct Object {
    /// The address of its count.
    pub address: u64,
    serial_low: u32,
    serial_high: u16,
    flags: u8,
    /// How many steps there are.
    pub step_count: u8,
    stack: Id,
    thread: u32,
    time: Time,
    type_name: Marked,
    /// The release function, once a put has told it.
    pub release: PlaceId,
    /// The references that are held, without kref_init()'s; of a released object, the last put.
    pub groups: At,
    /// The references that were given back.
    pub pairs: At,
    /// The gets and puts, if the history is kept: the creation is the last in the list.
    pub steps: At,
}

/// A serial number is less than this.
pub const SERIALS: u64 = 1 << 48;

/// The last reference is gone.
pub const RELEASED: u8 = 1;
/// Misuse was reported: what follows from it is not news.
pub const REPORTED: u8 = 2;
/// It went out of the tracked zone: nobody tells of it any more.
pub const LOST: u8 = 4;
/// kref_init()'s reference is held.
pub const FIRST: u8 = 8;
/// It was not released: its memory was freed.
pub const FREED: u8 = 128;
/// It is no object: its number was given back.
pub const FREE: u8 = 32;
/// It is a percpu_ref that percpu_ref_exit() has not ended.
pub const PERCPU: u8 = 64;

impl Object {
    /// After kref_init().
    pub fn new(address: u64, serial: u64, created: Act, type_name: Name, mark: Mark) -> Self {
        Self {
            address,
            serial_low: serial as u32,
            serial_high: (serial >> 32) as u16,
            flags: FIRST,
            step_count: 0,
            stack: created.stack,
            thread: created.thread,
            time: created.time,
            type_name: Marked::new(type_name, mark),
            release: 0,
            groups: NIL,
            pairs: NIL,
            steps: NIL,
        }
    }

    /// In the order of creation, from 1.
    pub fn serial(&self) -> u64 {
        u64::from(self.serial_high) << 32 | u64::from(self.serial_low)
    }

    /// The type's name, if kref_init_as() has given one.
    pub fn type_name(&self) -> Name {
        self.type_name.name()
    }

    /// The checkpoint after which it was created.
    pub fn mark(&self) -> Mark {
        self.type_name.mark()
    }

    /// Another checkpoint.
    pub fn set_mark(&mut self, mark: Mark) {
        self.type_name.set_mark(mark);
    }

    /// Who created it.
    pub fn created(&self) -> Act {
        Act { stack: self.stack, thread: self.thread, time: self.time }
    }

    /// Whether it has a flag.
    pub fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Gives it a flag, or takes it away.
    pub fn set(&mut self, flag: u8, on: bool) {
        self.flags = if on { self.flags | flag } else { self.flags & !flag };
    }

    /// Whether it is referenced.
    pub fn is_live(&self) -> bool {
        !self.is(RELEASED | FREE)
    }
}

impl Link for Object {
    fn next(&self) -> At {
        self.groups
    }

    fn set_next(&mut self, next: At) {
        self.groups = next;
    }
}

#[cfg(test)]
mod tests {
    use super::{Object, Step};

    #[test]
    fn sizes() {
        assert_eq!((size_of::<Object>(), size_of::<Step>()), (48, 24));
    }
}
