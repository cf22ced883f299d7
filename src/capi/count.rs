//! The bare counter: the kernel's refcount_t, whose names <linux/refcount.h> gives these functions.

use core::ffi::{c_int, c_uint};

use super::edge::{CallSite, edge};
use super::types::refcount_struct;
use crate::PthreadMutex;

/// cbindgen:postfix=KREF_NONNULL
/// Set the count, whatever it was.
///
/// Range:    n from 1 to INT_MAX; no other thread knows the counter yet.
/// Misuse:   n of 0 or less makes a counter that is dead, or saturated.
/// Ordering: relaxed.
/// Threads:  one, before the counter is shared. Signal handlers: yes.
/// Returns:  nothing.
/// Defined:  Linux, refcount_set().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_count_set(count: *mut refcount_struct, n: c_int) {
    // SAFETY: the C caller guarantees a live counter.
    unsafe { refcount_struct::as_count(count) }.set(n);
}

/// cbindgen:postfix=KREF_NONNULL
/// kref_count_set() for memory that is reused while others may still try to take a reference: what
/// was written to the object before comes before what they read after an _acquire form.
///
/// Range:    n from 1 to INT_MAX; the count was zero.
/// Misuse:   as for kref_count_set().
/// Ordering: release; pairs with the _acquire forms.
/// Threads:  one, the one that makes the object anew. Signal handlers: yes.
/// Returns:  nothing.
/// Defined:  Linux, refcount_set_release().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_count_set_release(count: *mut refcount_struct, n: c_int) {
    // SAFETY: the C caller guarantees a live counter.
    unsafe { refcount_struct::as_count(count) }.set_release(n);
}

/// cbindgen:postfix=KREF_NONNULL
/// Read the count: a number to print, not to decide by, since it may have changed already.
///
/// Range:    above INT_MAX, the counter is saturated.
/// Misuse:   none that can be seen.
/// Ordering: relaxed.
/// Threads:  any. Signal handlers: yes.
/// Returns:  the count.
/// Defined:  Linux, refcount_read().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kref_count_read(count: *const refcount_struct) -> c_uint {
    // SAFETY: the C caller guarantees a live counter.
    unsafe { refcount_struct::as_count(count.cast_mut()) }.read() as c_uint
}

/// cbindgen:postfix=KREF_NONNULL
/// Take i more references; the caller holds one already.
///
/// Range:    i from 0; the sum up to INT_MAX.
/// Misuse:   at zero, past INT_MAX, with a negative i, or saturated: the count saturates, and a
///           violation is reported.
/// Ordering: relaxed.
/// Threads:  any. Signal handlers: yes.
/// Returns:  nothing.
/// Defined:  Linux, refcount_add(); a negative i is caught only here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_kref_count_add(i: c_int, count: *mut refcount_struct, call: CallSite) {
    // SAFETY: the C caller guarantees a live counter.
    unsafe { refcount_struct::as_count(count) }.add_from(i, call.into());
}
edge!(kref_count_add = at_kref_count_add, 2);

/// cbindgen:postfix=KREF_NONNULL
/// Take one more reference; the caller holds one already.
///
/// Range:    up to INT_MAX.
/// Misuse:   at zero, at INT_MAX or saturated: the count saturates, and a violation is reported.
/// Ordering: relaxed.
/// Threads:  any. Signal handlers: yes.
/// Returns:  nothing.
/// Defined:  Linux, refcount_inc().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_kref_count_inc(count: *mut refcount_struct, call: CallSite) {
    // SAFETY: the C caller guarantees a live counter.
    unsafe { refcount_struct::as_count(count) }.inc_from(call.into());
}
edge!(kref_count_inc = at_kref_count_inc, 1);

