//! The counter alone: the kernel's refcount_t. <linux/refcount.h> gives these functions the kernel's
//! names.

use core::ffi::{c_int, c_uint};

use super::edge::{CallSite, edge};
use super::types::refcount_struct;
use crate::PthreadMutex;

/// cbindgen:postfix=KREF_NONNULL
/// Set the count to n.
///
/// Range:    n from 1 to INT_MAX.
/// Misuse:   n = 0 makes a released counter, a negative n a saturated one.
/// Defined:  Linux, refcount_set().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_count_set(count: *mut refcount_struct, n: c_int) {
    // SAFETY: the C caller guarantees a valid counter.
    unsafe { refcount_struct::as_count(count) }.begin(n);
}

/// cbindgen:postfix=KREF_NONNULL
/// kref_count_set() for memory that is reused while other threads may still try to take a reference.
/// A thread that takes one with an _acquire function sees what was written to the object before this
/// call.
///
/// Range:    n from 1 to INT_MAX; the count was zero.
/// Misuse:   as for kref_count_set().
/// Ordering: release; pairs with the _acquire functions.
/// Threads:  one, the thread that reuses the memory.
/// Defined:  Linux, refcount_set_release().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_count_set_release(count: *mut refcount_struct, n: c_int) {
    // SAFETY: the C caller guarantees a valid counter.
    unsafe { refcount_struct::as_count(count) }.begin(n);
}

/// cbindgen:postfix=KREF_NONNULL
/// Read the count, as kref_read() does.
///
/// Returns:  the count, at most INT_MAX; 0 if the counter was released or never initialised;
///           (unsigned int)KREF_SATURATED if it is saturated.
/// Defined:  Linux, refcount_read().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_count_read(count: *const refcount_struct) -> c_uint {
    // SAFETY: the C caller guarantees a valid counter.
    unsafe { refcount_struct::as_count(count.cast_mut()) }.read() as c_uint
}

/// cbindgen:postfix=KREF_NONNULL
/// Take i more references.
///
/// Range:    i from 0.
/// Misuse:   a negative i is a misuse, too.
/// Defined:  Linux, refcount_add(), which does not catch a negative i.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_kref_count_add(i: c_int, count: *mut refcount_struct, call: CallSite) {
    // SAFETY: the C caller guarantees a valid counter.
    unsafe { refcount_struct::as_count(count) }.add_from(i, call.into());
}
edge!(kref_count_add = at_kref_count_add, 2);

/// cbindgen:postfix=KREF_NONNULL
/// Take one more reference.
///
/// Misuse:   as for kref_get(): the second reference above INT_MAX is caught.
/// Defined:  Linux, refcount_inc().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_kref_count_inc(count: *mut refcount_struct, call: CallSite) {
    // SAFETY: the C caller guarantees a valid counter.
    unsafe { refcount_struct::as_count(count) }.inc_from(call.into());
}
edge!(kref_count_inc = at_kref_count_inc, 1);

/// cbindgen:postfix=KREF_NONNULL
/// Take i references unless the count is zero.
///
/// Range:    i from 0.
/// Misuse:   as for kref_get_unless_zero(); a negative i is a misuse, too.
/// Returns:  1 if the references were taken; 0 if the count was zero, or never initialised.
/// Defined:  Linux, refcount_add_not_zero(), which does not catch a negative i.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_kref_count_add_not_zero(
    i: c_int,
    count: *mut refcount_struct,
    call: CallSite,
) -> c_int {
    // An acquire more than is promised, and one function less in the library.
    // SAFETY: the C caller guarantees a valid counter.
    unsafe { at_kref_count_add_not_zero_acquire(i, count, call) }
}
edge!(kref_count_add_not_zero = at_kref_count_add_not_zero, 2);

/// cbindgen:postfix=KREF_NONNULL
/// Take one reference unless the count is zero.
///
/// Misuse:   as for kref_get_unless_zero().
/// Returns:  1 if the reference was taken; 0 if the count was zero, or never initialised.
/// Defined:  Linux, refcount_inc_not_zero().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_kref_count_inc_not_zero(
    count: *mut refcount_struct,
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees a valid counter.
    unsafe { refcount_struct::as_count(count) }.inc_not_zero_from(call.into()).into()
}
edge!(kref_count_inc_not_zero = at_kref_count_inc_not_zero, 1);

/// cbindgen:postfix=KREF_NONNULL
/// kref_count_add_not_zero() for memory that is reused. If it returns 1, the caller sees what was
/// written to the object before kref_count_set_release().
///
/// Range:    i from 0.
/// Misuse:   as for kref_count_add_not_zero().
/// Ordering: acquire if it returns 1; pairs with kref_count_set_release() and with a put.
/// Returns:  1 if the references were taken; 0 if the count was zero, or never initialised.
/// Defined:  Linux, refcount_add_not_zero_acquire(), which does not report a saturated count.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_kref_count_add_not_zero_acquire(
    i: c_int,
    count: *mut refcount_struct,
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees a valid counter.
    unsafe { refcount_struct::as_count(count) }.add_not_zero_acquire_from(i, call.into()).into()
}
edge!(kref_count_add_not_zero_acquire = at_kref_count_add_not_zero_acquire, 2);

