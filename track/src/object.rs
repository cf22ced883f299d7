//! One object, and who holds it. Their sizes are what the judge costs: 48 bytes an object, 24 a group of
//! references, 24 a step of a history.

use crate::clock::Time;
use crate::code::{Id, PlaceId};
use crate::names::{NONE, Name};
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
    fn new(name: Name, mark: Mark) -> Self {
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

/// References that are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Who holds them.
    pub holder: Name,
    /// Where, by whom and when the oldest was taken.
    pub by: Act,
    /// How many.
    pub count: u32,
    /// The checkpoint after which they were taken.
    pub mark: Mark,
    /// Whether it is kref_init()'s reference.
    pub is_first: bool,
}

/// References of one object that were taken alike, in a list whose newest is the first.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// The holder, and the checkpoint after which it took them.
    pub holder: Marked,
    stack: Id,
    thread: u32,
    time: Time,
    /// How many.
    pub count: u32,
    /// The next older one.
    pub next: At,
}

impl Group {
    /// One reference.
    pub fn new(by: Act, holder: Name, mark: Mark, next: At) -> Self {
        let Act { stack, thread, time } = by;
        Self { holder: Marked::new(holder, mark), stack, thread, time, count: 1, next }
    }

    /// Who took the oldest.
    pub fn by(&self) -> Act {
        Act { stack: self.stack, thread: self.thread, time: self.time }
    }

    /// Whether another reference belongs here.
    pub fn is_alike(&self, other: &Self) -> bool {
        self.holder == other.holder && self.stack == other.stack && self.thread == other.thread
    }

    /// For reports.
    pub fn held(&self) -> Held {
        Held {
            holder: self.holder.name(),
            by: self.by(),
            count: self.count,
            mark: self.holder.mark(),
            is_first: false,
        }
    }
}

/// References of one object that were taken at one stack and given back at another. What is held is in a [`Group`].
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    /// The stack of the gets; 0 for kref_init()'s reference, and for puts that gave nothing back.
    pub get: Id,
    /// The stack of the puts.
    pub put: Id,
    /// How many.
    pub count: u32,
    /// The next one.
    pub next: At,
}

/// A [`Pair`] that is none has this in the place of the stack of its gets, and in the other's [`UNSURE`] or
/// [`UNRECORDED`].
pub const DOUBTS: Id = Id::MAX;
/// Puts of which the rules could not tell which reference they gave back.
pub const UNSURE: Id = 0;
/// Gets for which there was no room.
pub const UNRECORDED: Id = 1;

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

    /// kref_init()'s reference, if it is held.
    pub fn first(&self) -> Option<Held> {
        self.is(FIRST).then(|| self.creators())
    }

    /// kref_init()'s reference, whether or not it is held.
    pub fn creators(&self) -> Held {
        Held { holder: NONE, by: self.created(), count: 1, mark: self.mark(), is_first: true }
    }
}

impl Link for Group {
    fn next(&self) -> At {
        self.next
    }

    fn set_next(&mut self, next: At) {
        self.next = next;
    }
}

impl Link for Pair {
    fn next(&self) -> At {
        self.next
    }

    fn set_next(&mut self, next: At) {
        self.next = next;
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
    use super::{Group, Object, Pair, Step};

    #[test]
    fn sizes() {
        assert_eq!((size_of::<Object>(), size_of::<Step>()), (48, 24));
        assert_eq!((size_of::<Group>(), size_of::<Pair>()), (24, 16));
    }
}
