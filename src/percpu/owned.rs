//! The safe face of percpu references: [`PercpuOwner`] owns the initial reference, [`PercpuHandle`]
//! any other, and [`PercpuSlot`] publishes.

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::ptr::NonNull;

use super::{InitError, PercpuRef, PercpuRefSlot};

/// An object with a [`PercpuRef`] in it, which says where, and how to release it.
///
/// # Safety
/// At `OFFSET` bytes into every `Self` lies its `PercpuRef`, made by [`PercpuRef::of`] for this type,
/// which safe code of others cannot reach; and `release` frees the object, or otherwise makes sure
/// that nobody uses it again.
pub unsafe trait PercpuRefcounted: Sized {
    /// `core::mem::offset_of!(Self, the_field)`.
    const OFFSET: usize;

    /// Frees the object. Called once, by whoever gave the last reference back.
    ///
    /// # Safety
    /// No reference is left, and nobody calls it again.
    unsafe fn release(object: NonNull<Self>);
}

impl PercpuRef {
    /// One for an object of type `T`, with the initial reference on it, for [`PercpuOwner`].
    pub fn of<T: PercpuRefcounted>() -> Result<Self, InitError> {
        unsafe extern "C" fn release<T: PercpuRefcounted>(percpu: NonNull<PercpuRef>) {
            // SAFETY: this function was given to the reference inside a `T`, and no reference is
            // left.
            unsafe { T::release(object_of(percpu)) };
        }
        // SAFETY: whoever gives references back promises that it lies in a `T`.
        unsafe { Self::new(release::<T>, 0) }
    }
}

fn percpu_of<T: PercpuRefcounted>(object: NonNull<T>) -> NonNull<PercpuRef> {
    // SAFETY: `PercpuRefcounted` promises that it lies inside the object.
    unsafe { object.byte_add(T::OFFSET) }.cast()
}

/// # Safety
/// `percpu` lies inside a `T`.
unsafe fn object_of<T: PercpuRefcounted>(percpu: NonNull<PercpuRef>) -> NonNull<T> {
    // SAFETY: as the caller promises.
    unsafe { percpu.byte_sub(T::OFFSET) }.cast()
}

/// Owns the initial reference of a `T`. Dropping it kills: the object is released when the last
/// [`PercpuHandle`] is gone, at once if there is none.
///
/// ```
/// use core::{mem::offset_of, ptr::NonNull};
/// use kref::{PercpuOwner, PercpuRef, PercpuRefcounted, PercpuSlot};
///
/// struct Config { percpu: PercpuRef, name: &'static str }
///
/// // SAFETY: the reference is where OFFSET says, it is private, and `release` frees.
/// unsafe impl PercpuRefcounted for Config {
///     const OFFSET: usize = offset_of!(Config, percpu);
///     unsafe fn release(object: NonNull<Self>) {
///         // SAFETY: `Config::new` boxed it, and the last reference is gone.
///         drop(unsafe { Box::from_raw(object.as_ptr()) });
///     }
/// }
///
/// impl Config {
///     fn new(name: &'static str) -> PercpuOwner<Self> {
///         let percpu = PercpuRef::of::<Self>().expect("memory");
///         let boxed = Box::new(Config { percpu, name });
///         // SAFETY: a new object, whose initial reference is handed over.
///         unsafe { PercpuOwner::from_raw(NonNull::from(Box::leak(boxed))) }
///     }
/// }
///
/// static CURRENT: PercpuSlot<Config> = PercpuSlot::new();
///
/// drop(CURRENT.replace(Some(Config::new("first"))));
/// let first = CURRENT.get().expect("published");
/// drop(CURRENT.replace(Some(Config::new("second"))));
/// assert_eq!(first.name, "first"); // taken down, and still held
/// assert_eq!(CURRENT.get().expect("published").name, "second");
/// drop(CURRENT.replace(None));
/// ```
pub struct PercpuOwner<T: PercpuRefcounted>(NonNull<T>);

/// An owned reference to a `T`: cloning takes another, dropping gives it back.
pub struct PercpuHandle<T: PercpuRefcounted>(NonNull<T>);

