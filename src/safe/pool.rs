//! Objects that a [`Handle`] names: [`Pool`].

use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::mem::offset_of;
use core::ops::Deref;
use core::ptr::NonNull;

use super::Invariant;
use crate::kind::Caller;
use crate::kref::Kref;
use crate::pool::{KrefPool, Layout};
use crate::tracker::By;

/// An object with its count.
#[repr(C)]
struct Counted<T> {
    kref: Kref,
    value: T,
}

/// A pool of objects. A [`Handle`] names one of them for ever, and holds no reference: when the object is gone,
/// [`get`](Self::get) answers `None`. So a handle may be where a reference would keep the object alive and a
/// pointer would dangle: in an event loop's user data, in a timer, in a message.
///
/// The pool's memory grows, and is given back when the pool is dropped. A lookup takes no lock, and never drops
/// an object.
///
/// ```
/// use kref::{Handle, Pool};
///
/// static SESSIONS: Pool<String> = Pool::new();
///
/// let session = SESSIONS.insert("first".to_owned()).expect("memory");
/// let handle: Handle<String> = session.handle();
/// assert_eq!(SESSIONS.get(handle).as_deref().map(String::as_str), Some("first"));
/// drop(session);
/// assert!(SESSIONS.get(handle).is_none());
/// ```
///
/// Objects go into a pool and come out of it, so `Pool` is invariant in `T`, as [`Slot`](crate::Slot) is. This does not
/// compile:
///
/// ```compile_fail,E0521
/// use kref::{Handle, Pool};
///
/// static NAMES: Pool<&'static str> = Pool::new();
///
/// fn add<'a>(names: &Pool<&'a str>, name: &'a str) -> u64 {
///     let name = names.insert(name).expect("memory");
///     let handle = name.handle().to_bits();
///     core::mem::forget(name);
///     handle
/// }
///
/// fn add_for_ever(name: &str) -> Handle<&'static str> {
///     Handle::from_bits(add(&NAMES, name)) // the pool would have `name` longer than it is valid
/// }
/// ```
pub struct Pool<T> {
    raw: KrefPool,
    objects: PhantomData<(T, Invariant<T>)>,
}

// SAFETY: any thread with the pool may get a `&T` (Sync), and may drop a `T` (Send).
unsafe impl<T: Send + Sync> Sync for Pool<T> {}
// SAFETY: the pool's memory is everywhere the same.
unsafe impl<T: Send + Sync> Send for Pool<T> {}

impl<T> Pool<T> {
    /// An empty pool. Takes no memory yet.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self::with_limit(0)
    }

    /// An empty pool that has at most `limit` objects at a time. 0: no limit. With a limit, adding and dropping objects
    /// takes longer.
    #[cfg(not(loom))]
    pub const fn with_limit(limit: u32) -> Self {
        Self { raw: KrefPool::new(Self::layout(limit)), objects: PhantomData }
    }

    /// An empty pool, in a loom model.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self { raw: KrefPool::new(Self::layout(0)), objects: PhantomData }
    }

    const fn layout(limit: u32) -> Layout {
        const { assert!(size_of::<Counted<T>>() < 1 << 30 && align_of::<Counted<T>>() <= 4096) };
        let (size, align) = (size_of::<Counted<T>>() as u32, align_of::<Counted<T>>() as u32);
        let mut layout = Layout::new(size, align, offset_of!(Counted<T>, kref) as u32, 0);
        layout.limit = limit;
        layout
    }

    /// Adds an object. Returns `value` again if there is no memory, or the pool has its limit of objects.
    pub fn insert(&self, value: T) -> Result<PoolRef<'_, T>, T> {
        let mut value = Some(value);
        self.insert_with(|_| value.take().expect("called once"))
            .ok_or_else(|| value.take().expect("not called"))
    }

    /// Adds the object that `make` returns. `make` gets the object's handle, which finds the object as soon as this
    /// function has returned. `None` if there is no memory, or the pool has its limit of objects; then `make` is not
    /// called.
    #[track_caller]
    pub fn insert_with(&self, make: impl FnOnce(Handle<T>) -> T) -> Option<PoolRef<'_, T>> {
        let kref = self.raw.alloc()?;
        let unfinished = GivenBack { pool: self, kref };
        // SAFETY: allocated above.
        let value = make(Handle::from_bits(unsafe { self.raw.handle(kref) }));
        core::mem::forget(unfinished);
        // SAFETY: the object is nobody else's until the publish, and the layout is that of `Counted<T>`.
        unsafe {
            (&raw mut (*self.object(kref).as_ptr()).value).write(value);
            self.raw.publish(kref, Caller::here());
        }
        Some(PoolRef { pool: self, kref })
    }

    /// A reference on the object that `handle` names. `None` if the object is gone.
    ///
    /// A handle of another pool of the same type nearly always finds nothing, but this is not certain. If it finds
    /// something, that is an object of this pool.
    #[inline]
    #[track_caller]
    pub fn get(&self, handle: Handle<T>) -> Option<PoolRef<'_, T>> {
        Some(PoolRef { pool: self, kref: self.raw.get(handle.to_bits(), Caller::here())? })
    }

    /// A reference on each object. An object that is added or dropped meanwhile may be among them or not.
    pub fn iter(&self) -> impl Iterator<Item = PoolRef<'_, T>> {
        let mut cursor = 0;
        core::iter::from_fn(move || {
            let kref = self.raw.next(&mut cursor, Caller::UNKNOWN)?;
            Some(PoolRef { pool: self, kref })
        })
    }

    /// The number of objects. Looks at every place where an object has ever been.
    pub fn len(&self) -> usize {
        self.raw.count()
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn object(&self, kref: NonNull<Kref>) -> NonNull<Counted<T>> {
        const { assert!(offset_of!(Counted<T>, kref) == 0) };
        kref.cast()
    }

    /// Gives a reference back. The last one drops the object.
    ///
    /// # Safety
    /// The caller holds a reference on the object and gives it up.
    unsafe fn put(&self, kref: NonNull<Kref>, by: By) {
        let release = |kref: NonNull<Kref>| {
            let entry = GivenBack { pool: self, kref };
            // SAFETY: no reference is left, so nobody uses the value.
            unsafe { (&raw mut (*self.object(kref).as_ptr()).value).drop_in_place() };
            drop(entry);
            self.drain();
        };
        // SAFETY: as promised.
        unsafe { Kref::put_from(kref, by, release, Caller::UNKNOWN) };
    }

    /// Gives back what lookups have left to the pool.
    fn drain(&self) {
        // SAFETY: each parked reference is given back once.
        self.raw.drain_by(|kref| unsafe { self.put(kref, By::PARKED) });
    }
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for Pool<T> {
    fn drop(&mut self) {
        self.drain();
        // SAFETY: no reference borrows the pool any more. One that was forgotten keeps the memory.
        unsafe { self.raw.destroy(Caller::UNKNOWN) };
    }
}

impl<T> fmt::Debug for Pool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Gives an entry back to its pool when it is dropped: also if the making or the drop of the entry's object unwinds.
struct GivenBack<'p, T> {
    pool: &'p Pool<T>,
    kref: NonNull<Kref>,
}

