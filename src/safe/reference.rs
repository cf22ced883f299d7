//! Krefs in safe Rust. [`Ref`] owns a reference on an object, and [`Slot`] publishes an object.

use core::fmt;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::NonNull;

use super::Invariant;
use crate::kind::Caller;
use crate::kref::Kref;
use crate::slot::KrefSlot;
use crate::tracker::By;

/// An object with a [`Kref`] in it.
///
/// # Safety
/// In every `Self` there is a `Kref` at `OFFSET` bytes from the beginning, and safe code outside this
/// crate cannot reach it. `release` frees the object, or makes sure in another way that nobody uses the
/// object again.
pub unsafe trait Refcounted: Sized {
    /// `core::mem::offset_of!(Self, the_field)`.
    const OFFSET: usize;

    /// Frees the object. The last put calls this function.
    ///
    /// # Safety
    /// No reference is left. This function is called once for each object.
    unsafe fn release(object: NonNull<Self>);
}

/// The kref inside `object`.
fn kref_of<T: Refcounted>(object: NonNull<T>) -> NonNull<Kref> {
    // SAFETY: `Refcounted` promises that the kref lies inside the object.
    unsafe { object.byte_add(T::OFFSET) }.cast()
}

/// The object around `kref`.
///
/// # Safety
/// `kref` came from `kref_of::<T>`.
unsafe fn object_of<T: Refcounted>(kref: NonNull<Kref>) -> NonNull<T> {
    // SAFETY: `kref_of` has added the offset, as the caller promises.
    unsafe { kref.byte_sub(T::OFFSET) }.cast()
}

/// An owned reference on a `T`. A clone takes another reference. A drop gives the reference back.
///
/// ```
/// use core::{mem::offset_of, ptr::NonNull};
/// use kref::{Kref, Ref, Refcounted};
///
/// struct Session { kref: Kref, name: &'static str }
///
/// // SAFETY: `kref` is at OFFSET and is private, and `release` frees the object.
/// unsafe impl Refcounted for Session {
///     const OFFSET: usize = offset_of!(Session, kref);
///     unsafe fn release(object: NonNull<Self>) {
///         // SAFETY: `Session::new` made the object from a `Box`, and no reference is left.
///         drop(unsafe { Box::from_raw(object.as_ptr()) });
///     }
/// }
///
/// impl Session {
///     fn new(name: &'static str) -> Ref<Self> {
///         let boxed = Box::new(Session { kref: Kref::new(), name });
///         // SAFETY: nobody else has the one reference of a new object.
///         unsafe { Ref::from_raw(NonNull::from(Box::leak(boxed))) }
///     }
/// }
///
/// let session = Session::new("first");
/// let theirs = session.clone();
/// std::thread::spawn(move || assert_eq!(theirs.name, "first")).join().unwrap();
/// ```
pub struct Ref<T: Refcounted>(NonNull<T>);

// SAFETY: any thread with a reference has a `&T` (Sync), and any thread may release the `T` (Send).
unsafe impl<T: Refcounted + Send + Sync> Send for Ref<T> {}
// SAFETY: as for Send, because a thread with a `&Ref` can clone it.
unsafe impl<T: Refcounted + Send + Sync> Sync for Ref<T> {}

impl<T: Refcounted> Ref<T> {
    /// Takes over one reference on `object`, from its creator or from C code.
    ///
    /// # Safety
    /// The caller holds one reference on `object` and gives it up.
    pub unsafe fn from_raw(object: NonNull<T>) -> Self {
        Self(object)
    }

    /// Hands the reference over to the caller, for C code or for a later [`from_raw`](Self::from_raw).
    pub fn into_raw(self) -> NonNull<T> {
        core::mem::ManuallyDrop::new(self).0
    }
}

impl<T: Refcounted> Deref for Ref<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the reference keeps the object alive, and nobody has a `&mut` to it.
        unsafe { self.0.as_ref() }
    }
}

impl<T: Refcounted + fmt::Debug> fmt::Debug for Ref<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: Refcounted> Clone for Ref<T> {
    #[track_caller]
    fn clone(&self) -> Self {
        // SAFETY: this reference keeps the object alive.
        unsafe { kref_of(self.0).as_ref() }.get();
        Self(self.0)
    }
}

impl<T: Refcounted> Drop for Ref<T> {
    fn drop(&mut self) {
        let release = |kref| {
            // SAFETY: the kref came from `kref_of::<T>`, and no reference is left.
            unsafe { T::release(object_of(kref)) }
        };
        // SAFETY: this `Ref` owns a reference, and gives it up here.
        unsafe { Kref::put_from(kref_of(self.0), By::NOBODY, release, Caller::UNKNOWN) };
    }
}

/// One published `T`. Any thread may take a reference on it, and any thread may replace it.
///
/// Objects go into a slot and come out of it. So `Slot` is invariant in `T`: a slot for objects with a
/// long lifetime is not a slot for objects with a shorter one. This does not compile:
///
/// ```compile_fail,E0521
/// use kref::{Ref, Refcounted, Slot};
///
/// struct Named<'a> { kref: kref::Kref, name: &'a str }
/// # // SAFETY: no object is ever made, so none is released.
/// unsafe impl Refcounted for Named<'_> {
///     const OFFSET: usize = core::mem::offset_of!(Named<'static>, kref);
///     unsafe fn release(_: core::ptr::NonNull<Self>) {}
/// }
///
/// static SLOT: Slot<Named<'static>> = Slot::new();
///
/// fn publish<'a>(slot: &Slot<Named<'a>>, named: Ref<Named<'a>>) {
///     slot.replace(Some(named));
/// }
///
/// fn publish_for_ever<'a>(named: Ref<Named<'a>>) {
///     publish(&SLOT, named); // the slot would publish `named` longer than its `name` is valid
/// }
/// ```
#[derive(Debug)]
pub struct Slot<T: Refcounted> {
    slot: KrefSlot,
    published: PhantomData<(Ref<T>, Invariant<T>)>,
}

impl<T: Refcounted> Slot<T> {
    /// An empty slot.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self { slot: KrefSlot::new(), published: PhantomData }
    }

    /// An empty slot, in a loom model.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self { slot: KrefSlot::new(), published: PhantomData }
    }

    /// Takes a reference on the published object. `None` if the slot is empty.
    #[track_caller]
    pub fn get(&self) -> Option<Ref<T>> {
        // SAFETY: only `replace`, below, fills the slot.
        let kref = unsafe { self.slot.get() };
        // SAFETY: `replace` has published a pointer from `kref_of`. The new `Ref` owns the new reference.
        kref.map(|kref| unsafe { Ref::from_raw(object_of(kref)) })
    }

    /// Publishes `next`, or nothing, and returns the old object.
    #[track_caller]
    pub fn replace(&self, next: Option<Ref<T>>) -> Option<Ref<T>> {
        let next = next.map(|next| kref_of(next.into_raw()));
        // SAFETY: `into_raw` has handed the reference over. It goes to the slot.
        let old = unsafe { self.slot.replace(next) };
        // SAFETY: the pointer came from `kref_of`. The slot has handed its reference over.
        old.map(|kref| unsafe { Ref::from_raw(object_of(kref)) })
    }
}

impl<T: Refcounted> Default for Slot<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Refcounted> Drop for Slot<T> {
    fn drop(&mut self) {
        self.replace(None);
    }
}
