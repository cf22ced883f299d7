//! The Rust API: `Ref` and `Slot`, their percpu forms, the raw parts, and the reports of misuse.
#![cfg(not(loom))]

use std::cell::Cell;
use std::ffi::c_void;
use std::mem::offset_of;
use std::ptr::{NonNull, null_mut};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use kref::{Count, Kref, MAX, PthreadMutex, RawLock, Ref, Refcounted, SATURATED, Slot, Violation};
use kref::{PercpuOwner, PercpuRef, PercpuRefcounted, PercpuSlot};
use kref::{ViolationKind, lookup_locked, set_violation_handler};

mod pool;

/// An object that counts its releases in a variable outside of it.
struct Object {
    name: &'static str,
    kref: Kref,
    released: &'static AtomicUsize,
}

// SAFETY: the kref is at OFFSET, no other code uses the kref, and `release` frees the object.
unsafe impl Refcounted for Object {
    const OFFSET: usize = offset_of!(Object, kref);

    unsafe fn release(object: NonNull<Self>) {
        // SAFETY: `new` boxed the object, and no reference is left.
        let object = unsafe { Box::from_raw(object.as_ptr()) };
        object.released.fetch_add(1, Relaxed);
    }
}

impl Object {
    fn new(name: &'static str, released: &'static AtomicUsize) -> Ref<Self> {
        let object = Box::leak(Box::new(Self { name, kref: Kref::new(), released }));
        // SAFETY: the only reference on a new object goes to the `Ref`.
        unsafe { Ref::from_raw(NonNull::from(object)) }
    }
}

#[test]
fn the_last_drop_releases_once() {
    static RELEASED: AtomicUsize = AtomicUsize::new(0);
    let object = Object::new("shared", &RELEASED);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let theirs = object.clone();
            thread::spawn(move || {
                for _ in 0..1000 {
                    assert_eq!(theirs.clone().name, "shared");
                }
            })
        })
        .collect();
    drop(object);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(RELEASED.load(Relaxed), 1);
}

#[test]
fn from_raw_takes_over_the_reference_of_into_raw() {
    static RELEASED: AtomicUsize = AtomicUsize::new(0);
    let raw = Object::new("raw", &RELEASED).into_raw();
    assert_eq!(RELEASED.load(Relaxed), 0);
    // SAFETY: `into_raw` gave up this reference.
    drop(unsafe { Ref::from_raw(raw) });
    assert_eq!(RELEASED.load(Relaxed), 1);
}

#[test]
fn a_slot_gives_references_while_it_is_replaced() {
    static RELEASED: AtomicUsize = AtomicUsize::new(0);
    static SLOT: Slot<Object> = Slot::new();
    assert!(SLOT.get().is_none());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    if let Some(object) = SLOT.get() {
                        assert_eq!(object.name, "published");
                    }
                }
            });
        }
        for _ in 0..1000 {
            drop(SLOT.replace(Some(Object::new("published", &RELEASED))));
        }
    });
    assert_eq!(RELEASED.load(Relaxed), 999);
    assert!(SLOT.replace(None).is_some());
    assert_eq!(RELEASED.load(Relaxed), 1000);
}

#[test]
fn a_dropped_slot_puts_its_reference() {
    static RELEASED: AtomicUsize = AtomicUsize::new(0);
    let slot = Slot::new();
    assert!(slot.replace(Some(Object::new("left", &RELEASED))).is_none());
    drop(slot);
    assert_eq!(RELEASED.load(Relaxed), 1);
}

/// An object with a percpu reference count, which counts its releases outside of it.
struct Hot {
    percpu: PercpuRef,
    name: &'static str,
    released: &'static AtomicUsize,
}

// SAFETY: the percpu_ref is at OFFSET, no other code uses it, and `release` frees the object.
unsafe impl PercpuRefcounted for Hot {
    const OFFSET: usize = offset_of!(Hot, percpu);

    unsafe fn release(object: NonNull<Self>) {
        // SAFETY: `new` boxed the object, and no reference is left.
        let object = unsafe { Box::from_raw(object.as_ptr()) };
        object.released.fetch_add(1, Relaxed);
    }
}

