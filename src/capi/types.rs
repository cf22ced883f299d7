//! The types with their C names.
#![expect(
    non_camel_case_types,
    reason = "cbindgen names them in the headers as they are named here"
)]

use core::ffi::{c_char, c_int, c_uint, c_void};
use core::mem::offset_of;
use core::ptr::NonNull;

use crate::pool::KrefPool;
use crate::rseq::Head;
use crate::{Count, Kref, KrefSlot, PercpuFn, PercpuRef, PercpuRefSlot, Violation, ViolationKind};
use crate::{PercpuEvent, ReleaseFn, Tracker};

/// A saturating counter: the kernel's refcount_t. Use its functions, never the member.
#[repr(C)]
pub struct refcount_struct {
    pub refs: c_int,
}

/// A reference count. Embed it in your object. kref_entry() gives the object for its kref.
#[repr(C)]
pub struct kref {
    pub refcount: refcount_struct,
}

/// A slot: one published pointer, from which any thread may take a reference. The slot holds a
/// reference on the published object. An empty slot need not be destroyed. Use its functions, never
/// the member.
#[repr(C)]
pub struct kref_slot {
    pub kref: *mut kref,
}

/// A reference count for the hottest objects, with a counter for each CPU. Embed it in your object.
/// Use its functions, never the members.
#[repr(C)]
pub struct percpu_ref {
    pub counters: *mut c_void,
    pub rseq: isize,
    pub cpus: c_uint,
    pub data: *mut c_void,
}

/// A slot for a percpu_ref. The slot holds a reference on the published percpu_ref. An empty slot
/// need not be destroyed. Use its functions, never the members.
#[repr(C)]
pub struct percpu_ref_slot {
    pub percpu: *mut percpu_ref,
    pub rseq: isize,
}

/// For the headers only: the number of objects in a pool's first chunk, and the position of the first object.
#[allow(dead_code, reason = "Rust 1.85 does not see a use in a constant without a name")]
pub const KREF_POOL_FIRST: c_uint = 1 << KREF_POOL_FIRST_LOG2;
/// For the headers only.
#[allow(dead_code, reason = "Rust 1.85 does not see a use in a constant without a name")]
pub const KREF_POOL_FIRST_LOG2: c_uint = 8;
/// For the headers only: the bytes in front of each object of a pool.
#[allow(dead_code, reason = "Rust 1.85 does not see a use in a constant without a name")]
pub const KREF_POOL_ENTRY: c_uint = 8;

/// A pool: objects that a handle names. Use its functions, never the members.
#[repr(C)]
pub struct kref_pool {
    pub chunks: [usize; 24],
    pub release: unsafe extern "C" fn(*mut kref),
    pub type_name: *const c_char,
    pub size: c_uint,
    pub kref_at: c_uint,
    pub stride: c_uint,
    pub lead: c_uint,
    pub flags: c_uint,
    pub limit: c_uint,
    pub seed: c_uint,
    pub stack_count: c_uint,
    pub stacks: *mut c_void,
    pub apart: [u8; 64],
    pub fresh: c_uint,
    pub parked: c_uint,
    pub retired: c_uint,
}