/// cbindgen:postfix=KREF_NONNULL
/// Take i references unless the count is zero.
///
/// Range:    i from 0; the sum up to INT_MAX.
/// Misuse:   past INT_MAX, with a negative i, or saturated: the count saturates, a violation is
///           reported, and 1 is returned.
/// Ordering: relaxed.
/// Threads:  any. Signal handlers: yes.
/// Returns:  1 if they were taken, 0 if the count was zero.
/// Defined:  Linux, refcount_add_not_zero(); a negative i is caught only here.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_kref_count_add_not_zero(
    i: c_int,
    count: *mut refcount_struct,
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees a live counter.
    unsafe { refcount_struct::as_count(count) }.add_not_zero_from(i, call.into()).into()
}
edge!(kref_count_add_not_zero = at_kref_count_add_not_zero, 2);

/// cbindgen:postfix=KREF_NONNULL
/// Take one reference unless the count is zero.
///
/// Range:    up to INT_MAX.
/// Misuse:   at INT_MAX or saturated: the count saturates, a violation is reported, and 1 is returned.
/// Ordering: relaxed.
/// Threads:  any. Signal handlers: yes.
/// Returns:  1 if it was taken, 0 if the count was zero.
/// Defined:  Linux, refcount_inc_not_zero().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_kref_count_inc_not_zero(
    count: *mut refcount_struct,
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees a live counter.
    unsafe { refcount_struct::as_count(count) }.inc_not_zero_from(call.into()).into()
}
edge!(kref_count_inc_not_zero = at_kref_count_inc_not_zero, 1);

/// cbindgen:postfix=KREF_NONNULL
/// kref_count_add_not_zero() for memory that is reused: what the count tells comes before what
/// is read next.
///
/// Range:    i from 0; the sum up to INT_MAX.
/// Misuse:   as for kref_count_add_not_zero().
/// Ordering: acquire if it returns 1; pairs with kref_count_set_release() and with a put.
/// Threads:  any. Signal handlers: yes.
/// Returns:  1 if they were taken, 0 if the count was zero.
/// Defined:  Linux, refcount_add_not_zero_acquire(); saturation is reported only here.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_kref_count_add_not_zero_acquire(
    i: c_int,
    count: *mut refcount_struct,
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees a live counter.
    unsafe { refcount_struct::as_count(count) }.add_not_zero_acquire_from(i, call.into()).into()
}
edge!(kref_count_add_not_zero_acquire = at_kref_count_add_not_zero_acquire, 2);

/// cbindgen:postfix=KREF_NONNULL
/// kref_count_inc_not_zero() for memory that is reused: what the count tells comes before what
/// is read next.
///
/// Range:    up to INT_MAX.
/// Misuse:   as for kref_count_inc_not_zero().
/// Ordering: acquire if it returns 1; pairs with kref_count_set_release() and with a put.
/// Threads:  any. Signal handlers: yes.
/// Returns:  1 if it was taken, 0 if the count was zero.
/// Defined:  Linux, refcount_inc_not_zero_acquire(); saturation is reported only here.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_kref_count_inc_not_zero_acquire(
    count: *mut refcount_struct,
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees a live counter.
    unsafe { refcount_struct::as_count(count) }.add_not_zero_acquire_from(1, call.into()).into()
}
edge!(kref_count_inc_not_zero_acquire = at_kref_count_inc_not_zero_acquire, 1);

/// cbindgen:postfix=KREF_NONNULL
/// Give i references back.
///
/// Range:    i from 0 to the references that the caller owns.
/// Misuse:   more than there are, at zero, a negative i, or saturated: the count saturates, a
///           violation is reported, and 0 is returned.
/// Ordering: release; and on 1, acquire.
/// Threads:  any. Signal handlers: yes.
/// Returns:  1 if they were the last, otherwise 0.
/// Defined:  Linux, refcount_sub_and_test(); a negative i is caught only here.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_kref_count_sub_and_test(
    i: c_int,
    count: *mut refcount_struct,
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees a live counter.
    unsafe { refcount_struct::as_count(count) }.sub_and_test_from(i, call.into()).into()
}
edge!(kref_count_sub_and_test = at_kref_count_sub_and_test, 2);