impl Hot {
    fn new(name: &'static str, released: &'static AtomicUsize) -> PercpuOwner<Self> {
        let percpu = PercpuRef::of::<Self>().expect("memory");
        let object = Box::leak(Box::new(Self { percpu, name, released }));
        // SAFETY: the initial reference on a new object goes to the owner.
        unsafe { PercpuOwner::from_raw(NonNull::from(object)) }
    }
}

#[test]
fn a_handle_keeps_the_object_after_its_owner() {
    static RELEASED: AtomicUsize = AtomicUsize::new(0);
    let owner = Hot::new("hot", &RELEASED);
    let handles: Vec<_> = (0..4).map(|_| owner.handle()).collect();
    let threads: Vec<_> = handles
        .into_iter()
        .map(|handle| {
            thread::spawn(move || {
                for _ in 0..1000 {
                    assert_eq!(handle.clone().name, "hot");
                }
            })
        })
        .collect();
    let last = owner.handle();
    drop(owner);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(RELEASED.load(Relaxed), 0);
    drop(last);
    assert_eq!(RELEASED.load(Relaxed), 1);
}

#[test]
fn a_percpu_slot_gives_handles_while_it_is_replaced() {
    static RELEASED: AtomicUsize = AtomicUsize::new(0);
    static SLOT: PercpuSlot<Hot> = PercpuSlot::new();
    assert!(SLOT.get().is_none());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    if let Some(object) = SLOT.get() {
                        assert_eq!(object.name, "published");
                    }
                }
            });
        }
        for _ in 0..1000 {
            drop(SLOT.replace(Some(Hot::new("published", &RELEASED))));
        }
    });
    assert_eq!(RELEASED.load(Relaxed), 999);
    assert!(SLOT.replace(None).is_some());
    assert_eq!(RELEASED.load(Relaxed), 1000);
}

/// The objects need more than one chunk of counters. The test frees some of the counters, not in the
/// order of their allocation, and allocates again.
#[test]
fn freed_counters_are_used_again() {
    static RELEASED: AtomicUsize = AtomicUsize::new(0);
    let mut owners: Vec<_> = (0..2000).map(|_| Hot::new("one of many", &RELEASED)).collect();
    let handles: Vec<_> = owners.iter().map(PercpuOwner::handle).collect();
    for n in (0..1000).rev() {
        drop(owners.swap_remove(n));
    }
    owners.extend((0..1000).map(|_| Hot::new("one of many", &RELEASED)));
    drop(handles);
    assert_eq!(RELEASED.load(Relaxed), 1000);
    drop(owners);
    assert_eq!(RELEASED.load(Relaxed), 3000);
}

#[test]
fn lookup_and_the_last_put_share_a_lock() {
    static LOCK: PthreadMutex = PthreadMutex::new();
    let kref = Box::leak(Box::new(Kref::new()));
    let kref = NonNull::from(kref);
    // SAFETY: the kref lives until the last put below.
    let found = unsafe { lookup_locked(&LOCK, || Some(kref)) };
    assert_eq!(found, Some(kref));
    let mut released = false;
    for last in [false, true] {
        // SAFETY: the test owns two references: the creator's and the lookup's.
        let put = unsafe {
            Kref::put_locked(kref, &LOCK, |kref| {
                released = true;
                LOCK.unlock();
                drop(Box::from_raw(kref.as_ptr()));
            })
        };
        assert_eq!(put, last);
    }
    assert!(released);
}

/// A lock of a table from which another thread takes a reference, before the lock is taken.
struct Busy {
    count: Count,
    is_locked: Cell<bool>,
}

// SAFETY: the test has one thread.
unsafe impl RawLock for Busy {
    fn lock(&self) -> Result<(), i32> {
        self.count.inc();
        self.is_locked.set(true);
        Ok(())
    }

    unsafe fn unlock(&self) {
        self.is_locked.set(false);
    }
}

