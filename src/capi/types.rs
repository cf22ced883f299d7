//! The types, as C sees them.
#![expect(non_camel_case_types, reason = "cbindgen names them in kref.h as they are named here")]

use core::ffi::{c_char, c_int, c_uint, c_void};
use core::mem::offset_of;
use core::ptr::NonNull;

use crate::rseq::Head;
use crate::{Count, Kref, KrefSlot, PercpuFn, PercpuRef, PercpuRefSlot, Report, Violation};
use crate::{ReleaseFn, Tracker};

/// A saturating counter: what the kernel calls refcount_t. Use its functions, never the field.
#[repr(C)]
pub struct refcount_struct {
    pub refs: c_int,
}

/// A reference count. Embed it in your object; kref_entry() leads back to the object.
#[repr(C)]
pub struct kref {
    pub refcount: refcount_struct,
}

/// One published pointer, from which any thread may take a reference. It owns a reference on what
/// it points to. It needs no destruction once it is empty. Use its functions, never the field.
#[repr(C)]
pub struct kref_slot {
    pub kref: *mut kref,
}

/// A reference count for the hottest objects, counted on each CPU apart. Embed it in your object. Use
/// its functions, never the fields.
#[repr(C)]
pub struct percpu_ref {
    pub counters: *mut c_void,
    pub rseq: isize,
    pub cpus: c_uint,
    pub data: *mut c_void,
}

/// One published pointer to a percpu_ref. It owns a reference on what it points to. It needs no
/// destruction once it is empty. Use its functions, never the fields.
#[repr(C)]
pub struct percpu_ref_slot {
    pub percpu: *mut percpu_ref,
    pub rseq: isize,
}

/// What went wrong with a count.
#[repr(C)]
pub enum kref_violation_kind {
    /// A get on an object without references: the object is already being released.
    KREF_GET_ON_ZERO = 1,
    /// There were more references than the count can hold.
    KREF_OVERFLOW = 2,
    /// More references were given back than were held.
    KREF_PUT_ON_ZERO = 3,
    /// A kref_count_dec() took the last reference: nobody released the object.
    KREF_DEC_TO_ZERO = 4,
    /// The count was used again after one of the above, or is negative and no count at all.
    KREF_USE_OF_SATURATED = 5,
    /// The lock for the last reference, or for a lookup, could not be taken.
    KREF_LOCK_FAILED = 6,
    /// percpu_ref_kill() on a reference that is dying: its initial reference is gone already.
    KREF_KILLED_TWICE = 7,
    /// percpu_ref_exit() while somebody may hold a reference: nothing was freed.
    KREF_EXIT_WHILE_ALIVE = 8,
    /// percpu_ref_resurrect(), _reinit() or _switch_to_percpu() on one that is not dead, not at zero,
    /// or made without PERCPU_REF_ALLOW_REINIT.
    KREF_BAD_REINIT = 9,
    /// The kernel refused a membarrier: the object leaks that was to be taken down or killed.
    KREF_NOT_FENCED = 10,
    /// A get or put on a count that nobody has initialised: memory that is all zero.
    KREF_NEVER_INITIALISED = 11,
}

/// What a violation handler is told.
#[repr(C)]
pub struct kref_violation {
    /// What went wrong.
    pub kind: kref_violation_kind,
    /// The address of the struct kref, of the bare struct refcount_struct or of the struct
    /// percpu_ref. NULL if there was none: a lookup whose lock failed.
    pub kref: *const c_void,
    /// The return address of the call, in the code that made it. NULL where it is not known.
    pub caller: *const c_void,
}

/// Who is told of violations. It may be called by any thread, and in a signal handler; it may be
/// called by several threads at once. The violation is gone when it returns.
pub type kref_violation_handler =
    Option<unsafe extern "C" fn(violation: *const kref_violation, context: *mut c_void)>;

