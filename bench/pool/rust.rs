//! The tables in Rust: libkref's `Pool`, sharded-slab, and slotmap as programs share it between threads.

use std::iter;
use std::mem;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use kref::{Handle, Pool};
use sharded_slab::Slab;
use slotmap::{DefaultKey, Key, KeyData, SlotMap};

/// What a program has in an object: as much as in C, beside the count.
type Body = [u64; 6];

/// A table of objects by id: as in walk.h.
pub trait Table: Default + Send + Sync + 'static {
    /// Makes an object, puts it into the table, and returns its id.
    fn create(&self) -> u64;
    /// Takes a reference on the object of this id, if it is in the table, and gives the reference back.
    fn look_up(&self, id: u64);
    /// Takes the object out of the table. The last reference frees it.
    fn discard(&self, id: u64);
}

/// The loops over a table, as in walk.h.
pub struct Walk<T> {
    table: T,
    ids: Vec<AtomicU64>,
    next: AtomicUsize,
}

impl<T: Table> Walk<T> {
    /// A table of so many objects. Their ids are in random order.
    pub fn new(objects: usize) -> Self {
        let table = T::default();
        let mut ids: Vec<_> = iter::repeat_with(|| table.create()).take(objects).collect();
        let mut random = 1_u64;
        (1..objects).rev().for_each(|at| ids.swap(at, draw(&mut random, at + 1)));
        let ids = ids.into_iter().map(AtomicU64::new).collect();
        Self { table, ids, next: AtomicUsize::new(0) }
    }

    /// Looks n objects up. If `every` is not 0, one operation of `every` replaces an object instead.
    pub fn work(&self, n: u64, every: u64) {
        let begin = self.next.fetch_add(0x9e37_79b1, Relaxed) % self.ids.len();
        let (before, from) = self.ids.split_at(begin);
        let mut random = begin as u64;
        let mut lookups = every;
        for id in from.iter().chain(before).cycle().take(n as usize) {
            lookups = lookups.wrapping_sub(1);
            if lookups == 0 {
                lookups = every;
                let id = &self.ids[draw(&mut random, self.ids.len())];
                self.table.discard(id.swap(self.table.create(), Relaxed));
            } else {
                self.table.look_up(id.load(Relaxed));
            }
        }
    }
}

/// A number below `end`, and the next state of the generator: as in walk.h.
fn draw(random: &mut u64, end: usize) -> usize {
    *random =
        random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*random >> 33) as usize % end
}

impl Table for Pool<Body> {
    /// The reference is never dropped, so the object stays.
    fn create(&self) -> u64 {
        let object = self.insert(Body::default()).expect("memory");
        let handle = object.handle();
        mem::forget(object);
        handle.to_bits()
    }

    fn look_up(&self, id: u64) {
        std::hint::black_box(self.get(Handle::from_bits(id)).as_deref());
    }

    fn discard(&self, _: u64) {
        unreachable!("a Pool's objects have owners");
    }
}

impl Table for Slab<Body> {
    fn create(&self) -> u64 {
        self.insert(Body::default()).expect("room") as u64
    }

    fn look_up(&self, id: u64) {
        std::hint::black_box(self.get(id as usize).as_deref());
    }

    fn discard(&self, id: u64) {
        assert!(self.remove(id as usize), "only this thread has the id");
    }
}

impl Table for Mutex<SlotMap<DefaultKey, Arc<Body>>> {
    fn create(&self) -> u64 {
        let object = Arc::new(Body::default());
        self.lock().expect("no panic").insert(object).data().as_ffi()
    }

    fn look_up(&self, id: u64) {
        let found = self.lock().expect("no panic").get(KeyData::from_ffi(id).into()).cloned();
        std::hint::black_box(found.as_deref());
    }

    fn discard(&self, id: u64) {
        let object = self.lock().expect("no panic").remove(KeyData::from_ffi(id).into());
        assert!(object.is_some(), "only this thread has the id");
    }
}