#[test]
fn a_put_that_has_waited_for_the_lock_may_not_be_the_last() {
    let lock = Busy { count: Count::new(1), is_locked: Cell::new(false) };
    assert!(!lock.count.dec_and_lock(&lock));
    assert!(!lock.is_locked.get());
    assert_eq!(lock.count.read(), 1);
}

/// A process has one handler, so one test at a time may set it.
static HANDLER: Mutex<()> = Mutex::new(());

unsafe extern "C" fn remember(violation: *const Violation, context: *mut c_void) {
    // SAFETY: `violations` passes a vector as the context, and the violation is valid during the call.
    unsafe { (*context.cast::<Vec<Violation>>()).push(*violation) };
}

/// The violations while `misuse` runs.
fn violations(misuse: impl FnOnce()) -> Vec<Violation> {
    let _alone = HANDLER.lock();
    let mut told: Vec<Violation> = Vec::new();
    // SAFETY: the vector outlives the handler, and only this thread misuses a count.
    unsafe { set_violation_handler(Some(remember), (&raw mut told).cast()) };
    misuse();
    // SAFETY: the default handler does not use its context.
    unsafe { set_violation_handler(None, null_mut()) };
    told
}

#[test]
fn a_violation_names_the_kind_the_count_and_the_caller() {
    let count = Count::new(0);
    let told = violations(|| count.inc());
    let line = line!() - 1;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].kind, ViolationKind::GetOnZero);
    assert_eq!(told[0].count, (&raw const count).cast());
    let location = told[0].location.expect("the location of a call from Rust");
    assert_eq!((location.file(), location.line()), (file!(), line));
    assert!(told[0].caller.is_null());
    assert_eq!(count.read(), SATURATED);
}

#[test]
fn a_saturated_count_stays_saturated() {
    let count = Count::new(MAX);
    let told = violations(|| {
        count.inc(); // 2^31 references: one more than is promised
        count.inc();
        assert!(count.inc_not_zero());
        assert!(!count.dec_and_test());
        count.add(1);
        assert!(!count.dec_if_one());
    });
    let kinds: Vec<_> = told.iter().map(|violation| violation.kind).collect();
    let again = ViolationKind::Saturated;
    assert_eq!(kinds, [ViolationKind::Overflow, again, again, again]);
    assert_eq!(count.read(), SATURATED);
}

/// The first members of a `PercpuRef`. The counters of two CPUs are 512 bytes apart.
#[repr(C)]
struct Head {
    counters: *mut isize,
    rseq: isize,
    cpus: u32,
}

#[test]
fn an_overflow_of_a_percpu_count_releases_nothing() {
    static RELEASED: AtomicUsize = AtomicUsize::new(0);
    /// The object leaks, as it must. Here LeakSanitizer finds it.
    static LEAKED: AtomicUsize = AtomicUsize::new(0);
    let object = Hot::new("leaks", &RELEASED).into_raw();
    LEAKED.store(object.as_ptr().expose_provenance(), Relaxed);
    // SAFETY: the object is never released.
    let percpu = unsafe { &object.as_ref().percpu };
    // SAFETY: `Head` has the members of a `PercpuRef`.
    let head = unsafe { &*(&raw const *percpu).cast::<Head>() };
    if head.cpus == 0 {
        return; // the system has no restartable sequences
    }
    for cpu in 0..head.cpus as usize {
        // SAFETY: each of the CPUs has a counter, and only this thread uses them.
        unsafe { head.counters.byte_add(cpu * 512).write(isize::MAX - 3) };
    }
    let told = violations(|| {
        percpu.get_many(4); // one counter wraps
        // SAFETY: the test gives up the initial reference, and one of the four.
        unsafe { PercpuRef::kill(NonNull::from(percpu), None) };
        // SAFETY: as above.
        unsafe { PercpuRef::put_many(NonNull::from(percpu), 1) };
    });
    let kinds: Vec<_> = told.iter().map(|violation| violation.kind).collect();
    assert_eq!(kinds, [ViolationKind::Overflow, ViolationKind::Saturated]);
    assert_eq!(RELEASED.load(Relaxed), 0);
}
