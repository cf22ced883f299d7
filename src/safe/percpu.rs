//! Percpu references in safe Rust. [`PercpuOwner`] owns the initial reference on an object,
//! [`PercpuHandle`] owns another reference, and [`PercpuSlot`] publishes an object.

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::ptr::NonNull;

use super::Invariant;
use crate::kind::Caller;
use crate::percpu::{InitError, PercpuRef, PercpuRefSlot};

/// An object with a [`PercpuRef`] in it.
///
/// # Safety
/// In every `Self` there is a `PercpuRef` at `OFFSET` bytes from the beginning. [`PercpuRef::of`] made
/// it for this type, and safe code outside this crate cannot reach it. `release` frees the object, or
/// makes sure in another way that nobody uses the object again.
pub unsafe trait PercpuRefcounted: Sized {
    /// `core::mem::offset_of!(Self, the_field)`.
    const OFFSET: usize;

    /// Frees the object. The last put calls this function.
    ///
    /// # Safety
    /// No reference is left. This function is called once for each object.
    unsafe fn release(object: NonNull<Self>);
}

impl PercpuRef {
    /// A percpu reference for an object of type `T`. A [`PercpuOwner`] takes over its initial reference.
    pub fn of<T: PercpuRefcounted>() -> Result<Self, InitError> {
        unsafe extern "C" fn release<T: PercpuRefcounted>(percpu: NonNull<PercpuRef>) {
            // SAFETY: the percpu reference lies inside a `T`, and no reference is left.
            unsafe { T::release(object_of(percpu)) };
        }
        // SAFETY: `release` relies on the percpu reference being inside a `T`. Every function that
        // gives a reference back demands that in its safety section.
        unsafe { Self::new(release::<T>, 0) }
    }
}

fn percpu_of<T: PercpuRefcounted>(object: NonNull<T>) -> NonNull<PercpuRef> {
    // SAFETY: `PercpuRefcounted` promises that the percpu reference lies inside the object.
    unsafe { object.byte_add(T::OFFSET) }.cast()
}

/// # Safety
/// `percpu` lies inside a `T`.
unsafe fn object_of<T: PercpuRefcounted>(percpu: NonNull<PercpuRef>) -> NonNull<T> {
    // SAFETY: as the caller promises.
    unsafe { percpu.byte_sub(T::OFFSET) }.cast()
}

/// Owns the initial reference on a `T`. The drop kills the percpu reference: then the object is
/// released when the last [`PercpuHandle`] is dropped, or at once if there is none.
///
/// ```
/// use core::{mem::offset_of, ptr::NonNull};
/// use kref::{PercpuOwner, PercpuRef, PercpuRefcounted, PercpuSlot};
///
/// struct Config { percpu: PercpuRef, name: &'static str }
///
/// // SAFETY: `percpu` is at OFFSET and is private, and `release` frees the object.
/// unsafe impl PercpuRefcounted for Config {
///     const OFFSET: usize = offset_of!(Config, percpu);
///     unsafe fn release(object: NonNull<Self>) {
///         // SAFETY: `Config::new` made the object from a `Box`, and no reference is left.
///         drop(unsafe { Box::from_raw(object.as_ptr()) });
///     }
/// }
///
/// impl Config {
///     fn new(name: &'static str) -> PercpuOwner<Self> {
///         let percpu = PercpuRef::of::<Self>().expect("memory");
///         let boxed = Box::new(Config { percpu, name });
///         // SAFETY: nobody else has the initial reference of a new object.
///         unsafe { PercpuOwner::from_raw(NonNull::from(Box::leak(boxed))) }
///     }
/// }
///
/// static CURRENT: PercpuSlot<Config> = PercpuSlot::new();
///
/// drop(CURRENT.replace(Some(Config::new("first"))));
/// let first = CURRENT.get().expect("published");
/// drop(CURRENT.replace(Some(Config::new("second"))));
/// assert_eq!(first.name, "first"); // not published any more, but `first` holds a reference
/// assert_eq!(CURRENT.get().expect("published").name, "second");
/// drop(CURRENT.replace(None));
/// ```
pub struct PercpuOwner<T: PercpuRefcounted>(NonNull<T>);

