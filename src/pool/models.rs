//! Loom models of a pool: lookups by handle against the end of the object, and against the next object at its place.

/// Models with a tracker.
mod tracked;

use std::sync::atomic::AtomicPtr as StdPtr;

use loom::cell::UnsafeCell;

use super::*;
use crate::models::{CPU_0, CPU_1, Cpu, expect_a_report, model_within_limits, spawn};

/// The object: written by its creator before it is published, and by its release function. loom finds an access
/// that nothing orders.
#[repr(C)]
struct Object {
    kref: Kref,
    secret: UnsafeCell<u32>,
}

std::thread_local! {
    // loom runs all threads of a model in one thread of the system.
    static POOL: StdPtr<KrefPool> = const { StdPtr::new(std::ptr::null_mut()) };
}

unsafe extern "C" fn release(kref: *mut c_void) {
    // SAFETY: the pool of the model that runs.
    let pool = POOL.with(|pool| unsafe { &*pool.load(std::sync::atomic::Ordering::Relaxed) });
    free(pool, NonNull::new(kref.cast()).unwrap());
}

pub(super) fn free(pool: &KrefPool, kref: NonNull<Kref>) {
    write(pool, kref, 0);
    give(pool, kref);
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

fn object(pool: &KrefPool, kref: NonNull<Kref>) -> &Object {
    // SAFETY: all krefs are in objects of the pool.
    unsafe { &*pool.object_of(kref).cast() }
}

pub(super) fn write(pool: &KrefPool, kref: NonNull<Kref>, secret: u32) {
    // SAFETY: loom checks that no other thread accesses the secret.
    object(pool, kref).secret.with_mut(|to| unsafe { *to = secret });
}

fn put(pool: &KrefPool, kref: NonNull<Kref>) {
    // SAFETY: the caller holds a reference.
    unsafe { Kref::put(kref, |kref| free(pool, kref)) };
}

/// A pool that lives to the end of its model, and longer.
pub(super) struct Shared(pub(super) &'static KrefPool);

impl Shared {
    pub(super) fn new() -> Self {
        Self::with_limit(0)
    }

    pub(super) fn with_limit(limit: u32) -> Self {
        let size = size_of::<Object>().next_multiple_of(8) as u32;
        let mut layout = Layout::new(size, 8, 0, 0);
        layout.release = Some(release);
        layout.limit = limit;
        let pool = Box::leak(Box::new(KrefPool::new(layout)));
        POOL.with(|current| current.store(pool, std::sync::atomic::Ordering::Relaxed));
        Self(pool)
    }

    /// A new object with a secret, which is not 0.
    fn create(&self, secret: u32) -> (NonNull<Kref>, u64) {
        create(self.0, secret)
    }

    /// A thread that looks a handle up. The handle names the object with this secret.
    fn reader(&self, cpu: Cpu, handle: u64, secret: u32) -> loom::thread::JoinHandle<bool> {
        let pool = self.0;
        spawn(cpu, move || look(pool, handle, secret))
    }
}

/// An object that nobody can find. The cell of an entry's first object is made here, as `KrefPool` makes the
/// atomics.
pub(super) fn alloc(pool: &KrefPool) -> NonNull<Kref> {
    let kref = pool.alloc().unwrap();
    // SAFETY: allocated above.
    if entries::generation(unsafe { pool.handle(kref) }) == pool.seed() {
        let secret: *mut UnsafeCell<u32> = (&raw const object(pool, kref).secret).cast_mut();
        // SAFETY: nobody else has the object.
        unsafe { secret.write(UnsafeCell::new(0)) };
    }
    kref
}

fn create(pool: &KrefPool, secret: u32) -> (NonNull<Kref>, u64) {
    let kref = alloc(pool);
    write(pool, kref, secret);
    // SAFETY: allocated above.
    let handle = unsafe { pool.handle(kref) };
    publish(pool, kref);
    (kref, handle)
}

fn look(pool: &KrefPool, handle: u64, secret: u32) -> bool {
    let Some(kref) = find(pool, handle) else { return false };
    // SAFETY: loom checks that no other thread writes the secret.
    let found = object(pool, kref).secret.with(|found| unsafe { *found });
    assert_eq!(found, secret, "a handle found another object");
    put(pool, kref);
    true
}

#[test]
fn a_lookup_against_the_last_put_and_the_next_object() {
    model_within_limits(|| {
        let shared = Shared::new();
        let (first, handle) = shared.create(1);
        let reader = shared.reader(CPU_0, handle, 1);
        put(shared.0, first);
        let (second, next) = shared.create(2);
        assert_ne!(handle, next);
        reader.join().unwrap();
        assert!(look(shared.0, next, 2), "alive, and its handle does not find it");
        put(shared.0, second);
        shared.0.drain();
        assert_eq!(shared.0.count(), 0);
    });
}

#[test]
fn a_lookup_by_a_handle_that_is_known_before_the_publish() {
    model_within_limits(|| {
        let shared = Shared::new();
        let pool = shared.0;
        let kref = alloc(pool);
        // SAFETY: allocated above.
        let handle = unsafe { pool.handle(kref) };
        let reader = shared.reader(CPU_0, handle, 3);
        write(pool, kref, 3);
        publish(pool, kref);
        reader.join().unwrap();
        put(pool, kref);
        assert_eq!(pool.count(), 0);
    });
}

#[test]
fn two_lookups_against_the_last_put() {
    model_within_limits(|| {
        let shared = Shared::new();
        let (kref, handle) = shared.create(1);
        let readers = [CPU_0, CPU_1].map(|cpu| shared.reader(cpu, handle, 1));
        put(shared.0, kref);
        for reader in readers {
            reader.join().unwrap();
        }
        assert!(!look(shared.0, handle, 1));
        assert_eq!(shared.0.count(), 0);
    });
}

/// A lookup may take a reference on the next object, which ends meanwhile. Then the lookup parks it, and never
/// runs its release.
#[test]
fn a_stale_lookup_parks_the_next_object() {
    model_within_limits(|| {
        let shared = Shared::new();
        let pool = shared.0;
        let (first, handle) = shared.create(1);
        let stale = spawn(CPU_0, move || {
            let found = find(pool, handle);
            if let Some(kref) = found {
                put(pool, kref);
            }
        });
        put(pool, first);
        let (second, _) = create(pool, 2);
        put(pool, second);
        let (other, _) = create(pool, 4);
        put(pool, other); // drains, perhaps while the lookup parks
        stale.join().unwrap();
        pool.drain();
        assert_eq!(pool.count(), 0, "parked and never released");
        let (third, _) = create(pool, 3);
        assert!(third == first || third == second, "an entry is lost");
        put(pool, third);
    });
}

/// A thread reads the head of a stack and is interrupted. Meanwhile another thread takes two entries, and frees the
/// first. The head has the same position again, but another entry below.
#[test]
fn a_head_that_came_back_is_not_taken_for_the_old_one() {
    model_within_limits(|| {
        let shared = Shared::new();
        let pool = shared.0;
        let [first, second] = [alloc(pool), alloc(pool)];
        give(pool, second);
        give(pool, first);
        let slow = spawn(None, move || alloc(pool).addr());
        let [first, second] = [alloc(pool), alloc(pool)];
        give(pool, first);
        let theirs = slow.join().unwrap();
        let third = alloc(pool);
        assert!(
            third != second && theirs != second.addr() && theirs != third.addr(),
            "given twice"
        );
    });
}

/// Each thread takes two entries and frees them. Nobody gets an entry that another thread has.
#[test]
fn a_stack_gives_each_entry_once() {
    model_within_limits(|| {
        let shared = Shared::new();
        let pool = shared.0;
        let churn = move || {
            for secret in 1..3 {
                let (kref, handle) = create(pool, secret);
                assert!(look(pool, handle, secret));
                put(pool, kref);
            }
        };
        let other = spawn(CPU_0, churn);
        churn();
        other.join().unwrap();
        pool.drain();
        assert_eq!(pool.count(), 0);
    });
}

/// The two threads have different stacks, and one takes all that the other one has.
#[test]
fn a_thread_takes_the_entries_of_another_cpu() {
    model_within_limits(|| {
        let shared = Shared::new();
        let pool = shared.0;
        let other = spawn(CPU_1, move || {
            let (kref, handle) = create(pool, 1);
            assert!(look(pool, handle, 1));
            put(pool, kref);
        });
        let (kref, handle) = create(pool, 2);
        assert!(look(pool, handle, 2));
        put(pool, kref);
        other.join().unwrap();
        assert_eq!(pool.count(), 0);
    });
}

/// A lookup against a misuse of the next object: the saturated count is as good as a published one.
#[test]
fn a_lookup_against_a_misuse_of_the_next_object() {
    model_within_limits(|| {
        let shared = Shared::new();
        let pool = shared.0;
        let (first, handle) = shared.create(1);
        let reader = spawn(CPU_0, move || {
            let Some(kref) = find(pool, handle) else { return };
            // SAFETY: loom checks that no other thread writes the secret.
            let secret = object(pool, kref).secret.with(|secret| unsafe { *secret });
            assert_eq!(secret, 1, "a handle found another object");
            put(pool, kref);
        });
        put(pool, first);
        let (second, _) = shared.create(2);
        publish(pool, second);
        reader.join().unwrap();
        expect_a_report();
    });
}

mod parked;
