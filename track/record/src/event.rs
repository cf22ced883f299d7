//! An event becomes a record.

use core::ffi::c_char;
use core::ptr;
use core::sync::atomic::Ordering::Relaxed;

use wire::record::{EVENT_WORDS, Kind, MOST_NAME};

use crate::seam::{Caller, Frame};
use crate::thread::Guard;
use crate::write::{self, Body};
use crate::{clock, module, walk};

/// What happened.
pub struct Event {
    /// What.
    pub kind: Kind,
    /// The address of the count.
    pub object: u64,
    /// The count.
    pub count: u32,
    /// The release function, the kind of a violation, or the number of a request.
    pub detail: u64,
    /// The name of the holder or of the type: a C string or null.
    pub name: *const c_char,
}

impl Event {
    /// An event of an object, without a name.
    pub fn of(kind: Kind, object: usize) -> Self {
        Self { kind, object: object as u64, count: 0, detail: 0, name: ptr::null() }
    }
}

/// Records an event of the caller of an entry. `false`: it was not recorded.
pub fn happen(event: &Event, frame: &Frame) -> bool {
    let mut guard = Guard::outside();
    if !guard.enter(frame.address()) {
        return false;
    }
    let stack = stack(event, Caller::from(frame), &mut guard);
    if matches!(event.kind, Kind::Putting | Kind::Released | Kind::Percpu) {
        module::meet_release(event.detail, &mut guard);
    }
    record(event, stack, &mut guard)
}

/// The stack of an event. A put and the release that follows it have one stack: one walk is enough.
#[inline]
fn stack(event: &Event, caller: Caller, guard: &mut Guard) -> u32 {
    let last = guard.state().filter(|_| guard.is_outermost()).map(|state| &state.last_put);
    if let Some((object, stack)) = last
        && event.kind == Kind::Released
        && object.load(Relaxed) == event.object
    {
        return stack.load(Relaxed);
    }
    let number = walk::stack(caller, guard);
    if let Some((object, stack)) = last
        && event.kind == Kind::Putting
    {
        object.store(event.object, Relaxed);
        stack.store(number, Relaxed);
    }
    number
}

/// Records an event with the number of its stack.
#[inline]
pub fn record(event: &Event, stack: u32, guard: &mut Guard) -> bool {
    let front: [u64; EVENT_WORDS] = [
        0,
        clock::now(),
        u64::from(guard.number) | u64::from(stack) << 32,
        event.object,
        event.count.into(),
        event.detail,
    ];
    if !event.name.is_null() {
        return record_named(event, front, guard);
    }
    write::record(guard, Body { kind: event.kind, front: &front, others: 0, other: |_| 0 })
}

#[inline(never)]
fn record_named(event: &Event, mut front: [u64; EVENT_WORDS], guard: &mut Guard) -> bool {
    let name = Name::of(event.name);
    front[4] |= (name.length as u64) << 32;
    let others = name.length.div_ceil(8);
    let body = Body { kind: event.kind, front: &front, others, other: |at| name.word(at) };
    write::record(guard, body)
}

/// The bytes of a C string that are recorded.
pub struct Name {
    start: *const u8,
    /// How many.
    pub length: usize,
}

impl Name {
    /// The first bytes of a string, which may be null. libkref's functions ask for a string that stays as it is at
    /// least until they return.
    pub fn of(name: *const c_char) -> Self {
        Self::up_to(MOST_NAME, name)
    }

    /// The same, of at most `most` bytes.
    pub fn up_to(most: usize, name: *const c_char) -> Self {
        let start = name.cast::<u8>();
        let mut length = 0;
        // SAFETY: no byte behind the string's zero is read.
        while !start.is_null() && length < most && unsafe { start.add(length).read() } != 0 {
            length += 1;
        }
        Self { start, length }
    }

    /// A byte of it, or 0.
    pub fn byte(&self, index: usize) -> u8 {
        // SAFETY: within the string.
        if index < self.length { unsafe { self.start.add(index).read() } } else { 0 }
    }

    /// Eight bytes of it, with zeros behind its end.
    pub fn word(&self, index: usize) -> u64 {
        let mut word = 0;
        for byte in 0..self.length.saturating_sub(8 * index).min(8) {
            word |= u64::from(self.byte(8 * index + byte)) << (8 * byte);
        }
        word
    }
}
