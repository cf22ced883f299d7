//! The tracker of a loom model, which writes the events to a log. A model cannot use the static table.

use std::cell::{Cell, RefCell};

use super::{By, PercpuEvent, ReleaseFn, Violation, c_char, c_void};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Getting,
    Got(i32),
    Putting(i32),
    Released,
    Done,
    Violated,
    LetGo,
}

std::thread_local! {
    // A cell of std and not of loom: the log must not order the threads of the model. loom runs all
    // threads of a model in one thread of the system.
    static EVENTS: RefCell<Vec<Event>> = const { RefCell::new(Vec::new()) };
}

std::thread_local! {
    static IS_SET: Cell<bool> = const { Cell::new(false) };
}

/// Whether new objects are tracked from now on. A test sets it in its own thread.
#[cfg(test)]
pub(crate) fn track(is_set: bool) {
    IS_SET.set(is_set);
}

std::thread_local! {
    static HAS_GETTING: Cell<bool> = const { Cell::new(true) };
}

/// Whether the tracker is called before a get from now on. A test sets it in its own thread.
#[cfg(test)]
pub(crate) fn set_getting(has_getting: bool) {
    HAS_GETTING.set(has_getting);
}

pub(crate) fn has_getting() -> bool {
    HAS_GETTING.get()
}

fn write_down(event: Event) {
    EVENTS.with_borrow_mut(|events| events.push(event));
}

/// The events since the last call of this function.
#[cfg(test)]
pub(crate) fn events() -> Vec<Event> {
    EVENTS.take()
}

pub(crate) fn is_set() -> bool {
    IS_SET.get()
}

std::thread_local! {
    static FLAG: Cell<Option<&'static loom::sync::atomic::AtomicBool>> = const { Cell::new(None) };
}

/// The flag of the model that runs. Without one a tracker was set before the model began.
#[cfg(test)]
pub(crate) fn set_flag(flag: Option<&'static loom::sync::atomic::AtomicBool>) {
    FLAG.set(flag);
}

pub(super) fn has_flag() -> bool {
    FLAG.get().is_some()
}

pub(super) fn flag() -> bool {
    FLAG.get().is_none_or(|flag| flag.load(loom::sync::atomic::Ordering::Relaxed))
}

pub(crate) fn created(_: *const c_void, _: *const c_char) -> bool {
    true
}

pub(crate) fn getting(_: *const c_void) {
    write_down(Event::Getting);
}

pub(crate) fn got(_: *const c_void, n: i32, count: i32, _: *const c_char) {
    (0..n).rev().for_each(|missing| write_down(Event::Got(count - missing)));
}

pub(crate) fn putting(_: *const c_void, n: i32, count: i32, _: By) {
    (0..n).for_each(|gone| write_down(Event::Putting(count - gone)));
}

pub(crate) fn released(_: *const c_void, _: By) {
    write_down(Event::Released);
}

pub(crate) fn done(_: *const c_void) {
    write_down(Event::Done);
}

pub(crate) fn let_go(_: *const c_void) {
    write_down(Event::LetGo);
}

pub(crate) fn violated(_: &Violation) {
    write_down(Event::Violated);
}

pub(crate) fn missed(_: *const c_void, _: u64, _: bool) {}

pub(crate) fn percpu(_: *const c_void, _: PercpuEvent, _: ReleaseFn) -> bool {
    false
}