/// An owned reference on a `T`. A clone takes another reference. A drop gives the reference back.
pub struct PercpuHandle<T: PercpuRefcounted>(NonNull<T>);

// SAFETY: any thread with a reference has a `&T` (Sync), and any thread may release the `T` (Send).
unsafe impl<T: PercpuRefcounted + Send + Sync> Send for PercpuOwner<T> {}
// SAFETY: as for Send, because a thread with a `&PercpuOwner` can make handles.
unsafe impl<T: PercpuRefcounted + Send + Sync> Sync for PercpuOwner<T> {}
// SAFETY: as for the owner.
unsafe impl<T: PercpuRefcounted + Send + Sync> Send for PercpuHandle<T> {}
// SAFETY: as for the owner.
unsafe impl<T: PercpuRefcounted + Send + Sync> Sync for PercpuHandle<T> {}

impl<T: PercpuRefcounted> PercpuOwner<T> {
    /// Takes over the initial reference on `object`.
    ///
    /// # Safety
    /// `object` is valid and was not killed. The caller holds its initial reference and gives it up.
    pub unsafe fn from_raw(object: NonNull<T>) -> Self {
        Self(object)
    }

    /// Hands the initial reference over to the caller.
    pub fn into_raw(self) -> NonNull<T> {
        ManuallyDrop::new(self).0
    }

    /// Takes one more reference.
    #[track_caller]
    pub fn handle(&self) -> PercpuHandle<T> {
        // SAFETY: the initial reference keeps the object alive.
        unsafe { percpu_of(self.0).as_ref() }.get_many(1);
        PercpuHandle(self.0)
    }
}

impl<T: PercpuRefcounted> Drop for PercpuOwner<T> {
    fn drop(&mut self) {
        // SAFETY: this owner has the initial reference, and gives it up here.
        unsafe { PercpuRef::kill_from(percpu_of(self.0), None, Caller::UNKNOWN) };
    }
}

impl<T: PercpuRefcounted> Clone for PercpuHandle<T> {
    #[track_caller]
    fn clone(&self) -> Self {
        // SAFETY: this reference keeps the object alive.
        unsafe { percpu_of(self.0).as_ref() }.get_many(1);
        Self(self.0)
    }
}

impl<T: PercpuRefcounted> Drop for PercpuHandle<T> {
    fn drop(&mut self) {
        // SAFETY: this handle owns a reference, and gives it up here.
        unsafe { PercpuRef::put_many_from(percpu_of(self.0), 1, Caller::UNKNOWN) };
    }
}

impl<T: PercpuRefcounted> Deref for PercpuOwner<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the reference keeps the object alive, and nobody has a `&mut` to it.
        unsafe { self.0.as_ref() }
    }
}

impl<T: PercpuRefcounted> Deref for PercpuHandle<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the reference keeps the object alive, and nobody has a `&mut` to it.
        unsafe { self.0.as_ref() }
    }
}

/// One published `T`. Any thread may take a reference on it, and any thread may replace it.
pub struct PercpuSlot<T: PercpuRefcounted> {
    slot: PercpuRefSlot,
    published: PhantomData<(PercpuOwner<T>, Invariant<T>)>,
}

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

    /// Takes a reference on the published object. `None` if the slot is empty.
    #[track_caller]
    pub fn get(&self) -> Option<PercpuHandle<T>> {
        // SAFETY: only `replace`, below, fills the slot.
        let percpu = unsafe { self.slot.get() };
        // SAFETY: `replace` has published a pointer from `percpu_of`. The new handle owns the new
        // reference.
        percpu.map(|percpu| PercpuHandle(unsafe { object_of(percpu) }))
    }

    /// Publishes `next`, or nothing, and returns the owner of the old object. The drop of the owner
    /// kills the old object's percpu reference.
    #[track_caller]
    pub fn replace(&self, next: Option<PercpuOwner<T>>) -> Option<PercpuOwner<T>> {
        let next = next.map(|next| percpu_of(next.into_raw()));
        // SAFETY: `into_raw` has handed the initial reference over. It goes to the slot.
        let old = unsafe { self.slot.replace(next) };
        // SAFETY: the pointer came from `percpu_of`. The slot has handed the initial reference over.
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
