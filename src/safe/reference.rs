//! [`Ref`] owns a reference, and [`Slot`] publishes one.

use core::fmt;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::NonNull;

use crate::kind::Caller;
use crate::kref::Kref;
use crate::slot::KrefSlot;
use crate::tracker::By;

/// An object with a [`Kref`] in it.
///
/// # Safety
/// The object's `Kref` is at `OFFSET` bytes into every `Self`, and no other safe code can reach it.
/// `release` frees the object, or makes sure by other means that nobody uses it again.
pub unsafe trait Refcounted: Sized {
    /// `core::mem::offset_of!(Self, the_field)`.
    const OFFSET: usize;

    /// Frees the object. The last put calls this function.
    ///
    /// # Safety
    /// No reference is left, and the caller calls this function once.
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
    // SAFETY: the way back from `kref_of`, as the caller promises.
    unsafe { kref.byte_sub(T::OFFSET) }.cast()
}

/// An owned reference to a `T`. A clone takes another reference; a drop gives the reference back.
///
/// ```
/// use core::{mem::offset_of, ptr::NonNull};
/// use kref::{Kref, Ref, Refcounted};
///
/// struct Session { kref: Kref, name: &'static str }
///
/// // SAFETY: the kref is where OFFSET says, it is private, and `release` frees.
/// unsafe impl Refcounted for Session {
///     const OFFSET: usize = offset_of!(Session, kref);
///     unsafe fn release(object: NonNull<Self>) {
///         // SAFETY: `Session::new` boxed it, and the last reference is gone.
///         drop(unsafe { Box::from_raw(object.as_ptr()) });
///     }
/// }
///
/// impl Session {
///     fn new(name: &'static str) -> Ref<Self> {
///         let boxed = Box::new(Session { kref: Kref::new(), name });
///         // SAFETY: a new object with one reference, which is handed over.
///         unsafe { Ref::from_raw(NonNull::from(Box::leak(boxed))) }
///     }
/// }
///
/// let session = Session::new("first");
/// let theirs = session.clone();
/// std::thread::spawn(move || assert_eq!(theirs.name, "first")).join().unwrap();
/// ```
pub struct Ref<T: Refcounted>(NonNull<T>);

// SAFETY: a reference gives `&T` to any thread, and any thread may drop the last one.
unsafe impl<T: Refcounted + Send + Sync> Send for Ref<T> {}
// SAFETY: as for Send, because a `&Ref` can be cloned into a `Ref`.
unsafe impl<T: Refcounted + Send + Sync> Sync for Ref<T> {}

impl<T: Refcounted> Ref<T> {
    /// Takes over one reference on `object`, from its creator or from C.
    ///
    /// # Safety
    /// `object` is live, and the caller owns one reference and gives it up.
    pub unsafe fn from_raw(object: NonNull<T>) -> Self {
        Self(object)
    }

    /// Gives the reference up to the caller, for C or for a later [`from_raw`](Self::from_raw).
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
            // SAFETY: the kref is a `T`'s, and the last reference is gone.
            unsafe { T::release(object_of(kref)) }
        };
        // SAFETY: this `Ref` owned the reference, and ends here.
        unsafe { Kref::put_from(kref_of(self.0), By::NOBODY, release, Caller::UNKNOWN) };
    }
}

/// One published `T`: any thread may take a reference, and any thread may replace the object.
///
/// A slot takes in a `T` and gives it out again. So a slot of a `T` is never a slot of a type with a
/// shorter lifetime:
///
/// ```compile_fail,E0521
/// use kref::{Ref, Refcounted, Slot};
///
/// struct Named<'a> { kref: kref::Kref, name: &'a str }
/// # // SAFETY: nothing is ever made, so nothing is released.
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
///     publish(&SLOT, named); // what `name` points to may be gone while it is published
/// }
/// ```
#[derive(Debug)]
pub struct Slot<T: Refcounted> {
    slot: KrefSlot,
    published: PhantomData<(Ref<T>, Invariant<T>)>,
}

/// A type that takes in a `T` and gives one out is invariant in `T`.
type Invariant<T> = fn(T) -> T;

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

    /// A reference on the published object, or `None`.
    #[track_caller]
    pub fn get(&self) -> Option<Ref<T>> {
        // SAFETY: only `replace` publishes, and it gives the slot a reference.
        let kref = unsafe { self.slot.get() };
        // SAFETY: the kref came from `kref_of`, in `replace`. The reference is new.
        kref.map(|kref| unsafe { Ref::from_raw(object_of(kref)) })
    }

    /// Publishes `next`, or nothing, and returns the object that was published before.
    #[track_caller]
    pub fn replace(&self, next: Option<Ref<T>>) -> Option<Ref<T>> {
        let next = next.map(|next| kref_of(next.into_raw()));
        // SAFETY: `into_raw` gave the reference up. It goes to the slot.
        let old = unsafe { self.slot.replace(next) };
        // SAFETY: the kref came from `kref_of`. The slot has given its reference up.
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
