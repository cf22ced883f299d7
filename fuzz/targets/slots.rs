//! Random operations on slots and references, in safe Rust, against a model that counts the references by
//! itself: an object is released when its last reference is gone, and not before.
#![no_main]

use std::mem::offset_of;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use kref::{
    Kref, PercpuHandle, PercpuOwner, PercpuRef, PercpuRefcounted, PercpuSlot, Ref, Refcounted, Slot,
};
use libfuzzer_sys::fuzz_target;

/// What the model knows of an object.
#[derive(Default)]
struct Known {
    references: AtomicUsize,
    is_released: AtomicBool,
}

struct Object<C> {
    count: C,
    known: Arc<Known>,
}

impl<C> Object<C> {
    fn new(count: C) -> NonNull<Self> {
        NonNull::from(Box::leak(Box::new(Self { count, known: Arc::default() })))
    }

    /// # Safety
    /// `new` made the object, and no reference is left.
    unsafe fn end(object: NonNull<Self>) {
        // SAFETY: as promised.
        let object = unsafe { Box::from_raw(object.as_ptr()) };
        assert!(!object.known.is_released.swap(true, Relaxed));
    }
}

// SAFETY: the kref is at OFFSET, no other code uses it, and `release` frees the object.
unsafe impl Refcounted for Object<Kref> {
    const OFFSET: usize = offset_of!(Self, count);

    unsafe fn release(object: NonNull<Self>) {
        // SAFETY: as promised.
        unsafe { Self::end(object) };
    }
}

// SAFETY: as above.
unsafe impl PercpuRefcounted for Object<PercpuRef> {
    const OFFSET: usize = offset_of!(Self, count);

    unsafe fn release(object: NonNull<Self>) {
        // SAFETY: as promised.
        unsafe { Self::end(object) };
    }
}

/// The two kinds of references. `Owner` is the type that a slot takes over, `Held` is the type that a lookup
/// returns.
trait Kind {
    type Count;
    type Owner: Deref<Target = Object<Self::Count>>;
    type Held: Deref<Target = Object<Self::Count>> + Clone;
    type Slot: Default;

    fn new() -> Self::Owner;
    fn hold(owner: &Self::Owner) -> Self::Held;
    fn get(slot: &Self::Slot) -> Option<Self::Held>;
    fn replace(slot: &Self::Slot, next: Option<Self::Owner>) -> Option<Self::Owner>;
}

struct Plain;

impl Kind for Plain {
    type Count = Kref;
    type Owner = Ref<Object<Kref>>;
    type Held = Ref<Object<Kref>>;
    type Slot = Slot<Object<Kref>>;

    fn new() -> Self::Owner {
        // SAFETY: the only reference on a new object goes to the `Ref`.
        unsafe { Ref::from_raw(Object::new(Kref::new())) }
    }

    fn hold(owner: &Self::Owner) -> Self::Held {
        owner.clone()
    }

    fn get(slot: &Self::Slot) -> Option<Self::Held> {
        slot.get()
    }

    fn replace(slot: &Self::Slot, next: Option<Self::Owner>) -> Option<Self::Owner> {
        slot.replace(next)
    }
}

struct Percpu;

impl Kind for Percpu {
    type Count = PercpuRef;
    type Owner = PercpuOwner<Object<PercpuRef>>;
    type Held = PercpuHandle<Object<PercpuRef>>;
    type Slot = PercpuSlot<Object<PercpuRef>>;

    fn new() -> Self::Owner {
        let count = PercpuRef::of::<Object<PercpuRef>>().expect("memory");
        // SAFETY: the initial reference on a new object goes to the owner.
        unsafe { PercpuOwner::from_raw(Object::new(count)) }
    }

    fn hold(owner: &Self::Owner) -> Self::Held {
        owner.handle()
    }

    fn get(slot: &Self::Slot) -> Option<Self::Held> {
        slot.get()
    }

