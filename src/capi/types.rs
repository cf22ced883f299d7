//! The types, as C sees them.
#![expect(non_camel_case_types, reason = "cbindgen names them in kref.h as they are named here")]

use core::ffi::{c_int, c_void};
use core::mem::offset_of;
use core::ptr::NonNull;

use crate::{Count, Kref, KrefSlot, Report, Violation};

/// A saturating counter: what the kernel calls refcount_t. Use its functions, never the field.
#[repr(C)]
pub struct refcount_struct {
    pub refs: c_int,
}

/// A reference count. Embed it in your object; kref_entry() leads back to the object.
#[repr(C)]
pub struct kref {
    pub refcount: refcount_struct,
}

/// One published pointer, from which any thread may take a reference. It owns a reference on what
/// it points to. It needs no destruction once it is empty. Use its functions, never the field.
#[repr(C)]
pub struct kref_slot {
    pub kref: *mut kref,
}

/// What went wrong with a count.
#[repr(C)]
pub enum kref_violation_kind {
    /// A reference was taken on an object that had none left, or was never initialised.
    KREF_GET_ON_ZERO = 1,
    /// There were more references than the count can hold.
    KREF_OVERFLOW = 2,
    /// More references were given back than were held.
    KREF_PUT_ON_ZERO = 3,
    /// A kref_count_dec() took the last reference: nobody released the object.
    KREF_DEC_TO_ZERO = 4,
    /// The count was used again after one of the above, or is negative and no count at all.
    KREF_USE_OF_SATURATED = 5,
    /// The lock for the last reference, or for a lookup, could not be taken.
    KREF_LOCK_FAILED = 6,
}

/// What a violation handler is told.
#[repr(C)]
pub struct kref_violation {
    /// What went wrong.
    pub kind: kref_violation_kind,
    /// The address of the struct kref, or of the bare struct refcount_struct. NULL if there was
    /// none: a lookup whose lock failed.
    pub kref: *const c_void,
    /// The return address of the call, in the code that made it. NULL where it is not known.
    pub caller: *const c_void,
}

/// Who is told of violations. It may be called by any thread, and in a signal handler; it may be
/// called by several threads at once. The violation is gone when it returns.
pub type kref_violation_handler =
    Option<unsafe extern "C" fn(violation: *const kref_violation, context: *mut c_void)>;

// What C calls by one name and Rust by another is one thing.
const _: () = {
    assert!(size_of::<refcount_struct>() == size_of::<Count>());
    assert!(align_of::<refcount_struct>() == align_of::<Count>());
    assert!(size_of::<kref>() == size_of::<Kref>());
    assert!(size_of::<kref_slot>() == size_of::<KrefSlot>());
    assert!(align_of::<kref_slot>() == align_of::<KrefSlot>());
    assert!(align_of::<kref>() == align_of::<Kref>());
    assert!(size_of::<kref_violation>() == size_of::<Report>());
    assert!(align_of::<kref_violation>() == align_of::<Report>());
    assert!(offset_of!(kref_violation, kind) == offset_of!(Report, kind));
    assert!(offset_of!(kref_violation, kref) == offset_of!(Report, count));
    assert!(offset_of!(kref_violation, caller) == offset_of!(Report, caller));
    assert!(kref_violation_kind::KREF_GET_ON_ZERO as i32 == Violation::GetOnZero as i32);
    assert!(kref_violation_kind::KREF_OVERFLOW as i32 == Violation::Overflow as i32);
    assert!(kref_violation_kind::KREF_PUT_ON_ZERO as i32 == Violation::PutOnZero as i32);
    assert!(kref_violation_kind::KREF_DEC_TO_ZERO as i32 == Violation::DecToZero as i32);
    assert!(kref_violation_kind::KREF_USE_OF_SATURATED as i32 == Violation::Saturated as i32);
    assert!(kref_violation_kind::KREF_LOCK_FAILED as i32 == Violation::LockFailed as i32);
};

impl refcount_struct {
    /// # Safety
    /// `count` is a live counter, for `'a`.
    pub(super) unsafe fn as_count<'a>(count: *mut Self) -> &'a Count {
        // SAFETY: same layout, all of it atomic; the C caller guarantees that it is live.
        unsafe { &*count.cast() }
    }
}

impl kref {
    /// # Safety
    /// `kref` is live, for `'a`.
    pub(super) unsafe fn as_kref<'a>(kref: *mut Self) -> &'a Kref {
        // SAFETY: same layout, all of it atomic; the C caller guarantees that it is live.
        unsafe { &*kref.cast() }
    }

    /// # Safety
    /// `kref` is not NULL.
    pub(super) unsafe fn as_non_null(kref: *mut Self) -> NonNull<Kref> {
        // SAFETY: the C caller guarantees that it is not NULL.
        unsafe { NonNull::new_unchecked(kref.cast()) }
    }
}

impl kref_slot {
    /// # Safety
    /// `slot` is live, for `'a`.
    pub(super) unsafe fn as_slot<'a>(slot: *mut Self) -> &'a KrefSlot {
        // SAFETY: same layout, all of it atomic; the C caller guarantees that it is live.
        unsafe { &*slot.cast() }
    }
}

/// A pointer for C: NULL stands for nothing.
pub(super) fn or_null(kref: Option<NonNull<Kref>>) -> *mut kref {
    kref.map_or(core::ptr::null_mut(), |kref| kref.as_ptr().cast())
}