/// cbindgen:postfix=KREF_NONNULL
/// kref_count_inc_not_zero() for memory that is reused. If it returns 1, the caller sees what was
/// written to the object before kref_count_set_release().
///
/// Misuse:   as for kref_count_inc_not_zero().
/// Ordering: acquire if it returns 1; pairs with kref_count_set_release() and with a put.
/// Returns:  1 if the reference was taken; 0 if the count was zero, or never initialised.
/// Defined:  Linux, refcount_inc_not_zero_acquire(), which does not report a saturated count.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_kref_count_inc_not_zero_acquire(
    count: *mut refcount_struct,
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees a valid counter.
    unsafe { at_kref_count_add_not_zero_acquire(1, count, call) }
}
edge!(kref_count_inc_not_zero_acquire = at_kref_count_inc_not_zero_acquire, 1);

/// cbindgen:postfix=KREF_NONNULL
/// Give i references back.
///
/// Range:    i from 0 to the number of references that the caller holds.
/// Misuse:   i above the count, or a negative i, is a misuse, too. 0 is returned.
/// Returns:  1 if these were the last references, otherwise 0.
/// Defined:  Linux, refcount_sub_and_test(), which does not catch a negative i.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_kref_count_sub_and_test(
    i: c_int,
    count: *mut refcount_struct,
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees a valid counter.
    unsafe { refcount_struct::as_count(count) }.sub_and_test_from(i, call.into()).into()
}
edge!(kref_count_sub_and_test = at_kref_count_sub_and_test, 2);

/// cbindgen:postfix=KREF_NONNULL
/// Give one reference back.
///
/// Misuse:   0 is returned.
/// Returns:  1 if this was the last reference, otherwise 0.
/// Defined:  Linux, refcount_dec_and_test().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_kref_count_dec_and_test(
    count: *mut refcount_struct,
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees a valid counter.
    unsafe { refcount_struct::as_count(count) }.dec_and_test_from(call.into()).into()
}
edge!(kref_count_dec_and_test = at_kref_count_dec_and_test, 1);

/// cbindgen:postfix=KREF_NONNULL
/// Give one reference back. The caller knows that it is not the last.
///
/// Range:    a count of 2 or more.
/// Misuse:   at 1, too: nobody would release the object.
/// Defined:  Linux, refcount_dec().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_kref_count_dec(count: *mut refcount_struct, call: CallSite) {
    // SAFETY: the C caller guarantees a valid counter.
    unsafe { refcount_struct::as_count(count) }.dec_from(call.into());
}
edge!(kref_count_dec = at_kref_count_dec, 1);

/// cbindgen:postfix=KREF_NONNULL
/// Give the reference back if it is the only one; otherwise change nothing.
///
/// Misuse:   none is reported: if the count is not 1, nothing changes.
/// Ordering: release and acquire if it returns 1.
/// Returns:  1 if the count went from 1 to 0, otherwise 0.
/// Defined:  Linux, refcount_dec_if_one().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn kref_count_dec_if_one(count: *mut refcount_struct) -> c_int {
    // SAFETY: the C caller guarantees a valid counter.
    unsafe { refcount_struct::as_count(count) }.dec_if_one().into()
}

/// cbindgen:postfix=KREF_NONNULL
/// Give one reference back unless it is the last.
///
/// Misuse:   1 is returned.
/// Ordering: release if it returns 1.
/// Returns:  1 if the reference was given back; 0 if it is the last, and the caller still holds it.
/// Defined:  Linux, refcount_dec_not_one(), which does not report a saturated count.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_kref_count_dec_not_one(
    count: *mut refcount_struct,
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees a valid counter.
    unsafe { refcount_struct::as_count(count) }.dec_not_one_from(call.into()).into()
}
edge!(kref_count_dec_not_one = at_kref_count_dec_not_one, 1);

/// cbindgen:postfix=KREF_NONNULL
/// Give one reference back. If it is the last, take the mutex first, and return with the mutex held.
///
/// Range:    the caller does not hold the mutex.
/// Misuse:   0 is returned, without the mutex. If the mutex cannot be taken, a violation is reported,
///           and the reference is not given back.
/// Threads:  not in a signal handler. If the owner of a robust mutex has died, the mutex is made
///           consistent.
/// Returns:  1 with the mutex held if the count reached zero, otherwise 0 without the mutex.
/// Defined:  Linux, refcount_dec_and_mutex_lock(), which does not report a saturated count; POSIX,
///           pthread_mutex_lock().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_kref_count_dec_and_mutex_lock(
    count: *mut refcount_struct,
    mutex: *mut libc::pthread_mutex_t,
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees a valid counter and an initialised mutex.
    unsafe {
        let mutex = PthreadMutex::from_ptr(mutex);
        refcount_struct::as_count(count).dec_and_lock_from(mutex, call.into())
    }
    .into()
}
edge!(kref_count_dec_and_mutex_lock = at_kref_count_dec_and_mutex_lock, 2);
