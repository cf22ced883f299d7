//! The edges of a pool, in one thread. tests/pool has a model with random operations.

extern crate std;

use std::boxed::Box;
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::NonNull;
use std::vec::Vec;

use super::layout::CACHE_LINES;
use super::*;

#[repr(C)]
struct Object {
    secret: Cell<u64>,
    kref: Kref,
    more: Cell<[u8; 9]>,
}

static POOL_OF_RELEASE: std::sync::Mutex<()> = std::sync::Mutex::new(());
static CURRENT: AtomicPtr<KrefPool> = AtomicPtr::new(std::ptr::null_mut());

unsafe extern "C" fn release(kref: *mut c_void) {
    // SAFETY: the pool of the test that runs.
    let pool = unsafe { CURRENT.load(Relaxed).as_ref() }.unwrap();
    give(pool, NonNull::new(kref.cast()).unwrap());
}

fn layout(flags: u32) -> Layout {
    let at = std::mem::offset_of!(Object, kref) as u32;
    let mut layout =
        Layout::new(size_of::<Object>() as u32, align_of::<Object>() as u32, at, flags);
    layout.release = Some(release);
    layout
}

fn with_pool(layout: Layout, work: impl FnOnce(&KrefPool)) {
    let _guard = POOL_OF_RELEASE.lock();
    let pool = Box::new(KrefPool::new(layout));
    CURRENT.store(std::ptr::from_ref(&*pool).cast_mut(), Relaxed);
    work(&pool);
    assert_eq!(destroy(&pool), 0);
}

fn object(pool: &KrefPool, kref: NonNull<Kref>) -> &Object {
    // SAFETY: the layout is that of `Object`, and the bytes are initialised.
    unsafe { &*pool.object_of(kref).cast() }
}

fn handle(pool: &KrefPool, kref: NonNull<Kref>) -> u64 {
    // SAFETY: the kref is in the pool, and the test has the object.
    unsafe { pool.handle(kref) }
}

/// Publishes an object that was allocated.
fn publish(pool: &KrefPool, kref: NonNull<Kref>) {
    // SAFETY: the caller has allocated it.
    unsafe { pool.publish(kref, Caller::UNKNOWN) };
}

fn find(pool: &KrefPool, handle: u64) -> Option<NonNull<Kref>> {
    pool.get(handle, Caller::UNKNOWN)
}

/// Frees an entry, and drains.
fn give(pool: &KrefPool, kref: NonNull<Kref>) {
    // SAFETY: the caller is the last user.
    unsafe { pool.free(kref, Caller::UNKNOWN) };
    pool.drain();
}

fn destroy(pool: &KrefPool) -> usize {
    // SAFETY: nobody else uses the pool.
    unsafe { pool.destroy(Caller::UNKNOWN) }
}

fn put(pool: &KrefPool, kref: NonNull<Kref>) {
    // SAFETY: the test gives up a reference that it holds.
    unsafe { Kref::put(kref, |kref| give(pool, kref)) };
}

#[test]
fn any_number_may_be_looked_up() {
    with_pool(layout(0), |pool| {
        assert!(
            find(pool, 0).is_none()
                && find(pool, u64::MAX).is_none()
                && find(pool, 1 << 40 | 256).is_none()
        );
        let kref = pool.alloc().unwrap();
        let handle = handle(pool, kref);
        publish(pool, kref);
        for bit in 0..64 {
            assert!(find(pool, handle ^ 1 << bit).is_none(), "bit {bit}");
        }
        put(pool, kref);
    });
}

#[test]
fn objects_are_aligned_and_lie_apart() {
    for (size, align, flags, stride) in [
        (56, 8, 0, 64),
        (4, 1, 0, 12),
        (24, 16, 0, 32),
        (56, 64, 0, 64),
        (64, 64, 0, 128),
        (56, 8, CACHE_LINES, 64),
        (57, 8, CACHE_LINES, 128),
        (48, 16, CACHE_LINES, 64),
        (64, 16, CACHE_LINES, 128),
        (64, 64, CACHE_LINES, 128),
        (4096, 4096, 0, 8192),
    ] {
        let layout = Layout::new(size, align, 0, flags);
        assert_eq!(layout.stride, stride, "{size} {align} {flags}");
        with_pool(layout, |pool| {
            let krefs: Vec<_> = (0..600).map(|_| pool.alloc().unwrap()).collect();
            for kref in krefs {
                let at = pool.object_of(kref).addr();
                assert_eq!(at % align as usize, 0);
                if flags == CACHE_LINES {
                    let before = align as usize; // all of the rows have at least 8
                    assert_eq!((at - before) % 64, 0);
                }
                give(pool, kref);
            }
        });
    }
}

