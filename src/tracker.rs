//! Who is told of every get and put: a table of functions, and the calls.
//!
//! The table is somebody else's, libkref_track.so's or the program's, and may be an older or a newer
//! one than ours: it says how long it is, and what lies beyond its end is not there. Only counts that
//! are tracked (count/tracked.rs) ever come here, and [`Kref::init`], which makes them so.
//!
//! A callback may be called by any thread, several at once, and in a signal handler: wherever the
//! program gets or puts. It leaves `errno` as it was, whatever the tracker does with it.

use core::ffi::{c_char, c_int, c_void};
use core::ptr;

use crate::kref::Kref;
use crate::sync::{
    AtomicPtr,
    Ordering::{Acquire, Release},
};
use crate::violation::Report;

/// A release function as C has it: what a tracker names the type of an object by.
pub type ReleaseFn = unsafe extern "C" fn(kref: *mut Kref);

/// Who is told of every reference that is taken or given back: C's `struct kref_tracker`.
///
/// kref.h says when each function is called; each may be `None`.
#[repr(C)]
#[derive(Debug)]
#[allow(missing_docs, reason = "kref.h documents the table")]
pub struct Tracker {
    /// `size_of::<Tracker>()` as its maker knew it: members beyond it do not exist.
    pub size: usize,
    pub created: Option<unsafe extern "C" fn(kref: *mut Kref) -> c_int>,
    pub getting: Option<unsafe extern "C" fn(kref: *mut Kref)>,
    pub got: Option<unsafe extern "C" fn(kref: *mut Kref, count: u32, holder: *const c_char)>,
    pub putting: Option<
        unsafe extern "C" fn(
            kref: *mut Kref,
            release: Option<ReleaseFn>,
            count: u32,
            holder: *const c_char,
        ),
    >,
    pub released: Option<unsafe extern "C" fn(kref: *mut Kref, release: Option<ReleaseFn>)>,
    pub done: Option<unsafe extern "C" fn(kref: *const c_void)>,
    pub violated: Option<unsafe extern "C" fn(violation: *const Report)>,
    pub report: Option<unsafe extern "C" fn(fd: c_int)>,
    pub checkpoint: Option<unsafe extern "C" fn()>,
}

/// Sets who is told from now on. Null: objects that are made from now on are not tracked, and nobody
/// is told of those that are.
///
/// `false`, and nothing done, if the table's size is none that a table can have.
///
/// # Safety
/// The table stays as it is for good, and its functions may be called as kref.h says.
#[must_use = "a table that is refused tracks nothing"]
pub unsafe fn set_tracker(tracker: *const Tracker) -> bool {
    /// More than any table will have: a size that was never set is likely to be something else.
    const LONGEST: usize = 4096;
    if !tracker.is_null() {
        // SAFETY: the size is there in every table.
        let size = unsafe { (*tracker).size };
        if !tracker.is_aligned()
            || size < size_of::<usize>()
            || size > LONGEST
            || !size.is_multiple_of(size_of::<usize>())
        {
            return false;
        }
    }
    CURRENT.set(tracker);
    true
}

/// Beside the count, what a tracker is told of a reference that is given back.
#[derive(Clone, Copy)]
#[cfg_attr(loom, allow(dead_code))] // in a model nobody asks
pub(crate) struct By {
    pub(crate) release: Option<ReleaseFn>,
    pub(crate) holder: *const c_char,
}

impl By {
    /// Nobody who has said his name.
    pub(crate) const NOBODY: Self = Self { release: None, holder: ptr::null() };

    /// Whoever puts with this function.
    #[cfg(feature = "capi")]
    pub(crate) const fn putting(release: ReleaseFn) -> Self {
        Self { release: Some(release), holder: ptr::null() }
    }
}

#[cfg_attr(loom, allow(dead_code))] // in a model only the test sets one
struct Current(AtomicPtr<Tracker>);

#[cfg(not(loom))]
static CURRENT: Current = Current(AtomicPtr::new(ptr::null_mut()));

#[cfg_attr(loom, allow(dead_code))]
impl Current {
    fn set(&self, tracker: *const Tracker) {
        // Release: whoever calls a function of the table sees what was done before the table was
        // set, the table's own contents among it; pairs with the acquire in `get`.
        self.0.store(tracker.cast_mut(), Release);
    }

    #[inline(always)]
    fn get(&self) -> *const Tracker {
        // Acquire: pairs with the release in `set`.
        self.0.load(Acquire)
    }
}

#[cfg(not(loom))]
mod calls {
    use core::mem::offset_of;

    #[cfg(feature = "capi")]
    use super::c_int;
    use super::{By, CURRENT, Kref, Report, Tracker, c_char, c_void};
    use crate::line::errno;

    /// A function of the table in force, if there is a table and it has one.
    macro_rules! member {
        ($name:ident) => {{
            let table = CURRENT.get();
            // SAFETY: a table stays for good, and the size is there in every table; a member is read
            // only where the table has one, by itself, since a shorter table is no `Tracker`.
            unsafe {
                if table.is_null() || (*table).size <= offset_of!(Tracker, $name) {
                    None
                } else {
                    (*table).$name
                }
            }
        }};
    }

    /// Calls a function of the table, if it has one. What it is told of must not notice.
    macro_rules! tell {
        ($name:ident($($argument:expr),*)) => {
            if let Some(function) = member!($name) {
                let saved = errno::get();
                // SAFETY: whoever set the table promised that its functions may be called so.
                unsafe { function($($argument),*) };
                errno::set(saved);
            }
        };
    }