// SAFETY: references give `&T` to any thread, and the last one may be dropped by any thread.
unsafe impl<T: PercpuRefcounted + Send + Sync> Send for PercpuOwner<T> {}
// SAFETY: as for Send; a `&PercpuOwner` gives out handles.
unsafe impl<T: PercpuRefcounted + Send + Sync> Sync for PercpuOwner<T> {}
// SAFETY: as for the owner.
unsafe impl<T: PercpuRefcounted + Send + Sync> Send for PercpuHandle<T> {}
// SAFETY: as for the owner.
unsafe impl<T: PercpuRefcounted + Send + Sync> Sync for PercpuHandle<T> {}

impl<T: PercpuRefcounted> PercpuOwner<T> {
    /// Takes over the initial reference on `object`.
    ///
    /// # Safety
    /// `object` is live and was not killed, and its initial reference is the caller's to give up.
    pub unsafe fn from_raw(object: NonNull<T>) -> Self {
        Self(object)
    }

    /// Gives the initial reference up to the caller.
    pub fn into_raw(self) -> NonNull<T> {
        ManuallyDrop::new(self).0
    }

    /// One more reference.
    pub fn handle(&self) -> PercpuHandle<T> {
        // SAFETY: alive, by the initial reference.
        unsafe { percpu_of(self.0).as_ref() }.get_many(1);
        PercpuHandle(self.0)
    }
}

impl<T: PercpuRefcounted> Drop for PercpuOwner<T> {
    fn drop(&mut self) {
        // SAFETY: the initial reference was ours, and is gone now.
        unsafe { PercpuRef::kill(percpu_of(self.0), None) };
    }
}

impl<T: PercpuRefcounted> Clone for PercpuHandle<T> {
    fn clone(&self) -> Self {
        // SAFETY: alive, by this very reference.
        unsafe { percpu_of(self.0).as_ref() }.get_many(1);
        Self(self.0)
    }
}

impl<T: PercpuRefcounted> Drop for PercpuHandle<T> {
    fn drop(&mut self) {
        // SAFETY: this reference was ours, and is gone now.
        unsafe { PercpuRef::put_many(percpu_of(self.0), 1) };
    }
}

impl<T: PercpuRefcounted> Deref for PercpuOwner<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the reference keeps it alive, and nobody has it mutably.
        unsafe { self.0.as_ref() }
    }
}

impl<T: PercpuRefcounted> Deref for PercpuHandle<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the reference keeps it alive, and nobody has it mutably.
        unsafe { self.0.as_ref() }
    }
}

/// One published `T`: any thread may take a reference, and any thread may replace it.
pub struct PercpuSlot<T: PercpuRefcounted> {
    slot: PercpuRefSlot,
    published: PhantomData<(PercpuOwner<T>, Invariant<T>)>,
}

/// What takes a `T` and gives one out can pass for no other; see [`Slot`](crate::Slot).
type Invariant<T> = fn(T) -> T;

impl<T: PercpuRefcounted> PercpuSlot<T> {
    /// An empty slot.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self { slot: PercpuRefSlot::new(), published: PhantomData }
    }

    /// An empty slot, in a loom model.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self { slot: PercpuRefSlot::new(), published: PhantomData }
    }

    /// A reference to what is published now, or `None`.
    pub fn get(&self) -> Option<PercpuHandle<T>> {
        // SAFETY: only `replace` publishes, and it gives the slot a reference.
        let percpu = unsafe { self.slot.get() };
        // SAFETY: it came from `percpu_of`, in `replace`, and the reference is new.
        percpu.map(|percpu| PercpuHandle(unsafe { object_of(percpu) }))
    }

    /// Publishes `next`, or nothing, and returns what was published: to drop it is to kill it.
    pub fn replace(&self, next: Option<PercpuOwner<T>>) -> Option<PercpuOwner<T>> {
        let next = next.map(|next| percpu_of(next.into_raw()));
        // SAFETY: `into_raw` gave the reference up to us, and we give it to the slot.
        let old = unsafe { self.slot.replace(next) };
        // SAFETY: it came from `percpu_of`, and the slot's reference, the initial one, is ours now.
        old.map(|percpu| PercpuOwner(unsafe { object_of(percpu) }))
    }
}

impl<T: PercpuRefcounted> Default for PercpuSlot<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: PercpuRefcounted> Drop for PercpuSlot<T> {
    fn drop(&mut self) {
        self.replace(None);
    }
}
