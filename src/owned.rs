//! The safe face: [`Ref`] owns a reference, [`Slot`] publishes one.

use core::fmt;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::NonNull;

use crate::kref::Kref;
use crate::slot::KrefSlot;

/// An object with a [`Kref`] in it, which says where, and how to release it.
///
/// # Safety
/// At `OFFSET` bytes into every `Self` lies its `Kref`, which safe code of others cannot reach; and
/// `release` frees the object, or otherwise makes sure that nobody uses it again.
pub unsafe trait Refcounted: Sized {
    /// `core::mem::offset_of!(Self, the_field)`.
    const OFFSET: usize;

    /// Frees the object. Called once, by whoever gave the last reference back.
    ///
    /// # Safety
    /// No reference is left, and nobody calls it again.
    unsafe fn release(object: NonNull<Self>);
}

/// The kref inside `object`.
fn kref_of<T: Refcounted>(object: NonNull<T>) -> NonNull<Kref> {
    // SAFETY: `Refcounted` promises that it lies inside the object.
    unsafe { object.byte_add(T::OFFSET) }.cast()
}

/// The object around `kref`.
///
/// # Safety
/// `kref` came from `kref_of::<T>`.
unsafe fn object_of<T: Refcounted>(kref: NonNull<Kref>) -> NonNull<T> {
    // SAFETY: back to where `kref_of` started, as the caller promises.
    unsafe { kref.byte_sub(T::OFFSET) }.cast()
}

/// An owned reference to a `T`: cloning takes another, dropping gives it back.
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

// SAFETY: a reference gives `&T` to any thread, and the last one may be dropped by any thread.
unsafe impl<T: Refcounted + Send + Sync> Send for Ref<T> {}
// SAFETY: as for Send; a `&Ref` can be cloned into a `Ref`.
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
        // SAFETY: the reference keeps it alive, and nobody has it mutably.
        unsafe { self.0.as_ref() }
    }
}

impl<T: Refcounted + fmt::Debug> fmt::Debug for Ref<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: Refcounted> Clone for Ref<T> {
    fn clone(&self) -> Self {
        // SAFETY: alive, by this very reference.
        unsafe { kref_of(self.0).as_ref() }.get();
        Self(self.0)
    }
}

impl<T: Refcounted> Drop for Ref<T> {
    fn drop(&mut self) {
        // SAFETY: this reference was ours, and is gone now. The kref is `T`'s, and `release` is
        // called by whoever gives back the last.
        unsafe { Kref::put(kref_of(self.0), |kref| T::release(object_of(kref))) };
    }
}

/// One published `T`: any thread may take a reference, and any thread may replace it.
///
/// A slot takes a `T` and gives it out again, so it cannot pass for a slot of something shorter-lived:
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

/// What takes a `T` and gives one out can pass for no other.
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

    /// A reference to what is published now, or `None`.
    pub fn get(&self) -> Option<Ref<T>> {
        // SAFETY: only `replace` publishes, and it gives the slot a reference.
        let kref = unsafe { self.slot.get() };
        // SAFETY: it came from `kref_of`, in `replace`, and the reference is new.
        kref.map(|kref| unsafe { Ref::from_raw(object_of(kref)) })
    }

    /// Publishes `next`, or nothing, and returns what was published.
    pub fn replace(&self, next: Option<Ref<T>>) -> Option<Ref<T>> {
        let next = next.map(|next| kref_of(next.into_raw()));
        // SAFETY: `into_raw` gave the reference up to us, and we give it to the slot.
        let old = unsafe { self.slot.replace(next) };
        // SAFETY: it came from `kref_of`, and the slot's reference is ours now.
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
