//! The tracker: a table of functions, and the calls of these functions.
//!
//! The table belongs to libkref_track.so or to the program, and may be older or newer than this library.
//! So its first member is its size: members beyond the size do not exist. `Kref::init` and `Kref::publish` call
//! the table's `created`. The operations on tracked counts (count/cold_path.rs) call the functions for gets and puts.
//!
//! The functions are called wherever the program gets and puts: by several threads at the same time,
//! and in signal handlers. A call preserves `errno`.

use core::ffi::{c_char, c_int, c_void};
use core::ptr;

use crate::kind::Violation;
use crate::sys::sync::{
    AtomicPtr,
    Ordering::{Acquire, Release},
    fence,
};

/// A C release function. A tracker uses the function's name as the name of the object's type.
pub type ReleaseFn = unsafe extern "C" fn(kref: *mut c_void);

/// A tracker's functions: C's `struct kref_tracker`.
///
/// kref.h says when each function is called. Each function may be `None`. The argument `kref` is the
/// address of a [`Kref`](crate::Kref).
#[repr(C)]
#[derive(Debug)]
#[allow(missing_docs, reason = "kref.h documents the table")]
pub struct Tracker {
    /// `size_of::<Tracker>()` when the tracker was compiled. Members beyond this size do not exist.
    pub size: usize,
    pub created: Option<unsafe extern "C" fn(kref: *mut c_void, type_name: *const c_char) -> c_int>,
    pub getting: Option<unsafe extern "C" fn(kref: *mut c_void)>,
    pub got: Option<unsafe extern "C" fn(kref: *mut c_void, count: u32, holder: *const c_char)>,
    pub putting: Option<
        unsafe extern "C" fn(
            kref: *mut c_void,
            release: Option<ReleaseFn>,
            count: u32,
            holder: *const c_char,
        ),
    >,
    pub released: Option<unsafe extern "C" fn(kref: *mut c_void, release: Option<ReleaseFn>)>,
    pub done: Option<unsafe extern "C" fn(kref: *const c_void)>,
    pub violated: Option<unsafe extern "C" fn(violation: *const Violation)>,
    pub report: Option<unsafe extern "C" fn(fd: c_int)>,
    pub checkpoint: Option<unsafe extern "C" fn()>,
    pub missed: Option<unsafe extern "C" fn(pool: *mut c_void, handle: u64, given: c_int)>,
    pub percpu: Option<
        unsafe extern "C" fn(
            percpu: *mut c_void,
            event: PercpuEvent,
            release: Option<ReleaseFn>,
        ) -> c_int,
    >,
    pub let_go: Option<unsafe extern "C" fn(kref: *const c_void)>,
    pub balance: Option<unsafe extern "C" fn(begins: c_int, type_name: *const c_char) -> u32>,
}

/// What happens to a percpu reference: C's `enum kref_percpu_event`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PercpuEvent {
    /// `percpu_ref_init`. The tracker decides whether the percpu reference is tracked.
    Init = 1,
    /// `percpu_ref_kill`. The put of the initial reference follows.
    Kill = 2,
    /// `percpu_ref_resurrect` or `percpu_ref_reinit`. The get of the new initial reference follows.
    Revive = 3,
    /// `percpu_ref_exit`.
    Exit = 4,
    /// There are more references than a tracked count can have: no function is called for it any more.
    LetGo = 5,
}

/// Sets the tracker. Null means no tracker: new objects are not tracked, and no function is called for
/// the objects that are tracked already.
///
/// If the table has an impossible size, changes nothing and returns `false`.
///
/// # Safety
/// The table stays valid and unchanged until the process ends. Its functions may be called as kref.h
/// says.
#[must_use = "a table that is refused tracks nothing"]
pub unsafe fn set_tracker(tracker: *const Tracker) -> bool {
    /// No table will ever be longer. A size that was never initialised is probably longer.
    const LONGEST: usize = 4096;
    if !tracker.is_null() {
        // SAFETY: every table begins with a size.
        let size = unsafe { (*tracker).size };
        if !tracker.is_aligned()
            || size < size_of::<usize>()
            || size > LONGEST
            || size % size_of::<usize>() != 0
        {
            return false;
        }
    }
    #[cfg(not(loom))]
    if !tracker.is_null() {
        WAS_SET.store(true, core::sync::atomic::Ordering::Relaxed);
    }
    CURRENT.set(tracker);
    true
}

/// Arguments of a put for the tracker: the release function and the holder's name.
#[derive(Clone, Copy)]
#[cfg_attr(loom, allow(dead_code, reason = "a model's tracker looks at neither"))]
pub(crate) struct By {
    pub(crate) release: Option<ReleaseFn>,
    pub(crate) holder: *const c_char,
}