#[test]
fn a_freed_object_keeps_its_bytes_unless_zeroed() {
    for (flags, secret) in [(0, 7), (ZEROED, 0)] {
        with_pool(layout(flags), |pool| {
            let kref = pool.alloc().unwrap();
            assert_eq!(
                (object(pool, kref).secret.get(), object(pool, kref).more.get()),
                (0, [0; 9])
            );
            object(pool, kref).secret.set(7);
            object(pool, kref).more.set([7; 9]);
            publish(pool, kref);
            put(pool, kref);
            let again = pool.alloc().unwrap();
            assert_eq!(again, kref, "last freed, first used");
            assert_eq!(object(pool, again).secret.get(), secret);
            assert_eq!(object(pool, again).more.get(), [secret as u8; 9]);
            // SAFETY: a pool's memory is valid while the pool lives.
            assert!(unsafe { again.as_ref() }.is_dead(), "its count was cleared");
            give(pool, again);
        });
    }
}

/// Gives an object the last generation of its entry.
fn make_last(pool: &KrefPool, kref: NonNull<Kref>) {
    let last = match pool.seed().wrapping_sub(1) {
        0 => u32::MAX,
        last => last,
    };
    // SAFETY: a pool's memory is valid while the pool lives.
    unsafe { pool.entry_of(kref).as_ref() }.generation.store(last, Relaxed);
}

#[test]
fn a_generation_that_would_come_back_retires_its_entry() {
    with_pool(layout(0), |pool| {
        let kref = pool.alloc().unwrap();
        let first = handle(pool, kref);
        make_last(pool, kref);
        let handle = handle(pool, kref);
        publish(pool, kref);
        assert_eq!(find(pool, handle), Some(kref));
        put(pool, kref);
        put(pool, kref);
        let next = pool.alloc().unwrap();
        assert_ne!(next, kref);
        assert!(
            find(pool, first).is_none()
                && find(pool, handle).is_none()
                && find(pool, handle & 0xffff_ffff).is_none()
        );
        give(pool, next);
    });
}

/// A pool that has run for long has as many objects as at first.
#[test]
fn an_entry_that_was_retired_does_not_count_for_the_limit() {
    with_pool(Layout { limit: 2, ..layout(0) }, |pool| {
        let krefs: Vec<_> = (0..2).map(|_| pool.alloc().unwrap()).collect();
        make_last(pool, krefs[0]);
        give(pool, krefs[0]);
        let next = pool.alloc().unwrap();
        assert!(!krefs.contains(&next) && pool.alloc().is_none());
        give(pool, krefs[1]);
        give(pool, next);
    });
}

#[test]
fn no_generation_is_zero() {
    with_pool(layout(0), |pool| {
        assert_eq!(pool.next_generation(u32::MAX), Some(1));
        assert_eq!(pool.next_generation(5), Some(6));
    });
}

#[test]
fn a_limit_holds_and_what_is_freed_is_used_again() {
    with_pool(Layout { limit: 3, ..layout(0) }, |pool| {
        let krefs: Vec<_> = (0..3).map(|_| pool.alloc().unwrap()).collect();
        assert!(pool.alloc().is_none());
        give(pool, krefs[1]);
        assert_eq!(pool.alloc(), Some(krefs[1]));
        krefs.iter().for_each(|&kref| give(pool, kref));
    });
}

#[test]
fn handles_of_another_pool_are_gone() {
    let other = KrefPool::new(layout(0));
    let kref = other.alloc().unwrap();
    let handle = handle(&other, kref);
    with_pool(layout(0), |pool| {
        let kref = pool.alloc().unwrap();
        publish(pool, kref);
        assert!(find(pool, handle).is_none());
        put(pool, kref);
    });
    give(&other, kref);
    assert_eq!(destroy(&other), 0);
    assert!(find(&other, handle).is_none(), "after destroy");
    let again = other.alloc().unwrap();
    publish(&other, again);
    assert!(find(&other, handle).is_none(), "after destroy and a second life");
    put(&other, again);
    assert_eq!(destroy(&other), 0);
}

/// A C program may forget KREF_POOL_INIT.
#[test]
fn a_pool_of_zeros_has_no_objects() {
    // SAFETY: zeros are atomics, numbers and null pointers.
    let pool: KrefPool = unsafe { std::mem::zeroed() };
    assert!(find(&pool, 0).is_none() && find(&pool, u64::MAX).is_none());
    assert_eq!(pool.count(), 0);
    assert!(pool.alloc().is_none());
    assert_eq!(destroy(&pool), 0);
}

/// Lookups may find an object that another lookup has parked, and its handle is known.
#[test]
fn a_parked_object_has_its_handle() {
    with_pool(layout(0), |pool| {
        let made = [(); 3].map(|()| {
            let kref = pool.alloc().unwrap();
            publish(pool, kref);
            (kref, handle(pool, kref))
        });
        for (kref, _) in made {
            assert!(pool.give_back(pool.entry_of(kref), 0).is_none());
        }
        for (kref, name) in made {
            assert_eq!(find(pool, name), Some(kref));
            assert_eq!(handle(pool, kref), name);
            put(pool, kref);
        }
        assert_eq!(pool.count(), 3);
        pool.drain();
        assert!(pool.count() == 0 && made.iter().all(|&(_, name)| find(pool, name).is_none()));
    });
}
