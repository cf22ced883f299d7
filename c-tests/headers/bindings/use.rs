//! Compiled with what bindgen makes of kref.h: an object's life, and a misuse, which the violation handler
//! receives.
#![allow(non_camel_case_types, non_upper_case_globals, non_snake_case)]

include!(concat!(env!("BINDINGS"), "/kref.rs"));

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static RELEASED: AtomicUsize = AtomicUsize::new(0);
static VIOLATED: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" fn release(object: *mut kref) {
    RELEASED.fetch_add(object as usize, Relaxed);
}

unsafe extern "C" fn violated(violation: *const kref_violation, context: *mut std::ffi::c_void) {
    // SAFETY: the violation is valid until this function returns.
    let (kind, object) = unsafe { ((*violation).kind, (*violation).kref) };
    assert_eq!(kind, kref_violation_kind_KREF_PUT_ON_ZERO);
    assert_eq!(object, context.cast_const());
    VIOLATED.fetch_add(1, Relaxed);
}

fn main() {
    let mut object = kref { refcount: refcount_struct { refs: 0 } };
    let place: *mut kref = &mut object;
    // SAFETY: the object outlives all uses, and no other thread uses it.
    unsafe {
        kref_init(place);
        kref_get(place);
        assert_eq!(kref_read(place), 2);
        assert_eq!((kref_put(place, Some(release)), RELEASED.load(Relaxed)), (0, 0));
        assert_eq!((kref_put(place, Some(release)), RELEASED.load(Relaxed)), (1, place as usize));

        kref_set_violation_handler(Some(violated), place.cast());
        assert_eq!((kref_put(place, Some(release)), VIOLATED.load(Relaxed)), (0, 1));

        let version = std::ffi::CStr::from_ptr(kref_version()).to_bytes_with_nul();
        assert_eq!(version, KREF_VERSION);
    }
    println!("released once, one violation");
}