impl By {
    /// A put without a release function and without a holder's name.
    pub(crate) const NOBODY: Self = Self { release: None, holder: ptr::null() };

    /// A put of a reference that a lookup has left to its pool. The tracker got the same holder's name.
    pub(crate) const PARKED: Self =
        Self { release: None, holder: c"the pool, for a stale lookup".as_ptr() };

    /// The holder of a percpu reference's initial reference. kref-track knows this name.
    pub(crate) const INITIAL: *const c_char = c"the initial reference".as_ptr();

    /// The holder of a reference that a slot holds.
    pub(crate) const SLOT: *const c_char = c"a kref_slot".as_ptr();

    /// A put with a release function and without a holder's name.
    #[cfg(feature = "capi")]
    pub(crate) const fn putting(release: ReleaseFn) -> Self {
        Self { release: Some(release), holder: ptr::null() }
    }
}

#[repr(transparent)]
#[cfg_attr(loom, allow(dead_code, reason = "in a model only the test sets a tracker"))]
struct Current(AtomicPtr<Tracker>);

/// kref/inline.h reads this word under its exported name, and inlines `kref_init` while it is null.
#[cfg(not(loom))]
#[cfg_attr(feature = "capi", unsafe(export_name = "kref_current_tracker"))]
static CURRENT: Current = Current(AtomicPtr::new(ptr::null_mut()));

/// Whether a tracker was ever set. Relaxed: a thread that initialises a tracked count has acquired the table,
/// which was set after this flag. Other threads acquire the count in `was_set`. Each copy of libkref has its own flag; kref.h says that a
/// tracked object belongs to one copy.
#[cfg(not(loom))]
static WAS_SET: core::sync::atomic::AtomicBool = core::sync::atomic::AtomicBool::new(false);

