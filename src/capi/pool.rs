//! Pools: objects that a handle names.

use core::ffi::{c_int, c_uint, c_void};
use core::{mem, ptr};

use super::edge::{CallSite, edge};
use super::types::{kref, kref_pool, or_null};
use crate::kind::Caller;
use crate::pool::{KrefPool, Layout};
use crate::sys::errno;
use crate::tracker::ReleaseFn;

/// cbindgen:postfix=KREF_NONNULL
/// Initialise a pool whose objects have no type in C, or that other languages make. In C and C++,
/// KREF_POOL_INIT does the same at compile time.
///
/// Range:    size and align are those of an object: align is a power of two, at most 4096. kref_at is the
///           offset of the struct kref in it. flags as for KREF_POOL_INIT_WITH. limit is the most objects at
///           a time, or 0. The pool has not been used, or kref_pool_destroy() has returned 0.
/// Threads:  no other thread uses the pool meanwhile.
/// Returns:  0; -EINVAL for numbers out of range, and then the pool is as it was.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn kref_pool_init(
    pool: *mut kref_pool,
    size: usize,
    align: usize,
    kref_at: usize,
    release: unsafe extern "C" fn(*mut kref),
    flags: c_uint,
    limit: c_uint,
) -> c_int {
    let Some(layout) = Layout::checked(size, align, kref_at, flags) else { return -libc::EINVAL };
    // SAFETY: the functions have the same ABI, because a kref is only an address to the pool.
    let release = unsafe { mem::transmute::<unsafe extern "C" fn(*mut kref), ReleaseFn>(release) };
    let pool: *mut KrefPool = pool.cast();
    // SAFETY: the C caller guarantees memory for a pool, which nobody uses.
    unsafe { pool.write(KrefPool::new(Layout { release: Some(release), limit, ..layout })) };
    0
}

/// cbindgen:postfix=KREF_NONNULL
/// Take an object from the pool, for kref_pool_publish() or kref_pool_free(). Until it is published no
/// lookup finds it, but its handle is known: kref_pool_handle(). Fill the object in, member by member,
/// and leave its kref alone.
///
/// Misuse:   kref_init(), memset() or an assignment of the whole struct: kref_pool_publish() reports it.
/// Returns:  the object. All zero the first time, and later as the release function left it, or zero
///           each time with KREF_POOL_ZEROED. NULL with errno ENOMEM if there is no memory, or the
///           pool has its limit of objects.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn kref_pool_alloc(pool: *mut kref_pool) -> *mut c_void {
    // SAFETY: the C caller guarantees a valid pool.
    let pool = unsafe { kref_pool::as_pool(pool) };
    match pool.alloc() {
        Some(kref) => pool.object_of(kref),
        None => {
            errno::set(libc::ENOMEM);
            ptr::null_mut()
        }
    }
}

/// cbindgen:postfix=KREF_NONNULL
/// Set the count to one reference, which the caller holds. From here on lookups by the handle find the
/// object.
///
/// Range:    the kref of an object that kref_pool_alloc() returned.
/// Misuse:   on an object whose count was touched since kref_pool_alloc(), or that was published before or
///           freed: a violation is reported. A count that was touched saturates.
/// Ordering: release: who finds the object sees what was written to it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_kref_pool_publish(
    pool: *mut kref_pool,
    kref: *mut kref,
    call: CallSite,
) {
    // SAFETY: the C caller guarantees a valid pool, and a kref of it.
    unsafe { kref_pool::as_pool(pool).publish(kref::as_non_null(kref), call.into()) };
}
edge!(kref_pool_publish = at_kref_pool_publish, 2);

/// cbindgen:postfix=KREF_NONNULL
/// Give the object's memory back to the pool. The pool's release function calls this at its end, and does
/// not use the object afterwards. From here on the handle finds nothing. Also for an object that was
/// allocated and not published.
///
/// Range:    the kref of an object that nobody uses any more.
/// Misuse:   on an object that is alive, that was freed before, or that is not the pool's: nothing is
///           freed, and a violation is reported.
/// Ordering: release: who gets the memory next sees what was done to the object before.
/// Threads:  as for a release function: the call may give back references that lookups have left to the
///           pool, and run the release function for them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_kref_pool_free(pool: *mut kref_pool, kref: *mut kref, call: CallSite) {
    // SAFETY: the C caller guarantees a valid pool, and a kref of it that nobody uses any more.
    unsafe {
        let pool = kref_pool::as_pool(pool);
        pool.free(kref::as_non_null(kref), call.into());
        pool.drain();
    }
}
edge!(kref_pool_free = at_kref_pool_free, 2);