/// The kind of a violation: what the program did wrong with a count.
#[repr(C)]
#[allow(dead_code, reason = "C code makes them; rustc 1.85 does not see why they are there")]
pub enum kref_violation_kind {
    /// A get on an object without references: the object is already being released.
    KREF_GET_ON_ZERO = 1,
    /// The program took more references than the count can hold, or a negative number of them.
    KREF_OVERFLOW = 2,
    /// The program gave back more references than it had taken, or a negative number of them.
    KREF_PUT_ON_ZERO = 3,
    /// A kref_count_dec() gave the last reference back, so nobody released the object.
    KREF_DEC_TO_ZERO = 4,
    /// The count is saturated: it was misused before, or the memory holds no count.
    KREF_USE_OF_SATURATED = 5,
    /// The lock for the last put, or for a lookup, could not be taken.
    KREF_LOCK_FAILED = 6,
    /// A second percpu_ref_kill(): the initial reference was given back already.
    KREF_KILLED_TWICE = 7,
    /// percpu_ref_exit() while somebody may hold a reference: nothing was freed.
    KREF_EXIT_WHILE_ALIVE = 8,
    /// percpu_ref_resurrect() or _reinit() on a percpu_ref that was not killed; _reinit() while a
    /// reference is held; or one of these, or _switch_to_percpu(), on a percpu_ref whose flags do not
    /// allow it. kref/percpu.h says which flags allow it.
    KREF_BAD_REINIT = 9,
    /// The kernel refused a membarrier. The object that was to be replaced or killed leaks.
    KREF_NOT_FENCED = 10,
    /// A get or put on memory that is all zero: nobody has initialised a count there.
    KREF_NEVER_INITIALISED = 11,
    /// kref_pool_publish() of an object whose count was touched after kref_pool_alloc(), by a kref_init() for
    /// example, or that was published before. The object leaks.
    KREF_BAD_PUBLISH = 12,
    /// kref_pool_free() of an object that is alive, that was freed before, or that is not the pool's.
    KREF_BAD_FREE = 13,
    /// kref_pool_destroy() while an object is alive: nothing was freed.
    KREF_POOL_IN_USE = 14,
}

/// A violation, as a violation handler receives it.
#[repr(C)]
pub struct kref_violation {
    /// The kind of the violation.
    pub kind: kref_violation_kind,
    /// The address of the struct kref, of the struct percpu_ref, or of a struct refcount_struct that
    /// is not in a kref. NULL if a lookup could not take its lock.
    pub kref: *const c_void,
    /// The return address of the call: an address in the function that made the call. If the
    /// compiler made the call a jump, as it may do with return kref_put_mutex(..), the address is in
    /// the caller of that function. NULL if it is not known.
    pub caller: *const c_void,
}

/// A violation handler. Any thread may call it, several threads at the same time, and in signal
/// handlers. *violation is valid until the handler returns.
pub type kref_violation_handler =
    Option<unsafe extern "C" fn(violation: *const kref_violation, context: *mut c_void)>;

/// What happens to a percpu_ref.
#[repr(C)]
#[allow(dead_code, reason = "libkref makes them as PercpuEvent")]
pub enum kref_percpu_event {
    /// percpu_ref_init(). The tracker decides whether the percpu_ref is tracked.
    KREF_PERCPU_INIT = 1,
    /// percpu_ref_kill(). The put of the initial reference follows.
    KREF_PERCPU_KILL = 2,
    /// percpu_ref_resurrect() or percpu_ref_reinit(). The get of the new initial reference follows.
    KREF_PERCPU_REVIVE = 3,
    /// percpu_ref_exit(): the percpu_ref has ended.
    KREF_PERCPU_EXIT = 4,
    /// The percpu_ref gets more than 4000000 references: no function is called for it any more.
    KREF_PERCPU_LET_GO = 5,
}

