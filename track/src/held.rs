//! References of an object: those that are held, and those that were given back. A group of those that are held is 20
//! bytes: of what the judge costs, the most.

use crate::clock::Time;
use crate::code::Id;
use crate::names::{NONE, Name};
use crate::object::{Act, FIRST, Mark, Marked, Object};
use crate::slab::{At, Link};

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

impl Held {
    /// Whether other references were taken alike.
    pub fn is_alike(&self, other: &Self) -> bool {
        let how = |it: &Self| (it.holder, it.by.stack, it.by.thread, it.mark, it.is_first);
        how(self) == how(other)
    }
}

impl Object {
    /// kref_init()'s reference, if it is held.
    pub fn first(&self) -> Option<Held> {
        self.is(FIRST).then(|| self.creators())
    }

    /// kref_init()'s reference, whether or not it is held.
    pub fn creators(&self) -> Held {
        Held { holder: NONE, by: self.created(), count: 1, mark: self.mark(), is_first: true }
    }
}

/// References of one object that were taken alike, in a list whose newest is the first.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// The holder, and the checkpoint after which it took them.
    pub holder: Marked,
    time: Time,
    /// The next older one.
    pub next: At,
    /// The stack and the thread.
    by: [u16; 3],
    /// How many.
    count: u16,
}

/// A stack's number is less than this.
pub const STACKS: u32 = 1 << 24;
/// A thread's number is less than this. All threads with a higher number of the recorder's have the last one.
pub const THREADS: u32 = 1 << 24;

impl Group {
    /// One reference.
    pub fn new(by: Act, holder: Name, mark: Mark, next: At) -> Self {
        let Act { stack, thread, .. } = by;
        debug_assert!(stack < STACKS && thread < THREADS);
        let high = (stack >> 16) as u16 | (thread >> 16 << 8) as u16;
        let holder = Marked::new(holder, mark);
        Self { holder, time: by.time, next, by: [stack as u16, thread as u16, high], count: 1 }
    }

    /// Who took the oldest.
    pub fn by(&self) -> Act {
        let [stack, thread, high] = self.by.map(u32::from);
        Act {
            stack: stack | (high & 0xff) << 16,
            thread: thread | (high >> 8) << 16,
            time: self.time,
        }
    }

    /// Whether another reference was taken alike, and there is room for it here.
    pub fn has_room_for(&self, other: &Self) -> bool {
        self.holder == other.holder && self.by == other.by && self.count < u16::MAX
    }

    /// Adds a reference.
    pub fn add(&mut self) {
        self.count += 1;
    }

    /// Takes a reference away. Returns whether there are others.
    pub fn take(&mut self) -> bool {
        self.count -= 1;
        self.count > 0
    }

    /// For reports.
    pub fn held(&self) -> Held {
        Held {
            holder: self.holder.name(),
            by: self.by(),
            count: self.count.into(),
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

/// Instead of the stack of the gets: this is no real [`Pair`]. Then [`UNSURE`] or [`UNRECORDED`] is instead of the stack of
/// the puts.
pub const DOUBTS: Id = Id::MAX;
/// Puts of which the rules could not tell which reference they gave back.
pub const UNSURE: Id = 0;
/// Gets for which there was no room.
pub const UNRECORDED: Id = 1;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slab::NIL;

    #[test]
    fn sizes() {
        assert_eq!((size_of::<Group>(), size_of::<Pair>()), (20, 16));
    }

    #[test]
    fn a_group_has_its_stack_its_thread_and_its_count() {
        let by = |stack, thread| Act { stack, thread, time: 3 };
        for (stack, thread) in [(0, 0), (0x12_3456, 0x65_4321), (STACKS - 1, THREADS - 1)] {
            let group = Group::new(by(stack, thread), NONE, 0, NIL);
            assert_eq!(group.by(), by(stack, thread));
        }
        let (mut group, other) =
            (Group::new(by(1, 2), NONE, 0, NIL), Group::new(by(2, 1), NONE, 0, NIL));
        assert!(!group.has_room_for(&other));
        let alike = group;
        let mut count = 1;
        while group.has_room_for(&alike) {
            group.add();
            count += 1;
        }
        assert_eq!(count, u16::MAX);
        assert!((1..count).all(|_| group.take()) && !group.take());
    }
}
