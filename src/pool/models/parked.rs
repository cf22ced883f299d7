//! Loom models of the references that lookups leave to the pool. Each begins where a lookup has taken a reference on
//! an object that its handle does not name.
//!
//! loom does not remember that a thread has read an atomic if another thread has read it later. So it would not try
//! what happens if the first one's read came after a write by the second one. Therefore the drain, which begins with
//! a read, is not in the first thread of a model: loom runs that thread first.

use super::*;

/// A lookup gives back its reference, which may be the last one.
fn give_back(pool: &KrefPool, kref: NonNull<Kref>) {
    let _ = pool.give_back(pool.entry_of(kref), 0);
}

/// Each object was released once, and each entry is free once. The pool has a limit, so that no free entry is in the
/// cache of another CPU.
fn both_are_released(pool: &KrefPool, krefs: [NonNull<Kref>; 2]) {
    pool.drain();
    assert_eq!(pool.count(), 0, "parked and never released");
    let again = [(); 2].map(|()| pool.alloc().expect("an entry is lost"));
    assert!(again == krefs || again == [krefs[1], krefs[0]], "an entry is lost");
}

/// A lookup parks two objects, while another thread drains.
#[test]
fn a_drain_against_a_lookup_that_parks() {
    model_within_limits(|| {
        let shared = Shared::with_limit(2);
        let pool = shared.0;
        let krefs = [1, 2].map(|secret| shared.create(secret).0);
        let drain = spawn(CPU_0, move || pool.drain());
        for kref in krefs {
            give_back(pool, kref);
        }
        drain.join().unwrap();
        both_are_released(pool, krefs);
    });
}

/// Two lookups park an object each, while another thread drains.
#[test]
fn a_drain_against_two_lookups_that_park() {
    model_within_limits(|| {
        let shared = Shared::with_limit(2);
        let pool = shared.0;
        let krefs = [1, 2].map(|secret| shared.create(secret).0);
        let drain = spawn(CPU_0, move || pool.drain());
        let [first, second] = krefs;
        let lookup = spawn(CPU_1, move || give_back(pool, second));
        give_back(pool, first);
        lookup.join().unwrap();
        drain.join().unwrap();
        both_are_released(pool, krefs);
    });
}

/// An object is parked. While another thread drains it, a second lookup has a reference, finds that it is the last
/// one, and parks the object again.
#[test]
fn an_object_is_parked_again() {
    model_within_limits(|| {
        let shared = Shared::with_limit(2);
        let pool = shared.0;
        let krefs = [1, 2].map(|secret| shared.create(secret).0);
        let [kref, _] = krefs;
        for kref in krefs {
            give_back(pool, kref);
        }
        assert_eq!(pool.count(), 2, "a lookup has released an object");
        // SAFETY: the parked reference keeps the object alive.
        unsafe { kref.as_ref() }.get();
        let drain = spawn(CPU_0, move || pool.drain());
        give_back(pool, kref);
        drain.join().unwrap();
        both_are_released(pool, krefs);
    });
}