/// cbindgen:postfix=KREF_NONNULL
/// The object's handle. It names this object, and no other one while the pool lives. It holds no
/// reference.
///
/// Range:    an object of the pool that the caller has allocated or holds a reference on; or in the release
///           function, before kref_pool_free().
/// Returns:  the handle, never 0. 0 if the object is not in this pool.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn kref_pool_handle(pool: *mut kref_pool, kref: *mut kref) -> u64 {
    // SAFETY: the C caller guarantees a valid pool, and a kref of it.
    unsafe { kref_pool::as_pool(pool).handle(kref::as_non_null(kref)) }
}

/// cbindgen:postfix=KREF_NONNULL
/// Take a reference on the object that the handle names, in one step with the lookup: rule 3 of the three
/// rules in kref.h. Takes no lock, and never runs a release function.
///
/// Range:    any number.
/// Misuse:   a handle of another pool nearly always finds nothing, but this is not certain.
/// Ordering: acquire: the caller sees what was written to the object before it was published.
/// Returns:  the kref, with a reference that the caller holds now and must give back. NULL if the object
///           is gone or not published yet, or if the pool never gave this handle.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn kref_pool_get(pool: *mut kref_pool, handle: u64) -> *mut kref {
    // SAFETY: the C caller guarantees a valid pool.
    or_null(unsafe { kref_pool::as_pool(pool) }.get(handle, Caller::UNKNOWN))
}

/// cbindgen:postfix=KREF_NONNULL
/// Take a reference on the next object that is alive: for broadcasts and for shutdown.
///
///     unsigned cursor = 0;
///     while ((kref = kref_pool_next(&sessions, &cursor))) { ...; kref_put(kref, session_release); }
///
/// Range:    a cursor that began at 0. An object that is published or released meanwhile may be found
///           or not.
/// Ordering: acquire, as for kref_pool_get().
/// Returns:  the kref, with a reference that the caller holds now and must give back; NULL at the end.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn kref_pool_next(pool: *mut kref_pool, cursor: *mut c_uint) -> *mut kref {
    // SAFETY: the C caller guarantees a valid pool and a valid cursor.
    or_null(unsafe { kref_pool::as_pool(pool).next(&mut *cursor, Caller::UNKNOWN) })
}

/// cbindgen:postfix=KREF_NONNULL
/// Count the objects that are alive. Looks at all memory of the pool, so for messages and tests.
///
/// Returns:  the number. Other threads may change it at any time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_pool_count(pool: *mut kref_pool) -> usize {
    // SAFETY: the C caller guarantees a valid pool.
    unsafe { kref_pool::as_pool(pool) }.count()
}

/// cbindgen:postfix=KREF_NONNULL
/// Give back the references that lookups have left to the pool: a lookup that took a reference on a wrong
/// object gives that reference back, but never runs a release function. Each kref_pool_free() and
/// kref_pool_destroy() does so, too. So a program needs this function only if an object must end soon after
/// its last holder, and no other object of the pool may be freed for a long time.
///
/// Threads:  as for a release function, which this function may run.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_pool_drain(pool: *mut kref_pool) {
    // SAFETY: the C caller guarantees a valid pool.
    unsafe { kref_pool::as_pool(pool) }.drain();
}

/// cbindgen:postfix=KREF_NONNULL
/// Give the pool's memory back. Until the pool is used again, its handles find nothing. Later an old handle
/// nearly always finds nothing, but this is not certain.
///
/// Range:    no other thread uses the pool meanwhile.
/// Misuse:   while an object is alive: nothing is freed, and a violation is reported for the first such
///           object.
/// Threads:  not in a signal handler.
/// Returns:  the number of objects that are alive: 0 if the memory was given back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_kref_pool_destroy(pool: *mut kref_pool, call: CallSite) -> usize {
    // SAFETY: the C caller guarantees a valid pool that nobody else uses.
    unsafe { kref_pool::as_pool(pool).destroy(call.into()) }
}
edge!(kref_pool_destroy = at_kref_pool_destroy, 1);
