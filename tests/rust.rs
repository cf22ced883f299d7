//! The Rust API: `Ref` and `Slot`, the raw parts, and what the counter tells when it is misused.
#![cfg(not(loom))]

use std::ffi::c_void;
use std::mem::offset_of;
use std::ptr::{NonNull, null_mut};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use kref::{Count, Kref, MAX, PthreadMutex, RawLock, Ref, Refcounted, Report, SATURATED, Slot};
use kref::{PercpuOwner, PercpuRef, PercpuRefcounted, PercpuSlot};
use kref::{Violation, lookup_locked, set_violation_handler};

/// An object that counts its releases somewhere else.
struct Object {
    name: &'static str,
    kref: Kref,
    released: &'static AtomicUsize,
}

// SAFETY: the kref is where OFFSET says, nobody else reaches it, and release frees.
unsafe impl Refcounted for Object {
    const OFFSET: usize = offset_of!(Object, kref);

    unsafe fn release(object: NonNull<Self>) {
        // SAFETY: `new` boxed it, and the last reference is gone.
        let object = unsafe { Box::from_raw(object.as_ptr()) };
        object.released.fetch_add(1, Relaxed);
    }
}

impl Object {
    fn new(name: &'static str, released: &'static AtomicUsize) -> Ref<Self> {
        let object = Box::leak(Box::new(Self { name, kref: Kref::new(), released }));
        // SAFETY: a new object with one reference, which is handed over.
        unsafe { Ref::from_raw(NonNull::from(object)) }
    }
}

#[test]
fn the_last_of_many_references_releases_once() {
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
fn a_reference_goes_to_c_and_comes_back() {
    static RELEASED: AtomicUsize = AtomicUsize::new(0);
    let raw = Object::new("raw", &RELEASED).into_raw();
    assert_eq!(RELEASED.load(Relaxed), 0);
    // SAFETY: `into_raw` gave this reference up.
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
fn a_slot_that_goes_gives_its_reference_back() {
    static RELEASED: AtomicUsize = AtomicUsize::new(0);
    let slot = Slot::new();
    assert!(slot.replace(Some(Object::new("left", &RELEASED))).is_none());
    drop(slot);
    assert_eq!(RELEASED.load(Relaxed), 1);
}

/// A hot object that counts its releases somewhere else.
struct Hot {
    percpu: PercpuRef,
    name: &'static str,
    released: &'static AtomicUsize,
}

// SAFETY: the reference is where OFFSET says, nobody else reaches it, and release frees.
unsafe impl PercpuRefcounted for Hot {
    const OFFSET: usize = offset_of!(Hot, percpu);

    unsafe fn release(object: NonNull<Self>) {
        // SAFETY: `new` boxed it, and the last reference is gone.
        let object = unsafe { Box::from_raw(object.as_ptr()) };
        object.released.fetch_add(1, Relaxed);
    }
}

impl Hot {
    fn new(name: &'static str, released: &'static AtomicUsize) -> PercpuOwner<Self> {
        let percpu = PercpuRef::of::<Self>().expect("memory");
        let object = Box::leak(Box::new(Self { percpu, name, released }));
        // SAFETY: a new object, whose initial reference is handed over.
        unsafe { PercpuOwner::from_raw(NonNull::from(object)) }
    }
}

#[test]
fn a_hot_object_outlives_its_owner_by_its_handles() {
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
fn a_hot_slot_gives_handles_while_it_is_replaced() {
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

/// More than a chunk of counters, given back in another order than they were taken.
#[test]
fn counters_are_taken_and_given_back() {
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
    // SAFETY: it lives until the put below that is the last.
    let found = unsafe { lookup_locked(&LOCK, || Some(kref)) };
    assert_eq!(found, Some(kref));
    let mut released = false;
    for last in [false, true] {
        // SAFETY: two references are ours: the creator's and the lookup's.
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

/// The handler is the process's: one test at a time.
static HANDLER: Mutex<()> = Mutex::new(());

unsafe extern "C" fn remember(report: *const Report, context: *mut c_void) {
    // SAFETY: the handler is set with such a vector, and called with a live report.
    unsafe { (*context.cast::<Vec<Report>>()).push(*report) };
}

/// What is reported while `misuse` runs.
fn reports(misuse: impl FnOnce()) -> Vec<Report> {
    let _alone = HANDLER.lock();
    let mut told: Vec<Report> = Vec::new();
    // SAFETY: the vector outlives the handler, and this thread alone misuses a count.
    unsafe { set_violation_handler(Some(remember), (&raw mut told).cast()) };
    misuse();
    // SAFETY: the default handler takes any context.
    unsafe { set_violation_handler(None, null_mut()) };
    told
}

#[test]
fn a_violation_says_what_and_where() {
    let count = Count::new(0);
    let told = reports(|| count.inc());
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].kind, Violation::GetOnZero);
    assert_eq!(told[0].count, (&raw const count).cast());
    assert!(cfg!(not(target_arch = "x86_64")) || !told[0].caller.is_null());
    assert_eq!(count.read(), SATURATED);
}

#[test]
fn what_saturated_stays_saturated() {
    let count = Count::new(MAX);
    let told = reports(|| {
        count.inc();
        assert!(count.inc_not_zero());
        assert!(!count.dec_and_test());
        count.add(1);
        assert!(!count.dec_if_one());
    });
    let kinds: Vec<_> = told.iter().map(|report| report.kind).collect();
    let again = Violation::Saturated;
    assert_eq!(kinds, [Violation::Overflow, again, again, again]);
    assert_eq!(count.read(), SATURATED);
}