#[cfg_attr(loom, allow(dead_code, reason = "in a model only the test sets a tracker"))]
impl Current {
    fn set(&self, tracker: *const Tracker) {
        // Release: pairs with the acquire in `get`. A thread that calls the table's functions sees the
        // table, and what was done before the table was set.
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

    use super::{By, CURRENT, PercpuEvent, ReleaseFn, Tracker, Violation, c_char, c_int, c_void};
    use crate::sys::errno;

    /// A function of the current table. `None` if there is no table, or if the table does not have it.
    macro_rules! member {
        ($name:ident) => {{
            let table = CURRENT.get();
            // SAFETY: a table stays valid until the process ends, and begins with a size. Only this one
            // member is read, and only if the table has it: a shorter table is not a complete
            // `Tracker`.
            unsafe {
                if table.is_null() || (*table).size <= offset_of!(Tracker, $name) {
                    None
                } else {
                    (*table).$name
                }
            }
        }};
    }

    /// Calls a function of the table, if the table has it, and preserves `errno` for the program.
    macro_rules! call {
        ($name:ident($($argument:expr),*)) => {
            if let Some(function) = member!($name) {
                // SAFETY: the caller of `set_tracker` promised that the functions may be called so.
                errno::preserved(|| unsafe { function($($argument),*) });
            }
        };
    }

    // The functions below are not inlined: they are called from many places, and no place is hot.

    /// Whether a tracker is set. Inlined: this test is all that a tracker costs `init` if none is set.
    #[inline(always)]
    pub(crate) fn is_set() -> bool {
        !CURRENT.get().is_null()
    }

    pub(super) fn flag() -> bool {
        super::WAS_SET.load(core::sync::atomic::Ordering::Relaxed)
    }

    /// Whether the tracker wants to track the object, which is about to be initialised. `type_name` may be
    /// null.
    #[inline(never)]
    pub(crate) fn created(kref: *const c_void, type_name: *const c_char) -> bool {
        let ask = |created: unsafe extern "C" fn(_, _) -> c_int| {
            // SAFETY: the caller of `set_tracker` promised that the functions may be called so.
            unsafe { created(kref.cast_mut(), type_name) }
        };
        errno::preserved(|| member!(created).is_some_and(|created| ask(created) != 0))
    }

    /// Whether the tracker is called before a get.
    pub(crate) fn has_getting() -> bool {
        member!(getting).is_some()
    }

    #[inline(never)]
    pub(crate) fn getting(kref: *const c_void) {
        call!(getting(kref.cast_mut()));
    }

    /// Calls `got` once for each of `n` references that were taken. `count` is the count after all of
    /// them.
    #[inline(never)]
    pub(crate) fn got(kref: *const c_void, n: i32, count: i32, holder: *const c_char) {
        for missing in (0..n).rev() {
            call!(got(kref.cast_mut(), count.saturating_sub(missing) as u32, holder));
        }
    }

    /// Calls `putting` once for each of `n` references that are about to be given back. `count` is the
    /// count before all of them.
    #[inline(never)]
    pub(crate) fn putting(kref: *const c_void, n: i32, count: i32, by: By) {
        for gone in 0..n {
            call!(putting(kref.cast_mut(), by.release, (count - gone) as u32, by.holder));
        }
    }

    #[inline(never)]
    pub(crate) fn released(kref: *const c_void, by: By) {
        call!(released(kref.cast_mut(), by.release));
    }

    #[inline(never)]
    pub(crate) fn done(kref: *const c_void) {
        call!(done(kref));
    }

    /// The object gets more references than a tracked count can have.
    #[inline(never)]
    pub(crate) fn let_go(kref: *const c_void) {
        call!(let_go(kref));
    }

    #[inline(never)]
    pub(crate) fn violated(violation: &Violation) {
        call!(violated(violation));
    }

    /// A lookup in `pool` has found nothing. `given`: whether the pool has given the handle.
    #[inline(never)]
    pub(crate) fn missed(pool: *const c_void, handle: u64, given: bool) {
        call!(missed(pool.cast_mut(), handle, given.into()));
    }

    /// Something happens to a percpu reference. For [`PercpuEvent::Init`]: whether the tracker wants to track it.
    #[inline(never)]
    pub(crate) fn percpu(percpu: *const c_void, event: PercpuEvent, release: ReleaseFn) -> bool {
        let tell = |function: unsafe extern "C" fn(_, _, _) -> c_int| {
            // SAFETY: the caller of `set_tracker` promised that the functions may be called so.
            unsafe { function(percpu.cast_mut(), event, Some(release)) }
        };
        errno::preserved(|| member!(percpu).is_some_and(|function| tell(function) != 0))
    }

    /// Makes the tracker write its report to `fd`. `false` if there is no tracker, or if it has no
    /// reports.
    #[cfg(feature = "capi")]
    pub(crate) fn write_report(fd: c_int) -> bool {
        let report = member!(report);
        // SAFETY: the caller of `set_tracker` promised that the functions may be called so.
        report.inspect(|report| unsafe { report(fd) }).is_some()
    }

    /// Sets a checkpoint for the tracker's reports. `false` if there is no tracker, or if it has no
    /// checkpoints.
    #[cfg(feature = "capi")]
    pub(crate) fn checkpoint() -> bool {
        let checkpoint = member!(checkpoint);
        // SAFETY: the caller of `set_tracker` promised that the functions may be called so.
        checkpoint.inspect(|checkpoint| unsafe { checkpoint() }).is_some()
    }

    /// Begins or ends a region of the calling thread. Returns what the tracker returns, and 0 without one.
    #[cfg(feature = "capi")]
    pub(crate) fn balance(begins: bool, type_name: *const c_char) -> u32 {
        let balance = member!(balance);
        // SAFETY: the caller of `set_tracker` promised that the functions may be called so.
        balance.map_or(0, |balance| unsafe { balance(begins.into(), type_name) })
    }
}

#[cfg(loom)]
#[path = "log.rs"]
mod calls;

pub(crate) use calls::*;

/// Whether a count may be tracked whose stored value the calling thread has read.
pub(crate) fn was_set() -> bool {
    // The fence would order too much in a model of the count.
    #[cfg(loom)]
    if !calls::has_flag() {
        return true;
    }
    // Acquire: pairs with the release of `Count::publish`. A lookup in a pool knows the object by its handle,
    // which may come from another thread without any order.
    fence(Acquire);
    calls::flag()
}

/// A loom model cannot use the static table, and sets no tracker.
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

    // SAFETY: loom fails the model if nothing orders two accesses to the cell.
    unsafe impl Sync for Shared {}

    #[test]
    fn a_caller_of_the_table_sees_what_came_before_the_set() {
        loom::model(|| {
            let current = Current(AtomicPtr::new(ptr::null_mut()));
            let shared = Arc::new(Shared { current, state: UnsafeCell::new(false) });
            let theirs = Arc::clone(&shared);
            let setter = loom::thread::spawn(move || {
                // SAFETY: loom checks that no other thread accesses the cell.
                theirs.state.with_mut(|state| unsafe { *state = true });
                theirs.current.set(ptr::without_provenance(8));
            });
            if !shared.current.get().is_null() {
                // SAFETY: loom checks that no other thread writes the cell.
                assert!(shared.state.with(|state| unsafe { *state }));
            }
            setter.join().unwrap();
        });
    }
}
