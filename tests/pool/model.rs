//! Random operations on a pool, against a table of what each handle must find. For mod.rs and fuzz/.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use kref::{Handle, Pool, PoolRef};

/// The secret of an object is its handle.
pub struct Object<'d> {
    secret: u64,
    drops: &'d AtomicUsize,
}

impl Drop for Object<'_> {
    fn drop(&mut self) {
        self.secret = !self.secret;
        self.drops.fetch_add(1, Relaxed);
    }
}

/// Makes the operations that `operations` encodes: three bytes each.
pub fn run(operations: &[u8]) {
    let drops = AtomicUsize::new(0);
    let pool = Pool::new();
    let mut world = World::new(&pool, &drops, true);
    world.steps(operations);
    world.end();
    assert!(pool.is_empty());
}

/// Two threads make their operations on one pool at the same time. Each looks up handles of the other one, too.
pub fn run_concurrently(operations: &[u8]) {
    let drops = AtomicUsize::new(0);
    let pool = Pool::new();
    let (first, second) = operations.split_at(operations.len() / 2);
    let work = |operations| {
        let mut world = World::new(&pool, &drops, false);
        world.steps(operations);
        world.end()
    };
    let made = std::thread::scope(|scope| {
        let other = scope.spawn(|| work(second));
        work(first) + other.join().expect("its own panic")
    });
    assert!(pool.is_empty());
    assert_eq!(drops.load(Relaxed), made, "an object was lost");
}

/// The objects of one thread.
struct World<'p, 'd> {
    pool: &'p Pool<Object<'d>>,
    drops: &'d AtomicUsize,
    /// Whether no other thread uses the pool.
    is_alone: bool,
    held: Vec<PoolRef<'p, Object<'d>>>,
    /// How many references this thread has on the object that the handle names.
    alive: HashMap<u64, usize>,
    gone: Vec<u64>,
    made: usize,
}

impl<'p, 'd> World<'p, 'd> {
    fn new(pool: &'p Pool<Object<'d>>, drops: &'d AtomicUsize, is_alone: bool) -> Self {
        let (held, alive, gone) = Default::default();
        Self { pool, drops, is_alone, held, alive, gone, made: 0 }
    }

    fn steps(&mut self, operations: &[u8]) {
        for operation in operations.chunks_exact(3) {
            let which = u16::from_le_bytes([operation[1], operation[2]]);
            self.step(operation[0], which.into());
        }
    }

    fn step(&mut self, operation: u8, which: usize) {
        let held = which.checked_rem(self.held.len());
        let gone = which.checked_rem(self.gone.len()).map(|at| self.gone[at]);
        match (operation % 8, held) {
            (0 | 1, _) => self.insert(),
            (2, Some(held)) => self.hold(self.held[held].clone()),
            (3, Some(held)) => {
                let found = self.get(self.held[held].handle().to_bits());
                self.hold(found.expect("alive, and its handle does not find it"));
            }
            (4 | 5, Some(held)) => self.give_back(held),
            // A bit of a handle is wrong: the number names another object, or none.
            (6, Some(held)) => {
                drop(self.get(self.held[held].handle().to_bits() ^ 1 << (which % 64)))
            }
            (6, None) => drop(self.get((which as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))),
            (7, _) if which & 7 == 0 => self.walk(),
            _ => drop(gone.and_then(|gone| self.get(gone))),
        }
    }

    /// A lookup by any number, of which the model knows whether it must find an object.
    fn get(&self, bits: u64) -> Option<PoolRef<'p, Object<'d>>> {
        let found = self.pool.get(Handle::from_bits(bits));
        if let Some(found) = &found {
            assert_eq!((found.secret, found.handle().to_bits()), (bits, bits), "another object");
        }
        let is_alive = self.alive.contains_key(&bits);
        assert!(found.is_some() == is_alive || (!self.is_alone && !is_alive), "{bits:#x}");
        found
    }

    fn insert(&mut self) {
        let object = self.pool.insert_with(|handle| {
            let secret = handle.to_bits();
            assert!(self.pool.get(handle).is_none(), "found before it is there");
            Object { secret, drops: self.drops }
        });
        let object = object.expect("memory");
        assert!(!self.gone.contains(&object.secret), "a handle was given twice");
        self.made += 1;
        self.hold(object);
    }

    fn hold(&mut self, object: PoolRef<'p, Object<'d>>) {
        *self.alive.entry(object.secret).or_default() += 1;
        self.held.push(object);
    }

    fn give_back(&mut self, held: usize) {
        let object = self.held.swap_remove(held);
        let (secret, drops) = (object.secret, self.drops.load(Relaxed));
        drop(object);
        let left = self.alive.get_mut(&secret).expect("it was held");
        *left -= 1;
        let is_last = *left == 0;
        if is_last {
            self.alive.remove(&secret);
            self.gone.push(secret);
        }
        if self.is_alone {
            assert_eq!(self.drops.load(Relaxed) - drops, usize::from(is_last));
        }
    }

    /// All objects of this thread are in the pool, and no others are if the thread is alone.
    fn walk(&self) {
        let found: Vec<u64> = self.pool.iter().map(|object| object.secret).collect();
        assert!(self.alive.keys().all(|handle| found.contains(handle)));
        if self.is_alone {
            assert_eq!((found.len(), self.pool.len()), (self.alive.len(), self.alive.len()));
        }
    }

    /// Gives all references back. Returns how many objects there were.
    fn end(mut self) -> usize {
        self.walk();
        while let Some(held) = self.held.len().checked_sub(1) {
            self.give_back(held);
        }
        self.gone.iter().for_each(|&gone| drop(self.get(gone)));
        self.made
    }
}