impl<T> Drop for GivenBack<'_, T> {
    fn drop(&mut self) {
        // SAFETY: never published, or released: nobody uses the object.
        unsafe { self.pool.raw.free(self.kref, Caller::UNKNOWN) };
    }
}

/// Names one object of a [`Pool`] for ever, and holds no reference.
pub struct Handle<T> {
    bits: u64,
    /// A handle is a number: it may go to any thread.
    object: PhantomData<fn() -> T>,
}

impl<T> Handle<T> {
    /// The handle as a number: for an event loop's user data, or a message. Never 0.
    pub const fn to_bits(self) -> u64 {
        self.bits
    }

    /// The handle of a number. Of a number that no pool has given it names nothing.
    pub const fn from_bits(bits: u64) -> Self {
        Self { bits, object: PhantomData }
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Handle<T> {}

impl<T> PartialEq for Handle<T> {
    fn eq(&self, other: &Self) -> bool {
        self.bits == other.bits
    }
}

impl<T> Eq for Handle<T> {}

impl<T> Hash for Handle<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bits.hash(state);
    }
}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({:#x})", self.bits)
    }
}

/// An owned reference on an object of a [`Pool`]. A clone takes another reference. A drop gives the reference back,
/// and the last one drops the object.
pub struct PoolRef<'p, T> {
    pool: &'p Pool<T>,
    kref: NonNull<Kref>,
}

// SAFETY: any thread with a reference has a `&T` (Sync), and any thread may drop the `T` (Send).
unsafe impl<T: Send + Sync> Send for PoolRef<'_, T> {}
// SAFETY: as for Send, because a thread with a `&PoolRef` can clone it.
unsafe impl<T: Send + Sync> Sync for PoolRef<'_, T> {}

impl<T> PoolRef<'_, T> {
    /// The object's handle.
    pub fn handle(&self) -> Handle<T> {
        // SAFETY: this reference is on an object of the pool.
        Handle::from_bits(unsafe { self.pool.raw.handle(self.kref) })
    }
}

impl<T> Deref for PoolRef<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the reference keeps the object alive, and nobody has a `&mut` to it.
        unsafe { &self.pool.object(self.kref).as_ref().value }
    }
}

impl<T> Clone for PoolRef<'_, T> {
    #[track_caller]
    fn clone(&self) -> Self {
        // SAFETY: this reference keeps the object alive.
        unsafe { self.kref.as_ref() }.get();
        Self { pool: self.pool, kref: self.kref }
    }
}

impl<T> Drop for PoolRef<'_, T> {
    fn drop(&mut self) {
        // SAFETY: this reference, which nobody uses again.
        unsafe { self.pool.put(self.kref, By::NOBODY) };
    }
}

impl<T: fmt::Debug> fmt::Debug for PoolRef<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