    // Not inlined, all of them: they are called from many places, and none of those is hot.

    /// Whether anybody wants to know of new objects. The only thing that an untracked `init` asks.
    #[inline(always)]
    pub(crate) fn is_set() -> bool {
        !CURRENT.get().is_null()
    }

    /// Whether the object that is about to begin is to be tracked.
    #[inline(never)]
    pub(crate) fn created(kref: *const Kref) -> bool {
        let saved = errno::get();
        // SAFETY: whoever set the table promised that its functions may be called so.
        let tracked = member!(created).is_some_and(|ask| unsafe { ask(kref.cast_mut()) } != 0);
        errno::set(saved);
        tracked
    }

    #[inline(never)]
    pub(crate) fn getting(kref: *const Kref) {
        tell!(getting(kref.cast_mut()));
    }

    /// One event for each of `n` references, after which there are `count`.
    #[inline(never)]
    pub(crate) fn got(kref: *const Kref, n: i32, count: i32, holder: *const c_char) {
        for missing in (0..n).rev() {
            tell!(got(kref.cast_mut(), count.saturating_sub(missing) as u32, holder));
        }
    }

    /// One event for each of `n` references, before which there were `count`.
    #[inline(never)]
    pub(crate) fn putting(kref: *const Kref, n: i32, count: i32, by: By) {
        for gone in 0..n {
            tell!(putting(kref.cast_mut(), by.release, (count - gone) as u32, by.holder));
        }
    }

    #[inline(never)]
    pub(crate) fn released(kref: *const Kref, by: By) {
        tell!(released(kref.cast_mut(), by.release));
    }

    #[inline(never)]
    pub(crate) fn done(kref: *const Kref) {
        tell!(done(kref.cast::<c_void>()));
    }

    #[inline(never)]
    pub(crate) fn violated(report: &Report) {
        tell!(violated(report));
    }

    /// `false` if nobody tracks who could report.
    #[cfg(feature = "capi")]
    pub(crate) fn report(fd: c_int) -> bool {
        let report = member!(report);
        // SAFETY: whoever set the table promised that its functions may be called so.
        report.inspect(|report| unsafe { report(fd) }).is_some()
    }

    /// `false` if nobody tracks who has checkpoints.
    #[cfg(feature = "capi")]
    pub(crate) fn checkpoint() -> bool {
        let checkpoint = member!(checkpoint);
        // SAFETY: whoever set the table promised that its functions may be called so.
        checkpoint.inspect(|checkpoint| unsafe { checkpoint() }).is_some()
    }
}

/// A model has no statics: what would be told is written down, in the order in which it happens.
#[cfg(loom)]
mod calls {
    use std::cell::RefCell;

    use super::{By, Kref, Report, c_char};

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Event {
        Getting,
        Got(i32),
        Putting(i32),
        Released,
        Done,
        Violated,
    }

    std::thread_local! {
        // Not loom's: it orders nothing. A model's threads are one thread of the system's.
        static EVENTS: RefCell<Vec<Event>> = const { RefCell::new(Vec::new()) };
    }

    fn write_down(event: Event) {
        EVENTS.with_borrow_mut(|events| events.push(event));
    }

    /// What was told since the last call.
    #[cfg(test)]
    pub(crate) fn events() -> Vec<Event> {
        EVENTS.take()
    }

    pub(crate) fn is_set() -> bool {
        false
    }

    pub(crate) fn created(_: *const Kref) -> bool {
        true
    }

    pub(crate) fn getting(_: *const Kref) {
        write_down(Event::Getting);
    }

    pub(crate) fn got(_: *const Kref, n: i32, count: i32, _: *const c_char) {
        (0..n).rev().for_each(|missing| write_down(Event::Got(count - missing)));
    }

    pub(crate) fn putting(_: *const Kref, n: i32, count: i32, _: By) {
        (0..n).for_each(|gone| write_down(Event::Putting(count - gone)));
    }

    pub(crate) fn released(_: *const Kref, _: By) {
        write_down(Event::Released);
    }

    pub(crate) fn done(_: *const Kref) {
        write_down(Event::Done);
    }

    pub(crate) fn violated(_: &Report) {
        write_down(Event::Violated);
    }
}

pub(crate) use calls::*;

/// A model has no statics, and sets no tracker.
#[cfg(loom)]
static CURRENT: NoTable = NoTable;
#[cfg(loom)]
struct NoTable;
#[cfg(loom)]
impl NoTable {
    fn set(&self, _: *const Tracker) {}
}

#[cfg(all(loom, test))]
mod tests {
    use std::sync::Arc;

    use loom::cell::UnsafeCell;

    use super::*;

    struct Shared {
        current: Current,
        state: UnsafeCell<bool>,
    }

    // SAFETY: loom finds accesses to the cell that nothing orders.
    unsafe impl Sync for Shared {}

    #[test]
    fn whoever_is_told_sees_what_was_there_before_the_table_was_set() {
        loom::model(|| {
            let current = Current(AtomicPtr::new(ptr::null_mut()));
            let shared = Arc::new(Shared { current, state: UnsafeCell::new(false) });
            let theirs = Arc::clone(&shared);
            let setter = loom::thread::spawn(move || {
                // SAFETY: loom checks that nobody else is in the cell.
                theirs.state.with_mut(|state| unsafe { *state = true });
                theirs.current.set(ptr::without_provenance(8));
            });
            if !shared.current.get().is_null() {
                // SAFETY: loom checks that nobody is writing the cell.
                assert!(shared.state.with(|state| unsafe { *state }));
            }
            setter.join().unwrap();
        });
    }
}