/// Who is told of every reference that is taken or given back on an object that is tracked. Each
/// function may be called by any thread, by several at once, and in signal handlers: wherever the
/// program gets and puts; and with the program's locks held. Each may be NULL. errno is kept.
#[repr(C)]
pub struct kref_tracker {
    /// sizeof(struct kref_tracker). Members beyond it do not exist.
    pub size: usize,
    /// A kref_init() is about to begin an object, with one reference. 0: do not track it.
    pub created: Option<unsafe extern "C" fn(kref: *mut kref) -> c_int>,
    /// Somebody is about to take a reference: before the count changes. It may come to nothing.
    pub getting: Option<unsafe extern "C" fn(kref: *mut kref)>,
    /// A reference was taken; count is what there are now. holder is kref_get_as()'s, or NULL. Where
    /// an operation takes several, once for each.
    pub got: Option<unsafe extern "C" fn(kref: *mut kref, count: c_uint, holder: *const c_char)>,
    /// A reference is about to be given back; count is what there are still, and the object is alive.
    /// release is NULL where only the counter's functions are used. Should others be quicker, so that
    /// a kref_count_dec_not_one() or its like must not give it back, getting and got follow.
    pub putting: Option<
        unsafe extern "C" fn(
            kref: *mut kref,
            release: Option<unsafe extern "C" fn(kref: *mut kref)>,
            count: c_uint,
            holder: *const c_char,
        ),
    >,
    /// The last reference is gone. release, if not NULL, runs next: from here on nothing is told of
    /// the object but violations, that an earlier put is done, and a getting that comes to nothing.
    pub released: Option<
        unsafe extern "C" fn(
            kref: *mut kref,
            release: Option<unsafe extern "C" fn(kref: *mut kref)>,
        ),
    >,
    /// A reference was given back. The object may be gone: kref is an address and nothing else.
    pub done: Option<unsafe extern "C" fn(kref: *const c_void)>,
    /// A violation, before its handler is told; also of counts that are not tracked.
    pub violated: Option<unsafe extern "C" fn(violation: *const kref_violation)>,
    /// kref_track_report().
    pub report: Option<unsafe extern "C" fn(fd: c_int)>,
    /// kref_track_checkpoint().
    pub checkpoint: Option<unsafe extern "C" fn()>,
}

// What C calls by one name and Rust by another is one thing.
const _: () = {
    assert!(size_of::<refcount_struct>() == size_of::<Count>());
    assert!(align_of::<refcount_struct>() == align_of::<Count>());
    assert!(size_of::<kref>() == size_of::<Kref>());
    assert!(size_of::<kref_slot>() == size_of::<KrefSlot>());
    assert!(align_of::<kref_slot>() == align_of::<KrefSlot>());
    assert!(align_of::<kref>() == align_of::<Kref>());
    assert!(size_of::<kref_violation>() <= size_of::<Report>());
    assert!(align_of::<kref_violation>() == align_of::<Report>());
    assert!(offset_of!(kref_violation, kind) == offset_of!(Report, kind));
    assert!(offset_of!(kref_violation, kref) == offset_of!(Report, count));
    assert!(offset_of!(kref_violation, caller) == offset_of!(Report, caller));
    assert!(kref_violation_kind::KREF_GET_ON_ZERO as i32 == Violation::GetOnZero as i32);
    assert!(kref_violation_kind::KREF_OVERFLOW as i32 == Violation::Overflow as i32);
    assert!(kref_violation_kind::KREF_PUT_ON_ZERO as i32 == Violation::PutOnZero as i32);
    assert!(kref_violation_kind::KREF_DEC_TO_ZERO as i32 == Violation::DecToZero as i32);
    assert!(kref_violation_kind::KREF_USE_OF_SATURATED as i32 == Violation::Saturated as i32);
    assert!(kref_violation_kind::KREF_LOCK_FAILED as i32 == Violation::LockFailed as i32);
    assert!(kref_violation_kind::KREF_KILLED_TWICE as i32 == Violation::KilledTwice as i32);
    assert!(kref_violation_kind::KREF_EXIT_WHILE_ALIVE as i32 == Violation::ExitWhileAlive as i32);
    assert!(kref_violation_kind::KREF_BAD_REINIT as i32 == Violation::BadReinit as i32);
    assert!(kref_violation_kind::KREF_NOT_FENCED as i32 == Violation::NotFenced as i32);
    let kind = kref_violation_kind::KREF_NEVER_INITIALISED;
    assert!(kind as i32 == Violation::NeverInitialised as i32);
    assert!(size_of::<percpu_ref>() == size_of::<PercpuRef>());
    assert!(align_of::<percpu_ref>() == align_of::<PercpuRef>());
    assert!(offset_of!(percpu_ref, counters) == Head::COUNTERS);
    assert!(offset_of!(percpu_ref, rseq) == Head::RSEQ);
    assert!(offset_of!(percpu_ref, cpus) == Head::CPUS);
    assert!(size_of::<percpu_ref_slot>() == size_of::<PercpuRefSlot>());
    assert!(align_of::<percpu_ref_slot>() == align_of::<PercpuRefSlot>());
    assert!(size_of::<kref_tracker>() == size_of::<Tracker>());
    assert!(offset_of!(kref_tracker, created) == offset_of!(Tracker, created));
    assert!(offset_of!(kref_tracker, getting) == offset_of!(Tracker, getting));
    assert!(offset_of!(kref_tracker, got) == offset_of!(Tracker, got));
    assert!(offset_of!(kref_tracker, putting) == offset_of!(Tracker, putting));
    assert!(offset_of!(kref_tracker, released) == offset_of!(Tracker, released));
    assert!(offset_of!(kref_tracker, done) == offset_of!(Tracker, done));
    assert!(offset_of!(kref_tracker, violated) == offset_of!(Tracker, violated));
    assert!(offset_of!(kref_tracker, report) == offset_of!(Tracker, report));
    assert!(offset_of!(kref_tracker, checkpoint) == offset_of!(Tracker, checkpoint));
};

