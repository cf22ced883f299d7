//! `Pool` and `Handle`.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use kref::Pool;

mod model;

#[test]
fn a_handle_of_a_pool_names_one_object_for_ever() {
    static POOL: Pool<Dropped> = Pool::new();
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    struct Dropped(u32);
    impl Drop for Dropped {
        fn drop(&mut self) {
            DROPS.fetch_add(1, Relaxed);
        }
    }

    let first = POOL.insert(Dropped(1)).ok().unwrap();
    let handle = first.handle();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| assert_eq!(POOL.get(handle).unwrap().0, 1));
        }
    });
    let theirs = first.clone();
    drop(first);
    assert_eq!((POOL.len(), DROPS.load(Relaxed)), (1, 0));
    drop(theirs);
    assert_eq!((POOL.len(), DROPS.load(Relaxed)), (0, 1));
    assert!(POOL.get(handle).is_none());

    let mut inside = None;
    let second = POOL.insert_with(|own| {
        assert!(POOL.get(own).is_none(), "found before it is there");
        inside = Some(own);
        Dropped(2)
    });
    assert_eq!(inside, second.as_ref().map(|second| second.handle()));
    assert!(POOL.get(handle).is_none(), "a stale handle found the next object");
    assert_eq!(POOL.iter().map(|object| object.0).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_pool_with_a_limit_gives_the_value_back() {
    let pool = Pool::with_limit(1);
    let first = pool.insert("first".to_owned()).unwrap();
    assert_eq!(pool.insert("second".to_owned()).unwrap_err(), "second");
    drop(first);
    assert_eq!(*pool.insert("third".to_owned()).unwrap(), "third");
    assert!(pool.is_empty());
}

/// The model of fuzz/targets/pool.rs, with other numbers each time.
#[test]
fn no_handle_ever_finds_another_object() {
    let random = std::hash::RandomState::new();
    for round in 0..20_u32 {
        let bytes = (0..1_000_u32).flat_map(|at| random.hash_one((round, at)).to_le_bytes());
        let operations: Vec<u8> = bytes.collect();
        model::run(&operations);
        model::run_concurrently(&operations);
    }
}

#[test]
fn an_object_whose_drop_panics_leaves_its_pool() {
    struct Panics(bool);
    impl Drop for Panics {
        fn drop(&mut self) {
            assert!(!self.0, "as asked");
        }
    }
    let pool = Pool::with_limit(1);
    let object = pool.insert(Panics(true)).ok().expect("memory");
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(object)));
    assert!(dropped.is_err() && pool.is_empty());
    assert!(pool.insert(Panics(false)).is_ok(), "no object is alive");
}