    fn replace(slot: &Self::Slot, next: Option<Self::Owner>) -> Option<Self::Owner> {
        slot.replace(next)
    }
}

fuzz_target!(|data: &[u8]| {
    match data.split_first() {
        Some((kind, operations)) if kind % 2 == 0 => World::<Plain>::run(operations),
        Some((_, operations)) => World::<Percpu>::run(operations),
        None => {}
    }
});

/// All references of a program, and what the model knows of all objects.
struct World<K: Kind> {
    owners: Vec<K::Owner>,
    held: Vec<K::Held>,
    slots: [K::Slot; 2],
    published: [Option<Arc<Known>>; 2],
    objects: Vec<Arc<Known>>,
}

impl<K: Kind> World<K> {
    fn run(operations: &[u8]) {
        let mut world = Self {
            owners: Vec::new(),
            held: Vec::new(),
            slots: Default::default(),
            published: [None, None],
            objects: Vec::new(),
        };
        for &[operation, which] in operations.as_chunks().0.iter().take(500) {
            world.step(operation, which.into());
            world.compare();
        }
        for slot in 0..2 {
            world.replace(slot, None);
        }
        while let Some(owner) = world.owners.pop() {
            lost(&owner.known);
        }
        world.compare();
        while let Some(held) = world.held.pop() {
            lost(&held.known);
        }
        world.compare();
        assert!(world.objects.iter().all(|known| known.is_released.load(Relaxed)));
    }

    fn compare(&self) {
        for known in &self.objects {
            let is_left = known.references.load(Relaxed) > 0;
            assert_eq!(known.is_released.load(Relaxed), !is_left);
        }
    }

    fn step(&mut self, operation: u8, which: usize) {
        let (slot, owner) = (which % 2, which.checked_rem(self.owners.len()));
        match (operation % 8, owner, which.checked_rem(self.held.len())) {
            (0, ..) => {
                let owner = K::new();
                gained(&owner.known);
                self.objects.push(Arc::clone(&owner.known));
                self.owners.push(owner);
            }
            (1, Some(owner), _) => self.hold(K::hold(&self.owners[owner])),
            (2, Some(owner), _) => lost(&self.owners.swap_remove(owner).known),
            (3, _, Some(held)) => self.hold(self.held[held].clone()),
            (4, _, Some(held)) => lost(&self.held.swap_remove(held).known),
            (5, ..) => {
                let held = K::get(&self.slots[slot]);
                let found = held.as_ref().map(|held| Arc::as_ptr(&held.known));
                assert_eq!(found, self.published[slot].as_ref().map(Arc::as_ptr));
                held.into_iter().for_each(|held| self.hold(held));
            }
            (6, Some(owner), _) => {
                let next = self.owners.swap_remove(owner);
                self.replace(slot, Some(next));
            }
            (7, ..) if which >= 128 => {
                drop(std::mem::take(&mut self.slots[slot]));
                self.published[slot].take().iter().for_each(lost);
            }
            (7, ..) => self.replace(slot, None),
            _ => {}
        }
    }

    fn hold(&mut self, held: K::Held) {
        gained(&held.known);
        self.held.push(held);
    }

    /// The slot takes over the owner's reference, and gives its own back.
    fn replace(&mut self, slot: usize, next: Option<K::Owner>) {
        let published = next.as_ref().map(|next| Arc::clone(&next.known));
        let old = K::replace(&self.slots[slot], next);
        let before = std::mem::replace(&mut self.published[slot], published);
        let found = old.as_ref().map(|old| Arc::as_ptr(&old.known));
        assert_eq!(found, before.as_ref().map(Arc::as_ptr));
        self.owners.extend(old);
    }
}

fn gained(known: &Arc<Known>) {
    known.references.fetch_add(1, Relaxed);
}

fn lost(known: &Arc<Known>) {
    known.references.fetch_sub(1, Relaxed);
}