/// cbindgen:postfix=KREF_NONNULL
/// Give one reference back.
///
/// Range:    one reference, the caller's own.
/// Misuse:   at zero or saturated: the count saturates, a violation is reported, and 0 is returned.
/// Ordering: release; and on 1, acquire.
/// Threads:  any. Signal handlers: yes.
/// Returns:  1 if it was the last, otherwise 0.
/// Defined:  Linux, refcount_dec_and_test().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_kref_count_dec_and_test(
    count: *mut refcount_struct,
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees a live counter.
    unsafe { refcount_struct::as_count(count) }.dec_and_test_from(call.into()).into()
}
edge!(kref_count_dec_and_test = at_kref_count_dec_and_test, 1);

/// cbindgen:postfix=KREF_NONNULL
/// Give one reference back that is known not to be the last.
///
/// Range:    from a count of 2.
/// Misuse:   at 1 or zero, or saturated: the count saturates, and a violation is reported.
/// Ordering: release.
/// Threads:  any. Signal handlers: yes.
/// Returns:  nothing.
/// Defined:  Linux, refcount_dec().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn at_kref_count_dec(count: *mut refcount_struct, call: CallSite) {
    // SAFETY: the C caller guarantees a live counter.
    unsafe { refcount_struct::as_count(count) }.dec_from(call.into());
}
edge!(kref_count_dec = at_kref_count_dec, 1);

/// cbindgen:postfix=KREF_NONNULL
/// Give the last reference back; do nothing if there are others.
///
/// Range:    any count.
/// Misuse:   nothing is reported: a count other than 1 stays as it is.
/// Ordering: release and acquire on 1.
/// Threads:  any. Signal handlers: yes.
/// Returns:  1 if the count went from 1 to 0, otherwise 0.
/// Defined:  Linux, refcount_dec_if_one().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn kref_count_dec_if_one(count: *mut refcount_struct) -> c_int {
    // SAFETY: the C caller guarantees a live counter.
    unsafe { refcount_struct::as_count(count) }.dec_if_one().into()
}

/// cbindgen:postfix=KREF_NONNULL
/// Give one reference back unless it is the last.
///
/// Range:    one reference, the caller's own.
/// Misuse:   at zero or saturated: the count saturates, a violation is reported, and 1 is returned.
/// Ordering: release if it returns 1.
/// Threads:  any. Signal handlers: yes.
/// Returns:  1 if it was given back, 0 if it is the last and still the caller's.
/// Defined:  Linux, refcount_dec_not_one(); saturation is reported only here.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_kref_count_dec_not_one(
    count: *mut refcount_struct,
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees a live counter.
    unsafe { refcount_struct::as_count(count) }.dec_not_one_from(call.into()).into()
}
edge!(kref_count_dec_not_one = at_kref_count_dec_not_one, 1);

/// cbindgen:postfix=KREF_NONNULL
/// Give one reference back; where it is the last, return with the mutex held.
///
/// Range:    one reference; the caller does not hold the mutex.
/// Misuse:   at zero or saturated: the count saturates, a violation is reported, and 0 is returned.
///           If the mutex cannot be taken: reported, 0, and the reference is not given back.
/// Ordering: release; and on 1, acquire.
/// Threads:  any. Signal handlers: no. A robust mutex whose owner died is made consistent.
/// Returns:  1 with the mutex held if the count reached zero, otherwise 0 without it.
/// Defined:  Linux, refcount_dec_and_mutex_lock(); POSIX, pthread_mutex_lock(). Saturation is
///           reported only here.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn at_kref_count_dec_and_mutex_lock(
    count: *mut refcount_struct,
    mutex: *mut libc::pthread_mutex_t,
    call: CallSite,
) -> c_int {
    // SAFETY: the C caller guarantees a live counter and an initialised mutex.
    unsafe {
        let mutex = PthreadMutex::from_ptr(mutex);
        refcount_struct::as_count(count).dec_and_lock_from(mutex, call.into())
    }
    .into()
}
edge!(kref_count_dec_and_mutex_lock = at_kref_count_dec_and_mutex_lock, 2);
