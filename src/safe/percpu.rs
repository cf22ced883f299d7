//! [`PercpuOwner`] owns the initial reference of a percpu reference, [`PercpuHandle`] owns any other, and
//! [`PercpuSlot`] publishes one.

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::ptr::NonNull;

use crate::kind::Caller;
use crate::percpu::{InitError, PercpuRef, PercpuRefSlot};

/// An object with a [`PercpuRef`] in it.
///
/// # Safety
/// The object's `PercpuRef` is at `OFFSET` bytes into every `Self`. [`PercpuRef::of`] made it for this
/// type, and no other safe code can reach it. `release` frees the object, or makes sure by other means
/// that nobody uses it again.
pub unsafe trait PercpuRefcounted: Sized {
    /// `core::mem::offset_of!(Self, the_field)`.
    const OFFSET: usize;

    /// Frees the object. The last put calls this function.
    ///
    /// # Safety
    /// No reference is left, and the caller calls this function once.
    unsafe fn release(object: NonNull<Self>);
}

impl PercpuRef {
    /// A percpu reference for an object of type `T`. [`PercpuOwner`] takes its initial reference over.
    pub fn of<T: PercpuRefcounted>() -> Result<Self, InitError> {
        unsafe extern "C" fn release<T: PercpuRefcounted>(percpu: NonNull<PercpuRef>) {
            // SAFETY: the percpu reference lies inside a `T`, and no reference is left.
            unsafe { T::release(object_of(percpu)) };
        }
        // SAFETY: every function that gives a reference back demands that it lies in a `T`.
        unsafe { Self::new(release::<T>, 0) }
    }
}

fn percpu_of<T: PercpuRefcounted>(object: NonNull<T>) -> NonNull<PercpuRef> {
    // SAFETY: `PercpuRefcounted` promises that the reference lies inside the object.
    unsafe { object.byte_add(T::OFFSET) }.cast()
}

/// # Safety
/// `percpu` lies inside a `T`.
unsafe fn object_of<T: PercpuRefcounted>(percpu: NonNull<PercpuRef>) -> NonNull<T> {
    // SAFETY: as the caller promises.
    unsafe { percpu.byte_sub(T::OFFSET) }.cast()
}

/// Owns the initial reference of a `T`. The drop kills the reference: the object is released when the
/// last [`PercpuHandle`] is gone, or at once if there is none.
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

/// An owned reference to a `T`. A clone takes another reference; a drop gives the reference back.
pub struct PercpuHandle<T: PercpuRefcounted>(NonNull<T>);

// SAFETY: references give `&T` to any thread, and any thread may drop the last one.
unsafe impl<T: PercpuRefcounted + Send + Sync> Send for PercpuOwner<T> {}
// SAFETY: as for Send, because a `&PercpuOwner` gives out handles.
unsafe impl<T: PercpuRefcounted + Send + Sync> Sync for PercpuOwner<T> {}
// SAFETY: as for the owner.
unsafe impl<T: PercpuRefcounted + Send + Sync> Send for PercpuHandle<T> {}
// SAFETY: as for the owner.
unsafe impl<T: PercpuRefcounted + Send + Sync> Sync for PercpuHandle<T> {}

impl<T: PercpuRefcounted> PercpuOwner<T> {
    /// Takes over the initial reference on `object`.
    ///
    /// # Safety
    /// `object` is live and was not killed. The caller owns its initial reference and gives it up.
    pub unsafe fn from_raw(object: NonNull<T>) -> Self {
        Self(object)
    }

    /// Gives the initial reference up to the caller.
    pub fn into_raw(self) -> NonNull<T> {
        ManuallyDrop::new(self).0
    }

    /// One more reference.
    #[track_caller]
    pub fn handle(&self) -> PercpuHandle<T> {
        // SAFETY: the initial reference keeps the object alive.
        unsafe { percpu_of(self.0).as_ref() }.get_many(1);
        PercpuHandle(self.0)
    }
}

impl<T: PercpuRefcounted> Drop for PercpuOwner<T> {
    fn drop(&mut self) {
        // SAFETY: this owner had the initial reference, and ends here.
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
        // SAFETY: this handle owned the reference, and ends here.
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

/// One published `T`: any thread may take a reference, and any thread may replace the object.
pub struct PercpuSlot<T: PercpuRefcounted> {
    slot: PercpuRefSlot,
    published: PhantomData<(PercpuOwner<T>, Invariant<T>)>,
}

/// A type that takes in a `T` and gives one out is invariant in `T`; see [`Slot`](crate::Slot).
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

    /// A reference on the published object, or `None`.
    #[track_caller]
    pub fn get(&self) -> Option<PercpuHandle<T>> {
        // SAFETY: only `replace` publishes, and it gives the slot a reference.
        let percpu = unsafe { self.slot.get() };
        // SAFETY: the reference came from `percpu_of`, in `replace`, and is new.
        percpu.map(|percpu| PercpuHandle(unsafe { object_of(percpu) }))
    }

    /// Publishes `next`, or nothing, and returns the owner of the object that was published before. Its
    /// drop kills that object's reference.
    #[track_caller]
    pub fn replace(&self, next: Option<PercpuOwner<T>>) -> Option<PercpuOwner<T>> {
        let next = next.map(|next| percpu_of(next.into_raw()));
        // SAFETY: `into_raw` gave the reference up. It goes to the slot.
        let old = unsafe { self.slot.replace(next) };
        // SAFETY: the reference came from `percpu_of`. The slot has given the initial reference up.
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