/// A tracker: functions that libkref calls for each get and put of a tracked object. They are called
/// wherever the program gets and puts: by any thread, by several threads at the same time, in signal
/// handlers, and while the program holds its locks. Each may be NULL. libkref preserves errno around
/// the calls.
#[repr(C)]
pub struct kref_tracker {
    /// sizeof(struct kref_tracker). libkref does not use members beyond this size.
    pub size: usize,
    /// Called by kref_init(), kref_count_set() and kref_pool_publish(), before the count is initialised.
    /// Returns 0 if the object is not to be tracked. type is the name from kref_init_as() or
    /// KREF_POOL_DEFINE(), or NULL. If kref_count_set() sets more than one reference, got follows for
    /// each of the others.
    pub created: Option<unsafe extern "C" fn(kref: *mut kref, r#type: *const c_char) -> c_int>,
    /// Called before a reference is taken. The get may still fail.
    pub getting: Option<unsafe extern "C" fn(kref: *mut kref)>,
    /// Called after a reference was taken; once for each, if the operation has taken several. count
    /// includes the reference. holder is the name from kref_get_as(), or NULL. A lookup in a pool may
    /// take a reference on another object for a moment, and give it back: no function is called for
    /// that, but the count of the other object includes it.
    pub got: Option<unsafe extern "C" fn(kref: *mut kref, count: c_uint, holder: *const c_char)>,
    /// Called before a reference is given back; once for each. count still includes the reference,
    /// so the object is alive. release is NULL if the operation has none
    /// (kref_count_dec_and_test()). holder is the name from kref_put_as(), or NULL. If
    /// kref_count_dec_not_one() or a function like it then finds that the reference has become the
    /// last, it does not give the reference back: getting and got are called.
    pub putting: Option<
        unsafe extern "C" fn(
            kref: *mut kref,
            release: Option<unsafe extern "C" fn(kref: *mut kref)>,
            count: c_uint,
            holder: *const c_char,
        ),
    >,
    /// Called after the last reference was given back, and before release runs. After this, only
    /// three functions are called for the object: violated; done, for an earlier put; and getting,
    /// for a get that then fails.
    pub released: Option<
        unsafe extern "C" fn(
            kref: *mut kref,
            release: Option<unsafe extern "C" fn(kref: *mut kref)>,
        ),
    >,
    /// Called after a reference was given back. For the last one: when release has returned, and
    /// only if the operation has a release function. The object may be freed, so kref is only an
    /// address.
    pub done: Option<unsafe extern "C" fn(kref: *const c_void)>,
    /// Called for each violation, before the violation handler. Also for counts that are not
    /// tracked.
    pub violated: Option<unsafe extern "C" fn(violation: *const kref_violation)>,
    /// Called by kref_track_report().
    pub report: Option<unsafe extern "C" fn(fd: c_int)>,
    /// Called by kref_track_checkpoint().
    pub checkpoint: Option<unsafe extern "C" fn()>,
    /// Called when kref_pool_get() has found no object. given is 1 if the pool has given this handle: the
    /// object is gone, or not published yet. given is 0 if the pool has never given the handle since it
    /// was initialised or destroyed.
    pub missed: Option<unsafe extern "C" fn(pool: *mut kref_pool, handle: u64, given: c_int)>,
    /// Called for the events of a percpu_ref; release is its release function. For KREF_PERCPU_INIT
    /// the result is 0 if the percpu_ref is not to be tracked; without this member, none is tracked.
    /// The gets and puts of a tracked percpu_ref call getting, got, putting, released and done, as
    /// those of a kref do. Their argument kref is the address of the percpu_ref: do not read a count
    /// there. The holder of the initial reference has the name "the initial reference": percpu_ref_init()
    /// calls got with this name, and percpu_ref_kill() calls putting. After released, the percpu_ref may
    /// live again, after KREF_PERCPU_REVIVE. If it is revived while another thread is still in the last
    /// put, that thread may call released later.
    pub percpu: Option<
        unsafe extern "C" fn(
            r#ref: *mut percpu_ref,
            event: kref_percpu_event,
            release: Option<unsafe extern "C" fn(r#ref: *mut percpu_ref)>,
        ) -> c_int,
    >,
    /// Called when the object gets more than 4000000 references: no function is called for it any
    /// more. The count saturates without a violation, so the object is never released.
    pub let_go: Option<unsafe extern "C" fn(kref: *const c_void)>,
    /// Called by kref_balance_begin(), with begins = 1 and the name of the type or NULL, and by kref_balance_end(),
    /// with begins = 0 and NULL. The result is that of kref_balance_end().
    pub balance: Option<unsafe extern "C" fn(begins: c_int, r#type: *const c_char) -> c_uint>,
}

// Each C type here has the same layout as a Rust type of the crate.
const _: () = {
    assert!(size_of::<refcount_struct>() == size_of::<Count>());
    assert!(align_of::<refcount_struct>() == align_of::<Count>());
    assert!(size_of::<kref>() == size_of::<Kref>());
    assert!(size_of::<kref_slot>() == size_of::<KrefSlot>());
    assert!(align_of::<kref_slot>() == align_of::<KrefSlot>());
    assert!(align_of::<kref>() == align_of::<Kref>());
    assert!(size_of::<kref_violation>() <= size_of::<Violation>());
    assert!(align_of::<kref_violation>() == align_of::<Violation>());
    assert!(offset_of!(kref_violation, kind) == offset_of!(Violation, kind));
    assert!(offset_of!(kref_violation, kref) == offset_of!(Violation, count));
    assert!(offset_of!(kref_violation, caller) == offset_of!(Violation, caller));
    assert!(kref_violation_kind::KREF_GET_ON_ZERO as i32 == ViolationKind::GetOnZero as i32);
    assert!(kref_violation_kind::KREF_OVERFLOW as i32 == ViolationKind::Overflow as i32);
    assert!(kref_violation_kind::KREF_PUT_ON_ZERO as i32 == ViolationKind::PutOnZero as i32);
    assert!(kref_violation_kind::KREF_DEC_TO_ZERO as i32 == ViolationKind::DecToZero as i32);
    assert!(kref_violation_kind::KREF_USE_OF_SATURATED as i32 == ViolationKind::Saturated as i32);
    assert!(kref_violation_kind::KREF_LOCK_FAILED as i32 == ViolationKind::LockFailed as i32);
    assert!(kref_violation_kind::KREF_KILLED_TWICE as i32 == ViolationKind::KilledTwice as i32);
    assert!(
        kref_violation_kind::KREF_EXIT_WHILE_ALIVE as i32 == ViolationKind::ExitWhileAlive as i32
    );
    assert!(kref_violation_kind::KREF_BAD_REINIT as i32 == ViolationKind::BadReinit as i32);
    assert!(kref_violation_kind::KREF_NOT_FENCED as i32 == ViolationKind::NotFenced as i32);
    let kind = kref_violation_kind::KREF_NEVER_INITIALISED;
    assert!(kind as i32 == ViolationKind::NeverInitialised as i32);
    assert!(size_of::<percpu_ref>() == size_of::<PercpuRef>());
    assert!(size_of::<kref_pool>() == size_of::<KrefPool>());
    assert!(align_of::<kref_pool>() == align_of::<KrefPool>());
    let [chunks, stride, kref_at, first, entry] = KrefPool::INLINED;
    assert!(offset_of!(kref_pool, chunks) == chunks);
    assert!(offset_of!(kref_pool, stride) == stride);
    assert!(offset_of!(kref_pool, kref_at) == kref_at);
    assert!(KREF_POOL_FIRST as usize == first);
    assert!(KREF_POOL_ENTRY as usize == entry);
    assert!(align_of::<percpu_ref>() == align_of::<PercpuRef>());
    assert!(offset_of!(percpu_ref, counters) == offset_of!(Head, counters));
    assert!(offset_of!(percpu_ref, rseq) == offset_of!(Head, rseq));
    assert!(offset_of!(percpu_ref, cpus) == offset_of!(Head, cpus));
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
    assert!(offset_of!(kref_tracker, missed) == offset_of!(Tracker, missed));
    assert!(offset_of!(kref_tracker, percpu) == offset_of!(Tracker, percpu));
    assert!(size_of::<kref_percpu_event>() == size_of::<PercpuEvent>());
    assert!(kref_percpu_event::KREF_PERCPU_INIT as i32 == PercpuEvent::Init as i32);
    assert!(kref_percpu_event::KREF_PERCPU_KILL as i32 == PercpuEvent::Kill as i32);
    assert!(kref_percpu_event::KREF_PERCPU_REVIVE as i32 == PercpuEvent::Revive as i32);
    assert!(kref_percpu_event::KREF_PERCPU_EXIT as i32 == PercpuEvent::Exit as i32);
    assert!(kref_percpu_event::KREF_PERCPU_LET_GO as i32 == PercpuEvent::LetGo as i32);
};

impl refcount_struct {
    /// # Safety
    /// `count` is a valid counter for `'a`.
    pub(super) unsafe fn as_count<'a>(count: *mut Self) -> &'a Count {
        // SAFETY: the layout is the same, and all members are atomic. The caller guarantees a valid
        // counter.
        unsafe { &*count.cast() }
    }
}

impl kref {
    /// # Safety
    /// `kref` is valid for `'a`.
    pub(super) unsafe fn as_kref<'a>(kref: *mut Self) -> &'a Kref {
        // SAFETY: the layout is the same, and all members are atomic. The caller guarantees a valid kref.
        unsafe { &*kref.cast() }
    }

    /// # Safety
    /// `kref` is not NULL.
    pub(super) unsafe fn as_non_null(kref: *mut Self) -> NonNull<Kref> {
        // SAFETY: the caller guarantees that `kref` is not NULL.
        unsafe { NonNull::new_unchecked(kref.cast()) }
    }
}

impl kref_slot {
    /// # Safety
    /// `slot` is valid for `'a`.
    pub(super) unsafe fn as_slot<'a>(slot: *mut Self) -> &'a KrefSlot {
        // SAFETY: the layout is the same, and all members are atomic. The caller guarantees a valid slot.
        unsafe { &*slot.cast() }
    }
}

impl kref_pool {
    /// # Safety
    /// `pool` is valid for `'a`.
    pub(super) unsafe fn as_pool<'a>(pool: *mut Self) -> &'a KrefPool {
        // SAFETY: the layout is the same, and all members that change are atomic. The caller guarantees a valid
        // pool.
        unsafe { &*pool.cast() }
    }
}

impl percpu_ref {
    /// # Safety
    /// `percpu` is valid for `'a`.
    pub(super) unsafe fn as_percpu<'a>(percpu: *mut Self) -> &'a PercpuRef {
        // SAFETY: the layout is the same, and all members are atomic. The caller guarantees a valid
        // percpu_ref.
        unsafe { &*percpu.cast() }
    }

    /// # Safety
    /// `percpu` is not NULL.
    pub(super) unsafe fn as_non_null(percpu: *mut Self) -> NonNull<PercpuRef> {
        // SAFETY: the caller guarantees that `percpu` is not NULL.
        unsafe { NonNull::new_unchecked(percpu.cast()) }
    }
}

impl percpu_ref_slot {
    /// # Safety
    /// `slot` is valid for `'a`.
    pub(super) unsafe fn as_slot<'a>(slot: *mut Self) -> &'a PercpuRefSlot {
        // SAFETY: the layout is the same, and all members are atomic. The caller guarantees a valid slot.
        unsafe { &*slot.cast() }
    }
}

/// A release function of C, with the type that the tracker uses.
pub(super) fn as_release(release: unsafe extern "C" fn(*mut kref)) -> ReleaseFn {
    // SAFETY: the two types differ only in the type that the pointer argument points to.
    unsafe { core::mem::transmute::<unsafe extern "C" fn(*mut kref), ReleaseFn>(release) }
}

/// A closure that calls a release function of C. All exported functions use this one closure type,
/// so that the generic functions that take it are compiled only once.
///
/// # Safety
/// `release` may be called with each kref with which the closure is called.
pub(super) unsafe fn releasing(
    release: unsafe extern "C" fn(*mut kref),
) -> impl FnOnce(NonNull<Kref>) {
    // SAFETY: as promised.
    move |last| unsafe { release(last.as_ptr().cast()) }
}

/// A function of C on a percpu_ref, with its Rust type.
pub(super) fn as_percpu_fn(function: unsafe extern "C" fn(*mut percpu_ref)) -> PercpuFn {
    // SAFETY: `percpu_ref` and `PercpuRef` have the same layout, and a `NonNull` is a pointer that is
    // not NULL.
    unsafe { core::mem::transmute::<unsafe extern "C" fn(*mut percpu_ref), PercpuFn>(function) }
}

/// A pointer for C. `None` becomes NULL.
pub(super) fn or_null<T, C>(object: Option<NonNull<T>>) -> *mut C {
    object.map_or(core::ptr::null_mut(), |object| object.as_ptr().cast())
}