impl refcount_struct {
    /// # Safety
    /// `count` is a live counter, for `'a`.
    pub(super) unsafe fn as_count<'a>(count: *mut Self) -> &'a Count {
        // SAFETY: same layout, all of it atomic; the C caller guarantees that it is live.
        unsafe { &*count.cast() }
    }
}

impl kref {
    /// # Safety
    /// `kref` is live, for `'a`.
    pub(super) unsafe fn as_kref<'a>(kref: *mut Self) -> &'a Kref {
        // SAFETY: same layout, all of it atomic; the C caller guarantees that it is live.
        unsafe { &*kref.cast() }
    }

    /// # Safety
    /// `kref` is not NULL.
    pub(super) unsafe fn as_non_null(kref: *mut Self) -> NonNull<Kref> {
        // SAFETY: the C caller guarantees that it is not NULL.
        unsafe { NonNull::new_unchecked(kref.cast()) }
    }
}

impl kref_slot {
    /// # Safety
    /// `slot` is live, for `'a`.
    pub(super) unsafe fn as_slot<'a>(slot: *mut Self) -> &'a KrefSlot {
        // SAFETY: same layout, all of it atomic; the C caller guarantees that it is live.
        unsafe { &*slot.cast() }
    }
}

impl percpu_ref {
    /// # Safety
    /// `percpu` is live, for `'a`.
    pub(super) unsafe fn as_percpu<'a>(percpu: *mut Self) -> &'a PercpuRef {
        // SAFETY: same layout, all of it atomic; the C caller guarantees that it is live.
        unsafe { &*percpu.cast() }
    }

    /// # Safety
    /// `percpu` is not NULL.
    pub(super) unsafe fn as_non_null(percpu: *mut Self) -> NonNull<PercpuRef> {
        // SAFETY: the C caller guarantees that it is not NULL.
        unsafe { NonNull::new_unchecked(percpu.cast()) }
    }
}

impl percpu_ref_slot {
    /// # Safety
    /// `slot` is live, for `'a`.
    pub(super) unsafe fn as_slot<'a>(slot: *mut Self) -> &'a PercpuRefSlot {
        // SAFETY: same layout, all of it atomic; the C caller guarantees that it is live.
        unsafe { &*slot.cast() }
    }
}

/// C's release function by the type that it has here.
pub(super) fn as_release(release: unsafe extern "C" fn(*mut kref)) -> ReleaseFn {
    // SAFETY: `kref` and `Kref` are one layout by two names.
    unsafe { core::mem::transmute::<unsafe extern "C" fn(*mut kref), ReleaseFn>(release) }
}

/// What calls C's release function. One closure for all, so that what takes it is compiled once.
///
/// # Safety
/// It may be called with whatever kref it will be called with.
pub(super) unsafe fn releasing(
    release: unsafe extern "C" fn(*mut kref),
) -> impl FnOnce(NonNull<Kref>) {
    // SAFETY: the caller's promise.
    move |last| unsafe { release(last.as_ptr().cast()) }
}

/// C's function by the type that it has here.
pub(super) fn as_percpu_fn(function: unsafe extern "C" fn(*mut percpu_ref)) -> PercpuFn {
    // SAFETY: `percpu_ref` and `PercpuRef` are one layout by two names, and it is called with a
    // pointer that is not NULL.
    unsafe { core::mem::transmute::<unsafe extern "C" fn(*mut percpu_ref), PercpuFn>(function) }
}

/// A pointer for C: NULL stands for nothing.
pub(super) fn or_null<T, C>(object: Option<NonNull<T>>) -> *mut C {
    object.map_or(core::ptr::null_mut(), |object| object.as_ptr().cast())
}
